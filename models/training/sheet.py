"""Every kind of hole in one picture: `python -m models.training.sheet FILE`."""

from __future__ import annotations

import sys

import numpy as np
from PIL import Image, ImageDraw

from . import masks


def sheet(side: int = 192, columns: int = 8, seed: int = 0) -> Image.Image:
    """One row of holes for every kind, white on black, with their names."""
    rows = []
    for kind in masks.KINDS:
        rng = np.random.default_rng(seed)
        holes = [np.pad(masks.make(kind, side, side, rng), 2, constant_values=True) for _ in range(columns)]
        rows.append(np.concatenate([np.pad(hole, 2) for hole in holes], axis=1))
    picture = Image.fromarray(np.concatenate(rows).astype(np.uint8) * 255)
    labelled = Image.new("L", (picture.width + 120, picture.height), 0)
    labelled.paste(picture, (120, 0))
    pen = ImageDraw.Draw(labelled)
    for number, kind in enumerate(masks.KINDS):
        pen.text((8, (number + 0.5) * picture.height / len(masks.KINDS)), kind, fill=255, anchor="lm")
    return labelled


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m models.training.sheet FILE")
    sheet(128).save(sys.argv[1], optimize=True)
