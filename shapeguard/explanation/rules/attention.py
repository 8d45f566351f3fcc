"""Attention: embedding size, heads, masks, order of the dims."""

import ast
from collections.abc import Iterator

from shapeguard.explanation.constructors import rebuilt
from shapeguard.explanation.diagnosis import (
    Candidate,
    Diagnosis,
    Rules,
    grouped,
    instead,
    rule,
    sizes_text,
    together,
)
from shapeguard.explanation.operation import Argument, Operation
from shapeguard.explanation.shapes import alignments, broadcast_clash, index_text, moved


def _constructed(operation: Operation) -> Diagnosis | None:
    """`nn.MultiheadAttention(64, 6)`: heads that do not divide."""
    embed = operation.argument(0, "embed_dim", "d_model")
    heads = operation.argument(1, "num_heads", "nhead")
    if (
        embed is None
        or heads is None
        or type(embed.value) is not int
        or type(heads.value) is not int
        or not heads.value
    ):
        return None
    size, count = embed.value, heads.value
    if size % count == 0:
        return None
    divisors = sorted((n for n in range(1, size + 1) if size % n == 0), key=lambda n: (abs(n - count), -n))
    candidates: list[Candidate] = []
    for n in divisors[:2]:
        candidates += instead(heads, str(n), f"{n} heads of {size // n}")
    near = round(size / count) * count
    candidates += instead(embed, str(near), f"{count} heads of {near // count}") if near else []
    return Diagnosis(
        "attention-heads",
        f"{embed.text} features cannot be divided among {heads.text} heads",
        (operation.conflict(heads, None, "value", count), operation.conflict(embed, None, "value", size)),
        candidates=candidates,
    )


def _multihead(operation: Operation) -> Diagnosis | None:
    query, layer = operation.tensor(0, "query"), operation.layer
    if query is None or layer is None or not operation.is_layer:
        return None
    module = layer.module
    key, value = operation.tensor(1, "key") or query, operation.tensor(2, "value") or query
    sizes = (module.embed_dim, module.kdim or module.embed_dim, module.vdim or module.embed_dim)
    for argument, size in zip((query, key, value), sizes, strict=True):
        if argument.ndim and argument.shape[-1] != size:
            return _embedding(operation, argument, size, (query, key, value))
    return _batch(operation, query, key) or _masks(operation, query, key)


def _embedding(operation: Operation, argument: Argument, size: int, all_three: tuple[Argument, ...]) -> Diagnosis:
    assert operation.layer is not None  # noqa: S101  asked by _multihead alone
    last = argument.ndim - 1
    return Diagnosis(
        "attention-features",
        f"dim {last} of {argument.text} is {argument.shape[last]}, {operation.layer.label} takes {size}",
        (operation.conflict(argument, last, "size", argument.shape[last]),),
        candidates=tuple(_turned(operation, argument, size, all_three)),
    )


def _turned(
    operation: Operation, argument: Argument, size: int, all_three: tuple[Argument, ...]
) -> Iterator[Candidate]:
    same = [a for a in all_three if a.text == argument.text]
    for first, second in moved(argument.shape, size, -1):
        text = f"{grouped(argument)}.transpose({first}, {second})"
        yield from together([(a, text) for a in same], "the features moved to the last dim")
    yield from rebuilt(operation, {"embed_dim": argument.shape[-1]})


def _batch(operation: Operation, query: Argument, key: Argument) -> Diagnosis | None:
    """Batch first or second: what is taken for the batch differs between query and key."""
    assert operation.layer is not None  # noqa: S101
    module = operation.layer.module
    if query.ndim != 3 or key.ndim != 3:
        return None
    batch, steps = (0, 1) if module.batch_first else (1, 0)
    if query.shape[batch] == key.shape[batch]:
        return None
    candidates: list[Candidate] = []
    because: tuple[str, ...] = ()
    if query.shape[steps] == key.shape[steps]:
        because = (
            (
                f"Without batch_first=True dim 0 is the steps and dim 1 the batch; dim 0 is {query.shape[steps]} in both.",
            )
            if batch
            else ()
        )
        candidates += rebuilt(operation, {"batch_first": "True"})
        three = [a for a in (query, key, operation.tensor(2, "value")) if a is not None]
        candidates += together([(a, f"{grouped(a)}.transpose(0, 1)") for a in three], "steps first")
    return Diagnosis(
        "attention-batch",
        f"dim {batch} of {query.text} is {query.shape[batch]}, dim {batch} of {key.text} is {key.shape[batch]}: "
        f"{operation.layer.label} reads both as the batch",
        (
            operation.conflict(query, batch, "size", query.shape[batch]),
            operation.conflict(key, batch, "size", key.shape[batch]),
        ),
        because,
        candidates,
    )


