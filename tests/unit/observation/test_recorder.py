"""What a run is seen to bind: exactly what it bound, in order, whatever ended it."""

import ast
import gc
import sys
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from shapeguard.observation import Recorder

Execute = Callable[..., Any]

PLAIN = [
    ("x = z(2)", "x@1[2]"),
    ("x = z(2)\ny = z(3)", "x@1[2] y@2[3]"),
    ("x = z(2); x = z(3)", "x@1[2] x@1[3]"),
    ("x = 3", ""),
    ("x = [z(2), z(3)]", "x@1"),
    ("x = [1, 2]", ""),
    ("x = y = z(2)", "x@1[2] y@1[2]"),
    ("a, b = z(2), z(3)", "a@1[2] b@1[3]"),
    ("a, *b = z(2), z(3), z(4)", "a@1[2] b@1"),
    ("(a, b), [c] = (z(1), 2), [z(3)]", "a@1[1] c@1[3]"),
    ("x: object = z(2)", "x@1[2]"),
    ("old: object", ""),
    ("old += 1", "old@1[9]"),
    ("old[0] += 1", "old@1[9]"),
    ("old[0] = 1", "old@1[9]"),
    ("d = {}\nd['k'] = z(2)", "d['k']@2[2]"),
    ("d = {}\ni = 3\nd[i] = z(2)", "d[i]@3[2]"),
    ("l = [z(1)]\nl[-1] = z(2)", "l@1 l[-1]@2[2]"),
    ("class C: pass\nc = C()\nc.w = z(2)", "c.w@3[2]"),
    ("class C: pass\nc = C()\nc.d = {}\nc.d['k'] = z(2)", "c.d['k']@4[2]"),
    ("z(2)", "=z(2)@1[2]"),
    ("z(2);", "=z(2)@1[2]"),
    ("old", "=old@1[9]"),
    ("3", ""),
    ("(x := z(2)) + 1", "x@1[2] =(x := z(2)) + 1@1[2]"),
    ("y = (x := z(2)).reshape(1, 2)", "x@1[2] y@1[1,2]"),
    ("y = [(x := z(i)) for i in (1, 2)]", "x@1[2] y@1"),
    ("y = [(x := z(i)) for i in ()]", ""),
    ("y = false and (x := z(2))", ""),
    ("y = true and (x := z(2))", "x@1[2] y@1[2]"),
    ("def f(a=(x := z(2))): pass", "x@1[2]"),
    ("def f():\n    x = z(2)\nf()", ""),
    ("def f():\n    global g\n    g = z(2)\nf()", ""),
    ("del old", ""),
    ("import numpy.linalg as la", ""),
    ("assert (x := z(2)) is not None", "x@1[2]"),
]

REBOUND = [
    ("i = 0\nl = [z(1), z(2), 3]\nwhile i < 2:\n    l[i] = z(7)\n    i += 1", "l@2 l@4"),
    ("d = {'b': z(1)}\nk = 'a'\nd[k], k = z(2), 'b'", "d@1 d@3"),
    ("d = {'b': z(1)}\nk = 'a'\nk, d[k] = 'b', z(2)", "d@1 d@3"),
    ("l = [z(1), z(2)]\nfor i in range(2):\n    if i == 0:\n        l[i] = z(7)", "l@1 l@4"),
    ("class C: w = z(5)\na = C()\na.w, a = z(2), C()", ""),
    ("class C: w = z(5)\na = C()\na.c = C()\na.c.w, a.c = z(2), C()", ""),
    ("class C: w = z(5)\na = C()\nwith nullcontext():\n    a.w = z(2)\n    a = C()\n    pass", ""),
    ("class C: w = z(5)\na = C()\nfor i in range(2):\n    a.w = z(2)\n    a = C()", ""),
    ("class C: w = z(5)\nfor i in range(2):\n    a = C()\n    if i == 0:\n        a.w = z(2)", ""),
    ("class C: pass\nwith nullcontext():\n    a = C()\n    a.w = z(2)\n    pass", "a.w@4[2]"),
    ("class C: pass\na, a.w = C(), z(2)", "a.w@2[2]"),
    ("l = [z(1), z(2)]\nwith suppress(ValueError):\n    i = 0\n    l[i] = boom()", "l@1"),
    ("d = {}\nfor i in range(2):\n    d['k'] = z(2)", "d['k']@3[2]"),
    ("d = {}\nd['a'], d['b'] = z(2), z(3)", "d['a']@2[2] d['b']@2[3]"),
    ("d = {'a': {'b': z(1)}}\nd['a']['b'], d['a'] = z(2), {'b': z(1)}", "d@1 d['a']@2"),
]

