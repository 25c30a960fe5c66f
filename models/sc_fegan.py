"""SC-FEGAN: fills a face by the lines and colours that somebody draws into the hole.

Jo and Park 2019, "SC-FEGAN: Face editing generative adversarial network with user's sketch and color"
(arXiv 1902.06838), section 3.2: a U-Net of seven levels, all of gated convolutions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .base import Cancel, Progress
from .catalogue import SC_FEGAN
from .guidance.layers import lines, split
from .layers.gated import GatedConv2d, GatedDeconv2d
from .network import NetworkModel

_ENCODER = [(64, 7), (128, 5), (256, 5), (512, 3), (512, 3), (512, 3), (512, 3)]  # channels, kernel
_DILATIONS = [2, 4, 8, 16]
_DECODER = [512, 512, 512, 256, 128, 64, 3]
_GATED = [
    *(f"gconv{i}_ds" for i in range(1, 8)),
    *(f"co_conv{i}_dlt" for i in range(1, 5)),
    *(f"gconv{i}" for i in range(8, 15)),
]
_GROWING = [f"deconv{i}" for i in range(1, 8)]
_PREFIX = "generator/"  # of the published variables' names


class SCFEGANNetwork(nn.Module):
    """The generator; its layers bear the checkpoint's names, a feature and its gate being one layer."""

    def __init__(self, width: int = 64) -> None:
        """
        Args:
            width: channels of the first layer; the published network has 64, and all others in proportion.
        """
        super().__init__()
        channels = 9
        skips = []
        for i, (published, kernel) in enumerate(_ENCODER, 1):
            outputs = published * width // 64
            skips.append(channels)
            layer = GatedConv2d(channels, outputs, kernel, stride=2, normalised=i > 1)
            self.add_module(f"gconv{i}_ds", layer)
            channels = outputs
        for i, dilation in enumerate(_DILATIONS, 1):
            self.add_module(f"co_conv{i}_dlt", GatedConv2d(channels, channels, 3, dilation=dilation))
        for i, published in enumerate(_DECODER, 1):
            last = i == len(_DECODER)
            outputs = published if last else published * width // 64
            self.add_module(f"deconv{i}", GatedDeconv2d(channels, outputs))
            layer = GatedConv2d(skips.pop() + outputs, outputs, 3, normalised=not last, activated=not last)
            self.add_module(f"gconv{i + 7}", layer)
            channels = outputs

    def forward(self, x: Tensor) -> Tensor:
        """
        Args:
            x: N x 9 x H x W, sides multiples of 128: BGR in [-1, 1], 0 in the hole (3); sketch (1), colour
                strokes in BGR (3), hole (1) and noise (1), all of them 0 outside the hole.

        Returns:
            N x 3 x H x W, BGR in [-1, 1].
        """
        skips = []
        for i in range(1, 8):
            skips.append(x)
            x = self.get_submodule(f"gconv{i}_ds")(x)
        for i in range(1, 5):
            x = self.get_submodule(f"co_conv{i}_dlt")(x)
        for i in range(1, 8):
            x = torch.cat([skips.pop(), self.get_submodule(f"deconv{i}")(x)], 1)
            x = self.get_submodule(f"gconv{i + 7}")(x)
        return torch.tanh(x)


