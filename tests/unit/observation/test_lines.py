"""Which lines ran: through sys.monitoring or a bounded tracer, and never in anybody's way."""

# ruff: noqa: S102  running small programs is what is tested

import ast
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest

from shapeguard.observation import lines
from shapeguard.observation.lines import MonitoringWatch, TracingWatch, watch_lines

only_tracing = pytest.mark.skipif(sys.version_info >= (3, 12), reason="3.12 and newer watch through sys.monitoring")
only_monitoring = pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring came with 3.12")


@pytest.fixture(autouse=True)
def no_tracer() -> Iterator[None]:
    """coverage.py's own tracer would switch the watch of Python 3.11 off."""
    tracer = sys.gettrace()
    sys.settrace(None)
    yield
    sys.settrace(tracer)


def watched(source: str, wanted: set[int], namespace: dict[str, Any] | None = None) -> tuple[set[int], bool]:
    code = compile(source, "<program>", "exec")
    watch = watch_lines(code, frozenset(wanted))
    watch.start()
    try:
        exec(code, {} if namespace is None else namespace)
    finally:
        complete = watch.stop()
    return watch.hits, complete


def test_each_version_has_its_own_watch() -> None:
    kind = MonitoringWatch if sys.version_info >= (3, 12) else TracingWatch
    assert type(watch_lines(compile("x = 1", "<program>", "exec"), frozenset({1}))) is kind


@pytest.mark.parametrize(
    ("source", "wanted", "hits"),
    [
        ("if 1:\n    x = 1\nelse:\n    x = 2", {2, 4}, {2}),
        ("if []:\n    x = 1\nelse:\n    x = 2", {2, 4}, {4}),
        ("for i in ():\n    x = 1", {2}, set()),
        ("for i in (1, 2):\n    x = 1", {2}, {2}),
        ("try:\n    x = 1\n    1 / 0\n    y = 1\nexcept ZeroDivisionError:\n    z = 1", {2, 3, 4, 6}, {2, 3, 6}),
        ("def f():\n    x = 1\nif 1:\n    y = 2", {2, 4}, {4}),
    ],
)
def test_the_lines_that_ran_are_told_and_the_watch_is_complete(source: str, wanted: set[int], hits: set[int]) -> None:
    assert watched(source, wanted) == (hits, True)


def test_lines_of_other_code_are_not_taken_for_lines_of_this_one() -> None:
    other: dict[str, Any] = {}
    exec(compile("def f():\n    x = 1\n    return x", "<program>", "exec"), other)
    assert watched("if 0:\n    pass\nf()\nif []:\n    z = 1", {2, 5}, other) == (set(), True)


@only_tracing
@pytest.mark.parametrize(("calls", "complete"), [(lines.MAX_CALLS - 2, True), (lines.MAX_CALLS + 1, False)])
def test_the_tracer_leaves_when_its_budget_of_calls_is_spent(calls: int, *, complete: bool) -> None:
    source = f"def f(): pass\nif 1:\n    for i in range({calls}): f()\n    x = 1\n    if []:\n        y = 1"
    assert watched(source, {4, 6})[1] is complete


