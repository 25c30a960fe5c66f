"""Pictures that tile: beyond each edge, a picture goes on at the opposite one.

Such a picture is a torus. A box on it may reach beyond its edges; a hole that lies on both sides of an edge
is one hole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from . import mask as masks
from .crop import Box
from .mask import MOST, Hole

_AGAIN = 64  # px; so far is looked even where nothing comes that was not seen on the other side
_STRIP = 256  # rows at a time


@dataclass(frozen=True)
class Canvas:
    """The plane that boxes lie in.

    Attributes:
        height, width: of the picture, px.
        tiles: whether it is a torus. Else boxes lie inside the picture.
        shift: rows, columns by which the picture was rolled from where the user has it.
    """

    height: int
    width: int
    tiles: bool = False
    shift: tuple[int, int] = (0, 0)

    def endless(self, box: Box) -> tuple[bool, bool]:
        """Whether the box of a hole is as high, and as wide, as a picture that tiles."""
        return self.tiles and box.height == self.height, self.tiles and box.width == self.width

    def around(self, box: Box, margin: int, fixed: tuple[bool, bool] = (False, False)) -> Box:
        """The box with `margin` px more on every side, as far as there is more to see.

        On a torus that is, in either direction, once the whole picture, or `_AGAIN` px where a box leaves
        less than that.

        Args:
            box: on the canvas.
            margin: px.
            fixed: whether the height, and the width, are to stay as they are.
        """
        if not self.tiles:
            return box.enlarge(margin, self.height, self.width)
        down = 0 if fixed[0] else min(margin, max((self.height - box.height + 1) // 2, _AGAIN))
        across = 0 if fixed[1] else min(margin, max((self.width - box.width + 1) // 2, _AGAIN))
        return Box(box.left - across, box.top - down, box.right + across, box.bottom + down)

    def whole(self, box: Box) -> Box:
        """All of the picture, on a torus so that it holds `box`, which may be larger."""
        if not self.tiles:
            return Box(0, 0, self.width, self.height)
        down, across = max(self.height - box.height, 0), max(self.width - box.width, 0)
        left, top = box.left - across // 2, box.top - down // 2
        return Box(left, top, left + across + box.width, top + down + box.height)

    def cut(self, array: np.ndarray, box: Box) -> np.ndarray:
        """The part of an array of the picture's size, H x W x ..., in a box; not to be written to."""
        if min(box.left, box.top) >= 0 and box.right <= self.width and box.bottom <= self.height:
            return array[box.slices]
        rows, columns = np.arange(box.top, box.bottom), np.arange(box.left, box.right)
        return array.take(rows, 0, mode="wrap").take(columns, 1, mode="wrap")

    def copies(self, box: Box, seen: Box) -> Iterator[Box]:
        """Every place where a box is that meets `seen`; of a plane that does not tile, the one."""
        if not self.tiles:
            yield box
            return
        for down in range(
            (seen.top - box.bottom) // self.height + 1, -(-(seen.bottom - box.top) // self.height)
        ):
            for across in range(
                (seen.left - box.right) // self.width + 1, -(-(seen.right - box.left) // self.width)
            ):
                y, x = down * self.height, across * self.width
                yield Box(box.left + x, box.top + y, box.right + x, box.bottom + y)

    def covered(self, boxes: list[Box]) -> Box:
        """The smallest box of the user's picture that holds all boxes."""
        top, bottom = self._span([(box.top, box.bottom) for box in boxes], self.height, self.shift[0])
        left, right = self._span([(box.left, box.right) for box in boxes], self.width, self.shift[1])
        return Box(left, top, right, bottom)

    def _span(self, spans: list[tuple[int, int]], size: int, shift: int) -> tuple[int, int]:
        used = np.zeros(size, dtype=bool)
        for start, stop in spans:
            for place, _ in _pieces(start, stop, size, shift):
                used[place] = True
        places = np.flatnonzero(used)
        return int(places[0]), int(places[-1]) + 1

    def at_home(self, box: Box) -> Iterator[tuple[Box, tuple[slice, slice]]]:
        """Where a box lies in the user's picture: boxes there, each with the part of `box` that it shows."""
        for to_rows, rows in _pieces(box.top, box.bottom, self.height, self.shift[0]):
            for to_columns, columns in _pieces(box.left, box.right, self.width, self.shift[1]):
                place = Box(to_columns.start, to_rows.start, to_columns.stop, to_rows.stop)
                yield place, (rows, columns)


def _pieces(start: int, stop: int, size: int, shift: int) -> Iterator[tuple[slice, slice]]:
    """Where a span lies on a line that was rolled, and which part of the span that is."""
    first = start
    while first < stop:
        place = (first - shift) % size
        length = min(stop - first, size - place)
        yield slice(place, place + length), slice(first - start, first - start + length)
        first += length


def home(mask: np.ndarray, image: np.ndarray) -> tuple[int, int]:
    """How to roll a picture that tiles, so that it does not matter where its edges were.

    What is rolled by the answer is the same for every roll of the input, and the holes lie inside as far as
    that is possible: the edges come to the middle of the widest bands without holes, or else where the
    least of a hole is cut. Where several places are as good, the picture decides.

    Args:
        mask: H x W, above 0: hole.
        image: H x W x C, any depth.

    Returns:
        Rows and columns for `np.roll`.
    """
    selected = mask > 0
    rows = _edge(np.count_nonzero(selected, axis=1), image)
    columns = _edge(np.count_nonzero(selected, axis=0), image.swapaxes(0, 1))
    return -rows, -columns


def _edge(counts: np.ndarray, image: np.ndarray) -> int:
    """The line of the picture that becomes its first.

    Args:
        counts: pixels of the holes on every line.
        image: the picture, its lines first.
    """
    places = _least(np.array(_cuts(counts), dtype=np.int64), counts)
    if len(places) > 1:
        places = _least(places, _digest(image))
    return int(places[0])


