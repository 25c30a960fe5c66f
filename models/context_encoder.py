"""The context encoder: a bottleneck that draws the middle of a small picture from its surroundings.

Pathak et al. 2016, "Context encoders: feature learning by inpainting", the adversarial network for central
holes of their published Torch7 code; and the same with ELU for all activations, as the
content network of Yang et al. 2017 has it. It sees 128² and predicts the central 64², of
which a rim of 4 px is not hidden from it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .base import Cancel, Progress
from .catalogue import CONTEXT_ENCODER
from .network import NetworkModel

SIDE = 128  # px that it sees
HIDDEN = slice(36, 92)  # of its rows and columns
PREDICTED = slice(32, 96)
MEAN = (117.0, 104.0, 123.0)  # R, G, B of 255, what is shown in place of the hidden pixels

_LEAK = 0.2


class ContextEncoder(NetworkModel):
    """Fills a hole of any place and shape by showing the network the square around it.

    The square is scaled so that the hole's box fits into the hidden part; small holes are seen at their
    own scale. What it predicts beyond the hole is dropped.
    """

    card = CONTEXT_ENCODER

    @classmethod
    def recognise(cls, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any] | None:
        """Knows the authors' Torch7 file and PyTorch versions of it, by the order of their layers."""
        layers = _layers(shapes)
        if "".join("n" if len(shapes[layer]) == 1 else "c" for layer in layers) != "c" + 9 * "cn" + "c":
            return None
        convolutions = [shapes[layer] for layer in layers if len(shapes[layer]) != 1]
        if any(len(shape) == 4 and shape[2:] != (4, 4) for shape in convolutions):
            return None
        settings: dict[str, Any] = {
            "encoding": convolutions[0][0],
            "bottleneck": convolutions[5][0],
            "decoding": convolutions[9][1] if len(convolutions[9]) == 4 else convolutions[9][1] // 16,
        }
        if any(
            name.endswith(".alpha") for name in shapes
        ):  # the field of Torch7's ELU, and of no other layer
            settings["variant"] = "elu"
        return settings

    @classmethod
    def build(cls, encoding: int, bottleneck: int, decoding: int, variant: str = "relu") -> nn.Module:
        """The network: N x 3 x 128 x 128 in [-1, 1] to N x 3 x 64 x 64 in [-1, 1].

        Args:
            encoding, decoding: channels of the encoder's first and the decoder's last hidden layer.
            bottleneck: channels between them.
            variant: "relu", leaky in the encoder, or "elu".
        """

        def activation(leak: float) -> nn.Module:
            if variant == "elu":
                return nn.ELU()
            return nn.LeakyReLU(leak) if leak else nn.ReLU()

        widths = [encoding * factor for factor in (1, 1, 2, 4, 8)]
        layers: list[nn.Module] = [nn.Conv2d(3, encoding, 4, 2, 1), activation(_LEAK)]
        for before, after in itertools.pairwise(widths):
            layers += [nn.Conv2d(before, after, 4, 2, 1), nn.BatchNorm2d(after), activation(_LEAK)]
        layers += [nn.Conv2d(widths[-1], bottleneck, 4), nn.BatchNorm2d(bottleneck), activation(_LEAK)]
        widths = [decoding * factor for factor in (8, 4, 2, 1)]
        layers += [nn.ConvTranspose2d(bottleneck, widths[0], 4), nn.BatchNorm2d(widths[0]), activation(0)]
        for before, after in itertools.pairwise(widths):
            layers += [nn.ConvTranspose2d(before, after, 4, 2, 1), nn.BatchNorm2d(after), activation(0)]
        return nn.Sequential(*layers, nn.ConvTranspose2d(widths[-1], 3, 4, 2, 1), nn.Tanh())

    @classmethod
    def translate(cls, tensors: dict[str, Tensor], **settings: Any) -> dict[str, Tensor]:
        with torch.device("meta"):
            expected = cls.build(**settings).state_dict()
        shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        targets = dict.fromkeys(name.rpartition(".")[0] for name in expected)
        state: dict[str, Tensor] = {}
        for layer, target in zip(_layers(shapes), targets, strict=True):
            own = layer.rpartition(".")[0]
            wanted = expected[f"{target}.weight"]
            weight = tensors[layer]
            # Older files of Torch7 have a kernel's axes in one.
            state[f"{target}.weight"] = weight.reshape(wanted.shape) if weight.ndim == 2 else weight
            if f"{own}.bias" in tensors:
                state[f"{target}.bias"] = tensors[f"{own}.bias"]
            elif wanted.ndim == 4:  # the PyTorch versions leave them out; in the authors' file they are zero
                state[f"{target}.bias"] = torch.zeros_like(expected[f"{target}.bias"], device="cpu")
            for name in ("running_mean", "running_var"):
                if f"{own}.{name}" in tensors:
                    state[f"{target}.{name}"] = tensors[f"{own}.{name}"]
            if f"{own}.running_std" in tensors:  # in older files of Torch7: 1 / sqrt(variance + 1e-5)
                state[f"{target}.running_var"] = tensors[f"{own}.running_std"] ** -2 - 1e-5
        return state

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
        top, left, side = _square(hole[0, 0])
        rows = _mirrored(top, side, image.shape[2], image.device)
        columns = _mirrored(left, side, image.shape[3], image.device)
        valid = 1 - hole[:, :, rows][:, :, :, columns]
        seen = functional.interpolate(
            torch.cat([image[:, :, rows][:, :, :, columns] * valid, valid], 1),
            (SIDE, SIDE),
            mode="bilinear",
            antialias=True,
        )
        share = seen[:, 3:]
        mean = image.new_tensor(MEAN).view(1, 3, 1, 1) / 255
        shown = torch.where(share > 0.5, seen[:, :3] / share.clamp(min=0.5), mean)
        shown[:, :, HIDDEN, HIDDEN] = mean
        answer = (self.network(shown * 2 - 1) + 1) / 2
        placed = shown.clone()
        placed[:, :, PREDICTED, PREDICTED] = answer.to(placed.dtype)
        large = functional.interpolate(placed, (side, side), mode="bilinear", align_corners=False)
        result = image.clone()
        inside = (slice(max(top, 0), top + side), slice(max(left, 0), left + side))
        part = result[:, :, inside[0], inside[1]]
        above, before = max(-top, 0), max(-left, 0)
        part[:] = large[:, :, above : above + part.shape[2], before : before + part.shape[3]]
        return result


