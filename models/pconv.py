"""Partial convolutions: the U-Net that fills irregular holes from their rims inwards.

Liu et al. 2018, "Image inpainting for irregular holes using partial convolutions" (arXiv 1804.07723),
section 3.2. The paper's network has 8 levels, for 512 x 512; naoto0804's published weights have 7, for
256 x 256. How many there are, and whose layer, shows in a checkpoint's keys.
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
from .catalogue import PCONV
from .layers.partial import PartialConv2d
from .network import NetworkModel

_MEAN = (0.485, 0.456, 0.406)  # of ImageNet's pictures, with their deviation
_DEVIATION = (0.229, 0.224, 0.225)


class PConvNetwork(nn.Module):
    """Encoder and decoder of as many levels, every convolution a partial one.

    Attributes:
        enc_1 ... enc_n, dec_1 ... dec_n: the levels, numbered from the picture down.
    """

    def __init__(self, levels: int = 8, hard: bool = False, width: int = 64) -> None:
        """
        Args:
            levels: how often the size is halved, 5 or more.
            hard: see `PartialConv2d`.
            width: channels of the first level; there are up to eight times as many.
        """
        super().__init__()
        self.levels = levels
        widths = [3, width, 2 * width, 4 * width, *[8 * width] * (levels - 3)]
        kernels = [7, 5, 5, *[3] * (levels - 3)]
        for i in range(levels):
            encoder = Level(widths[i], widths[i + 1], kernels[i], 2, nn.ReLU(), i > 0, hard=hard)
            self.add_module(f"enc_{i + 1}", encoder)
        for i in reversed(range(levels)):
            inputs = widths[i + 1] + widths[i]
            activation = nn.LeakyReLU(0.2) if i > 0 else nn.Identity()
            decoder = Level(inputs, widths[i], 3, 1, activation, i > 0, bias=i == 0, hard=hard)
            self.add_module(f"dec_{i + 1}", decoder)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """
        Args:
            x: N x 3 x H x W, ImageNet-normalised; sides are multiples of 2 ** levels.
            mask: N x 3 x H x W, three times the same, 1 = valid; fractions are allowed.

        Returns:
            N x 3 x H x W, in the same units.
        """
        valid = mask[:, :1].float()
        x = x * valid
        skips = []
        for i in range(self.levels):
            skips.append((x, valid))
            x, valid = self.get_submodule(f"enc_{i + 1}")(x, x.shape[1] * valid)
        for i in reversed(range(self.levels)):
            skip, skip_valid = skips.pop()
            grown = functional.interpolate(valid, scale_factor=2.0)
            count = x.shape[1] * grown + skip.shape[1] * skip_valid
            x = torch.cat([functional.interpolate(x, scale_factor=2.0), skip], 1)
            x, valid = self.get_submodule(f"dec_{i + 1}")(x, count)
        return x


class Level(nn.Module):
    """A partial convolution, its normalisation where it has one, its activation; then its hole made 0."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int,
        activation: nn.Module,
        normalised: bool,
        bias: bool = False,
        hard: bool = False,
    ) -> None:
        super().__init__()
        padding = (kernel - 1) // 2
        self.conv = PartialConv2d(inputs, outputs, kernel, stride, padding, 1, bias, True, hard)
        if normalised:
            self.bn = nn.BatchNorm2d(outputs)
        self.normalised, self.activation = normalised, activation

    def forward(self, x: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
        """
        Args:
            x: N x C x H x W, 0 in its holes.
            count: float32, N x 1 x H x W: how many of a pixel's channels are valid.

        Returns:
            The same of the answer, the mask in [0, 1].
        """
        x, valid = self.conv.normalised(x, count)
        if not self.normalised:
            return self.activation(x), valid
        return self.activation(self.bn(x)) * valid.to(x.dtype), valid

    def fold(self) -> None:
        """Let the convolution do the normalisation. The same for masks of 0 and 1 alone.

        The normalisation's offset becomes the convolution's bias, which is 0 in the hole of itself.
        """
        if self.normalised:
            norm = self.bn
            assert norm.running_var is not None and norm.running_mean is not None
            factor = norm.weight / torch.sqrt(norm.running_var + norm.eps)
            self.conv.weight.data = self.conv.weight * factor[:, None, None, None]
            self.conv.bias = nn.Parameter(norm.bias - norm.running_mean * factor, requires_grad=False)
            del self.bn
            self.normalised = False


class PConv(NetworkModel):
    """The U-Net of partial convolutions, with NVIDIA's layer or naoto0804's."""

    card = PCONV

    @classmethod
    def recognise(cls, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any] | None:
        """naoto0804's names, or this file's own (NVIDIA's layer); levels and width show in both."""
        for hard, name in ((True, "input_conv.weight"), (False, "weight")):
            found = [
                re.fullmatch(rf"(?:enc|dec)_(\d{{1,2}})\.conv\.{re.escape(name)}", key) for key in shapes
            ]
            numbers = [int(match[1]) for match in found if match]
            levels = max(numbers, default=0)
            if 5 <= levels <= 10 and len(numbers) > levels:  # that is, more than half of them
                width = shapes.get(f"enc_1.conv.{name}", ())[:1] or (64,)
                return {"levels": levels, "hard": hard, **({"width": width[0]} if width[0] != 64 else {})}
        return None

    @classmethod
    def build(cls, levels: int = 8, hard: bool = False, width: int = 64) -> nn.Module:
        return PConvNetwork(levels, hard, width)

    @classmethod
    def translate(
        cls, tensors: dict[str, Tensor], levels: int = 8, hard: bool = False, width: int = 64
    ) -> dict[str, Tensor]:
        """naoto0804's layer divides by S where the paper's multiplies by N / S: its weights are N times ours.

        Beside each convolution it stores the filter of ones by which it counts S.
        """
        if not hard:
            return tensors
        ours = {}
        for name, tensor in tensors.items():
            if name.endswith(".mask_conv.weight"):
                if tensor.shape != tensors[name.replace(".mask_conv.", ".input_conv.")].shape:
                    raise ValueError(f"{name} is not of its convolution's shape")
                if not (tensor == 1).all():
                    raise ValueError(f"{name} holds other values than 1")
                continue
            if name.endswith(".input_conv.weight"):
                if name.replace(".input_conv.", ".mask_conv.") not in tensors:
                    raise KeyError(name.replace(".input_conv.", ".mask_conv."))
                tensor = tensor / tensor[0].numel()
            ours[name.replace(".input_conv.", ".")] = tensor
        return ours

    @classmethod
    def describe(cls, levels: int = 8, hard: bool = False, width: int = 64) -> Card:
        return replace(cls.card, size=replace(cls.card.size, multiple=2**levels))

    def quicken(self, network: nn.Module, dtype: torch.dtype) -> nn.Module:
        for module in network.modules():
            if isinstance(module, Level):
                module.fold()
        return super().quicken(network, dtype)

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
        mean, deviation = (image.new_tensor(values)[:, None, None] for values in (_MEAN, _DEVIATION))
        valid = 1 - hole
        answer = self.network((image - mean) / deviation * valid, valid.expand(-1, 3, -1, -1))
        return answer * deviation + mean
