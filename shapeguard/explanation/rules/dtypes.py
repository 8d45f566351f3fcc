"""dtypes that an operation cannot mix or does not take, and operands on different devices."""

import ast
from collections.abc import Iterator
from itertools import pairwise

from shapeguard.explanation.diagnosis import Candidate, Diagnosis, Rules, grouped, instead, rule
from shapeguard.explanation.operation import Argument, Operation

_FLOATS = ("float16", "bfloat16", "float32", "float64")
_SHORT = {"float32": "float()", "float64": "double()", "float16": "half()", "int64": "long()", "bool": "bool()"}


def _parameters(operation: Operation) -> list[Argument]:
    if not operation.is_layer or operation.layer is None:
        return []
    entries = list(vars(operation.layer.module)["_parameters"].items())
    return [Argument(f"{operation.layer.path}.{name}", value) for name, value in entries if value is not None]


def _devices(operation: Operation) -> Diagnosis | None:
    tensors = [a for a in [*operation.tensors(), *_parameters(operation)] if a.ndim or len(operation.tensors()) < 2]
    first = tensors[0] if tensors else None
    other = next((a for a in tensors if first is not None and a.value.device != first.value.device), None)
    if first is None or other is None:
        return None
    written = first if other.node is None else other
    wanted = other if written is first else first
    candidates: list[Candidate] = instead(written, f"{grouped(written)}.to({grouped(wanted)}.device)", "on one device")
    return Diagnosis(
        "device",
        f"{first.text} is on {first.value.device}, {other.text} is on {other.value.device}: they must be on one device",
        (
            operation.conflict(first, None, "device", str(first.value.device)),
            operation.conflict(other, None, "device", str(other.value.device)),
        ),
        candidates=candidates,
    )


def _mixed(operation: Operation) -> Diagnosis | None:
    """Products and layers take one dtype."""
    tensors = [*operation.tensors(), *_parameters(operation)]
    if not any(
        word in operation.message
        for word in (
            "dtype",
            "scalar type",
            "same type",
            "should be the same",
            "data type",
            "Float",
            "Double",
            "Half",
            "Long",
        )
    ):
        return None
    for first, other in pairwise(tensors):
        if first.dtype != other.dtype:
            return Diagnosis(
                "dtype-mismatch",
                f"{first.text} is {first.dtype}, {other.text} is {other.dtype}: they must be equal",
                (
                    operation.conflict(first, None, "dtype", first.dtype),
                    operation.conflict(other, None, "dtype", other.dtype),
                ),
                candidates=tuple(_converted(first, other)),
            )
    return None


def _converted(first: Argument, other: Argument) -> Iterator[Candidate]:
    """The parameters keep their dtype; otherwise what is not a float32 becomes one, since that is torch's default."""
    pairs = [(other, first), (first, other)]
    whole_first = first.dtype not in _FLOATS
    if other.node is None or whole_first or first.dtype == "float64":
        pairs.reverse()
    for changed, kept in pairs:
        if changed.node is None or (changed.dtype in _FLOATS and kept.dtype not in _FLOATS):
            continue
        method = _SHORT.get(kept.dtype, f"to({grouped(kept)}.dtype)")
        yield from instead(changed, f"{grouped(changed)}.{method}", f"{changed.text} as {kept.dtype}")


def _not_taken(operation: Operation) -> Diagnosis | None:
    """A mean of whole numbers, a softmax of a mask, `~` of floats."""
    tensor = operation.tensor(0, "input")
    if tensor is None:
        return None
    message = operation.message
    whole = tensor.dtype not in _FLOATS and not tensor.dtype.startswith("complex")
    if whole and any(
        text in message for text in ("floating point", "not implemented for", "could not infer output dtype")
    ):
        candidates: list[Candidate] = instead(tensor, f"{grouped(tensor)}.float()", f"{tensor.text} as float32")
        if operation.name == "sub":
            return None
        return Diagnosis(
            "dtype-needed",
            f"{tensor.text} is {tensor.dtype}, {operation.name} takes floating point numbers",
            (operation.conflict(tensor, None, "dtype", tensor.dtype),),
            candidates=candidates,
        )
    if (
        not whole
        and operation.name.startswith(("bitwise", "logical"))
        and ("not implemented for" in message or "only implemented on" in message)
    ):
        floats = [a for a in operation.tensors() if a.dtype in _FLOATS]
        edits = tuple((a.node, f"{grouped(a)}.bool()") for a in floats if a.node is not None)
        return Diagnosis(
            "dtype-needed",
            f"{tensor.text} is {tensor.dtype}, {operation.name} takes masks and whole numbers",
            (operation.conflict(tensor, None, "dtype", tensor.dtype),),
            candidates=[Candidate("a mask", edits)] if edits else (),
        )
    return None


