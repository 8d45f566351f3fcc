import pytest
import torch
from linear_layer import linear, sum_of_squares

from shapeguard import TypeCheckError

FLOAT64 = torch.float64


def test_the_bias_is_added_to_every_row() -> None:
    X = torch.tensor([[1.0, 2.0], [3.0, 4.0], [0.0, 0.0]])
    W = torch.tensor([[1.0, 0.0], [10.0, 1.0]])
    b = torch.tensor([100.0, 200.0])
    assert linear(X, W, b).tolist() == [[121.0, 202.0], [143.0, 204.0], [100.0, 200.0]]


def test_the_loss_is_a_scalar() -> None:
    L = sum_of_squares(torch.tensor([[1.0, -2.0], [3.0, 0.0]]))
    assert L.shape == ()
    assert L.item() == 14.0


def test_the_shapes_and_gradients_of_the_assignment() -> None:
    generator = torch.Generator().manual_seed(0)
    X = torch.randn(32, 64, dtype=FLOAT64, generator=generator, requires_grad=True)
    W = torch.randn(64, 16, dtype=FLOAT64, generator=generator, requires_grad=True)
    b = torch.randn(16, dtype=FLOAT64, generator=generator, requires_grad=True)
    Y = linear(X, W, b)
    L = sum_of_squares(Y)
    L.backward()
    assert Y.shape == (32, 16)
    assert L.shape == ()
    G = 2 * Y.detach()
    for tensor, shape, expected in (
        (X, (32, 64), G @ W.detach().T),
        (W, (64, 16), X.detach().T @ G),
        (b, (16,), G.sum(dim=0)),
    ):
        assert tensor.grad is not None
        assert tensor.grad.shape == shape
        torch.testing.assert_close(tensor.grad, expected)


def test_the_gradients_are_those_of_finite_differences() -> None:
    generator = torch.Generator().manual_seed(0)
    X, W, b = (
        torch.randn(shape, dtype=FLOAT64, generator=generator, requires_grad=True) for shape in ((3, 4), (4, 2), (2,))
    )
    assert torch.autograd.gradcheck(lambda X, W, b: sum_of_squares(linear(X, W, b)), (X, W, b))


@pytest.mark.parametrize("shape", [(15,), (1,), (32, 16), (1, 16), ()])
def test_a_bias_that_is_not_one_number_for_each_column_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(TypeCheckError):
        linear(torch.zeros(32, 64), torch.zeros(64, 16), torch.zeros(shape))
