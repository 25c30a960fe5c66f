"""DeepFill v1: fills rectangular holes, coarse to fine, with contextual attention.

Yu et al. 2018, "Generative image inpainting with contextual attention" (arXiv 1801.07892), sections 3
and 4. Its network is version 2's (`deepfill`) with plain convolutions instead of gated ones, a third
wider; values are clipped where version 2 takes a tanh. The paper says that convolutions mirror the border;
its authors correct that: the published models pad with zeros, and are fed a channel of ones instead, which
lets them know the border. Weights are TensorFlow's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from .catalogue import DEEPFILL_V1
from .deepfill import CoarseToFine, CoarseToFineModel, layers, renamed, share_of_kernels
from .layers.contextual import ContextualAttention


class CoarseToFineV1(CoarseToFine):
    """The network of version 1; both its stages get the ones and the mask."""

    unit = 32
    refined = 5
    gated = False

    def squash(self, x: Tensor) -> Tensor:
        return x.float().clamp(-1, 1)

    def refine_input(self, pasted: Tensor, x: Tensor, mask: Tensor) -> Tensor:
        return torch.cat([pasted, x[:, 3:]], 1)


class DeepFillV1(CoarseToFineModel):
    """DeepFill v1 with its authors' weights."""

    card = DEEPFILL_V1

    @classmethod
    def recognise(cls, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any] | None:
        """The names are version 2's; the shapes of the kernels tell them apart."""
        for style, settings in (("tensorflow", {}), ("own", {"style": "own"})):
            if share_of_kernels(shapes, style, layers(32, 5, 5), gated=False) > 0.5:
                return settings
        return None

    @classmethod
    def build(cls, style: str = "tensorflow") -> nn.Module:
        return CoarseToFineV1(ContextualAttention())

    @classmethod
    def translate(cls, tensors: dict[str, Tensor], style: str = "tensorflow") -> dict[str, Tensor]:
        return renamed(tensors, style, layers(32, 5, 5))