class SCFEGAN(NetworkModel):
    """Fills by what is drawn into the hole.

    Guidance, arrays in [0, 1] of the picture's size, each optional. The network was trained with lines
    of 1 px and strokes of colour of 4 px, at 512 x 512.
        sketch: 1 to 4 channels: gray, gray and alpha, RGB, RGBA. Where any of it is transparent, lines are
            what is not, whatever their colour; else what stands out from the layer's median colour.
        colour: gray or RGB, with alpha or without: the colours to fill with, painted wherever alpha is a
            half or more, and on any pixel where there is no alpha.
    """

    card = SC_FEGAN

    @classmethod
    def recognise(cls, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any] | None:
        """The variables of the published checkpoint, or this file's own names."""
        for names in (_variables(), [f"{layer}.weight" for layer in (*_GATED, *_GROWING)]):
            if 2 * sum(name in shapes for name in names) > len(names):
                width = (shapes.get("gconv1_ds.weight") or (128,))[0] // 2
                return {"width": width} if width != 64 else {}
        return None

    @classmethod
    def build(cls, width: int = 64) -> nn.Module:
        return SCFEGANNetwork(width)

    @classmethod
    def translate(cls, tensors: dict[str, Tensor], width: int = 64) -> dict[str, Tensor]:
        """Joins the filters of features and gates; drops the discriminator and the optimiser's slots.

        Kernels are stored as rows x columns x inputs x outputs, those of the transposed convolutions as rows
        x columns x outputs x inputs.
        """
        if not any(name.startswith(_PREFIX) for name in tensors):
            return tensors
        left = {name: tensor for name, tensor in tensors.items() if _is_variable(name)}
        ours: dict[str, Tensor] = {}
        for layer in _GATED:
            for kind, name in (("kernel", "weight"), ("bias", "bias")):
                both = [left.pop(f"{_PREFIX}{layer}{part}/{kind}") for part in ("", "_g")]
                if both[0].shape != both[1].shape or both[0].ndim != (4 if kind == "kernel" else 1):
                    raise ValueError(f"{layer}/{kind} and {layer}_g/{kind} are of unfitting shapes")
                joined = torch.cat(both, -1)
                ours[f"{layer}.{name}"] = joined.permute(3, 2, 0, 1) if kind == "kernel" else joined
        for layer in _GROWING:
            kernel = left.pop(f"{_PREFIX}{layer}/w")
            if kernel.ndim != 4:
                raise ValueError(f"{layer}/w is of an unfitting shape")
            ours[f"{layer}.weight"] = kernel.permute(3, 2, 0, 1)
            ours[f"{layer}.bias"] = left.pop(f"{_PREFIX}{layer}/biases1")
            del left[f"{_PREFIX}{layer}/biases2"]  # reaches nothing
        return {**ours, **left}  # what is left is surplus

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
        noise = torch.from_numpy(saturated_noise(image.shape[-2], image.shape[-1], seed)).to(image)
        sketch, colour = guidance.get("sketch"), guidance.get("colour")
        x = channels(
            image,
            hole,
            torch.zeros_like(hole) if sketch is None else lines(sketch),
            torch.full_like(image, -1) if colour is None else strokes(colour),
            noise[None, None],
        )
        return ((self.network(x).flip(1) + 1) / 2).clamp(0, 1)


def channels(image: Tensor, hole: Tensor, sketch: Tensor, colour: Tensor, noise: Tensor) -> Tensor:
    """The network's nine input channels.

    Args:
        image: N x 3 x H x W, RGB in [0, 1].
        hole, sketch, noise: N x 1 x H x W in {0, 1}.
        colour: N x 3 x H x W, RGB in [-1, 1], -1 where nothing is painted.

    Returns:
        See `SCFEGANNetwork.forward`.
    """
    picture = (image.flip(1) * 2 - 1) * (1 - hole)
    return torch.cat([picture, sketch * hole, colour.flip(1) * hole, hole, noise * hole], 1)


def strokes(layer: Tensor) -> Tensor:
    """The colours of a layer, 1 x 3 x H x W in [-1, 1]; -1 where nothing is painted."""
    shades, alpha = split(layer, "colour")
    painted = shades.expand(-1, 3, -1, -1) * 2 - 1
    return painted if alpha is None else torch.where(alpha >= 0.5, painted, -1)


def saturated_noise(height: int, width: int, seed: int) -> np.ndarray:
    """float32 height x width in {0, 1}: where 8-bit Gaussian noise of deviation 255 reaches 255, about 16 %.

    The authors divide by 255 and cut the fraction off, which leaves this much of their noise.
    """
    noise = np.random.default_rng(seed).standard_normal((height, width), dtype=np.float32)
    return (np.rint(255 * noise) >= 255).astype(np.float32)


def _variables() -> list[str]:
    """The 93 variables of the published generator."""
    gated = [
        f"{layer}{part}/{kind}" for layer in _GATED for part in ("", "_g") for kind in ("kernel", "bias")
    ]
    growing = [f"{layer}/{kind}" for layer in _GROWING for kind in ("w", "biases1", "biases2")]
    return [_PREFIX + name for name in gated + growing]


def _is_variable(name: str) -> bool:
    """Whether a name is the generator's; not a slot of the optimiser, such as .../kernel/Adam."""
    return name.startswith(_PREFIX) and name.count("/") == 2
