import pytest
import torch
from padded_batch import LENGTHS, draw_batch, padding_mask

from shapeguard import TypeCheckError

MASK = [
    [1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
    [1, 1, 1, 1, 1, 1, 1, 0, 0, 0],
    [1, 1, 1, 1, 1, 0, 0, 0, 0, 0],
    [1, 1, 1, 0, 0, 0, 0, 0, 0, 0],
    [1, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
]


def test_the_batch_is_a_leaf_of_6_by_10_by_8_that_requires_grad() -> None:
    X = draw_batch()
    assert X.shape == (6, 10, 8)
    assert X.dtype == torch.float32
    assert X.is_leaf
    assert X.requires_grad
    assert X.grad_fn is None


def test_the_batch_is_standard_normal() -> None:
    # The mean of 480 draws has a standard deviation of 1/sqrt(480) = 0.046, so 0.2 is beyond 4 of them.
    X = draw_batch().detach()
    assert abs(X.mean().item()) < 0.2
    assert abs(X.std().item() - 1) < 0.2


def test_the_seed_decides_the_batch() -> None:
    assert torch.equal(draw_batch(1), draw_batch(1))
    assert not torch.equal(draw_batch(1), draw_batch(2))


def test_drawing_a_batch_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    draw_batch()
    assert torch.equal(torch.get_rng_state(), before)


def test_the_mask_is_1_for_real_steps_and_0_for_padding() -> None:
    mask = padding_mask(draw_batch(), torch.tensor(LENGTHS))
    assert mask.shape == (6, 10)
    assert mask.dtype == torch.int64
    assert mask.tolist() == MASK


@pytest.mark.parametrize(("length", "row"), [(0, [0, 0]), (1, [1, 0]), (2, [1, 1]), (3, [1, 1])])
def test_a_length_past_the_end_masks_nothing(length: int, row: list[int]) -> None:
    assert padding_mask(torch.zeros(1, 2, 1), torch.tensor([length])).tolist() == [row]


def test_lengths_of_another_batch_are_refused() -> None:
    with pytest.raises(TypeCheckError):
        padding_mask(draw_batch(), torch.tensor([10, 7, 5]))
