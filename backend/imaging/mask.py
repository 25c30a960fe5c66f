"""From a mask of any kind to the holes in it.

Everywhere a pixel of the hole is one whose mask value is above zero.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .crop import Box

_STRIP_BYTES = 1 << 19  # temporaries of that size stay in the processor's cache
_CELL = 16  # px; side of the cells in which a large mask is searched
MOST = 2000  # holes that are told apart; beyond, neighbours count as one


@dataclass(frozen=True)
class Hole:
    """One connected hole, grown and feathered.

    Attributes:
        box: where it lies in the picture; no row or column at its rim is empty.
        squared: h x w, unsigned; the squared distance (px²) to the selected pixels of this hole,
            above `(grow + feather)²` outside of it.
        grow, feather: px; how far the hole reaches beyond the selection, and how far the ring in
            which it fades reaches beyond that.
    """

    box: Box
    squared: np.ndarray
    grow: int
    feather: int

    @property
    def inside(self) -> np.ndarray:
        """bool h x w: what a model has to fill, the fading ring included."""
        return self.squared <= (self.grow + self.feather) ** 2

    @property
    def area(self) -> int:
        """Pixels of `inside`."""
        return int(np.count_nonzero(self.inside))

    def alpha(self, squared: np.ndarray) -> np.ndarray:
        """float32 in [0, 1]: how much the fill covers at squared distances to the selection.

        1 on the grown selection, falling smoothly over the ring, 0 beyond.
        """
        reach = self.grow + self.feather
        distance = np.sqrt(np.arange((reach + 1) ** 2 + 1, dtype=np.float32))
        fading = np.clip((distance - self.grow) / (self.feather + 1), 0, 1)
        table = 1 - fading * fading * (3 - 2 * fading)
        table[reach**2 + 1 :] = 0
        return table[squared]


def bounds(mask: np.ndarray) -> Box | None:
    """The smallest box around all pixels above zero, or None where there are none.

    Args:
        mask: H x W, boolean, integer or float; NaN counts as zero.
    """
    if not mask.size:
        return None
    rows = np.flatnonzero(_any(mask, 1))
    if not len(rows):
        return None
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    columns = np.flatnonzero(_any(mask[top:bottom], 0))
    return Box(int(columns[0]), top, int(columns[-1]) + 1, bottom)


def _any(mask: np.ndarray, axis: int) -> np.ndarray:
    """Is any value above zero, along an axis? Without a temporary of the mask's size."""
    if mask.dtype == bool:
        return np.asarray(mask.any(axis=axis))
    return np.asarray(np.fmax.reduce(mask, axis=axis) > 0)


def from_colour(image: np.ndarray, rgb: tuple[int, int, int], tolerance: float = 0) -> np.ndarray:
    """The mask that was painted into a picture in one colour.

    Args:
        image: H x W, or H x W x C with C 1 (gray), 2 (gray, alpha), 3 (RGB) or 4 (RGBA).
        rgb: the colour, 0..255 whatever the picture's depth.
        tolerance: the largest difference in any channel that still counts, in the same unit;
            anti-aliased edges and JPEG need more than 0.

    Returns:
        bool H x W; never true where the picture is fully transparent.
    """
    pixels = image[..., None] if image.ndim == 2 else image
    channels = pixels.shape[2]
    unit = np.iinfo(image.dtype).max / 255 if image.dtype.kind == "u" else 1 / 255
    found = np.ones(pixels.shape[:2], dtype=bool)
    for index, value in enumerate(rgb):
        samples = pixels[..., index if channels > 2 else 0]
        low, high = (value - tolerance - 0.5) * unit, (value + tolerance + 0.5) * unit
        if image.dtype.kind == "u":  # compared as integers, without copies in another type
            low, high = max(0, math.ceil(low)), min(round(255 * unit), math.floor(high))
        found &= (samples >= low) & (samples <= high)
    if channels in (2, 4):
        found &= pixels[..., -1] > 0
    return found


def components(mask: np.ndarray, grow: int = 0, feather: int = 0, pinholes: int = 0) -> list[Hole]:
    """Split a mask into its holes.

    The mask is binarised at > 0, spots inside it are filled, it is grown by a disk, and what is then
    8-connected is one hole. Work and memory follow the masks' bounding boxes, not the picture; all
    depends on the mask alone, so a crop of it gives the same holes.

    Args:
        mask: H x W, boolean, integer or float.
        grow, feather: px, see `Hole`.
        pinholes: unselected spots enclosed by the selection that are at most so many px wide and
            high are selected, too.

    Returns:
        The holes by row, then column of their first box corner; none where the mask is empty.
    """
    whole = bounds(mask)
    if whole is None:
        return []
    height, width = mask.shape
    reach = grow + feather
    islands = list(_islands(mask, whole, 2 * reach + 2))
    tell_apart = MOST - len(islands)
    holes: list[Hole] = []
    for box, tile in islands:
        if pinholes:
            tile = fill_pinholes(tile, pinholes)
        outer = box.enlarge(reach, height, width)
        grown = np.zeros((outer.height, outer.width), dtype=bool)
        grown[box.within(outer)] = tile
        parts = _split(Hole(outer, squared_distance(grown, reach), grow, feather), tell_apart + 1)
        tell_apart -= len(parts) - 1
        holes += parts
    return sorted(holes, key=lambda hole: (hole.box.top, hole.box.left))


