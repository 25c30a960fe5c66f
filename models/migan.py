"""MI-GAN: a generator small enough for a telephone, for pictures of one fixed size.

Sargsyan et al. 2023, "MI-GAN: A simple baseline for image inpainting on mobile devices" (ICCV), section
3: a U-shaped generator of depthwise separable convolutions, whose skips are added. The published weights
are for 256 x 256 and 512 x 512.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .base import Cancel, Card, Progress
from .catalogue import MIGAN as CARD
from .network import NetworkModel


def channels(resolution: int) -> int:
    """Feature channels where a map is resolution x resolution."""
    return min(32768 // resolution, 512)


def activate(x: Tensor) -> Tensor:
    """LeakyReLU 0.2, which keeps the variance by a factor of sqrt(2), clamped to ±256; may work in place."""
    return functional.leaky_relu_(x, 0.2).mul_(2**0.5).clamp_(-256, 256)


class Downsample(nn.Module):
    """Halves a map by a low-pass filter, stored per channel in the checkpoint."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.filter = nn.Conv2d(width, width, 4, 2, 1, groups=width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.filter(x)


class Upsample(nn.Module):
    """Doubles a map: zeros between the pixels, then a low-pass filter, stored per channel.

    The checkpoints also store where the zeros go (`filter_const`). Both steps are computed at once, as a
    transposed convolution, which never multiplies by those zeros.
    """

    filter_const: Tensor

    def __init__(self, width: int, resolution: int) -> None:
        super().__init__()
        self.register_buffer("filter_const", zero_insertion(resolution))
        self.filter = nn.Conv2d(width, width, 4, groups=width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        kernel = self.filter.weight.flip(2, 3)  # a transposed convolution applies its kernel turned around
        return functional.conv_transpose2d(x, kernel, stride=2, padding=1, groups=x.shape[1])


def zero_insertion(resolution: int) -> Tensor:
    """1 x 1 x resolution x resolution: 1 where row and column are even, else 0."""
    const = torch.zeros(1, 1, resolution, resolution)
    const[..., ::2, ::2] = 1
    return const


class SeparableConv(nn.Module):
    """Depthwise 3 x 3, then pointwise; resized between or after them, with a map of noise added.

    Noise is a constant of the checkpoint, one map for all channels, which fixes the size.
    """

    noise_const: Tensor
    noise_strength: nn.Parameter

    def __init__(self, inputs: int, outputs: int, *, down: bool = False, up: int = 0, noise: int = 0) -> None:
        """
        Args:
            inputs, outputs: channels.
            down: whether the map is halved.
            up: the resolution that it is doubled to; 0: it is not.
            noise: the resolution of the noise; 0: none.
        """
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs)
        self.downsample = Downsample(inputs) if down else None
        self.conv2 = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.upsample = Upsample(outputs, up) if up else None
        if noise:
            self.register_buffer("noise_const", torch.randn(noise, noise))
            self.noise_strength = nn.Parameter(torch.zeros(()))
        self.noisy = noise > 0

    def forward(self, x: Tensor) -> Tensor:
        x = activate(self.conv1(x))
        if self.downsample is not None:
            x = self.downsample(x)
        x = self.conv2(x)
        if self.upsample is not None:
            x = self.upsample(x)
        if self.noisy:
            x = x + (self.noise_const * self.noise_strength).to(x.dtype)
        return activate(x)


