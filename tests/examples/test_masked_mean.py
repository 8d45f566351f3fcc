import math

import pytest
import torch
from masked_mean import masked_mean, masked_mean_epsilon, masked_mean_product
from padded_batch import LENGTHS, draw_batch, padding_mask
from torch import Tensor

from shapeguard import TypeCheckError


@pytest.fixture
def X() -> Tensor:
    return draw_batch()


@pytest.fixture
def mask(X: Tensor) -> Tensor:
    return padding_mask(X, torch.tensor(LENGTHS))


def test_the_mean_is_taken_over_the_real_steps_only() -> None:
    X = torch.tensor([[[1.0, 10.0], [3.0, 30.0], [99.0, 99.0]], [[5.0, 6.0], [7.0, 8.0], [9.0, 10.0]]])
    mask = torch.tensor([[1, 1, 0], [1, 1, 1]])
    assert masked_mean(X, mask).tolist() == [[2.0, 20.0], [7.0, 8.0]]


def test_real_steps_need_not_come_first() -> None:
    X = torch.tensor([[[1.0], [99.0], [5.0]]])
    assert masked_mean(X, torch.tensor([[1, 0, 1]])).tolist() == [[3.0]]


def test_each_row_is_the_mean_of_its_slice(X: Tensor, mask: Tensor) -> None:
    H = masked_mean(X, mask)
    assert H.shape == (6, 8)
    for row, length in enumerate([10, 7, 5, 3, 1]):
        torch.testing.assert_close(H[row], X[row, :length].mean(dim=0))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_an_empty_row_is_exactly_zero_and_the_dtype_stays(X: Tensor, mask: Tensor, dtype: torch.dtype) -> None:
    H = masked_mean(X.to(dtype), mask)
    assert H.dtype == dtype
    assert H[5].tolist() == [0.0] * 8
    assert H.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_the_gradient_is_twice_the_mean_over_the_length(X: Tensor, mask: Tensor, dtype: torch.dtype) -> None:
    # L = sum of H², H[i] = sum of the real X[i, t] / n_i: dL/dX[i, t] = 2 H[i] / n_i at real steps, and 0 elsewhere.
    batch = X.detach().to(dtype).requires_grad_()
    H = masked_mean(batch, mask)
    H.square().sum().backward()
    expected = torch.zeros(6, 10, 8, dtype=dtype)
    for row, length in enumerate([10, 7, 5, 3, 1]):
        expected[row, :length] = 2 * H.detach()[row] / length
    assert batch.grad is not None
    assert batch.grad.isfinite().all()
    assert batch.grad[5].tolist() == [[0.0] * 8] * 10
    torch.testing.assert_close(batch.grad, expected)


def test_the_gradient_is_that_of_finite_differences(mask: Tensor) -> None:
    generator = torch.Generator().manual_seed(0)
    X = torch.randn(6, 10, 2, dtype=torch.float64, generator=generator, requires_grad=True)
    assert torch.autograd.gradcheck(lambda X: masked_mean(X, mask), (X,))


@pytest.mark.parametrize("padding", [math.nan, math.inf, -math.inf])
def test_what_padding_contains_changes_neither_mean_nor_gradient(X: Tensor, mask: Tensor, padding: float) -> None:
    dirty = X.detach().masked_fill(mask[:, :, None] == 0, padding).requires_grad_()
    masked_mean(dirty, mask).square().sum().backward()
    masked_mean(X, mask).square().sum().backward()
    assert torch.equal(masked_mean(dirty, mask), masked_mean(X, mask))
    assert dirty.grad is not None
    assert X.grad is not None
    assert torch.equal(dirty.grad, X.grad)


@pytest.mark.parametrize("padding", [math.nan, math.inf])
def test_multiplying_with_the_mask_lets_padding_through(padding: float) -> None:
    X = torch.tensor([[[1.0], [padding]]])
    assert math.isnan(masked_mean_product(X, torch.tensor([[1, 0]])).item())


def test_nan_at_a_real_step_is_not_hidden() -> None:
    X = torch.tensor([[[1.0], [math.nan]]])
    assert math.isnan(masked_mean(X, torch.tensor([[1, 1]])).item())


# --- what the docstring says of `+ 1e-9`


def test_in_float16_the_epsilon_is_rounded_to_0_and_the_empty_row_is_nan(X: Tensor, mask: Tensor) -> None:
    assert torch.tensor(1e-9, dtype=torch.float16).item() == 0.0
    H = masked_mean_epsilon(X.half(), mask)
    assert H[5].isnan().all()
    assert torch.equal(H[:5], masked_mean(X.half(), mask)[:5])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_in_float32_the_epsilon_changes_no_mean(X: Tensor, mask: Tensor, dtype: torch.dtype) -> None:
    lengths = torch.arange(1, 1001).to(dtype)
    assert torch.equal(lengths + 1e-9, lengths)
    assert torch.equal(masked_mean_epsilon(X.to(dtype), mask), masked_mean(X.to(dtype), mask))


def test_in_float64_the_epsilon_makes_every_mean_too_small(X: Tensor, mask: Tensor) -> None:
    weak, stable = masked_mean_epsilon(X.double(), mask), masked_mean(X.double(), mask)
    for row, length in enumerate([10, 7, 5, 3, 1]):
        error = (stable[row] - weak[row]) / stable[row]
        torch.testing.assert_close(error, torch.full((8,), 1e-9 / length, dtype=torch.float64), rtol=1e-5, atol=0)
    assert torch.equal(stable[4], X.double()[4, 0])


@pytest.mark.parametrize(
    ("dtype", "slope"), [(torch.float16, math.inf), (torch.float32, 1e9), (torch.float64, 1e9)], ids=str
)
def test_the_epsilon_multiplies_the_gradient_of_an_empty_row(dtype: torch.dtype, slope: float) -> None:
    length = torch.zeros(1, dtype=dtype)
    for divisor, expected in ((length + 1e-9, slope), (length.clamp(min=1), 1.0)):
        total = torch.zeros(1, dtype=dtype, requires_grad=True)
        (total / divisor).sum().backward()
        assert total.grad is not None
        assert total.grad.item() == pytest.approx(expected, rel=1e-6)


def test_the_mask_hides_that_slope_from_the_batch(X: Tensor, mask: Tensor) -> None:
    masked_mean_epsilon(X, mask).sum().backward()
    assert X.grad is not None
    assert X.grad[5].tolist() == [[0.0] * 8] * 10


def test_whole_number_lengths_plus_epsilon_are_float32(X: Tensor, mask: Tensor) -> None:
    total, lengths = X.half().sum(dim=1), mask.sum(dim=1, keepdim=True)
    assert (total / (lengths + 1e-9)).dtype == torch.float32
    assert (total / lengths.clamp(min=1)).dtype == torch.float16


# --- what the guard refuses


@pytest.mark.parametrize(
    "mask",
    [
        torch.ones(6, 9, dtype=torch.int64),
        torch.ones(5, 10, dtype=torch.int64),
        torch.ones(10, dtype=torch.int64),
        torch.ones(6, 10, 8, dtype=torch.int64),
        torch.ones(6, 10),
    ],
    ids=["steps", "sequences", "no batch dim", "a mask for each feature", "float"],
)
def test_a_mask_that_does_not_fit_is_refused(X: Tensor, mask: Tensor) -> None:
    with pytest.raises(TypeCheckError):
        masked_mean(X, mask)
