"""The sketcher: fills a hole by the lines and colours that are drawn into it, in any picture.

What people draw is taken as in SC-FEGAN (Jo and Park 2019, arXiv 1902.06838): thin lines where edges and
contours are to be, and strokes of colour. There a network that was taught on faces redraws it. Here nothing
is taught, and the picture can be of anything: a membrane takes its colours from around the hole and from the
strokes, and stops at the lines; then pieces of the picture are copied that have lines where lines are drawn,
and tints like the membrane's (`layers.guided`). Where colours were painted, the pieces are brought to them.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from .base import Cancel, Cancelled, Card, Model, Progress, part_of
from .patchmatch import PatchMatch

_BLUR = 5.0  # px; deviation over which copied pieces are brought to a painted colour
_LOOKED = 0.45  # of the progress, after which the picture's lines are known


class Sketcher(Model):
    """Fills by what is drawn into the hole; where nothing is drawn, as PatchMatch.

    Guidance, arrays in [0, 1] of the picture's size, each optional, as of `SCFEGAN`:
        sketch: 1 to 4 channels: gray, gray and alpha, RGB, RGBA. Where any of it is transparent, lines are
            what is not, whatever their colour; else what stands out from the layer's median colour.
        colour: gray or RGB, with alpha or without: the colours to fill with, painted wherever alpha is a
            half or more, and on any pixel where there is no alpha.
    """

    card = Card(
        name="sketcher",
        title="Sketcher",
        sentence="Fills by the lines and colours that are drawn over the hole, with pieces of the picture.",
        paper="Hertzmann et al. 2001, Image analogies; Orzan et al. 2008, Diffusion curves",
        licence="MIT",
        good_at=("photo", "comic"),
        guidance=("sketch", "colour"),
        takes_source=True,
        context_factor=1.0,
        context_minimum=128,
        max_pixels=2048 * 2048,
    )

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
        drawn, colours, painted = drawing(guidance, hole)
        if not drawn.any() and not painted.any() and source.any():
            return pieces(image, hole, source, seed, progress, cancel)
        guess = smooth_guess(image, hole, drawn, colours, painted)
        if not source.any():
            return guess
        lines, start = drawn, 0.0
        if drawn.any():
            start = _LOOKED
            # Filled, so that the hole's rim is no line, in whatever texture it lies.
            whole = pieces(image, hole, source, seed, part_of(progress, 0.0, start), cancel)
            lines = drawn | (lines_of(whole, cancel) & ~hole)
        filled = copied(image, hole, source, lines, guess, seed, part_of(progress, start, 1.0), cancel)
        return toned(filled, guess, hole, drawn, painted) if painted.any() else filled


def drawing(
    guidance: Mapping[str, np.ndarray], hole: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What is drawn in the hole.

    Returns:
        Lines, bool H x W, 1 px wide; colours, float32 3 x H x W; where they are painted, bool H x W.

    Raises:
        FillError: `bad-guidance`, a layer of too many channels.
    """
    import torch

    from .guidance import drawn as where_drawn
    from .guidance.layers import split
    from .guidance.thinning import thin

    layers = {name: torch.from_numpy(np.asarray(layer, np.float32))[None] for name, layer in guidance.items()}
    lines, painted = np.zeros_like(hole), np.zeros_like(hole)
    colours = np.zeros((3, *hole.shape), np.float32)
    if "sketch" in layers:
        lines = thin((where_drawn("sketch", layers["sketch"])[0, 0].numpy() > 0) & hole)
    if "colour" in layers:
        colours[:] = split(layers["colour"], "colour")[0][0].numpy()
        painted = (where_drawn("colour", layers["colour"])[0, 0].numpy() > 0) & hole
    return lines, colours, painted


def smooth_guess(
    image: np.ndarray, hole: np.ndarray, drawn: np.ndarray, colours: np.ndarray, painted: np.ndarray
) -> np.ndarray:
    """The membrane that takes its colours from around the hole and from what is painted.

    Args:
        image: float32, 3 x H x W in [0, 1].
        hole, drawn, painted: bool, H x W.
        colours: float32, 3 x H x W in [0, 1], where they are painted.

    Returns:
        float32, 3 x H x W in [0, 1]; grey where there is nothing to take a colour from.
    """
    from .layers.membrane import membrane

    known = np.where(painted, colours, image).astype(np.float32)
    left = hole & ~painted
    if left.all():
        return np.full_like(known, 0.5)
    return membrane(known, left, drawn)


