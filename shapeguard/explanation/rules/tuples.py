"""A tuple where a tensor was meant: `out, (h, c) = lstm(x)`, `max(dim)`, a forgotten tuple."""

import ast
import re
from typing import Any

from shapeguard.explanation.diagnosis import Diagnosis, Rules, rule
from shapeguard.explanation.operation import Operation
from shapeguard.explanation.sequences import chosen, entry_text
from shapeguard.explanation.trust import is_sequence
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
    entries = ", ".join(entry_text(entry) for entry in list(wrong.value)[:4])
    return Diagnosis(
        "tuple-as-tensor",
        f"{wrong.text} is a {kind} ({entries}), not a tensor",
        (operation.conflict(wrong, None, "attribute", kind),),
        candidates=tuple(chosen(wrong)),
    )


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
        f"{wrong.text} is a {kind} ({', '.join(entry_text(entry) for entry in list(wrong.value)[:4])}), not a tensor",
        (operation.conflict(wrong, None, "attribute", kind),),
        candidates=tuple(chosen(wrong)),
    )


RULES: Rules = (rule("attribute", _attribute), rule("", _tuple))