class EncoderBlock(nn.Module):
    """One resolution on the way down; answers what goes on, and the skip."""

    def __init__(self, resolution: int, top: bool) -> None:
        super().__init__()
        width = channels(resolution)
        self.fromrgb = nn.Conv2d(4, width, 1) if top else None
        self.conv1 = SeparableConv(width, width)
        down = resolution > 4
        self.conv2 = SeparableConv(width, channels(resolution // 2) if down else width, down=down)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if self.fromrgb is not None:
            x = activate(self.fromrgb(x))
        skip = self.conv1(x)
        return self.conv2(skip), skip


class SynthesisBlock(nn.Module):
    """One resolution on the way up; adds to the picture what can be told at this resolution."""

    def __init__(self, resolution: int) -> None:
        super().__init__()
        width, bottom = channels(resolution), resolution == 4
        doubled = 0 if bottom else resolution
        self.conv1 = SeparableConv(
            channels(4 if bottom else resolution // 2), width, up=doubled, noise=doubled
        )
        self.conv2 = SeparableConv(width, width, noise=doubled)
        self.torgb = nn.Conv2d(width, 3, 1)
        self.upsample = None if bottom else Upsample(3, resolution)

    def forward(self, x: Tensor, skip: Tensor, picture: Tensor | None) -> tuple[Tensor, Tensor]:
        x = self.conv2(self.conv1(x) + skip)
        shown = self.torgb(x)
        if self.upsample is not None and picture is not None:
            shown = shown + self.upsample(picture)
        return x, shown


class Generator(nn.Module):
    """The network, for pictures of resolution x resolution."""

    def __init__(self, resolution: int) -> None:
        super().__init__()
        self.resolution = resolution
        steps = [2**n for n in range(2, resolution.bit_length())]
        self.synthesis = nn.ModuleDict({f"b{r}": SynthesisBlock(r) for r in steps})
        self.encoder = nn.ModuleDict({f"b{r}": EncoderBlock(r, r == resolution) for r in reversed(steps)})

    def forward(self, x: Tensor) -> Tensor:
        """
        Args:
            x: N x 4 x R x R: valid mask (1 = keep) - 0.5, then RGB in [-1, 1], 0 in the hole.

        Returns:
            N x 3 x R x R, RGB about [-1, 1], not clamped.
        """
        skips = {}
        for name, encode in self.encoder.items():
            x, skips[name] = encode(x)
        picture = None
        for name, synthesise in self.synthesis.items():
            x, picture = synthesise(x, skips[name], picture)
        assert picture is not None
        return picture


class MIGAN(NetworkModel):
    """The generator of any resolution; the whole picture is resized to its square, and back."""

    card = CARD

    @classmethod
    def recognise(cls, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any] | None:
        """By the blocks, whose names tell the resolution."""
        blocks = [re.search(r"\bencoder\.b(\d+)\.conv[12]\.conv[12]\.weight$", name) for name in shapes]
        resolution = max((int(found[1]) for found in blocks if found), default=0)
        if resolution < 8 or resolution & (resolution - 1):
            return None
        with torch.device("meta"):
            names = cls.build(resolution).state_dict()
        prefix = _prefix(shapes)
        there = sum(shapes.get(prefix + name) == tuple(tensor.shape) for name, tensor in names.items())
        return {"resolution": resolution} if there > len(names) / 2 else None

    @classmethod
    def build(cls, resolution: int = 512) -> nn.Module:
        return Generator(resolution)

    @classmethod
    def translate(cls, tensors: dict[str, Tensor], resolution: int = 512) -> dict[str, Tensor]:
        """Only checks what is computed otherwise than stored: where zeros are put between pixels."""
        prefix = _prefix(tensors)
        for name, tensor in tensors.items():
            if name.endswith(".filter_const") and not torch.equal(tensor, zero_insertion(tensor.shape[-1])):
                raise ValueError(f"{name} is not 1 at even rows and columns and 0 elsewhere")
        return {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}

    @classmethod
    def describe(cls, resolution: int = 512) -> Card:
        size = replace(cls.card.size, square=resolution)
        return replace(cls.card, size=size, max_pixels=resolution**2)

    def predict(
        self,
        image: Tensor,
        hole: Tensor,
        guidance: Mapping[str, Tensor],
        seed: int,
        progress: Progress,
        cancel: Cancel,
        **params: Any,
    ) -> Tensor:
        valid = 1 - hole
        x = torch.cat([valid - 0.5, (image * 2 - 1) * valid], 1)
        return (self.network(x) / 2 + 0.5).clamp(0, 1)  # as the demo does before it resizes


def _prefix(names: Mapping[str, Any]) -> str:
    """What stands before the generator's own names."""
    for name in names:
        found = re.match(r"(.*?)\b(?:encoder|synthesis)\.b\d+\.", name)
        if found:
            return found[1]
    return ""
