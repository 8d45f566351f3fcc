"""`annotate`, as the protocol says it."""

import ast
import hashlib
import inspect
import linecache
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import shapeguard
from shapeguard.records import ProgramError, Report, Span
from shapeguard.session import annotate, program_error, run_source, status_of, unparsed_report


def test_the_public_name_is_this_one() -> None:
    assert shapeguard.annotate is annotate


def seen(report: Report) -> list[tuple[str, str, int, tuple[Any, ...] | None]]:
    return [(o.target, o.role, o.span.line, o.spec.shape) for o in report.observations]


def test_every_result_is_recorded_with_where_it_stands() -> None:
    report = annotate("import numpy as np\nX = np.zeros((6, 10))\nX.sum(0)\n3\ny = 'text'")
    assert seen(report) == [("X", "binding", 2, (6, 10)), ("X.sum(0)", "result", 3, (10,))]
    assert [o.scope for o in report.observations] == [None, None]
    assert (report.status, report.error, report.findings, report.gradients) == ("ok", None, (), None)


def test_the_source_is_named_and_hashed() -> None:
    source = "x = 'é'"
    (record,) = annotate(source, filename="<my text>").sources
    assert (record.uri, record.kind, record.cell_id, record.execution_count) == ("<my text>", "script", None, None)
    assert record.sha256 == hashlib.sha256(source.encode()).hexdigest()


def test_a_source_that_is_a_file_is_named_by_its_uri(tmp_path: Path) -> None:
    file = tmp_path / "a b.py"
    file.write_text("x = 1", encoding="utf-8")
    assert annotate("x = 1", filename=str(file)).sources[0].uri == file.as_uri()


ENDINGS = [
    ("x = 1", "ok", None),
    ("1 / 0", "error", ProgramError("ZeroDivisionError", "division by zero")),
    ("raise SystemExit", "exited", ProgramError("SystemExit", "")),
    ("raise SystemExit(3)", "exited", ProgramError("SystemExit", "3")),
    ("import sys; sys.exit('bye')", "exited", ProgramError("SystemExit", "bye")),
    ("raise GeneratorExit", "error", ProgramError("GeneratorExit", "")),
    ("class E(BaseException): pass\nraise E('own')", "error", ProgramError("E", "own")),
    (
        "class E(Exception):\n    def __str__(self): raise ValueError\nraise E",
        "error",
        ProgramError("E", "<no text: its __str__ raised>"),
    ),
]


@pytest.mark.parametrize(("source", "status", "error"), ENDINGS)
def test_an_ending_becomes_status_and_error(source: str, status: str, error: ProgramError | None) -> None:
    report = annotate(source)
    assert (report.status, report.error) == (status, error)


def test_what_ran_before_an_error_is_reported_and_kept() -> None:
    namespace: dict[str, Any] = {"np": np}
    report = annotate("X = np.zeros(3)\n1 / 0\nY = np.zeros(4)", namespace=namespace)
    assert seen(report) == [("X", "binding", 1, (3,))]
    assert "Y" not in namespace
    assert namespace["X"].shape == (3,)


def test_a_keyboard_interrupt_propagates_after_what_had_run_was_bound() -> None:
    namespace: dict[str, Any] = {}
    with pytest.raises(KeyboardInterrupt):
        annotate("x = 1\nraise KeyboardInterrupt\nx = 2", namespace=namespace)
    assert namespace["x"] == 1


def test_run_source_gives_the_interrupt_with_its_report() -> None:
    report, error = run_source("raise KeyboardInterrupt")
    assert report.status == "interrupted"
    assert isinstance(error, KeyboardInterrupt)


@pytest.mark.parametrize("source", ["x = (", "1 +", "return", "x = 1\n  y = 2", "def f(a, a): pass"])
def test_what_is_no_python_is_a_syntax_error_before_anything_ran(source: str) -> None:
    namespace: dict[str, Any] = {}
    with pytest.raises(SyntaxError):
        annotate(source, namespace=namespace)
    assert "x" not in namespace


def test_the_report_of_a_text_that_is_no_python_says_so() -> None:
    try:
        ast.parse("x = (")
    except SyntaxError as mistake:
        report = unparsed_report("x = (", mistake, filename="<text>")
    assert (report.status, report.observations) == ("error", ())
    assert report.error is not None
    assert report.error.type == "SyntaxError"


def test_the_namespace_is_the_callers_own_and_keeps_what_is_bound() -> None:
    namespace: dict[str, Any] = {"a": 1}
    annotate("b = a + 1\ndef f(): return a\na = 5", namespace=namespace)
    assert (namespace["b"], namespace["f"]()) == (2, 5)
    assert namespace["f"].__globals__ is namespace


def test_a_fresh_namespace_is_a_main_module_and_two_runs_share_nothing() -> None:
    report = annotate("import numpy as np\nx = np.zeros(1 if __name__ == '__main__' else 2)\n__builtins__.len")
    assert seen(report) == [("x", "binding", 2, (1,))]
    assert report.status == "ok"
    assert annotate("x").error == ProgramError("NameError", "name 'x' is not defined")