COMPOUND = [
    ("if false:\n    x = z(2)\nelse:\n    x = z(3)", "x@4[3]"),
    ("if false:\n    old = z(2)", ""),
    ("if false: old = z(2)", ""),
    ("if true: old = z(2)", "old@1[2]"),
    ("if true:\n    x = z(1)\n    y = z(2)\n    x = z(3)", "y@3[2] x@4[3]"),
    ("if false:\n    x = z(1)\nelif true:\n    y = z(2)\nelse:\n    old = z(3)", "y@4[2]"),
    ("if (x := z(2)) is None:\n    old = z(3)", "x@1[2]"),
    ("if true:\n    (\n        x := z(2)\n    )", "x@3[2]"),
    ("for i in range(3):\n    x = z(i)", "x@2[2]"),
    ("for x in [z(1), z(2)]:\n    pass", "x@1[2]"),
    ("for x in [z(1), z(2)]: pass", "x@1[2]"),
    ("for old in []:\n    keep = z(2)", ""),
    ("for old in []:\n    pass\nelse:\n    x = z(2)", "x@4[2]"),
    ("for i in range(3):\n    if i == 1:\n        x = z(i)\n    if i == 5:\n        old = z(i)", "x@3[1]"),
    ("for i in range(3):\n    x = z(i)\n    break\nelse:\n    old = z(1)", "x@2[0]"),
    ("i = 0\nwhile i < 3:\n    i += 1\n    x = z(i)", "x@4[3]"),
    ("while false:\n    old = z(2)", ""),
    ("i = 0\nwhile (x := z(i)).shape[0] < 2:\n    i += 1", "x@2[2]"),
    ("try:\n    x = z(2)\nexcept ValueError:\n    old = z(3)", "x@2[2]"),
    ("try:\n    x = z(2)\n    boom()\nexcept ValueError:\n    y = z(3)", "x@2[2] y@5[3]"),
    ("try:\n    old = boom()\nexcept ValueError:\n    y = z(3)", "y@4[3]"),
    ("try:\n    old = boom()\nexcept ValueError:\n    pass", ""),
    ("try:\n    old = boom()\nexcept ValueError: pass", ""),
    ("try:\n    old += boom()\nexcept ValueError:\n    pass", ""),
    ("try:\n    old = boom()\nexcept ValueError:\n    global q", ""),
    ("try:\n    old = boom()\n    keep = z(2)\nexcept ValueError:\n    pass\nfinally:\n    x = z(1)", "x@7[1]"),
    (
        "try:\n    x = z(1)\nexcept ValueError:\n    old = z(2)\nelse:\n    y = z(3)\nfinally:\n    w = z(4)",
        "x@2[1] y@6[3] w@8[4]",
    ),
    ("try:\n    old = boom()\nexcept* ValueError:\n    x = z(2)", "x@4[2]"),
    ("while true:\n    try:\n        old = boom()\n    finally:\n        break", ""),
    ("with suppress(ValueError):\n    x = z(2)\n    old = boom()", "x@2[2]"),
    ("with suppress(Exception):\n    old[0] = boom()", ""),
    ("with suppress(Exception):\n    old += boom()", ""),
    ("with suppress(ValueError), Failing() as old:\n    keep = z(2)", ""),
    ("with nullcontext(z(2)) as x:\n    y = z(3)", "x@1[2] y@2[3]"),
    ("with nullcontext(z(2)) as x, nullcontext(z(3)) as y:\n    pass", "x@1[2] y@1[3]"),
    ("with nullcontext((z(1), z(2))) as (x, y): pass", "x@1[1] y@1[2]"),
    (
        "match z(2):\n    case None:\n        old = z(1)\n    case x if x.shape == (2,):\n        y = z(3)",
        "x@4[2] y@5[3]",
    ),
    ("match [z(1), z(2), z(3)]:\n    case [x, *y]:\n        pass", "x@2[1] y@2"),
    ("match {'a': z(1), 'b': z(2)}:\n    case {'a': x, **y}:\n        pass", "x@2[1] y@2"),
    ("match 3:\n    case _ if (x := z(2)) is not None:\n        pass", "x@2[2]"),
    (
        "if true:\n    for i in range(2):\n        with suppress(ValueError):\n            x = z(i)\n            old = boom()",
        "x@4[1]",
    ),
]


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize(("source", "expected"), PLAIN + COMPOUND)
def test_what_a_program_binds_is_seen(execute: Execute, source: str, expected: str) -> None:
    result = execute(source)
    assert result.error is None
    assert result.brief == split(expected)


