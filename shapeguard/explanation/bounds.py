"""What one operation may cost, judged before it runs, since a kernel that runs cannot be interrupted."""

from collections.abc import Iterable, Iterator
from math import prod
from time import perf_counter
from typing import Any

from shapeguard.explanation.purity import words
from shapeguard.tensors import is_tensor

MAX_NUMEL = 8_000_000
"""Elements of any operand or result."""
MAX_WORK = 200_000_000
"""Multiplications of one product or convolution."""
MAX_SPREAD = 4_000_000
"""What the sizes of all operands and all whole numbers may multiply to, where nothing finer is known."""

PRODUCTS = words(
    """
    matmul mm bmm mv dot linear addmm baddbmm addbmm inner vdot einsum tensordot scaled_dot_product_attention bilinear
    """
)
CONVOLUTIONS = words(
    """
    conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d
    """
)
SPREADING = words(
    """
    outer kron cdist meshgrid repeat tile repeat_interleave interpolate upsample one_hot pad unfold fold matrix_exp
    inverse pinverse svd qr eigh solve lstsq inv block_diag diag diag_embed zeros ones full empty eye rand randn
    randint randperm arange linspace logspace tril_indices triu_indices new_zeros new_ones new_full new_empty tensor
    as_tensor matrix_power multi_dot cov bincount affine_grid grid_sample det logdet
    range list tuple mul_sequence
    """
)


class Refused(Exception):  # noqa: N818  it tells what was decided, not what went wrong
    """The value cannot be had: it would take code with effects, more memory or more time."""


class TooLarge(Refused):
    """The value could be had, but not within the bounds."""


class Deadline:
    """A moment after which nothing more is begun."""

    def __init__(self, seconds: float) -> None:
        self._end = perf_counter() + seconds

    def check(self) -> None:
        """Raise where it has passed."""
        if perf_counter() > self._end:
            message = "no time is left"
            raise Refused(message)

    def is_over(self) -> bool:
        """Whether it has passed."""
        return perf_counter() > self._end


def admit(name: str, values: Iterable[Any]) -> None:
    """Raise TooLarge where an operation on these operands could take too much memory or time."""
    values = list(_flat(values, 0))
    shapes = [tuple(value.shape) for value in values if is_tensor(value)]
    numels = sorted((prod(shape) for shape in shapes), reverse=True)
    numbers = [abs(value) for value in values if type(value) is int and abs(value) > 1]
    if any(number > MAX_NUMEL for number in numels):
        raise TooLarge(name)
    if name in SPREADING:
        within = prod(numels + numbers) <= MAX_SPREAD
    elif prod(numels[:2]) <= MAX_SPREAD:
        within = True
    elif name in PRODUCTS:
        within = _product_work(name, shapes) <= MAX_WORK
    elif name in CONVOLUTIONS:
        within = numels[0] * numels[1] // max(1, shapes[1][1] if len(shapes[1]) > 1 else 1) <= MAX_WORK
    else:
        within = _broadcast_numel(shapes) <= MAX_NUMEL
    if not within:
        raise TooLarge(name)


def _flat(values: Iterable[Any], depth: int) -> Iterator[Any]:
    for value in values:
        if type(value) in (list, tuple) and depth < 2:  # noqa: PLR2004  sequences of sequences of tensors
            yield from _flat(value, depth + 1)
        else:
            yield value


def _product_work(name: str, shapes: list[tuple[int, ...]]) -> int:
    if name == "scaled_dot_product_attention" and shapes[2:] and shapes[1][1:]:
        return 2 * prod(shapes[0]) * shapes[1][-2]
    if len(shapes) != 2:  # noqa: PLR2004
        return prod(prod(shape) for shape in shapes)
    left, right = shapes
    return prod(left) * (max(right[0], right[-1]) if right else 1) * prod(right[:-2])


def _broadcast_numel(shapes: list[tuple[int, ...]]) -> int:
    ndim = max(map(len, shapes), default=0)
    padded = [(1,) * (ndim - len(shape)) + shape for shape in shapes]
    return prod(max(sizes) for sizes in zip(*padded, strict=True))
