"""A linear layer, and a loss that is one number.

    X  (n, d)   here (32, 64)
    W  (d, k)   here (64, 16)
    b  (k,)     here (16,)

    Y = X W + b    (n, k)   here (32, 16)
    L = sum of Y²  ()       a scalar: no dims, one number

The product contracts d: the last dim of X meets the first dim of W, and both disappear. Then b is added to each of the n
rows, though it has one dim and X W has two: broadcasting aligns from the trailing dim, so (16,) is read as (1, 16) and
repeated to (32, 16). No copy is made.

Backwards, what was repeated is summed. With G = dL/dY = 2 Y, which has the shape of Y,

    dL/dX = G Wᵀ   (n, d)
    dL/dW = Xᵀ G   (d, k)
    dL/db = sum of G over dim 0   (k,)
"""

import torch
from jaxtyping import Float
from torch import Tensor

from shapeguard import guard


@guard
def linear(X: Float[Tensor, "n d"], W: Float[Tensor, "d k"], b: Float[Tensor, "k"]) -> Float[Tensor, "n k"]:
    """Y = X W + b.

    >>> linear(torch.ones(3, 2), torch.ones(2, 4), torch.ones(4)).shape
    torch.Size([3, 4])
    """
    return X @ W + b  # (n, k) plus (k,)


@guard
def sum_of_squares(Y: Float[Tensor, "n k"]) -> Float[Tensor, ""]:
    """L = sum of Y², over all dims.

    >>> sum_of_squares(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor(30.)
    """
    return Y.square().sum()


if __name__ == "__main__":
    generator = torch.Generator().manual_seed(0)
    X = torch.randn(32, 64, generator=generator, requires_grad=True)
    W = torch.randn(64, 16, generator=generator, requires_grad=True)
    b = torch.randn(16, generator=generator, requires_grad=True)
    Y = linear(X, W, b)
    L = sum_of_squares(Y)
    L.backward()

    print("X W", tuple((X @ W).shape))
    print("b  ", tuple(b.shape))
    print("Y  ", tuple(Y.shape))
    print("L  ", tuple(L.shape))
    print("b is added as if repeated to (32, 16):", torch.equal(Y, X @ W + b.expand(32, 16)))

    G = 2 * Y.detach()
    print("X.grad", tuple(X.grad.shape), "is G Wᵀ:", torch.allclose(X.grad, G @ W.T, rtol=1e-4, atol=1e-2))
    print("W.grad", tuple(W.grad.shape), "is Xᵀ G:", torch.allclose(W.grad, X.T @ G, rtol=1e-4, atol=1e-2))
    print(
        "b.grad", tuple(b.grad.shape), "is G summed over dim 0:", torch.allclose(b.grad, G.sum(0), rtol=1e-4, atol=1e-2)
    )
