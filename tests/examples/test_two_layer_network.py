import pytest
import torch
from torch import Tensor
from two_layer_network import activation, detached_activation, draw_tensors, mean_of_squares, run_network

FORWARD = {
    "X": (4, 6),
    "W1": (6, 5),
    "b1": (5,),
    "W2": (5, 3),
    "b2": (3,),
    "H": (4, 5),
    "A": (4, 5),
    "Y": (4, 3),
    "L": (),
}


@pytest.fixture
def corrected() -> dict[str, Tensor]:
    return run_network(activation)


@pytest.fixture
def wrong() -> dict[str, Tensor]:
    return run_network(detached_activation)


def grad(tensor: Tensor) -> Tensor:
    assert tensor.grad is not None
    return tensor.grad


def test_the_values_are_those_of_the_formula() -> None:
    H = torch.tensor([[-1.0, 2.0], [0.0, -3.0]])
    assert activation(H).tolist() == detached_activation(H).tolist() == [[0.0, 2.0], [0.0, 0.0]]
    assert mean_of_squares(torch.tensor([[1.0, 2.0], [3.0, 0.0]])).item() == 3.5


@pytest.mark.parametrize("form", ["corrected", "wrong"])
def test_both_forms_have_the_same_shapes(form: str, request: pytest.FixtureRequest) -> None:
    assert {name: tuple(tensor.shape) for name, tensor in request.getfixturevalue(form).items()} == FORWARD


def test_both_forms_have_the_same_values(corrected: dict[str, Tensor], wrong: dict[str, Tensor]) -> None:
    assert all(torch.equal(corrected[name], wrong[name]) for name in FORWARD)


def test_every_drawn_tensor_is_a_leaf_that_requires_grad() -> None:
    assert all(tensor.is_leaf and tensor.requires_grad for tensor in draw_tensors().values())


def test_in_the_corrected_form_each_gradient_has_the_shape_of_its_tensor(corrected: dict[str, Tensor]) -> None:
    expected = {"H": (4, 5), "W1": (6, 5), "b1": (5,), "X": (4, 6), "W2": (5, 3), "b2": (3,)}
    assert {name: tuple(grad(corrected[name]).shape) for name in expected} == expected


def test_the_gradients_follow_the_chain_rule(corrected: dict[str, Tensor]) -> None:
    X, W1, W2, H, A, Y = (corrected[name].detach() for name in ("X", "W1", "W2", "H", "A", "Y"))
    dY = 2 * Y / 12  # L is the mean of 4 * 3 squares
    dH = (dY @ W2.T) * (H > 0)  # relu passes gradient where H is positive
    expected = {"W2": A.T @ dY, "b2": dY.sum(dim=0), "H": dH, "W1": X.T @ dH, "b1": dH.sum(dim=0), "X": dH @ W1.T}
    for name, gradient in expected.items():
        torch.testing.assert_close(grad(corrected[name]), gradient)


def test_the_bias_gets_the_upstream_gradient_summed_over_dim_0(corrected: dict[str, Tensor]) -> None:
    upstream = grad(corrected["H"])
    assert upstream.count_nonzero() > 0
    torch.testing.assert_close(grad(corrected["b1"]), upstream[0] + upstream[1] + upstream[2] + upstream[3])


def test_in_the_wrong_form_nothing_before_the_cut_gets_a_gradient(wrong: dict[str, Tensor]) -> None:
    assert {name: wrong[name].grad for name in ("X", "W1", "b1", "H")} == dict.fromkeys(("X", "W1", "b1", "H"))
    assert not wrong["A"].requires_grad


def test_in_the_wrong_form_the_second_layer_still_learns(
    wrong: dict[str, Tensor], corrected: dict[str, Tensor]
) -> None:
    for name, shape in (("W2", (5, 3)), ("b2", (3,))):
        assert grad(wrong[name]).shape == shape
        assert torch.equal(grad(wrong[name]), grad(corrected[name]))
