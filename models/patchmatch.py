"""PatchMatch: fills a hole with pieces of the rest of the picture.

The nearest-neighbour field of Barnes 2009 ("PatchMatch: a randomized correspondence algorithm for
structural image editing") inside the multi-scale completion of Wexler 2007. The method itself is in
`layers.completion`, its compiled parts in `layers.nnf`, `layers.levels` and `layers.blend`; they need
numba, which is imported when the first hole is filled.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from .base import MOSAIC, Cancel, Card, Model, Param, Progress, part_of, sources


class PatchMatch(Model):
    """Fills a hole with the patches of the picture that fit best, the same on any number of cores.

    Attributes:
        threads: how many of them it uses.
    """

    card = Card(
        name="patchmatch",
        title="PatchMatch",
        sentence="Continues texture and structure with pieces of the picture itself; sharp at any size.",
        paper="Barnes et al. 2009, PatchMatch; Wexler et al. 2007, Space-time completion of video",
        licence="MIT",
        good_at=("photo", "texture"),
        takes_source=True,
        follows_mosaic=True,
        context_factor=1.0,
        context_minimum=128,
        params=(
            Param(
                "turns",
                "choice",
                "off",
                "Turn patches",
                "Also takes pieces that are turned: by up to 30° either way, by quarters, or by any angle.",
                choices=("off", "slight", "quarter", "any"),
            ),
            Param(
                "mirror",
                "bool",
                False,
                "Mirror patches",
                "Also takes pieces that are mirrored; with quarter turns for ornaments and buildings.",
            ),
            Param(
                "scales",
                "int",
                0,
                "Scale patches by",
                "Also takes pieces that are up to so much larger or smaller, as for walls seen at an angle.",
                0,
                100,
                unit="%",
            ),
        ),
    )

    def __init__(self, device: str = "cpu", threads: int | None = None) -> None:
        """
        Args:
            device: ignored; it runs on the CPU.
            threads: how many cores to use, by default all that this process may. The fill is the same.
        """
        self.threads = threads or _cores()

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
        """Give a smooth or coarse fill the detail of the picture around it.

        What `image` has in the hole is the guess that is followed; only the finest levels are run.

        Args:
            image: float32, 3 x H x W in [0, 1].
            hole: H x W in {0, 1}; 1 is a pixel to fill.
            source, seed, progress, cancel: as in `fill`, `source` without batch and channel axis.
            params: settings of the card.

        Returns:
            float32, 3 x H x W; outside the hole bit-identical to `image`.

        Raises:
            FillError, Cancelled: as in `fill`.
        """
        inside = np.asarray(hole) > 0
        result = np.array(image, dtype=np.float32)
        if inside.any():
            usable = sources(inside, None if source is None else np.asarray(source) > 0)
            report = progress or (lambda fraction, stage: None)
            asked = cancel or (lambda: False)
            filled = self._complete(result, inside, usable, seed, report, asked, True, params)
            np.copyto(result, filled, where=inside)
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
        if MOSAIC not in guidance:
            return self._complete(image, hole, source, seed, progress, cancel, False, params)
        from .layers.large import WHOLE
        from .layers.mosaic import MosaicCompletion

        cells = guidance[MOSAIC][0].astype(np.int32)
        if hole.size > WHOLE or not (cells >= 0).any():
            return self._complete(image, hole, source, seed, progress, cancel, False, params)
        with ThreadPoolExecutor(self.threads, "patchmatch") as pool:
            way = MosaicCompletion(pool, seed, progress, cancel, image, hole, cells)
            return way.follow(image, hole.astype(np.uint8), source.astype(np.uint8))

    def _complete(
        self,
        image: np.ndarray,
        hole: np.ndarray,
        source: np.ndarray,
        seed: int,
        progress: Progress,
        cancel: Cancel,
        guided: bool,
        params: Mapping[str, Any],
    ) -> np.ndarray:
        from .layers.atlas import ways
        from .layers.completion import Completion
        from .layers.large import WHOLE, LargeCompletion
        from .layers.turned import TurnedCompletion, enlarged_fill

        inside, allowed = hole.astype(np.uint8), source.astype(np.uint8)
        wanted = ways(params.get("turns", "off"), params.get("mirror", False), params.get("scales", 0))
        with ThreadPoolExecutor(self.threads, "patchmatch") as pool:
            if hole.size <= WHOLE:
                way = (
                    TurnedCompletion(pool, seed, progress, cancel, wanted)
                    if wanted
                    else Completion(pool, seed, progress, cancel)
                )
                return way.run(image, inside, allowed, guided)
            start = 0.0
            if wanted and not guided:  # what is refined follows its guess as it is

                def turned() -> TurnedCompletion:
                    return TurnedCompletion(
                        pool, seed, lambda part, stage: progress(part / 2, stage), cancel, wanted
                    )

                guess = enlarged_fill(turned, image, inside, allowed, WHOLE)
                if guess is not None:
                    image, guided, start = guess, True, 0.5

            rest = part_of(progress, start, 1.0)
            completion = LargeCompletion(pool, seed, rest, cancel, sharp=start > 0)
            return completion.run(image, inside, allowed, guided)


def prepare() -> None:
    """Compile all that is compiled, and keep it on disk, so that nobody's first fill waits for it."""
    picture = np.random.default_rng(0).random((3, 64, 64), dtype=np.float32)
    hole = np.zeros((64, 64), dtype=bool)
    hole[24:40, 24:40] = True
    model = PatchMatch()
    model.fill(picture[None], hole[None, None])
    model.fill(picture[None], hole[None, None], turns="slight")
    model.refine(picture, hole)
    model.fill(picture[None], hole[None, None], {MOSAIC: np.where(hole, 0, -1)[None, None]})


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
