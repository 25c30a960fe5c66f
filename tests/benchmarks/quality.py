"""`python -m tests.benchmarks.quality`: our fills and the peers', side by side on the same holes."""

from __future__ import annotations

import itertools
import json
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from PIL import Image, ImageDraw

from models.base import FillError
from models.training import sources

from . import bootstrap, masks, methods, metrics, pictures

METHODS = "By commas; any other model that `run --model` takes may be among them."
COLUMNS = (*metrics.NAMES, "seconds")


@click.command()
@click.option("--cache", type=click.Path(path_type=Path), default=None, help="Folder of the pictures.")
@click.option("--out", type=click.Path(path_type=Path), default=Path(".cache/benchmarks"), show_default=True)
@click.option("--half", type=click.Choice([*pictures.HALVES, "both"]), default="both", show_default=True)
@click.option("--kinds", default=",".join(masks.COVER), show_default=True, help="Masks, by commas.")
@click.option("--pictures", "of", default=",".join(pictures.KINDS), show_default=True, help="Which kinds.")
@click.option("--methods", "names", default=",".join(methods.METHODS), show_default=True, help=METHODS)
@click.option("--size", default=256, show_default=True, help="Side of the crops, px.")
@click.option("--limit", default=0, help="Only the first so many pictures of each kind and half.")
@click.option("--seed", default=0, show_default=True, help="Of the masks.")
@click.option("--draws", default=1, show_default=True, help="Holes of each kind in each picture.")
@click.option("--threads", default=2, show_default=True, help="Of the metrics' network.")
def main(
    cache: Path | None,
    out: Path,
    half: str,
    kinds: str,
    of: str,
    names: str,
    size: int,
    limit: int,
    seed: int,
    draws: int,
    threads: int,
) -> None:
    """Fill seeded holes in every picture by every method; write a table, a sheet and all numbers."""
    torch.set_num_threads(threads)
    cache = cache or pictures.default_cache()
    chosen = {name: _found(name) for name in _split(names)}
    wanted = _known(kinds, masks.COVER)
    groups = _known(of, pictures.KINDS)
    try:
        pictures.fetch(cache)
        vgg = metrics.VggDistance(cache)
    except sources.SourceError as error:
        raise click.ClickException(str(error)) from error
    halves = pictures.HALVES if half == "both" else (half,)
    every = [
        picture
        for half in halves
        for group in groups
        for picture in [p for p in pictures.listed([half]) if p.kind == group][: limit or None]
    ]
    truths = {picture.name: pictures.part(picture, cache, size) for picture in every}
    for name, method in chosen.items():
        _warm_up(name, method)
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    for kind in wanted:
        fills: list[list[np.ndarray]] = []
        for picture, draw in itertools.product(every, range(draws)):
            truth = truths[picture.name]
            hole = masks.make(kind, truth.shape[:2], seed + draw + zlib.crc32(picture.name.encode()))
            spoilt = methods.spoil(truth, hole)
            row_of_sheet = [truth, spoilt]
            for name, method in chosen.items():
                start = time.perf_counter()
                result = method(spoilt.copy(), hole.copy())
                seconds = time.perf_counter() - start
                result = np.where(hole[..., None], result, truth)
                row_of_sheet.append(result)
                row = {"method": name, "kind": kind, "picture": picture.name, "half": picture.half}
                row.update(of=picture.kind, draw=draw, seconds=seconds, vgg=vgg(result, truth, hole))
                for metric in ("psnr", "ssim", "l1", "patches", "sharpness"):
                    row[metric] = getattr(metrics, metric)(result, truth, hole)
                rows.append(row)
            if draw == 0:
                fills.append(row_of_sheet)
                click.echo(f"{kind} {len(fills)}/{len(every)} {picture.name}", err=True)
        _sheet(fills, ["truth", "hole", *chosen], [p.name for p in every], out / f"sheet-{kind}.png")
    (out / "numbers.json").write_text(json.dumps(rows, indent=0))
    report = _report(rows, list(chosen), wanted, len(every), draws, size)
    (out / "quality.md").write_text(report)
    click.echo(report)
    click.echo(f"written: {out / 'quality.md'}, {out / 'numbers.json'}, {out}/sheet-*.png")


