"""Edges without a network: how much the colours change, compared with how much they change around.

The strength is the oriented energy of first and second derivatives, which peaks once on an outline and once
on a drawn stroke (Morrone and Owens 1987, "Feature detection from local energy"). It is weighed against that
of the surroundings (Grigorescu et al. 2003, "Contour detection based on nonclassical receptive field
inhibition"), so that grass and hair do not become lines.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

_SCALES = (1.5, 3.0)  # px; the fine one says where a line is, the coarse one that it is none of the grain's
_AROUND = 10.0  # px, deviation of what counts as the surroundings
_INHIBITION = 1.3  # an edge of so many times the surroundings' mean is as likely as not
_FAINT = 0.04  # energy that is as likely as not an edge where nothing is around


def edges(image: Tensor) -> Tensor:
    """How likely there is a line.

    Args:
        image: float32, N x 3 x H x W in [0, 1].

    Returns:
        N x 1 x H x W in [0, 1].
    """
    energy = torch.stack([_energy(image, scale) for scale in _SCALES]).log().mean(0).exp()
    around = _blur(_blur(energy, _AROUND, 0, 2), _AROUND, 0, 3)
    return energy / (energy + _INHIBITION * around + _FAINT)


def _energy(image: Tensor, scale: float) -> Tensor:
    """N x 1 x H x W: a step or a stroke of height 1 in all channels gives about 0.4."""
    smooth_y, slope_y, bend_y = (_blur(image, scale, order, 2) for order in range(3))
    y, x = _blur(slope_y, scale, 0, 3), _blur(smooth_y, scale, 1, 3)
    yy, xx = _blur(bend_y, scale, 0, 3), _blur(smooth_y, scale, 2, 3)
    yx = _blur(slope_y, scale, 1, 3)
    bend = (yy + xx).abs() / 2 + (((yy - xx) / 2) ** 2 + yx**2).sqrt()
    energy = scale**2 * (y**2 + x**2) + scale**4 * bend**2
    return energy.mean(1, keepdim=True).sqrt() + 1e-6


def _blur(image: Tensor, scale: float, order: int, axis: int) -> Tensor:
    """A Gaussian's derivative of that order (0, 1, 2) along an axis; borders are mirrored."""
    reach = min(math.ceil(3 * scale), image.shape[axis] - 1)
    place = torch.arange(-reach, reach + 1, dtype=image.dtype, device=image.device)
    kernel = torch.exp(-(place**2) / (2 * scale**2))
    kernel = kernel / kernel.sum()
    if order == 1:
        kernel = -place / scale**2 * kernel
    elif order == 2:
        kernel = (place**2 / scale**4 - 1 / scale**2) * kernel
        kernel = kernel - kernel.mean()  # a slope bends nowhere
    shape = (1, 1, -1, 1) if axis == 2 else (1, 1, 1, -1)
    padding = (0, 0, reach, reach) if axis == 2 else (reach, reach, 0, 0)
    count, channels, height, width = image.shape
    planes = functional.pad(image.reshape(count * channels, 1, height, width), padding, mode="reflect")
    return functional.conv2d(planes, kernel.view(shape)).view(image.shape)
