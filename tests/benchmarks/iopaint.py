"""`python -m tests.benchmarks.iopaint --iopaint PATH`: our backend beside IOPaint's HTTP API.

Both serve the same LaMa of random weights, from the same TorchScript file, on the CPU: IOPaint as its own
command starts it, ours as the editors do. They are asked in turn, and a request ends when its pixels are
there. IOPaint gets what its web page sends: the whole picture, its strategy for large pictures left alone.
Ours gets what the editors send: the part of the picture that the model's card asks for.
"""

from __future__ import annotations

import contextlib
import io
import statistics
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np
from PIL import Image

from . import masks
from .servers import MODEL, IOPaint, Ours, Scene, Server

PHOTOGRAPH = Path(__file__).parents[2] / "backend" / "demo" / "photograph.jpg"
CASES = {
    "1-square": "1 Mpx, 512² hole",
    "4-square": "4 Mpx, 512² hole",
    "12-square": "12 Mpx, 512² hole",
    "1-brush": "1 Mpx, 20 % brush",
    "4-brush": "4 Mpx, 20 % brush",
}
USUAL = ",".join(name for name in CASES if name.endswith("square"))
REFERENCE = "IOPaint"
ALIKE = "ours with its crop"
WHO = {
    REFERENCE: (IOPaint, False),
    "ours": (Ours, False),
    ALIKE: (Ours, True),
    "IOPaint, JPEG": (IOPaint, True),
}
"""What is compared: the program, and whether it is asked in its alternative way."""


def scene(name: str) -> Scene:
    """The bundled photograph, mirrored until there are enough pixels, in a 4 : 3 format."""
    megapixels, kind = name.split("-")
    pixels = int(megapixels) * 1_000_000
    high, wide = round((pixels * 3 / 4) ** 0.5), round((pixels * 4 / 3) ** 0.5)
    with Image.open(PHOTOGRAPH) as opened:
        photograph = np.asarray(opened.convert("RGB"))
    beyond = [(0, max(0, side - there)) for side, there in zip((high, wide), photograph.shape, strict=False)]
    image = np.ascontiguousarray(np.pad(photograph, [*beyond, (0, 0)], mode="symmetric")[:high, :wide])
    if kind == "square":
        hole = masks.rectangle((high, wide), 512, 512)
    else:
        hole = masks.make(kind, (high, wide), seed=0, cover=0.2)
    mask = hole.astype(np.uint8) * 255
    return Scene(image, hole, _file(image, "PNG"), _file(image, "JPEG", quality=95), _file(mask, "PNG"))


def _file(image: np.ndarray, kind: str, **options: Any) -> bytes:
    with io.BytesIO() as out:
        Image.fromarray(image).save(out, kind, **options)
        return out.getvalue()


def write_weights(path: Path) -> None:
    """big-lama with random weights as it is published: a traced program that takes picture and mask.

    Its normalisations are set by a random picture, so that features neither die nor explode.
    """
    import torch
    from torch import nn

    from models.lama import LaMaNetwork

    class Released(nn.Module):
        def __init__(self, generator: nn.Module) -> None:
            super().__init__()
            self.model = nn.Module()
            self.model.generator = generator

        def forward(self, image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            masked = torch.cat([image * (1 - mask), mask], 1)
            return mask * self.model.generator(masked) + (1 - mask) * image

    torch.manual_seed(0)
    network = LaMaNetwork()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        network.train()(torch.rand(1, 4, 128, 128))
        picture, mask = torch.rand(1, 3, 64, 64), torch.zeros(1, 1, 64, 64)
        torch.jit.save(torch.jit.trace(Released(network).eval(), (picture, mask), check_trace=False), path)


def measure(server: Server, case: Scene, alternative: bool) -> tuple[dict[str, float], np.ndarray]:
    """Seconds, CPU seconds of client and server, the server's peak memory (MB) during a request."""
    processes = server.processes()

    def used() -> float:
        times = [process.cpu_times() for process in processes]
        return time.process_time() + sum(each.user + each.system for each in times)

    done, peak = threading.Event(), 0.0

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.02):
            peak = max(peak, sum(process.memory_info().rss for process in processes) / 2**20)

    watcher = threading.Thread(target=watch)
    begun, begun_cpu = time.perf_counter(), used()
    watcher.start()
    try:
        picture = server.ask(case, alternative)
    finally:
        done.set()
        watcher.join()
    return {"s": time.perf_counter() - begun, "CPU s": used() - begun_cpu, "peak MB": peak}, picture


