"""Statements run as a module's would: flags, docstring, namespace, endings."""

import ast
import sys
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from shapeguard.observation import Recorder, run_statements
from shapeguard.observation.statements import failing_line, own_traceback


def run(source: str, namespace: dict[str, Any] | None = None) -> tuple[dict[str, Any], BaseException | None]:
    space: dict[str, Any] = {"__name__": "program"} if namespace is None else namespace
    outcome = run_statements(ast.parse(source), "<program>", space, Recorder(space))
    return space, outcome.error


PROGRAMS = [
    "'doc'",
    "'doc'; x = 1",
    "x = 'not doc'",
    "1\n'not doc'",
    "f'{1}'",
    "b'bytes'",
    "from __future__ import annotations\nx: Nowhere = 1\ndef f(a: Nowhere) -> None: pass",
    "x: int = 1",
    "import sys as s; name = s.__name__",
    "def f(n): return n and f(n - 1)\nf(3)",
    "class C:\n    a = 1\n    def m(self): return __class__\nsame = C().m() is C",
    "xs = [i for i in range(3)]\nys = {x: y for x in xs for y in xs}",
    "if 1:\n    def g(): return h()\ndef h(): return 2\nz = g()",
    "def outer():\n    n = 1\n    def inner():\n        nonlocal n\n        n += 1\n        return n\n    return inner()\nn = outer()",
    "g = globals(); same = g is locals()",
]


@pytest.mark.parametrize("source", PROGRAMS)
def test_a_program_leaves_the_namespace_that_exec_would_leave(source: str) -> None:
    expected: dict[str, Any] = {"__name__": "program"}
    exec(compile(source, "<program>", "exec", dont_inherit=True), expected)  # noqa: S102  what it is compared with
    namespace, error = run(source)
    assert error is None
    assert namespace.keys() == expected.keys()
    plain = (int, str, list, dict, bool)
    assert {k: v for k, v in namespace.items() if type(v) in plain and k not in ("__builtins__", "g")} == {
        k: v for k, v in expected.items() if type(v) in plain and k not in ("__builtins__", "g")
    }


def test_future_imports_hold_for_what_follows_and_end_with_the_program() -> None:
    first, _ = run("from __future__ import annotations\ndef f(a: Nowhere): pass")
    second, error = run("def f(a: int): pass")
    assert first["f"].__annotations__ == {"a": "Nowhere"}
    assert error is None
    assert second["f"].__annotations__ == {"a": int}


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt, GeneratorExit, RecursionError])
def test_any_exception_ends_the_run_and_is_handed_over(error: type[BaseException]) -> None:
    def fail() -> None:
        raise error

    namespace, caught = run("x = 1\nfail()\ny = 2", {"fail": fail})
    assert type(caught) is error
    assert namespace["x"] == 1
    assert "y" not in namespace


@pytest.mark.parametrize(
    "source", ["return", "x = 1\nbreak", "x = 1\nyield", "x = 1\nnonlocal y", "x = 1\ndef f(a, a): pass", "await f()"]
)
def test_a_text_that_python_refuses_to_compile_does_not_begin_to_run(source: str) -> None:
    namespace: dict[str, Any] = {}
    with pytest.raises(SyntaxError):
        run_statements(ast.parse(source), "<program>", namespace, Recorder(namespace))
    assert "x" not in namespace


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("1 / 0", 1),
        ("x = 1\n1 / 0", 2),
        ("if 1:\n    pass\n    1 / 0", 3),
        ("def f():\n    1 / 0\nf()", 3),
        ("def f():\n    1 / 0\nif 1:\n    x = (1 +\n        f())", 5),
        ("class C:\n    1 / 0", 1),
    ],
)
def test_the_line_that_failed_is_the_one_at_top_level(source: str, line: int) -> None:
    error = run(source)[1]
    assert error is not None
    assert failing_line(error, "<program>") == line
    assert failing_line(error, "<other>") is None


def test_an_error_without_a_traceback_has_no_line() -> None:
    assert failing_line(ValueError(), "<program>") is None
    assert own_traceback(ValueError()) is None


def test_the_traceback_of_the_program_begins_at_its_own_first_frame() -> None:
    error = run("def f():\n    1 / 0\nf()")[1]
    assert error is not None
    names = [(frame.filename, frame.name, frame.lineno) for frame in traceback.extract_tb(own_traceback(error))]
    assert names == [("<program>", "<module>", 3), ("<program>", "f", 2)]


def test_what_the_program_sees_of_the_stack_begins_at_its_own_frame() -> None:
    namespace, _ = run("import sys\nname = sys._getframe().f_code.co_name\nfile = sys._getframe().f_code.co_filename")
    assert (namespace["name"], namespace["file"]) == ("<module>", "<program>")


@pytest.mark.parametrize("program", ["{}", "if 1:\n    {}"])
def test_the_recursion_limit_that_a_program_meets_does_not_depend_on_being_watched(program: str) -> None:
    dive = "def dive(n=0):\n    global depth\n    depth = n\n    dive(n + 1)\n"
    call = "try: dive()\n    except RecursionError: pass" if "if" in program else "dive()"
    depths = {}
    tracer = sys.gettrace()
    sys.settrace(None)
    try:
        depths["watched"] = run(dive + program.format(call))[0]["depth"]
        depths["plain"] = run(dive + "dive()")[0]["depth"]
    finally:
        sys.settrace(tracer)
    assert depths["watched"] == depths["plain"]


def test_a_displayed_value_is_let_go_before_the_next_statement(new_namespace: Callable[[], dict[str, Any]]) -> None:
    import weakref  # noqa: PLC0415  only this test asks whether a value is gone

    namespace = {**new_namespace(), "made": []}

    def make() -> Any:
        value = namespace["z"](2)
        namespace["made"].append(weakref.ref(value))
        return value

    namespace["make"] = make
    run("make()\ngone = made[-1]() is None", namespace)
    assert namespace["gone"] is True