def lines_of(picture: np.ndarray, cancel: Cancel) -> np.ndarray:
    """The lines of a picture, found in the same way on every computer.

    Args:
        picture: float32, 3 x H x W in [0, 1], complete.
        cancel: see `Model.fill`.

    Returns:
        bool, H x W.
    """
    import torch

    from . import guidance

    def watch(share: float) -> None:
        if cancel():
            raise Cancelled

    found = guidance.sketch(torch.from_numpy(picture)[None], guidance.detector("gradients"), watch=watch)
    return found[0, 0].numpy() > 0


def pieces(
    image: np.ndarray, hole: np.ndarray, source: np.ndarray, seed: int, progress: Progress, cancel: Cancel
) -> np.ndarray:
    """PatchMatch's fill, float32 3 x H x W; arguments as of `Model._fill_one`."""
    shown = image[None], hole[None, None]
    return PatchMatch().fill(*shown, seed=seed, progress=progress, cancel=cancel, source=source[None, None])[
        0
    ]


def copied(
    image: np.ndarray,
    hole: np.ndarray,
    source: np.ndarray,
    lines: np.ndarray,
    guess: np.ndarray,
    seed: int,
    progress: Progress,
    cancel: Cancel,
    sure: np.ndarray | None = None,
) -> np.ndarray:
    """Pieces of the picture that fit lines and guess.

    Args:
        image: float32, 3 x H x W in [0, 1].
        hole, source, lines: bool, H x W.
        guess: float32, 3 x H x W in [0, 1]; the picture, with smooth colours in the hole.
        seed, progress, cancel: see `Model.fill`.
        sure: see `DrawnCompletion`.

    Returns:
        float32, 3 x H x W in [0, 1].
    """
    from .layers.guided import DrawnCompletion

    with ThreadPoolExecutor(PatchMatch().threads, "sketcher") as pool:
        way = DrawnCompletion(pool, seed, progress, cancel, lines, guess, sure)
        return way.follow(image, hole.astype(np.uint8), source.astype(np.uint8))


def toned(
    filled: np.ndarray, guess: np.ndarray, hole: np.ndarray, drawn: np.ndarray, painted: np.ndarray
) -> np.ndarray:
    """Bring a fill to the colours that are painted, as far as these reach, and keep its grain.

    Args:
        filled, guess: float32, 3 x H x W; pieces of the picture, and the membrane.
        hole, drawn, painted: bool, H x W.

    Returns:
        float32, 3 x H x W in [0, 1].
    """
    from scipy import ndimage

    from .layers.membrane import membrane

    marks = np.broadcast_to(painted.astype(np.float32), (3, *painted.shape))
    left = hole & ~painted
    reach = marks[0] if left.all() or not left.any() else membrane(marks, left, drawn)[0]
    missing = guess - filled
    areas, count = ndimage.label(hole & ~drawn)
    result = filled.copy()
    for number, box in enumerate(ndimage.find_objects(areas, count), 1):
        around = tuple(slice(max(side.start - 1, 0), side.stop + 1) for side in box)
        area = areas[around] == number
        if not reach[around][area].max() > 0:
            continue
        inside = area.astype(np.float32)
        share = ndimage.gaussian_filter(inside, _BLUR)
        for channel in range(3):
            part = ndimage.gaussian_filter(missing[channel][around] * inside, _BLUR) / np.maximum(share, 1e-6)
            result[channel][around][area] += (reach[around] * part)[area]
    return result.clip(0, 1)


def prepare() -> None:
    """Compile all that is compiled, and keep it on disk, so that nobody's first fill waits for it."""
    picture = np.random.default_rng(0).random((1, 3, 64, 64), dtype=np.float32)
    hole, lines = np.zeros((1, 1, 64, 64), dtype=bool), np.zeros((1, 2, 64, 64), np.float32)
    hole[..., 24:40, 24:40] = True
    lines[:, 1, 32] = 1
    Sketcher().fill(picture, hole, guidance={"sketch": lines})
