"""Fast Fourier convolution: a layer that sees the whole picture at once.

Chi et al. 2020, "Fast Fourier convolution" (NeurIPS), section 3, as LaMa uses it (Suvorov et al. 2022,
section 2.1): channels are split into local ones, convolved as usual, and global ones, convolved in the
frequency domain. The modules bear the names of LaMa's published weights.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

Pair = tuple[Tensor, Tensor | None]
"""Local and global features, N x C x H x W each, of one size."""


class FourierUnit(nn.Module):
    """A 1 x 1 convolution of the spectrum, real and imaginary parts being channels side by side."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_layer = nn.Conv2d(2 * channels, 2 * channels, 1, bias=False)
        self.bn = nn.BatchNorm2d(2 * channels)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """N x C x H x W to the same; H and W may be odd."""
        spectrum = torch.fft.rfft2(x.float(), norm="ortho")
        parts = torch.view_as_real(spectrum).movedim(-1, 2).flatten(1, 2)  # re0, im0, re1, im1, ...
        parts = self.relu(self.bn(self.conv_layer(parts)))
        pairs = parts.float().unflatten(1, (-1, 2)).movedim(2, -1).contiguous()
        return torch.fft.irfft2(torch.view_as_complex(pairs), x.shape[-2:], norm="ortho")


class SpectralTransform(nn.Module):
    """The path from global to global channels, at half of them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.conv1 = nn.Sequential(nn.Conv2d(channels, half, 1, bias=False), nn.BatchNorm2d(half), nn.ReLU())
        self.fu = FourierUnit(half)
        self.conv2 = nn.Conv2d(half, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        return self.conv2(x + self.fu(x))


class FFC(nn.Module):
    """The four paths between local and global channels; those from or to none are left out.

    Args:
        inputs, outputs: how many channels are local, how many global.
        kernel, stride, padding: of the convolutions, which continue the picture by reflection.
    """

    def __init__(
        self,
        inputs: tuple[int, int],
        outputs: tuple[int, int],
        kernel: int,
        stride: int = 1,
        padding: int = 0,
    ) -> None:
        super().__init__()

        def convolution(count: int, to: int) -> nn.Conv2d | None:
            if not count or not to:
                return None
            return nn.Conv2d(count, to, kernel, stride, padding, bias=False, padding_mode="reflect")

        self.convl2l = convolution(inputs[0], outputs[0])
        self.convl2g = convolution(inputs[0], outputs[1])
        self.convg2l = convolution(inputs[1], outputs[0])
        self.convg2g = SpectralTransform(inputs[1]) if inputs[1] and outputs[1] else None

    def forward(self, pair: Pair) -> Pair:
        local, wide = pair
        assert self.convl2l is not None
        to_local = self.convl2l(local)
        if self.convg2l is not None:
            to_local = to_local + self.convg2l(wide)
        to_wide = None if self.convl2g is None else self.convl2g(local)
        if self.convg2g is not None:
            to_wide = to_wide + self.convg2g(wide)
        return to_local, to_wide


class FFCBlock(nn.Module):
    """FFC, batch normalisation of each part, ReLU. Arguments as of `FFC`."""

    def __init__(
        self,
        inputs: tuple[int, int],
        outputs: tuple[int, int],
        kernel: int,
        stride: int = 1,
        padding: int = 0,
    ) -> None:
        super().__init__()
        self.ffc = FFC(inputs, outputs, kernel, stride, padding)
        self.bn_l = nn.BatchNorm2d(outputs[0])
        self.bn_g = nn.BatchNorm2d(outputs[1]) if outputs[1] else None
        self.relu = nn.ReLU()

    def forward(self, pair: Pair) -> Pair:
        local, wide = self.ffc(pair)
        local = self.relu(self.bn_l(local))
        return local, None if self.bn_g is None else self.relu(self.bn_g(wide))


class FFCResidual(nn.Module):
    """Two blocks, and their input added to what they give; no activation after that."""

    def __init__(self, channels: tuple[int, int]) -> None:
        super().__init__()
        self.conv1 = FFCBlock(channels, channels, 3, padding=1)
        self.conv2 = FFCBlock(channels, channels, 3, padding=1)

    def forward(self, pair: Pair) -> Pair:
        local, wide = self.conv2(self.conv1(pair))
        return pair[0] + local, pair[1] + wide
