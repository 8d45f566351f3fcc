"""A padded batch: sequences of different lengths in one tensor.

    X        (6, 10, 8)  6 sequences of 10 steps with 8 features each; float32, standard normal
    lengths  (6,)        how many steps of each sequence are real; int64
    mask     (6, 10)     1 where a step is real, 0 where it is padding; int64

A tensor has one size per dim, so a short sequence is filled up at its end. The filling is not data, and only the
mask can tell the two apart:

    mask[i, t] = 1 if t < lengths[i] else 0

In code that is one comparison of the steps, shape (10,), with lengths[:, None], shape (6, 1). Broadcasting aligns shapes
from the trailing dim and repeats the dims that are missing or 1, so the result is (6, 10).

X takes part in backpropagation: it is a leaf (no operation made it) with requires_grad, so `backward()` will leave the
gradient in X.grad. The mask is made of whole numbers, which never have a gradient.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from shapeguard import guard

LENGTHS = (10, 7, 5, 3, 1, 0)
"""The last sequence is empty: the case that most code for masks forgets."""


@guard
def draw_batch(seed: int = 0) -> Float[Tensor, "6 10 8"]:
    """A standard normal batch, the same for the same seed; a leaf that requires grad."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(6, 10, 8, generator=generator, requires_grad=True)


@guard
def padding_mask(X: Float[Tensor, "b t f"], lengths: Int[Tensor, "b"]) -> Int[Tensor, "b t"]:
    """1 for the first `lengths[i]` steps of sequence i and 0 for the rest.

    >>> padding_mask(torch.zeros(2, 3, 1), torch.tensor([3, 1])).tolist()
    [[1, 1, 1], [1, 0, 0]]
    """
    steps = torch.arange(X.shape[1], device=lengths.device)  # (t,)
    return (steps < lengths[:, None]).long()  # (t,) against (b, 1) gives (b, t)


if __name__ == "__main__":
    X = draw_batch()
    lengths = torch.tensor(LENGTHS)
    mask = padding_mask(X, lengths)

    print("X      ", tuple(X.shape), X.dtype)
    print("lengths", tuple(lengths.shape), lengths.dtype)
    print("mask   ", tuple(mask.shape), mask.dtype)
    for row in mask.tolist():
        print("       ", *row)
    print("X is a leaf:", X.is_leaf)
    print("X requires grad:", X.requires_grad)
    print("mask requires grad:", mask.requires_grad)
    print("a row of the mask sums to its length:", torch.equal(mask.sum(dim=1), lengths))
    print("X looks standard normal:", abs(X.mean().item()) < 0.2 and abs(X.std().item() - 1) < 0.2)
