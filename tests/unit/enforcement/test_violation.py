"""What a rejected call says: one function and one call a row, and the first line of the message."""

# ruff: noqa: F722, F821  jaxtyping's dim strings are no forward references
# ruff: noqa: N803  X and W are the letters of the formula
# ruff: noqa: ARG001, FBT001  the functions are there for their annotations
# ruff: noqa: PLR0913, PLR0917  one parameter a dtype

from collections.abc import Callable
from typing import Any, Literal, Optional, Union

import numpy as np
import pytest
import torch
from jaxtyping import Bool, Complex, Float, Float32, Inexact, Int, Shaped, UInt8
from torch import Tensor, nn

from shapeguard.enforcement import TypeCheckError, finding_of, guard
from shapeguard.enforcement import violation as violation_module
from shapeguard.enforcement.matching import broadcast
from shapeguard.records import Conflict, Finding


def f32(*shape: int) -> Tensor:
    return torch.zeros(shape)


def i64(*shape: int) -> Tensor:
    return torch.zeros(shape, dtype=torch.int64)


@guard
def linear(X: Float[Tensor, "b d"], W: Float[Tensor, "d e"]) -> Float[Tensor, "b e"]:
    return X @ W


@guard
def fixed(x: Float[Tensor, "3 cols=4"]) -> None: ...


@guard
def named_twice(x: Float[Tensor, "n n"]) -> None: ...


@guard
def loose(x: Float[Tensor, "#n"], y: Float[Tensor, "#n"], z: Float[Tensor, "n"]) -> None: ...


@guard
def loosely_fixed(x: Float[Tensor, "#4"]) -> None: ...


@guard
def batched(x: Float[Tensor, "*batch c"], y: Float[Tensor, "*batch c"]) -> None: ...


@guard
def middle(x: Float[Tensor, "b *inner c"], y: Float[Tensor, "c"]) -> None: ...


@guard
def broadcasting(x: Float[Tensor, "*#b"], y: Float[Tensor, "*#b"], z: Float[Tensor, "*b"]) -> None: ...


@guard
def anything(x: Float[Tensor, "... c"], y: Float[Tensor, "_ c"]) -> None: ...


@guard
def grown(x: Float[Tensor, "b d"], y: Float[Tensor, "2*b+d"]) -> None: ...


@guard
def dtyped(
    a: Int[Tensor, "..."] | None = None,
    b: Bool[Tensor, "..."] | None = None,
    c: Float32[Tensor, "..."] | None = None,
    d: Inexact[Tensor, "..."] | None = None,
    e: UInt8[Tensor, "..."] | None = None,
    f: Complex[Tensor, "..."] | None = None,
) -> None: ...


@guard
def plain(n: int, name: str = "", flag: bool | None = None) -> int:
    return n if name != "wrong" else name  # type: ignore[return-value]


@guard
def various(first: Float[Tensor, "d"], *rest: Float[Tensor, "d"], **more: Float[Tensor, "d"]) -> None: ...


@guard
def keyword_only(*, q: Float[Tensor, "h d"], k: Float[Tensor, "h d"]) -> None: ...


@guard
def either(x: Float[Tensor, "a b"] | Int[Tensor, "a"], y: Float[Tensor, "a"]) -> None: ...


@guard
def chosen(mode: Literal["sum", "mean"]) -> None: ...


@guard
def pair(x: tuple[Float[Tensor, "n"], Float[Tensor, "n"]]) -> None: ...


@guard
def split(x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "d"]]:
    return x[:, 0], x[:, 0]


@guard
def flattened(x: Float[Tensor, "n d"]) -> Float[Tensor, "n*d"]:
    return x


@guard
def transposed(x: Float[Tensor, "n d"]) -> Float[Tensor, "d n"]:
    return x


@guard
def sized(n: int, x: Float[Tensor, "{n}"]) -> None: ...


@guard
def failing(x: Float[Tensor, "n"], y: Float[Tensor, "n//0"]) -> None: ...


@guard
def resized(x: Float[Tensor, "n"], y: Float[Tensor, "n"]) -> None:
    y.resize_(7)


@guard
def bound_inside(x: Float[Tensor, "n"]) -> Float[Tensor, "k"]:
    assert isinstance(x[1:], Float[Tensor, "k"])
    return x


