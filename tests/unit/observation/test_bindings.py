"""What a statement binds, from its syntax tree alone: which targets, and what would prove that they were bound."""

import ast
import sys

import pytest

from shapeguard.observation.bindings import Binding, bindings_of, simple_target


def bindings(source: str) -> tuple[Binding, ...]:
    (statement,) = ast.parse(source).body
    return bindings_of(statement)


def targets(source: str) -> list[str]:
    return [ast.unparse(binding.target) for binding in bindings(source)]


CERTAIN = [
    # plain, chained, unpacked, annotated, augmented
    ("x = f()", "x"),
    ("x = y = f()", "x y"),
    ("x = y.a = z[0] = f()", "x y.a z[0]"),
    ("a, b = f()", "a b"),
    ("(a, [b, c]), d = f()", "a b c d"),
    ("[a, b] = f()", "a b"),
    ("a, *b, c = f()", "a b c"),
    ("*a, = f()", "a"),
    ("a.b, c['k'], d = f()", "a.b c['k'] d"),
    ("x += 1", "x"),
    ("x.w @= y", "x.w"),
    ("x[i] -= 1", "x[i]"),
    ("x: int = 3", "x"),
    ("self.x: int = 3", "self.x"),
    ("x: int", ""),
    ("self.x: int", ""),
    # named expressions, wherever they may stand
    ("(x := 3)", "x"),
    ("y = (x := 3)", "x y"),
    ("y = f((x := 3), k=(z := 4))", "x z y"),
    ("y: int = (x := 3)", "x y"),
    ("y += (x := 3)", "x y"),
    ("a[(i := 0)] = 3", "i a[(i := 0)]"),
    ("(t := f()).w = 3", "t (t := f()).w"),
    ("y = a[(x := 1):(z := 2)]", "x z y"),
    ("y = f'{(x := 3)}'", "x y"),
    ("y = [*(x := f())]", "x y"),
    ("y = {(k := 1): (v := 2)}", "k v y"),
    ("y = (x := (z := 3))", "z x y"),
    ("y = not (x := 3)", "x y"),
    ("assert (x := 3)", "x"),
    ("raise (x := E())", "x"),
    ("del a[(i := 0)]", "i"),
    ("await (x := f())", "x"),
    # imported names
    ("import a", "a"),
    ("import a.b.c", "a"),
    ("import a.b as c", "c"),
    ("import a, b.c, d as e", "a b e"),
    ("from a import b", "b"),
    ("from a import b as c, d", "c d"),
    ("from . import b", "b"),
    ("from a import *", ""),
    # what binds nothing that could be a value, or in a scope of its own
    ("del x", ""),
    ("pass", ""),
    ("f(x)", ""),
    ("global x", ""),
    ("y = lambda: (x := 3)", "y"),
    ("y = [v for v in f()]", "y"),
    ("y = {k: v for k, v in f()}", "y"),
    ("def f():\n    global x\n    x = 3", ""),
    ("async def f():\n    x = 3", ""),
    ("class C:\n    x = 3", ""),
    ("def f(a=(x := 3), *, b=(y := 4)): ...", "x y"),
    ("@deco((x := 3))\ndef f(): ...", "x"),
    ("@deco((x := 3))\nclass C((y := B), metaclass=(z := M)): ...", "x y z"),
    ("g = lambda a=(x := 3): a", "x g"),
    # context managers
    ("with f() as x: pass", "x"),
    ("with f() as (a, b): pass", "a b"),
    ("with f() as x.y: pass", "x.y"),
    ("with (x := f()): pass", "x"),
    ("async with f() as x: pass", "x"),
    # the header of a compound statement is evaluated at least once
    ("if (x := f()): pass", "x"),
    ("while (x := f()): pass", "x"),
    ("match (x := f()):\n    case 1: pass", "x"),
    ("try:\n    pass\nfinally:\n    x = 3", "x"),
    ("try:\n    x = 3\nfinally:\n    pass", "x"),
]


@pytest.mark.parametrize(("source", "names"), CERTAIN)
def test_a_statement_that_completes_has_bound(source: str, names: str) -> None:
    found = bindings(source)
    assert " ".join(ast.unparse(binding.target) for binding in found) == names
    assert all(binding.certain for binding in found)


