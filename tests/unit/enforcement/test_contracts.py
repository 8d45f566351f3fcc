"""Contracts beyond shape and dtype, and lists of which every item is checked."""

# ruff: noqa: F821, ARG001, S311

import random
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import numpy as np
import pytest
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

import shapeguard
from shapeguard import Binary, Detached, Finite, Leaf, RequiresGrad, TypeCheckError, guard


def f32(*shape: int) -> Tensor:
    return torch.zeros(shape)


GRAD = f32(2).requires_grad_()
MADE = GRAD + 1
NAN = torch.tensor([1.0, float("nan"), float("inf"), -float("inf")])
HALVES = torch.tensor([0.0, 0.5, 1.0])

KEPT: list[tuple[Any, Any]] = [
    (RequiresGrad, GRAD),
    (RequiresGrad, MADE),
    (Leaf, GRAD),
    (Leaf, f32(2)),
    (Detached, f32(2)),
    (Detached, MADE.detach()),
    (Binary, f32(3)),
    (Binary, torch.ones(2, dtype=torch.int64)),
    (Binary, torch.tensor([True, False])),
    (Binary, f32(0)),
    (Binary, np.array([0, 1])),
    (Binary, torch.zeros(2, device="meta")),
    (Finite, f32(2)),
    (Finite, torch.tensor([3])),
    (Finite, GRAD),
    (Finite, np.array([1.5])),
    (Finite, torch.zeros(2, device="meta")),
    (RequiresGrad & Leaf, GRAD),
    (RequiresGrad | Binary, f32(2)),
    (~Leaf, MADE),
]

BROKEN: list[tuple[Any, Any, str]] = [
    (RequiresGrad, f32(2), "f(x): x is not RequiresGrad: it does not require grad"),
    (Leaf, MADE, "f(x): x is not Leaf: it was made by AddBackward0"),
    (Detached, GRAD, "f(x): x is not Detached: it requires grad"),
    (Detached, MADE, "f(x): x is not Detached: it requires grad, made by AddBackward0"),
    (Binary, HALVES, "f(x): x is not Binary: 1 of its 3 elements is neither 0 nor 1"),
    (Binary, np.array([2, 3]), "f(x): x is not Binary: 2 of its 2 elements are neither 0 nor 1"),
    (Finite, NAN, "f(x): x is not Finite: of its 4 elements, 1 NaN and 2 infinite"),
    (Finite, np.array([np.nan]), "f(x): x is not Finite: of its 1 elements, 1 NaN"),
    (RequiresGrad, np.zeros(2), "f(x): x is not RequiresGrad: it is ndarray"),
]


def taking(contract: Any) -> Callable[[Any], Any]:
    @guard
    def f(x: Annotated[Shaped[Any, "n"], contract]) -> None: ...

    return f


@pytest.mark.parametrize(("contract", "value"), KEPT)
def test_what_keeps_a_contract_is_accepted(contract: Any, value: Any) -> None:
    assert taking(contract)(value) is None


@pytest.mark.parametrize(("contract", "value", "line"), BROKEN)
def test_the_message_names_contract_and_argument_and_what_was_found(contract: Any, value: Any, line: str) -> None:
    with pytest.raises(TypeCheckError) as caught:
        taking(contract)(value)
    assert str(caught.value).splitlines()[0] == line
    assert f'Annotated[Shaped[Any, "n"], {line.split(" is not ")[1].partition(":")[0]}]' in str(caught.value)


@guard
def many(
    masks: list[Annotated[Float[Tensor, "n"], Binary]],
    weight: Annotated[Float[Tensor, "n"], RequiresGrad, Leaf] | None = None,
) -> Annotated[Float[Tensor, "n"], Finite]:
    return masks[0] / (masks[0].sum())


def test_contracts_hold_in_lists_optionals_and_the_return_position() -> None:
    assert many([torch.ones(2)]).shape == (2,)
    assert many([torch.ones(2)], GRAD).shape == (2,)
    for args, line in [
        (([torch.ones(2), torch.full((2,), 0.5)],), "many(masks): masks[1] is not Binary: 2 of its 2 elements are"),
        (([torch.ones(2)], f32(2)), "many(weight): weight is not RequiresGrad: it does not require grad"),
        (([torch.ones(2)], MADE), "many(weight): weight is not Leaf: it was made by AddBackward0"),
        (([torch.zeros(2)],), "return of many(): the result is not Finite: of its 2 elements, 2 NaN"),
    ]:
        with pytest.raises(TypeCheckError) as caught:
            many(*args)
        assert str(caught.value).startswith(line)


@pytest.mark.parametrize("kind", [list, tuple])
def test_every_item_of_a_list_is_checked_wherever_the_bad_one_is(kind: type) -> None:
    @guard
    def f(
        xs: Sequence[Float[Tensor, "n"]], *more: list[Int[Tensor, "m"]], n: tuple[int, list[int]] = (1, [])
    ) -> None: ...

    f(kind([f32(2)] * 4), [torch.ones(3, dtype=torch.int64)] * 2, n=(1, [1, 2]))
    for bad in range(4):
        with pytest.raises(TypeCheckError):
            f(kind([f32(3 if index == bad else 2) for index in range(4)]))
        with pytest.raises(TypeCheckError):
            f([], [torch.ones(3 + (index == bad), dtype=torch.int64) for index in range(4)])
        with pytest.raises(TypeCheckError):
            f([], n=(1, ["1" if index == bad else 1 for index in range(4)]))  # type: ignore[list-item]


def test_a_nested_list_is_checked_to_its_last_item() -> None:
    @guard
    def f(xs: list[list[Float[Tensor, "n"]]] | None) -> list[Float[Tensor, "n"]]:
        return [] if xs is None else [f32(2), f32(3)]

    assert f(None) == []
    with pytest.raises(TypeCheckError, match=r"^return of f\(\): dim 0 of return\[1\] is 3, but n is 2"):
        f([[f32(2)], [f32(2), f32(2)]])
    with pytest.raises(TypeCheckError):
        f([[f32(2)], [f32(2), f32(3)]])


def test_checking_lists_leaves_pythons_random_stream_as_it_was() -> None:
    @guard
    def f(xs: list[Float[Tensor, "n"]], ys: dict[str, int]) -> list[int]:
        return [1, 2, 3]

    random.seed(0)
    expected = random.random()
    random.seed(0)
    f([f32(2)] * 5, {"a": 1, "b": 2})
    assert random.random() == expected


def test_no_data_is_read_but_by_the_contracts_that_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    @guard
    def f(
        x: Annotated[Float[Tensor, "n"], RequiresGrad & Leaf], y: Annotated[Float[Tensor, "n"], Detached]
    ) -> Float[Tensor, "n"]:
        return x

    class Reading(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            message = f"{func} ran"
            raise AssertionError(message)

    detached = GRAD.detach()
    with Reading():
        f(GRAD, y=detached)


def test_contracts_have_their_home_in_shapeguard() -> None:
    assert {"Binary", "Detached", "Finite", "Leaf", "RequiresGrad"} <= set(shapeguard.__all__)
