"""Multi-scale neural patch synthesis: gives a rough fill the texture of the rest of the picture.

Yang et al. 2017, "High-resolution image inpainting using multi-scale neural patch synthesis". A content
network, or any other model, makes the first guess; then the hole's pixels are optimised, coarse to fine,
until their VGG features look like patches of the picture (`layers.synthesis`, `layers.synthesis_loss`). The
weights are those of VGG-19, as the authors have it, or of VGG-16; nothing is trained.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from . import zoo
from .base import Cancel, Cancelled, Model, Progress, sources
from .catalogue import PATCH_SYNTHESIS
from .layers import vgg
from .layers.blocks import blocks
from .layers.synthesis import scales_for, synthesise
from .layers.synthesis_loss import Settings
from .network import NetworkModel

_GUESS = 0.1  # of the progress
_BLOCK = 512  # px; `refine` takes holes in blocks of this side
_AROUND = 256  # px; what it looks at around a block


class PatchSynthesis(NetworkModel):
    """Fills a hole, or refines the fill of any other model.

    It computes in single precision on every device: a sum over many small steps leaves no room for less.
    """

    card = PATCH_SYNTHESIS
    half = False

    @classmethod
    def recognise(cls, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any] | None:
        return vgg.recognise(shapes)

    @classmethod
    def build(cls, **settings: Any) -> nn.Module:
        """VGG up to relu4_2; its forward takes a picture in [0, 1] and the names of layers."""
        return vgg.Vgg(**settings)

    @classmethod
    def translate(cls, tensors: dict[str, Tensor], **settings: Any) -> dict[str, Tensor]:
        return vgg.translate(tensors, **settings)

    def quicken(self, network: nn.Module, dtype: torch.dtype) -> nn.Module:
        return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def refine(
        self,
        image: np.ndarray,
        hole: np.ndarray,
        source: np.ndarray | None = None,
        seed: int = 0,
        progress: Progress | None = None,
        cancel: Cancel | None = None,
        **params: Any,
    ) -> np.ndarray:
        """Give the fill of another model the texture of the picture around it.

        What `image` has in the hole is the first guess that is followed. Only the full size is computed;
        large holes are taken in blocks one after another, each with the picture near it, so that memory
        does not grow with the hole.

        Args:
            image: float32, 3 x H x W, RGB in [0, 1].
            hole: H x W in {0, 1}; 1 is a pixel to refine.
            source: H x W in {0, 1}; pixels that texture may be taken from, all by default.
            seed: ignored; nothing is random.
            progress, cancel: as in `fill`.
            params: as in `fill`; `content` is of no meaning here.

        Returns:
            float32, 3 x H x W; outside the hole bit-identical to `image`.

        Raises:
            TypeError, FillError, Cancelled: as in `fill`.
        """
        known = {param.name: param.default for param in self.card.params}
        if surplus := sorted(set(params) - set(known)):
            raise TypeError(f"{self.card.name} has no parameter {', '.join(surplus)}")
        inside = np.asarray(hole) > 0
        result = np.array(image, dtype=np.float32)
        if not inside.any():
            return result
        usable = sources(inside, None if source is None else np.asarray(source) > 0)
        asked = cancel or (lambda: False)
        parts = list(blocks(inside, _BLOCK, _AROUND))
        for n, (block, around) in enumerate(parts):

            def report(fraction: float, stage: str, n: int = n) -> None:
                if progress is not None:
                    progress((n + fraction) / len(parts), stage)

            free = np.zeros_like(inside)
            free[block] = inside[block]
            near = usable[around] if usable[around].any() else ~inside[around]
            if not near.any():  # a block amid a hole, with nothing to learn from in reach: what is there
                near = ~free[around]
            box = (slice(None), *around)
            answer = self._synthesise(result[box], free[around], near, {**known, **params}, 1, report, asked)
            np.copyto(result[box], answer, where=free[around])
        return result

    def _fill_one(
        self,
        image: np.ndarray,
        hole: np.ndarray,
        source: np.ndarray,
        guidance: Mapping[str, np.ndarray],
        seed: int,
        progress: Progress,
        cancel: Cancel,
        **params: Any,
    ) -> np.ndarray:
        guess = self._guesser(params["content"]).fill(
            image[None],
            hole[None, None],
            seed=seed,
            progress=lambda fraction, stage: progress(_GUESS * fraction, stage),
            cancel=cancel,
            source=source[None, None],
        )[0]

        def report(fraction: float, stage: str) -> None:
            progress(_GUESS + (1 - _GUESS) * fraction, stage)

        return self._synthesise(guess, hole, source, params, scales_for(*hole.shape), report, cancel)

    def _guesser(self, content: str) -> Model:
        """The model that makes the first guess."""
        from . import load

        if content == "auto":
            content = "patchmatch" if zoo.resolve("context-encoder") is None else "context-encoder"
        return load(content, self.device, precision="auto")

    def _synthesise(
        self,
        picture: np.ndarray,
        hole: np.ndarray,
        source: np.ndarray,
        params: Mapping[str, Any],
        scales: int,
        progress: Progress,
        cancel: Cancel,
    ) -> np.ndarray:
        settings = Settings(
            iterations=params["iterations"],
            fidelity=params["fidelity"],
            rotation=params["rotation"],
            scaling=params["scaling"] / 100,
            fine=params["fine"],
            optimiser=params["optimiser"],
        )
        if cancel():
            raise Cancelled
        planes, inside, usable = (
            torch.from_numpy(np.ascontiguousarray(array)).to(self.device) for array in (picture, hole, source)
        )
        with (
            torch.inference_mode(False),
            torch.no_grad(),
            torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True),
        ):
            network = self.network
            assert isinstance(network, vgg.Vgg)
            answer = synthesise(network, planes, inside, usable, settings, scales, progress, cancel)
        return answer.cpu().numpy()
