"""view, reshape, unflatten, expand, permute, transpose, squeeze: counts of elements and of dims."""

import ast
from collections.abc import Iterator
from math import prod

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
from shapeguard.explanation.shapes import alignments, index_text


def _sizes(operation: Operation, *names: str) -> list[Argument] | None:
    """The whole numbers that were passed one by one, or as one tuple."""
    rest = operation.args[1:] or [operation.keywords[name] for name in names if name in operation.keywords]
    if len(rest) == 1 and type(rest[0].value) in (tuple, list):
        rest = elements_of(rest[0])
    return rest if rest and all(type(argument.value) is int for argument in rest) else None


def _view(operation: Operation) -> Diagnosis | None:
    tensor, sizes = operation.tensor(0, "input"), _sizes(operation, "shape", "size")
    if tensor is None or sizes is None:
        return None
    wanted = [int(argument.value) for argument in sizes]
    if wanted.count(-1) > 1:
        return None
    known = prod(size for size in wanted if size != -1)
    total = prod(tensor.shape)
    if known == total or (-1 in wanted and known and total % known == 0):
        return _strides(operation, tensor) if operation.name == "view" else None
    rest = "" if -1 in wanted else f", {sizes_text(wanted)} would have {known}"
    dividing = f", which {known} does not divide" if -1 in wanted else ""
    return Diagnosis(
        "view-numel",
        f"{tensor.text} is {sizes_text(tensor.shape)} and has {counted(total, 'element')}{dividing}{rest}",
        (operation.conflict(tensor, None, "numel", total),),
        candidates=tuple(_meant_sizes(operation, tensor, sizes, wanted)),
    )


def _meant_sizes(
    operation: Operation, tensor: Argument, sizes: list[Argument], wanted: list[int]
) -> Iterator[Candidate]:
    total = prod(tensor.shape)
    if -1 in wanted:
        yield from _first_kept(operation, tensor, sizes, wanted)
        return
    # A number written in the program is what is wrong, rather than one that it computed; the batch stays.
    order = sorted(range(len(wanted)), key=lambda place: _innocence(tensor, sizes[place], place))
    if wanted and tensor.shape and wanted[0] != tensor.shape[0]:
        order.sort(key=lambda place: place != 0)
    for place in order:
        others = prod(size for index, size in enumerate(wanted) if index != place)
        if others and total % others == 0:
            yield from instead(
                sizes[place], "-1", f"{total // others} instead of {wanted[place]}: -1 takes what is there"
            )


def _innocence(tensor: Argument, size: Argument, place: int) -> tuple[bool, bool, bool, int]:
    """How unlikely one of the sizes is what is wrong."""
    computed = isinstance(size.node, (ast.Name, ast.Attribute, ast.Subscript, ast.Call))
    return place == 0, computed, size.value in tensor.shape, -place


def _first_kept(
    operation: Operation, tensor: Argument, sizes: list[Argument], wanted: list[int]
) -> Iterator[Candidate]:
    """`view(-1, 400)`, where what is flattened is not 400: the rest is to be computed, and the batch kept."""
    if len(wanted) == 2 and wanted[0] == -1 and tensor.ndim > 1:
        first, second = sizes
        if not isinstance(tensor.node, (ast.Name, ast.Attribute)) and operation.is_method:
            # What is long is not written twice.
            yield from rewritten(operation, f"{grouped(tensor)}.flatten(1)", "the first dim kept, the others flattened")
        if first.node is not None and second.node is not None:
            kept = f"{grouped(tensor)}.shape[0]"
            edits = ((first.node, kept), (second.node, "-1"))
            yield Candidate("the first dim kept, the others flattened", edits)
    elif len(wanted) > 2 and wanted[0] == -1 and tensor.ndim > 1:
        for place in range(1, len(wanted)):
            others = tensor.shape[0] * prod(size for index, size in enumerate(wanted) if index not in (0, place))
            node = sizes[place].node
            if sizes[0].node is not None and node is not None and prod(tensor.shape) % others == 0:
                yield Candidate("the first dim kept", ((sizes[0].node, f"{grouped(tensor)}.shape[0]"), (node, "-1")))


def _strides(operation: Operation, tensor: Argument) -> Diagnosis | None:
    if "stride" not in operation.message and "contiguous" not in operation.message:
        return None
    return Diagnosis(
        "view-contiguous",
        f"the elements of {tensor.text} do not lie in memory in the order of its dims, and a view cannot move them",
        (operation.conflict(tensor, None, "attribute", "not contiguous"),),
        candidates=_renamed(operation, "reshape"),
    )


