"""`python -m tests.benchmarks.mosaics`: what following a mosaic is worth, against the same hole as a bar."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from PIL import Image

import backend
from backend.imaging import mosaic, mosaic_fill
from models.training import masks, sources

from . import bootstrap, metrics, pictures

NAMES = ("psnr", "l1", "vgg", "patches", "sharpness")
WAYS = ("mosaic", "bar", "means at the end", "followed")
"""What is compared: the mosaic as it is; a fill that knows nothing of it; the same with the cells' means
enforced, as every model's fill gets them; and a fill that followed it all the way."""


@click.command()
@click.option("--model", default="patchmatch", show_default=True, help="A model that follows mosaics.")
@click.option("--cache", type=click.Path(path_type=Path), default=None, help="Folder of the pictures.")
@click.option("--out", type=click.Path(path_type=Path), default=Path(".cache/benchmarks"), show_default=True)
@click.option("--half", type=click.Choice(pictures.HALVES), default="held-out", show_default=True)
@click.option("--size", default=256, show_default=True, help="Side of the crops, px.")
@click.option("--limit", default=0, help="Only the first so many pictures of each kind.")
def main(model: str, cache: Path | None, out: Path, half: str, size: int, limit: int) -> None:
    """Hide a part of every picture under a mosaic, and fill it; write a table, a sheet and all numbers."""
    cache = cache or pictures.default_cache()
    try:
        pictures.fetch(cache)
        vgg = metrics.VggDistance(cache)
    except sources.SourceError as error:
        raise click.ClickException(str(error)) from error
    rows, sheet = [], []
    for kind in pictures.KINDS:
        for picture in [one for one in pictures.listed([half]) if one.kind == kind][: limit or None]:
            truth = pictures.part(picture, cache, size)
            rng = np.random.default_rng(zlib.crc32(picture.name.encode()))
            hole, cell, phase = masks.make_mosaic(size, size, rng)
            seen = pixelated(truth, hole, cell, phase)
            found, others = mosaic.under(seen, hole)
            if others or not found:
                click.echo(f"{picture.name}: no certain mosaic of {cell} px, left out", err=True)
                continue
            bar = backend.inpaint(seen, hole, model, grow=0, feather=0)
            fills = {
                "mosaic": seen,
                "bar": bar,
                "means at the end": with_means(bar, found),
                "followed": backend.inpaint(seen, hole, model, grow=0, feather=0, mosaic=True),
            }
            for way, filled in fills.items():
                scores = {
                    name: (vgg if name == "vgg" else getattr(metrics, name))(filled, truth, hole)
                    for name in NAMES
                }
                rows.append({"way": way, "kind": kind, "picture": picture.name, "cell": cell, **scores})
            sheet.append(np.concatenate([truth, *fills.values()], axis=1))
            click.echo(f"{kind} {picture.name}, {cell} px", err=True)
    out.mkdir(parents=True, exist_ok=True)
    (out / "mosaics.json").write_text(json.dumps(rows, indent=0))
    Image.fromarray(np.concatenate(sheet)).save(out / "mosaics.png")
    report = _report(rows)
    (out / "mosaics.md").write_text(report)
    click.echo(report)


def pixelated(truth: np.ndarray, hole: np.ndarray, cell: int, phase: tuple[int, int]) -> np.ndarray:
    """uint8 H x W x 3: the picture with a mosaic, as `masks.mosaic` describes it."""
    planes = masks.pixelate(truth.transpose(2, 0, 1).astype(np.float32), hole, cell, phase)
    return np.rint(planes).astype(np.uint8).transpose(1, 2, 0)


def with_means(filled: np.ndarray, found: Sequence[mosaic.Mosaic]) -> np.ndarray:
    """A copy of a fill that has the cells' means."""
    result = filled.copy()
    for one in found:
        result[one.box.slices] = mosaic_fill.consistent(result[one.box.slices], one)
    return result


def _report(rows: Sequence[dict[str, Any]]) -> str:
    text = ["# Mosaics: what is filled against what was there, inside the hole", ""]
    text += ["Means; VGG against the bar's as the median of ratios, with its 95 % interval by bootstrap.", ""]
    for kind in pictures.KINDS:
        of_kind = [row for row in rows if row["kind"] == kind]
        if not of_kind:
            continue
        bars = [row["vgg"] for row in of_kind if row["way"] == "bar"]
        text += [f"## {kind}, {len(bars)} pictures", ""]
        text += [f"| way | {' | '.join(NAMES)} | VGG, bar = 1 |", f"|---|{'---|' * (len(NAMES) + 1)}"]
        for way in WAYS:
            own = [row for row in of_kind if row["way"] == way]
            ratios = [row["vgg"] / bar for row, bar in zip(own, bars, strict=True)]
            cells = [f"{np.mean([row[name] for row in own]):.3g}" for name in NAMES]
            cells.append("{:.2f} ({:.2f} to {:.2f})".format(*bootstrap.median(ratios)))
            text.append(f"| {way} | {' | '.join(cells)} |")
        text.append("")
    return "\n".join(text)


if __name__ == "__main__":
    main()