@guard
def array(x: Float[np.ndarray, "n"], y: Int[Tensor, "n"]) -> None: ...


@guard
def loose_later(x: Float[Tensor, "*b"], y: Float[Tensor, "*#b"]) -> None: ...


@guard
def optional(x: Float[Tensor, "a"] | None, y: Float[Tensor, "a"], z: Float[Tensor, "a"]) -> None: ...


@guard
def listed(x: list[Float[Tensor, "n"]]) -> None: ...


class Block(nn.Module):
    @guard
    def forward(self, x: Float[Tensor, "b 8"]) -> Float[Tensor, "b 8"]:
        return x


SHAPED_OF_FLOAT = Shaped[Float[Tensor, "n"], "m"]


@guard
def extended(x: SHAPED_OF_FLOAT) -> None: ...  # type: ignore[valid-type]


FIRST_LINES: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any], str]] = [
    (linear, (f32(32, 64), f32(16, 64)), {}, "linear(W): dim 0 of W is 16, but d is 64, bound by X dim 1"),
    (linear, (f32(32), f32(16, 64)), {}, 'linear(X): ndim of X is 1, expected 2 ("b d")'),
    (linear, (f32(3, 4), f32(4, 5, 6)), {}, 'linear(W): ndim of W is 3, expected 2 ("d e")'),
    (linear, (i64(32, 64), f32(64, 3)), {}, "linear(X): dtype of X is int64, Float admits bfloat16, float16 … float64"),
    (linear, ([1.0], f32(64, 3)), {}, 'linear(X): X is list, expected Float[Tensor, "b d"]'),
    (linear, (f32(3, 4), None), {}, 'linear(W): W is None, expected Float[Tensor, "d e"]'),
    (fixed, (f32(2, 4),), {}, "fixed(x): dim 0 of x is 2, expected 3"),
    (fixed, (f32(3, 5),), {}, "fixed(x): dim 1 of x is 5, expected cols=4"),
    (named_twice, (f32(3, 4),), {}, "named_twice(x): dim 1 of x is 4, but n is 3, bound by x dim 0"),
    (loose, (f32(1), f32(4), f32(1)), {}, "loose(z): dim 0 of z is 1, but n is 4, bound by y dim 0"),
    (
        loose,
        (f32(4), f32(5), f32(4)),
        {},
        "loose(y): dim 0 of y is 5, but n is 4, bound by x dim 0; #n admits that or 1",
    ),
    (loosely_fixed, (f32(3),), {}, "loosely_fixed(x): dim 0 of x is 3, expected 4 or 1"),
    (
        batched,
        (f32(2, 3, 5), f32(2, 4, 5)),
        {},
        "batched(y): dim 1 of y is 4, but *batch has 3 there, bound by x dim 1",
    ),
    (
        batched,
        (f32(2, 3, 5), f32(2, 5)),
        {},
        "batched(y): ndim of y is 2, which leaves [2] for *batch, but *batch is [2, 3], bound by x dims 0 to 1",
    ),
    (
        batched,
        (f32(5), f32(2, 5)),
        {},
        "batched(y): ndim of y is 2, which leaves [2] for *batch, but *batch is [], bound by x",
    ),
    (batched, (f32(2, 3, 5), f32(2, 3, 6)), {}, "batched(y): dim 2 of y is 6, but c is 5, bound by x dim 2"),
    (middle, (f32(2, 3, 4, 5), f32(4)), {}, "middle(y): dim 0 of y is 4, but c is 5, bound by x dim 3"),
    (middle, (f32(2), f32(4)), {}, 'middle(x): ndim of x is 1, expected 2 or more ("b *inner c")'),
    (
        broadcasting,
        (f32(3, 1), f32(4, 5), f32(1)),
        {},
        "broadcasting(y): the dims of y for *#b are [4, 5], which does not broadcast with [3, 1], bound by x dims 0 to 1",
    ),
    (
        broadcasting,
        (f32(3, 1), f32(1, 5), f32(3, 1)),
        {},
        "broadcasting(z): the dims of z for *b are [3, 1], which does not broadcast with [3, 5], to which the arguments before it broadcast",
    ),
    (anything, (f32(1, 2, 3), f32(9, 4)), {}, "anything(y): dim 1 of y is 4, but c is 3, bound by x dim 2"),
    (
        grown,
        (f32(2, 3), f32(8)),
        {},
        "grown(y): dim 0 of y is 8, but 2*b+d is 7 (b is 2, bound by x dim 0; d is 3, bound by x dim 1)",
    ),
    (dtyped, (), {"a": f32(1)}, "dtyped(a): dtype of a is float32, Int admits int8 … int64"),
    (dtyped, (), {"b": f32(1)}, "dtyped(b): dtype of b is float32, Bool admits bool"),
    (dtyped, (), {"c": i64(1)}, "dtyped(c): dtype of c is int64, Float32 admits float32"),
    (
        dtyped,
        (),
        {"d": i64(1)},
        "dtyped(d): dtype of d is int64, Inexact admits bfloat16, float16 … float64, complex64, complex128",
    ),
    (dtyped, (), {"e": i64(1)}, "dtyped(e): dtype of e is int64, UInt8 admits uint8"),
    (dtyped, (), {"f": f32(1)}, "dtyped(f): dtype of f is float32, Complex admits complex64, complex128"),
    (dtyped, (), {"f": 3}, 'dtyped(f): f is int, expected Complex[Tensor, "..."] | None'),
    (plain, ("3",), {}, "plain(n): n is str, expected int"),
    (plain, (3, 4), {}, "plain(name): name is int, expected str"),
    (plain, (3,), {"flag": 2}, "plain(flag): flag is int, expected bool | None"),
    (plain, (3, "wrong"), {}, "return of plain(): the type is str, expected int"),
    (various, (f32(2), f32(2), f32(3)), {}, "various(rest): dim 0 of rest[1] is 3, but d is 2, bound by first dim 0"),
    (various, (f32(2),), {"z": f32(3)}, "various(more): dim 0 of z is 3, but d is 2, bound by first dim 0"),
    (
        keyword_only,
        (),
        {"k": f32(2, 3), "q": f32(2, 4)},
        "keyword_only(k): dim 1 of k is 3, but d is 4, bound by q dim 1",
    ),
    (either, (f32(2, 3), f32(4)), {}, 'either(y): y is f32[4], which does not satisfy Float[Tensor, "a"]'),
    (
        either,
        (f32(2), f32(4)),
        {},
        'either(x): x is f32[2], which does not satisfy Float[Tensor, "a b"] | Int[Tensor, "a"]',
    ),
    (chosen, ("max",), {}, "chosen(mode): mode is str, which does not satisfy Literal['sum', 'mean']"),
    (pair, ((f32(2), f32(3)),), {}, "pair(x): dim 0 of x[1] is 3, but n is 2, bound by x[0] dim 0"),
    (
        pair,
        ((f32(2),),),
        {},
        'pair(x): x is tuple of 1, which does not satisfy tuple[Float[Tensor, "n"], Float[Tensor, "n"]]',
    ),
    (split, (f32(2, 3),), {}, "return of split(): dim 0 of return[1] is 2, but d is 3, bound by x dim 1"),
    (flattened, (f32(2, 3),), {}, 'return of flattened(): ndim is 2, expected 1 ("n*d")'),
    (transposed, (f32(2, 3),), {}, "return of transposed(): dim 0 is 2, but d is 3, bound by x dim 1"),
    (sized, (3, f32(4)), {}, 'sized(x): x is f32[4], which does not satisfy Float[Tensor, "{n}"]'),
    (failing, (f32(3), f32(4)), {}, "failing(): checking the annotations raised ZeroDivisionError"),
    (resized, (f32(3), f32(3)), {}, "resized(y), when the body had run: dim 0 of y is 7, but n is 3, bound by x dim 0"),
    (bound_inside, (f32(3),), {}, 'return of bound_inside(): f32[3] does not satisfy Float[Tensor, "k"]'),
    (array, (f32(3), i64(3)), {}, 'array(x): x is Tensor, expected Float[ndarray, "n"]'),
    (array, (np.zeros(3), i64(4)), {}, "array(y): dim 0 of y is 4, but n is 3, bound by x dim 0"),
    (
        array,
        (np.zeros(3, np.int32), i64(3)),
        {},
        "array(x): dtype of x is int32, Float admits bfloat16, float16 … float64",
    ),
    (
        loose_later,
        (f32(1, 3), f32(2, 3)),
        {},
        "loose_later(y): the dims of y for *#b are [2, 3], which does not broadcast with [1, 3], bound by x dims 0 to 1",
    ),
    (optional, (None, f32(2), f32(3)), {}, "optional(z): dim 0 of z is 3, but a is 2, bound by y dim 0"),
    (optional, (f32(2), f32(2), f32(3)), {}, "optional(z): dim 0 of z is 3, but a is 2, bound by x dim 0"),
    (listed, ([f32(2, 3)],), {}, 'listed(x): ndim of x[0] is 2, expected 1 ("n")'),
    (Block(), (f32(2, 9),), {}, "Block.forward(x): dim 1 of x is 9, expected 8"),
    (extended, (f32(2),), {}, 'extended(x): ndim of x is 1, expected 2 ("m n")'),
]


