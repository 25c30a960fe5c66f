"""Contextual attention and TensorFlow's convolutions written down as the papers and programs say.

Nothing is cut into rows here, and nothing is shared with the code under test.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional


def nearest(x: Tensor, height: int, width: int) -> Tensor:
    """TensorFlow's nearest-neighbour resize with aligned corners, N x C x H x W."""

    def index(before: int, after: int) -> list[int]:
        return [math.floor(n * (before - 1) / max(after - 1, 1) + 0.5) for n in range(after)]

    return x[:, :, index(x.shape[2], height)][:, :, :, index(x.shape[3], width)]


def tensorflow_conv(x: Tensor, kernel: Tensor, bias: Tensor, stride: int = 1, rate: int = 1) -> Tensor:
    """tf.layers.conv2d with "SAME", kernel rows x columns x inputs x outputs."""
    sides = []
    for size in (x.shape[3], x.shape[2]):
        missing = max((math.ceil(size / stride) - 1) * stride + (kernel.shape[0] - 1) * rate + 1 - size, 0)
        sides += [missing // 2, missing - missing // 2]
    x = functional.pad(x, sides)
    return functional.conv2d(x, kernel.permute(3, 2, 0, 1), bias, stride, 0, rate)


def attention(features: Tensor, small: Tensor, unknown: Tensor, fused: bool) -> Tensor:
    """One sample, in the features' precision.

    Args:
        features: 1 x C x h x w.
        small: 1 x C x h/2 x w/2, the features reduced.
        unknown: 1 x 1 x h/2 x w/2, the mask reduced.
        fused: whether scores are fused.
    """
    _, channels, height, width = small.shape
    count = height * width
    patches = functional.unfold(small, 3, padding=1)[0].T.reshape(count, channels, 3, 3)
    norms = patches.flatten(1).norm(dim=1).clamp(min=1e-4)
    scores = functional.conv2d(small, patches / norms[:, None, None, None], padding=1)  # 1 x patches x places
    if fused:
        diagonal = torch.eye(3, dtype=scores.dtype)[None, None]
        matrix = scores.reshape(1, 1, count, count)
        matrix = functional.conv2d(matrix, diagonal, padding=1)
        matrix = matrix.reshape(height, width, height, width).permute(1, 0, 3, 2)
        matrix = functional.conv2d(matrix.reshape(1, 1, count, count), diagonal, padding=1)
        matrix = matrix.reshape(width, height, width, height).permute(1, 0, 3, 2)
        scores = matrix.reshape(1, count, height, width)
    touched = functional.unfold(unknown, 3, padding=1)[0].amax(0) > 0
    usable = (~touched).to(scores.dtype)[None, :, None, None]
    weights = torch.softmax(scores * usable * 10, 1) * usable
    raw = functional.unfold(features, 4, padding=1, stride=2)[0].T.reshape(count, channels, 4, 4)
    return functional.conv_transpose2d(weights, raw, stride=2, padding=1) / 4