def _masks(operation: Operation, query: Argument, key: Argument) -> Diagnosis | None:
    assert operation.layer is not None  # noqa: S101
    module = operation.layer.module
    if query.ndim != 3:
        return None
    batch, steps = (0, 1) if module.batch_first else (1, 0)
    n, length, source = query.shape[batch], query.shape[steps], key.shape[steps]
    padding, mask = operation.tensor(3, "key_padding_mask"), operation.tensor(5, "attn_mask")
    if padding is not None and padding.shape != (n, source):
        candidates = (
            instead(padding, f"{grouped(padding)}.T", f"{padding.text} transposed")
            if padding.shape == (source, n)
            else []
        )
        because: tuple[str, ...] = ()
        if padding.shape in ((length, n), (source, n)):
            because = (f"Dim {batch} of {query.text} is read as the batch: batch_first is {module.batch_first}.",)
            if not module.batch_first:
                candidates = [*rebuilt(operation, {"batch_first": "True"}), *candidates]
        return _mask(operation, padding, (n, source), "batch, source steps", (candidates, because))
    allowed = ((length, source), (n * module.num_heads, length, source))
    if mask is not None and mask.shape not in allowed:
        candidates = []
        if mask.shape == (n, length, source):
            text = f"{grouped(mask)}.repeat_interleave({module.num_heads}, dim=0)"
            candidates += instead(mask, text, "the mask of each sample for each head")
        because = ()
        if mask.shape == (n, n) or (mask.ndim == 2 and mask.shape[0] == n != length):
            because = (f"Dim {steps} of {query.text} is read as the steps: batch_first is {module.batch_first}.",)
            candidates += rebuilt(operation, {"batch_first": "True"}) if not module.batch_first else []
        return _mask(operation, mask, allowed[mask.ndim == 3], "steps, source steps", (candidates, because))
    return None


def _mask(
    operation: Operation,
    mask: Argument,
    wanted: tuple[int, ...],
    names: str,
    meant: tuple[list[Candidate], tuple[str, ...]],
) -> Diagnosis:
    candidates, because = meant
    dim = next((d for d in range(mask.ndim) if mask.ndim == len(wanted) and mask.shape[d] != wanted[d]), None)
    conflict = (
        operation.conflict(mask, None, "ndim", mask.ndim)
        if dim is None
        else operation.conflict(mask, dim, "size", mask.shape[dim])
    )
    return Diagnosis(
        "attention-mask",
        f"{mask.text} is {sizes_text(mask.shape)}, it must be {sizes_text(wanted)}: {names}",
        (conflict,),
        because,
        candidates,
    )


def _scaled(operation: Operation) -> Diagnosis | None:
    query, key, value = (operation.tensor(i, n) for i, n in enumerate(("query", "key", "value")))
    if query is None or key is None or value is None or min(query.ndim, key.ndim, value.ndim) < 2:
        return None
    if query.shape[-1] != key.shape[-1]:
        candidates: list[Candidate] = []
        if key.shape[-2] == query.shape[-1]:
            candidates += instead(
                key, f"{grouped(key)}.mT" if not isinstance(key.node, ast.Attribute) else operation.text(key.node.value)
            )
        return Diagnosis(
            "attention-features",
            f"dim {query.ndim - 1} of {query.text} is {query.shape[-1]}, dim {key.ndim - 1} of {key.text} is {key.shape[-1]}: "
            "they must be equal to be contracted",
            (
                operation.conflict(query, query.ndim - 1, "size", query.shape[-1]),
                operation.conflict(key, key.ndim - 1, "size", key.shape[-1]),
            ),
            candidates=candidates,
        )
    mask = operation.tensor(3, "attn_mask")
    if mask is None:
        return None
    scores = (*query.shape[:-1], key.shape[-2])
    clash = broadcast_clash(mask.shape, scores)
    if clash is None:
        return None
    candidates = []
    for places in sorted(alignments(mask.shape, scores), key=lambda p: (p[0] != 0, p[-1] != len(scores) - 1)):
        candidates += instead(
            mask, f"{grouped(mask)}{index_text(places, len(scores))}", "broadcast along the other dims of the scores"
        )
    return Diagnosis(
        "attention-mask",
        f"dim {clash[0]} of {mask.text} is {mask.shape[clash[0]]}, dim {clash[1]} of the scores is {scores[clash[1]]}: "
        f"the scores of {query.text} and {key.text} are {sizes_text(scores)}",
        (operation.conflict(mask, clash[0], "size", mask.shape[clash[0]]),),
        candidates=candidates,
    )


RULES: Rules = (
    rule("MultiheadAttention", _multihead),
    rule("new:MultiheadAttention new:TransformerEncoderLayer new:TransformerDecoderLayer", _constructed),
    rule("scaled_dot_product_attention", _scaled),
)