@pytest.mark.parametrize(("function", "args", "kwargs", "line"), FIRST_LINES, ids=[row[3] for row in FIRST_LINES])
def test_the_first_line_says_why(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], line: str) -> None:
    with pytest.raises(TypeCheckError) as caught:
        function(*args, **kwargs)
    assert str(caught.value).splitlines()[0] == line
    finding = finding_of(caught.value)
    assert finding is not None
    assert finding.message == line


def test_each_argument_given_has_its_line_and_omitted_ones_have_none() -> None:
    @guard
    def attend(q: Float[Tensor, "b h"], mask: Int[Tensor, "b"], scale: float = 1.0, free=None) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001

    with pytest.raises(TypeCheckError) as caught:
        attend(f32(2, 3), i64(4), free=[1])
    assert str(caught.value).splitlines()[1:] == [
        '  q     f32[2, 3]  Float[Tensor, "b h"]',
        '  mask  i64[4]     Int[Tensor, "b"]',
        "  free  list",
    ]


SWAPS = [
    (linear, (f32(32, 64), f32(16, 64)), ("With dims 0 and 1 swapped, W would fit.",)),
    (linear, (f32(64, 32), f32(64, 16)), ("With dims 0 and 1 swapped, X would fit.",)),
    (linear, (f32(32, 64), f32(16, 16)), ()),
    (linear, (f32(32, 64), f32(16, 8)), ()),
    (transposed, (f32(2, 3),), ("With dims 0 and 1 swapped, the result would fit.",)),
    (fixed, (f32(4, 3),), ("With dims 0 and 1 swapped, x would fit.",)),
    (fixed, (f32(4, 4),), ()),
    (linear, (f32(32), f32(16, 64)), ()),
]


