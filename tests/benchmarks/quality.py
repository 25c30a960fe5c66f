"""`python -m tests.benchmarks.quality`: our fills and the peers', side by side on the same holes."""

from __future__ import annotations

import itertools
import json
import time
import zlib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
import torch
from PIL import Image, ImageDraw

from models.training import sources

from . import masks, methods, metrics, pictures

COLUMNS = (*metrics.NAMES, "seconds")


@click.command()
@click.option("--cache", type=click.Path(path_type=Path), default=None, help="Folder of the pictures.")
@click.option("--out", type=click.Path(path_type=Path), default=Path(".cache/benchmarks"), show_default=True)
@click.option("--half", type=click.Choice([*pictures.HALVES, "both"]), default="both", show_default=True)
@click.option("--kinds", default=",".join(masks.COVER), show_default=True, help="Masks, by commas.")
@click.option("--methods", "names", default=",".join(methods.METHODS), show_default=True)
@click.option("--size", default=256, show_default=True, help="Side of the crops, px.")
@click.option("--limit", default=0, help="Only the first so many pictures of each half.")
@click.option("--seed", default=0, show_default=True, help="Of the masks.")
@click.option("--draws", default=1, show_default=True, help="Holes of each kind in each picture.")
@click.option("--threads", default=2, show_default=True, help="Of the metrics' network.")
def main(
    cache: Path | None,
    out: Path,
    half: str,
    kinds: str,
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
    chosen = _known(names, methods.METHODS)
    wanted = _known(kinds, masks.COVER)
    try:
        pictures.fetch(cache)
        vgg = metrics.VggDistance(cache)
    except sources.SourceError as error:
        raise click.ClickException(str(error)) from error
    halves = pictures.HALVES if half == "both" else (half,)
    every = [p for h in halves for p in pictures.listed([h])[: limit or None]]
    truths = {picture.name: pictures.crop(pictures.load(picture, cache), size) for picture in every}
    for name in chosen:
        _warm_up(name)
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    for kind in wanted:
        fills: list[list[np.ndarray]] = []
        for picture, draw in itertools.product(every, range(draws)):
            truth = truths[picture.name]
            hole = masks.make(kind, truth.shape[:2], seed + draw + zlib.crc32(picture.name.encode()))
            spoilt = methods.spoil(truth, hole)
            row_of_sheet = [truth, spoilt]
            for name in chosen:
                start = time.perf_counter()
                result = methods.METHODS[name](spoilt.copy(), hole.copy())
                seconds = time.perf_counter() - start
                result = np.where(hole[..., None], result, truth)
                row_of_sheet.append(result)
                row = {"method": name, "kind": kind, "picture": picture.name, "half": picture.half}
                row.update(draw=draw, seconds=seconds, vgg=vgg(result, truth, hole))
                for metric in ("psnr", "ssim", "patches", "sharpness"):
                    row[metric] = getattr(metrics, metric)(result, truth, hole)
                rows.append(row)
            if draw == 0:
                fills.append(row_of_sheet)
                click.echo(f"{kind} {len(fills)}/{len(every)} {picture.name}", err=True)
        _sheet(fills, ["truth", "hole", *chosen], [p.name for p in every], out / f"sheet-{kind}.png")
    (out / "numbers.json").write_text(json.dumps(rows, indent=0))
    report = _report(rows, chosen, wanted, halves, len(every), draws, size)
    (out / "quality.md").write_text(report)
    click.echo(report)
    click.echo(f"written: {out / 'quality.md'}, {out / 'numbers.json'}, {out}/sheet-*.png")


def _known(text: str, known: dict[str, object]) -> list[str]:  # type: ignore[type-arg]
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise click.BadParameter(f"no {', '.join(unknown)}; there are {', '.join(known)}")
    return names


def _warm_up(name: str) -> None:
    """Import and compile before the clock runs; a method that is not there ends the run at once."""
    ramp = np.tile(np.arange(64, dtype=np.uint8)[:, None, None] * 4, (1, 64, 3))
    try:
        methods.METHODS[name](ramp, masks.rectangle((64, 64), 12, 12))
    except (ImportError, AttributeError) as error:
        raise click.ClickException(
            f"{name} cannot run here ({error}). Install tests/benchmarks/requirements.txt, "
            "or leave it out with --methods."
        ) from error


def _report(
    rows: Sequence[dict[str, object]],
    chosen: Sequence[str],
    kinds: Sequence[str],
    halves: Sequence[str],
    count: int,
    draws: int,
    size: int,
) -> str:
    """Markdown: per half and mask, mean and median of every method, and ratios to the reference."""
    values: dict[tuple[str, str, str], list[list[float]]] = defaultdict(list)
    for row in rows:
        numbers = [float(row[column]) for column in COLUMNS]  # type: ignore[arg-type]
        for half in (row["half"], "all"):
            values[str(half), str(row["kind"]), str(row["method"])].append(numbers)
    holes = f", {draws} holes of each kind in each" if draws > 1 else ""
    lines = [f"# Quality inside the hole, {count} pictures of {size} x {size} px{holes}", ""]
    lines += ["PSNR (dB), SSIM: up. VGG and patch distance: down. Sharpness: 1. Mean / median.", ""]
    for half in ("all", *halves) if len(halves) > 1 else halves:
        for kind in kinds:
            lines += [f"## {kind}, {half}", ""]
            lines += [f"| method | {' | '.join(COLUMNS)} | VGG ratio | patches ratio |"]
            lines += ["|---" * (len(COLUMNS) + 3) + "|"]
            reference = values.get((half, kind, methods.REFERENCE))
            for name in chosen:
                table = np.array(values[half, kind, name])
                averages = zip(table.mean(0), np.median(table, 0), strict=True)
                cells = [f"{mean:.3f} / {median:.3f}" for mean, median in averages]
                for column in ("vgg", "patches"):
                    at = COLUMNS.index(column)
                    ratio = table[:, at].mean() / np.array(reference)[:, at].mean() if reference else np.nan
                    cells.append(f"{ratio:.3f}" if reference else "")
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
