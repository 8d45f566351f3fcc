"""What the decorator does to each kind of target, and that its verdicts are jaxtyping's."""

# ruff: noqa: F722, F821  jaxtyping's dim strings are no forward references
# ruff: noqa: ARG001, ARG003  the functions are there for their annotations

import abc
import asyncio
import copy
import gc
import inspect
import pickle
import sys
import threading
import traceback
import typing
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from functools import wraps
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import pytest
import torch
from beartype import beartype
from jaxtyping import AnnotationError, Bool, Float, Float32, Int, Shaped, jaxtyped, print_bindings
from jaxtyping import config as jaxtyping_config
from torch import Tensor, nn

import shapeguard
from shapeguard.enforcement import TypeCheckError, finding_of, guard, items
from shapeguard.errors import GuardTargetError, ShapeguardError


def f32(*shape: int) -> Tensor:
    return torch.zeros(shape)


def i64(*shape: int) -> Tensor:
    return torch.zeros(shape, dtype=torch.int64)


@guard
def scale(x: Float[Tensor, "b d"], by: Float[Tensor, "d"]) -> Float[Tensor, "b d"]:
    """Multiply."""
    return x * by


def reject(function: Callable[..., Any], *args: Any, **kwargs: Any) -> TypeCheckError:
    with pytest.raises(TypeCheckError) as caught:
        function(*args, **kwargs)
    return caught.value


# --- the same verdicts as jaxtyping with beartype


def same(x: Float[Tensor, "b d"], y: Float[Tensor, "d"]) -> Float[Tensor, "b"]:
    return x @ y


def identity(x: Float[Tensor, "n"], y: Any = None) -> Float[Tensor, "n"]:
    return x if y is None else y


def inside(x: Float[Tensor, "n"], y: Tensor) -> Float[Tensor, "k"]:
    print_bindings()
    print(isinstance(y, Float[Tensor, "n k"]))  # noqa: T201
    print_bindings()
    return y[0]


def spread(*xs: Float[Tensor, "*b n"], **more: Int[Tensor, "n"]) -> None:
    print_bindings()


def union(x: Float[Tensor, "a b"] | Int[Tensor, "a"], y: Float[Tensor, "a"] | None = None) -> None:
    print_bindings()


def loose(x: Float[Tensor, "#n *#b"], y: Float[Tensor, "n *b"]) -> None:
    print_bindings()


def symbolic(x: Float[Tensor, "n"], y: Float[Tensor, "n+1"]) -> Float[Tensor, "2*n"]:
    return torch.cat([x, x])


def outside(n: int, x: Float[Tensor, "{n}"]) -> None: ...


def unknown(x: Float[Tensor, "n+1"]) -> None: ...


def per_leaf(x: Float[Tensor, "?n"]) -> None: ...


def plain(n: int, s: str = "", *, mode: Literal["a", "b"] = "a", xs: list[int] | None = None) -> int:
    return n


def wrong_default(x: Float[Tensor, "n"] = None) -> None: ...  # type: ignore[assignment]


def nothing(x: Float[Tensor, "n"]) -> None:
    return x  # type: ignore[return-value]


def resizing(x: Float[Tensor, "n"], to: int) -> None:
    x.resize_(to)


def shaped(x: Shaped[Tensor, "..."], y: Bool[np.ndarray, "_ 2"], z: Float32[Tensor, ""]) -> None: ...


def annotated(x: Annotated[Float[Tensor, "n"], "in metres"]) -> None: ...


def yielding(x: Float[Tensor, "n"]) -> Iterator[Float[Tensor, "n"]]:
    yield x
    yield x[:1]


def failing(x: Float[Tensor, "n"]) -> None:
    raise ZeroDivisionError


