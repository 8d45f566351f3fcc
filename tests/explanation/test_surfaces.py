"""Where explanations appear: `explain`, `annotate`, the command line, plain scripts, failing tests."""

import subprocess
import sys
from pathlib import Path

import pytest

import shapeguard
from shapeguard import annotate, explain

ROOT = Path(shapeguard.__file__).parents[1]
MISTAKE = "import torch\nX = torch.zeros(32, 64)\nW = torch.zeros(64, 16)\nY = X @ W.T\n"


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  the interpreter of the tests, on texts of theirs
        [sys.executable, *arguments],
        cwd=cwd,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_explain_takes_a_caught_exception() -> None:
    import torch  # noqa: PLC0415

    a, b = torch.zeros(2, 3), torch.zeros(4)
    with pytest.raises(RuntimeError) as caught:
        _ = a + b
    finding = explain(caught.value)
    assert finding is not None
    assert finding.message.startswith("a + b: dim 1 of a is 3, dim 0 of b is 4")
    line = Path(__file__).read_text(encoding="utf-8").splitlines()[finding.span.line - 1] if finding.span else ""
    assert finding.span is not None
    assert line[finding.span.column : finding.span.end_column] == "a + b"


def test_an_exception_that_is_explained_after_its_names_changed_is_not_explained_falsely() -> None:
    report = annotate(
        "import torch, shapeguard\nX = torch.zeros(2, 3)\ntry:\n    X @ X\nexcept RuntimeError as error:\n    caught = error\n"
        "X = torch.zeros(4, 5)\nlate = shapeguard.explain(caught)\nX = torch.zeros(2, 3)\nassert late is None\n"
        "assert shapeguard.explain(caught) is not None\n"
    )
    assert report.status == "ok", report.error


def test_an_exception_without_traceback_or_of_another_kind_is_not_explained() -> None:
    assert explain(RuntimeError("mat1 and mat2 shapes cannot be multiplied")) is None
    with pytest.raises(KeyError) as caught:
        {}["missing"]
    assert explain(caught.value) is None


def test_what_the_program_itself_raises_is_not_explained() -> None:
    report = annotate("import torch\nx = torch.zeros(2)\ndef f(x):\n    raise ValueError('no')\nf(x)\n")
    assert report.status == "error"
    assert report.findings == ()


def test_annotate_puts_the_finding_into_its_report() -> None:
    report = annotate(MISTAKE)
    (finding,) = report.findings
    assert finding.rule == "matmul-contraction"
    assert [(edit.text, edit.span.line, edit.span.column) for edit in finding.fixes[0].edits] == [("X @ W", 4, 4)]
    assert len(report.sources) == 1


def test_a_failure_in_another_file_brings_its_source_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "products.py").write_text("def product(a, b):\n    return a @ b\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    report = annotate("import torch\nfrom products import product\nproduct(torch.zeros(2, 3), torch.zeros(2, 3))\n")
    (finding,) = report.findings
    assert finding.span is not None
    assert (finding.expression, finding.span.source, finding.span.line) == ("a @ b", 1, 2)
    assert report.sources[1].uri.endswith("/products.py")
    assert report.sources[1].kind == "module"


def test_a_script_with_the_hook_ends_with_the_traceback_and_then_the_explanation(tmp_path: Path) -> None:
    (tmp_path / "plain.py").write_text(MISTAKE)
    hook = "import shapeguard\nshapeguard.install_excepthook()\nshapeguard.install_excepthook()\n"
    (tmp_path / "hooked.py").write_text(hook + MISTAKE)
    plain, hooked = run("plain.py", cwd=tmp_path), run("hooked.py", cwd=tmp_path)
    assert hooked.returncode == plain.returncode == 1
    moved = plain.stderr.replace("plain.py", "hooked.py").replace("line 4", "line 7")
    assert hooked.stderr.startswith(moved)
    rest = hooked.stderr.removeprefix(moved)
    assert rest.splitlines()[0] == "  X @ W.T   X is f32[32, 64], W.T is f32[16, 64]   line 7"
    assert rest.count("try") == 1


def test_the_command_line_explains_below_the_report(tmp_path: Path) -> None:
    (tmp_path / "mistake.py").write_text(MISTAKE)
    done = run("-m", "shapeguard", "run", "mistake.py", cwd=tmp_path)
    assert done.returncode == 1
    assert "try       X @ W   → f32[32, 16]   ran on copies" in done.stdout


TEST_FILE = "def test_product():\n    import torch\n    X = torch.zeros(2, 3)\n    assert (X @ X).sum() == 0\n"


@pytest.mark.parametrize("how", [["--shapeguard-explain"], ["-o", "shapeguard_explain=true"], []])
def test_a_failing_test_gets_a_section_where_it_is_asked_for(tmp_path: Path, how: list[str]) -> None:
    (tmp_path / "test_it.py").write_text(TEST_FILE)
    plugin = ["-p", "no:cacheprovider"]
    done = run("-m", "pytest", "-q", *plugin, *how, "test_it.py", cwd=tmp_path)
    assert done.returncode == 1
    assert ("try     X @ X.T   → f32[2, 2]" in done.stdout) == bool(how), done.stdout
    assert ("- shapeguard -" in done.stdout) == bool(how)


def test_importing_shapeguard_and_a_clean_run_import_no_engine_of_explanations(tmp_path: Path) -> None:
    code = (
        "import sys, torch, shapeguard\nshapeguard.install_excepthook()\nshapeguard.annotate('x = 1')\n"
        "print([name for name in sys.modules if name.startswith('shapeguard.explanation')])"
    )
    assert run("-c", code, cwd=tmp_path).stdout == "[]\n"
