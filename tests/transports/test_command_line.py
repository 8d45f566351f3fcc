"""`shapeguard run`, in real processes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

import pytest

nbformat = pytest.importorskip("nbformat", reason="the environment of the oldest IPython has no nbformat")

from shapeguard.records import Report  # noqa: E402

pytestmark = pytest.mark.kernel
REPOSITORY = Path(__file__).parents[2]


def run(
    *arguments: str | Path, cwd: Path, stdout: int | IO[str] = subprocess.PIPE, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  our own program
        [sys.executable, "-m", "shapeguard", *map(str, arguments)],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "NO_COLOR": "", **environment},
        check=False,
    )


def script(folder: Path, text: str, name: str = "program.py") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def notebook(folder: Path, *cells: str, tags: dict[int, list[str]] | None = None, **metadata: Any) -> Path:
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    for index, names in (tags or {}).items():
        made.cells[index].metadata.tags = names
    made.metadata.update(metadata)
    path = folder / "notebook.ipynb"
    nbformat.write(made, path)
    return path


PROGRAM = """\
import sys
import numpy as np

X = np.zeros((6, 10))
print("said", sys.argv[1:], __name__)
for i in range(2):
    Y = X[:, i]
Y.sum()
"""


def test_a_script_is_run_and_its_results_are_listed_with_their_lines(tmp_path: Path) -> None:
    done = run("run", script(tmp_path, PROGRAM), "--", "-x", "1", cwd=tmp_path)
    assert done.stdout == (
        "said ['-x', '1'] __main__\n"
        "  4  X         f64[6, 10]   ndarray\n"
        "  7  Y         f64[6]       ndarray\n"
        "  8  Y.sum()   f64[]        float64\n"
    )
    assert (done.stderr, done.returncode) == ("", 0)


def test_json_has_standard_output_for_itself(tmp_path: Path) -> None:
    noisy = PROGRAM + "import os, subprocess\nos.write(1, b'raw')\nsubprocess.run(['echo', 'child'])\n"
    done = run("run", script(tmp_path, noisy), "--format", "json", cwd=tmp_path)
    report = Report.from_json(done.stdout)
    assert report.status == "ok"
    assert report.sources[0].kind == "script"
    assert report.sources[0].uri == (tmp_path / "program.py").as_uri()
    assert [seen.target for seen in report.observations] == ["X", "Y", "Y.sum()"]
    for said in ("said", "raw", "child"):
        assert said in done.stderr


def test_html_is_a_page_with_the_source_and_no_script(tmp_path: Path) -> None:
    path = script(tmp_path, PROGRAM + "text = '<script>alert(1)</script>'\n")
    done = run("run", path, "--format", "html", "-o", "out/page.html", cwd=tmp_path)
    page = (tmp_path / "out" / "page.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert "<script" not in page
    assert "f64[6, 10]" in page
    assert "wrote out/page.html" in done.stderr
    assert "said" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("last", "code", "status", "said"),
    [
        ("", 0, "ok", ""),
        ("1 / 0", 1, "error", "ZeroDivisionError: division by zero"),
        ("sys.exit()", 0, "exited", ""),
        ("sys.exit(7)", 7, "exited", ""),
        ("sys.exit('because')", 1, "exited", "because"),
        ("raise KeyboardInterrupt", 130, "interrupted", "KeyboardInterrupt"),
        ("raise SystemExit(2)", 2, "exited", ""),
    ],
)
def test_exit_codes_are_the_programs_own(tmp_path: Path, last: str, code: int, status: str, said: str) -> None:
    done = run("run", script(tmp_path, PROGRAM + last), "--format", "json", cwd=tmp_path)
    report = Report.from_json(done.stdout)
    assert (done.returncode, report.status) == (code, status)
    assert len(report.observations) == 3
    assert said in done.stderr


def test_a_script_sees_what_python_gives_it(tmp_path: Path) -> None:
    text = (
        '"""A docstring."""\nfrom __future__ import annotations\nimport sys, pickle, dataclasses, inspect\n'
        "@dataclasses.dataclass\nclass C:\n    x: Missing = 1\n"
        "assert pickle.loads(pickle.dumps(C())) == C()\nassert __doc__ == 'A docstring.'\n"
        "assert sys.modules['__main__'].C is C\nassert inspect.getsource(C).startswith('@dataclasses')\n"
        "import sibling\nprint(__file__, sys.argv[0], sibling.value)\n"
    )
    (tmp_path / "sibling.py").write_text("value = 3\n")
    path = script(tmp_path, text)
    done = run("run", path, cwd=REPOSITORY)
    assert done.stdout == f"{path} {path} 3\n"
    assert done.returncode == 0


def test_a_notebook_gives_one_report_a_code_cell(tmp_path: Path) -> None:
    path = notebook(tmp_path, "import numpy as np", "x = np.zeros(3)\nprint('said')", "", "x.sum()")
    done = run("run", path, "--format", "json", cwd=tmp_path)
    reports = json.loads(done.stdout)
    assert [[seen["target"] for seen in report["observations"]] for report in reports] == [[], ["x"], [], ["Out[3]"]]
    assert [report["sources"][0]["kind"] for report in reports] == ["cell"] * 4
    assert "said" in done.stderr
    assert "cell 4 of 4" in done.stderr


def test_a_notebook_is_drawn_cell_by_cell(tmp_path: Path) -> None:
    path = notebook(tmp_path, "%load_ext shapeguard\nimport numpy as np", "x = np.zeros(3)\nprint('said')\nx.sum()")
    done = run("run", path, cwd=tmp_path)
    assert done.stdout == (
        "In [1]: %load_ext shapeguard\n   ...: import numpy as np\n\n"
        "In [2]: x = np.zeros(3)\n   ...: print('said')\n   ...: x.sum()\n"
        "said\nOut[2]: np.float64(0.0)\n  x        f64[3]   ndarray\n  Out[2]   f64[]    float64\n\n"
    )
    assert (done.stderr, done.returncode) == ("", 0)


def test_a_notebook_becomes_a_page_with_its_outputs_and_its_blocks(tmp_path: Path) -> None:
    path = notebook(tmp_path, "import numpy as np\nx = np.zeros(3)\nprint('said')")
    done = run("run", path, "-o", "a.html", "-o", "a.json", "-o", "a.txt", cwd=tmp_path)
    assert done.returncode == 0
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert 'class="shapeguard"' in page
    assert "said" in page
    assert json.loads((tmp_path / "a.json").read_text())[0]["observations"][0]["target"] == "x"
    assert "  x   f64[3]   ndarray" in (tmp_path / "a.txt").read_text()
    assert "  x   f64[3]   ndarray" in done.stdout


def test_a_failing_cell_ends_the_run_and_what_ran_is_reported(tmp_path: Path) -> None:
    path = notebook(tmp_path, "import numpy as np\nx = np.zeros(3)", "y = x\n1 / 0\nz = x", "w = x")
    done = run("run", path, "--format", "json", cwd=tmp_path)
    reports = [Report.from_json(json.dumps(report)) for report in json.loads(done.stdout)]
    assert [report.status for report in reports] == ["ok", "error"]
    assert [seen.target for seen in reports[1].observations] == ["y"]
    assert done.returncode == 1
    assert f"shapeguard: {path}: cell 2 line 2: ZeroDivisionError: division by zero" in done.stderr


def test_a_cell_that_is_meant_to_fail_does_not_end_the_run(tmp_path: Path) -> None:
    path = notebook(tmp_path, "1 / 0", "import numpy as np\nx = np.zeros(3)", tags={0: ["raises-exception"]})
    done = run("run", path, "--format", "json", cwd=tmp_path)
    assert [report["status"] for report in json.loads(done.stdout)] == ["error", "ok"]
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("x = (1,\ny = 2", "cell 2 line 1: SyntaxError: '(' was never closed"),
        ("%%nosuchmagic\nx = 1", "cell 2 line 1: UsageError: Cell magic `%%nosuchmagic` not found."),
        ("\n\nraise ValueError('multi\\nline')", "cell 2 line 3: ValueError: multi"),
    ],
)
def test_an_error_of_a_cell_is_one_line_with_its_place(tmp_path: Path, cell: str, said: str) -> None:
    path = notebook(tmp_path, "import numpy as np\nx = np.zeros(3)", cell)
    done = run("run", path, "--format", "json", cwd=tmp_path)
    assert done.returncode == 1
    assert [report["status"] for report in json.loads(done.stdout)] == ["ok", "error"]
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("shapeguard: ")]
    assert line == f"shapeguard: {path}: {said}"


def test_a_syntax_error_in_a_script_is_what_python_prints_and_is_reported(tmp_path: Path) -> None:
    done = run("run", script(tmp_path, "x = 1\ny = (\n"), "--format", "json", cwd=tmp_path)
    report = Report.from_json(done.stdout)
    assert report.status == "error"
    assert report.error is not None
    assert report.error.type == "SyntaxError"
    assert done.returncode == 1
    assert 'program.py", line 2' in done.stderr
    assert "site-packages" not in done.stderr


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("missing.py", None, "missing.py: cannot be read: No such file or directory"),
        ("missing.ipynb", None, "missing.ipynb: cannot be read: No such file or directory"),
        ("latin.py", b"x = '\xff'\n", "latin.py: not Python source: "),
        ("broken.ipynb", b"{'cells'", "broken.ipynb:1:2: not a notebook: not JSON"),
        ("other.ipynb", b"[1, 2]", "other.ipynb: not a notebook in a format that nbformat"),
        ("empty.ipynb", b"{}", "empty.ipynb: not a "),
        (
            "bad.ipynb",
            b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": "odd"}]}',
            "bad.ipynb: not a valid notebook: at ",
        ),
        (
            "julia.ipynb",
            b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": {"name": "julia-1.9", "display_name": "Julia", "language": "julia"}}, "cells": []}',
            "julia.ipynb: the notebook's language is julia; shapeguard runs Python notebooks only",
        ),
    ],
)
def test_a_file_that_cannot_be_run_is_one_clear_line(tmp_path: Path, name: str, text: bytes | None, said: str) -> None:
    if text is not None:
        (tmp_path / name).write_bytes(text)
    done = run("run", name, cwd=tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"shapeguard: {said}")
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run"], "Missing argument 'FILE'"),
        (["run", "program.py", "--format", "pdf"], "'pdf' is not one of 'text', 'html', 'json'"),
        (["run", "program.py", "-o", "out.pdf"], "its suffix names no format"),
        (["walk"], "No such command 'walk'"),
        (["run", "notebook.ipynb", "extra"], "a notebook takes no arguments"),
    ],
)
def test_wrong_use_exits_with_2(tmp_path: Path, arguments: list[str], said: str) -> None:
    script(tmp_path, "x = 1\n")
    notebook(tmp_path, "x = 1")
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr


def test_options_of_the_project_hold_for_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.shapeguard]\nnames = ['X']\n")
    done = run("run", script(tmp_path, PROGRAM), cwd=tmp_path)
    assert done.stdout.splitlines()[1:] == ["  4  X   f64[6, 10]   ndarray"]
    (tmp_path / "pyproject.toml").write_text("[tool.shapeguard]\nname = ['X']\n")
    done = run("run", script(tmp_path, PROGRAM), cwd=tmp_path)
    assert done.returncode == 2
    assert "'name' is not an option" in done.stderr


@pytest.mark.parametrize("no_color", ["", "1"])
def test_colour_is_for_a_terminal_and_never_with_no_color(tmp_path: Path, no_color: str) -> None:
    pytest.importorskip("pty", reason="pseudo-terminals are POSIX")
    path = script(tmp_path, "import numpy as np\nx = np.zeros(3)\n")
    code = f"import pty, sys; sys.exit(pty.spawn([sys.executable, '-m', 'shapeguard', 'run', {str(path)!r}]) >> 8)"
    done = subprocess.run(  # noqa: S603  our own code
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "NO_COLOR": no_color, "TERM": "xterm"},
        check=True,
    )
    assert ("\x1b[" in done.stdout) is (no_color == "")
    assert "f64[3]" in done.stdout


def test_a_script_is_known_by_its_absolute_path_wherever_it_goes(tmp_path: Path) -> None:
    text = (
        "import inspect, os\ndef f():\n    return 1\nos.chdir('/')\nprint(inspect.getsource(f))\n"
        "print(f.__code__.co_filename)\n"
    )
    path = script(tmp_path, text)
    done = run("run", path.name, "-o", "report.json", cwd=tmp_path)
    assert done.stdout == f"def f():\n    return 1\n\n{path}\n"
    report = Report.from_json((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert report.sources[0].uri == path.as_uri()


@pytest.mark.parametrize("text", ["def f():\n    return 1 / 0\n\nf()\n", "x = (\n"])
def test_the_traceback_of_a_script_is_what_python_prints(tmp_path: Path, text: str) -> None:
    path = script(tmp_path, text)
    plain = subprocess.run([sys.executable, path.name], capture_output=True, text=True, cwd=tmp_path, check=False)  # noqa: S603
    assert run("run", path.name, cwd=tmp_path).stderr == plain.stderr


@pytest.mark.parametrize("name", ["file/page.html", "/proc/nope/page.html", "folder.html", "loop.html"])
@pytest.mark.parametrize("is_notebook", [False, True])
def test_an_output_that_cannot_be_written_is_told_of_before_the_program_runs(
    tmp_path: Path, name: str, *, is_notebook: bool
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.html" / "inner").mkdir(parents=True)
    (tmp_path / "loop.html").symlink_to("loop.html")
    path = notebook(tmp_path, "print('ran')") if is_notebook else script(tmp_path, "print('ran')\n")
    done = run("run", path, "-o", name, cwd=tmp_path)
    assert done.returncode == 2
    assert name in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert "ran" not in done.stdout + done.stderr


def test_trying_an_output_leaves_nothing_behind_and_keeps_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "old.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("aim.txt")
    text = "import os\nprint(open('old.txt').read(), sorted(os.listdir()), os.path.lexists('link.txt'))\n"
    done = run("run", script(tmp_path, text), "-o", "old.txt", "-o", "new.txt", "-o", "link.txt", cwd=tmp_path)
    assert done.stdout == "old ['link.txt', 'old.txt', 'program.py'] True\n"
    assert done.stderr == "wrote old.txt\nwrote new.txt\nwrote link.txt\n"


def test_an_output_that_fails_in_the_end_is_one_line_and_the_others_are_written(tmp_path: Path) -> None:
    path = script(tmp_path, "import os\nos.makedirs('a.txt')\n")
    done = run("run", path, "-o", "a.txt", "-o", "b.txt", cwd=tmp_path)
    assert done.stderr == "wrote b.txt\nshapeguard: a.txt: cannot be written: Is a directory\n"
    assert done.returncode == 2


def test_what_was_written_is_named_as_it_was_typed_though_the_folder_is_gone(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    path = script(tmp_path, "import os\nos.rmdir(os.getcwd())\n")
    done = run("run", path, "-o", "../out/a.txt", "-o", tmp_path / "b.txt", cwd=tmp_path / "gone")
    assert "wrote ../out/a.txt\n" not in done.stdout
    assert f"wrote {tmp_path / 'b.txt'}\n" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
@pytest.mark.parametrize("form", ["json", "text"])
def test_a_full_standard_output_is_one_line(tmp_path: Path, form: str) -> None:
    path = script(tmp_path, "import numpy as np\nx = np.zeros(3)\n")
    with Path("/dev/full").open("w") as full:
        done = run("run", path, "--format", form, cwd=tmp_path, stdout=full)
    assert done.stderr == "shapeguard: standard output: cannot be written: No space left on device\n"
    assert done.returncode == 2


@pytest.mark.parametrize("is_notebook", [False, True])
def test_what_standard_output_cannot_encode_is_escaped(tmp_path: Path, *, is_notebook: bool) -> None:
    text = "import numpy as np\nnäme = np.zeros(3)\n"
    path = notebook(tmp_path, text) if is_notebook else script(tmp_path, text)
    done = run("run", path, cwd=tmp_path, PYTHONIOENCODING="ascii")
    assert r"n\xe4me   f64[3]   ndarray" in done.stdout
    assert (done.stderr, done.returncode) == ("", 0)


@pytest.mark.parametrize(
    ("last", "is_shown"),
    [
        ("sys.stdout = None", True),
        ("sys.stdout = open(os.devnull, 'w'); sys.stdout.close()", True),
        ("sys.stdout = io.TextIOWrapper(sys.stdout.detach(), 'utf-8', write_through=True)", True),
        ("sys.stdout.close()", False),
    ],
)
@pytest.mark.parametrize("form", ["text", "json"])
def test_a_script_may_do_away_with_standard_output(tmp_path: Path, last: str, form: str, *, is_shown: bool) -> None:
    path = script(tmp_path, f"import io, os, sys\nimport numpy as np\nx = np.zeros(3)\n{last}\n")
    done = run("run", path, "--format", form, cwd=tmp_path)
    told = "" if is_shown or form == "json" else "shapeguard: standard output is closed; use -o PATH\n"
    assert (done.stderr, done.returncode) == (told, 0)
    assert bool(done.stdout) is not bool(told)


def test_a_script_may_do_away_with_standard_error(tmp_path: Path) -> None:
    path = script(tmp_path, "import sys\nimport numpy as np\nx = np.zeros(3)\nsys.stderr = None\n1 / 0\n")
    done = run("run", path, cwd=tmp_path)
    assert (done.stdout, done.stderr, done.returncode) == ("  3  x   f64[3]   ndarray\n", "", 1)
