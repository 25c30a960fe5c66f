"""`python -m tests.benchmarks.hard`: ten hard cases, filled as a user would fill them; the sheet in README.

Objects in front of structure, periodic pattern, lettering, faces, a comic page: cases were chosen for being
hard, not for going well, and are filled with the settings that `ai-inpaint run` has by itself.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from PIL import Image, ImageDraw, ImageFont

import backend
from models.training import comics, sources

from . import pictures

Point = tuple[float, float]
SIDE = (1200, 900)
"""Largest width and height of a case, px."""
THUMB = (330, 248)
"""Of a picture on the sheet, px."""
MARK = (255, 0, 200)


@dataclass(frozen=True)
class Case:
    """A part of a picture of 4:3, and what is to vanish from it.

    Attributes:
        title: for the sheet.
        picture: its name in `pictures.csv`; empty for a page of our own drawing.
        corner: left and top of the part, as shares of the picture's size.
        width: of the part, as a share of the picture's width.
        outlines: polygons, as shares of the part's size.
        lettering: words that are painted over the picture, and are the hole.
    """

    title: str
    picture: str
    corner: Point = (0.0, 0.0)
    width: float = 1.0
    outlines: tuple[tuple[Point, ...], ...] = ()
    lettering: str = ""

    def part(self, image: np.ndarray) -> np.ndarray:
        """The part, uint8 h x w x 3, no larger than `SIDE`."""
        height, width = image.shape[:2]
        left, top = round(self.corner[0] * width), round(self.corner[1] * height)
        wide = min(round(self.width * width), width - left)
        high = min(round(wide * SIDE[1] / SIDE[0]), height - top)
        part = Image.fromarray(image[top : top + high, left : left + wide]).convert("RGB")
        part.thumbnail(SIDE, Image.Resampling.LANCZOS)
        return np.asarray(part)

    def hole(self, size: tuple[int, int]) -> np.ndarray:
        """The hole, bool h x w, of a part of `size` (h, w)."""
        height, width = size
        mask = Image.new("1", (width, height))
        pen = ImageDraw.Draw(mask)
        for outline in self.outlines:
            pen.polygon([(x * width, y * height) for x, y in outline], fill=1)
        if self.lettering:
            font = ImageFont.load_default(height / 7)
            pen.text((width / 2, height / 2), self.lettering, 1, font, "mm", align="center", stroke_width=3)
        return np.asarray(mask)


def box(left: float, top: float, right: float, bottom: float) -> tuple[Point, ...]:
    """A rectangle's corners."""
    return ((left, top), (right, top), (right, bottom), (left, bottom))


def points(*flat: float) -> tuple[Point, ...]:
    """A polygon of x, y, x, y and so on."""
    return tuple(zip(flat[::2], flat[1::2], strict=True))


ROCKET = points(0.5, 0.3, 0.54, 0.4, 0.545, 1, 0.455, 1, 0.46, 0.4)
DOG = points(
    *(0.5, 0.45, 0.6, 0.43, 0.67, 0.53, 0.69, 0.72, 0.62, 0.79, 0.59, 0.89),
    *(0.51, 0.87, 0.49, 0.72, 0.455, 0.6),
)
SPOON = points(
    *(0.77, 0.15, 0.815, 0.17, 0.77, 0.5, 0.755, 0.58, 0.795, 0.66, 0.775, 0.81),
    *(0.68, 0.86, 0.6, 0.79, 0.61, 0.63, 0.69, 0.56, 0.73, 0.45),
)
PHOTOGRAPHER = points(
    *(0, 0.27, 0.14, 0.07, 0.3, 0, 0.54, 0, 0.55, 0.08, 0.67, 0.09, 0.68, 0.3, 0.62, 0.4, 0.62, 0.5),
    *(0.68, 0.5, 0.69, 0.56, 0.63, 0.6, 0.8, 1, 0.44, 1, 0.51, 0.62, 0.45, 0.55, 0.36, 0.6),
    *(0.29, 0.76, 0.32, 1, 0, 1),
)
RIDGE = points(0.38, 0.25, 0.5, 0.12, 0.68, 0.2, 0.7, 0.45, 0.58, 0.58, 0.42, 0.5)
EYE = points(0.3, 0.32, 0.4, 0.25, 0.52, 0.32, 0.54, 0.45, 0.45, 0.52, 0.34, 0.48)
FACE = points(0.49, 0.02, 0.66, 0.08, 0.68, 0.4, 0.6, 0.58, 0.49, 0.64)