MAYBE = [
    ("y = a and (x := 3)", "x"),
    ("y = a or (x := 3)", "x"),
    ("y = (x := 3) if a else (z := 4)", "x z"),
    ("y = a < b < (x := 3)", "x"),
    ("y = [(x := v) for v in f()]", "x"),
    ("y = {(x := v) for v in f()}", "x"),
    ("y = {(k := v): (w := v) for v in f()}", "k w"),
    ("y = sum((x := v) for v in f())", "x"),
    ("y = any((x := v) > 0 for v in f() if (z := v))", "x z"),
    ("assert a, (x := 3)", "x"),
    ("if a:\n    x = 3", "x"),
    ("if a:\n    x = 3\nelse:\n    y = 4", "x y"),
    ("if a: x = 3\nelif (z := b): y = 4", "x z y"),
    ("while a:\n    x = 3\nelse:\n    y = 4", "x y"),
    ("for i in f():\n    x = 3\nelse:\n    y = 4", "i x y"),
    ("for i, (j, *k) in f(): pass", "i j k"),
    ("for a.b in f(): pass", "a.b"),
    ("for a[0] in f(): pass", "a[0]"),
    ("async for i in f():\n    x = 3", "i x"),
    ("with f():\n    x = 3", "x"),
    ("with f(), g() as x: pass", "x"),
    ("with f(), (x := g()): pass", "x"),
    ("async with f():\n    x = 3", "x"),
    ("try:\n    x = 3\nexcept E as e:\n    y = 4\nelse:\n    z = 5", "x y z"),
    ("try:\n    x = 3\nexcept* E:\n    y = 4", "x y"),
    ("match a:\n    case 1:\n        x = 3", "x"),
    ("match a:\n    case x: pass", "x"),
    ("match a:\n    case [x, *y]: pass", "x y"),
    ("match a:\n    case [*_]: pass", ""),
    ("match a:\n    case {'k': x, **y}: pass", "x y"),
    ("match a:\n    case C(x, k=y): pass", "x y"),
    ("match a:\n    case [1 as x] | [x]: pass", "x x"),
    ("match a:\n    case (C() as x): pass", "x"),
    ("match a:\n    case [[x, y], z]: pass", "x y z"),
    ("match a:\n    case b.c: pass", ""),
    ("match a:\n    case b if (x := f()): pass", "b x"),
    ("if a:\n    import b", "b"),
    ("if a:\n    x, y = f()", "x y"),
]


@pytest.mark.parametrize(("source", "names"), MAYBE)
def test_a_statement_that_completes_may_have_bound(source: str, names: str) -> None:
    uncertain = [binding for binding in bindings(source) if not binding.certain]
    assert " ".join(ast.unparse(binding.target) for binding in uncertain) == names


@pytest.mark.skipif(sys.version_info < (3, 12), reason="type aliases are syntax since 3.12")
def test_a_type_alias_binds_no_value() -> None:
    assert targets("type T = list[int]") == []
    assert targets("type T[V] = list[V]") == []


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("x = f()", "x"),
        ("x = y = f()", None),
        ("x, = f()", None),
        ("x.y = f()", None),
        ("x[0] = f()", None),
        ("x += 1", None),
        ("x: int = 3", None),
        ("x", None),
        ("if a: x = 3", None),
    ],
)
def test_only_a_plain_assignment_of_one_name_is_simple(source: str, name: str | None) -> None:
    target = simple_target(ast.parse(source).body[0])
    assert (target.id if target else None) == name


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import a.b as c", {"c": (14, 15)}),
        ("import a.b", {"a": (7, 8)}),
        ("from a import b as cd, e", {"cd": (19, 21), "e": (23, 24)}),
        ("match a:\n    case [x, *yz]: pass", {"x": (10, 11), "yz": (14, 16)}),
        ("match a:\n    case {'k': 1, **rest}: pass", {"rest": (20, 24)}),
        ("match a:\n    case 1 as x: pass", {"x": (14, 15)}),
    ],
)
def test_a_name_that_the_tree_gives_no_place_to_is_placed_where_it_is_written(
    source: str, names: dict[str, tuple[int, int]]
) -> None:
    places = {ast.unparse(b.target): (b.target.col_offset, b.target.end_col_offset) for b in bindings(source)}
    assert places == names


IF_TRY = """\
try:
    a = f()
    b = g()
    c = h(
        1)
except E:
    d = 1
except (F,
        G): e = 2
else:
    i = 3
finally:
    j = 4
"""