@pytest.mark.parametrize(("function", "args", "because"), SWAPS)
def test_a_transposition_is_named_where_it_alone_would_fit(function: Any, args: Any, because: tuple[str, ...]) -> None:
    with pytest.raises(TypeCheckError) as caught:
        function(*args)
    finding = finding_of(caught.value)
    assert finding is not None
    assert finding.because == because
    assert str(caught.value).endswith("".join(because))


def test_two_transpositions_that_both_fit_explain_nothing() -> None:
    @guard
    def cube(x: Float[Tensor, "a b"], y: Float[Tensor, "a _ _"]) -> None: ...

    with pytest.raises(TypeCheckError) as caught:
        cube(f32(3, 4), f32(5, 3, 3))
    finding = finding_of(caught.value)
    assert finding is not None
    assert finding.because == ()


def test_no_transposition_is_named_where_a_dim_is_code() -> None:
    @guard
    def coded(n: int, x: Float[Tensor, "{n} 3"]) -> None: ...

    with pytest.raises(TypeCheckError, match=r"^coded\(x\): dim 1 of x is 5, expected 3\n") as caught:
        coded(3, f32(3, 5))
    assert "swapped" not in str(caught.value)


def test_a_dim_that_is_code_is_said_not_to_have_been_run_again() -> None:
    with pytest.raises(TypeCheckError, match=r"The dim \{n\} of x is code"):
        sized(3, f32(4))


