"""A smooth fill for thin holes: scratches, wires, hairs, dust.

The fill is the surface through the pixels around the hole that bends least, and bends least of all
along the lines that run into the hole. It is found twice. First as a thin plate under a little tension
(Mitasova & Mitas 1993, "Interpolation by regularized spline with tension"), which minimises

    sum of u_xx^2 + 2 u_xy^2 + u_yy^2 + t (u_x^2 + u_y^2).

Without tension that is biharmonic inpainting (Damelin & Hoang 2018); the tension keeps wide holes from
bulging. Then again, with s c u_vv^2 added: v is the direction in which the first surface changes least
and c in [0, 1] how clearly it has one, both from its structure tensor (Weickert 1998, "Anisotropic
diffusion in image processing"). So an edge is carried across a scratch and stays sharp.

Only differences whose pixels all exist are summed, so at the picture's border, and at pixels that may
not be a source, the surface ends freely (natural boundary conditions).

Large problems fall apart into small ones, so that time and memory follow the hole and a cancel is
heard soon. In width: what lies deep in a hole is smooth, so it is solved on a picture of half the size
and held fixed. That leaves bands of bounded width. In length: in such a band a pixel's influence
decays within few band widths, so that tiles which overlap by a margin can be solved one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from .base import Cancel, Cancelled, Card, Model, Progress

_TENSION = 1 / 64  # t, 1/px²
_STIFFNESS = 256.0  # s
_SPREAD = 3.0  # px; deviation of the Gaussian that gathers the structure tensor
_FAINT = 1e-4  # squared gradients per px², summed over R, G, B, below which there is no direction

_DEEP = 12  # px; hole pixels farther from any source come from the half-size picture
_MARGIN = 24  # px; overlap of tiles
_TILE = 512  # px; largest side of a tile
_SMALLEST_TILE = 32  # px
_UNKNOWNS = 16_000  # a tile with more pixels to solve, margin included, is divided

Box = tuple[int, int, int, int]  # top, left, bottom, right

_ROOT_2 = 2**0.5
# Differences as (row, column, weight) of their pixels.
_BENDING = (
    ((0, -1, 1.0), (0, 0, -2.0), (0, 1, 1.0)),
    ((-1, 0, 1.0), (0, 0, -2.0), (1, 0, 1.0)),
    ((0, 0, _ROOT_2), (0, 1, -_ROOT_2), (1, 0, -_ROOT_2), (1, 1, _ROOT_2)),
)
_STRETCHING = (
    ((0, 0, 1.0), (0, 1, -1.0)),
    ((0, 0, 1.0), (1, 0, -1.0)),
)
# Second differences over 3 x 3 pixels: u_xx, u_xy, u_yy.
_SECOND = np.array(
    [
        [[0, 0, 0], [1, -2, 1], [0, 0, 0]],
        [[0.25, 0, -0.25], [0, 0, 0], [-0.25, 0, 0.25]],
        [[0, 1, 0], [0, -2, 0], [0, 1, 0]],
    ]
)


class SmoothFill(Model):
    """Fills a hole with the smoothest surface through its surroundings. It uses no randomness."""

    card = Card(
        name="smooth",
        title="Smooth",
        sentence="Closes scratches, wires and dust without a trace; wide holes become smooth colour.",
        paper="Damelin & Hoang 2018, On surface completion and image inpainting by biharmonic functions",
        licence="MIT",
        good_at=("scratch",),
        takes_source=True,
        context_factor=0.0,
        context_minimum=32,
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
        filled = _Solver(progress, cancel).solve(image, source, hole)
        filled[:, hole] = np.clip(filled[:, hole], 0, 1)
        return filled


class _Solver:
    """Solves pictures level by level and tile by tile, and reports how far it is."""

    def __init__(self, progress: Progress, cancel: Cancel) -> None:
        self._progress = progress
        self._cancel = cancel

    def solve(self, image: np.ndarray, known: np.ndarray, wanted: np.ndarray, level: int = 0) -> np.ndarray:
        """`image` (float32, 3 x H x W) with its `wanted` pixels computed from its `known` ones.

        Pixels of neither kind may be solved along with the wanted ones, and are worth nothing.

        Args:
            known, wanted: bool, H x W, never both; one pixel at least is known.
            level: how often the picture has been halved.
        """
        result = image.copy()
        near = self._near(known)
        deep = wanted & ~near
        if deep.any():
            result[:, deep] = self._from_half(image, known, level)[:, deep]
        unknown = wanted & near
        if not (known | wanted).all():
            # The way from a wanted pixel to the nearest known one may lead over pixels of neither kind.
            unknown |= self._near(unknown) & near & ~known & ~deep
        self._solve_tiles(result, known | deep, unknown, level)
        return result

    def _near(self, start: np.ndarray) -> np.ndarray:
        """Which pixels are at most `_DEEP` px (chessboard) from one of `start`."""
        from scipy import ndimage

        near = np.empty_like(start)
        for top in range(0, len(start), _TILE):
            self._check()
            above = min(top, _DEEP)
            strip = ndimage.maximum_filter1d(start[top - above : top + _TILE + _DEEP], 2 * _DEEP + 1, axis=0)
            strip = ndimage.maximum_filter1d(strip[above : above + _TILE], 2 * _DEEP + 1, axis=1)
            near[top : top + _TILE] = strip
        return near

    def _from_half(self, image: np.ndarray, known: np.ndarray, level: int) -> np.ndarray:
        """The same picture, solved at half the size and enlarged."""
        self._check()
        small, small_known = _halve(image, known)
        small = self.solve(small, small_known, ~small_known, level + 1)
        return _enlarge(small, image.shape[1:])

    def _solve_tiles(self, image: np.ndarray, fixed: np.ndarray, unknown: np.ndarray, level: int) -> None:
        """Compute the unknown pixels in place, one tile after the other; no tile depends on another."""
        tiles = list(_tiles(unknown, (0, 0, *unknown.shape)))
        for done, tile in enumerate(tiles, start=1):
            self._check()
            _solve_tile(image, fixed, unknown, tile, level)
            # All smaller pictures together are about a third of this one.
            self._progress(4.0**-level * (0.25 + 0.75 * done / len(tiles)), "smoothing")

    def _check(self) -> None:
        if self._cancel():
            raise Cancelled


def _tiles(unknown: np.ndarray, box: Box) -> Iterator[Box]:
    """Divide a box until no part has too many pixels to solve, its margin included."""
    top, left, bottom, right = box
    if not unknown[top:bottom, left:right].any():
        return
    high, wide = bottom - top, right - left
    longer = max(high, wide)
    count = np.count_nonzero(unknown[_with_margin(box)]) if longer <= _TILE else 0
    if longer <= _SMALLEST_TILE or (longer <= _TILE and count <= _UNKNOWNS):
        yield box
    elif high >= wide:
        middle = (top + bottom) // 2
        yield from _tiles(unknown, (top, left, middle, right))
        yield from _tiles(unknown, (middle, left, bottom, right))
    else:
        middle = (left + right) // 2
        yield from _tiles(unknown, (top, left, bottom, middle))
        yield from _tiles(unknown, (top, middle, bottom, right))


def _with_margin(box: Box) -> tuple[slice, slice]:
    top, left, bottom, right = box
    rows = slice(max(0, top - _MARGIN), bottom + _MARGIN)
    return rows, slice(max(0, left - _MARGIN), right + _MARGIN)


def _solve_tile(image: np.ndarray, fixed: np.ndarray, unknown: np.ndarray, tile: Box, level: int) -> None:
    """Compute the unknown pixels of a tile in place. Unknown pixels beyond its margin do not exist."""
    top, left, bottom, right = tile
    rows, columns = _with_margin(tile)
    # A rim that does not exist spares every neighbour of a neighbour a check.
    rim = ((2, 2), (2, 2))
    free, held = np.pad(unknown[rows, columns], rim), np.pad(fixed[rows, columns], rim)
    values = np.pad(image[:, rows, columns], ((0, 0), *rim)).astype(np.float64)
    values[:, ~held] = 0
    surface = _Surface(values, held, free)
    surface.add_plate(_TENSION * 4**level)
    surface.solve()
    if level == 0:
        surface.add_stiffness_along_lines()
        surface.solve()
    inner = np.zeros_like(unknown[rows, columns])
    inner[top - rows.start : bottom - rows.start, left - columns.start : right - columns.start] = True
    inner &= unknown[rows, columns]
    image[:, rows, columns][:, inner] = surface.values[:, 2:-2, 2:-2][:, inner]


class _Surface:
    """Least squares for the free pixels of a small picture."""

    def __init__(self, values: np.ndarray, held: np.ndarray, free: np.ndarray) -> None:
        """Start without any equation.

        Args:
            values: float64, 3 x H x W; `solve` fills in the free pixels.
            held, free: bool, H x W, never both; neither on the outermost two pixels.
        """
        from scipy import ndimage, sparse

        self.values = values
        self._free = free
        self._exists = held | free
        self._wide = free.shape[1]
        self._number = np.full(free.size, -1, dtype=np.int32)
        self._count = int(np.count_nonzero(free))
        self._number[free.ravel()] = np.arange(self._count, dtype=np.int32)
        self._centres = np.flatnonzero(ndimage.binary_dilation(free, np.ones((3, 3))))
        # A piece that touches no held pixel, far off in the margin, must not make the matrix singular.
        self._matrix = 1e-10 * sparse.identity(self._count, format="csr")
        self._target = np.zeros((self._count, 3))
        self._asked: list[Any] = []  # rows of equations, not yet in the matrix
        self._constants: list[np.ndarray] = []

    def add_plate(self, tension: float) -> None:
        """Ask for little bending, and under tension for little slope."""
        for difference in (*_BENDING, *_STRETCHING):
            factor = tension**0.5 if difference in _STRETCHING else 1.0
            offsets = [y * self._wide + x for y, x, _ in difference]
            weights = np.array([[weight * factor for _, _, weight in difference]])
            self._add(self._centres, offsets, weights)

    def add_stiffness_along_lines(self) -> None:
        """Ask for little bending along the direction in which `values` change least."""
        yy, xx, yx = (part.ravel()[self._centres] for part in _structure(self.values, self._exists))
        across = 0.5 * np.arctan2(2 * yx, xx - yy)
        clear = np.hypot(xx - yy, 2 * yx) / (xx + yy + _FAINT)
        y, x = np.cos(across), -np.sin(across)
        along = np.stack([x * x, 2 * x * y, y * y], axis=1) * np.sqrt(_STIFFNESS * clear)[:, None]
        offsets = [row * self._wide + column for row in (-1, 0, 1) for column in (-1, 0, 1)]
        self._add(self._centres, offsets, along @ _SECOND.reshape(3, 9))

    def _add(self, centres: np.ndarray, offsets: list[int], weights: np.ndarray) -> None:
        """Ask that weighted sums of pixels be zero, at every centre where all of the pixels exist."""
        from scipy import sparse

        pixels = centres[:, None] + np.array(offsets)
        column = self._number[pixels]
        there = self._exists.ravel()[pixels].all(axis=1) & (column >= 0).any(axis=1)
        pixels, column = pixels[there], column[there]
        weights = np.broadcast_to(weights, (len(centres), len(offsets)))[there]
        held = column < 0
        # The values of free pixels must not enter: only the weights of the held ones are kept.
        constant = np.einsum("lk,clk->lc", weights * held, self.values.reshape(3, -1)[:, pixels])
        lengths = np.cumsum(np.count_nonzero(~held, axis=1), dtype=np.int32)
        starts = np.concatenate([np.zeros(1, np.int32), lengths])
        shape = (len(pixels), self._count)
        self._asked.append(sparse.csr_matrix((weights[~held], column[~held], starts), shape=shape))
        self._constants.append(constant)

    def solve(self) -> None:
        """Put the solution of all that was asked so far into the free pixels."""
        from scipy import sparse
        from scipy.sparse.linalg import splu

        operator = sparse.vstack(self._asked, format="csr")
        self._matrix = self._matrix + operator.T @ operator
        self._target -= operator.T @ np.concatenate(self._constants)
        self._asked, self._constants = [], []
        factors = splu(
            self._matrix.tocsc(),
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,
            panel_size=1,
            options={"SymmetricMode": True},
        )
        self.values[:, self._free] = factors.solve(self._target).T


def _structure(values: np.ndarray, exists: np.ndarray) -> tuple[np.ndarray, ...]:
    """The structure tensor: products of gradients u_y u_y, u_x u_x, u_y u_x, gathered around a pixel."""
    from scipy import ndimage

    values = values.astype(np.float32)
    down, right = np.zeros_like(values), np.zeros_like(values)
    down[:, 1:-1] = (values[:, 2:] - values[:, :-2]) * (exists[2:] & exists[:-2]) / 2
    right[:, :, 1:-1] = (values[:, :, 2:] - values[:, :, :-2]) * (exists[:, 2:] & exists[:, :-2]) / 2
    return tuple(
        ndimage.gaussian_filter(np.einsum("cyx,cyx->yx", a, b), _SPREAD, mode="constant", truncate=3)
        for a, b in ((down, down), (right, right), (down, right))
    )


def _halve(image: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Half the size, rounded up: means of the known pixels of every 2 x 2 block, and which have any."""
    high, wide = known.shape
    odd = ((0, high % 2), (0, wide % 2))
    weight = np.pad(known, odd).astype(np.float32)
    total = np.pad(image, ((0, 0), *odd)) * weight
    count = weight.reshape(weight.shape[0] // 2, 2, -1, 2).sum((1, 3))
    total = total.reshape(3, weight.shape[0] // 2, 2, -1, 2).sum((2, 4))
    return total / np.maximum(count, 1), count > 0


def _enlarge(small: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Bilinear, twice the size, cut to `shape`; the inverse of `_halve`'s geometry."""
    for axis, length in ((1, shape[0]), (2, shape[1])):
        before = np.concatenate([small.take([0], axis), small.take(range(small.shape[axis] - 1), axis)], axis)
        after = np.concatenate([small.take(range(1, small.shape[axis]), axis), small.take([-1], axis)], axis)
        pair = np.stack([0.75 * small + 0.25 * before, 0.75 * small + 0.25 * after], axis + 1)
        merged = (*small.shape[:axis], 2 * small.shape[axis], *small.shape[axis + 1 :])
        small = pair.reshape(merged).take(range(length), axis)
    return small
