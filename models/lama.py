"""LaMa: fills large holes, because every one of its residual blocks sees the whole picture.

Suvorov et al. 2022, "Resolution-robust large mask inpainting with Fourier convolutions" (WACV,
arXiv 2109.07161). Published are big-lama (18 residual blocks), lama-fourier (9), and fine-tuned ones such as
anime-manga-big-lama; how many blocks there are shows in the keys.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from .base import Cancel, Progress
from .catalogue import LAMA
from .lama_refiner import refined
from .layers.ffc import FFCBlock, FFCResidual, Pair
from .layers.ffc_fused import Fused
from .network import NetworkModel

_FIRST = "model.1.ffc.convl2l.weight"
_MOST_BLOCKS = 64
_BLOCK = re.compile(r"model\.\d+\.conv1\.ffc\.convl2l\.weight")


class LaMaNetwork(nn.Module):
    """The generator, a flat sequence whose indices are those of the published keys.

    Attributes:
        model: the sequence; features are a `Pair` from its second to its last residual block.
        blocks: how many residual blocks there are.
    """

    def __init__(self, blocks: int = 18, width: int = 64) -> None:
        """
        Args:
            blocks: residual blocks.
            width: channels of the first convolution, w; there are 8 w between the residual blocks.
        """
        super().__init__()
        local, wide = 2 * width, 6 * width
        layers: list[nn.Module] = [
            nn.ReflectionPad2d(3),
            _First(4, width),
            FFCBlock((width, 0), (2 * width, 0), 3, 2, 1),
            FFCBlock((2 * width, 0), (4 * width, 0), 3, 2, 1),
            FFCBlock((4 * width, 0), (local, wide), 3, 2, 1),
            *(FFCResidual((local, wide)) for _ in range(blocks)),
            _Concatenation(),
        ]
        for channels in (8 * width, 4 * width, 2 * width):
            layers += [
                nn.ConvTranspose2d(channels, channels // 2, 3, 2, 1, output_padding=1),
                nn.BatchNorm2d(channels // 2),
                nn.ReLU(),
            ]
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(width, 3, 7), nn.Sigmoid()]
        self.model = nn.Sequential(*layers)
        self.blocks = blocks

    def forward(self, x: Tensor) -> Tensor:
        """
        Args:
            x: N x 4 x H x W, sides multiples of 8 and at least 16: RGB in [0, 1], 0 in the hole; hole.

        Returns:
            N x 3 x H x W, RGB in [0, 1].
        """
        return self.rear(self.front(x))

    def front(self, x: Tensor) -> Pair:
        """What enters the first residual block."""
        return self.model[:5](x)

    def rear(self, pair: Pair) -> Tensor:
        """The picture of features as `front` gives them."""
        return self.model[5:](pair)


class _First(FFCBlock):
    """The layer that takes the picture, in which all is local."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__((inputs, 0), (width, 0), 7)

    def forward(self, x: Tensor) -> Pair:  # type: ignore[override]
        return super().forward((x, None))


class _Concatenation(nn.Module):
    def forward(self, pair: Pair) -> Tensor:
        local, wide = pair
        assert wide is not None
        return torch.cat([local, wide], 1)


class LaMa(NetworkModel):
    """The generator in the hands of those who fill holes."""

    card = LAMA

    @classmethod
    def recognise(cls, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any] | None:
        """Keys begin with "generator." (Lightning), "model.generator." (TorchScript), "model." or nothing."""
        prefix = _prefix(shapes)
        if prefix is None or len(shapes[prefix + _FIRST]) != 4 or shapes[prefix + _FIRST][1:] != (4, 7, 7):
            return None
        blocks = sum(bool(_BLOCK.fullmatch(name.removeprefix(prefix))) for name in shapes)
        if not 0 < blocks <= _MOST_BLOCKS:
            return None
        return {"blocks": blocks, "width": shapes[prefix + _FIRST][0]}

    @classmethod
    def build(cls, blocks: int = 18, width: int = 64) -> nn.Module:
        return LaMaNetwork(blocks, width)

    @classmethod
    def translate(cls, tensors: dict[str, Tensor], **settings: Any) -> dict[str, Tensor]:
        """Drops discriminators, losses and evaluators."""
        prefix = _prefix(tensors)
        assert prefix is not None
        begin = prefix + "model."
        return {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(begin)}

    def runs(self, params: Mapping[str, Any]) -> int:
        return 0 if params["refine"] else 1

    def quicken(self, network: nn.Module, dtype: torch.dtype) -> nn.Module:
        assert isinstance(network, LaMaNetwork)
        return Fused(network.model, network.blocks, dtype)

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
        if params["refine"]:
            with torch.inference_mode(False), torch.enable_grad():
                return refined(self.network, image, hole, progress, cancel)
        return self.network(torch.cat([image, hole], 1))


def _prefix(names: Mapping[str, Any]) -> str | None:
    """What stands before the generator's own names; None where there is no generator."""
    for prefix in ("generator.", "model.generator.", "model.", ""):
        if prefix + _FIRST in names:
            return prefix
    return None