CALLS: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = [
    (same, (f32(2, 3), f32(3)), {}),
    (same, (f32(2, 3), f32(2)), {}),
    (same, (f32(2, 3),), {"y": f32(3)}),
    (same, (f32(2, 3),), {}),
    (same, (f32(2, 3), f32(3), 1), {}),
    (same, (f32(2, 3, 4), f32(3)), {}),
    (same, (f32(0, 3), f32(3)), {}),
    (same, (i64(2, 3), f32(3)), {}),
    (same, (np.zeros((2, 3), np.float32), f32(3)), {}),
    (same, (nn.Parameter(f32(2, 3)), f32(3)), {}),
    (identity, (f32(2),), {}),
    (identity, (f32(2), f32(2)), {}),
    (identity, (f32(2), f32(3)), {}),
    (identity, (f32(2), 3), {}),
    (inside, (f32(2), f32(2, 3)), {}),
    (inside, (f32(2), f32(3, 2)), {}),
    (inside, (f32(2), f32(2, 1)), {}),
    (spread, (f32(2, 3), f32(2, 3)), {"a": i64(3)}),
    (spread, (f32(2, 3), f32(3)), {}),
    (spread, (f32(2, 3),), {"a": i64(2)}),
    (spread, (), {}),
    (union, (f32(2, 3), f32(2)), {}),
    (union, (i64(2), f32(2)), {}),
    (union, (i64(2), f32(3)), {}),
    (union, (i64(2, 3),), {}),
    (loose, (f32(1, 1, 4), f32(5, 3, 4)), {}),
    (loose, (f32(5, 2, 4), f32(5, 3, 4)), {}),
    (loose, (f32(4), f32(1)), {}),
    (symbolic, (f32(2), f32(3)), {}),
    (symbolic, (f32(2), f32(2)), {}),
    (outside, (2, f32(2)), {}),
    (outside, (2, f32(3)), {}),
    (unknown, (f32(3),), {}),
    (per_leaf, (f32(3),), {}),
    (plain, (1,), {"mode": "b"}),
    (plain, (1,), {"mode": "c"}),
    (plain, (True, 1), {}),
    (plain, (1,), {"xs": ["a"]}),
    (wrong_default, (), {}),
    (wrong_default, (None,), {}),
    (nothing, (f32(2),), {}),
    (resizing, (f32(2), 2), {}),
    (resizing, (f32(2), 3), {}),
    (shaped, (i64(1), np.zeros((9, 2), bool), f32()), {}),
    (shaped, (i64(1), np.zeros((9, 3), bool), f32()), {}),
    (shaped, (i64(1), np.zeros((9, 2), bool), f32(1)), {}),
    (annotated, (f32(2),), {}),
    (annotated, (f32(2, 2),), {}),
    (yielding, (f32(2),), {}),
    (yielding, (f32(2, 2),), {}),
    (failing, (f32(2),), {}),
]


def outcome(
    function: Callable[..., Any], args: Any, kwargs: Any, capsys: pytest.CaptureFixture[str]
) -> tuple[str, str]:
    args = copy.deepcopy(args)
    try:
        function(*args, **kwargs)
    except Exception as error:  # noqa: BLE001  whatever it raises is its verdict
        verdict_ = type(error).__name__
    else:
        verdict_ = "accepted"
    return verdict_, capsys.readouterr().out