def _cuts(counts: np.ndarray) -> list[int]:
    """The lines of a ring at which the least is cut: the middles of the longest runs of such."""
    runs = _gaps(counts - counts.min())
    longest = max(length for _, length in runs)
    if longest == len(counts):
        return list(range(longest))
    return [(start + length // 2) % len(counts) for start, length in runs if length == longest]


def _gaps(counts: np.ndarray) -> list[tuple[int, int]]:
    """Start and length of every run of zeros on a ring."""
    empty = counts == 0
    starts = np.flatnonzero(empty & ~np.roll(empty, 1))
    ends = np.flatnonzero(empty & ~np.roll(empty, -1))
    if not len(starts):
        return [(0, len(counts))] if empty.any() else []
    if ends[0] < starts[0]:
        ends = np.roll(ends, -1)
    return [(int(a), int(b - a) % len(counts) + 1) for a, b in zip(starts, ends, strict=True)]


def _least(places: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Those of some places on a ring from which on the keys come first in order."""
    for step in range(len(keys)):
        if len(places) == 1:
            break
        values = keys[(places + step) % len(keys)]
        places = places[values == values.min()]
    return places


def _digest(image: np.ndarray) -> np.ndarray:
    """uint64: a number for every line, which the order of pixels on it does not change."""
    result = np.empty(len(image), np.uint64)
    for top in range(0, len(image), _STRIP):
        strip = np.ascontiguousarray(image[top : top + _STRIP])
        samples = strip.view(f"u{strip.itemsize}").astype(np.uint64)
        odd = np.uint64(0x9E3779B97F4A7C15)
        mixed = np.zeros(samples.shape[:2], np.uint64)
        for channel in range(samples.shape[2]):
            mixed = (mixed ^ samples[..., channel]) * odd
            mixed ^= mixed >> np.uint64(29)
        result[top : top + _STRIP] = mixed.sum(axis=1, dtype=np.uint64)
    return result


def components(mask: np.ndarray, grow: int = 0, feather: int = 0, pinholes: int = 0) -> list[Hole]:
    """Split the mask of a picture that tiles into its holes; see `mask.components`.

    Returns:
        The holes. Their boxes begin in the picture and may end beyond its right and lower edge. The box of
        a hole that leaves no row (no column) free is exactly as high (as wide) as the picture.
    """
    height, width = mask.shape
    whole = masks.bounds(mask)
    if whole is None:
        return []
    reach = grow + feather
    free = whole.enlarge(reach + 1, height, width)
    if free.width == whole.width + 2 * reach + 2 and free.height == whole.height + 2 * reach + 2:
        return masks.components(mask, grow, feather, pinholes)
    selected = mask > 0
    if pinholes:
        selected = masks.fill_pinholes(np.pad(selected, pinholes + 1, "wrap"), pinholes)
        selected = selected[pinholes + 1 : -pinholes - 1, pinholes + 1 : -pinholes - 1]
    inner = np.s_[reach : reach + height, reach : reach + width]
    squared = masks.squared_distance(np.pad(selected, reach, "wrap"), reach)[inner]
    holes = [_hole(y, x, squared, grow, feather) for y, x in _connected(squared <= reach * reach)]
    return sorted(holes, key=lambda hole: (hole.box.top, hole.box.left))


def _connected(inside: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows and columns of the pixels of every 8-connected part of a torus."""
    from scipy import ndimage, sparse

    labels, count = ndimage.label(inside, np.ones((3, 3), dtype=bool))
    pairs = []
    for first, last in ((labels[0], labels[-1]), (labels[:, 0], labels[:, -1])):
        for step in (-1, 0, 1):
            other = np.roll(last, step)
            both = (first > 0) & (other > 0)
            pairs.append(np.stack([first[both], other[both]]))
    a, b = np.concatenate(pairs, axis=1)
    links = sparse.coo_matrix((np.ones(len(a), np.uint8), (a, b)), shape=(count + 1, count + 1))
    number, part = sparse.csgraph.connected_components(links, directed=False)
    if number - 1 > MOST:
        part[1:] = 1
    places = ndimage.find_objects(labels)
    pieces: dict[int, list[int]] = {}
    for label in range(1, count + 1):
        pieces.setdefault(int(part[label]), []).append(label)
    for members in pieces.values():
        found = []
        for label in members:
            rows, columns = places[label - 1]
            y, x = np.nonzero(labels[rows, columns] == label)
            found.append((y + rows.start, x + columns.start))
        yield np.concatenate([y for y, _ in found]), np.concatenate([x for _, x in found])


def _hole(y: np.ndarray, x: np.ndarray, squared: np.ndarray, grow: int, feather: int) -> Hole:
    """The hole of some pixels, in a box as small as can be."""
    top, high = _extent(np.bincount(y, minlength=squared.shape[0]))
    left, wide = _extent(np.bincount(x, minlength=squared.shape[1]))
    own = np.full((high, wide), (grow + feather + 1) ** 2, squared.dtype)
    own[(y - top) % squared.shape[0], (x - left) % squared.shape[1]] = squared[y, x]
    return Hole(Box(left, top, left + wide, top + high), own, grow, feather)


def _extent(counts: np.ndarray) -> tuple[int, int]:
    """Start and length of what is left of a ring without its widest gap; all of it, if there is none.

    Args:
        counts: of what is there on every line, not all 0.
    """
    gaps = _gaps(counts)
    if not gaps:
        return _cuts(counts)[0], len(counts)
    start, length = max(gaps, key=lambda gap: (gap[1], -gap[0]))
    return (start + length) % len(counts), len(counts) - length
