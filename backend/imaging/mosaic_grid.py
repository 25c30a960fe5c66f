"""Whether a part of a picture is a mosaic, and where its cells are.

Cells are squares of a whole number of pixels, in any position, and may be cut off where the mosaic ends.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .crop import Box

SMALLEST, LARGEST = 4, 64
"""px; sides of cells that are recognised."""

LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)
_CANDIDATES, _NEARLY = 6, 0.6  # grids that are looked at closer, and how good they have to be beside the best
_FIT = 0.15  # share of the variance of the gradients' profiles that a grid has to explain
_STEP = 4.0  # levels of 255; neighbouring cells have to differ by so much (root mean square)
_EXACT_STEP, _EXACT_FIT = 1.5, 0.6  # ... where cells are even to the last bit, and nothing else changes
_JPEG_STEP = 12.0  # ... where the grid is the one of JPEG's own blocks
_CLEAN = 0.4  # how uneven a cell may be, as a share of the steps between cells
NOISE = 2.0  # levels; unevenness that every cell may have
_EVEN = 0.6  # share of the cells that have to be even
OUTLIER = 0.75  # share of a cell's pixels that decides whether it is even
_STRONGEST = 48.0  # levels; a step counts as no more than that, lest one ink line outweigh all
LEAST = 6  # cells
_COLOURS = 4  # patterns and plain areas have fewer, means of a drawing more


@dataclass(frozen=True)
class Grid:
    """Where cells begin: at x = left + i * cell, y = top + j * cell.

    Attributes:
        cell: side, px.
        left, top: 0 to cell - 1, in the coordinates of what was looked at.
        fit: share of the variance of the gradients' profiles that it explains, 0 to 1.
    """

    cell: int
    left: int
    top: int
    fit: float


def best(levels: np.ndarray, inside: np.ndarray, box: Box, largest: int = LARGEST) -> Found | None:
    """The grid and its cells, if it is certain that there is a mosaic.

    Looked for in the luminance first: JPEG keeps that sharp, and smears colours over the borders of cells.
    """
    luminance = (
        levels.mean(axis=2, keepdims=True) if levels.shape[2] == 1 else (levels @ LUMINANCE)[..., None]
    )
    for planes in (luminance, levels) if levels.shape[2] == 3 else (luminance,):
        found = []
        for grid in _grids(planes, inside, largest):
            cells = cells_of(planes, inside, grid)
            if cells is not None and not doubt(cells, grid, box):
                found.append((grid.fit * (cells.even / cells.count) ** 2, cells, grid))
        if found:
            return max(found, key=lambda one: one[0])[1:]
    return None


def _grids(levels: np.ndarray, inside: np.ndarray, largest: int = LARGEST) -> list[Grid]:
    """The grids that explain best where the picture changes from one row or column to the next.

    Inside a cell nothing changes; so the mean gradient across each line between two rows or columns is
    high where cells meet and low elsewhere. Those sides and positions come first by which the two kinds of
    lines differ most, measured by the share of variance between them.
    """
    profiles = [_profile(levels, inside, axis) for axis in (1, 0)]
    if any(len(values) < 2 * SMALLEST for values, _ in profiles):
        return []
    total = sum(_variance(values, weights) for values, weights in profiles)
    if total <= 0:
        return []
    grids = []
    seen = min(np.count_nonzero(weights) for _, weights in profiles)
    for cell in range(SMALLEST, min(largest, int(seen) // 2) + 1):
        (x, gain_x), (y, gain_y) = (_phase(values, weights, cell) for values, weights in profiles)
        fit = (gain_x + gain_y) / total
        if fit >= _FIT:
            grids.append(Grid(cell, (x + 1) % cell, (y + 1) % cell, fit))
    grids.sort(key=lambda grid: -grid.fit)
    return [grid for grid in grids[:_CANDIDATES] if grid.fit >= _NEARLY * grids[0].fit]


def _profile(levels: np.ndarray, inside: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """How much changes from each column (axis 1) or row (axis 0) to the next, and how many pixels say so."""
    steps = np.abs(np.diff(levels, axis=axis))
    # Not `max(axis=2)`, which takes its time where the last axis is that short.
    largest = steps[..., 0]
    for channel in range(1, steps.shape[2]):
        largest = np.maximum(largest, steps[..., channel])
    change = np.minimum(largest, _STRONGEST)
    both = inside[:, 1:] & inside[:, :-1] if axis == 1 else inside[1:] & inside[:-1]
    count = both.sum(axis=1 - axis).astype(np.float64)
    summed = np.where(both, change, 0).sum(axis=1 - axis, dtype=np.float64)
    count[count < 3] = 0
    # The square root: a few strong lines are to count little more than many weak ones.
    return np.sqrt(np.where(count > 0, summed / np.maximum(count, 1), 0)), count


def _variance(values: np.ndarray, weights: np.ndarray) -> float:
    mean = np.average(values, weights=weights) if weights.any() else 0.0
    return float((weights * (values - mean) ** 2).sum())


def _phase(values: np.ndarray, weights: np.ndarray, cell: int) -> tuple[int, float]:
    """Of all positions of lines `cell` apart, the one that explains most, and how much variance it does."""
    place = np.arange(len(values)) % cell
    on = np.bincount(place, weights, cell)
    high = np.bincount(place, weights * values, cell)
    off, low = on.sum() - on, high.sum() - high
    mean = high.sum() / max(on.sum(), 1)
    mean_on, mean_off = high / np.maximum(on, 1e-9), low / np.maximum(off, 1e-9)
    gain = on * (mean_on - mean) ** 2 + off * (mean_off - mean) ** 2
    gain[(on <= 0) | (mean_on <= mean_off)] = 0
    best = int(gain.argmax())
    return best, float(gain[best])


@dataclass(frozen=True)
class Cells:
    """The cells of a grid in a hole.

    Attributes:
        labels: int32 h x w, number of the cell, -1 outside of the hole and where a cell is not even.
        count: how many cells there are; `even` of them are even.
        noise: levels, the usual unevenness of a cell.
        step: levels, root mean square of the differences of neighbours.
        across, down: the same for neighbours in a row, and for those in a column.
        colours: how many clearly different ones the even cells have.
        lines: how many lines of the grid lie in the hole, of the direction that has fewer.
    """

    labels: np.ndarray
    count: int
    even: int
    noise: float
    step: float
    across: float
    down: float
    colours: int
    lines: int


Found = tuple[Cells, Grid]


def cells_of(levels: np.ndarray, inside: np.ndarray, grid: Grid) -> Cells | None:
    """Which pixels belong to which cell, and how far that is a mosaic at all."""
    height, width = inside.shape
    columns = (np.arange(width) - grid.left) // grid.cell + 1
    rows = (np.arange(height) - grid.top) // grid.cell + 1
    across = int(columns[-1]) + 1
    y, x = np.nonzero(inside)
    cell_of = rows[y] * across + columns[x]
    names, own, counts = np.unique(cell_of, return_inverse=True, return_counts=True)
    if len(names) < LEAST:
        return None
    values = levels[y, x]
    middle = np.stack([_quantile(values[:, c], own, counts, 0.5) for c in range(values.shape[1])], 1)
    off = np.abs(values - middle[own]).max(axis=1)
    uneven = _quantile(off, own, counts, OUTLIER)
    # Cells cut off at the border may be half drawing, and slivers say little.
    telling = counts == grid.cell * grid.cell
    if np.count_nonzero(telling) < LEAST:
        telling = counts >= max(4, grid.cell * grid.cell // 4)
    if np.count_nonzero(telling) < LEAST:
        return None
    noise = float(np.median(uneven[telling]))
    beside, below = (_squares(names, offset, middle, telling) for offset in (1, across))
    step = _root(np.concatenate([beside, below]))
    most = bound(step)
    even = uneven <= most
    labels = np.full(inside.shape, -1, np.int32)
    number = np.where(even, np.cumsum(even) - 1, -1)[own]
    labels[y, x] = np.where(off <= max(2 * most, 3 * NOISE), number, -1)
    lines = min(len(np.unique(columns[x])), len(np.unique(rows[y]))) - 1
    told = int(np.count_nonzero(telling))
    good = even & telling
    colours = len(np.unique(np.rint(middle[good].mean(axis=1) / max(_STEP, noise))))
    return Cells(
        labels, told, int(np.count_nonzero(good)), noise, step, _root(beside), _root(below), colours, lines
    )


def bound(step: float) -> float:
    """Levels; how uneven a cell may be, where neighbours differ by `step`."""
    return max(NOISE, _CLEAN * step)


def _quantile(values: np.ndarray, own: np.ndarray, counts: np.ndarray, share: float) -> np.ndarray:
    """A quantile of the values of each group."""
    order = np.lexsort((values, own))
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    result: np.ndarray = values[order][starts + np.minimum((share * counts).astype(int), counts - 1)]
    return result


def _squares(names: np.ndarray, offset: int, colours: np.ndarray, telling: np.ndarray) -> np.ndarray:
    """Squared differences (largest channel) between cells whose numbers differ by `offset`: neighbours."""
    place = np.searchsorted(names, names + offset)
    there = place < len(names)
    there &= names[np.minimum(place, len(names) - 1)] == names + offset
    there[there] &= telling[place[there]] & telling[there]
    squares: np.ndarray = ((colours[there] - colours[place[there]]) ** 2).max(axis=1)
    return squares


def _root(squares: np.ndarray) -> float:
    return float(np.sqrt(squares.mean())) if len(squares) else 0.0


def doubt(cells: Cells, grid: Grid, box: Box) -> str:
    """Why this may be no mosaic; empty where it is certain to be one."""
    if cells.count < LEAST or cells.lines < 2:
        return "there are too few cells"
    if cells.colours < _COLOURS:
        return "it has few colours, as a pattern may have"
    if cells.even < _EVEN * cells.count:
        return "the cells are not even"
    exact = cells.noise <= 0.5 and grid.fit >= _EXACT_FIT
    least = _EXACT_STEP if exact else max(_STEP, 2.5 * cells.noise)
    if cells.step < least or min(cells.across, cells.down) < least / 3:
        return "the cells hardly differ"
    blocks = grid.cell in (8, 16) and (box.left + grid.left) % 8 == 0 and (box.top + grid.top) % 8 == 0
    if blocks and cells.step < _JPEG_STEP:
        return "these may be the blocks of a JPEG file"
    return ""
