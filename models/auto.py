"""Which model fills which hole, where the user leaves the choice to us.

Where a mosaic is to be followed, PatchMatch does it. Thin holes are closed smoothly, but for those in line
art, whose lines a smooth fill cannot continue. For others there is PatchMatch, in line art with the liner,
which comes with the program; and where weights of a network are installed that suit the picture, that
network. Only networks that continue a picture by itself are considered: neither those for faces nor those
that want to be drawn for.

What is measured and what is not: the bound between `smooth` and `patchmatch`, what the liner adds, and how
line art is told from photographs, come from pictures (see below, and the liner's card). That a network which
its authors show on photographs, or on comics, does better there than PatchMatch is what they publish, not
what was measured here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from . import zoo
from .base import Card
from .zoo import Weights

THIN = 8.5
"""px; up to this thickness `smooth` comes closer to the truth than `patchmatch` in photographs, in paintings.
On scratched comic pages PatchMatch does (PSNR 24.3 against 23.5 dB, VGG distance 0.44 against 0.82; ten pages
of `models.training.comics`, two draws of scratches of 3 to 5 px)."""

LINE_ART = 0.025
"""From this share of clean steps on, a picture counts as line art. Measured on crops of the photographs in
tests/benchmarks/pictures.csv: none of 40 reaches it in the half that was looked at, one of 38 in the other;
and 52 of 53 cartoons do (the stamps of Tux Paint). Of the cartoons saved as JPEG only 16 do, of the
photographs none; what is not recognised is treated as a photograph."""

_ARCHITECTURES = ("lama", "migan", "liner")  # the better first
_LARGEST = {
    "migan": 256,  # px; it sees 512 px: a hole with its surroundings has to fit in, or the fill is blurred
    "liner": 340,  # px; it takes a megapixel, three times as long and broad as such a hole
}

_STEP, _PLAIN, _WINDOW, _SIDE = 40, 1, 5, 2  # levels of 255, levels, px, px
_DEEPEST = 64  # px; what lies deeper counts as this deep
_STRIP = 1024  # rows

CARD = Card(
    name="auto",
    title="Automatic",
    sentence="Looks at every hole: closes scratches in photographs smoothly, fills the rest with the "
    "installed network that suits the picture, or else by PatchMatch.",
    licence="MIT",
    good_at=("photo", "comic", "texture", "scratch"),
    takes_source=True,
    context_factor=1.0,  # at least what the models take that it chooses from
    context_minimum=256,  # so far is looked for what kind of picture it is
)


def choose(
    hole: np.ndarray, drawn: Callable[[], bool], networks: Iterable[Weights] = (), mosaic: bool = False
) -> str:
    """The name of the model for one connected hole.

    Args:
        hole: bool, H x W, one connected region; its surroundings need not be there.
        drawn: tells whether what is around it is line art, see `line_art`; called only where that matters.
        networks: what may be chosen, beside the models that need no weights; see `usable`.
        mosaic: whether a mosaic that is to be followed lies in the hole.
    """
    if mosaic:
        return "patchmatch"
    if thickness(hole) <= THIN:
        return "patchmatch" if drawn() else "smooth"
    candidates = [weights for weights in networks if _fits(weights, hole)]
    if not candidates:
        return "patchmatch"
    wanted = ("comic", "photo") if drawn() else ("photo",)
    for kind in wanted:
        for weights in candidates:
            if kind in _good_at(weights):
                return weights.name
    return "patchmatch"


def usable() -> list[Weights]:
    """The weights on this computer that `choose` may choose from, the better first."""
    known = [weights for weights in zoo.installed().values() if weights.architecture in _ARCHITECTURES]
    return sorted(known, key=lambda weights: _ARCHITECTURES.index(weights.architecture))


def _fits(weights: Weights, hole: np.ndarray) -> bool:
    if weights.architecture not in _LARGEST:
        return True
    rows, columns = np.flatnonzero(hole.any(axis=1)), np.flatnonzero(hole.any(axis=0))
    return max(rows[-1] - rows[0], columns[-1] - columns[0]) < _LARGEST[weights.architecture]


def _good_at(weights: Weights) -> tuple[str, ...]:
    """What weights are good at; those of unknown training count as their architecture's usual ones."""
    return weights.good_at or ("photo",)


def line_art(picture: np.ndarray, known: np.ndarray) -> bool:
    """Whether a picture is drawn with lines and plain areas, as comics are.

    Where such a picture becomes brighter or darker, it does so within a few pixels, between two plain
    areas. In a photograph, and in a painting, nearly every such step has texture, noise or a gradient on
    one side at least. What is counted is the share of clean steps among all, along rows and columns.

    Args:
        picture: float32, 3 x H x W, RGB in [0, 1].
        known: bool, H x W: pixels that count.
    """
    weights = np.array([0.299, 0.587, 0.114], dtype=np.float32)
    levels = np.rint(255 * np.tensordot(weights, picture, 1)).astype(np.int16)
    steps = clean = 0
    for values, counted in ((levels, known), (levels.T, known.T)):
        found = _steps(np.ascontiguousarray(values), np.ascontiguousarray(counted))
        steps, clean = steps + found[0], clean + found[1]
    return clean > 0 and clean / steps >= LINE_ART


def _steps(levels: np.ndarray, known: np.ndarray) -> tuple[int, int]:
    """The steps along the rows, and how many of them are clean."""
    reach = _WINDOW + 2 * _SIDE
    count = levels.shape[1] - reach
    if count <= 0:
        return 0, 0

    def shifted(array: np.ndarray, by: int) -> np.ndarray:
        return array[:, by : by + count]

    lowest, highest = shifted(levels, _SIDE).copy(), shifted(levels, _SIDE).copy()
    whole = shifted(known, 0).copy()
    for by in range(1, reach + 1):
        whole &= shifted(known, by)
    for by in range(_SIDE + 1, _SIDE + _WINDOW + 1):
        np.minimum(lowest, shifted(levels, by), out=lowest)
        np.maximum(highest, shifted(levels, by), out=highest)
    step = (highest - lowest >= _STEP) & whole
    plain = np.abs(np.diff(levels, axis=1)) <= _PLAIN
    clean = step.copy()
    for by in (*range(_SIDE), *range(_SIDE + _WINDOW, reach)):
        clean &= shifted(plain, by)
    return int(step.sum()), int(clean.sum())


def thickness(hole: np.ndarray) -> float:
    """How thick a region is, px: the width of a stroke, the diameter of a disk, half a pixel more or less.

    A net of scratches is no thicker than its scratches, although their crossings are: 2 % of the pixels
    may lie deeper. Where a spot is more than twice as thick as that, half of its thickness counts. What
    lies beyond the array's edge is not hole.

    Args:
        hole: bool, H x W.

    Returns:
        At least 1, at most 128; 0 where there is no pixel.
    """
    from scipy import ndimage

    rows, columns = np.flatnonzero(hole.any(axis=1)), np.flatnonzero(hole.any(axis=0))
    if not len(rows):
        return 0.0
    box = np.pad(hole[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], 1)
    depths = []
    for top in range(0, len(box), _STRIP):  # to bound the memory of a hole that spans a large picture
        above = min(top, _DEEPEST)
        strip = box[top - above : top + _STRIP + _DEEPEST]
        depth = ndimage.distance_transform_edt(strip)[above : above + _STRIP]
        depths.append(depth[strip[above : above + _STRIP]].astype(np.float32))
    depth = np.minimum(np.concatenate(depths), _DEEPEST)
    return max(2 * float(np.quantile(depth, 0.98)), float(depth.max())) - 0.5
