"""`.numpy()`, `float()`, the truth of a tensor, and constructors on ragged lists."""

import ast
from collections.abc import Iterator
from typing import Any

from shapeguard.explanation.diagnosis import Candidate, Diagnosis, Rules, grouped, instead, rewritten, rule, sizes_text
from shapeguard.explanation.operation import Argument, Operation


def _numpy(operation: Operation) -> Diagnosis | None:
    tensor = next((a for a in operation.tensors() if a.value.requires_grad), None)
    if tensor is None or "numpy() on Tensor that requires grad" not in operation.message:
        return None
    return Diagnosis(
        "numpy-grad",
        f"{tensor.text} requires grad, and an array cannot carry its graph",
        (operation.conflict(tensor, None, "attribute", "requires_grad"),),
        candidates=_detached(tensor),
    )


def _detached(tensor: Argument) -> list[Candidate]:
    if tensor.node is None:
        return []

    def replay(reader: Any) -> Any:
        return reader.taken(tensor.value).detach().numpy()

    title = f"{tensor.text} without its graph"
    return [Candidate(title, ((tensor.node, f"{grouped(tensor)}.detach()"),), replay)]


def _scalar(operation: Operation) -> Diagnosis | None:
    tensor = operation.tensor(0)
    if tensor is None or tensor.value.numel() == 1:
        return None
    if not any(
        text in operation.message
        for text in ("converted to Scalar", "only one element", "only integer tensors of a single element")
    ):
        return None
    return Diagnosis(
        "scalar-numel",
        f"{tensor.text} is {sizes_text(tensor.shape)} and has {tensor.value.numel()} elements, {operation.name}() takes one",
        (operation.conflict(tensor, None, "numel", tensor.value.numel()),),
        candidates=_one_number(operation, tensor),
    )


def _one_number(operation: Operation, tensor: Argument) -> list[Candidate]:
    candidates: list[Candidate] = []
    for name in ("mean", "sum") if tensor.dtype.startswith("float") else ("sum",):
        candidates += instead(tensor, f"{grouped(tensor)}.{name}()", f"the {name}")
    if operation.name in ("item", "float", "int") and tensor.node is not None:
        candidates += rewritten(operation, f"{grouped(tensor)}.tolist()", "a list of all")
    return candidates


def _truth(operation: Operation) -> Diagnosis | None:
    """`if x > 0:`, `a and b`: the truth of many elements."""
    if "Boolean value of Tensor with more than one value" not in operation.message:
        return None
    node = operation.node
    value = operation.reader.read(node)
    tensor = Argument(operation.text(node), value, node if isinstance(node, ast.expr) else None)
    if not tensor.is_tensor:
        found = next((argument for argument in operation.tensors() if argument.value.numel() > 1), None)
        if found is None:
            return None
        tensor = found
    candidates: list[Candidate] = []
    if tensor.node is not None and not isinstance(operation.node, ast.Call):
        for name in ("all", "any"):
            candidates += instead(
                tensor,
                f"({tensor.text}).{name}()" if not isinstance(tensor.node, ast.Name) else f"{tensor.text}.{name}()",
            )
    return Diagnosis(
        "truth-numel",
        f"{tensor.text} is {sizes_text(tensor.shape)}: {tensor.value.numel()} elements have no one truth",
        (operation.conflict(tensor, None, "numel", tensor.value.numel()),),
        candidates=candidates,
        repeats=False,
    )


def _ragged(operation: Operation) -> Diagnosis | None:
    """torch.tensor of lists of different lengths, or of a list of tensors."""
    data = operation.argument(0, "data")
    if data is None or type(data.value) not in (list, tuple):
        return None
    if any(a.is_tensor for a in operation.operands) and "scalar" in operation.message:
        return Diagnosis(
            "tensor-of-tensors",
            f"{data.text} holds tensors of more than one element; {operation.function} takes numbers",
            (operation.conflict(operation.operands[0], None, "numel", operation.operands[0].value.numel()),),
            candidates=_stacked(operation, data),
        )
    if "expected sequence of length" not in operation.message:
        return None
    lengths = [len(row) for row in data.value if type(row) in (list, tuple)]
    place = next((i for i, n in enumerate(lengths) if n != lengths[0]), None)
    if place is None:
        return None
    return Diagnosis(
        "ragged",
        f"row 0 of {data.text} has length {lengths[0]}, row {place} has {lengths[place]}: all rows of a tensor are of one length",
        (operation.conflict(data, 1, "size", lengths[place]),),
        candidates=tuple(_padded(operation, data)),
    )


def _stacked(operation: Operation, data: Argument) -> list[Candidate]:
    prefix = operation.function.removesuffix("tensor")
    return rewritten(operation, f"{prefix}stack({data.text})", "the tensors stacked")


def _padded(operation: Operation, data: Argument) -> Iterator[Candidate]:
    rows = data.value
    prefix = operation.function.removesuffix("tensor").removesuffix("Float").removesuffix("Long")
    text = f"{prefix}nn.utils.rnn.pad_sequence([{prefix}tensor(row) for row in {data.text}], batch_first=True)"

    def replay(reader: Any) -> Any:
        reader.admit_call("tensor", [rows])
        import torch  # noqa: PLC0415  it failed in the user's program, so it is there

        return torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True)

    if prefix == "torch.":
        yield Candidate("shorter rows padded with 0", ((operation.node, text),), replay)


RULES: Rules = (
    rule("", _numpy),
    rule("item float int", _scalar),
    rule("", _truth),
    rule("tensor FloatTensor LongTensor as_tensor", _ragged),
)
