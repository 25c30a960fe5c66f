"""Drawing tools of the comic generator: ink lines of changing width, screentone, hatching, flat colour.

A `Sheet` is drawn at twice its size and halved at the end, so that lines come out smooth.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

OVER = 2  # drawn so many times larger

Colour = tuple[int, int, int]
Point = Sequence[float] | np.ndarray
BLACK: Colour = (0, 0, 0)
WHITE: Colour = (255, 255, 255)


class Sheet:
    """A picture under the pen; all coordinates and lengths are px of the finished picture, x before y."""

    def __init__(self, height: int, width: int, paper: Colour = WHITE) -> None:
        """An empty sheet."""
        self.height, self.width = height, width
        self._picture = Image.new("RGB", (width * OVER, height * OVER), paper)
        self._pen = ImageDraw.Draw(self._picture)
        self._clip: Image.Image | None = None

    @property
    def picture(self) -> np.ndarray:
        """uint8, H x W x 3."""
        return np.asarray(self._picture.reduce(OVER))

    def paste(self, other: Sheet, shape: np.ndarray) -> None:
        """Show another sheet of the same size through a closed shape (N x 2)."""
        self._picture.paste(other._picture, mask=self._stencil(shape))

    def fill(self, shape: np.ndarray, colour: Colour) -> None:
        """A flat closed shape, N x 2."""
        self._pen.polygon(_points(shape), fill=colour)

    def line(self, points: np.ndarray, width: float, colour: Colour = BLACK, taper: float = 0.0) -> None:
        """An ink line through N x 2 points.

        Args:
            points: smooth enough to be joined by straight pieces.
            width: px.
            colour: of the ink.
            taper: 0 is a line of one width, 1 one that thins out to nothing at both ends.
        """
        if len(points) < 2:
            return
        if taper <= 0:
            self._pen.line(_points(points), fill=colour, width=max(1, round(width * OVER)), joint="curve")
            return
        along = np.gradient(points.astype(float), axis=0)
        normal = np.stack([-along[:, 1], along[:, 0]], 1) / np.maximum(np.hypot(*along.T), 1e-6)[:, None]
        swell = 1 - taper * np.abs(np.linspace(-1, 1, len(points))) ** 2
        half = normal * (width / 2 * swell)[:, None]
        self._pen.polygon(_points(np.concatenate([points + half, (points - half)[::-1]])), fill=colour)
        self._pen.line(_points(points), fill=colour, width=1)

    def outline(self, shape: np.ndarray, width: float, colour: Colour = BLACK) -> None:
        """A closed ink line."""
        self.line(np.concatenate([shape, shape[:2]]), width, colour)

    def tone(self, shape: np.ndarray, darkness: float, pitch: float, angle: float, fade: float = 0.0) -> None:
        """Screentone: black dots on a turned grid, inside a closed shape.

        Args:
            shape: N x 2.
            darkness: share of ink, 0 to 1.
            pitch: distance of the dots, px.
            angle: of the grid, radians.
            fade: how much the tone pales from the shape's top to its bottom, 0 to 1.
        """
        box = _box(shape, self.width, self.height)
        if box is None:
            return
        left, top, right, bottom = box
        y, x = np.mgrid[top * OVER : bottom * OVER, left * OVER : right * OVER] / OVER
        u = (x * np.cos(angle) + y * np.sin(angle)) * (2 * np.pi / pitch)
        v = (y * np.cos(angle) - x * np.sin(angle)) * (2 * np.pi / pitch)
        wave = (np.cos(u) + np.cos(v)) / 4 + 0.5  # brightest at the dots' centres
        level = darkness * (1 - fade * np.linspace(0, 1, len(y))[:, None])
        self._stamp(wave > 1 - _threshold(level), shape, box)

    def hatch(self, shape: np.ndarray, pitch: float, angle: float, width: float, wobble: float = 0.0) -> None:
        """Parallel ink lines inside a closed shape.

        Args:
            shape: N x 2.
            pitch: distance of the lines, px.
            angle: radians.
            width: of the ink, px.
            wobble: how far a line strays, px.
        """
        box = _box(shape, self.width, self.height)
        if box is None:
            return
        left, top, right, bottom = box
        y, x = np.mgrid[top * OVER : bottom * OVER, left * OVER : right * OVER] / OVER
        along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        row = np.floor(across / pitch)
        across = across + wobble * np.sin(along / (3 * pitch) + row * 2.4)
        self._stamp(np.abs(across % pitch - pitch / 2) < width / 2, shape, box)

    def text(self, centre: Point, words: str, size: float, colour: Colour = BLACK) -> None:
        """Lettering around a centre; lines are parted by a line break."""
        font = ImageFont.load_default(size * OVER)
        at = (centre[0] * OVER, centre[1] * OVER)
        self._pen.multiline_text(at, words, fill=colour, font=font, anchor="mm", align="center")

    def measure(self, words: str, size: float) -> tuple[float, float]:
        """Width and height of lettering, px."""
        font = ImageFont.load_default(size * OVER)
        left, top, right, bottom = self._pen.multiline_textbbox((0, 0), words, font=font, align="center")
        return (right - left) / OVER, (bottom - top) / OVER

    def _stencil(self, shape: np.ndarray) -> Image.Image:
        stencil = Image.new("1", self._picture.size)
        ImageDraw.Draw(stencil).polygon(_points(shape), fill=1)
        return stencil

    def _stamp(self, ink: np.ndarray, shape: np.ndarray, box: tuple[int, int, int, int]) -> None:
        """Ink a box's pixels, where they are inside the shape."""
        stencil = Image.new("1", (ink.shape[1], ink.shape[0]))
        corner = np.array(box[:2])
        ImageDraw.Draw(stencil).polygon(_points(shape - corner), fill=1)
        inked = Image.fromarray(ink & np.asarray(stencil))
        self._picture.paste(BLACK, (box[0] * OVER, box[1] * OVER), inked)


