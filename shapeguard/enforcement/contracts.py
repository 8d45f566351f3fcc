"""Contracts for what jaxtyping cannot say: `Annotated[Float[Tensor, "b t f"], RequiresGrad]`.

Each is a validator of beartype, to be used in `Annotated`, also within Optional, lists and the return annotation.
Combine them with a comma, `&`, `|` and `~`. Under torch.compile they are not checked.
"""

from typing import Any

from beartype.vale import Is

from shapeguard.tensors import is_tensor


def _requires_grad(value: Any) -> bool:
    return is_tensor(value) and bool(value.requires_grad)


def _is_leaf(value: Any) -> bool:
    return is_tensor(value) and bool(value.is_leaf)


def _is_detached(value: Any) -> bool:
    return is_tensor(value) and not value.requires_grad


def _is_binary(value: Any) -> bool:
    if _is_without_data(value):
        return True
    if str(value.dtype).rpartition(".")[2] == "bool":
        return True
    return bool(((value == 0) | (value == 1)).all())


def _is_finite(value: Any) -> bool:
    if _is_without_data(value) or not _may_be_infinite(value):
        return True
    if is_tensor(value):
        return bool(value.detach().isfinite().all())
    # An array of numpy, or of another library: what is not finite is not equal to itself times zero.
    return bool((value * 0 == 0).all())


def _is_without_data(value: Any) -> bool:
    """Whether there are no elements to read: the meta device, and tensors of abstract execution."""
    if not is_tensor(value):
        return False
    return bool(value.is_meta) or type(value).__name__ in ("FakeTensor", "FunctionalTensor")


def _may_be_infinite(value: Any) -> bool:
    name = str(value.dtype).rpartition(".")[2]
    return name.startswith(("float", "bfloat", "complex"))


RequiresGrad: Any = Is[_requires_grad]
"""A tensor that gradient is recorded for. Reads an attribute, no data."""

Leaf: Any = Is[_is_leaf]
"""A tensor that was made by the user and not by an operation on what requires grad. Reads an attribute, no data."""

Detached: Any = Is[_is_detached]
"""A tensor that no gradient flows through. Reads an attribute, no data."""

Binary: Any = Is[_is_binary]
"""Only zeros and ones, whatever the dtype. Reads every element: three passes over the data, and on a GPU the host waits
for all work that was queued. A bool tensor is not read, nor is one that has no data (meta, fake)."""

Finite: Any = Is[_is_finite]
"""No infinity and no NaN. Reads every element: two passes over the data, and on a GPU the host waits for all work that
was queued. Integers are not read, nor is a tensor that has no data (meta, fake)."""

NAMES: dict[int, str] = {
    id(contract): name
    for name, contract in (
        ("RequiresGrad", RequiresGrad),
        ("Leaf", Leaf),
        ("Detached", Detached),
        ("Binary", Binary),
        ("Finite", Finite),
    )
}


def contract_text(metadata: Any) -> str:
    """How a contract is written in a message; an ellipsis for what is not ours.

    >>> contract_text(Leaf)
    'Leaf'
    """
    return NAMES.get(id(metadata), "…")


def broken_contract(metadata: Any, value: Any) -> str | None:
    """What was found instead of what one of our contracts asks for; None where it is kept, or is not ours.

    >>> broken_contract(Leaf, 3)
    'it is int'
    """
    name = NAMES.get(id(metadata))
    if name is None or metadata.is_valid(value):
        return None
    if not is_tensor(value) and name in ("RequiresGrad", "Leaf", "Detached"):
        return f"it is {type(value).__name__}"
    found: str = _FOUND[name](value)
    return found


def _found_gradient(value: Any) -> str:
    node = value.grad_fn
    return "it requires grad" if node is None else f"it requires grad, made by {type(node).__name__}"


def _found_no_leaf(value: Any) -> str:
    return f"it was made by {type(value.grad_fn).__name__}"


def _found_others(value: Any) -> str:
    # How many, and not which: no values in messages.
    count = int(((value != 0) & (value != 1)).sum())
    return f"{count} of its {_numel(value)} elements {'is' if count == 1 else 'are'} neither 0 nor 1"


def _found_infinite(value: Any) -> str:
    nan = int((value != value).sum())  # noqa: PLR0124  NaN alone differs from itself
    infinite = int((value * 0 != 0).sum()) - nan
    kinds = [f"{count} {kind}" for count, kind in ((nan, "NaN"), (infinite, "infinite")) if count]
    return f"of its {_numel(value)} elements, {' and '.join(kinds)}"


def _numel(value: Any) -> int:
    return int(value.numel() if is_tensor(value) else value.size)


_FOUND: Any = {
    "RequiresGrad": lambda _: "it does not require grad",
    "Leaf": _found_no_leaf,
    "Detached": _found_gradient,
    "Binary": _found_others,
    "Finite": _found_infinite,
}
