import pytest
from jaxtyping import Float
from torch import Tensor

from shapeguard.errors import NotationError
from shapeguard.notation import (
    AnonymousDim,
    AnonymousVariadicDim,
    Dim,
    FixedDim,
    NamedDim,
    SymbolicDim,
    VariadicDim,
    dims_text,
    evaluate,
    names_in,
    parse_dims,
)

READINGS: list[tuple[str, tuple[Dim, ...]]] = [
    ("", ()),
    ("3", (FixedDim(3),)),
    ("#3", (FixedDim(3, broadcastable=True),)),
    ("rows=4", (FixedDim(4, "rows"),)),
    ("#rows=4", (FixedDim(4, "rows", broadcastable=True),)),
    ("-1", (FixedDim(-1),)),
    ("b d", (NamedDim("b"), NamedDim("d"))),
    ("rows=d", (NamedDim("d"),)),
    ("#d", (NamedDim("d", broadcastable=True),)),
    ("?d", (NamedDim("d", per_leaf=True),)),
    ("*batch", (VariadicDim("batch"),)),
    ("#*batch", (VariadicDim("batch", broadcastable=True),)),
    ("*#batch", (VariadicDim("batch", broadcastable=True),)),
    ("*?batch c", (VariadicDim("batch", per_leaf=True), NamedDim("c"))),
    ("...", (AnonymousVariadicDim(),)),
    ("*_", (AnonymousVariadicDim(),)),
    ("_*rest", (AnonymousVariadicDim(),)),
    ("_", (AnonymousDim(),)),
    ("_rows", (AnonymousDim("rows"),)),
    ("d+1", (SymbolicDim("d+1"),)),
    ("#2*d", (SymbolicDim("2*d", broadcastable=True),)),
    ("min(a,b)", (SymbolicDim("min(a,b)"),)),
    ("{self.n}", (SymbolicDim("{self.n}"),)),
    ("a==b", (SymbolicDim("a==b"),)),
    ("  b   d ", (NamedDim("b"), NamedDim("d"))),
]

REFUSED = [
    "a,b",
    "a#",
    "a...",
    "...b",
    "##a",
    "**a",
    "__a",
    "??a",
    "*4",
    "_4",
    "?4",
    "#_",
    "*d+1",
    "_d+1",
    "?d+1",
    "*a *b",
    "... *a",
]


@pytest.mark.parametrize(("text", "dims"), READINGS)
def test_each_form_of_dim_is_read_as_what_it_means(text: str, dims: tuple[Dim, ...]) -> None:
    assert parse_dims(text) == dims


@pytest.mark.parametrize("text", [text for text, _ in READINGS])
def test_dims_written_and_read_again_are_the_same(text: str) -> None:
    dims = parse_dims(text)
    assert parse_dims(dims_text(dims)) == dims


@pytest.mark.parametrize(("text", "dims"), READINGS)
def test_jaxtyping_reads_the_same_kinds_of_dim(text: str, dims: tuple[Dim, ...]) -> None:
    theirs = [type(dim).__name__.strip("_").replace("Named", "", 1) for dim in Float[Tensor, text].dims]
    ours = [type(dim).__name__.replace("Named", "", 1) for dim in dims]
    assert ours == theirs


@pytest.mark.parametrize("text", REFUSED)
def test_what_jaxtyping_refuses_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Float[Tensor, text]
    with pytest.raises(NotationError):
        parse_dims(text)


@pytest.mark.parametrize("text", ["*", "?", "foo="])
def test_a_dim_without_a_name_is_refused_though_jaxtyping_takes_it(text: str) -> None:
    with pytest.raises(NotationError, match="needs a name"):
        parse_dims(text)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("d", 4),
        ("d+1", 5),
        ("2*d", 8),
        ("d-n", 1),
        ("d//n", 1),
        ("d/2", 2.0),
        ("d%n", 1),
        ("d**2", 16),
        ("-d+5", 1),
        ("min(d,n)", 3),
        ("max(d,n,9)", 9),
        ("(d+n)*2", 14),
        ("2**64", 2**64),
        ("2**65", None),
        ("d//0", None),
        ("d+unknown", None),
        ("len(d)", None),
        ("d.real", None),
        ("__import__('os')", None),
        ("{d}", None),
        ("True+d", None),
        ("'a'*d", None),
        ("d+", None),
        ("(" * 500, None),
    ],
)
def test_only_arithmetic_over_known_names_is_evaluated(expression: str, value: float | None) -> None:
    assert evaluate(expression, {"d": 4, "n": 3}) == value


def test_a_name_that_hides_min_is_not_called() -> None:
    assert evaluate("min(d,2)", {"min": 1, "d": 4}) is None


@pytest.mark.parametrize(
    ("expression", "names"), [("2*d+n-d", ("d", "n")), ("4", ()), ("min(b,a)", ("min", "b", "a")), ("d+", ())]
)
def test_names_of_a_symbolic_dim_come_in_order_and_once(expression: str, names: tuple[str, ...]) -> None:
    assert names_in(expression) == names