def compare(servers: Mapping[type[Server], Server], who: list[str], case: Scene, rounds: int) -> list[str]:
    """The lines of a table, medians of the rounds, and how far two fills of the same crop differ."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in who}
    pictures = {}
    for _ in range(rounds):
        for name in who:
            program, alternative = WHO[name]
            numbers, pictures[name] = measure(servers[program], case, alternative)
            found[name].append(numbers)
            click.echo(f"{name}: {numbers['s']:.2f} s, {numbers['CPU s']:.2f} CPU s", err=True)
    medians = {
        name: {key: statistics.median(one[key] for one in each) for key in each[0]}
        for name, each in found.items()
    }
    reference = medians[REFERENCE]
    lines = [
        "| | s | CPU s | peak MB | time ratio | CPU ratio | memory ratio |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, numbers in medians.items():
        cells = [f"{numbers['s']:.2f}", f"{numbers['CPU s']:.2f}", f"{numbers['peak MB']:.0f}"]
        cells += [f"{numbers[key] / reference[key]:.2f}" for key in numbers]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    fills = [pictures[name][case.hole].astype(int) for name in (REFERENCE, ALIKE)]
    apart = np.abs(fills[0] - fills[1])
    spread = np.abs(fills[0] - fills[0].mean(0)).mean()
    told = (
        f"In the hole, {REFERENCE} and {ALIKE} differ by {apart.mean():.2f} levels of 255 on average, "
        f"at most by {apart.max()}; the fill itself varies by {spread:.1f}."
    )
    return [*lines, "", told]


@click.command()
@click.option(
    "--iopaint", "program", required=True, help="The command `iopaint` of an environment of its own."
)
@click.option("--out", type=click.Path(path_type=Path), default=Path(".cache/benchmarks"), show_default=True)
@click.option("--cases", default=USUAL, show_default=True, help=f"Of {', '.join(CASES)}.")
@click.option("--rounds", default=3, show_default=True, help="Requests of each kind; medians count.")
@click.option("--jpeg", is_flag=True, help="Also send IOPaint the picture as JPEG; it answers in kind.")
@click.option("--threads", default=2, show_default=True, help="Cores that a network may use.")
def main(program: str, out: Path, cases: str, rounds: int, jpeg: bool, threads: int) -> None:
    """Ask both for the same fills, in turn; write a table of seconds, CPU seconds, MB, and ratios."""
    limits = {f"{library}_NUM_THREADS": str(threads) for library in ("OMP", "NUMBA", "OPENBLAS", "MKL")}
    who = [name for name in WHO if jpeg or "JPEG" not in name]
    lines = [f"# Beside IOPaint: LaMa on the CPU, {threads} threads", ""]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        weights = folder / f"{MODEL}.pt"
        write_weights(weights)
        with contextlib.ExitStack() as stack:
            servers: dict[type[Server], Server] = {}
            servers[IOPaint] = IOPaint(program, weights, folder, limits)
            stack.callback(servers[IOPaint].stop)
            servers[Ours] = Ours(weights, folder, limits)
            stack.callback(servers[Ours].stop)
            first = scene("1-square")
            for name in who:  # what a program does once is not to count
                servers[WHO[name][0]].ask(first, WHO[name][1])
            for name in cases.split(","):
                lines += [f"## {CASES[name]}", "", *compare(servers, who, scene(name), rounds), ""]
    report = "\n".join(lines)
    out.mkdir(parents=True, exist_ok=True)
    (out / "iopaint.md").write_text(report, encoding="utf-8")
    click.echo(report)


if __name__ == "__main__":
    main()