def ellipse(centre: Point, radii: Point, turn: float = 0.0, count: int = 72) -> np.ndarray:
    """A closed shape, N x 2; `turn` in radians."""
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    x, y = radii[0] * np.cos(angle), radii[1] * np.sin(angle)
    turned = np.stack([x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)], 1)
    return turned + np.asarray(centre)


def blob(rng: np.random.Generator, centre: Point, radii: Point, rough: float) -> np.ndarray:
    """An ellipse whose radius strays by `rough` (relative), smoothly."""
    shape = ellipse((0, 0), (1, 1))
    angle = np.arctan2(shape[:, 1], shape[:, 0])
    radius = np.ones(len(angle))
    for harmonic in range(2, 8):
        radius += rough * rng.normal() / harmonic * np.cos(harmonic * angle + rng.uniform(0, 2 * np.pi))
    return shape * radius[:, None].clip(0.2) * np.asarray(radii) + np.asarray(centre)


def curve(controls: Sequence[Point], count: int = 24) -> np.ndarray:
    """A smooth line through control points (Catmull-Rom), N x 2."""
    points = np.array([np.asarray(point, float) for point in controls])
    padded = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    t = np.linspace(0, 1, count, endpoint=False)[:, None]
    pieces = []
    for before, start, end, after in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        pieces.append(
            0.5
            * (
                2 * start
                + (end - before) * t
                + (2 * before - 5 * start + 4 * end - after) * t**2
                + (3 * start - before - 3 * end + after) * t**3
            )
        )
    return np.concatenate([*pieces, points[-1:]])


def rectangle(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    """A closed shape, 4 x 2."""
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], float)


def _points(shape: np.ndarray) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in shape * OVER]


def _box(shape: np.ndarray, width: int, height: int) -> tuple[int, int, int, int] | None:
    """Left, top, right, bottom of what a shape covers of the sheet; None if nothing."""
    left, top = np.maximum(np.floor(shape.min(0)), 0).astype(int)
    right, bottom = np.minimum(np.ceil(shape.max(0)), (width, height)).astype(int)
    return (int(left), int(top), int(right), int(bottom)) if right > left and bottom > top else None


def _threshold(level: np.ndarray) -> np.ndarray:
    """The height of the two-cosine wave above which a share `level` of the plane lies."""
    return np.interp(level, _SHARES, _HEIGHTS)


_GRID = (np.cos(np.linspace(0, 2 * np.pi, 128))[:, None] + np.cos(np.linspace(0, 2 * np.pi, 128))) / 4 + 0.5
_HEIGHTS = np.linspace(0, 1, 65)
_SHARES = np.array([np.mean(_GRID + height >= 1) for height in _HEIGHTS])
