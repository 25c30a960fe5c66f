"""`python -m tests.benchmarks.big`: a hole of 3000 px in 24 megapixels, filled in tiles and in one piece.

The picture is a photograph and its mirror images, so that all of its detail is real. Every fill runs in a
process of its own, through the pipeline: PatchMatch's own, and its refinement of what a perfect network would
give, one that knows what was in the hole, but at its own size of a megapixel.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click
import numpy as np
from PIL import Image
from scipy import ndimage

from models.base import Card, Model
from models.training import sources

from . import apart, pictures

PICTURE = "picosdeeuropa"
SHAPE = (4000, 6000)
SIDE = 3000
HOLES = ("square", "ragged")
WAYS = ("patchmatch", "patchmatch in one piece", "network", "network in one piece", "network alone")
_QUARTER = 4  # px; what is coarser is no grain


def scene(cache: Path, name: str, shape: tuple[int, int]) -> np.ndarray:
    """A photograph, and mirror images of it until the shape is filled; uint8, H x W x 3."""
    picture = next(picture for picture in pictures.listed() if picture.name == name)
    image = pictures.load(picture, cache)
    rows, columns = (-(-side // own) * own - own for side, own in zip(shape, image.shape, strict=False))
    return np.pad(image, ((0, rows), (0, columns), (0, 0)), mode="symmetric")[: shape[0], : shape[1]]


def hole(kind: str, shape: tuple[int, int], side: int) -> np.ndarray:
    """A hole of that diameter in the middle, bool H x W."""
    rows, columns = (np.arange(length, dtype=np.float32) - length / 2 for length in shape)
    if kind == "square":
        return np.logical_and.outer(abs(rows) < side / 2, abs(columns) < side / 2)
    angle, away = np.arctan2.outer(rows, columns), np.hypot.outer(rows, columns)
    rng = np.random.default_rng(0)
    rim = sum(np.cos(n * angle + rng.uniform(0, 6.3)) / n for n in (2, 3, 5, 9, 17, 31))
    return away < side / 2 * (0.85 + 0.15 * rim / abs(rim).max())


def sharpness(result: np.ndarray, inside: np.ndarray) -> tuple[float, float]:
    """Mean gradient in the hole over that around it: as it is, and as a share of what a coarse copy has.

    The first is 1 where the fill is as sharp as its surroundings and shows the same; the second also where it
    shows something else: rock instead of sky.
    """
    plane = result.mean(axis=2, dtype=np.float32)
    within = ndimage.binary_erosion(inside, iterations=2)
    fine = _gradient(plane)
    high, wide = (side // _QUARTER * _QUARTER for side in plane.shape)
    shape = (high // _QUARTER, _QUARTER, wide // _QUARTER, _QUARTER)
    coarse = _gradient(plane[:high, :wide].reshape(shape).mean((1, 3)))
    less = within[:high, :wide].reshape(shape).all((1, 3))
    gradient = fine[within].mean() / fine[~inside].mean()
    return float(gradient), float(gradient / (coarse[less].mean() / coarse[~less].mean()))


def _gradient(plane: np.ndarray) -> np.ndarray:
    down, across = np.gradient(plane)
    return np.hypot(down, across)


class Perfect(Model):
    """Knows what was in the hole, on the scale on which it is asked."""

    card = Card("network", "Network", "", network=True, sees_hole=True, max_pixels=1024 * 1024)

    def _fill_one(self, image: np.ndarray, *arguments: Any, **params: Any) -> np.ndarray:
        return image


def measure(way: str, kind: str, folder: Path) -> dict[str, float]:
    """Fill in this process: seconds, CPU seconds, memory (MB), sharpness.

    Args:
        way: of `WAYS`.
        kind: of `HOLES`.
        folder: with scene.png and the holes; the result is left there.
    """
    from backend import pipeline
    from backend.imaging.composite import paste
    from models import load
    from models.layers import large

    image = np.asarray(Image.open(folder / "scene.png"))
    inside = np.asarray(Image.open(folder / f"{kind}.png"))
    name, _, piece = way.partition(" ")
    if piece == "in one piece":
        large.WHOLE = inside.size
    if piece == "alone":
        large.LargeCompletion.run = _no_memory  # type: ignore[method-assign]

    def fill(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
        request = pipeline.Request(picture, mask, name, {"grow": 0, "feather": 0})
        (layer,) = pipeline.fill(request, lambda name: Perfect() if name == "network" else load(name))
        return paste(picture, layer.pixels, layer.offset)

    fill(image[:96, :96], hole("square", (96, 96), 16))  # imports and compiles
    before = apart.peak_memory()
    begun, used = time.perf_counter(), time.process_time()
    result = fill(image, inside)
    seconds, cpu = time.perf_counter() - begun, time.process_time() - used
    peak = apart.peak_memory()
    Image.fromarray(result).save(folder / f"{way} {kind}.png", compress_level=1)
    gradient, grain = sharpness(result, inside)
    times = {"seconds": seconds, "cpu": cpu, "peak": peak, "added": peak - before}
    return times | {"gradient": gradient, "grain": grain}


def _no_memory(*arguments: object) -> np.ndarray:
    """Where the refinement finds no memory, the network's enlarged fill is what there is."""
    raise MemoryError