def _masked(operation: Operation) -> Diagnosis | None:
    """Masks that are not bool."""
    mask = operation.tensor(1, "mask") if operation.name != "where" else operation.tensor(0, "condition")
    if mask is None or mask.dtype == "bool" or "bool" not in operation.message.lower():
        return None
    return Diagnosis(
        "mask-dtype",
        f"{mask.text} is {mask.dtype}, a mask must be bool",
        (operation.conflict(mask, None, "dtype", mask.dtype),),
        candidates=instead(mask, f"{grouped(mask)}.bool()", "a mask"),
    )


def _bool_minus(operation: Operation) -> Diagnosis | None:
    """`1 - mask` and `a - b` of masks."""
    masks = [argument for argument in operation.tensors() if argument.dtype == "bool"]
    if not masks or "bool" not in operation.message:
        return None
    mask, node = masks[0], operation.node
    candidates: list[Candidate] = []
    if isinstance(node, ast.BinOp) and isinstance(node.left, ast.Constant) and node.left.value == 1:
        candidates.append(Candidate("the mask inverted", ((node, f"~{grouped(mask)}"),)))
    if len(masks) == 2 and isinstance(node, ast.BinOp):
        candidates.append(Candidate("where they differ", ((node, f"{grouped(masks[0])} ^ {grouped(masks[1])}"),)))
    candidates += instead(mask, f"{grouped(mask)}.float()", f"{mask.text} as float32")
    return Diagnosis(
        "dtype-needed",
        f"{mask.text} is bool, and - is not defined for masks",
        (operation.conflict(mask, None, "dtype", "bool"),),
        candidates=candidates,
    )


def _cast(operation: Operation) -> Diagnosis | None:
    """`counts /= total`: the result does not fit the dtype of the target."""
    target = operation.tensor(0)
    if target is None or "can't be cast" not in operation.message:
        return None
    candidates: list[Candidate] = []
    node = operation.node
    signs = {"add_": "+", "sub_": "-", "mul_": "*", "div_": "/"}
    if isinstance(node, ast.AugAssign) and operation.name in signs:
        text = f"{target.text} = {target.text} {signs[operation.name]} {grouped(operation.args[1])}"
        candidates.append(Candidate("a new tensor instead of a change in place", ((node, text),)))
    statement = operation.failure.statement()
    if isinstance(statement, ast.Expr) and isinstance(target.node, ast.Name) and operation.name in signs:
        # Without a target the new tensor would be dropped.
        text = f"{target.text} = {target.text} {signs[operation.name]} {grouped(operation.args[1])}"
        candidates.append(Candidate("a new tensor instead of a change in place", ((statement, text),)))
    return Diagnosis(
        "dtype-cast",
        f"{target.text} is {target.dtype} and keeps its dtype in place, the result is of a floating point dtype",
        (operation.conflict(target, None, "dtype", target.dtype),),
        candidates=candidates,
    )


RULES: Rules = (
    rule("", _devices),
    rule("add_ sub_ mul_ div_ pow_ floor_divide_", _cast),
    rule("sub", _bool_minus),
    rule("masked_fill masked_fill_ masked_select where", _masked),
    rule(
        "matmul mm mv bmm dot vdot linear Linear addmm baddbmm inner einsum conv1d conv2d conv3d Conv1d Conv2d Conv3d ConvTranspose2d "
        "LSTM GRU RNN MultiheadAttention scaled_dot_product_attention LayerNorm layer_norm BatchNorm1d BatchNorm2d GroupNorm "
        "index_add index_add_ scatter_add lerp addcmul mse_loss MSELoss index_copy bilinear cdist outer tensordot setitem solve",
        _mixed,
    ),
    rule(
        "mean softmax log_softmax Softmax std var norm bitwise_not bitwise_and bitwise_or bitwise_xor logsumexp sigmoid dropout "
        "log_softmax cdist layer_norm gelu GELU median quantile inverse det relu normalize softplus LogSoftmax silu",
        _not_taken,
    ),
)
