"""Drawn pages with marks or a mosaic, and what a folder's run takes of them as mask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pixelated import pixelated

from backend.batch import holes
from backend.batch.folder import Pair
from models.training.comics import page

HEIGHT, WIDTH = 200, 240
GREEN = (0, 255, 0)
MARKS = ((60, 70, 24, 16), (160, 130, 18, 28))  # x, y of the centre, half axes
MOSAIC = (slice(56, 136), slice(48, 144))
CELL = 8
LEFT = 100


def art() -> np.ndarray:
    """A page in colour, without green; uint8 RGB."""
    return page(HEIGHT, WIDTH, np.random.default_rng(9), True)


def marks(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """How much each pixel is covered by the marks, 0 to 1: their rims are anti-aliased."""
    y, x = np.mgrid[:height, :width]
    covered = np.zeros((height, width))
    for left, top, wide, high in MARKS:
        inside = (1 - np.hypot((x - left) / wide, (y - top) / high)) * min(wide, high)
        covered = np.maximum(covered, np.clip(inside + 0.5, 0, 1))
    return covered


def marked() -> np.ndarray:
    """The page with the marks."""
    share = marks()[..., None]
    return np.rint(art() * (1 - share) + np.array(GREEN) * share).astype(np.uint8)


def layer() -> np.ndarray:
    """The marks alone; RGBA."""
    own = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    own[..., :3] = GREEN
    own[..., 3] = np.rint(255 * marks())
    return own


def greenness(picture: np.ndarray) -> np.ndarray:
    """By how much green is more than red and blue."""
    levels = picture.astype(int)
    return np.asarray(levels[..., 1] - np.maximum(levels[..., 0], levels[..., 2]))


def halves() -> np.ndarray:
    """Reddish noise on the left, as far as `LEFT`, bluish on the right."""
    noise = np.random.default_rng(0).integers(60, 200, (HEIGHT, WIDTH), np.uint8)
    result = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    result[:, :LEFT, 0] = noise[:, :LEFT]
    result[:, LEFT:, 2] = noise[:, LEFT:]
    return result


def mosaicked() -> np.ndarray:
    """The page with a mosaic."""
    return pixelated(art(), MOSAIC, CELL)


def of_batch(folder: Path, picture: np.ndarray, **asked: Any) -> np.ndarray:
    """What `ai-inpaint batch` takes as mask; bool."""
    path = folder / "page.png"
    Image.fromarray(picture).save(path)
    mask = holes.look(Pair(path.name, path), holes.Request(**asked)).mask
    assert mask is not None
    return mask > 0
