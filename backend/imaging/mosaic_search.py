"""Finding mosaics in a picture that nobody has marked."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .crop import Box
from .mosaic import Mosaic, levels_of, means
from .mosaic_grid import LARGEST, LUMINANCE, OUTLIER, Cells, Grid, best, bound

_WINDOWS = ((4 * LARGEST, LARGEST), (160, 40), (64, 16))
"""Sides of the windows that are looked at, and the largest cells that are looked for in each, px. Large ones
come first: a small one may take half a cell for a whole one."""

_FIT = 0.3  # of a window's grid; see `Grid`
_COLOURS = 8  # of its cells: where nobody has said that there is a mosaic, it takes more to tell

_FLAT = 0.45  # share of the rows and columns of a window's pixels that have to be like their neighbours
_DIFFERENT = 4.0  # levels; from here on a pixel differs from its neighbour
_ENOUGH = 12  # cells
_WHOLE = 0.6  # a mosaic over more of the picture than that is how the picture was made
_CLEAR = 4.0  # steps between cells are so many times what is uneven in them; in a gradient they are not
_STEP = 3.0  # levels; neighbouring cells that differ by less say nothing


def search(image: np.ndarray) -> tuple[list[Mosaic], list[tuple[Box, str]]]:
    """Find the mosaics in a whole picture.

    Windows that overlap are looked at one by one; where one is certain to lie in a mosaic, its grid is
    followed from cell to cell as far as cells are even and differ from their neighbours.

    Args:
        image: H x W x C, C 1 (gray), 2 (gray, alpha), 3 (RGB) or 4 (RGBA), or H x W, of any depth.

    Returns:
        The mosaics that are certain; and the boxes of what may be some, each with the reason for doubt.
    """
    levels = levels_of(image)
    plane = levels @ LUMINANCE if levels.shape[2] == 3 else levels[..., 0]
    shape = plane.shape
    certain: list[Mosaic] = []
    doubtful: list[tuple[Box, str]] = []
    taken = np.zeros(shape, bool)
    for side, largest in _WINDOWS:
        for window in _windows(shape, side):
            part = plane[window.slices]
            if taken[window.slices].mean() > 0.2 or not _blocky(part):
                continue
            found = best(part[..., None], np.ones(part.shape, bool), window, largest)
            if found is None or found[1].fit < _FIT:
                continue
            one, reason = _follow(levels, plane, window, *found)
            if one is not None and _colours(one) < _COLOURS:
                one, reason = None, "it has few colours, as a pattern may have"
            if one is not None:
                one = _confirmed(plane, one)
                reason = "its parts do not fit into one grid"
            if one is None:
                doubtful.append((window, reason))
            elif not (taken[one.box.slices] & (one.labels >= 0)).any():
                certain.append(one)
                taken[one.box.slices] |= one.labels >= 0
    return certain, _apart(doubtful, taken)


def _colours(one: Mosaic) -> int:
    """How many clearly different colours its cells have."""
    return len(np.unique(np.rint(255 * one.values.mean(axis=1) / _DIFFERENT)))


def _confirmed(plane: np.ndarray, one: Mosaic) -> Mosaic | None:
    """The same if all of it, looked at by itself, is a mosaic of these cells; else None."""
    found = best(plane[one.box.slices][..., None], one.labels >= 0, one.box)
    return one if found is not None and found[1].cell == one.cell else None


def _windows(shape: tuple[int, int], side: int) -> Iterator[Box]:
    """Boxes that overlap by half, and reach the borders."""
    height, width = shape
    high, wide = min(side, height), min(side, width)
    tops = sorted({*range(0, height - high, side // 2), height - high})
    lefts = sorted({*range(0, width - wide, side // 2), width - wide})
    for top in tops:
        for left in lefts:
            yield Box(left, top, left + wide, top + high)


def _blocky(part: np.ndarray) -> bool:
    """Whether a window can hold a mosaic: most pixels are like their neighbours, but not all."""
    shares = []
    for axis in (0, 1):
        same = np.abs(np.diff(part, axis=axis)) < _DIFFERENT
        shares.append(float(same.mean()))
    return min(shares) > _FLAT and max(shares) < 0.999


def _apart(doubtful: list[tuple[Box, str]], taken: np.ndarray) -> list[tuple[Box, str]]:
    """Doubtful windows beside what is certain; those that touch each other as one."""
    left: list[tuple[Box, str]] = []
    for box, reason in doubtful:
        if taken[box.slices].any():
            continue
        for index, (other, _) in enumerate(left):
            if box.meet(other) is not None:
                left[index] = (box.union(other), reason)
                break
        else:
            left.append((box, reason))
    return left


def _follow(
    levels: np.ndarray, plane: np.ndarray, window: Box, cells: Cells, grid: Grid
) -> tuple[Mosaic | None, str]:
    """The whole mosaic that a window lies in; or None, and why it is doubtful."""
    height, width = levels.shape[:2]
    cell = grid.cell
    left, top = (window.left + grid.left) % cell, (window.top + grid.top) % cell
    rows, columns = (height - top) // cell, (width - left) // cell
    inner = plane[top : top + rows * cell, left : left + columns * cell]
    split = inner.reshape(rows, cell, columns, cell).swapaxes(1, 2)
    blocks = split.reshape(rows, columns, cell * cell)
    most = bound(cells.step)
    uneven = _unevenness(blocks)
    seen = (
        slice(max((window.top - top) // cell, 0), (window.bottom - top) // cell + 1),
        slice(max((window.left - left) // cell, 0), (window.right - left) // cell + 1),
    )
    step = max(_STEP, 2 * cells.noise)
    grown = _connected(uneven, uneven <= most, blocks.mean(axis=2), step, seen)
    count = int(np.count_nonzero(grown))
    if count < _ENOUGH:
        return None, "too few cells of it are even"
    if count * cell * cell > _WHOLE * height * width:
        return None, "nearly the whole picture consists of such cells"
    member = np.zeros((height, width), bool)
    member[top : top + rows * cell, left : left + columns * cell] = np.kron(
        grown, np.ones((cell, cell), bool)
    )
    _extend(member, plane, grown, (left, top), cell, most)
    return _as_mosaic(levels, member, (left, top), cell), ""


def _unevenness(blocks: np.ndarray) -> np.ndarray:
    """Levels, rows x columns: how far most pixels of a block are from its middle."""
    off = np.abs(blocks - np.median(blocks, axis=2, keepdims=True))
    place = min(int(OUTLIER * off.shape[2]), off.shape[2] - 1)
    result: np.ndarray = np.partition(off, place, axis=2)[..., place]
    return result


def _connected(
    uneven: np.ndarray, even: np.ndarray, colours: np.ndarray, step: float, seen: tuple[slice, slice]
) -> np.ndarray:
    """bool rows x columns: the cells that hang together with those in the window (`seen`).

    Paper is even, too, and so is nearly a sky; what belongs to a mosaic differs clearly from two of its
    neighbours at least, or is even and lies between such cells.
    """
    from scipy import ndimage

    steps = np.zeros(even.shape, int)
    for axis in (0, 1):
        near, far = [slice(None)] * 2, [slice(None)] * 2
        near[axis], far[axis] = slice(None, -1), slice(1, None)
        one, other = tuple(near), tuple(far)
        least = np.maximum(step, _CLEAR * np.maximum(uneven[one], uneven[other]))
        differ = even[one] & even[other] & (np.abs(colours[one] - colours[other]) >= least)
        steps[one] += differ
        steps[other] += differ
    strong = even & (steps >= 2)
    closed = ndimage.binary_closing(np.pad(strong, 2), np.ones((3, 3), bool))[2:-2, 2:-2]
    whole = ndimage.binary_fill_holes((closed & even) | strong) & even
    labels, _ = ndimage.label(whole)
    numbers = labels[seen]
    votes = np.bincount(numbers[numbers > 0], minlength=1)
    if not votes.any():
        return np.zeros_like(even)
    grown = labels == votes.argmax()
    grown |= even & _spanned(grown) & _spanned(grown.T).T
    while True:  # plain cells at the border may as well be the paper around
        inner = ndimage.binary_erosion(np.pad(grown, 1))[1:-1, 1:-1]
        kept = grown & ((steps > 0) | inner)
        if np.array_equal(kept, grown):
            return grown
        grown = kept


def _spanned(cells: np.ndarray) -> np.ndarray:
    """bool rows x columns: what lies between the first and the last cell of each row."""
    before = np.logical_or.accumulate(cells, axis=1)
    after = np.logical_or.accumulate(cells[:, ::-1], axis=1)[:, ::-1]
    spanned: np.ndarray = before & after
    return spanned


def _extend(
    member: np.ndarray, plane: np.ndarray, grown: np.ndarray, origin: tuple[int, int], cell: int, most: float
) -> None:
    """Add the cells that are cut off at the mosaic's border, in place.

    A mosaic ends along a straight line: for each of the four sides that depth is taken at which most of the
    cells that are cut off there end.
    """
    for turns in range(4):
        # Each side in turn is made the right one.
        view, pixels, cells = np.rot90(member, turns), np.rot90(plane, turns), np.rot90(grown, turns)
        height, width = member.shape
        left, top = origin
        right_rest, bottom_rest = (width - left) % cell, (height - top) % cell
        # Where the grid begins after so many quarter turns against the clock.
        starts = [(left, top), (top, right_rest), (right_rest, bottom_rest), (bottom_rest, left)]
        x0, y0 = starts[turns]
        _extend_right(view, pixels, cells, x0, y0, cell, most)


def _extend_right(
    member: np.ndarray, plane: np.ndarray, cells: np.ndarray, x0: int, y0: int, cell: int, most: float
) -> None:
    width = member.shape[1]
    ends: list[tuple[int, int, int]] = []
    for row, column in zip(*np.nonzero(cells), strict=True):
        if column + 1 < cells.shape[1] and cells[row, column + 1]:
            continue
        x = x0 + (column + 1) * cell
        rows = slice(y0 + row * cell, y0 + (row + 1) * cell)
        block = plane[rows, x : min(x + cell, width)]
        if block.shape[1] < 2:
            continue
        off = np.quantile(np.abs(block - np.median(block[:, :2])), OUTLIER, axis=0)
        uneven = np.flatnonzero(off > most)
        ends.append((int(row), x, int(uneven[0]) if len(uneven) else block.shape[1]))
    depths = [depth for _, x, depth in ends if 1 < depth < min(cell, width - x + 1)]
    if not depths:
        return
    counts = np.bincount(depths)
    depth = int(counts.argmax())
    if counts[depth] < max(2, 0.25 * len(ends)):
        return
    for row, x, own in ends:
        if own >= depth:
            rows = slice(y0 + row * cell, y0 + (row + 1) * cell)
            # Rows that were added at the other sides end here, too.
            member[rows, x : x + depth] = True
    for first, last in ((min(ends)[0], -1), (max(ends)[0], 1)):
        edge = y0 + (first + (last > 0)) * cell
        x = next(x for row, x, _ in ends if row == first)
        beyond = (
            range(edge, min(edge + cell, len(member)))
            if last > 0
            else range(edge - 1, max(edge - cell, 0) - 1, -1)
        )
        for y in beyond:
            if not member[y, x - 1]:
                break
            member[y, x : x + depth] = True


def _as_mosaic(levels: np.ndarray, member: np.ndarray, origin: tuple[int, int], cell: int) -> Mosaic:
    y, x = np.nonzero(member)
    box = Box(int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1)
    across = levels.shape[1] // cell + 2
    names = (y - origin[1] + cell) // cell * across + (x - origin[0] + cell) // cell
    labels = np.full((box.height, box.width), -1, np.int32)
    labels[y - box.top, x - box.left] = np.unique(names, return_inverse=True)[1]
    return Mosaic(box, cell, labels, means(levels[box.slices].astype(np.float64) / 255, labels))
