"""Subscripts, gather, scatter, index_select: ranges, dims, masks, dtypes of indices, values assigned."""

import ast
from collections.abc import Iterator
from itertools import pairwise

from shapeguard.explanation.diagnosis import Candidate, Diagnosis, Rules, counted, grouped, instead, rule, sizes_text
from shapeguard.explanation.operation import Argument, Operation
from shapeguard.explanation.shapes import alignments, broadcast_clash, index_text
from shapeguard.tensors import MISSING

_WHOLE = ("int64", "int32", "int16", "int8", "uint8")


def _subscript(operation: Operation) -> Diagnosis | None:
    owner = operation.tensor(0)
    node = operation.node
    if owner is None or not isinstance(node, ast.Subscript):
        return None
    parts = [
        _part(operation, part) for part in (node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice])
    ]
    if any(part.value is MISSING and not isinstance(part.node, ast.Slice) for part in parts):
        return None
    used = sum(_used(part) for part in parts)
    if used > owner.ndim:
        return _too_many(operation, owner, parts, used)
    dim = 0
    for index, part in enumerate(parts):
        if part.value is ...:
            dim = owner.ndim - sum(_used(other) for other in parts[index + 1 :])
            continue
        found = _one(operation, owner, part, dim)
        if found is not None:
            return found
        dim += _used(part)
    found = _lists(operation, parts)
    if found is None and operation.name == "setitem":
        found = _assigned(operation)
    return found


def _part(operation: Operation, node: ast.expr) -> Argument:
    known = next((operand for operand in (operation.args[1], *operation.operands) if operand.node is node), None)
    return known or Argument(operation.text(node), operation.reader.read(node), node)


def _used(part: Argument) -> int:
    if part.value is None or part.value is ... or part.value is True or part.value is False:
        return 0
    return part.ndim if part.dtype == "bool" else 1


def _too_many(operation: Operation, owner: Argument, parts: list[Argument], used: int) -> Diagnosis:
    candidates: list[Candidate] = []
    whole = [p for p in parts if isinstance(p.node, ast.Slice) and p.node.lower is p.node.upper is p.node.step is None]
    if used == owner.ndim + 1 and whole and len(parts) > 1:
        kept = [part.text for part in parts if part is not whole[0]]
        candidates += [Candidate("one index fewer", ((operation.node, f"{grouped(owner)}[{', '.join(kept)}]"),))]
    return Diagnosis(
        "index-ndim",
        f"{owner.text} has {counted(owner.ndim)}, {counted(used, 'index') if used == 1 else f'{used} indices'} are given",
        (operation.conflict(owner, None, "ndim", owner.ndim),),
        candidates=candidates,
    )


def _one(operation: Operation, owner: Argument, part: Argument, dim: int) -> Diagnosis | None:
    if dim >= owner.ndim:
        return None
    size, value = owner.shape[dim], part.value
    if type(value) is int and not -size <= value < size:
        return _range(operation, owner, part, dim, value)
    if not part.is_tensor:
        return None
    if part.dtype == "bool":
        wrong = next(
            (d for d in range(part.ndim) if dim + d >= owner.ndim or part.shape[d] != owner.shape[dim + d]), None
        )
        return None if wrong is None else _mask(operation, owner, part, dim, wrong)
    if part.dtype not in _WHOLE:
        return Diagnosis(
            "index-dtype",
            f"{part.text} is {part.dtype}, an index must be of whole numbers or a mask",
            (operation.conflict(part, None, "dtype", part.dtype),),
            candidates=[
                *(
                    instead(part, f"{grouped(part)}.bool()", "a mask")
                    if _is_zero_one(part) and part.shape == owner.shape[: part.ndim]
                    else ()
                ),
                *instead(part, f"{grouped(part)}.long()", "whole numbers"),
            ],
        )
    if not part.has_data or not part.value.numel():
        return None
    low, high = int(part.value.min()), int(part.value.max())
    if part.value.numel() and not (-size <= low and high < size):
        return _range(operation, owner, part, dim, high if high >= size else low)
    return None


def _is_zero_one(part: Argument) -> bool:
    return bool(((part.value == 0) | (part.value == 1)).all())