CONFLICTS = [
    (linear, (f32(32, 64), f32(16, 64)), "guard-size", (Conflict(1, 0, "size", 16), Conflict(0, 1, "size", 64))),
    (fixed, (f32(2, 4),), "guard-size", (Conflict(0, 0, "size", 2),)),
    (linear, (f32(32), f32(16, 64)), "guard-ndim", (Conflict(0, None, "ndim", 1),)),
    (linear, (i64(3, 4), f32(4, 5)), "guard-dtype", (Conflict(0, None, "dtype", "int64"),)),
    (plain, ("3",), "guard-type", (Conflict(0, None, "value", "str"),)),
    (either, (f32(2), f32(4)), "guard-annotation", ()),
]


@pytest.mark.parametrize(("function", "args", "rule", "conflicts"), CONFLICTS)
def test_the_finding_holds_rule_operands_and_conflicts(
    function: Any, args: tuple[Any, ...], rule: str, conflicts: tuple[Conflict, ...]
) -> None:
    with pytest.raises(TypeCheckError) as caught:
        function(*args)
    finding = finding_of(caught.value)
    assert finding is not None
    assert (finding.rule, finding.severity, finding.where) == (rule, "error", function.__qualname__)
    assert finding.conflicts == conflicts
    assert [operand.expression for operand in finding.operands] == list(function.__annotations__)[: len(args)]
    assert Finding.from_json(finding.to_json()) == finding


@pytest.mark.parametrize("error", [ValueError("x"), TypeCheckError("x"), KeyboardInterrupt()])
def test_an_error_that_no_guard_raised_has_no_finding(error: BaseException) -> None:
    assert finding_of(error) is None


@pytest.mark.parametrize("broken", ["read_call", "first_mismatch", "message_text"])
def test_a_fault_in_the_analysis_leaves_the_verdict_in_plain_words(
    broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(violation_module, broken, fail)
    with pytest.raises(TypeCheckError) as caught:
        linear(f32(32, 64), f32(16, 64))
    assert str(caught.value) == (
        "Type-check error whilst checking the parameters of linear.\nThe problem arose whilst typechecking parameter 'W'."
    )
    assert finding_of(caught.value) is None
    with pytest.raises(TypeCheckError, match=r"checking the return value of transposed\.$"):
        transposed(f32(2, 3))


def test_a_value_that_raises_when_it_is_asked_leaves_the_verdict() -> None:
    class Hostile:
        @property  # type: ignore[misc]
        def __class__(self) -> type:
            raise RuntimeError

    with pytest.raises(TypeCheckError):
        chosen(Hostile())  # type: ignore[arg-type]


def test_many_arguments_are_cut_short() -> None:
    with pytest.raises(TypeCheckError) as caught:
        various(f32(2), *[f32(2)] * 50, f32(3))
    lines = str(caught.value).splitlines()
    assert lines[0] == "various(rest): dim 0 of rest[50] is 3, but d is 2, bound by first dim 0"
    assert lines[-1] == "  … and 12 more"
    assert len(lines) == 42


def test_a_name_that_a_union_may_have_bound_first_is_not_said_to_be_bound_elsewhere() -> None:
    @guard
    def mixed(
        u: Union[Float[Tensor, "a"], Int[Tensor, "a"]],  # noqa: UP007
        x: Float[Tensor, "a"],
        y: Optional[Float[Tensor, "a"]] = None,  # noqa: UP045
    ) -> None: ...

    with pytest.raises(TypeCheckError) as caught:
        mixed(i64(3), f32(3), f32(4))
    assert str(caught.value).splitlines()[0] == "mixed(y): dim 0 of y is 4, but a is 3, as in x dim 0"
    # Here the union alone has bound a to 3: to blame y, which disagrees with x only, would be wrong.
    with pytest.raises(TypeCheckError) as caught:
        mixed(i64(3), f32(4), f32(3))
    assert str(caught.value).splitlines()[0] == 'mixed(x): x is f32[4], which does not satisfy Float[Tensor, "a"]'


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [
        ((), (), ()),
        ((3,), (), (3,)),
        ((3, 1), (4,), (3, 4)),
        ((2, 3), (3,), (2, 3)),
        ((2, 3), (2,), None),
        ((0,), (1,), (0,)),
        ((0,), (2,), None),
    ],
)
def test_shapes_broadcast_as_numpy_has_it(first: tuple[int, ...], second: tuple[int, ...], both: Any) -> None:
    assert broadcast(first, second) == both
    assert broadcast(second, first) == both
    if both is not None:
        assert np.broadcast_shapes(first, second) == both
