"""A tuple where a tensor was meant: `out, (h, c) = lstm(x)`, `max(dim)`, a forgotten tuple."""

import ast
import re
from collections.abc import Iterator
from typing import Any

from shapeguard.explanation.diagnosis import Candidate, Diagnosis, Rules, grouped, instead, rule
from shapeguard.explanation.operation import Argument, Operation, elements_of
from shapeguard.explanation.reading import is_sequence
from shapeguard.tensors import is_tensor


def _holds_tensors(value: Any) -> bool:
    return is_sequence(value) and any(is_tensor(entry) for entry in value)


def _tuple(operation: Operation) -> Diagnosis | None:
    message = operation.message
    says = re.search(
        r"not (a )?(tuple|list|torch\.return_types)|'(tuple|list|\w+)' (object )?has no attribute|must be Tensor|unsupported operand",
        message,
    )
    if says is None and "tuple" not in message:
        return None
    arguments = [*operation.args, *operation.keywords.values()]
    wrong = next((argument for argument in arguments if _holds_tensors(argument.value)), None)
    if wrong is None or operation.name in ("cat", "stack", "concat", "vstack", "hstack"):
        return None
    kind = type(wrong.value).__name__
    operation.instead_of_parts(wrong)
    entries = ", ".join(_entry(entry) for entry in list(wrong.value)[:4])
    return Diagnosis(
        "tuple-as-tensor",
        f"{wrong.text} is a {kind} ({entries}), not a tensor",
        (operation.conflict(wrong, None, "attribute", kind),),
        candidates=tuple(_chosen(wrong)),
    )


def _entry(value: object) -> str:
    if is_tensor(value):
        return f"tensor {list(value.shape)}"  # type: ignore[attr-defined]
    return type(value).__name__


def _chosen(wrong: Argument) -> Iterator[Candidate]:
    fields = [name for name in ("values", "Q", "U", "eigenvalues") if name in dir(type(wrong.value))]
    if type(wrong.value).__module__ == "torch.return_types" and fields:
        yield from instead(wrong, f"{grouped(wrong)}.{fields[0]}", f"the {fields[0]}")
        if fields[0] == "values":
            yield from instead(wrong, f"{grouped(wrong)}.indices", "the indices")
        return
    yield from instead(wrong, f"{grouped(wrong)}[0]", f"the first of the {type(wrong.value).__name__}")
    tensors = elements_of(wrong)
    if (
        len(tensors) > 1
        and all(t.shape == tensors[0].shape and t.is_tensor for t in tensors)
        and type(wrong.value) is list
    ):
        yield from instead(wrong, f"torch.stack({wrong.text})", "the tensors stacked")


def _attribute(operation: Operation) -> Diagnosis | None:
    """`out.shape` of a tuple."""
    node = operation.node
    if not isinstance(node, ast.Attribute) or not operation.args or not _holds_tensors(operation.args[0].value):
        return None
    wrong = operation.args[0]
    operation.instead_of_parts(wrong)
    kind = type(wrong.value).__name__
    return Diagnosis(
        "tuple-as-tensor",
        f"{wrong.text} is a {kind} ({', '.join(_entry(entry) for entry in list(wrong.value)[:4])}), not a tensor",
        (operation.conflict(wrong, None, "attribute", kind),),
        candidates=tuple(_chosen(wrong)),
    )


RULES: Rules = (rule("attribute", _attribute), rule("", _tuple))
