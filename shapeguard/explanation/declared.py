"""What the program itself declares of a result: the jaxtyping annotation of its target, or of what is returned."""

import ast
from collections.abc import Mapping

from shapeguard.errors import NotationError
from shapeguard.explanation.failure import Failure
from shapeguard.notation import FixedDim, NamedDim, is_variadic, parse_dims
from shapeguard.records import Spec
from shapeguard.tensors import describe


def fits_annotation(failure: Failure, spec: Spec) -> bool:
    """False where the failed expression is the whole value of an annotated target that the result contradicts."""
    statement = failure.statement()
    value = getattr(statement, "value", None)
    if value is not failure.node or spec.shape is None:
        return True
    function = failure.function()
    declared: ast.expr | None = None
    if isinstance(statement, ast.AnnAssign):
        declared = statement.annotation
    elif isinstance(statement, ast.Return) and function is not None:
        declared = function.returns
    dims = None if declared is None else _dim_string(declared)
    if dims is None:
        return True
    return _fits(dims, spec.shape, _bound(failure, function))


def _fits(dims: str, shape: tuple[int | str, ...], sizes: Mapping[str, int]) -> bool:
    try:
        parsed = parse_dims(dims)
    except NotationError:
        return True
    if any(is_variadic(dim) for dim in parsed):
        return True
    if len(parsed) != len(shape):
        return False
    for dim, size in zip(parsed, shape, strict=True):
        expected = dim.size if isinstance(dim, FixedDim) else sizes.get(dim.name) if isinstance(dim, NamedDim) else None
        if expected is not None and expected != size:
            return False
    return True


def _dim_string(annotation: ast.expr) -> str | None:
    for node in ast.walk(annotation):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value
    return None


def _bound(failure: Failure, function: ast.FunctionDef | ast.AsyncFunctionDef | None) -> dict[str, int]:
    """Sizes of the named dims, from the annotated parameters and what they hold."""
    sizes: dict[str, int] = {}
    parameters = (
        [] if function is None else [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    )
    for parameter in parameters:
        dims = None if parameter.annotation is None else _dim_string(parameter.annotation)
        shape = describe(failure.frame.f_locals.get(parameter.arg)).shape
        if dims is None or shape is None:
            continue
        try:
            parsed = parse_dims(dims)
        except NotationError:
            continue
        if len(parsed) == len(shape) and not any(map(is_variadic, parsed)):
            for dim, size in zip(parsed, shape, strict=True):
                if isinstance(dim, NamedDim) and isinstance(size, int):
                    sizes.setdefault(dim.name, size)
    return sizes