LINES = [
    # source, target → line, fragile, next_line, handlers
    ("if c:\n    x = 1\n    y = 2", {"x": (2, False, 3, ()), "y": (3, False, None, ())}),
    ("if c: x = 1", {"x": (None, False, None, ())}),
    ("if c: x = 1; y = 2", {"x": (None, False, None, ()), "y": (None, False, None, ())}),
    (
        "if c:\n    x = 1; y = 2\n    z = 3",
        {"x": (2, False, None, ()), "y": (None, False, 3, ()), "z": (3, False, None, ())},
    ),
    ("if (c and\n    d): x = 1", {"x": (None, False, None, ())}),
    ("if c:\n    x = 1\nelse: y = 2", {"x": (2, False, None, ()), "y": (3, False, None, ())}),
    ("if c:\n    x = 1\nelif d:\n    y = 2", {"x": (2, False, None, ()), "y": (4, False, None, ())}),
    ("while c:\n    x = 1", {"x": (2, False, None, ())}),
    ("for i in f():\n    x = 1", {"i": (2, False, None, ()), "x": (2, False, None, ())}),
    ("for i in f(): x = 1", {"i": (None, False, None, ()), "x": (None, False, None, ())}),
    (
        "with f() as w:\n    x = 1\n    y = 2",
        {"w": (None, False, None, ()), "x": (2, True, 3, ()), "y": (3, True, None, ())},
    ),
    ("with f() as v, g() as w:\n    pass", {"v": (None, False, None, ()), "w": (2, False, None, ())}),
    (
        IF_TRY,
        {
            "a": (2, True, 3, ()),
            "b": (3, True, 4, ()),
            "c": (4, True, None, ()),
            "d": (7, False, None, ()),
            "e": (None, False, None, ()),
            "i": (11, False, None, ()),
            "j": (13, False, None, ()),
        },
    ),
    ("try:\n    x = 1\nexcept E:\n    pass\nexcept F:\n    pass", {"x": (2, True, None, (4, 6))}),
    ("try:\n    x = 1\nexcept: pass", {"x": (2, True, None, ())}),
    ("try:\n    x = 1\nfinally:\n    pass", {"x": (2, False, None, ())}),
    ("while a:\n    try:\n        x = 1\n    finally:\n        break", {"x": (3, True, None, ())}),
    ("while a:\n    try:\n        x = 1\n    finally:\n        if b: continue", {"x": (3, True, None, ())}),
    ("try:\n    with f():\n        x = 1\nexcept E:\n    pass", {"x": (3, True, None, ())}),
    ("match a:\n    case [x]:\n        y = 1", {"x": (3, False, None, ()), "y": (3, False, None, ())}),
    ("match a:\n    case [x]: y = 1", {"x": (None, False, None, ()), "y": (None, False, None, ())}),
    # a line that runs no code of its own proves nothing by not being seen
    ("if c:\n    (\n        x := 1\n    )", {"x": (None, False, None, ())}),
    ("if c:\n    (\n        x\n    ) = 1\n    y = 2", {"x": (None, False, 5, ()), "y": (5, False, None, ())}),
    ("for i in f():\n    global g\n    x = 1", {"i": (None, False, None, ()), "x": (3, False, None, ())}),
    ("try:\n    x = 1\nexcept E:\n    global g", {"x": (2, True, None, ())}),
    ("if c:\n    x = (\n        1\n    )", {"x": (2, False, None, ())}),
    ("for i in f():\n    (a\n        .b())", {"i": (2, False, None, ())}),
    ("for i in f():\n    (\n        a.b())", {"i": (None, False, None, ())}),
    ("if c:\n    with (\n        f() as x\n    ): pass", {"x": (None, False, None, ())}),
]


@pytest.mark.parametrize(("source", "expected"), LINES)
def test_what_proves_that_a_target_was_bound(
    source: str, expected: dict[str, tuple[int | None, bool, int | None, tuple[int, ...]]]
) -> None:
    found = {ast.unparse(b.target): (b.line, b.fragile, b.next_line, b.handlers) for b in bindings(source)}
    assert found == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = f(\n    1)", {"x": (1, 2)}),
        ("if c:\n    x = f(\n        1)\n    y = 2", {"x": (2, 3), "y": (4, 4)}),
        ("with f() as w:\n    x = 1", {"w": (1, 2), "x": (2, 2)}),
    ],
)
def test_a_binding_knows_the_lines_of_its_own_statement(source: str, expected: dict[str, tuple[int, int]]) -> None:
    assert {ast.unparse(b.target): b.span for b in bindings(source)} == expected