@pytest.mark.parametrize(("function", "args", "kwargs"), CALLS)
def test_verdict_and_bindings_are_those_of_jaxtyping_with_beartype(
    function: Callable[..., Any], args: Any, kwargs: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = outcome(jaxtyped(typechecker=beartype)(function), args, kwargs, capsys)
    assert outcome(guard(function), args, kwargs, capsys) == theirs


def test_the_table_of_calls_holds_both_verdicts_and_some_bindings(capsys: pytest.CaptureFixture[str]) -> None:
    outcomes = [
        outcome(jaxtyped(typechecker=beartype)(function), args, kwargs, capsys) for function, args, kwargs in CALLS
    ]
    verdicts = [verdict_ for verdict_, _ in outcomes]
    assert min(verdicts.count("accepted"), verdicts.count("TypeCheckError")) >= 18
    assert {"TypeError", "AnnotationError", "ZeroDivisionError"} <= set(verdicts)
    assert any("k=3" in out for _, out in outcomes)


# --- what the caller sees


def test_the_error_stands_alone() -> None:
    try:
        raise KeyError  # noqa: TRY301  the guard is called while another error is handled
    except KeyError:
        error = reject(scale, f32(2, 3), f32(4))
    assert type(error) is TypeCheckError
    assert error.__cause__ is None
    assert error.__suppress_context__


def test_the_traceback_holds_the_call_and_one_frame_that_asks_to_be_hidden() -> None:
    error = reject(scale, f32(2, 3), f32(4))
    own = [frame for frame, _ in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename != __file__]
    assert [frame.f_code.co_name for frame in own] == ["guarded"]
    assert own[0].f_locals["__tracebackhide__"] is True


def test_an_error_of_the_body_shows_no_frame_of_the_checker_even_through_two_guards() -> None:
    @guard
    def outer(x: Float[Tensor, "b d"]) -> Float[Tensor, "b d"]:
        return scale(x, f32(7))

    error = reject(outer, f32(2, 3))
    names = [frame.f_code.co_name for frame, _ in traceback.walk_tb(error.__traceback__)]
    assert names == ["reject", "guarded", "outer", "guarded"]
    assert str(error).startswith("scale(by): dim 0 of by is 7, but d is 3")


def test_an_error_that_the_body_raises_is_the_callers_own() -> None:
    original = TypeCheckError("mine")

    @guard
    def raising(x: Float[Tensor, "n"]) -> None:
        raise original

    assert reject(raising, f32(2)) is original
    assert str(original) == "mine"
    assert finding_of(original) is None


def test_a_call_that_does_not_fit_the_signature_is_a_plain_type_error() -> None:
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'by'") as caught:
        scale(f32(2, 3))  # type: ignore[call-arg]
    assert not isinstance(caught.value, TypeCheckError)


def test_no_value_of_a_tensor_is_in_the_message() -> None:
    telling = torch.full((2, 3), 8675309.0)
    integers = torch.full((4,), 424242)

    @guard
    def mixed(
        x: Float[Tensor, "a b"] | None, y: Float[Tensor, "a"] | Int[Tensor, "a a"], z: list[Int[Tensor, "a a"]]
    ) -> None: ...

    errors = [
        reject(mixed, telling, telling, []),
        reject(mixed, telling, integers, []),
        reject(mixed, integers, integers, []),
        reject(mixed, None, telling[:, 0], [integers]),
        reject(mixed, {"x": telling}, None, []),
        reject(guard(identity), telling[0], [telling]),
    ]
    for error in errors:
        finding = finding_of(error)
        assert finding is not None
        for text in (str(error), finding.to_json()):
            assert "8675309" not in text
            assert "424242" not in text
            assert "8.6753" not in text


def test_a_rejection_formats_no_tensor(monkeypatch: pytest.MonkeyPatch) -> None:
    formatted: list[object] = []
    monkeypatch.setattr(Tensor, "__repr__", lambda self, **_: formatted.append(id(self)) or "")
    repr(f32(1))
    assert len(formatted) == 1
    reject(scale, f32(2, 3), f32(4))
    reject(guard(union), i64(2, 3))
    reject(guard(nothing), f32(2))
    assert len(formatted) == 1


def test_tensors_without_data_are_judged_as_others_are() -> None:
    meta = torch.zeros(2, 3, device="meta")
    assert scale(meta, torch.zeros(3, device="meta")).shape == (2, 3)
    assert "dim 0 of by is 4, but d is 3" in str(reject(scale, meta, torch.zeros(4, device="meta")))


@pytest.mark.parametrize(
    "call",
    [
        lambda x: scale(x, f32(99)),
        lambda x: scale(f32(2, 3), x),
        lambda x: guard(nothing)(x[0]),
        lambda x: guard(union)(x, x),
        lambda x: asyncio.run(slow(x)),
    ],
)
def test_the_error_keeps_no_tensor_of_the_call(call: Callable[[Tensor], object]) -> None:
    gc.disable()
    try:
        tensor = f32(5, 5)
        alive = weakref.ref(tensor)
        error = None
        try:
            call(tensor)
        except TypeCheckError as caught:
            error = caught.with_traceback(None)
        assert error is not None
        del tensor
        assert alive() is None
    finally:
        gc.enable()


def test_a_dropped_error_dies_at_once() -> None:
    gc.disable()
    try:
        try:
            scale(f32(2, 3), f32(4))
        except TypeCheckError as error:
            alive = weakref.ref(error)
        assert alive() is None
    finally:
        gc.enable()


def test_a_rejected_temporary_dies_while_its_error_with_traceback_lives() -> None:
    kept: list[weakref.ref[Tensor]] = []

    def temporary() -> Tensor:
        tensor = f32(4)
        kept.append(weakref.ref(tensor))
        return tensor

    gc.disable()
    try:
        with pytest.raises(TypeCheckError) as caught:
            scale(f32(2, 3), temporary())
        assert caught.value.__traceback__ is not None
        assert kept[0]() is None
    finally:
        gc.enable()


def test_without_beartypes_hidden_parameter_the_message_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(items, "_VIOLATION", "__not_there")
    error = reject(guard(same), f32(2, 3), f32(4))
    assert str(error).splitlines()[0] == "same(y): dim 0 of y is 4, but d is 3, bound by x dim 1"
    error = reject(guard(union), i64(2, 3))
    assert str(error).splitlines()[0] == "union(): an argument does not satisfy its annotation"
    error = reject(guard(identity), f32(2), f32(3))
    assert str(error).splitlines()[0] == "return of identity(): dim 0 is 3, but n is 2, bound by x dim 0"


# --- what is decorated


def test_a_guarded_function_is_still_itself_to_those_who_look() -> None:
    assert scale.__name__ == scale.__qualname__ == "scale"
    assert scale.__doc__ == "Multiply."
    assert list(inspect.signature(scale).parameters) == ["x", "by"]
    assert inspect.getsource(scale).startswith("@guard\ndef scale")
    assert pickle.loads(pickle.dumps(scale)) is scale  # noqa: S301  what was pickled a moment ago
    assert shapeguard.guard is guard


def test_guarding_twice_is_guarding_once() -> None:
    assert guard(scale) is scale


class Layer(nn.Module):
    @guard
    def forward(self, x: Float[Tensor, "b 3"]) -> Float[Tensor, "b 3"]:
        return x

    @guard
    @staticmethod
    def fixed(x: Float[Tensor, "3"]) -> None: ...

    @staticmethod
    @guard
    def fixed_inside(x: Float[Tensor, "3"]) -> None: ...

    @guard
    @classmethod
    def build(cls, x: Float[Tensor, "3"]) -> "Layer":
        return cls()

    @guard
    @property
    def width(self) -> int:
        """Its width."""
        return self.__dict__.get("given", "none")  # type: ignore[no-any-return]

    @width.setter
    def width(self, value: int) -> None:
        self.__dict__["given"] = value


def test_methods_of_every_kind_are_checked() -> None:
    layer = Layer()
    assert layer(f32(2, 3)).shape == (2, 3)
    assert str(reject(layer, f32(2, 4))).startswith("Layer.forward(x): dim 1 of x is 4, expected 3\n  x  f32[2, 4]")
    for call in (Layer.fixed, layer.fixed, Layer.fixed_inside, Layer.build, layer.build):
        call(f32(3))
        assert "dim 0 of x is 4, expected 3" in str(reject(call, f32(4)))
    assert type(Layer.build(f32(3))) is Layer
    assert Layer.width.__doc__ == "Its width."  # type: ignore[attr-defined]
    assert str(reject(lambda: layer.width)).startswith("return of Layer.width(): the type is str, expected int")
    layer.width = 4
    assert layer.width == 4


@guard
class Whole(nn.Module):
    size: int = 3

    def __init__(self, size: int = 3) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Float[Tensor, "b n"], y: Float[Tensor, "n"]) -> Float[Tensor, "b n"]:
        return self._free(x) * y

    def _free(self, x):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        return x

    @classmethod
    def of(cls, size: int) -> "Whole":
        return cls(size)

    @property
    def doubled(self) -> int:
        return self.size * 2


