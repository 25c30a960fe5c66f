"""`python -m tests.benchmarks.networks`: time and peak memory of every network, on random weights.

Every measurement is taken in a process of its own, after one small fill: seconds of the faster of two
fills of a hole of a quarter of the picture, and the most memory of the whole process. LaMa is also
run as its weights are published, as TorchScript, for comparison. Time and memory depend neither on the
weights nor on the picture, with one exception: pictures of noise cost matching by patches the most.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np

from . import apart

RELEASED = "lama (TorchScript)"


def prepare(name: str, precision: str, device: str) -> Callable[[np.ndarray, np.ndarray], object]:
    """What fills a picture, 1 x 3 x H x W, with random weights."""
    import torch

    import models

    torch.manual_seed(0)
    kind = models.kinds()["lama" if name == RELEASED else name]
    settings = SETTINGS.get(name, {})
    if kind.card.variants:
        settings = {**settings, "variant": kind.card.variants[0]}
    network = kind.build(**settings).eval()
    if name == RELEASED:
        return released(network, device)
    model = kind(network, kind.describe(**settings), settings, device, precision)
    params = PARAMS.get(name, {})
    return lambda image, hole: model.fill(image, hole, **params)


SETTINGS = {"context-encoder": {"encoding": 64, "bottleneck": 4000, "decoding": 64}}
PARAMS = {"patch-synthesis": {"content": "smooth"}}


def released(network: object, device: str) -> Callable[[np.ndarray, np.ndarray], object]:
    """LaMa as a traced program of the published arrangement."""
    import torch

    with torch.inference_mode():
        example = torch.rand(1, 4, 64, 64, device=device)
        traced = torch.jit.trace(network.to(device), example, check_trace=False)  # type: ignore[attr-defined]

    def fill(image: np.ndarray, hole: np.ndarray) -> object:
        with torch.inference_mode():
            picture, inside = (torch.from_numpy(a.astype(np.float32)).to(device) for a in (image, hole))
            return traced(torch.cat([picture * (1 - inside), inside], 1)).cpu()

    return fill


def measure(name: str, side: int, precision: str, device: str) -> dict[str, float]:
    """Seconds, CPU seconds, and peak memory (MB) of fills of side x side, in this process."""
    fill = prepare(name, precision, device)
    random = np.random.default_rng(0)

    def scene(size: int) -> tuple[np.ndarray, np.ndarray]:
        hole = np.zeros((1, 1, size, size), bool)
        hole[..., size // 4 : -size // 4, size // 4 : -size // 4] = True
        return random.random((1, 3, size, size), dtype=np.float32), hole

    fill(*scene(64))
    image, hole = scene(side)
    seconds, cpu = [], []
    for _ in range(2):
        begun, begun_cpu = time.perf_counter(), time.process_time()
        fill(image, hole)
        seconds.append(time.perf_counter() - begun)
        cpu.append(time.process_time() - begun_cpu)
        if seconds[0] > 60:
            break
    return {"seconds": min(seconds), "cpu": min(cpu), "peak": apart.peak_memory(device)}


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path(".cache/benchmarks"), show_default=True)
@click.option("--networks", "names", default="", help="Which, by names with commas between; all by default.")
@click.option("--sizes", default="256,512,1024,2048", show_default=True, help="Sides of the pictures, px.")
@click.option("--precision", default="auto", show_default=True, help="auto, single or half.")
@click.option("--device", default="cpu", show_default=True)
@click.option("--threads", default=2, show_default=True, help="Cores that a network may use.")
@click.option("--timeout", default=600, show_default=True, help="Seconds given to each measurement.")
@click.option("--one", hidden=True, type=(str, int), default=None)
def main(
    out: Path,
    names: str,
    sizes: str,
    precision: str,
    device: str,
    threads: int,
    timeout: int,
    one: tuple[str, int] | None,
) -> None:
    """Run every network on pictures of several sizes; write a table of seconds and MB."""
    if one:
        click.echo(json.dumps(measure(*one, precision, device)))
        return
    from models import CARDS

    sides = [int(side) for side in sizes.split(",")]
    lines = [f"# Networks on {device}, precision {precision}, {threads} threads", ""]
    lines += ["Seconds (CPU seconds of all cores together, peak MB of the process).", ""]
    lines += [f"| network | {' | '.join(f'{side}²' for side in sides)} |", "|---" * (len(sides) + 1) + "|"]
    for name in names.split(",") if names else [*CARDS, RELEASED]:
        cells = []
        for side in sides:
            given = [name, str(side), "--precision", precision, "--device", device]
            try:
                found = apart.measure(__spec__.name, given, threads, timeout)
            except apart.Failure as failure:
                cells.append(str(failure))
                break  # nor will a larger one work
            cells.append(f"{found['seconds']:.2f} ({found['cpu']:.2f}, {found['peak']:.0f})")
        lines.append(f"| {name} | {' | '.join(cells + [''] * (len(sides) - len(cells)))} |")
        click.echo(lines[-1], err=True)
    report = "\n".join(lines) + "\n"
    out.mkdir(parents=True, exist_ok=True)
    (out / "networks.md").write_text(report, encoding="utf-8")
    click.echo(report)


if __name__ == "__main__":
    main()
