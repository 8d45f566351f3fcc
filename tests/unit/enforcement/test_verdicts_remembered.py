"""Verdicts on pure but complicated annotations are remembered, and nothing else is."""

# ruff: noqa: F722, F821, ARG001

import gc
import sys
import threading
import weakref
from typing import Annotated, Any, Literal

import pytest
import torch
from beartype.vale import Is
from jaxtyping import Float, Int, _storage, print_bindings
from torch import Tensor

from shapeguard.enforcement import TypeCheckError, guard
from shapeguard.enforcement.keys import is_pure
from shapeguard.enforcement.plan import MAX_VERDICTS, REST, Plan


def f32(*shape: int) -> Tensor:
    return torch.zeros(shape)


def plan_of(function: Any) -> Plan:
    return next(one for one in function.__defaults__ if isinstance(one, Plan))


def batched(x: Float[Tensor, "*batch d"], y: Float[Tensor, "#d"] | None = None) -> Float[Tensor, "*batch d+1"]:
    return torch.cat([x, x[..., :1]], -1)


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    taken: list[str] = []
    for name in ("judge", "leave"):
        real = getattr(Plan, name)

        def spy(self: Plan, *args: Any, name: str = name, real: Any = real) -> Any:
            taken.append(name)
            return real(self, *args)

        monkeypatch.setattr(Plan, name, spy)
    return taken


def test_the_checkers_are_asked_once_for_each_combination_of_shapes(judged: list[str]) -> None:
    guarded = guard(batched)
    for _ in range(3):
        guarded(f32(2, 3))
        guarded(f32(4, 2, 3), f32(1))
        guarded(f32(4, 2, 3), y=None)
    assert judged == ["judge"] * 3


@pytest.mark.parametrize("args", [(f32(2, 3).long(),), (f32(),), (f32(2, 3), f32(2)), (f32(2, 3), f32(3, 3))])
def test_a_refusal_is_never_remembered(args: Any, judged: list[str]) -> None:
    guarded = guard(batched)
    guarded(f32(2, 3), f32(3))
    for _ in range(2):
        with pytest.raises(TypeCheckError):
            guarded(*args)
    assert judged == ["judge"] * 3


def test_a_remembered_call_shows_its_bindings_to_its_body(capsys: pytest.CaptureFixture[str]) -> None:
    @guard
    def f(x: Float[Tensor, "*s n"], y: Int[Tensor, "n"] | Float[Tensor, "m"]) -> None:
        print_bindings()

    for _ in range(2):
        f(f32(5, 2, 3), f32(4))
    out = capsys.readouterr().out
    assert out[: len(out) // 2] == out[len(out) // 2 :]
    assert "n=3" in out
    assert "s=torch.Size([5, 2])" in out or "s=(5, 2)" in out


def test_a_body_that_resizes_its_argument_is_found_out_on_a_remembered_call() -> None:
    @guard
    def f(x: Float[Tensor, "*s 2"], bad: bool) -> None:  # noqa: FBT001
        if bad:
            x.resize_(3)

    f(f32(2), False)  # noqa: FBT003
    with pytest.raises(TypeCheckError, match="when the body had run"):
        f(f32(2), True)  # noqa: FBT003


def test_code_in_a_dim_is_evaluated_at_each_call() -> None:
    class Owner:
        n = 2

        @guard
        def f(self, x: Float[Tensor, "*s {self.n}"]) -> None: ...

    owner = Owner()
    owner.f(f32(2))
    owner.n = 3
    owner.f(f32(3))
    with pytest.raises(TypeCheckError):
        owner.f(f32(2))


@pytest.mark.parametrize(
    ("annotation", "pure"),
    [
        (Float[Tensor, "*b #n n+1"], True),
        (Float[Tensor, "a"] | Int[Tensor, "b"], True),
        (tuple[Float[Tensor, "a"], int | None], True),
        (Float[Tensor, "{n}"], False),
        (Float[Tensor, "f(n)"], False),
        (Float[Tensor, "n.m"], False),
        (list[int], False),
        (tuple[int, ...], False),
        (Literal["a"], False),
        (Annotated[int, Is[lambda n: n > 0]], False),
        (Float[Any, "n"], False),
    ],
)
def test_only_what_follows_from_types_shapes_and_dtypes_is_remembered(annotation: Any, pure: bool) -> None:  # noqa: FBT001
    assert is_pure(annotation) is pure


def test_a_nested_tensor_which_has_no_shape_is_refused_by_the_checkers() -> None:
    nested = torch.nested.nested_tensor([f32(2), f32(3)])
    for function in (guard(batched), guard(lambda x: x)):
        function(f32(2, 3))
    with pytest.raises(TypeCheckError):
        guard(batched)(nested)


def test_what_is_remembered_is_bounded_and_holds_no_tensor() -> None:
    guarded = guard(batched)
    for size in range(MAX_VERDICTS + 10):
        guarded(f32(size + 1))
    assert len(plan_of(guarded).cache) == MAX_VERDICTS
    for _ in range(REST):
        guarded(f32(MAX_VERDICTS + 20))
    assert len(plan_of(guarded).cache) == 1
    gc.disable()
    try:
        tensor = f32(2, 3)
        alive = weakref.ref(tensor)
        guarded(tensor)
        guarded(tensor)
        del tensor
        assert alive() is None
    finally:
        gc.enable()


def test_a_guarded_function_dies_with_its_last_name() -> None:
    gc.disable()
    try:
        for function in (batched, lambda x: x):
            guarded = guard(function)
            guarded(f32(2, 3))
            alive = weakref.ref(guarded)
            del guarded
            assert alive() is None
    finally:
        gc.enable()


def test_threads_with_nesting_and_exceptions_agree_and_leave_their_stacks_empty() -> None:
    calls = 100_000
    threads_count = 8

    @guard
    def plain(x: Float[Tensor, "n"], depth: int) -> Float[Tensor, "n"]:
        if depth:
            pure(x[None], depth - 1)
        return x

    @guard
    def pure(x: Float[Tensor, "*b n"], depth: int) -> Float[Tensor, "*b n"]:
        if x.shape[-1] == 3:
            raise ZeroDivisionError
        if depth:
            plain(x[0], depth - 1)
        return x if depth != 1 else x[..., :1]

    expected = {(n, depth): None for n in range(1, 5) for depth in range(3)}
    for n, depth in expected:
        expected[n, depth] = _verdict(plain, n, depth)
    wrong: list[Any] = []
    left: list[Any] = []

    def work() -> None:
        for index in range(calls // threads_count // 2):
            n, depth = index % 4 + 1, index % 3
            if _verdict(plain, n, depth) != expected[n, depth]:
                wrong.append((n, depth))
        left.extend(_storage._shape_storage.memo_stack)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work) for _ in range(threads_count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert wrong == []
    assert left == []
    assert set(expected.values()) >= {"accepted", "ZeroDivisionError", "TypeCheckError"}


def _verdict(function: Any, n: int, depth: int) -> str:
    try:
        function(torch.zeros(n), depth)
    except Exception as error:  # noqa: BLE001
        return type(error).__name__
    return "accepted"
