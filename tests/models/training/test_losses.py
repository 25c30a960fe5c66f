"""Every term is what its equation says, and is nought where nothing is wrong."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from models.training import discriminators, losses


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Prediction, truth, hole."""
    made = torch.Generator().manual_seed(0)
    hole = torch.zeros(2, 1, 12, 16)
    hole[:, :, 4:8, 5:11] = 1
    return torch.rand(2, 3, 12, 16, generator=made), torch.rand(2, 3, 12, 16, generator=made), hole


def test_valid_and_hole_share_the_whole_difference(batch) -> None:
    prediction, truth, hole = batch
    whole = (prediction - truth).abs().mean()
    parts = losses.valid_l1(prediction, truth, hole) + losses.hole_l1(prediction, truth, hole)
    torch.testing.assert_close(parts, whole)
    assert losses.valid_l1(losses.composite(prediction, truth, hole), truth, hole) == 0
    assert losses.hole_l1(losses.composite(truth, prediction, hole), truth, hole) == 0


def test_gram_is_the_correlation_of_channels(batch) -> None:
    features = batch[0]
    one = losses.gram(features)[1, 0, 2]
    torch.testing.assert_close(one, (features[1, 0] * features[1, 2]).sum() / (3 * 12 * 16))
    moved = features.roll(3, dims=3)  # style does not ask where
    assert losses.style_l1({"a": moved}, {"a": features}) < 1e-7
    assert losses.perceptual_l1({"a": moved}, {"a": features}) > 0.1


def test_total_variation_counts_steps(batch) -> None:
    hole = batch[2]
    flat = torch.ones(2, 3, 12, 16)
    assert losses.total_variation(flat) == 0
    step = flat.clone()
    step[..., 8:] = 0  # one step across, in each row of each plane
    torch.testing.assert_close(losses.total_variation(step), torch.tensor(1 / 15))
    near = losses.total_variation_near(step, hole)
    torch.testing.assert_close(near, torch.tensor(6 * 1 / (12 * 15)))  # the rows of the dilated hole
    far = flat.clone()
    far[..., 14:] = 0
    assert losses.total_variation_near(far, hole) == 0


def test_valid_patches_of_a_fake_count_as_real(batch) -> None:
    hole = batch[2]
    sure = torch.full((2, 1, 12, 16), 30.0)
    told = torch.where(hole > 0, -sure, sure)  # fake in the hole alone
    assert losses.masked_discriminator(sure, told, hole) < 1e-6
    assert losses.masked_discriminator(sure, -sure, hole) > 20
    assert losses.masked_generator(sure, hole) < 1e-6
    assert losses.masked_generator(torch.where(hole > 0, sure, -sure), hole) < 1e-6
    assert losses.masked_generator(-sure, hole) > 1


def test_the_hinge_asks_for_a_margin() -> None:
    assert losses.hinge_discriminator(torch.tensor([1.5]), torch.tensor([-2.0])) == 0
    assert losses.hinge_discriminator(torch.tensor([0.0]), torch.tensor([0.0])) == 1
    assert losses.hinge_generator(torch.tensor([2.0, 4.0])) == -3


def test_penalties_are_those_of_a_linear_judge(batch) -> None:
    prediction, truth, hole = batch
    slope = torch.rand(3, 12, 16, generator=torch.Generator().manual_seed(1))

    class Linear(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (x * slope).sum((1, 2, 3))[:, None]

    real = truth.requires_grad_(True)
    penalty = losses.gradient_penalty_real(Linear()(real), real)
    torch.testing.assert_close(penalty, slope.square().sum())
    share = torch.rand(2, 1, 1, 1)
    between = losses.gradient_penalty_between(Linear(), truth, prediction, hole, share)
    norm = (slope * hole[0]).norm()
    torch.testing.assert_close(between, (norm - 1) ** 2)


def test_feature_matching_teaches_the_generator_alone() -> None:
    fake, real = torch.rand(1, 4, 3, 3, requires_grad=True), torch.rand(1, 4, 3, 3, requires_grad=True)
    losses.feature_matching([fake, fake], [real, real]).backward()
    assert real.grad is None
    torch.testing.assert_close(fake.grad, 2 * (fake - real).detach() / fake.numel())


@pytest.mark.parametrize("size", [(64, 64), (128, 192)])
def test_judges_see_every_patch(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    picture = torch.rand(2, 3, *size)
    logits, features = discriminators.Patches(width=8)(picture)
    assert logits.shape[:2] == (2, 1) and len(features) == 5
    spectral = discriminators.SpectralPatches(4, width=8)
    assert spectral(torch.rand(2, 4, *size)).shape == (2, 32, size[0] // 64, size[1] // 64)
    for _ in range(30):
        spectral(torch.rand(2, 4, *size))  # the norm is estimated as training goes on
    weight = spectral.layers[2].weight.detach().flatten(1)
    assert torch.linalg.matrix_norm(weight, 2) == pytest.approx(1, abs=0.1)
    assert discriminators.Centre(width=8)(functional.interpolate(picture, (64, 64))).shape == (2, 1, 1, 1)
