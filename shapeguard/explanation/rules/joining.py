"""cat and stack: sizes that differ, dims that are missing, tensors that are not in a tuple."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

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
)
from shapeguard.explanation.operation import Argument, Operation, elements_of
from shapeguard.explanation.sequences import chosen, entry_text
from shapeguard.explanation.shapes import without
from shapeguard.explanation.trust import is_sequence


def _cat(operation: Operation) -> Diagnosis | None:
    first = operation.argument(0, "tensors")
    if first is None:
        return None
    if first.is_tensor:
        return _no_tuple(operation)
    parts, dim = elements_of(first), _dim(operation)
    wrong = next((part for part in parts if is_sequence(part.value)), None)
    if wrong is not None:
        return _no_tensor(operation, wrong)
    if len(parts) < 2 or not all(part.is_tensor for part in parts) or not isinstance(dim, int):
        return None
    fullest = max(parts, key=lambda part: part.ndim)
    fewer = [part for part in parts if part.ndim != fullest.ndim and part.shape != (0,)]
    if fewer:
        return _ndims(operation, parts, fewer[0], fullest, dim)
    if not -fullest.ndim <= dim < fullest.ndim:
        return _no_dim(operation, parts, dim)
    dim %= fullest.ndim
    return _sizes(operation, parts, dim)


def _no_tensor(operation: Operation, wrong: Argument) -> Diagnosis:
    kind = type(wrong.value).__name__
    entries = ", ".join(entry_text(entry) for entry in list(wrong.value)[:4])
    return Diagnosis(
        "tuple-as-tensor",
        f"{wrong.text} is a {kind} ({entries}), not a tensor",
        (operation.conflict(wrong, None, "attribute", kind),),
        candidates=tuple(chosen(wrong)),
    )


def _dim(operation: Operation) -> object:
    found = operation.argument(1, "dim", "axis")
    return 0 if found is None else found.value


def _no_tuple(operation: Operation) -> Diagnosis | None:
    tensors = [argument for argument in operation.args if argument.is_tensor]
    if len(tensors) < 2:
        return None
    inside = ", ".join(argument.text for argument in tensors)
    rest = [argument.text for argument in operation.args if not argument.is_tensor]
    rest += [f"{name}={argument.text}" for name, argument in operation.keywords.items()]
    text = f"{operation.function}({', '.join([f'({inside})', *rest])})"
    return Diagnosis(
        "cat-tuple",
        f"{operation.function} takes one tuple or list of tensors, not {counted(len(tensors), 'tensor')} one by one",
        (operation.conflict(tensors[0], None, "attribute", "not a tuple"),),
        candidates=rewritten(operation, text, "the tensors in a tuple"),
    )


def _sizes(operation: Operation, parts: list[Argument], dim: int) -> Diagnosis | None:
    first = parts[0]
    for other in parts[1:]:
        for place in range(first.ndim):
            if place != dim and first.shape[place] != other.shape[place]:
                return Diagnosis(
                    "cat-size",
                    f"dim {place} of {first.text} is {first.shape[place]}, dim {place} of {other.text} is "
                    f"{other.shape[place]}: all dims but dim {dim}, along which they are joined, must be equal",
                    (
                        operation.conflict(first, place, "size", first.shape[place]),
                        operation.conflict(other, place, "size", other.shape[place]),
                    ),
                    candidates=tuple(_other_dim(operation, parts, dim)) + tuple(_turned(parts, dim)),
                )
    return None


def _other_dim(operation: Operation, parts: Sequence[Argument], dim: int) -> Iterator[Candidate]:
    written = operation.argument(1, "dim", "axis")
    for place in range(parts[0].ndim):
        if place != dim and len({without(part.shape, place) for part in parts}) == 1:
            if written is not None:
                yield from instead(written, str(place), f"joined along dim {place}")
            else:
                text = operation.text(operation.node).rstrip()[:-1].rstrip().rstrip(",")
                yield from rewritten(operation, f"{text}, dim={place})", f"joined along dim {place}")


def _turned(parts: Sequence[Argument], dim: int) -> Iterator[Candidate]:
    first = parts[0]
    # The first sets the order of the dims, a later one departs from it.
    for part in reversed(parts):
        others = [other for other in parts if other is not part]
        if part.ndim == 2 and all(without(part.shape[::-1], dim) == without(other.shape, dim) for other in others):
            if part is not first or len(parts) == 2:
                yield from instead(part, f"{grouped(part)}.T", f"{part.text} transposed")
        elif part.ndim > 2:
            for one in range(part.ndim):
                for two in range(one + 1, part.ndim):
                    shape = list(part.shape)
                    shape[one], shape[two] = shape[two], shape[one]
                    if all(without(shape, dim) == without(other.shape, dim) for other in others):
                        yield from instead(part, f"{grouped(part)}.transpose({one}, {two})")


def _ndims(operation: Operation, parts: list[Argument], few: Argument, full: Argument, dim: int) -> Diagnosis:
    place = dim % full.ndim if -full.ndim <= dim < full.ndim else 0
    candidates: list[Candidate] = []
    if few.ndim == full.ndim - 1:
        fits = [d for d in range(full.ndim) if without(full.shape, d) == few.shape]
        # What is joined has size 1 in the missing dim, or the size that the others have there.
        for d in sorted(fits or [place], key=lambda d: d != place):
            short = [part for part in parts if part.ndim == few.ndim]
            edits = [(part.node, f"{grouped(part)}.unsqueeze({d})") for part in short]
            if all(node is not None for node, _ in edits):
                pairs = tuple((node, text) for node, text in edits if node is not None)
                candidates.append(Candidate(f"a dim of size 1 at {d}", pairs))
    if few.ndim == full.ndim - 1 and few.ndim == 0:
        candidates += instead(few, f"{grouped(few)}[None]")
    return Diagnosis(
        "cat-ndim",
        f"{full.text} has {counted(full.ndim)}, {few.text} has {few.ndim}: all must have as many",
        (operation.conflict(full, None, "ndim", full.ndim), operation.conflict(few, None, "ndim", few.ndim)),
        candidates=candidates,
    )


def _no_dim(operation: Operation, parts: Sequence[Argument], dim: int) -> Diagnosis:
    first = parts[0]
    candidates: list[Candidate] = []
    if dim == first.ndim and len({part.shape for part in parts}) == 1:
        start, _, rest = operation.text(operation.node).partition("(")
        if start.endswith("cat"):
            candidates += rewritten(operation, f"{start.removesuffix('cat')}stack({rest}", "stack makes a new dim")
    written = operation.argument(1, "dim", "axis")
    if written is not None:
        candidates += instead(written, "-1", "joined along the last dim")
    return Diagnosis(
        "cat-dim",
        f"{first.text} has {counted(first.ndim)}, so there is no dim {dim}",
        (operation.conflict(first, None, "ndim", first.ndim),),
        candidates=candidates,
    )


def _stack(operation: Operation) -> Diagnosis | None:
    first = operation.argument(0, "tensors")
    if first is None:
        return None
    if first.is_tensor:
        return _no_tuple(operation)
    parts, dim = elements_of(first), _dim(operation)
    if not parts or not all(part.is_tensor for part in parts):
        return None
    for other in parts[1:]:
        if other.shape != parts[0].shape:
            return _unequal(operation, parts, other)
    if isinstance(dim, int) and not -parts[0].ndim - 1 <= dim <= parts[0].ndim:
        return _no_dim(operation, parts, dim)
    return None


def _unequal(operation: Operation, parts: Sequence[Argument], other: Argument) -> Diagnosis:
    first = parts[0]
    same = first.ndim == other.ndim
    place = next((d for d in range(first.ndim) if same and first.shape[d] != other.shape[d]), None)
    candidates: list[Candidate] = []
    if same and other.ndim == 2 and other.shape[::-1] == first.shape:
        candidates += instead(other, f"{grouped(other)}.T", f"{other.text} transposed")
    joined = [d for d in range(first.ndim) if same and len({without(part.shape, d) for part in parts}) == 1]
    if first.ndim == 1 and joined and operation.function == "torch.stack" and len(operation.args) == 1:
        text = f"torch.nn.utils.rnn.pad_sequence({operation.args[0].text}, batch_first=True)"
        candidates += rewritten(operation, text, "the shorter ones padded with 0")
    if joined and operation.function.endswith("stack") and operation.name == "stack":
        sequence = operation.argument(0, "tensors")
        name = operation.function.removesuffix("stack") + "cat"
        for d in joined:
            written = "" if sequence is None else sequence.text
            suffix = f", dim={d}" if d else ""
            candidates += rewritten(
                operation, f"{name}({written}{suffix})", f"cat along dim {d}; stack needs equal shapes"
            )
    numbers = (
        (
            operation.conflict(first, place, "size", first.shape[place]),
            operation.conflict(other, place, "size", other.shape[place]),
        )
        if place is not None
        else (operation.conflict(first, None, "ndim", first.ndim), operation.conflict(other, None, "ndim", other.ndim))
    )
    return Diagnosis(
        "stack-size",
        f"{first.text} is {sizes_text(first.shape)}, {other.text} is {sizes_text(other.shape)}: "
        "only tensors of one shape can be stacked",
        numbers,
        candidates=candidates,
    )


def _columns(operation: Operation) -> Diagnosis | None:
    first = operation.argument(0, "tensors")
    if first is None:
        return None
    if first.is_tensor:
        return _no_tuple(operation)
    parts = elements_of(first)
    if len(parts) < 2 or not all(part.is_tensor and part.ndim > 1 for part in parts):
        return None
    dim = 0 if operation.name == "vstack" else 1
    found = _sizes(operation, parts, dim)
    other = "hstack" if operation.name == "vstack" else "vstack"
    if found is None or len({without(part.shape, 1 - dim) for part in parts}) > 1:
        return found
    start, _, rest = operation.text(operation.node).partition("(")
    text = f"{start.removesuffix(operation.name)}{other}({rest}"
    return replace(found, candidates=rewritten(operation, text, f"{other} joins along dim {1 - dim}"))


RULES: Rules = (rule("cat concat concatenate", _cat), rule("stack", _stack), rule("vstack hstack", _columns))
