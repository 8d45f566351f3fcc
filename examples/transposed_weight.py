"""X @ W.T, where X @ W was meant: who notices?

    X    (32, 64)
    W    (64, 16)
    W.T  (16, 64)

A product contracts the last dim of its left side with the first dim of its right side. In X @ W.T these are 64 and 16,
so there is no such product.

* The guard of `linear` refuses W.T when it is called, before anything is computed, and says which dims clash:
  d is 64 in X, and 16 in W.T.
* Plain torch refuses too, but only when it reaches the product, and speaks of mat1 and mat2.
* Nobody refuses if W is square. X @ W.T then runs, has the right shape, and is wrong. Shapes cannot tell the two apart,
  so a guard cannot either. Try a function with sizes that differ, and this mistake has no place to hide.
"""

import torch
from jaxtyping import Float
from linear_layer import linear
from torch import Tensor

from shapeguard import TypeCheckError, guard


@guard
def transposed_linear(X: Float[Tensor, "n d"], W: Float[Tensor, "d k"], b: Float[Tensor, "k"]) -> Float[Tensor, "n k"]:
    """`linear` with the mistake: it can run only if d is k, and is then wrong unless W is symmetric."""
    return X @ W.T + b


if __name__ == "__main__":
    generator = torch.Generator().manual_seed(0)
    X = torch.randn(32, 64, generator=generator)
    W = torch.randn(64, 16, generator=generator)
    b = torch.randn(16, generator=generator)

    try:
        linear(X, W.T, b)
    except TypeCheckError as error:
        print("guard:", str(error).splitlines()[0])
    try:
        transposed_linear(X, W, b)
    except RuntimeError as error:
        print("torch:", error)

    S = torch.randn(64, 64, generator=generator)
    c = torch.randn(64, generator=generator)
    right = linear(X, S, c)
    wrong = transposed_linear(X, S, c)
    symmetric = S + S.T
    print("with a square W nothing is raised")
    print("  right", tuple(right.shape))
    print("  wrong", tuple(wrong.shape))
    print("  same values:", torch.allclose(right, wrong, rtol=1e-3, atol=1e-3))
    same = torch.allclose(linear(X, symmetric, c), transposed_linear(X, symmetric, c), rtol=1e-3, atol=1e-3)
    print("  same values if W is symmetric:", same)