def _renamed(operation: Operation, name: str) -> list[Candidate]:
    node = operation.node
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return []
    owner = operation.text(node.func.value)
    rest = operation.text(node)[len(operation.text(node.func)) :]
    return rewritten(operation, f"{owner}.{name}{rest}", f"{name} copies where a view cannot be had")


def _permute(operation: Operation) -> Diagnosis | None:
    tensor, dims = operation.tensor(0, "input"), _sizes(operation, "dims")
    if tensor is None or dims is None:
        return None
    order = [int(argument.value) for argument in dims]
    if len(order) == tensor.ndim:
        return _dim_range(operation, tensor, dims)
    candidates: list[Candidate] = []
    new: list[int] | None = None
    if len(order) == tensor.ndim - 1 and sorted(order) == list(range(len(order))):
        # The order was thought of for one sample, and this is a batch.
        new = [0, *(dim + 1 for dim in order)]
    elif len(order) == tensor.ndim + 1 and order[0] == 0 and sorted(order) == list(range(len(order))):
        new = [dim - 1 for dim in order[1:]]
    if new is not None and isinstance(operation.node, ast.Call):
        text = f"{operation.function}({', '.join(map(str, new))})"
        if not operation.is_method:
            text = f"{operation.function}({tensor.text}, ({', '.join(map(str, new))}))"
        candidates += rewritten(
            operation, text, "the same order, with the batch" if len(new) > len(order) else "without a batch"
        )
    return Diagnosis(
        "permute-ndim",
        f"{tensor.text} has {counted(tensor.ndim)}, the order {tuple(order)} names {len(order)}",
        (operation.conflict(tensor, None, "ndim", tensor.ndim),),
        candidates=candidates,
    )


def _transpose(operation: Operation) -> Diagnosis | None:
    tensor = operation.tensor(0, "input")
    if tensor is None:
        return None
    if operation.name == "t" and tensor.ndim > 2:
        return Diagnosis(
            "transpose-ndim",
            f"t() takes at most 2 dims, {tensor.text} has {tensor.ndim}",
            (operation.conflict(tensor, None, "ndim", tensor.ndim),),
            candidates=rewritten(operation, f"{grouped(tensor)}.mT", "the last two dims swapped"),
        )
    return _dim_range(operation, tensor, operation.args[1:] + list(operation.keywords.values()))


def _dim_range(operation: Operation, tensor: Argument, dims: list[Argument]) -> Diagnosis | None:
    extra = 1 if operation.name == "unsqueeze" else 0
    limit = max(1, tensor.ndim + extra)
    for argument in dims:
        dim = argument.value
        if type(dim) is not int or -limit <= dim < limit:
            continue
        shifted = [a for a in dims if a.node is not None and type(a.value) is int]
        candidates: list[Candidate] = []
        if operation.name in ("transpose", "swapaxes", "swapdims") and len(shifted) == 2 and tensor.ndim == 2:
            edits = tuple((a.node, str(int(a.value) - 1)) for a in shifted if a.node is not None)
            candidates.append(Candidate("the two dims that there are", edits))
        elif tensor.ndim:
            candidates += instead(argument, "-1", f"the last dim, {tensor.ndim - 1 + extra}")
        return Diagnosis(
            "dim-range",
            f"{tensor.text} has {counted(tensor.ndim)}, so there is no dim {dim}",
            (operation.conflict(tensor, None, "ndim", tensor.ndim),),
            candidates=candidates,
        )
    return None


def _reduced(operation: Operation) -> Diagnosis | None:
    """`x.sum(dim=2)` of a matrix."""
    tensor = operation.tensor(0, "input")
    if tensor is None or "Dimension out of range" not in operation.message:
        return None
    found = operation.keywords.get("dim") or operation.keywords.get("axis")
    dims = [found] if found is not None else operation.args[1:]
    flat = [entry for argument in dims for entry in (elements_of(argument) or [argument])]
    return _dim_range(operation, tensor, flat)