def test_a_class_as_a_whole_has_its_annotated_methods_checked_and_is_the_same_class() -> None:
    whole = Whole.of(4)
    assert whole(f32(2, 3), f32(3)).shape == (2, 3)
    assert str(reject(whole, f32(2, 3), f32(2))).startswith("Whole.forward(y): dim 0 of y is 2, but n is 3")
    assert str(reject(Whole, "4")).startswith("Whole(size): size is str, expected int")
    assert str(reject(Whole.of, "4")).startswith("Whole.of(size): size is str, expected int")
    whole.size = 1.5  # type: ignore[assignment]
    assert str(reject(lambda: whole.doubled)).startswith("return of Whole.doubled(): the type is float, expected int")
    assert not hasattr(Whole._free, "__wrapped__")
    assert Whole.__name__ == "Whole"


@guard
@dataclass(frozen=True, slots=True)
class Pair:
    x: Float[Tensor, "b d"]
    y: Float[Tensor, "d"]

    def times(self, z: Float[Tensor, "d d"]) -> Tensor:
        return self.x @ z


def test_a_dataclass_checks_its_fields_when_it_is_made_and_its_methods_when_called() -> None:
    pair = Pair(f32(2, 3), y=f32(3))
    assert pair.y.shape == (3,)
    assert str(reject(Pair, f32(2, 3), f32(2))).splitlines() == [
        "Pair(y): dim 0 of y is 2, but d is 3, bound by x dim 1",
        '  x  f32[2, 3]  Float[Tensor, "b d"]',
        '  y  f32[2]     Float[Tensor, "d"]',
        "With dims 0 and 1 swapped, x would fit.",
    ]
    assert str(reject(pair.times, f32(2, 3))).startswith("Pair.times(z): dim 1 of z is 3, but d is 2")


