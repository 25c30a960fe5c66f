"""Turned, mirrored and scaled copies of a picture, laid beside it as further sources of patches.

The generalised PatchMatch of Barnes 2010 ("The generalized PatchMatch correspondence algorithm", section 3)
searches an angle and a scale for every patch. Here a few of them are made beforehand: each *page* is the
picture in one *way*, and the field (see `nnf`) is an *atlas* with the picture at its top left and the pages
below. A patch from a page is then like any other, as quickly compared and copied, and what the neighbour of
a patch on a page continues is continued turned and scaled in the same way.
"""

# mypy: allow-untyped-defs
# (numba infers the types of the kernel; its docstring names them.)
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import njit

FAST: Any = {"nogil": True, "cache": True, "fastmath": True}

SLIGHT = 30  # degrees
STEP = 15  # degrees; a patch of 7 px still fits one that is turned by half of it
RATIO = 1.25  # between two scales; likewise
PAGES = 6_000_000  # px of all pages together: where it would be more, they show a part of the picture only
_PLACES = 16  # windows that are compared along either side

Pixels = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""The pixels of a level (see `levels`) of a picture, 3 x H x W, and what is known of it, uint8 H x W."""


class Way(NamedTuple):
    """What is done to a picture: mirrored left to right, then turned to the left (degrees), then scaled."""

    mirrored: bool
    angle: float
    scale: float


def ways(turns: str, mirror: bool, scales: float) -> list[Way]:
    """The ways that settings ask for, without that in which nothing is done.

    Args:
        turns: "off", "slight", "quarter" or "any".
        mirror: whether mirrored patches are wanted as well.
        scales: by how many percent patches may be enlarged; and shrunk, by the same factor.
    """
    angles = {
        "off": [0],
        "slight": list(range(-SLIGHT, SLIGHT + 1, STEP)),
        "quarter": [0, 90, 180, 270],
        "any": list(range(0, 360, STEP)),
    }[turns]
    most = 1 + scales / 100
    steps = math.ceil(math.log(most) / math.log(RATIO) - 1e-9)
    factors = [most ** (n / max(steps, 1)) for n in range(-steps, steps + 1)]
    return [
        Way(mirrored, float(angle), factor)
        for mirrored in ([False, True] if mirror else [False])
        for factor in factors
        for angle in angles
        if mirrored or angle or factor != 1
    ]


class Atlas(NamedTuple):
    """A picture with its pages; see the module and `levels`.

    Attributes:
        pixels: float32, Y x X x 5.
        known, allowed: uint8, Y x X.
    """

    pixels: np.ndarray
    known: np.ndarray
    allowed: np.ndarray


def atlas(
    image: np.ndarray, hole: np.ndarray, allowed: np.ndarray, wanted: list[Way], step: int, pixels: Pixels
) -> Atlas:
    """Lay out a picture with a page for every way.

    Args:
        image: float32, 3 x H x W.
        hole, allowed: uint8, H x W.
        wanted: ways.
        step: every page begins at a multiple of it, so that it can be halved as the picture is; pages keep
            a distance of as much at least, one pixel on the coarsest level.
        pixels: of a picture.
    """
    height, width = hole.shape
    share = 1.0  # of the picture's sides
    while share > 0.02 and _drawn(wanted, int(height * share), int(width * share), step) > PAGES:
        share *= 0.95
    window = _window(hole, allowed, share)
    pages = [] if window is None else [_page(image, allowed, way, window) for way in wanted]
    wide = max([width, *(usable.shape[1] for _, usable in pages)])
    places, top, left, lowest = [], _after(height, step), 0, 0
    for _, usable in pages:
        if left and left + usable.shape[1] > wide:
            top, left, lowest = _after(top + lowest, step), 0, 0
        places.append((top, left))
        left, lowest = _after(left + usable.shape[1], step), max(lowest, usable.shape[0])
    shape = (top + lowest if pages else height, wide)
    # Beyond its edges the picture is repeated, as `levels.pad` does it, but nothing there is a source.
    margin = ((0, min(step, shape[0] - height)), (0, min(step, shape[1] - width)))
    result = Atlas(np.zeros((*shape, 5), np.float32), np.ones(shape, np.uint8), np.zeros(shape, np.uint8))
    own = np.s_[: height + margin[0][1], : width + margin[1][1]]
    result.pixels[own] = np.pad(pixels(image, 1 - hole), (*margin, (0, 0)), "edge")
    result.known[own] = np.pad(1 - hole, margin, "edge")
    result.allowed[:height, :width] = allowed
    for (top, left), (colours, usable) in zip(places, pages, strict=True):
        place = np.s_[top : top + usable.shape[0], left : left + usable.shape[1]]
        result.pixels[place] = pixels(colours, usable)
        result.allowed[place] = usable
    return result


def _after(end: int, step: int) -> int:
    """Where the next page may begin."""
    return -(-(end + step) // step) * step


def _drawn(wanted: list[Way], high: int, wide: int, step: int) -> int:
    """Pixels that the pages of a window take, with their distances."""
    sizes = [_size(way, high, wide) for way in wanted]
    return sum(_after(down, step) * _after(across, step) for down, across in sizes)


def _window(hole: np.ndarray, allowed: np.ndarray, share: float) -> tuple[slice, slice] | None:
    """The part of the picture that pages show: one with `share` of its sides, many sources, near the hole.

    None where there are no sources.
    """
    height, width = hole.shape
    high, wide = max(1, int(height * share)), max(1, int(width * share))
    counts = np.pad(np.cumsum(np.cumsum(allowed, 0, dtype=np.int64), 1), ((1, 0), (1, 0)))
    tops = np.unique(np.linspace(0, height - high, _PLACES).astype(int))[:, None]
    lefts = np.unique(np.linspace(0, width - wide, _PLACES).astype(int))[None]
    inside = counts[tops + high, lefts + wide] - counts[tops, lefts + wide]
    inside -= counts[tops + high, lefts] - counts[tops, lefts]
    y, x = np.nonzero(hole)
    away = np.hypot(tops + high / 2 - y.mean(), lefts + wide / 2 - x.mean()) / math.hypot(height, width)
    best = np.where(inside > 0, inside / (high * wide) - away / 2, -np.inf)
    row, column = np.unravel_index(int(np.argmax(best)), best.shape)
    top, left = int(tops[row, 0]), int(lefts[0, column])
    part = allowed[top : top + high, left : left + wide]
    rows, columns = np.flatnonzero(part.any(1)), np.flatnonzero(part.any(0))
    if not len(rows):
        return None
    return (
        slice(top + int(rows[0]), top + int(rows[-1]) + 1),
        slice(left + int(columns[0]), left + int(columns[-1]) + 1),
    )


def _page(
    image: np.ndarray, allowed: np.ndarray, way: Way, window: tuple[slice, slice]
) -> tuple[np.ndarray, np.ndarray]:
    """A window in one way: colours, float32 3 x h x w, and what of them is made of sources alone, uint8."""
    colours, usable = image[(slice(None), *window)], allowed[window]
    if way.scale == 1 and way.angle % 90 == 0:
        if way.mirrored:
            colours, usable = colours[..., ::-1], usable[:, ::-1]
        quarters = round(way.angle / 90)
        turned = np.rot90(colours, quarters, (1, 2)), np.rot90(usable, quarters)
        return np.ascontiguousarray(turned[0]), np.ascontiguousarray(turned[1])
    shape = _size(way, *usable.shape)
    cosine, sine = math.cos(math.radians(way.angle)), math.sin(math.radians(way.angle))
    flip = -1.0 if way.mirrored else 1.0
    back = np.array([[cosine, sine], [-flip * sine, flip * cosine]]) / way.scale  # of (y, x)
    page, good = np.zeros((3, *shape), np.float32), np.zeros(shape, np.uint8)
    warp(np.ascontiguousarray(colours), np.ascontiguousarray(usable), back, page, good)
    return page, good


def _size(way: Way, high: int, wide: int) -> tuple[int, int]:
    """Height and width of what a picture is drawn on in some way."""
    cosine, sine = abs(math.cos(math.radians(way.angle))), abs(math.sin(math.radians(way.angle)))
    return (
        max(1, math.ceil(way.scale * (high * cosine + wide * sine) - 1e-6)),
        max(1, math.ceil(way.scale * (wide * cosine + high * sine) - 1e-6)),
    )


@njit(**FAST)
def warp(image, allowed, back, page, good):
    """Draw an image through a linear map around its middle, bicubic (Catmull-Rom).

    Args:
        image: float32, 3 x H x W.
        allowed: uint8, H x W.
        back: float64, 2 x 2; takes (y, x) on the page, from its middle, to (y, x) in the image.
        page: float32, 3 x h x w; written where `good`.
        good: uint8, h x w; set where all pixels that a value is made of are allowed.
    """
    height, width = allowed.shape
    high, wide = good.shape
    down, across = np.empty(4), np.empty(4)
    for row in range(high):
        for column in range(wide):
            y, x = row + 0.5 - high / 2, column + 0.5 - wide / 2
            from_y = back[0, 0] * y + back[0, 1] * x + height / 2 - 0.5
            from_x = back[1, 0] * y + back[1, 1] * x + width / 2 - 0.5
            first_y, first_x = math.floor(from_y) - 1, math.floor(from_x) - 1
            if first_y < 0 or first_x < 0 or first_y + 3 >= height or first_x + 3 >= width:
                continue
            whole = True
            for i in range(4):
                for k in range(4):
                    if allowed[first_y + i, first_x + k] == 0:
                        whole = False
            if not whole:
                continue
            _taps(from_y - first_y - 1, down)
            _taps(from_x - first_x - 1, across)
            for c in range(3):
                total = 0.0
                for i in range(4):
                    for k in range(4):
                        total += down[i] * across[k] * image[c, first_y + i, first_x + k]
                page[c, row, column] = min(max(total, 0.0), 1.0)
            good[row, column] = 1


@njit(**FAST)
def _taps(t, weights):
    """The weights of four pixels for a place `t` behind the second."""
    weights[0] = ((2 - t) * t - 1) * t / 2
    weights[1] = (t * t * (3 * t - 5) + 2) / 2
    weights[2] = ((4 - 3 * t) * t + 1) * t / 2
    weights[3] = (t - 1) * t * t / 2
