import re

import pytest
import torch
from linear_layer import linear
from transposed_weight import transposed_linear

from shapeguard import TypeCheckError


def test_the_guard_refuses_the_transposed_weight_and_names_it_with_both_sizes() -> None:
    with pytest.raises(TypeCheckError) as refusal:
        linear(torch.zeros(32, 64), torch.zeros(64, 16).T, torch.zeros(16))
    message = str(refusal.value)
    assert {"W", "16", "64"} <= set(re.findall(r"\w+", message))


def test_plain_torch_raises_at_the_product() -> None:
    with pytest.raises(RuntimeError, match=r"32x64 and 16x64"):
        transposed_linear(torch.zeros(32, 64), torch.zeros(64, 16), torch.zeros(16))


def test_with_a_square_weight_the_mistake_is_silent_and_wrong() -> None:
    X, b = torch.tensor([[1.0, 0.0]]), torch.zeros(2)
    W = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert linear(X, W, b).tolist() == [[1.0, 2.0]]
    assert transposed_linear(X, W, b).tolist() == [[1.0, 3.0]]


def test_with_a_symmetric_weight_the_mistake_makes_no_difference() -> None:
    X, b = torch.tensor([[1.0, 5.0]]), torch.zeros(2)
    W = torch.tensor([[1.0, 2.0], [2.0, 4.0]])
    assert linear(X, W, b).tolist() == transposed_linear(X, W, b).tolist() == [[11.0, 22.0]]
