"""Elementwise operations on shapes that do not broadcast: a missing dim, a lost keepdim, a transposed operand."""

import ast
from collections.abc import Iterator

from shapeguard.explanation.diagnosis import (
    Candidate,
    Diagnosis,
    Rules,
    grouped,
    instead,
    rewritten,
    rule,
    sizes_text,
    untransposed,
)
from shapeguard.explanation.operation import Argument, Operation
from shapeguard.explanation.shapes import alignments, broadcast_clash, index_text, numel

_ELEMENTWISE = (
    "add sub mul div true_divide divide multiply subtract floor_divide remainder fmod pow eq ne lt le gt ge maximum "
    "minimum fmax fmin atan2 logical_and logical_or logical_xor bitwise_and bitwise_or bitwise_xor where masked_fill lerp "
    "addcmul addcdiv hypot xlogy isclose allclose mse_loss l1_loss smooth_l1_loss huber_loss MSELoss L1Loss "
    "SmoothL1Loss HuberLoss kl_div cosine_similarity CosineSimilarity masked_select rsub dist logaddexp copysign pairwise_distance"
)
_IN_PLACE = "add_ sub_ mul_ div_ floor_divide_ remainder_ pow_ masked_fill_ copy_ lerp_ bitwise_and_ bitwise_or_ addcmul_ clamp_"
REDUCTIONS = frozenset(
    [
        "sum",
        "mean",
        "amax",
        "amin",
        "std",
        "var",
        "prod",
        "logsumexp",
        "norm",
        "argmax",
        "argmin",
        "nanmean",
        "nansum",
        "all",
        "any",
        "max",
        "min",
        "median",
        "mode",
    ]
)


def _elementwise(operation: Operation) -> Diagnosis | None:
    tensors = operation.tensors()
    for index, first in enumerate(tensors):
        for second in tensors[index + 1 :]:
            clash = broadcast_clash(first.shape, second.shape)
            if clash is not None:
                return _clash(operation, first, second, clash)
    return None


def _clash(operation: Operation, left: Argument, right: Argument, clash: tuple[int, int]) -> Diagnosis:
    first, second = clash
    return Diagnosis(
        "broadcast",
        f"dim {first} of {left.text} is {left.shape[first]}, dim {second} of {right.text} is {right.shape[second]}: "
        "to be broadcast they must be equal, or one of them 1",
        (
            operation.conflict(left, first, "size", left.shape[first]),
            operation.conflict(right, second, "size", right.shape[second]),
        ),
        candidates=tuple(_meant(operation, left, right)),
    )


def _meant(operation: Operation, left: Argument, right: Argument) -> Iterator[Candidate]:
    small, large = (left, right) if left.ndim < right.ndim else (right, left)
    for argument in (small, large):
        yield from _kept(operation, argument)
    if small.ndim == large.ndim:
        yield from _same_ndim(operation, left, right)
    else:
        yield from _aligned(small, large)
        if numel(small.shape) == numel(large.shape):
            yield from _squeezed(small, large)


def _aligned(small: Argument, large: Argument) -> Iterator[Candidate]:
    """A dim of size 1 where the larger operand has one more; a batch stays first, and a mask's last dim last."""
    ways = list(alignments(small.shape, large.shape))
    exact = [places for places in ways if all(small.shape[i] == large.shape[p] for i, p in enumerate(places))]
    ways = exact or ways
    if small.ndim > 1:
        ways.sort(key=lambda places: (places[0] != 0, places[-1] != large.ndim - 1))
    for places in ways:
        text = f"{grouped(small)}{index_text(places, large.ndim)}"
        yield from instead(small, text, f"{small.text} broadcast along the other dims of {large.text}")
        # One way is what was meant; several are a guess that later statements may decide.


def _squeezed(small: Argument, large: Argument) -> Iterator[Candidate]:
    for dim, size in enumerate(large.shape):
        if size == 1 and tuple(s for d, s in enumerate(large.shape) if d != dim) == small.shape:
            yield from instead(large, f"{grouped(large)}.squeeze({dim})")


def _same_ndim(operation: Operation, left: Argument, right: Argument) -> Iterator[Candidate]:
    for argument, other in ((right, left), (left, right)):
        inner = untransposed(argument.node)
        if inner is not None and argument.shape[::-1] == other.shape:
            yield from instead(argument, operation.text(inner), f"{argument.text} without its transpose")
    for argument, other in ((right, left), (left, right)):
        if argument.ndim == 2 and argument.shape[::-1] == other.shape:
            yield from instead(argument, f"{grouped(argument)}.T", f"{argument.text} transposed")
        elif argument.ndim > 2:
            yield from _permuted(argument, other)
    if left.ndim == 1 and not isinstance(operation.failure.path[-2], ast.BinOp):
        # Inside of a longer formula a table of pairs would run, and be meant by nobody.
        yield from instead(left, f"{grouped(left)}[:, None]", "every pair: one row for each element of the left")
    elif left.ndim == 2 and operation.name == "sub" and left.shape[1] == right.shape[1]:
        yield from instead(left, f"{grouped(left)}[:, None]", "every pair of rows")
    if operation.name == "mul" and left.ndim == right.ndim == 2 and left.shape[1] == right.shape[0]:
        yield from rewritten(operation, f"{grouped(left)} @ {grouped(right)}", "a matrix product")


