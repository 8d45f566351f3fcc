"""Arithmetic of shapes that several families of rules need."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from math import prod

MAX_NDIM = 8


def broadcast_clash(left: Sequence[int], right: Sequence[int]) -> tuple[int, int] | None:
    """The dims, counted from the left, of the last pair that differs and has no 1; None where there is none.

    >>> broadcast_clash((32, 10), (32,))
    (1, 0)
    """
    for back in range(1, min(len(left), len(right)) + 1):
        if left[-back] != right[-back] and 1 not in (left[-back], right[-back]):
            return len(left) - back, len(right) - back
    return None


def alignments(small: Sequence[int], large: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Each way to put the dims of `small`, in order, on dims of `large` of the same size or of size 1.

    >>> list(alignments((3,), (8, 3, 5)))
    [(1,)]
    """
    if len(small) > len(large) or len(large) > MAX_NDIM:
        return
    for places in combinations(range(len(large)), len(small)):
        if all(size in (large[place], 1) for size, place in zip(small, places, strict=True)):
            yield places


def index_text(places: Sequence[int], ndim: int) -> str:
    """The subscript that puts dims on `places` of `ndim` dims; `[:, None]`.

    >>> index_text((0,), 3)
    '[:, None, None]'
    """
    first = min(places, default=0)
    return f"[{', '.join(':' if dim in places else 'None' for dim in range(first, ndim))}]"


def moved(shape: Sequence[int], size: int, to: int) -> list[tuple[int, int]]:
    """The swaps of two dims that put a dim of this size at `to`."""
    to %= len(shape)
    return [(min(dim, to), max(dim, to)) for dim in range(len(shape)) if dim != to and shape[dim] == size]


def without(shape: Sequence[int], dim: int) -> tuple[int, ...]:
    """The shape without one dim."""
    return tuple(size for place, size in enumerate(shape) if place != dim)


def numel(shape: Sequence[int]) -> int:
    """The product of the sizes."""
    return prod(shape)
