"""Seeded holes of three kinds, scaled with the picture: scratches, brush strokes, one big hole."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw

COVER = {"scratch": 0.05, "brush": 0.22, "big": 0.22}
"""Share of the picture that each kind covers, nearly."""


def make(kind: str, shape: tuple[int, int], seed: int, cover: float | None = None) -> np.ndarray:
    """A hole, bool H x W.

    Args:
        kind: `scratch` (lines 2 to 6 px wide), `brush` (strokes 14 to 30 px wide at 256 px, wider in
            proportion on larger pictures) or `big` (one irregular blob).
        shape: height and width.
        seed: same seed, same hole.
        cover: share of the picture; the kind's own by default.
    """
    generator = np.random.default_rng([seed, sorted(COVER).index(kind)])
    share = COVER[kind] if cover is None else cover
    if kind == "big":
        return _blob(shape, share, generator)
    return _strokes(shape, share, kind, generator)


def rectangle(shape: tuple[int, int], high: int, wide: int) -> np.ndarray:
    """A hole of `high` x `wide` px in the middle."""
    hole = np.zeros(shape, dtype=bool)
    top, left = (shape[0] - high) // 2, (shape[1] - wide) // 2
    hole[top : top + high, left : left + wide] = True
    return hole


def _strokes(shape: tuple[int, int], share: float, kind: str, generator: np.random.Generator) -> np.ndarray:
    """Draw wandering strokes until they cover `share`."""
    side = min(shape)
    image = Image.new("1", (shape[1], shape[0]))
    draw = ImageDraw.Draw(image)
    while (hole := np.asarray(image)).mean() < share:
        if kind == "scratch":
            width = float(generator.integers(2, 7))
            length, bend = generator.uniform(0.2, 0.9) * side, 0.06
        else:
            width = generator.uniform(14, 30) * side / 256
            length, bend = generator.uniform(0.25, 0.6) * side, 0.5
        _stroke(draw, shape, width, length, bend, generator)
    return hole.copy()


def _stroke(
    draw: ImageDraw.ImageDraw,
    shape: tuple[int, int],
    width: float,
    length: float,
    bend: float,
    generator: np.random.Generator,
) -> None:
    step = max(4.0, width / 2)
    x, y = generator.uniform(0, shape[1]), generator.uniform(0, shape[0])
    angle = generator.uniform(0, 2 * math.pi)
    for _ in range(math.ceil(length / step)):
        to_x, to_y = x + step * math.cos(angle), y + step * math.sin(angle)
        draw.line([x, y, to_x, to_y], fill=1, width=round(width))
        if width > 4:
            half = width / 2
            draw.ellipse([to_x - half, to_y - half, to_x + half, to_y + half], fill=1)
        x, y = to_x, to_y
        angle += generator.normal(0, bend)


def _blob(shape: tuple[int, int], share: float, generator: np.random.Generator) -> np.ndarray:
    """A wavy ellipse near the middle; its size is searched so that it covers `share`."""
    high, wide = shape
    centre_y, centre_x = generator.uniform(0.35, 0.65, 2) * (high, wide)
    stretch = generator.uniform(0.7, 1.4)
    waves = [(k, generator.uniform(0, 0.25) / k, generator.uniform(0, 2 * math.pi)) for k in range(2, 7)]
    y, x = np.ogrid[:high, :wide]
    down, right = (y - centre_y) * math.sqrt(stretch), (x - centre_x) / math.sqrt(stretch)
    angle = np.arctan2(down, right)
    rim = 1 + sum(height * np.cos(k * angle + phase) for k, height, phase in waves)
    return np.asarray(np.quantile(distance := np.hypot(down, right) / rim, share) >= distance)