def _permuted(argument: Argument, other: Argument) -> Iterator[Candidate]:
    """Channels first or last: the one order of dims that makes the shapes equal, or fit."""
    shape, ndim = argument.shape, argument.ndim
    orders = [
        (0, *range(2, ndim), 1),
        (0, ndim - 1, *range(1, ndim - 1)),
        (*range(1, ndim), 0),
        (ndim - 1, *range(ndim - 1)),
    ]
    for order in dict.fromkeys(orders):
        if tuple(shape[dim] for dim in order) == other.shape:
            yield from instead(
                argument, f"{grouped(argument)}.permute{order}", f"{sizes_text(order)} as the order of dims"
            )
    for first in range(ndim):
        for second in range(first + 1, ndim):
            swapped = list(shape)
            swapped[first], swapped[second] = swapped[second], swapped[first]
            if tuple(swapped) == other.shape:
                yield from instead(argument, f"{grouped(argument)}.transpose({first}, {second})")


def _kept(operation: Operation, argument: Argument) -> Iterator[Candidate]:
    """A reduction that lost its dim: in the expression itself, or where the operand was bound."""
    node = argument.node
    call = _reduction(node) if node is not None else None
    if call is None and isinstance(node, ast.Name):
        call = _reduction(_bound_to(operation, node.id))
    if call is None or any(keyword.arg == "keepdim" for keyword in call.keywords):
        return
    text = operation.text(call)
    yield Candidate("the reduced dim is kept", ((call, f"{text[:-1].rstrip()}, keepdim=True)"),))


def _reduction(node: ast.AST | None) -> ast.Call | None:
    match node:
        case ast.Call(func=ast.Attribute(attr=name), args=args, keywords=keywords) if name in REDUCTIONS:
            if args or any(keyword.arg in ("dim", "axis") for keyword in keywords):
                return node
        case ast.Attribute(value=inner, attr="values" | "indices"):
            return _reduction(inner)
        case ast.Subscript(value=inner, slice=ast.Constant(int())):
            return _reduction(inner)
        case ast.Call(func=ast.Attribute(value=inner)):
            return _reduction(inner)
        case ast.BinOp(left=left, right=right):
            return _reduction(left) if isinstance(right, ast.Constant) else None
    return None


def _bound_to(operation: Operation, name: str) -> ast.expr | None:
    """The value last bound to a name before the failure, in the same block."""
    statement = operation.failure.statement()
    block = next(operation.failure.siblings(), [])
    before = block[: block.index(statement)] if statement in block else []
    for earlier in reversed(before):
        if any(
            isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store)
            for node in ast.walk(earlier)
        ):
            match earlier:
                case ast.Assign(targets=[ast.Name()], value=value):
                    return value
            return None
    return None


def _in_place(operation: Operation) -> Diagnosis | None:
    target = operation.tensor(0)
    others = [argument for argument in operation.tensors() if argument is not target]
    if target is None or not others:
        return None
    other = others[0]
    clash = broadcast_clash(target.shape, other.shape)
    if clash is not None:
        return _clash(operation, target, other, clash)
    bigger = next((d for d in range(other.ndim) if _grows(target.shape, other.shape, d)), None)
    if bigger is None:
        return None
    return Diagnosis(
        "in-place-broadcast",
        f"an in-place operation cannot change the shape of {target.text}, {sizes_text(target.shape)}; "
        f"dim {bigger} of {other.text} is {other.shape[bigger]}",
        (
            operation.conflict(target, None, "ndim", target.ndim)
            if target.ndim < other.ndim
            else operation.conflict(target, bigger, "size", target.shape[bigger]),
            operation.conflict(other, bigger, "size", other.shape[bigger]),
        ),
        candidates=tuple(_out_of_place(operation, target, other)),
    )


def _grows(target: tuple[int, ...], other: tuple[int, ...], dim: int) -> bool:
    back = len(other) - dim
    return back > len(target) or (target[-back] == 1 and other[dim] != 1)


def _out_of_place(operation: Operation, target: Argument, other: Argument) -> Iterator[Candidate]:
    node = operation.node
    signs = {"add_": "+", "sub_": "-", "mul_": "*", "div_": "/"}
    for dim, size in enumerate(other.shape):
        if size == 1 and tuple(s for d, s in enumerate(other.shape) if d != dim) == target.shape:
            yield from instead(other, f"{grouped(other)}.squeeze({dim})")
    if isinstance(node, ast.AugAssign) and operation.name in signs:
        text = f"{target.text} = {target.text} {signs[operation.name]} {grouped(other)}"
        yield from rewritten(operation, text, "a new tensor instead of a change in place")
        return
    statement = operation.failure.statement()
    if isinstance(statement, ast.Expr) and isinstance(target.node, ast.Name) and operation.name in signs:
        # Without a target the new tensor would be dropped.
        text = f"{target.text} = {target.text} {signs[operation.name]} {grouped(other)}"
        yield Candidate("a new tensor instead of a change in place", ((statement, text),))


RULES: Rules = (rule(_ELEMENTWISE, _elementwise), rule(_IN_PLACE, _in_place))
