"""Folders of small pictures, and the command on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from click.testing import CliRunner, Result
from PIL import Image

from backend.cli import main

GREEN = (0, 255, 0)
HOLE = (slice(24, 40), slice(30, 56))
AROUND = (slice(14, 50), slice(20, 66))
"""The hole with everything that grow and feather may reach."""


def scene(seed: int = 0) -> np.ndarray:
    """uint8 64 x 90 x 3, smooth; nothing in it is green."""
    x, y = np.meshgrid(np.arange(90), np.arange(64))
    waves = [np.sin(x / 9 + seed), np.cos(y / 7), np.sin((x + y) / 11)]
    return np.uint8(np.rint(np.stack(waves, axis=2) * (60, 20, 40) + (150, 110, 120)))


def marked(picture: np.ndarray) -> np.ndarray:
    """The same with a green rectangle in HOLE."""
    result = picture.copy()
    result[HOLE][..., :3] = GREEN
    return result


def save(path: Path, pixels: np.ndarray, **options: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def mask() -> np.ndarray:
    result = np.zeros((64, 90), np.uint8)
    result[HOLE] = 255
    return result


def only_the_hole_differs(result: np.ndarray, given: np.ndarray) -> bool:
    outside = np.ones(result.shape[:2], bool)
    outside[AROUND] = False
    return np.array_equal(result[outside], given[outside]) and not np.array_equal(result[HOLE], given[HOLE])


def call(*arguments: object) -> Result:
    """`ai-inpaint batch` with the quickest model."""
    words = ["batch", *map(str, arguments)]
    if "--model" not in words:
        words += ["--model", "smooth"]
    return CliRunner().invoke(main, words)


def results(folder: Path) -> list[str]:
    """All files but what a run keeps for itself."""
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and ".ai-inpaint" not in path.relative_to(folder).parts
    )
