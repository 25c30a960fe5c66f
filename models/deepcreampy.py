"""DeepCreamPy's network: redraws what bars or a mosaic cover in drawings.

deeppomf's DeepCreamPy 2 (github.com/deeppomf/DeepCreamPy), a network after Yu et al. 2018, "Generative
image inpainting with contextual attention" (arXiv 1801.07892), with one decoder run on the encoder's
features (coarse) and on the same after a contextual block (refined).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .base import Cancel, Card, Progress
from .catalogue import DEEPCREAMPY
from .network import NetworkModel

# Channels in, channels out, kernel, stride, dilation.
_ENCODER = [
    (6, 32, 5, 1, 1),
    (32, 64, 3, 2, 1),
    (64, 64, 3, 1, 1),
    (64, 128, 3, 2, 1),
    (128, 128, 3, 1, 1),
    (128, 256, 3, 2, 1),
    *((256, 256, 3, 1, dilation) for dilation in (2, 4, 8, 16)),
]
_DECODER = [(256, 128), (128, 128), (128, 64), (64, 64), (64, 32), (32, 32), (32, 16), (16, 16)]
_PARTS = ("G_en/", "G_de/", "CB1/")  # of the published checkpoints' variables, the generator's


class DeepCreamPyNetwork(nn.Module):
    """Encoder, contextual block, decoder.

    Attributes:
        encoder, decoder: their convolutions, in order.
        block: the contextual block.
    """

    def __init__(self, width: int = 32) -> None:
        """
        Args:
            width: channels of the first convolution; the published network has 32, and all others in
                proportion. Even.
        """
        super().__init__()

        def scaled(channels: int) -> int:
            return channels if channels == 6 else channels * width // 32

        self.encoder = nn.ModuleList(
            nn.Conv2d(
                scaled(inputs),
                scaled(outputs),
                kernel,
                stride,
                kernel // 2 * dilation,
                dilation,
                padding_mode="reflect",
            )
            for inputs, outputs, kernel, stride, dilation in _ENCODER
        )
        self.block = ContextualBlock(scaled(256))
        self.decoder = nn.ModuleList(
            nn.Conv2d(scaled(inputs), scaled(outputs), 3, padding=1, padding_mode="reflect")
            for inputs, outputs in _DECODER
        )
        self.decoder.append(nn.Conv2d(scaled(16), 3, 3, padding=1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """
        Args:
            x: N x 6 x H x W: RGB in [-1, 1], and three times the mask, 1 = valid. Sides are multiples of 8,
                136 at least (the widest reflection has to find that many features).

        Returns:
            The coarse and the refined picture, N x 3 x H x W, RGB in [-1, 1].
        """
        features = self.encode(x)
        return self.decode(features), self.decode(self.block(features, x[:, 3:4]))

    def refined(self, x: Tensor) -> Tensor:
        """The second of `forward`'s answers alone."""
        return self.decode(self.block(self.encode(x), x[:, 3:4]))

    def encode(self, x: Tensor) -> Tensor:
        """N x 6 x H x W to N x 256 x H/8 x W/8."""
        for convolution in self.encoder:
            x = functional.elu(convolution(x))
        return x

    def decode(self, x: Tensor) -> Tensor:
        """N x 256 x h x w to N x 3 x 8h x 8w in [-1, 1]."""
        for i in range(0, len(_DECODER), 2):
            x = functional.elu(self.decoder[i](x))
            x = functional.elu(self.decoder[i + 1](x))
            if i < 6:
                x = functional.interpolate(x, scale_factor=2.0)
        return self.decoder[-1](x).clamp(-1, 1)


class ContextualBlock(nn.Module):
    """Replaces a hole's features by 3 x 3 pieces of the valid ones that resemble them.

    Every piece of the masked features is scored by its distance to the feature's surroundings; scores are
    standardised over the pieces, and what is pasted is their mean under softmax(-50 tanh(score)).

    Attributes:
        merge: from the features and the pasted ones to features again.
        portion: values of the matrix of distances that are computed at once.
    """

    def __init__(self, channels: int, portion: int = 1 << 24) -> None:
        super().__init__()
        self.portion = portion
        self.merge = nn.Conv2d(2 * channels, channels, 1)

    def forward(self, features: Tensor, valid: Tensor) -> Tensor:
        """
        Args:
            features: N x C x h x w.
            valid: N x 1 x 8h x 8w, 1 = valid; sampled at every 8th pixel.
        """
        valid = valid[..., ::8, ::8].to(features.dtype)
        known = features * valid
        with torch.autocast(features.device.type, enabled=False):
            pasted = torch.stack(
                [_paste(*planes, self.portion) for planes in zip(features, known, valid, strict=True)]
            )
        return functional.elu(self.merge(torch.cat([features, known + pasted * (1 - valid)], 1)))