CASES: tuple[Case, ...] = (
    Case("A rocket before the evening sky", "rocket", (0.1, 0), 0.8, (ROCKET,)),
    Case("A dog at a window", "friends", (0, 0.22), 1.0, (DOG,)),
    Case("Lettering", "sunset", (0.1, 0.1), 0.85, (), "do not\ncopy"),
    Case("A spoon on a saucer", "coffee", (0, 0), 0.88, (SPOON,)),
    Case("A part of a ridge", "picosdeeuropa", (0, 0), 1.0, (RIDGE,)),
    Case("A pattern in perspective", "brick", (0, 0.1), 1.0, (box(0.3, 0.25, 0.7, 0.75),)),
    Case("A photographer", "camera", (0, 0.2), 1.0, (PHOTOGRAPHER,)),
    Case("Bars on a comic page", "", (0, 0), 1.0, (box(0.2, 0.25, 0.45, 0.33), box(0.55, 0.6, 0.62, 0.9))),
    Case("An eye", "chelsea", (0, 0), 0.9, (EYE,)),
    Case("Half a face", "astronaut", (0.1, 0), 0.75, (FACE,)),
)


@click.command()
@click.option("--cache", type=click.Path(path_type=Path), default=None, help="Folder of the pictures.")
@click.option("--out", type=click.Path(path_type=Path), default=Path(".cache/benchmarks/hard.jpg"))
@click.option("--model", default="auto", show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option(
    "--keep", type=click.Path(path_type=Path), default=None, help="Folder for the cases at full size."
)
def main(cache: Path | None, out: Path, model: str, seed: int, keep: Path | None) -> None:
    """Fill ten hard cases; write a sheet: the selection, the fill."""
    cache = cache or pictures.default_cache()
    try:
        pictures.fetch(cache)
    except sources.SourceError as error:
        raise click.ClickException(str(error)) from error
    known = {picture.name: picture for picture in pictures.listed()}
    columns, line = 2, 18
    rows = -(-len(CASES) // columns)
    wide, high = 2 * THUMB[0] + 12, THUMB[1] + line + 6
    sheet = Image.new("RGB", (columns * wide - 8, rows * high), "white")
    pen = ImageDraw.Draw(sheet)
    for (row, column), case in zip(itertools.product(range(rows), range(columns)), CASES, strict=False):
        image = case.part(pictures.load(known[case.picture], cache) if case.picture else page())
        hole = case.hole(image.shape[:2])
        marked = image.copy()
        marked[hole] = marked[hole] // 3 + np.array(MARK, np.uint8) // 3 * 2
        filled = backend.inpaint(image, hole, model=model, seed=seed)
        left, top = column * wide, row * high
        pen.text((left, top + 2), case.title, "black")
        for index, picture in enumerate((marked, filled)):
            small = Image.fromarray(picture).resize(THUMB, Image.Resampling.LANCZOS)
            sheet.paste(small, (left + index * (THUMB[0] + 2), top + line))
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
            name = case.title.lower().replace(" ", "-")
            Image.fromarray(np.hstack([marked, filled])).save(keep / f"{name}.png")
        click.echo(case.title, err=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(out, quality=84)
    click.echo(out)


def page() -> np.ndarray:
    """A page of our own drawing, uint8 H x W x 3."""
    return comics.page(SIDE[1], SIDE[0], np.random.default_rng(4))


if __name__ == "__main__":
    main()
