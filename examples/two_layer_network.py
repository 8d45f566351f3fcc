"""A network of two layers, and a line that cuts its gradient.

    X   (n, d)   here (4, 6)
    H = X W1 + b1           (n, h)   here (4, 5), with W1 (6, 5) and b1 (5,)
    A = relu(H)             (n, h)   here (4, 5)
    Y = A W2 + b2           (n, k)   here (4, 3), with W2 (5, 3) and b2 (3,)
    L = mean of Y²          ()       a scalar

The wrong line is A = relu(H.detach()). `detach` gives the same numbers in a tensor that has forgotten how they were made,
so `backward()` ends there. All shapes and all values are as before, L is the same number, and no error is raised; but
X, W1 and b1 have no gradient (`grad` is None), and training would never move them. W2 and b2 lie after the cut and
still learn.

In the corrected form each gradient has the shape of its tensor:

    H (4, 5)   W1 (6, 5)   b1 (5,)   X (4, 6)

b1 was repeated over the n rows, so its gradient is the upstream gradient, the one of H, summed over dim 0:
(4, 5) becomes (5,).

H is not a leaf, so torch would drop its gradient; `H.retain_grad()` asks to keep it.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from linear_layer import linear
from torch import Tensor

from shapeguard import guard


@guard
def activation(H: Float[Tensor, "n h"]) -> Float[Tensor, "n h"]:
    """A = relu(H).

    >>> activation(torch.tensor([[-1.0, 2.0]]))
    tensor([[0., 2.]])
    """
    return torch.relu(H)


@guard
def detached_activation(H: Float[Tensor, "n h"]) -> Float[Tensor, "n h"]:
    """`activation` with the mistake: the values are right, and the gradient ends here."""
    return torch.relu(H.detach())


@guard
def mean_of_squares(Y: Float[Tensor, "n k"]) -> Float[Tensor, ""]:
    """L = mean of Y², over all dims.

    >>> mean_of_squares(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor(7.5000)
    """
    return Y.square().mean()


def draw_tensors(seed: int = 0) -> dict[str, Tensor]:
    """X and the parameters by name, all of them leaves that require grad; the same for the same seed."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {"X": (4, 6), "W1": (6, 5), "b1": (5,), "W2": (5, 3), "b2": (3,)}
    return {name: torch.randn(shape, generator=generator, requires_grad=True) for name, shape in shapes.items()}


def run_network(activate: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
    """All tensors of the network by name, after the forward and the backward pass."""
    tensors = draw_tensors()
    H = linear(tensors["X"], tensors["W1"], tensors["b1"])
    A = activate(H)
    Y = linear(A, tensors["W2"], tensors["b2"])
    L = mean_of_squares(Y)
    H.retain_grad()
    L.backward()
    return tensors | {"H": H, "A": A, "Y": Y, "L": L}


if __name__ == "__main__":
    wrong = run_network(detached_activation)
    corrected = run_network(activation)

    for name in ("H", "A", "Y", "L"):
        print(f"{name:2}  {tuple(corrected[name].shape)}")
    print("L is the same with the wrong line:", torch.equal(wrong["L"], corrected["L"]))

    print("\ngradient of   corrected   with the wrong line")
    for name in ("X", "W1", "b1", "H", "W2", "b2"):
        shapes = ["None" if run[name].grad is None else str(tuple(run[name].grad.shape)) for run in (corrected, wrong)]
        print(f"{name:2}            {shapes[0]:10}  {shapes[1]}")

    upstream = corrected["H"].grad
    print("\nb1.grad is the gradient of H summed over dim 0:", torch.allclose(corrected["b1"].grad, upstream.sum(0)))