def _range(operation: Operation, owner: Argument, part: Argument, dim: int, index: int) -> Diagnosis:
    size = owner.shape[dim]
    candidates: list[Candidate] = []
    # Of a computed index another value may be meant each time.
    if index == size and isinstance(part.node, ast.Constant) and size:
        candidates += instead(part, "-1", "the last one; indices count from 0")
    elif part.is_tensor and index == size and int(part.value.min()) >= 1:
        candidates += instead(part, f"{grouped(part)} - 1", "indices counted from 0")
    what = f"index {index}" if type(part.value) is int else f"{part.text} contains {index}, which"
    return Diagnosis(
        "index-range",
        f"{what} is outside dim {dim} of {owner.text}, whose indices are 0 to {size - 1}"
        if size
        else f"dim {dim} of {owner.text} is 0, so it has no index {index}",
        (operation.conflict(owner, dim, "size", size), operation.conflict(part, None, "index", index))
        if part.is_tensor
        else (operation.conflict(owner, dim, "size", size),),
        candidates=candidates,
    )


def _mask(operation: Operation, owner: Argument, mask: Argument, dim: int, wrong: int) -> Diagnosis:
    there = dim + wrong
    size = owner.shape[there] if there < owner.ndim else None
    candidates: list[Candidate] = []
    node = operation.node
    if isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Tuple):
        if mask.ndim == 1:
            for place in range(1, owner.ndim):
                if owner.shape[place] == mask.shape[0]:
                    candidates += instead(
                        mask, ", ".join([":"] * place + [mask.text]), f"the mask selects along dim {place}"
                    )
        if mask.ndim == 2 and mask.shape[::-1] == owner.shape[:2]:
            candidates += instead(mask, f"{grouped(mask)}.T", f"{mask.text} transposed")
        for place, one in enumerate(mask.shape):
            if one == 1 and owner.shape[: mask.ndim - 1] == mask.shape[:place] + mask.shape[place + 1 :]:
                candidates += instead(mask, f"{grouped(mask)}.squeeze({place})", f"dim {place} of size 1 taken out")
    return Diagnosis(
        "mask-shape",
        f"dim {wrong} of the mask {mask.text} is {mask.shape[wrong]}, dim {there} of {owner.text} is {size}: they must be equal",
        (
            operation.conflict(mask, wrong, "size", mask.shape[wrong]),
            operation.conflict(
                owner, there if size is not None else None, "size" if size is not None else "ndim", size or owner.ndim
            ),
        ),
        candidates=candidates,
    )


def _lists(operation: Operation, parts: list[Argument]) -> Diagnosis | None:
    """`x[rows, columns]` with index tensors that do not broadcast."""
    tensors = [part for part in parts if part.is_tensor and part.dtype != "bool"]
    for first, second in pairwise(tensors):
        clash = broadcast_clash(first.shape, second.shape)
        if clash is not None:
            return Diagnosis(
                "index-broadcast",
                f"dim {clash[0]} of {first.text} is {first.shape[clash[0]]}, dim {clash[1]} of {second.text} is "
                f"{second.shape[clash[1]]}: indices are paired, and must broadcast",
                (
                    operation.conflict(first, clash[0], "size", first.shape[clash[0]]),
                    operation.conflict(second, clash[1], "size", second.shape[clash[1]]),
                ),
                candidates=instead(first, f"{grouped(first)}[:, None]", "every row with every column")
                if first.ndim == 1
                else (),
            )
    return None


def _assigned(operation: Operation) -> Diagnosis | None:
    node = operation.node
    value = operation.tensor(2)
    if value is None or not isinstance(node, ast.Subscript):
        return None
    target = operation.reader.read(ast.parse(operation.text(node), mode="eval").body)
    place = Argument(operation.text(node), target)
    if not place.is_tensor:
        return None
    clash = broadcast_clash(place.shape, value.shape)
    if clash is None and value.ndim <= place.ndim:
        grown = next((d for d in range(value.ndim) if value.shape[d] != 1 and place.shape[d - value.ndim] == 1), None)
        if grown is None:
            return None
        clash = (place.ndim - value.ndim + grown, grown)
    text = f"{place.text} is {sizes_text(place.shape)}, {value.text} is {sizes_text(value.shape)}, which cannot be broadcast to it"
    conflicts = (
        (operation.conflict(value, clash[1], "size", value.shape[clash[1]]),)
        if clash is not None
        else (operation.conflict(value, None, "ndim", value.ndim),)
    )
    return Diagnosis("assigned-shape", text, conflicts, candidates=tuple(_fitted(place, value)))


def _fitted(place: Argument, value: Argument) -> Iterator[Candidate]:
    for dim, size in enumerate(value.shape):
        if size == 1 and value.shape[:dim] + value.shape[dim + 1 :] == place.shape:
            yield from instead(value, f"{grouped(value)}.squeeze({dim})")
    if value.ndim == 2 and value.shape[::-1] == place.shape:
        yield from instead(value, f"{grouped(value)}.T", f"{value.text} transposed")
    if value.ndim < place.ndim:
        for places in alignments(value.shape, place.shape):
            yield from instead(value, f"{grouped(value)}{index_text(places, place.ndim)}")


