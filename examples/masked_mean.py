"""The mean over the real steps of a padded batch.

    X     (b, t, f)   here (6, 10, 8)
    mask  (b, t)      here (6, 10), 1 for a real step and 0 for padding
    H     (b, f)      here (6, 8)

    H[i, f] = sum over t of mask[i, t] * X[i, t, f]  /  max(1, sum over t of mask[i, t])

Two things happen to the shapes. Broadcasting: mask[:, :, None] is (b, t, 1), and its last dim is repeated for all
features. Reduction: the sum over dim 1 removes t.

What an empty sequence gets. Its sum is 0 and its length is 0, and 0 / 0 is NaN. `clamp(min=1)` divides by 1 instead,
so H is exactly 0 there and the gradient is finite. Every other length is 1 or more, and clamp leaves it alone.

Why not `lengths + 1e-9`. That number is right only by luck of the dtype; run this file to see each claim computed.

* float16 cannot hold 1e-9. It becomes 0, and the empty row is NaN, as if nothing had been added.
* float32 can hold 1e-9, but not 1 + 1e-9, which is 1 again. All means are right, and so is the 0 of the empty row.
* float64 holds both, so every mean is too small by a relative error of 1e-9 / length.
* Where the empty row is not NaN, its slope is 1e9: a stray 1e-9 in the sum would become 1 in H, and a gradient is
  made 1e9 times larger on its way back. The mask hides that from X, but not from what you may add to the sum.
* Whole-number lengths plus 1e-9 are float32, so the mean of a float16 batch quietly becomes float32.

What padding may contain. `masked_fill` replaces it, so even inf and NaN there change neither H nor the gradient.
Multiplying with the mask is not enough: 0 * NaN is NaN. A NaN at a real step does reach H, as it should.
"""

import torch
from jaxtyping import Float, Int
from padded_batch import LENGTHS, draw_batch, padding_mask
from torch import Tensor

from shapeguard import guard


@guard
def masked_mean(X: Float[Tensor, "b t f"], mask: Int[Tensor, "b t"]) -> Float[Tensor, "b f"]:
    """The mean over the steps where `mask` is 1; exactly 0 where there are none. The mask must hold only 0 and 1.

    >>> masked_mean(torch.tensor([[[4.0], [2.0], [9.0]]]), torch.tensor([[1, 1, 0]])).tolist()
    [[3.0]]
    """
    kept = X.masked_fill(mask[:, :, None] == 0, 0)  # (b, t, 1) is broadcast to (b, t, f)
    lengths = mask.sum(dim=1, keepdim=True)  # (b, 1)
    return kept.sum(dim=1) / lengths.clamp(min=1)  # (b, f) by (b, 1)


@guard
def masked_mean_epsilon(X: Float[Tensor, "b t f"], mask: Int[Tensor, "b t"]) -> Float[Tensor, "b f"]:
    """The weaker choice: the same mean, divided by the length plus 1e-9."""
    kept = X.masked_fill(mask[:, :, None] == 0, 0)
    lengths = mask.sum(dim=1, keepdim=True).to(X.dtype)
    return kept.sum(dim=1) / (lengths + 1e-9)


@guard
def masked_mean_product(X: Float[Tensor, "b t f"], mask: Int[Tensor, "b t"]) -> Float[Tensor, "b f"]:
    """The other weak choice: padding is multiplied with 0, which keeps NaN and turns inf into NaN."""
    kept = X * mask[:, :, None]
    lengths = mask.sum(dim=1, keepdim=True)
    return kept.sum(dim=1) / lengths.clamp(min=1)


if __name__ == "__main__":
    X = draw_batch()
    mask = padding_mask(X, torch.tensor(LENGTHS))
    H = masked_mean(X, mask)
    L = H.square().sum()
    L.backward()

    print("H", tuple(H.shape))
    print("the empty row is exactly 0:", H[5].eq(0).all().item())
    print("all gradients are finite:", X.grad.isfinite().all().item())
    print("padding gets gradient 0:", X.grad[mask == 0].eq(0).all().item())

    print("\nclamp(min=1) against + 1e-9")
    zero = torch.zeros(1)
    for dtype in (torch.float16, torch.float32, torch.float64):
        batch = X.detach().to(dtype)
        stable, weak = masked_mean(batch, mask), masked_mean_epsilon(batch, mask)
        one_step = batch[4, 0]  # a sequence of one step is its own mean
        print(dtype)
        print(f"  H of the empty row        {stable[5, 0].item():.0f} against {weak[5, 0].item():.0f}")
        errors = [((mean[4] - one_step) / one_step).abs().max().item() for mean in (stable, weak)]
        print(f"  error of a one-step mean  {errors[0]:.0e} against {errors[1]:.0e}")
        slopes = [(1 / divisor).item() for divisor in (zero.to(dtype).clamp(min=1), zero.to(dtype) + 1e-9)]
        print(f"  slope of the empty row    {slopes[0]:.0e} against {slopes[1]:.0e}")
    half = X.detach().half()
    lengths = mask.sum(dim=1, keepdim=True)
    print("float16 by whole-number lengths:")
    print(f"  {(half[:, 0] / lengths.clamp(min=1)).dtype} against {(half[:, 0] / (lengths + 1e-9)).dtype}")

    print("\nNaN in the padding")
    dirty = X.detach().masked_fill(mask[:, :, None] == 0, torch.nan)
    print("masked_fill gives the same H:", torch.equal(masked_mean(dirty, mask), H))
    print(
        "rows that multiplying spoils:",
        masked_mean_product(dirty, mask).isnan().any(dim=1).nonzero().flatten().tolist(),
    )
