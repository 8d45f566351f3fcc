"""Embeddings, cross entropy and binary cross entropy: dtype, shape and range of indices and targets."""

from collections.abc import Iterator
from dataclasses import replace

from shapeguard.explanation.constructors import rebuilt
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
)
from shapeguard.explanation.operation import Argument, Operation
from shapeguard.explanation.shapes import moved
from shapeguard.records import Conflict

_INDEX_DTYPES = ("int64", "int32")
MAX_READ = 10_000_000
"""Elements of which the smallest and the largest are looked for."""


def extremes(argument: Argument) -> tuple[int, int] | None:
    """The smallest and the largest element of a tensor of whole numbers."""
    if not argument.has_data:
        return None
    if (
        argument.dtype.startswith(("int", "uint"))
        and 0 < argument.value.numel() <= MAX_READ
        and argument.value.device.type == "cpu"
    ):
        return int(argument.value.min()), int(argument.value.max())
    return None


def _embedding(operation: Operation) -> Diagnosis | None:
    layer = operation.layer if operation.is_layer else None
    indices = operation.tensor(0, "input")
    weight = (
        Argument(f"{layer.path}.weight", layer.module.weight) if layer is not None else operation.tensor(1, "weight")
    )
    if indices is None or weight is None:
        return None
    if indices.dtype not in _INDEX_DTYPES:
        if layer is None and weight.dtype in _INDEX_DTYPES:
            return Diagnosis(
                "embedding-order",
                f"the indices come first, then the weight; {indices.text} is {indices.dtype}",
                (operation.conflict(indices, None, "dtype", indices.dtype),),
                candidates=together(((indices, weight.text), (weight, indices.text)), "the operands swapped"),
            )
        return Diagnosis(
            "embedding-dtype",
            f"{indices.text} is {indices.dtype}, indices must be int64 or int32",
            (operation.conflict(indices, None, "dtype", indices.dtype),),
            candidates=instead(indices, f"{grouped(indices)}.long()", "indices as int64"),
        )
    if weight.ndim != 2:
        return None
    bounds, rows = extremes(indices), weight.shape[0]
    if bounds is None or 0 <= bounds[0] <= bounds[1] < rows:
        return None
    wrong = bounds[1] if bounds[1] >= rows else bounds[0]
    label = weight.text if layer is None else layer.label
    candidates: list[Candidate] = []
    if layer is not None and bounds[0] >= 0:
        candidates += rebuilt(operation, {"num_embeddings": bounds[1] + 1})
    if bounds[0] >= 1 and bounds[1] == rows:
        candidates += instead(indices, f"{grouped(indices)} - 1", "indices counted from 0")
    return Diagnosis(
        "embedding-range",
        f"{indices.text} contains {wrong}, {label} has rows 0 to {rows - 1}",
        (operation.conflict(indices, None, "index", wrong), operation.conflict(weight, 0, "size", rows)),
        candidates=candidates,
    )


def _cross_entropy(operation: Operation) -> Diagnosis | None:
    logits, target = operation.tensor(0, "input"), operation.tensor(1, "target")
    if logits is None or target is None or not logits.ndim:
        return None
    shape, dim = logits.shape, 0 if logits.ndim == 1 else 1
    expected = shape[:dim] + shape[dim + 1 :]
    whole = target.dtype.startswith(("int", "uint", "bool"))
    if whole and target.shape == expected:
        return _classes(operation, logits, target, dim)
    if not whole and target.shape == expected:
        return Diagnosis(
            "classes-dtype",
            f"{target.text} is {target.dtype} and of the shape of class indices, which must be int64",
            (operation.conflict(target, None, "dtype", target.dtype),),
            candidates=instead(target, f"{grouped(target)}.long()", "class indices as int64"),
        )
    if target.shape == shape and (not whole or operation.name in ("nll_loss", "NLLLoss")):
        return _probabilities(operation, logits, target, dim)
    return _target_shape(operation, logits, target, expected)