def _split(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _known(text: str, known: Iterable[str]) -> list[str]:
    names = _split(text)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise click.BadParameter(f"no {', '.join(unknown)}; there are {', '.join(known)}")
    return names


def _found(name: str) -> methods.Method:
    try:
        return methods.find(name)
    except FillError as error:
        raise click.BadParameter(f"{error.message} {error.hint}") from error


def _warm_up(name: str, method: methods.Method) -> None:
    """Import and compile before the clock runs; a method that is not there ends the run at once."""
    ramp = np.tile(np.arange(64, dtype=np.uint8)[:, None, None] * 4, (1, 64, 3))
    try:
        method(ramp, masks.rectangle((64, 64), 12, 12))
    except (ImportError, AttributeError) as error:
        raise click.ClickException(
            f"{name} cannot run here ({error}). Install tests/benchmarks/requirements.txt, "
            "or leave it out with --methods."
        ) from error


def _report(
    rows: Sequence[dict[str, Any]],
    chosen: Sequence[str],
    kinds: Sequence[str],
    count: int,
    draws: int,
    size: int,
) -> str:
    """Markdown: for each kind of hole, in all pictures and in each kind and half of them, every method."""
    holes = f", {draws} holes of each kind in each" if draws > 1 else ""
    lines = [f"# Quality inside the hole, {count} pictures of {size} x {size} px{holes}", ""]
    lines += [
        "PSNR (dB), SSIM: up. L1 (levels), VGG and patch distance: down. Sharpness: 1. Mean / median.",
        f"Ratios of means to {methods.REFERENCE}'s, with the 95 % interval by bootstrap over pictures.",
        "",
    ]
    parts: dict[str, Callable[[dict[str, Any]], bool]] = {"all pictures": lambda row: True}
    for key in ("half", "of"):
        values = list(dict.fromkeys(row[key] for row in rows))
        if len(values) > 1:
            parts |= {value: lambda row, key=key, value=value: row[key] == value for value in values}
    for kind, (title, belongs) in itertools.product(kinds, parts.items()):
        lines += [f"## {kind}, {title}", ""]
        lines += [f"| method | {' | '.join(COLUMNS)} | VGG ratio | patches ratio |"]
        lines += ["|---" * (len(COLUMNS) + 3) + "|"]
        part = [row for row in rows if row["kind"] == kind and belongs(row)]
        reference = [row for row in part if row["method"] == methods.REFERENCE]
        for name in chosen:
            own = [row for row in part if row["method"] == name]
            table = np.array([[row[column] for column in COLUMNS] for row in own])
            averages = zip(table.mean(0), np.median(table, 0), strict=True)
            cells = [f"{mean:.3f} / {median:.3f}" for mean, median in averages]
            for column in ("vgg", "patches"):
                pairs = [[row[column] for row in some] for some in (own, reference)]
                known = [row["picture"] for row in own]
                ratio = bootstrap.ratio(*pairs, known) if reference else None
                cells.append("{:.3f} ({:.3f} to {:.3f})".format(*ratio) if ratio else "")
            lines.append(f"| {name} | {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


def _sheet(
    fills: Sequence[Sequence[np.ndarray]], titles: Sequence[str], names: Sequence[str], path: Path
) -> None:
    """A picture sheet: one row per picture, one column per method."""
    size, gap, head = fills[0][0].shape[0], 4, 16
    wide, high = len(titles) * (size + gap), len(fills) * (size + gap + head) + head
    sheet = Image.new("RGB", (wide, high), "white")
    draw = ImageDraw.Draw(sheet)
    for column, title in enumerate(titles):
        draw.text((column * (size + gap) + 2, 2), title, fill="black")
    for row, (line, name) in enumerate(zip(fills, names, strict=True)):
        top = head + row * (size + gap + head)
        draw.text((2, top + 2), name, fill="black")
        for column, picture in enumerate(line):
            sheet.paste(Image.fromarray(picture), (column * (size + gap), top + head))
    sheet.save(path)


if __name__ == "__main__":
    main()
