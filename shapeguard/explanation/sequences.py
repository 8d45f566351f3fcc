"""A sequence where a tensor was meant: what it holds, and which of it may be meant."""

from collections.abc import Iterator

from shapeguard.explanation.diagnosis import Candidate, grouped, instead
from shapeguard.explanation.operation import Argument, elements_of
from shapeguard.tensors import is_tensor


def entry_text(value: object) -> str:
    """One element, for a message."""
    if is_tensor(value):
        return f"tensor {list(value.shape)}"  # type: ignore[attr-defined]
    return type(value).__name__


def chosen(wrong: Argument) -> Iterator[Candidate]:
    """The element, the field or the stack in place of a sequence."""
    fields = [name for name in ("values", "Q", "U", "eigenvalues") if name in dir(type(wrong.value))]
    if type(wrong.value).__module__ == "torch.return_types" and fields:
        yield from instead(wrong, f"{grouped(wrong)}.{fields[0]}", f"the {fields[0]}")
        if fields[0] == "values":
            yield from instead(wrong, f"{grouped(wrong)}.indices", "the indices")
        return
    tensors = elements_of(wrong)
    if (
        len(tensors) > 1
        and all(t.shape == tensors[0].shape and t.is_tensor for t in tensors)
        and type(wrong.value) is list
    ):
        yield from instead(wrong, f"torch.stack({wrong.text})", "the tensors stacked")
    yield from instead(wrong, f"{grouped(wrong)}[0]", f"the first of the {type(wrong.value).__name__}")
