"""Holes that were painted into a picture in one colour, in files as they really are.

Exactly one colour is what a pencil without anti-aliasing leaves in a PNG. Other brushes leave a rim in which
the mark's colour and the drawing's are mixed, and JPEG leaves noise, and colour that has run out of the mark.
A fill must reach as far as any of that does, or a coloured fringe stays around it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .convert import full
from .mask import components, from_colour

REACH = 8
"""px; how far a rim may reach: JPEG with halved chroma smears a colour over 8 px on each side at most."""

SHARE = 0.05
"""How much of the mark's colour a pixel of the rim holds at least; less is not seen."""

_STRONG = 0.3  # share of the mark's colour from which a pixel away from the marks looks like a mark, too
_GRAY = 30.0  # levels of 255; a mark whose channels are no further apart has no hue to recognise
_LEFT_OVER = 12  # pixels; fewer are noise
_SMALL = 25  # px²; marks are drawn to cover something, which is larger
_SCATTERED = 8  # so many small pieces are no slips of the pen
_SOFT = 0.2  # share of mixed pixels along the border of a mark that has a rim at all
_STRIP = 512  # rows


@dataclass(frozen=True)
class Marks:
    """What was found in a picture of H x W.

    Attributes:
        core: bool; pixels of the colour.
        rim: bool; pixels around them with some of the colour in it; none of `core`.
        left_over: bool; pixels further off that nearly have the colour.
        pieces, small: connected pieces of `core`, and how many of them are too small for a mark.
    """

    core: np.ndarray
    rim: np.ndarray
    left_over: np.ndarray
    pieces: int
    small: int

    @property
    def mask(self) -> np.ndarray:
        """bool: what has to be filled."""
        return self.core | self.rim

    def doubts(self, tolerance: str = "--tolerance", smallest: str = "--smallest") -> list[str]:
        """What looks wrong, a sentence each; `tolerance` and `smallest` are what the user knows them by."""
        said = []
        left = int(np.count_nonzero(self.left_over))
        if not self.pieces:
            said.append(
                "No pixel has the marks' colour"
                + (f", though {left} nearly have it: raise {tolerance}." if left else ".")
            )
        elif left >= _LEFT_OVER:
            said.append(
                f"{left} pixels nearly have the marks' colour and are not filled (around "
                f"{_place(self.left_over)}): raise {tolerance}, or mark with a hard brush."
            )
        if self.small >= _SCATTERED or (self.small and self.small > self.pieces // 2):
            said.append(
                f"{self.small} of {self.pieces} marks are specks: if the art has the marks' colour, too, "
                f"mark with another one, or leave them out with {smallest}."
            )
        return said


def find(image: np.ndarray, rgb: tuple[int, int, int], tolerance: float, smallest: int = 0) -> Marks:
    """Find the marks of a colour, with their rims.

    Args:
        image: H x W, or H x W x C with C 1 (gray), 2 (gray, alpha), 3 (RGB) or 4 (RGBA), of any depth.
        rgb: the colour, 0..255 whatever the picture's depth.
        tolerance: as in `from_colour`.
        smallest: px²; connected pieces of fewer pixels are the drawing's own.
    """
    from scipy import ndimage

    core = from_colour(image, rgb, tolerance)
    labels, pieces = ndimage.label(core, np.ones((3, 3), bool))
    areas = np.bincount(labels.ravel(), minlength=pieces + 1)[1:]
    if smallest > 1:
        kept = np.concatenate([[False], areas >= smallest])
        core = kept[labels]
        areas = areas[areas >= smallest]
    small = int(np.count_nonzero(areas < _SMALL))
    rim = np.zeros_like(core)
    for hole in components(core, grow=REACH):  # by what is close together, as most of a page is not
        near = hole.box.enlarge(REACH + 2, *core.shape)
        rim[near.slices] |= _rim(_levels(image[near.slices]), core[near.slices], rgb)
    left_over = _nearly(image, rgb, tolerance) & ~(core | rim)
    if smallest > 1:
        left_over &= labels == 0
    return Marks(core, rim, left_over, len(areas), small)


def _levels(image: np.ndarray) -> np.ndarray:
    """float32 h x w x 3, 0..255."""
    pixels = image[..., None] if image.ndim == 2 else image
    colours = pixels[..., : 3 if pixels.shape[2] > 2 else 1].astype(np.float32)
    colours *= np.float32(255 / full(image.dtype))
    return np.broadcast_to(colours, (*colours.shape[:2], 3))


def _rim(levels: np.ndarray, core: np.ndarray, rgb: tuple[int, int, int]) -> np.ndarray:
    """bool h x w: pixels that are connected to the core through others with more of its colour than the
    picture has around."""
    from scipy import ndimage

    distance, (y, x) = ndimage.distance_transform_edt(~core, return_indices=True)
    reach = distance <= REACH
    if reach.all():
        return np.zeros_like(core)
    # What the picture has just beyond the reach of the rim, seen from each pixel.
    far_y, far_x = ndimage.distance_transform_edt(reach, return_distances=False, return_indices=True)
    mixed = reach & ~core & (_share(levels, levels[far_y, far_x], rgb) >= SHARE)
    # A mark with hardly any mixture along its border is one with a hard border, and what there is of the hue
    # is the drawing's own.
    labels, pieces = ndimage.label(core, np.ones((3, 3), bool))
    border = (distance > 0) & (distance < 2)
    owners = labels[y[border], x[border]]
    length = np.bincount(owners, minlength=pieces + 1)
    # How often the drawing alone looks like a mixture is seen where no rim reaches.
    chance = float(mixed[reach & (distance > REACH - 2)].mean())
    soft = np.bincount(owners, mixed[border], pieces + 1) >= (_SOFT + chance) * length
    mixed &= soft[labels[y, x]]
    # From pixel to pixel, away from the core; a line of the drawing that has the hue by itself goes on
    # beyond the reach, where `levels[far]` has it, too, so that it is no mixture.
    grown = ndimage.binary_propagation(core, np.ones((3, 3), bool), mask=core | mixed)
    return grown & ~core


def _share(levels: np.ndarray, around: np.ndarray, rgb: tuple[int, int, int]) -> np.ndarray:
    """How much of the mark's colour there is in each pixel beyond what is around it.

    For marks with a hue it is the hue that is measured: ink and paper have none, in whatever mixture. For
    others it is how far a pixel has gone from what is around towards the mark.
    """
    mark = np.array(rgb, np.float32)
    hue = mark - mark.mean()
    if float(mark.max() - mark.min()) > _GRAY:
        unit = hue / np.linalg.norm(hue)
        own, other = levels @ unit, around @ unit  # `unit` sums to 0: grays count 0
        return (own - other) / np.maximum(np.linalg.norm(hue) - other, np.float32(1))
    way = mark - around
    length = np.maximum((way * way).sum(axis=2), 1)
    along = ((levels - around) * way).sum(axis=2) / length
    beside = levels - around - along[..., None] * way
    clean = np.sqrt((beside * beside).sum(axis=2)) <= 0.35 * np.abs(along) * np.sqrt(length) + 8
    return np.where(clean & (length > 40**2), along, 0)


def _nearly(image: np.ndarray, rgb: tuple[int, int, int], tolerance: float) -> np.ndarray:
    """bool: pixels whose colour could be meant for the mark's."""
    wide = max(3 * tolerance, 48)
    found = from_colour(image, rgb, wide)
    mark = np.array(rgb, np.float32)
    hue = mark - mark.mean()
    if image.ndim == 2 or image.shape[2] < 3 or float(mark.max() - mark.min()) <= _GRAY:
        return found
    for top in range(0, len(image), _STRIP):
        strip = _levels(image[top : top + _STRIP])
        own = strip - strip.mean(axis=2, keepdims=True)
        norm = np.linalg.norm(hue)
        along = own @ (hue / norm)
        # Nearly the same hue, and a good part of the mark's strength.
        length = np.sqrt((own * own).sum(axis=2))
        found[top : top + _STRIP] |= (along >= _STRONG * norm) & (along >= 0.97 * length)
    if image.shape[2] == 4:
        found &= image[..., 3] > 0
    return found


def _place(mask: np.ndarray) -> str:
    """Where most of a mask is, as x, y."""
    y, x = np.nonzero(mask)
    return f"{int(np.median(x))}, {int(np.median(y))}"


def show(image: np.ndarray, marks: Marks) -> np.ndarray:
    """A picture of what was found: the drawing pale and gray, marks red, rims yellow, left-overs blue.

    Returns:
        uint8 H x W x 3.
    """
    result = np.empty((*marks.core.shape, 3), np.uint8)
    for top in range(0, len(result), _STRIP):
        part = slice(top, top + _STRIP)
        result[part] = (96 + 0.6 * _levels(image[part]).mean(axis=2, keepdims=True)).astype(np.uint8)
    result[marks.core] = (220, 0, 0)
    result[marks.rim] = (255, 220, 0)
    result[marks.left_over] = (0, 60, 255)
    return result