@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize(("source", "expected"), REBOUND)
def test_a_part_is_not_read_from_what_the_same_statement_put_in_its_place(
    execute: Execute, source: str, expected: str
) -> None:
    result = execute(source)
    assert result.error is None
    assert result.brief == split(expected)


def split(expected: str) -> list[str]:
    """Words of the table; a result's expression may hold spaces of its own."""
    if " =" not in f" {expected}":
        return expected.split()
    before, _, after = expected.partition("=") if expected.startswith("=") else expected.partition(" =")
    return [*before.split(), f"={after}"]


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize(("source", "expected"), PLAIN + COMPOUND)
def test_running_it_again_in_the_same_namespace_sees_the_same(
    execute: Execute, new_namespace: Callable[[], dict[str, Any]], source: str, expected: str
) -> None:
    if source == "del old":
        pytest.skip("there is nothing left to delete")
    namespace = new_namespace()
    execute(source, namespace)
    assert execute(source, namespace).brief == split(expected)


@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize(("condition", "place"), [("true", "x@2[2]"), ("false", "x@4[3]")])
def test_of_two_branches_that_bind_one_name_the_one_that_ran_is_told(
    execute: Execute, condition: str, place: str
) -> None:
    assert execute(f"if {condition}:\n    x = z(2)\nelse:\n    x = z(3)").brief == [place]


ONLY_THE_WATCH_KNOWS = [
    ("if true:\n    old = old", "old@2[9]"),
    ("if true:\n    old = old\nelse:\n    old = z(3)", "old@2[9]"),
    ("for old in [old]:\n    pass", "old@1[9]"),
    ("try:\n    old = old\nexcept ValueError:\n    pass", "old@2[9]"),
    ("with nullcontext():\n    old = old\n    keep = keep\n    pass", "old@2[9] keep@3[9]"),
    ("match 1:\n    case 1:\n        old = old", "old@3[9]"),
    ("if true:\n    old += 1", "old@2[9]"),
    ("with nullcontext():\n    old += 1\n    pass", "old@2[9]"),
    ("with nullcontext():\n    old[0] = 1\n    pass", "old@2[9]"),
    ("try:\n    old[0] = 1\nexcept ValueError:\n    pass", "old@2[9]"),
]


@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize(("source", "expected"), ONLY_THE_WATCH_KNOWS)
def test_the_watch_over_lines_sees_a_binding_of_the_object_that_was_bound_before(
    execute: Execute, source: str, expected: str
) -> None:
    assert execute(source).brief == split(expected)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="sys.monitoring stands beside any tracer")
