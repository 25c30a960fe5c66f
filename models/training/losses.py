"""The terms of the papers' losses, each a function of tensors.

Pictures are float, N x 3 x H x W; holes N x 1 x H x W in {0, 1}, 1 in the hole. Every term is a mean over the
batch, so that a loss means the same for batches of any size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

Features = Mapping[str, Tensor]


def composite(prediction: Tensor, truth: Tensor, hole: Tensor) -> Tensor:
    """The prediction in the hole, the truth outside."""
    return hole * prediction + (1 - hole) * truth


def valid_l1(prediction: Tensor, truth: Tensor, hole: Tensor) -> Tensor:
    """Mean over all values of |difference| outside the hole (arXiv 1804.07723, equation 3)."""
    return ((1 - hole) * (prediction - truth)).abs().mean()


def hole_l1(prediction: Tensor, truth: Tensor, hole: Tensor) -> Tensor:
    """Mean over all values of |difference| in the hole (arXiv 1804.07723, equation 3)."""
    return (hole * (prediction - truth)).abs().mean()


def perceptual_l1(features: Features, target: Features) -> Tensor:
    """Sum over layers of the mean |difference| of features (arXiv 1804.07723, equation 4)."""
    return _sum([functional.l1_loss(features[name], target[name]) for name in target])


def perceptual_l2(features: Features, target: Features) -> Tensor:
    """Sum over layers of the mean squared difference (arXiv 2109.07161, equation 4)."""
    return _sum([functional.mse_loss(features[name], target[name]) for name in target])


def style_l1(features: Features, target: Features) -> Tensor:
    """Sum over layers of the mean |difference| of Gram matrices (arXiv 1804.07723, equation 5)."""
    return _sum([functional.l1_loss(gram(features[name]), gram(target[name])) for name in target])


def gram(features: Tensor) -> Tensor:
    """Correlations of channels, N x C x C, over C·H·W (arXiv 1804.07723, section 3.3)."""
    count, channels, height, width = features.shape
    flat = features.reshape(count, channels, height * width).float()
    with torch.autocast(features.device.type, enabled=False):  # sums of thousands of products
        return flat @ flat.transpose(1, 2) / (channels * height * width)


def total_variation(picture: Tensor) -> Tensor:
    """Mean |difference| of neighbours, down plus across, over the whole picture."""
    down = (picture[..., 1:, :] - picture[..., :-1, :]).abs().mean()
    across = (picture[..., 1:] - picture[..., :-1]).abs().mean()
    return down + across


def total_variation_near(picture: Tensor, hole: Tensor) -> Tensor:
    """As `total_variation`, in the hole dilated by one pixel only (arXiv 1804.07723, equation 6)."""
    region = functional.max_pool2d(hole, 3, 1, 1)
    down = region[..., 1:, :] * region[..., :-1, :] * (picture[..., 1:, :] - picture[..., :-1, :]).abs()
    across = region[..., 1:] * region[..., :-1] * (picture[..., 1:] - picture[..., :-1]).abs()
    return down.mean() + across.mean()


# -- adversarial -----------------------------------------------------------------------------------------


def hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """SN-PatchGAN's hinge (arXiv 1806.03589, equation 2), the mean of its two halves."""
    return (functional.relu(1 - real).mean() + functional.relu(1 + fake).mean()) / 2


def hinge_generator(fake: Tensor) -> Tensor:
    """The generator's side of the hinge: -mean."""
    return -fake.mean()


def masked_discriminator(real: Tensor, fake: Tensor, hole: Tensor) -> Tensor:
    """Non-saturating loss in which a fake's valid patches count as real (arXiv 2109.07161, section 2.3.2).

    Args:
        real, fake: logits, N x 1 x h x w.
        hole: any size; brought to the logits' by taking the nearest pixel.
    """
    share = functional.interpolate(hole, fake.shape[2:])
    told = share * functional.softplus(fake) + (1 - share) * functional.softplus(-fake)
    return functional.softplus(-real).mean() + told.mean()


def masked_generator(fake: Tensor, hole: Tensor) -> Tensor:
    """The generator's side, over the patches of the hole alone."""
    share = functional.interpolate(hole, fake.shape[2:])
    return (share * functional.softplus(-fake)).mean()


def gradient_penalty_real(logits: Tensor, real: Tensor) -> Tensor:
    """R1: the mean squared norm of the gradient at real pictures (arXiv 2109.07161, equation 5).

    Args:
        logits: of `real`, which requires a gradient.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), real, create_graph=True)
    return gradient.flatten(1).square().sum(1).mean()


def gradient_penalty_between(
    discriminator: nn.Module, real: Tensor, fake: Tensor, hole: Tensor, share: Tensor
) -> Tensor:
    """WGAN-GP's penalty on the way from real to fake, in the hole (arXiv 1806.03589, section 3.4 of v1).

    Args:
        discriminator: of one tensor; a picture's score is the mean of what it answers for it.
        real, fake: what it sees, N x C x H x W.
        share: N x 1 x 1 x 1 in [0, 1], how far along.
    """
    between = (real + share * (fake - real)).detach().requires_grad_(True)
    scores = discriminator(between).flatten(1).mean(1)
    (gradient,) = torch.autograd.grad(scores.sum(), between, create_graph=True)
    norm = (gradient * hole).flatten(1).norm(dim=1)
    return (norm - 1).square().mean()


def feature_matching(fake: Sequence[Tensor], real: Sequence[Tensor]) -> Tensor:
    """Mean squared difference of the judge's features, mean over layers (arXiv 2109.07161, section 2.3.3)."""
    return _sum([functional.mse_loss(a, b.detach()) for a, b in zip(fake, real, strict=True)]) / len(real)


def _sum(terms: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(terms)).sum()