def _expand(operation: Operation) -> Diagnosis | None:
    tensor, sizes = operation.tensor(0, "input"), _sizes(operation, "size", "sizes")
    if operation.name == "expand_as" and len(operation.args) > 1:
        wanted = operation.args[1].shape
    elif sizes is not None:
        wanted = tuple(int(argument.value) for argument in sizes)
    else:
        return None
    if tensor is None:
        return None
    if len(wanted) < tensor.ndim:
        return Diagnosis(
            "expand-ndim",
            f"{tensor.text} has {counted(tensor.ndim)}, {sizes_text(wanted)} names {len(wanted)}",
            (operation.conflict(tensor, None, "ndim", tensor.ndim),),
        )
    for back in range(1, tensor.ndim + 1):
        if tensor.shape[-back] not in (1, wanted[-back]) and wanted[-back] != -1:
            place = tensor.ndim - back
            return Diagnosis(
                "expand-size",
                f"dim {place} of {tensor.text} is {tensor.shape[place]}, to be expanded to {wanted[-back]} it must be 1",
                (operation.conflict(tensor, place, "size", tensor.shape[place]),),
                candidates=tuple(_expanded(tensor, wanted)),
            )
    return None


def _expanded(tensor: Argument, wanted: tuple[int, ...]) -> Iterator[Candidate]:
    if tensor.ndim < len(wanted):
        for places in alignments(tensor.shape, wanted):
            yield from instead(
                tensor, f"{grouped(tensor)}{index_text(places, len(wanted))}", "dims of size 1 to expand"
            )
    elif tensor.ndim == 2 and tensor.shape[::-1] == wanted:
        yield from instead(tensor, f"{grouped(tensor)}.T", f"{tensor.text} transposed")


def _unflatten(operation: Operation) -> Diagnosis | None:
    tensor, dim = operation.tensor(0, "input"), operation.given(1, "dim")
    sizes = operation.argument(2, "sizes", "unflattened_size")
    if tensor is None or type(dim) is not int or sizes is None or not -tensor.ndim <= dim < tensor.ndim:
        return None
    place, parts = dim % tensor.ndim, elements_of(sizes)
    known = prod(int(part.value) for part in parts if part.value != -1)
    if known == tensor.shape[place]:
        return None
    candidates: list[Candidate] = []
    for part in parts:
        others = known // part.value if part.value else 0
        if -1 not in [p.value for p in parts] and others and tensor.shape[place] % others == 0:
            candidates += instead(part, "-1")
    return Diagnosis(
        "view-numel",
        f"dim {place} of {tensor.text} is {tensor.shape[place]}, {sizes.text} would make {known}",
        (operation.conflict(tensor, place, "size", tensor.shape[place]),),
        candidates=candidates,
    )


def _split(operation: Operation) -> Diagnosis | None:
    tensor, sizes = (
        operation.tensor(0, "tensor", "input"),
        operation.argument(1, "split_size_or_sections", "split_size"),
    )
    dim = operation.given(2, "dim", 0)
    if tensor is None or sizes is None or type(sizes.value) not in (list, tuple) or type(dim) is not int:
        return None
    total = sum(sizes.value)
    if not -tensor.ndim <= dim < tensor.ndim or total == tensor.shape[dim]:
        return None
    place = dim % tensor.ndim
    candidates: list[Candidate] = []
    fitting = [d for d in range(tensor.ndim) if tensor.shape[d] == total]
    written = operation.argument(2, "dim")
    for d in fitting:
        if written is not None:
            candidates += instead(written, str(d), f"split along dim {d}")
        else:
            candidates += rewritten(
                operation, f"{operation.text(operation.node)[:-1]}, dim={d})", f"split along dim {d}"
            )
    return Diagnosis(
        "split-size",
        f"dim {place} of {tensor.text} is {tensor.shape[place]}, the parts {sizes.text} sum to {total}",
        (operation.conflict(tensor, place, "size", tensor.shape[place]),),
        candidates=candidates,
    )


RULES: Rules = (
    rule("view reshape", _view),
    rule("permute", _permute),
    rule("t transpose swapaxes swapdims squeeze unsqueeze flip unbind chunk movedim", _transpose),
    rule("expand expand_as broadcast_to", _expand),
    rule("unflatten", _unflatten),
    rule("split split_with_sizes", _split),
    rule(
        "sum mean amax amin std var prod logsumexp norm argmax argmin max min median all any softmax log_softmax cumsum "
        "cumprod sort topk argsort flatten Softmax LogSoftmax",
        _reduced,
    ),
)