def _probabilities(operation: Operation, logits: Argument, target: Argument, dim: int) -> Diagnosis | None:
    if operation.name not in ("nll_loss", "NLLLoss"):
        return None
    return Diagnosis(
        "classes-shape",
        f"{target.text} is {sizes_text(target.shape)}, class indices for {logits.text} have one dim fewer",
        (operation.conflict(target, None, "ndim", target.ndim),),
        candidates=instead(target, f"{grouped(target)}.argmax({dim})", "the class of each one-hot row"),
    )


def _classes(operation: Operation, logits: Argument, target: Argument, dim: int) -> Diagnosis | None:
    if target.dtype != "int64" and "expected" in operation.message.lower():
        return Diagnosis(
            "classes-dtype",
            f"{target.text} is {target.dtype}, class indices must be int64",
            (operation.conflict(target, None, "dtype", target.dtype),),
            candidates=instead(target, f"{grouped(target)}.long()", "class indices as int64"),
        )
    ignored = (
        operation.layer.module.ignore_index
        if operation.is_layer and operation.layer
        else operation.given(4, "ignore_index", -100)
    )
    value = target.value[target.value != ignored] if type(ignored) is int else target.value
    bounds, count = extremes(replace(target, value=value)), logits.shape[dim]
    if bounds is None or 0 <= bounds[0] <= bounds[1] < count:
        return None
    wrong = bounds[1] if bounds[1] >= count else bounds[0]
    candidates: list[Candidate] = []
    if bounds[0] >= 1 and bounds[1] == count:
        candidates += instead(target, f"{grouped(target)} - 1", "classes counted from 0")
    elif bounds[0] == -1 and bounds[1] < count:
        title = "-1 left out"
        text = operation.text(operation.node)
        if not operation.is_layer and "ignore_index" not in operation.keywords:
            candidates += rewritten(operation, f"{text[:-1]}, ignore_index=-1)", title)
        elif operation.is_layer:
            candidates += rebuilt(operation, {"ignore_index": -1}, title)
    return Diagnosis(
        "classes-range",
        f"{target.text} contains class {wrong}, dim {dim} of {logits.text} is {count}: classes are 0 to {count - 1}",
        (operation.conflict(target, None, "value", wrong), operation.conflict(logits, dim, "size", count)),
        candidates=candidates,
    )


def _target_shape(
    operation: Operation, logits: Argument, target: Argument, expected: tuple[int, ...]
) -> Diagnosis | None:
    last = logits.ndim - 1
    conflicts: tuple[Conflict, ...] = (
        operation.conflict(target, None, "ndim", target.ndim)
        if target.ndim != len(expected)
        else operation.conflict(target, *_first_difference(target.shape, expected)),
    )
    because: tuple[str, ...] = ()
    if logits.ndim > 2 and target.shape == logits.shape[:-1]:
        because = (
            f"The classes belong in dim 1; in {logits.text} they seem to be the last of {counted(logits.ndim)}.",
        )
        conflicts = (operation.conflict(logits, 1, "size", logits.shape[1]), conflicts[0])
    return Diagnosis(
        "classes-shape",
        f"{target.text} is {sizes_text(target.shape)}, class indices for {logits.text} {sizes_text(logits.shape)} "
        f"are {sizes_text(expected)}",
        conflicts,
        because,
        tuple(_target_meant(logits, target, expected, last)),
    )


def _first_difference(shape: tuple[int, ...], expected: tuple[int, ...]) -> tuple[int, str, int]:
    dim = next(d for d in range(len(shape)) if shape[d] != expected[d])
    return dim, "size", shape[dim]