def _paste(features: Tensor, known: Tensor, valid: Tensor, portion: int) -> Tensor:
    """What the pieces of `known` paste into the hole.

    Only the neighbourhood of the hole is computed, a portion at a time, so that time follows the
    hole, and memory hardly follows the size.

    Args:
        features, known: C x h x w.
        valid: 1 x h x w.
        portion: see `ContextualBlock`.

    Returns:
        C x h x w; right in the hole, which is all that is used of it.
    """
    channels, height, width = features.shape
    inner = height - 2, width - 2
    corners = [(y, x) for y in range(3) for x in range(3)]  # of a piece, counted from its first pixel
    # In float32 whatever the features are: what decides is small differences of large distances.
    around = functional.pad(features, (1, 1, 1, 1)).float().flatten(1).T
    known = known.float()
    lengths = functional.avg_pool2d(known.square().sum(0, keepdim=True), 3, 1, divisor_override=1).flatten()
    canvas = torch.zeros_like(around)
    reached = functional.max_pool2d((valid != 1).float(), 3, 1, 1)  # where a piece may cover hole
    if not reached.any():
        return torch.zeros_like(features)  # no sample of the mask lies in the hole
    row, column = reached[0].nonzero().T
    first = row * (width + 2) + column  # of the nine pixels around each, in the padded picture
    for chunk in first.split(max(portion // len(lengths), 1)):
        places = [chunk + y * (width + 2) + x for y, x in corners]
        distance = lengths.repeat(len(chunk), 1)
        for place, (y, x) in zip(places, corners, strict=True):
            # Without the length of the place's own values, which shifts all its distances alike.
            distance.addmm_(around[place], _shifted(known, y, x, inner), alpha=-2)
        spread, mean = torch.std_mean(distance, 1, correction=0, keepdim=True)
        # Alike distances, as of a picture without anything valid, leave no spread to divide by.
        spread = spread.clamp_min(1e-12)
        if distance.requires_grad:  # what is overwritten could not be learnt from
            weights = (((distance - mean) / spread).tanh() * -50).softmax(1)
        else:
            weights = distance.sub_(mean).div_(spread).tanh_().mul_(-50).softmax(1)
            # Down to e^-100, which processors multiply at a tenth of their speed.
            functional.threshold(weights, 1e-20, 0.0, inplace=True)
        for place, (y, x) in zip(places, corners, strict=True):
            canvas[place] += weights @ _shifted(known, y, x, inner).T
    pasted = canvas.T.reshape(channels, height + 2, width + 2)[:, 1:-1, 1:-1]
    return (pasted / 9).to(features.dtype)


def _shifted(planes: Tensor, y: int, x: int, size: tuple[int, int]) -> Tensor:
    """The pixel at y, x of every piece: C x pieces."""
    return planes[:, y : y + size[0], x : x + size[1]].flatten(1)


class DeepCreamPy(NetworkModel):
    """DeepCreamPy 2 for bars, or, as the variant `mosaic`, for mosaics."""

    card = DEEPCREAMPY

    @classmethod
    def recognise(cls, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any] | None:
        """The variables of the published checkpoints, or this file's own names."""
        published = _published()
        for names in (published, published.values()):
            if 2 * sum(name in shapes for name in names) > len(published):
                width = (shapes.get("encoder.0.weight") or (32,))[0]
                return {"width": width} if width != 32 else {}
        return None

    @classmethod
    def build(cls, variant: str = "bar", width: int = 32) -> nn.Module:
        """The same for both variants; they differ in weights, and in what they are shown."""
        return DeepCreamPyNetwork(width)

    @classmethod
    def translate(cls, tensors: dict[str, Tensor], width: int = 32) -> dict[str, Tensor]:
        """Keeps the generator; kernels are stored as rows x columns x inputs x outputs."""
        if not any(name.startswith(_PARTS) for name in tensors):
            return tensors
        published = _published()
        ours = {}
        for name, tensor in tensors.items():
            if not name.startswith(_PARTS) or name.count("/") > 2:
                continue  # the discriminator's, or a slot of the optimiser, such as .../weights/Adam
            if tensor.ndim != (4 if name.endswith("/weights") else 1):
                raise ValueError(f"{name} has {tensor.ndim} axes")
            kernel = tensor.permute(3, 2, 0, 1) if name.endswith("/weights") else tensor
            ours[published.get(name, name)] = kernel
        return ours

    @classmethod
    def describe(cls, variant: str = "bar", width: int = 32) -> Card:
        return replace(cls.card, sees_hole=variant == "mosaic")

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
        """The hole of `image` is black for bars; for a mosaic it holds the mosaic."""
        valid = (1 - hole).expand(-1, 3, -1, -1)
        network = self.network
        assert isinstance(network, DeepCreamPyNetwork)
        return (network.refined(torch.cat([image * 2 - 1, valid], 1)) + 1) / 2


def _published() -> dict[str, str]:
    """The published variables, and what they are called here."""
    layers = {"CB1/ML": "block.merge"}
    for part, place, count in (("G_en", "encoder", len(_ENCODER)), ("G_de", "decoder", len(_DECODER) + 1)):
        for i in range(count):
            layers[f"{part}/Conv" + (f"_{i}" if i else "")] = f"{place}.{i}"
    kinds = {"weights": "weight", "biases": "bias"}
    return {
        f"{theirs}/{kind}": f"{ours}.{name}"
        for theirs, ours in layers.items()
        for kind, name in kinds.items()
    }