def test_a_subclass_of_a_guarded_class_is_not_guarded_by_itself() -> None:
    class Part(Whole):
        def more(self, n: int) -> int:
            return n

    assert Part().more("a") == "a"  # type: ignore[arg-type, comparison-overlap]


def test_an_abstract_method_stays_abstract() -> None:
    @guard
    class Base(abc.ABC):
        @abc.abstractmethod
        def run(self, n: int) -> int: ...

    with pytest.raises(TypeError, match="abstract"):
        Base()  # type: ignore[abstract]


def test_a_named_tuple_can_be_an_argument() -> None:
    class Both(NamedTuple):
        x: Tensor
        y: Tensor

    @guard
    def take(both: Both) -> None: ...

    take(Both(f32(1), f32(2)))
    assert "both is list, expected Both" in str(reject(take, [f32(1), f32(2)]))


@guard
async def slow(x: Float[Tensor, "n"], y: Tensor | None = None) -> Float[Tensor, "n"]:
    await asyncio.sleep(0)
    return x if y is None else y


def test_the_awaited_result_of_a_coroutine_function_is_checked() -> None:
    assert inspect.iscoroutinefunction(slow)
    assert asyncio.run(slow(f32(3))).shape == (3,)
    assert asyncio.run(slow(f32(3), f32(3))).shape == (3,)
    with pytest.raises(
        TypeCheckError, match=r"^return of slow\(\): dim 0 is 4, but n is 3, bound by x dim 0\n"
    ) as caught:
        asyncio.run(slow(f32(3), f32(4)))
    assert '  return  f32[4]  Float[Tensor, "n"]' in str(caught.value).splitlines()
    with pytest.raises(TypeCheckError, match=r"^slow\(x\): ndim of x is 2"):
        asyncio.run(slow(f32(3, 3)))


def test_an_argument_that_a_coroutine_resizes_is_said_to_be_wrong_after_the_body() -> None:
    @guard
    async def resizes(x: Float[Tensor, "2"]) -> None:
        x.resize_(3)

    with pytest.raises(TypeCheckError, match=r"^resizes\(x\), when the body had run: dim 0 of x is 3, expected 2\n"):
        asyncio.run(resizes(f32(2)))


def test_a_coroutine_function_without_a_return_annotation_may_return_anything() -> None:
    @guard
    async def free(x: Float[Tensor, "n"], **more: int):  # type: ignore[no-untyped-def]  # noqa: ANN202
        return x, more

    assert asyncio.run(free(f32(3), a=1))[1] == {"a": 1}
    with pytest.raises(TypeCheckError, match=r"^free\(more\): a is str, expected int"):
        asyncio.run(free(f32(3), a="1"))


def test_coroutines_that_interleave_do_not_mix_their_sizes() -> None:
    async def both() -> list[Tensor]:
        return await asyncio.gather(*(slow(f32(n)) for n in range(1, 20)))

    assert [tensor.shape[0] for tensor in asyncio.run(both())] == list(range(1, 20))