@click.command()
@click.option("--cache", type=click.Path(path_type=Path), default=None, help="Folder of the pictures.")
@click.option("--out", type=click.Path(path_type=Path), default=Path(".cache/benchmarks"), show_default=True)
@click.option("--picture", default=PICTURE, show_default=True, help="Its name in pictures.csv.")
@click.option("--ways", default=",".join(WAYS), show_default=True)
@click.option("--holes", default=",".join(HOLES), show_default=True)
@click.option("--shape", nargs=2, default=SHAPE, show_default=True, help="Of the picture: rows, columns.")
@click.option("--side", default=SIDE, show_default=True, help="Of the hole, px.")
@click.option("--threads", default=2, show_default=True, help="Cores that the libraries may use.")
@click.option("--timeout", default=1200, show_default=True, help="Seconds given to each fill.")
@click.option("--one", hidden=True, type=(str, str, click.Path(path_type=Path)), default=None)
def main(
    cache: Path | None,
    out: Path,
    picture: str,
    ways: str,
    holes: str,
    shape: tuple[int, int],
    side: int,
    threads: int,
    timeout: int,
    one: tuple[str, str, Path] | None,
) -> None:
    """Fill it in every way; write a table, and the fills beside it."""
    if one:
        click.echo(json.dumps(measure(*one)))
        return
    cache = cache or pictures.default_cache()
    try:
        pictures.fetch(cache)
    except sources.SourceError as error:
        raise click.ClickException(str(error)) from error
    folder = out / "big"
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(scene(cache, picture, shape)).save(folder / "scene.png", compress_level=1)
    lines = [f"# A hole of {side} px in {shape[1]} x {shape[0]} px, {threads} threads", ""]
    lines += ["| hole | way | s | CPU s | peak MB | of it for the fill | gradient | grain |"]
    lines += ["|---" * 8 + "|"]
    for kind in holes.split(","):
        Image.fromarray(hole(kind, shape, side)).save(folder / f"{kind}.png")
        for way in ways.split(","):
            try:
                found = apart.measure(__spec__.name, [way, kind, str(folder)], threads, timeout)
            except apart.Failure as failure:
                lines.append(f"| {kind} | {way} | {failure} |" + " |" * 5)
                continue
            numbers = [f"{found[name]:.0f}" for name in ("seconds", "cpu", "peak", "added")]
            numbers += [f"{found[name]:.2f}" for name in ("gradient", "grain")]
            lines.append(f"| {kind} | {way} | {' | '.join(numbers)} |")
            click.echo(lines[-1], err=True)
    report = "\n".join(lines) + "\n"
    (out / "big.md").write_text(report, encoding="utf-8")
    click.echo(report)


if __name__ == "__main__":
    main()