@pytest.mark.parametrize(("source", "expected"), ONLY_THE_WATCH_KNOWS)
def test_without_the_watch_only_a_new_object_counts_as_proof(execute: Execute, source: str, expected: str) -> None:
    tracer = sys.gettrace()
    sys.settrace(lambda *_: None)
    try:
        assert execute(source).brief == []
    finally:
        sys.settrace(tracer)
    assert expected


FAILING = [
    ("x = z(2)\nboom()\ny = z(3)", "x@1[2]"),
    ("old = boom()", ""),
    ("x = z(2)\nx = boom()", "x@1[2]"),
    ("a, b = z(2), boom()", ""),
    ("a, b = z(2), z(3), z(4)", ""),
    ("a = old.nothing = z(2)", "a@1[2]"),
    ("old.nothing = a = z(2)", ""),
    ("a, old.nothing, b = z(1), z(2), z(3)", "a@1[1]"),
    ("y = boom((x := z(2)))", "x@1[2]"),
    ("boom((x := z(2)))", "x@1[2]"),
    ("y = [(x := z(2)), boom(), (w := z(3))]", "x@1[2]"),
    ("z(2)\nboom()", "=z(2)@1[2]"),
    ("if true:\n    x = z(2)\n    boom()\n    old = z(3)", "x@2[2]"),
    ("if true:\n    x = z(2)\n    old = boom()", "x@2[2]"),
    ("for i in range(3):\n    x = z(i)\n    if i == 1:\n        boom()\n    y = z(7)", "x@2[1] y@5[7]"),
    ("for i in range(3):\n    x = z(3) if i < 2 else boom()", "x@2[3]"),
    ("for x in [z(1), z(2)]:\n    boom()", "x@1[1]"),
    ("for old in boom():\n    pass", ""),
    ("with nullcontext(z(2)) as x:\n    boom()", "x@1[2]"),
    ("with Failing() as old:\n    pass", ""),
    ("try:\n    x = z(2)\n    boom()\nexcept TypeError:\n    old = z(3)", "x@2[2]"),
    ("try:\n    boom()\nexcept ValueError:\n    x = z(2)\n    raise", "x@4[2]"),
    ("try:\n    old = boom()\nfinally:\n    x = z(2)", "x@4[2]"),
    ("while true:\n    x = z(2)\n    boom()", "x@2[2]"),
    ("match z(2):\n    case x:\n        boom()", "x@2[2]"),
    ("if (x := z(2)) is not None:\n    boom()", "x@1[2]"),
    ("if boom((x := z(2))):\n    old = z(3)", "x@1[2]"),
]


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize(("source", "expected"), FAILING)
def test_what_was_bound_before_an_error_is_seen_and_nothing_else(execute: Execute, source: str, expected: str) -> None:
    result = execute(source)
    assert result.error is not None
    assert result.brief == split(expected)


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize(("source", "expected"), FAILING)
def test_an_error_in_a_second_run_reports_nothing_of_the_first(
    execute: Execute, new_namespace: Callable[[], dict[str, Any]], source: str, expected: str
) -> None:
    namespace = new_namespace()
    execute(source, namespace)
    stale = {"y@5[7]", *expected.split()} if "range(3)" in source else set(split(expected))
    assert set(execute(source, namespace).brief) <= stale


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize(
    "source",
    [
        "x = z(2)\nwatch(x)\nx = z(3)",
        "x = z(2)\nwatch(x)\ndel x",
        "x = z(2)\nwatch(x)\nif true:\n    x = z(3)",
        "if true:\n    x = z(2)\n    watch(x)\n    x = z(3)",
        "for i in range(3):\n    x = z(i)\n    watch(x)\ndel x",
        "with nullcontext(z(2)) as x:\n    watch(x)\ndel x",
        "try:\n    x = z(2)\n    watch(x)\n    boom()\nexcept ValueError:\n    del x",
        "watch(z(2))\nz(2)\n3",
        "d = {'k': z(2)}\nwatch(d['k'])\nd['k'] = z(3)",
        "if (x := z(2)) is not None:\n    watch(x)\ndel x",
    ],
)
def test_no_value_is_kept_alive_once_the_program_lets_go_of_it(
    execute: Execute, new_namespace: Callable[[], dict[str, Any]], source: str
) -> None:
    watched: list[weakref.ref[Any]] = []
    namespace = {**new_namespace(), "watch": lambda value: watched.append(weakref.ref(value))}
    # Asked from within the program, while the recorder is at work; a reference cycle would need the collector.
    source += "\ngc_free = [reference() is None for reference in watched]"
    namespace["watched"] = watched
    gc.disable()
    try:
        assert execute(source, namespace).error is None
    finally:
        gc.enable()
    assert namespace["gc_free"] == [True] * len(watched)
    assert watched