def _gather(operation: Operation) -> Diagnosis | None:
    owner, index = operation.tensor(0, "input"), operation.tensor(2, "index")
    dim = operation.given(1, "dim")
    if owner is None or index is None or type(dim) is not int or not -owner.ndim <= dim < owner.ndim:
        return None
    place = dim % owner.ndim
    if index.dtype not in ("int64", "int32"):
        return Diagnosis(
            "index-dtype",
            f"{index.text} is {index.dtype}, indices must be int64",
            (operation.conflict(index, None, "dtype", index.dtype),),
            candidates=instead(index, f"{grouped(index)}.long()", "indices as int64"),
        )
    if operation.name in ("index_select", "index_add", "index_add_", "index_copy", "index_fill"):
        return _select(operation, owner, index, place)
    if index.ndim != owner.ndim:
        candidates = (
            instead(index, f"{grouped(index)}.unsqueeze({place})", f"a dim of size 1 at {place}")
            if index.ndim == owner.ndim - 1
            else []
        )
        return Diagnosis(
            "gather-ndim",
            f"{owner.text} has {counted(owner.ndim)}, {index.text} has {index.ndim}: {operation.name.rstrip('_')} takes as many",
            (operation.conflict(owner, None, "ndim", owner.ndim), operation.conflict(index, None, "ndim", index.ndim)),
            candidates=candidates,
        )
    for d in range(owner.ndim):
        if d != place and index.shape[d] > owner.shape[d]:
            return Diagnosis(
                "gather-size",
                f"dim {d} of {index.text} is {index.shape[d]}, dim {d} of {owner.text} is {owner.shape[d]}: it must not be larger",
                (
                    operation.conflict(index, d, "size", index.shape[d]),
                    operation.conflict(owner, d, "size", owner.shape[d]),
                ),
                candidates=instead(index, f"{grouped(index)}.T") if index.ndim == 2 else (),
            )
    return _select(operation, owner, index, place) or _source(operation, index)


def _source(operation: Operation, index: Argument) -> Diagnosis | None:
    source = operation.tensor(3, "src")
    if source is None or not operation.name.startswith("scatter"):
        return None
    if source.dtype != operation.args[0].dtype:
        return Diagnosis(
            "dtype-mismatch",
            f"{operation.args[0].text} is {operation.args[0].dtype}, {source.text} is {source.dtype}: they must be equal",
            (
                operation.conflict(operation.args[0], None, "dtype", operation.args[0].dtype),
                operation.conflict(source, None, "dtype", source.dtype),
            ),
            candidates=instead(source, f"{grouped(source)}.to({operation.args[0].text}.dtype)"),
        )
    if source.ndim != index.ndim:
        return Diagnosis(
            "gather-ndim",
            f"{index.text} has {counted(index.ndim)}, {source.text} has {source.ndim}: scatter takes as many",
            (
                operation.conflict(index, None, "ndim", index.ndim),
                operation.conflict(source, None, "ndim", source.ndim),
            ),
        )
    return None


def _select(operation: Operation, owner: Argument, index: Argument, place: int) -> Diagnosis | None:
    if operation.name.startswith("index_") and index.ndim > 1:
        return Diagnosis(
            "gather-ndim",
            f"{index.text} has {counted(index.ndim)}, {operation.name} takes 1",
            (operation.conflict(index, None, "ndim", index.ndim),),
            candidates=instead(index, f"{grouped(index)}.flatten()"),
        )
    size = owner.shape[place]
    if not index.value.numel() or not index.has_data:
        return None
    low, high = int(index.value.min()), int(index.value.max())
    if 0 <= low <= high < size:
        return None
    candidates = instead(index, f"{grouped(index)} - 1", "indices counted from 0") if (low, high) == (1, size) else []
    fitting = [d for d in range(owner.ndim) if high < owner.shape[d]] if low >= 0 else []
    written = operation.argument(1, "dim")
    if written is not None and len(fitting) == 1:
        candidates += instead(written, str(fitting[0]), f"along dim {fitting[0]}")
    return Diagnosis(
        "index-range",
        f"{index.text} contains {high if high >= size else low}, dim {place} of {owner.text} has indices 0 to {size - 1}",
        (
            operation.conflict(index, None, "index", high if high >= size else low),
            operation.conflict(owner, place, "size", size),
        ),
        candidates=candidates,
    )


RULES: Rules = (
    rule("getitem setitem", _subscript),
    rule(
        "gather scatter scatter_ scatter_add scatter_add_ take_along_dim index_select index_add index_add_ index_copy index_fill",
        _gather,
    ),
)
