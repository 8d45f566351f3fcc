"""Checks that Dynamo traces into the graph: loops over literals, comparisons of sizes, and one `raise` with the reason.

What is only a message in eager mode must be plain code here: Dynamo follows every line of it.
"""

from typing import Any

from jaxtyping import TypeCheckError

from shapeguard.enforcement.hints import Array
from shapeguard.notation import AnonymousVariadicDim, FixedDim, NamedDim

TracedDim = int | str | None

TracedDims = tuple[tuple[TracedDim, ...], bool, tuple[TracedDim, ...], str]
"""Dims before the variadic one, whether there is one, dims after it, and all as written."""


def traced_dims(array: Array) -> TracedDims:
    """The dims as a literal: a size, a name, or None for one dim of any size."""
    before: list[TracedDim] = []
    after: list[TracedDim] = []
    variadic = False
    words = []
    for dim in array.dims:
        match dim:
            case AnonymousVariadicDim():
                variadic = True
                words.append("...")
            case FixedDim(size):
                (after if variadic else before).append(size)
                words.append(str(size))
            case NamedDim(name):
                (after if variadic else before).append(name)
                words.append(name)
            case _:
                (after if variadic else before).append(None)
                words.append("_")
    return tuple(before), variadic, tuple(after), " ".join(words)


def trace(  # noqa: PLR0913, PLR0917  called by generated text alone
    subject: str, label: str | None, value: Any, dtypes: frozenset[Any] | None, dims: TracedDims, sizes: dict[str, Any]
) -> None:
    """Check one value where it is a tensor; what is not decides itself outside the graph.

    Raises:
        TypeCheckError: it does not fit; Dynamo wraps it, its text stays.
    """
    if value is None or not hasattr(value, "shape") or not hasattr(value, "dtype"):
        return
    before, variadic, after, written = dims
    of = f" of {label}" if label else ""
    if dtypes is not None and value.dtype not in dtypes:
        message = f"{subject}: dtype{of} is {str(value.dtype)[6:]}, which its annotation does not admit"
        raise TypeCheckError(message)
    shape = value.shape
    least = len(before) + len(after)
    if len(shape) < least or (len(shape) > least and not variadic):
        message = f'{subject}: ndim{of} is {len(shape)}, expected {least}{" or more" if variadic else ""} ("{written}")'
        raise TypeCheckError(message)
    positions = [*range(len(before)), *range(len(shape) - len(after), len(shape))]
    for position, dim in zip(positions, (*before, *after), strict=True):
        _trace_dim(
            f"{subject}: dim {position}{of}", shape[position], dim, sizes, f"{label or 'the result'} dim {position}"
        )


def _trace_dim(found: str, size: Any, dim: TracedDim, sizes: dict[str, Any], place: str) -> None:
    if dim is None:
        return
    if isinstance(dim, str):
        if dim not in sizes:
            sizes[dim] = (size, place)
            return
        known, source = sizes[dim]
        if size != known:
            message = f"{found} is {size}, but {dim} is {known}, bound by {source}"
            raise TypeCheckError(message)
    elif size != dim:
        message = f"{found} is {size}, expected {dim}"
        raise TypeCheckError(message)