def _target_meant(logits: Argument, target: Argument, expected: tuple[int, ...], last: int) -> Iterator[Candidate]:
    one = [
        d for d in range(target.ndim) if target.shape[d] == 1 and target.shape[:d] + target.shape[d + 1 :] == expected
    ]
    for dim in one[:1]:
        yield from instead(target, f"{grouped(target)}.squeeze({dim})", f"dim {dim} of size 1 taken out")
    if target.ndim == logits.ndim and target.shape == logits.shape:
        yield from instead(target, f"{grouped(target)}.argmax(1)", "the class of each one-hot row")
        yield from instead(target, f"{grouped(target)}.float()", "one-hot rows as probabilities")
    if logits.ndim > 2 and target.shape == logits.shape[:-1]:
        text = "transpose(1, 2)" if logits.ndim == 3 else f"permute(0, {last}, {', '.join(map(str, range(1, last)))})"
        yield from instead(logits, f"{grouped(logits)}.{text}", "the classes moved to dim 1")
        pair = ((logits, f"{grouped(logits)}.flatten(0, {last - 1})"), (target, f"{grouped(target)}.flatten()"))
        yield from together(pair, "one row for each target")
    if target.ndim == 2 and logits.ndim == 2 and target.value.numel() == logits.shape[0]:
        yield from instead(target, f"{grouped(target)}.flatten()", "one class for each row")
    if (
        logits.ndim == 2
        and target.ndim == 1
        and logits.shape[1] == target.shape[0]
        and moved(logits.shape, target.shape[0], 0)
    ):
        yield from instead(logits, f"{grouped(logits)}.T", f"{logits.text} transposed")


def _binary(operation: Operation) -> Diagnosis | None:
    inputs, target = operation.tensor(0, "input"), operation.tensor(1, "target")
    if inputs is None or target is None:
        return None
    if inputs.shape != target.shape:
        return Diagnosis(
            "targets-shape",
            f"{inputs.text} is {sizes_text(inputs.shape)}, {target.text} is {sizes_text(target.shape)}: they must be equal",
            tuple(_shape_conflict(operation, inputs, target)),
            candidates=tuple(_equal_shapes(inputs, target)),
        )
    if not target.dtype.startswith(("float", "bfloat")):
        return Diagnosis(
            "targets-dtype",
            f"{target.text} is {target.dtype}, the targets must be of a floating point dtype",
            (operation.conflict(target, None, "dtype", target.dtype),),
            candidates=instead(target, f"{grouped(target)}.float()", "targets as float32"),
        )
    if "between 0 and 1" in operation.message and inputs.has_data and inputs.value.numel() <= MAX_READ:
        low, high = float(inputs.value.min()), float(inputs.value.max())
        outside = low if low < 0 else high
        candidates: list[Candidate] = []
        if not operation.is_layer:
            name = operation.function
            rest = operation.text(operation.node)[len(name) :]
            candidates += rewritten(operation, f"{name}_with_logits{rest}", "the form that takes logits")
        candidates += instead(inputs, f"{grouped(inputs)}.sigmoid()", "probabilities from logits")
        return Diagnosis(
            "probabilities-range",
            f"{inputs.text} contains {outside:.4g}, probabilities are between 0 and 1",
            (operation.conflict(inputs, None, "value", f"{outside:.4g}"),),
            candidates=candidates,
        )
    return None


def _shape_conflict(operation: Operation, inputs: Argument, target: Argument) -> Iterator[Conflict]:
    for argument in (inputs, target):
        if inputs.ndim != target.ndim:
            yield operation.conflict(argument, None, "ndim", argument.ndim)
        else:
            dim = next(d for d in range(inputs.ndim) if inputs.shape[d] != target.shape[d])
            yield operation.conflict(argument, dim, "size", argument.shape[dim])


def _equal_shapes(inputs: Argument, target: Argument) -> Iterator[Candidate]:
    for argument, other in ((inputs, target), (target, inputs)):
        for dim in range(argument.ndim):
            if argument.shape[dim] == 1 and argument.shape[:dim] + argument.shape[dim + 1 :] == other.shape:
                yield from instead(argument, f"{grouped(argument)}.squeeze({dim})", f"dim {dim} of size 1 taken out")
                unsqueezed = f"{grouped(other)}.unsqueeze({dim})"
                yield from instead(other, unsqueezed, f"a dim of size 1 at {dim}")
                return
    if inputs.ndim == 2 and inputs.shape[::-1] == target.shape:
        yield from instead(target, f"{grouped(target)}.T", f"{target.text} transposed")


RULES: Rules = (
    rule("embedding Embedding EmbeddingBag", _embedding),
    rule("cross_entropy nll_loss CrossEntropyLoss NLLLoss", _cross_entropy),
    rule("binary_cross_entropy binary_cross_entropy_with_logits BCELoss BCEWithLogitsLoss", _binary),
)