@pytest.mark.usefixtures("untraced")
def test_a_value_deleted_within_a_watched_statement_is_gone_at_once(
    execute: Execute, new_namespace: Callable[[], dict[str, Any]]
) -> None:
    watched: list[weakref.ref[Any]] = []
    namespace = {**new_namespace(), "watch": lambda value: watched.append(weakref.ref(value)), "watched": watched}
    execute("if true:\n    x = z(2)\n    watch(x)\n    del x\n    gone = watched[0]() is None", namespace)
    assert namespace["gone"] is True


def test_a_recorder_without_statements_has_seen_nothing() -> None:
    recorder = Recorder({})
    recorder.end()
    assert (recorder.sightings, recorder.elapsed_ns >= 0) == ([], True)


def test_what_watching_costs_is_told(execute: Execute, new_namespace: Callable[[], dict[str, Any]]) -> None:
    recorder = Recorder(new_namespace())
    recorder.begin(ast.parse("old = keep").body[0])
    recorder.end()
    once = recorder.elapsed_ns
    recorder.begin(ast.parse("old = keep").body[0])
    recorder.end()
    assert 0 < once < recorder.elapsed_ns
    assert execute("x = z(2)").error is None


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("v['k'] = 1", "v"),
        ("v.w = 1", "v"),
        ("v += 1", "v"),
        ("if true:\n    v['k'] = 1", "v"),
        ("x = v['k']", None),
    ],
)
def test_recording_runs_no_code_of_the_users_objects(
    execute: Execute, new_namespace: Callable[[], dict[str, Any]], source: str, target: str | None
) -> None:
    calls: list[str] = []

    class Proud:
        __module__ = "__main__"

        def __getitem__(self, key: object) -> Any:
            calls.append("getitem")
            return self

        def __setitem__(self, key: object, value: object) -> None: ...

        def __iadd__(self, other: object) -> Any:
            return self

        def __getattr__(self, name: str) -> Any:
            calls.append(name)
            raise AttributeError(name)

        def __eq__(self, other: object) -> bool:
            calls.append("eq")
            return False

        __hash__ = None  # type: ignore[assignment]  # hashing it would be a call as well

        @property
        def shape(self) -> Any:
            calls.append("shape")
            return (1,)

        dtype = shape

    namespace = {**new_namespace(), "v": Proud()}
    assert execute(source, namespace).error is None
    assert calls == (["getitem"] if target is None else [])


@pytest.mark.parametrize(
    ("ran", "expected"),
    [({"old": (2,)}, ["old"]), ({}, []), ({"x": (3,)}, ["x"]), ({"old": (2,), "x": (3,)}, ["old", "x"])],
)
def test_of_a_body_that_a_call_runs_by_its_own_means_only_new_values_are_seen(
    new_namespace: Callable[[], dict[str, Any]], ran: dict[str, tuple[int, ...]], expected: list[str]
) -> None:
    namespace = new_namespace()
    recorder = Recorder(namespace)
    call = ast.parse("run_cell_magic('time', '', body)").body[0]
    recorder.begin_opaque(call, ast.parse("old = z(2)\nx = z(3)").body)
    for name, shape in ran.items():
        namespace[name] = namespace["z"](*shape)
    recorder.end()
    assert [sighting.node.id for sighting in recorder.sightings if isinstance(sighting.node, ast.Name)] == expected
