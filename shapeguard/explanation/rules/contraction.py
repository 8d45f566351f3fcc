"""Products: `@`, matmul, mm, mv, bmm, dot, addmm, and linear layers."""

from collections.abc import Iterator
from math import prod

from shapeguard.explanation.constructors import preceded, rebuilt
from shapeguard.explanation.diagnosis import (
    Candidate,
    Diagnosis,
    Rules,
    counted,
    grouped,
    instead,
    rewritten,
    rule,
    sizes_text,
    together,
    untransposed,
)
from shapeguard.explanation.operation import Argument, Operation
from shapeguard.explanation.shapes import alignments, broadcast_clash, index_text, moved

_NDIMS = {"mm": (2, 2), "mv": (2, 1), "bmm": (3, 3), "dot": (1, 1), "vdot": (1, 1)}


def _product(operation: Operation) -> Diagnosis | None:
    left, right = operation.tensor(0, "input"), operation.tensor(1, "other", "mat2", "vec", "vec2", "tensor")
    if left is None or right is None:
        return None
    wanted = _NDIMS.get(operation.name)
    if wanted is not None and (left.ndim, right.ndim) != wanted:
        return _ndim(operation, left, right, wanted)
    if not left.ndim or not right.ndim:
        return _scalar(operation, left, right)
    inner = right.ndim - 2 if right.ndim > 1 else 0
    if left.shape[-1] != right.shape[inner]:
        return _contracted(operation, left, right, inner)
    clash = broadcast_clash(left.shape[:-2], right.shape[:-2])
    if clash is None or operation.name not in ("matmul", "bmm"):
        return None
    return _batch(operation, left, right, clash)


def _contracted(operation: Operation, left: Argument, right: Argument, inner: int) -> Diagnosis:
    last = left.ndim - 1
    return Diagnosis(
        "matmul-contraction",
        f"dim {last} of {left.text} is {left.shape[last]}, dim {inner} of {right.text} is {right.shape[inner]}: "
        "they must be equal to be contracted",
        (
            operation.conflict(left, last, "size", left.shape[last]),
            operation.conflict(right, inner, "size", right.shape[inner]),
        ),
        candidates=tuple(_meant(operation, left, right)),
    )


def _meant(operation: Operation, left: Argument, right: Argument) -> Iterator[Candidate]:
    for argument in (right, left):
        inner = untransposed(argument.node)
        if inner is not None and argument.ndim > 2:
            yield from instead(argument, f"{operation.text(inner)}.mT", "the last two dims swapped, not others")
        if inner is not None:
            yield from instead(argument, operation.text(inner), f"{operation.text(inner)} without its transpose")
    plain = [argument for argument in (right, left) if untransposed(argument.node) is None]
    if (left.ndim == 1 and right.ndim > 1) or (right.ndim == 1 and left.ndim > 1):
        yield from _swapped(operation, left, right)
    for argument in plain:
        if argument.ndim > 1:
            attribute = "T" if argument.ndim == 2 else "mT"
            yield from instead(argument, f"{grouped(argument)}.{attribute}", f"{argument.text} transposed")
    if right.ndim in (1, 2) and left.ndim > 2 and prod(left.shape[1:]) == right.shape[0]:
        yield from instead(left, f"{grouped(left)}.flatten(1)", "the dims after the batch flattened")
    yield from _swapped(operation, left, right)
    if left.ndim > 2:
        for first, second in moved(left.shape, right.shape[-2] if right.ndim > 1 else right.shape[0], -1):
            yield from instead(left, f"{grouped(left)}.transpose({first}, {second})")


def _swapped(operation: Operation, left: Argument, right: Argument) -> Iterator[Candidate]:
    if operation.name == "matmul" and not operation.is_method and not operation.function:
        yield from rewritten(operation, f"{grouped(right)} @ {grouped(left)}", "the operands swapped")
    else:
        yield from together(
            ((left, right.text if not operation.is_method else grouped(right)), (right, left.text)),
            "the operands swapped",
        )


def _batch(operation: Operation, left: Argument, right: Argument, clash: tuple[int, int]) -> Diagnosis:
    first, second = clash
    small, large = (left, right) if left.ndim < right.ndim else (right, left)
    candidates: list[Candidate] = []
    for places in alignments(small.shape[:-2], large.shape[:-2]):
        index = index_text((*places, large.ndim - 2, large.ndim - 1), large.ndim)
        candidates += instead(small, f"{grouped(small)}{index}", f"{small.text} with a dim of size 1 in between")
    return Diagnosis(
        "matmul-batch",
        f"dim {first} of {left.text} is {left.shape[first]}, dim {second} of {right.text} is {right.shape[second]}: "
        "these batch dims must be equal" + (" or 1" if operation.name == "matmul" else ""),
        (
            operation.conflict(left, first, "size", left.shape[first]),
            operation.conflict(right, second, "size", right.shape[second]),
        ),
        candidates=candidates,
    )


def _ndim(operation: Operation, left: Argument, right: Argument, wanted: tuple[int, int]) -> Diagnosis:
    wrong = [(a, n) for a, n in zip((left, right), wanted, strict=True) if a.ndim != n]
    text = ", ".join(
        f"{argument.text} has {counted(argument.ndim)}, {operation.name} takes {n}" for argument, n in wrong
    )
    candidates: list[Candidate] = []
    if operation.name in ("dot", "vdot"):
        if left.shape == right.shape:
            candidates += rewritten(operation, f"({grouped(left)} * {grouped(right)}).sum()", "the sum of products")
        candidates += rewritten(operation, f"{grouped(left)} @ {grouped(right)}", "a matrix product")
    else:
        candidates += rewritten(operation, f"{grouped(left)} @ {grouped(right)}", "@ takes any number of batch dims")
    if operation.name == "bmm":
        for argument, n in wrong:
            if argument.ndim == n - 1:
                candidates += instead(argument, f"{grouped(argument)}.unsqueeze(0)")
    conflicts = tuple(operation.conflict(argument, None, "ndim", argument.ndim) for argument, _ in wrong)
    return Diagnosis("matmul-ndim", text, conflicts, candidates=candidates)