def test_a_generator_checks_its_arguments_at_the_call_and_yields_as_before() -> None:
    guarded = guard(yielding)
    assert [tensor.shape[0] for tensor in guarded(f32(3))] == [3, 1]
    assert str(reject(guarded, f32(3, 3))).startswith('yielding(x): ndim of x is 2, expected 1 ("n")')


def test_an_asynchronous_generator_is_accepted() -> None:
    @guard
    async def stream(x: Float[Tensor, "n"]) -> AsyncIterator[Tensor]:
        yield x

    async def collect() -> list[Tensor]:
        return [tensor async for tensor in stream(f32(2))]

    assert len(asyncio.run(collect())) == 1
    assert "ndim of x is 2" in str(reject(stream, f32(2, 2)))


def test_annotations_that_are_strings_are_enforced() -> None:
    namespace: dict[str, Any] = {"Float": Float, "Tensor": Tensor, "guard": guard, "__name__": __name__}
    source = (
        "from __future__ import annotations\n"
        "@guard\ndef f(x: Float[Tensor, 'b d'], y: Float[Tensor, 'd']) -> Float[Tensor, 'b']: return x @ y\n"
        "@guard\nasync def g(x: Float[Tensor, 'b']) -> Float[Tensor, 'b b']: return x\n"
    )
    exec(source, namespace)  # noqa: S102  the only way to have the future import in one test
    assert namespace["f"](f32(2, 3), f32(3)).shape == (2,)
    assert str(reject(namespace["f"], f32(2, 3), f32(2))).startswith(
        "f(y): dim 0 of y is 2, but d is 3, bound by x dim 1"
    )
    with pytest.raises(TypeCheckError, match=r'^return of g\(\): ndim is 1, expected 2 \("b b"\)'):
        asyncio.run(namespace["g"](f32(2)))


def test_a_name_that_cannot_be_resolved_is_not_enforced() -> None:
    @guard
    def f(x: "Nowhere") -> "Nowhere":  # type: ignore[name-defined]
        return x

    assert f(3) == 3


def test_an_error_in_an_annotation_is_jaxtypings_own() -> None:
    with pytest.raises(AnnotationError, match=r"n\+1"):
        guard(unknown)(f32(3))


def test_jaxtyping_can_be_switched_off_while_the_program_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jaxtyping_config, "jaxtyping_disable", True)
    assert guard(identity)(3) == 3
    assert asyncio.run(slow(3)) == 3  # type: ignore[arg-type, comparison-overlap]


def test_no_type_check_is_heeded_above_and_below_the_guard() -> None:
    @typing.no_type_check
    @guard
    def above(n: int) -> int:
        return n

    @guard
    @typing.no_type_check
    def below(n: int) -> int:
        return n

    assert above("a") == below("a") == "a"


def test_a_lambda_can_be_guarded() -> None:
    assert guard(lambda n: n + 1)(2) == 3


def test_a_decorator_beneath_the_guard_keeps_its_effect() -> None:
    def doubling(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def doubled(*args: Any) -> Any:
            return function(*args) * 2

        return doubled

    @guard
    @doubling
    def one(n: int) -> int:
        return n

    assert one(3) == 6
    assert "n is str, expected int" in str(reject(one, "3"))


def test_recursion_and_threads_keep_their_bindings_apart() -> None:
    @guard
    def shrink(x: Float[Tensor, "n"]) -> Float[Tensor, "n"]:
        if len(x) > 1:
            shrink(x[1:])
        return x

    failures: list[Exception] = []

    def work() -> None:
        try:
            for n in range(1, 12):
                shrink(f32(n))
        except TypeCheckError as error:
            failures.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not failures


@pytest.mark.parametrize("target", [3, "context", None, len, Layer(), [scale]])
def test_what_cannot_be_guarded_is_refused_in_one_sentence(target: Any) -> None:
    with pytest.raises(GuardTargetError, match=r"^guard was given an? \w+; it decorates functions") as caught:
        guard(target)
    assert isinstance(caught.value, ShapeguardError)
    assert caught.value.__cause__ is None