@only_tracing
@pytest.mark.parametrize(("rounds", "complete"), [(lines.MAX_LINES // 2 - 5, True), (lines.MAX_LINES // 2 + 5, False)])
def test_the_tracer_leaves_when_its_budget_of_lines_is_spent(rounds: int, *, complete: bool) -> None:
    assert watched(f"for i in range({rounds}):\n    x = 1\nif []:\n    y = 1", {2, 4})[1] is complete


@only_tracing
def test_the_tracer_leaves_as_soon_as_every_line_was_seen() -> None:
    seen: dict[str, Any] = {"sys": sys}
    assert watched("if 1:\n    x = 1\n    y = sys.gettrace()\n    z = sys.gettrace()", {2, 3}, seen) == ({2, 3}, True)
    assert (seen["y"], seen["z"]) == (None, None)


@only_tracing
def test_a_spent_budget_uninstalls_the_tracer_within_the_program() -> None:
    seen: dict[str, Any] = {"sys": sys}
    watched(f"for i in range({lines.MAX_LINES}): pass\nt = sys.gettrace()\nif []:\n    y = 1", {4}, seen)
    assert seen["t"] is None


@only_tracing
def test_where_a_tracer_is_installed_the_watch_leaves_it_alone_and_knows_nothing() -> None:
    def tracer(_frame: FrameType, _event: str, _argument: object) -> None: ...

    sys.settrace(tracer)
    answer = watched("if 1:\n    x = 1", {2})
    kept = sys.gettrace()
    sys.settrace(None)
    assert answer == (set(), False)
    assert kept is tracer


@only_tracing
@pytest.mark.parametrize(("wanted", "expected"), [({3}, ({3}, True)), ({3, 5}, ({3}, False))])
def test_a_tracer_that_the_program_installs_itself_is_kept_and_the_watch_knows_what_it_may_have_missed(
    wanted: set[int], expected: tuple[set[int], bool]
) -> None:
    def tracer(_frame: FrameType, _event: str, _argument: object) -> None: ...

    source = "if 1:\n    settrace(tracer)\n    x = 1\n    if []:\n        y = 1"
    answer = watched(source, wanted, {"settrace": sys.settrace, "tracer": tracer})
    kept = sys.gettrace()
    sys.settrace(None)
    assert kept is tracer
    assert answer == expected


@pytest.mark.parametrize(
    "source",
    [
        "if 1:\n    x = 1",
        "if []:\n    x = 1",
        "for i in ():\n    x = 1",
        f"for i in range({10 * lines.MAX_LINES}): pass\nx = 1",
    ],
)
def test_after_the_watch_no_tracer_is_left(source: str) -> None:
    watched(source, {2})
    assert sys.gettrace() is None


def test_after_an_error_no_tracer_is_left() -> None:
    with pytest.raises(ZeroDivisionError):
        watched("if 1:\n    1 / 0\n    x = 1", {2, 3})
    assert sys.gettrace() is None


def test_the_recursion_that_a_program_may_use_is_the_same_under_the_watch() -> None:
    source = (
        "def dive(n=0):\n"
        "    global depth\n"
        "    depth = n\n"
        "    dive(n + 1)\n"
        "if 1:\n"
        "    try:\n"
        "        dive()\n"
        "    except RecursionError:\n"
        "        y = 1\n"
        "    if []:\n"
        "        never = 1"
    )
    code = compile(source, "<program>", "exec")

    def depth_under(start: Callable[[], object], stop: Callable[[], object]) -> int:
        namespace: dict[str, Any] = {}
        start()
        exec(code, namespace)
        stop()
        depth: int = namespace["depth"]
        return depth

    watch = watch_lines(code, frozenset({9, 11}))
    assert depth_under(watch.start, watch.stop) == depth_under(lambda: None, lambda: None)


@only_monitoring
def test_no_tool_of_sys_monitoring_is_left_in_use() -> None:
    monitoring = sys.monitoring  # type: ignore[attr-defined,unused-ignore]  # 3.12 and newer
    before = [monitoring.get_tool(tool) for tool in range(6)]
    with pytest.raises(ZeroDivisionError):
        watched("if 1:\n    1 / 0\n    x = 1", {2, 3})
    assert [monitoring.get_tool(tool) for tool in range(6)] == before


@only_monitoring
def test_a_watch_within_a_watch_gets_a_tool_of_its_own_and_a_third_knows_nothing() -> None:
    code = compile("if 1:\n    x = 1", "<program>", "exec")
    watches = [watch_lines(code, frozenset({2})) for _ in range(3)]
    for watch in watches:
        watch.start()
    exec(code, {})
    answers = [(watch.stop(), watch.hits) for watch in reversed(watches)][::-1]
    assert answers == [(True, {2}), (True, {2}), (False, set())]


@only_monitoring
def test_a_line_is_reported_once_so_that_a_loop_runs_at_full_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    original = MonitoringWatch._line

    def counting(self: MonitoringWatch, code: Any, line: int) -> Any:
        calls.append(line)
        return original(self, code, line)

    monkeypatch.setattr(MonitoringWatch, "_line", counting)
    assert watched("for i in range(100):\n    x = 1", {2}) == ({2}, True)
    assert calls.count(2) == 1


@pytest.mark.parametrize("rounds", [1, 2])
def test_a_watch_of_the_same_code_sees_a_second_run_too(rounds: int) -> None:
    code = compile("if flag:\n    x = 1", "<program>", "exec")
    answers = []
    for flag in [1, 0][:rounds]:
        watch = watch_lines(code, frozenset({2}))
        watch.start()
        exec(code, {"flag": flag})
        answers.append((watch.stop(), watch.hits))
    assert answers == [(True, {2}), (True, set())][:rounds]


STATEMENTS = [
    '"text"', "...", "pass", "x: int", "x: int = 3", "@same\n    def f(): pass", "@same\n    class C: pass",
    "while True:\n        break", "while False:\n        pass", "if True:\n        w = 1", "if 0:\n        w = 1",
    "try:\n        w = 1\n    finally:\n        pass", "assert True", "import sys", "x = \\\n      3",
    "x = (\n      3\n    )", "with none():\n        pass", "for i in [1]:\n        pass", "a[\n      0] = 3",
    'f"{a}"', "a", "del a", "match a:\n        case _:\n            pass", "None", "(1, 2)", "lambda: 0",
    "a = [\n      1]", "(a\n       .copy())", "(\n        y := 3\n    )", "(\n        y\n    ) = 3", "global q",
    "with (\n        none() as k\n    ):\n        pass", "async def g(): pass", "class C(\n        object): pass",
]  # fmt: skip


@pytest.mark.parametrize("statement", STATEMENTS)
@pytest.mark.parametrize(
    "frame",
    ["if 1:\n    {}", "for j in [1]:\n    {}\n    tail = 1", "try:\n    1/0\nexcept ZeroDivisionError:\n    {}"],
)
def test_a_line_that_is_trusted_to_show_a_statement_does_show_it(frame: str, statement: str) -> None:
    from contextlib import nullcontext  # noqa: PLC0415  only the programs of this table use it

    from shapeguard.observation.bindings import _first_lines  # noqa: PLC0415  what is trusted is not public

    source = frame.format(statement)
    outer: Any = ast.parse(source).body[0]
    block = outer.handlers[0].body if isinstance(outer, ast.Try) else outer.body
    line = _first_lines(block, block[0].lineno - 1)[0]
    namespace = {"same": lambda value: value, "none": nullcontext, "a": [1]}
    hits, _complete = watched(source, set(range(1, 20)), namespace)
    assert line is None or line in hits
