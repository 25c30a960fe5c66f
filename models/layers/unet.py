"""A small U-Net, for networks of our own that are taught on a CPU.

Ronneberger et al. 2015, "U-Net", of residual blocks (He et al. 2015). It sees the picture at half the size,
four pixels as channels of one, which makes it some four times as fast.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

MULTIPLE = 16
"""px; both sides are multiples of this."""

_DILATIONS = (1, 2, 4)
_LEAK = 0.1  # of what is below 0; without it, whole layers fall silent in the first steps and stay so


def rectified(x: Tensor) -> Tensor:
    """The leaky ReLU of all layers."""
    return functional.leaky_relu(x, _LEAK)


class Block(nn.Module):
    """x + W2 r(W1 r(x)), r being `rectified`."""

    def __init__(self, channels: int, dilation: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """N x C x H x W to the same."""
        return x + self.second(rectified(self.first(rectified(x))))


class UNet(nn.Module):
    """Three steps down, three blocks that look far, three steps up."""

    def __init__(self, inputs: int, outputs: int, width: int = 24) -> None:
        """
        Args:
            inputs, outputs: channels that are shown, and answered.
            width: channels at half the size; twice and four times as many deeper down.
        """
        super().__init__()
        wide, wider = 2 * width, 4 * width
        self.enter = nn.Conv2d(4 * inputs, width, 3, padding=1)
        self.near = Block(width)
        self.down1 = nn.Conv2d(width, wide, 4, stride=2, padding=1)
        self.middle = Block(wide)
        self.down2 = nn.Conv2d(wide, wider, 4, stride=2, padding=1)
        self.coarse = Block(wider)
        self.down3 = nn.Conv2d(wider, wider, 4, stride=2, padding=1)
        self.far = nn.Sequential(*(Block(wider, dilation) for dilation in _DILATIONS))
        self.up3 = nn.Conv2d(2 * wider, wider, 3, padding=1)
        self.up2 = nn.Conv2d(wider + wide, wide, 3, padding=1)
        self.middle_again = Block(wide)
        self.up1 = nn.Conv2d(wide + width, width, 3, padding=1)
        self.near_again = Block(width)
        self.leave = nn.Conv2d(width, 4 * outputs, 3, padding=1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, _LEAK)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        silent = [self.leave, *(layer.second for layer in self.modules() if isinstance(layer, Block))]
        for layer in silent:
            nn.init.zeros_(layer.weight)

    def forward(self, x: Tensor) -> Tensor:
        """
        Args:
            x: N x C x H x W, sides multiples of `MULTIPLE`, values around [-1, 1].

        Returns:
            N x C x H x W; 0 to begin with.
        """
        near = self.near(self.enter(functional.pixel_unshuffle(x, 2)))
        middle = self.middle(self.down1(rectified(near)))
        coarse = self.coarse(self.down2(rectified(middle)))
        far = self.far(self.down3(rectified(coarse)))
        coarse = self.up3(_joined(far, coarse))
        middle = self.middle_again(self.up2(_joined(coarse, middle)))
        near = self.near_again(self.up1(_joined(middle, near)))
        return functional.pixel_shuffle(self.leave(rectified(near)), 2)


def _joined(small: Tensor, large: Tensor) -> Tensor:
    """The small one at twice its size, and the large one, both rectified."""
    return rectified(torch.cat([functional.interpolate(small, scale_factor=2.0), large], 1))