def _split(hole: Hole, most: int) -> list[Hole]:
    """The 8-connected parts of a hole; the hole itself where they are more than `most`."""
    from scipy import ndimage

    labels, count = ndimage.label(hole.inside, np.ones((3, 3), dtype=bool))
    if count == 1 or count > most:
        return [hole]
    far = np.array((hole.grow + hole.feather + 1) ** 2, hole.squared.dtype)
    parts = []
    for number, place in enumerate(ndimage.find_objects(labels), start=1):
        rows, columns = place
        left, top = hole.box.left, hole.box.top
        box = Box(left + columns.start, top + rows.start, left + columns.stop, top + rows.stop)
        squared = np.where(labels[place] == number, hole.squared[place], far)
        parts.append(Hole(box, squared, hole.grow, hole.feather))
    return parts


def _islands(mask: np.ndarray, whole: Box, gap: int) -> Iterator[tuple[Box, np.ndarray]]:
    """Parts of a mask that are more than `gap` px apart: box, and bool h x w of the part alone.

    Found on a grid of cells, so that a few specks in a huge picture cost next to nothing. The grid
    starts at the mask's own corner: a crop of the picture gives the same islands.
    """
    from scipy import ndimage

    cell = _CELL
    while True:
        grid = _cells(mask, whole, cell)
        # Pixels in cells that are k apart are more than (k - 1) cells apart; dilating by r joins
        # cells up to 2 r + 1 apart.
        radius = math.ceil((gap // cell) / 2)
        joined = ndimage.maximum_filter(grid, 2 * radius + 1, mode="constant") if radius else grid
        labels, count = ndimage.label(joined, np.ones((3, 3), dtype=bool))
        if count <= MOST:
            break
        cell *= 2
    labels[~grid] = 0
    for number, place in enumerate(ndimage.find_objects(labels), start=1):
        rows, columns = place
        box = Box(
            whole.left + columns.start * cell,
            whole.top + rows.start * cell,
            min(whole.right, whole.left + columns.stop * cell),
            min(whole.bottom, whole.top + rows.stop * cell),
        )
        tile = mask[box.slices] > 0
        if count > 1:
            mine = np.repeat(np.repeat(labels[place] == number, cell, axis=0), cell, axis=1)
            tile &= mine[: box.height, : box.width]
        exact = bounds(tile)
        assert exact is not None  # a cell of an island holds at least one of its pixels
        yield (
            Box(
                box.left + exact.left,
                box.top + exact.top,
                box.left + exact.right,
                box.top + exact.bottom,
            ),
            tile[exact.slices],
        )


def _cells(mask: np.ndarray, whole: Box, cell: int) -> np.ndarray:
    """bool: which cells of the box hold pixels above zero."""
    columns = np.arange(0, whole.width, cell)
    rows = []
    for top in range(whole.top, whole.bottom, cell):
        strip = mask[top : min(top + cell, whole.bottom), whole.left : whole.right]
        rows.append(np.logical_or.reduceat(_any(strip, 0), columns))
    return np.stack(rows)


def fill_pinholes(mask: np.ndarray, size: int) -> np.ndarray:
    """Select the unselected spots inside a mask, up to `size` px wide and high.

    Args:
        mask: bool h x w. Spots that touch its rim are open and stay.

    Returns:
        bool h x w, a new array.
    """
    from scipy import ndimage

    height, width = mask.shape
    labels, _ = ndimage.label(~mask)
    filled = mask.copy()
    for number, (rows, columns) in enumerate(ndimage.find_objects(labels), start=1):
        if max(rows.stop - rows.start, columns.stop - columns.start) > size:
            continue
        if rows.start and columns.start and rows.stop < height and columns.stop < width:
            filled[rows, columns] |= labels[rows, columns] == number
    return filled


def squared_distance(mask: np.ndarray, reach: int) -> np.ndarray:
    """Exact squared Euclidean distance to the mask, as far as it matters.

    Args:
        mask: bool h x w.
        reach: px.

    Returns:
        Unsigned h x w: the squared distance (px²) to the nearest true pixel where that is at most
        reach², else (reach + 1)².
    """
    far = (reach + 1) ** 2
    dtype = np.uint16 if 2 * far < 1 << 16 else np.uint32
    across = _row_distance(mask, reach + 1).astype(dtype)
    np.multiply(across, across, out=across)
    result = across.copy()
    height, width = mask.shape
    step = max(1, _STRIP_BYTES // (width * across.itemsize))
    buffer = np.empty((min(step, height), width), dtype)
    for top in range(0, height, step):
        bottom = min(top + step, height)
        for down in range(1, reach + 1):
            for shift in (-down, down):
                start, stop = max(top, -shift), min(bottom, height - shift)
                if start < stop:
                    part = buffer[: stop - start]
                    np.add(across[start + shift : stop + shift], dtype(down * down), out=part)
                    np.minimum(result[start:stop], part, out=result[start:stop])
    return np.minimum(result, dtype(far), out=result)


def _row_distance(mask: np.ndarray, most: int) -> np.ndarray:
    """int32 h x w: distance to the nearest true pixel of the same row, at most `most`."""
    width = mask.shape[1]
    place = np.arange(width, dtype=np.int32)
    before = np.where(mask, place, np.int32(-most))
    np.maximum.accumulate(before, axis=1, out=before)
    np.subtract(place, before, out=before)
    after = np.where(mask, place, np.int32(width + most))[:, ::-1]
    after = np.minimum.accumulate(after, axis=1)[:, ::-1]
    np.subtract(after, place, out=after)
    np.minimum(before, after, out=before)
    return np.minimum(before, np.int32(most), out=before)