def _scalar(operation: Operation, left: Argument, right: Argument) -> Diagnosis:
    scalar = left if not left.ndim else right
    return Diagnosis(
        "matmul-ndim",
        f"{scalar.text} has no dims, a product contracts at least one",
        (operation.conflict(scalar, None, "ndim", 0),),
        candidates=rewritten(operation, f"{grouped(left)} * {grouped(right)}", "multiplied instead"),
    )


def _linear(operation: Operation) -> Diagnosis | None:
    inputs, weight, name = (
        operation.tensor(0, "input"),
        operation.tensor(1, "weight"),
        "F.linear multiplies by the transpose",
    )
    if operation.is_layer and operation.layer is not None:
        module = operation.layer.module
        inputs, name = operation.tensor(0, "input"), operation.layer.label
        weight = Argument(f"{operation.layer.path}.weight", module.weight)
    if inputs is None or weight is None or not inputs.ndim or weight.ndim != 2 or inputs.shape[-1] == weight.shape[1]:
        return None
    last = inputs.ndim - 1
    taken = (
        f"{name} takes {weight.shape[1]}"
        if operation.is_layer
        else f"dim 1 of {weight.text} is {weight.shape[1]}: {name}"
    )
    return Diagnosis(
        "linear-features",
        f"dim {last} of {inputs.text} is {inputs.shape[last]}, {taken}",
        (
            operation.conflict(inputs, last, "size", inputs.shape[last]),
            operation.conflict(weight, 1, "size", weight.shape[1]),
        ),
        candidates=tuple(_linear_meant(operation, inputs, weight)),
        because=_flattening(inputs, weight),
    )


def _flattening(inputs: Argument, weight: Argument) -> tuple[str, ...]:
    if inputs.ndim > 2 and prod(inputs.shape[1:]) == weight.shape[1]:
        return (
            f"The dims after the first of {inputs.text} are {sizes_text(inputs.shape[1:])}, {weight.shape[1]} in all.",
        )
    return ()


def _linear_meant(operation: Operation, inputs: Argument, weight: Argument) -> Iterator[Candidate]:
    features = weight.shape[1]
    if not operation.is_layer and inputs.shape[-1] == weight.shape[0]:
        inner = untransposed(weight.node)
        yield from instead(weight, operation.text(inner) if inner else f"{grouped(weight)}.T")
    if inputs.ndim > 2 and prod(inputs.shape[1:]) == features:
        yield from instead(inputs, f"{grouped(inputs)}.flatten(1)", "the dims after the batch flattened")
        yield from preceded(operation, "Flatten()")
    elif inputs.ndim > 1:
        for first, second in moved(inputs.shape, features, -1):
            text = "T" if inputs.ndim == 2 else f"transpose({first}, {second})"
            yield from instead(inputs, f"{grouped(inputs)}.{text}", f"dims {first} and {second} swapped")
    if inputs.ndim > 2 and inputs.shape[-1] != features and operation.is_layer:
        yield from preceded(operation, "Flatten()", {"in_features": prod(inputs.shape[1:])})
    if operation.is_layer and not (inputs.ndim > 2 and prod(inputs.shape[1:]) == features):
        yield from rebuilt(operation, {"in_features": inputs.shape[-1]})


def _addmm(operation: Operation) -> Diagnosis | None:
    left, right = operation.tensor(1, "mat1", "batch1"), operation.tensor(2, "mat2", "batch2")
    if left is None or right is None or left.ndim < 2 or right.ndim < 2 or left.shape[-1] == right.shape[-2]:
        return None
    return _contracted(operation, left, right, right.ndim - 2)


def _distances(operation: Operation) -> Diagnosis | None:
    left, right = operation.tensor(0, "x1"), operation.tensor(1, "x2")
    if left is None or right is None or min(left.ndim, right.ndim) < 2 or left.shape[-1] == right.shape[-1]:
        return None
    candidates: list[Candidate] = []
    for argument, other in ((right, left), (left, right)):
        inner = untransposed(argument.node)
        if argument.shape[-2] == other.shape[-1]:
            text, title = f"{grouped(argument)}.mT", f"{argument.text} transposed"
            if inner is not None:
                text = operation.text(inner)
                title = f"{text} without its transpose"
            candidates += instead(argument, text, title)
    return Diagnosis(
        "cdist-features",
        f"dim {left.ndim - 1} of {left.text} is {left.shape[-1]}, dim {right.ndim - 1} of {right.text} is {right.shape[-1]}: "
        "points must have as many coordinates",
        (
            operation.conflict(left, left.ndim - 1, "size", left.shape[-1]),
            operation.conflict(right, right.ndim - 1, "size", right.shape[-1]),
        ),
        candidates=candidates,
    )


RULES: Rules = (
    rule("cdist", _distances),
    rule("matmul mm mv bmm dot vdot inner", _product),
    rule("linear Linear", _linear),
    rule("addmm baddbmm addbmm", _addmm),
)