def _layers(shapes: Mapping[str, tuple[int, ...]]) -> list[str]:
    """The names of the weights, in the network's order: of the numbers in their names, as a tree's."""
    names = [name for name, shape in shapes.items() if name.endswith(".weight") and len(shape) in (1, 2, 4)]
    parts = {name: re.split(r"(\d+)", name) for name in names}  # words and numbers in turn
    words: dict[str, int] = {}  # a decoder's name may come before an encoder's in the alphabet
    for name in names:
        for word in parts[name][::2]:
            words.setdefault(word, len(words))
    return sorted(
        names, key=lambda name: [int(part) if n % 2 else words[part] for n, part in enumerate(parts[name])]
    )


def _square(hole: Tensor) -> tuple[int, int, int]:
    """Top, left and side of the square to be shown; it may reach beyond the picture."""
    rows, columns = (hole.any(axis).nonzero()[:, 0] for axis in (1, 0))
    (top, bottom), (left, right) = ((int(line[0]), int(line[-1]) + 1) for line in (rows, columns))
    hidden = HIDDEN.stop - HIDDEN.start
    side = -(-max(bottom - top, right - left, hidden) * SIDE // hidden)
    return (top + bottom - side) // 2, (left + right - side) // 2, side


def _mirrored(start: int, count: int, size: int, device: torch.device) -> Tensor:
    """`count` indices from `start` on, those beyond 0 ... size - 1 mirrored back."""
    place = torch.arange(start, start + count, device=device) % (2 * size)
    return torch.minimum(place, 2 * size - 1 - place)