def test_a_docstring_and_future_imports_are_a_modules() -> None:
    namespace: dict[str, Any] = {}
    annotate("'the doc'\nfrom __future__ import annotations\ndef f(a: Nowhere): 'inner'", namespace=namespace)
    assert namespace["__doc__"] == "the doc"
    assert namespace["f"].__annotations__ == {"a": "Nowhere"}
    assert namespace["f"].__doc__ == "inner"


def test_this_modules_own_future_imports_do_not_reach_the_source() -> None:
    namespace: dict[str, Any] = {}
    annotate("def f(a: int): pass", namespace=namespace)
    assert namespace["f"].__annotations__ == {"a": int}


def test_the_source_of_functions_and_classes_is_found() -> None:
    namespace: dict[str, Any] = {"__name__": "made_up"}
    annotate(
        "x = 1\n\ndef f(a):\n    return a\n\ny = '\\f'\nif x:\n    def g():\n        return 2",
        filename="<made up>",
        namespace=namespace,
    )
    assert inspect.getsource(namespace["f"]) == "def f(a):\n    return a\n"
    assert inspect.getsource(namespace["g"]) == "    def g():\n        return 2\n"


def test_a_traceback_shows_the_lines_of_the_source() -> None:
    _, error = run_source("x = '\f'\ndef f():\n    1 / 0  # here\nf()", filename="<shown>")
    assert error is not None
    assert [frame.line for frame in traceback.extract_tb(error.__traceback__)][-2:] == ["f()", "1 / 0  # here"]


def test_the_lines_of_a_real_file_are_left_to_the_file(tmp_path: Path) -> None:
    file = tmp_path / "real.py"
    file.write_text("x = 1\n", encoding="utf-8")
    annotate("x = 1\n", filename=str(file))
    assert str(file) not in linecache.cache


@pytest.mark.parametrize(
    ("source", "span"),
    [
        ("X = z", Span(0, 1, 0, 1, 1)),
        ("'é形🧊'; X = z", Span(0, 1, 7, 1, 8)),
        ("größe = z", Span(0, 1, 0, 1, 5)),
        ("'🧊', z", Span(0, 1, 0, 1, 6)),
        ("\n\n(\n    z\n)", Span(0, 4, 4, 4, 5)),
        ("'''é\n形'''; X = z", Span(0, 2, 6, 2, 7)),
    ],
)
def test_columns_count_code_points(source: str, span: Span) -> None:
    (observation,) = annotate(source, namespace={"z": np.zeros(2)}).observations
    assert observation.span == span


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("net.w = z", "net.w"),
        ('cache["k"] = z', 'cache["k"]'),
        ("cache[ 'k' ] = z", "cache[ 'k' ]"),
        ("z . sum()", "z . sum()"),
        ("(z\n .sum())", "z .sum()"),
        ("z[0] = 1", "z"),
    ],
)
def test_a_target_is_told_as_it_was_written(source: str, target: str) -> None:
    class Net:
        pass

    (observation,) = annotate(source, namespace={"z": np.zeros(2), "net": Net(), "cache": {}}).observations
    assert observation.target == target


def test_nothing_is_printed_but_what_the_program_prints(capsys: pytest.CaptureFixture[str]) -> None:
    annotate("import numpy as np\nnp.zeros(3)\nprint('mine')\n1 / 0")
    assert capsys.readouterr() == ("mine\n", "")


def test_the_display_hook_is_not_called_for_results(monkeypatch: pytest.MonkeyPatch) -> None:
    displayed: list[object] = []
    monkeypatch.setattr(sys, "displayhook", displayed.append)
    annotate("3\nimport numpy as np\nnp.zeros(3)")
    assert displayed == []


def test_a_report_goes_through_json_unchanged() -> None:
    report = annotate("import numpy as np\nX = [np.zeros((2, 3)), {'k': np.ones(4)}]\n1 / 0")
    assert Report.from_json(report.to_json()) == report


def test_the_time_that_watching_took_is_told_and_is_not_the_programs() -> None:
    report = annotate("import time\ntime.sleep(0.2)")
    assert 0 <= report.elapsed_us < 100_000


def test_annotate_within_annotate_reports_each_its_own() -> None:
    inner: list[Report] = []
    namespace = {"annotate": annotate, "inner": inner, "np": np}
    outer = annotate(
        "if 1:\n    inner.append(annotate('if 1:\\n    x = np.zeros(2)', namespace={'np': np}))\n    y = np.zeros(3)",
        namespace=namespace,
    )
    assert seen(outer) == [("y", "binding", 3, (3,))]
    assert seen(inner[0]) == [("x", "binding", 2, (2,))]


def test_an_engine_that_nobody_used_is_not_imported_for_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "shapeguard.enforcement", raising=False)
    assert annotate("1 / 0").findings == ()
    assert "shapeguard.enforcement" not in sys.modules


@pytest.mark.parametrize(
    ("error", "status"),
    [(None, "ok"), (ValueError(), "error"), (SystemExit(1), "exited"), (KeyboardInterrupt(), "interrupted")],
)
def test_status_of(error: BaseException | None, status: str) -> None:
    assert status_of(error) == status


def test_no_error_has_no_record() -> None:
    assert program_error(None) is None
