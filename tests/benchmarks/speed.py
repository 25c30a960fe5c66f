"""`python -m tests.benchmarks.speed`: time and peak memory of our fills and the peers' on large pictures.

Every method runs in a process of its own, so that its memory is its own; times are taken inside it,
after one small fill that imports and compiles.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

import click
import numpy as np

from models.training import sources

from . import apart, masks, methods, pictures

PICTURE = "picosdeeuropa"
CASES = {
    "20 % brush, 4 Mpx": ("brush", 4_000_000),
    "20 % one hole, 4 Mpx": ("big", 4_000_000),
    "300 x 300 px, 4 Mpx": ("square", 4_000_000),
    "5 % scratches, 12 Mpx": ("scratch", 12_000_000),
}


def prepare(kind: str, pixels: int, cache: Path, path: Path) -> None:
    """Save a photograph of so many pixels, and the hole in it."""
    picture = next(p for p in pictures.listed() if p.name == PICTURE)
    image = pictures.load(picture, cache)
    longer = round((pixels * max(image.shape[:2]) / min(image.shape[:2])) ** 0.5)
    high = round(pixels / longer)
    image = pictures.crop(image, longer, shorter=longer)[:high]
    if kind == "square":
        hole = masks.rectangle(image.shape[:2], 300, 300)
    else:
        hole = masks.make(kind, image.shape[:2], seed=0, cover=0.05 if kind == "scratch" else 0.2)
    np.savez(path, image=methods.spoil(image, hole), hole=hole)


def measure(method: str, path: Path) -> dict[str, float]:
    """Fill one hole in this process: seconds, CPU seconds, peak and added resident memory (MB)."""
    with np.load(path) as saved:
        image, hole = saved["image"], saved["hole"]
    methods.METHODS[method](image[:96, :96].copy(), masks.rectangle(image[:96, :96].shape[:2], 16, 16))
    before = apart.peak_memory()
    start, cpu = time.perf_counter(), time.process_time()
    methods.METHODS[method](image, hole)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak = apart.peak_memory()
    return {"seconds": seconds, "cpu": cpu, "peak": peak, "added": peak - before}


@click.command()
@click.option("--cache", type=click.Path(path_type=Path), default=None, help="Folder of the pictures.")
@click.option("--out", type=click.Path(path_type=Path), default=Path(".cache/benchmarks"), show_default=True)
@click.option(
    "--methods", "names", default="auto,patchmatch,smooth,pypatchmatch,Telea,Navier-Stokes", show_default=True
)
@click.option("--cases", default=",".join(kind for kind, _ in CASES.values()), show_default=True)
@click.option("--threads", default=2, show_default=True, help="Cores that a method may use.")
@click.option("--timeout", default=300, show_default=True, help="Seconds given to each process.")
@click.option("--one", hidden=True, type=(str, click.Path(path_type=Path)), default=None)
def main(
    cache: Path | None,
    out: Path,
    names: str,
    cases: str,
    threads: int,
    timeout: int,
    one: tuple[str, Path] | None,
) -> None:
    """Fill large pictures by every method; write a table of times, memory, and ratios to the reference."""
    cache = cache or pictures.default_cache()
    if one:
        click.echo(json.dumps(measure(*one)))
        return
    try:
        pictures.fetch(cache)
    except sources.SourceError as error:
        raise click.ClickException(str(error)) from error
    lines = [f"# Speed and memory, {threads} threads", ""]
    for title, (kind, pixels) in CASES.items():
        if kind not in cases.split(","):
            continue
        lines += [f"## {title}", ""]
        lines += ["| method | s | CPU s | peak MB | of it for the fill | time ratio | memory ratio |"]
        lines += ["|---|---|---|---|---|---|---|"]
        with tempfile.TemporaryDirectory() as folder:
            case = Path(folder) / "case.npz"
            prepare(kind, pixels, cache, case)
            found: dict[str, dict[str, float] | apart.Failure] = {}
            for name in names.split(","):
                try:
                    found[name] = apart.measure(__spec__.name, [name, str(case)], threads, timeout)
                except apart.Failure as failure:
                    found[name] = failure
        reference = found.get(methods.REFERENCE)
        for name, numbers in found.items():
            if isinstance(numbers, apart.Failure):
                lines.append(f"| {name} | {numbers} | | | | | |")
                continue
            cells = [f"{numbers['seconds']:.2f}", f"{numbers['cpu']:.2f}"]
            cells += [f"{numbers['peak']:.0f}", f"{numbers['added']:.0f}"]
            for key in ("seconds", "peak"):
                known = isinstance(reference, dict)
                cells.append(f"{numbers[key] / reference[key]:.3f}" if known else "")  # type: ignore[index]
            lines.append(f"| {name} | {' | '.join(cells)} |")
            click.echo(f"{title}: {lines[-1]}", err=True)
        lines.append("")
    report = "\n".join(lines)
    out.mkdir(parents=True, exist_ok=True)
    (out / "speed.md").write_text(report)
    click.echo(report)


if __name__ == "__main__":
    main()
