"""`python -m tests.benchmarks.iopaint --iopaint PATH`: our backend beside IOPaint's HTTP API.

Both serve the same LaMa of random weights, from the same TorchScript file, on the CPU: IOPaint as its own
command starts it, ours as the editors do. They are asked in turn, and a request ends when its pixels are
there. IOPaint gets what its web page sends: the whole picture, its strategy for large pictures left alone.
Ours gets what the editors send: the part of the picture that the model's card asks for.
"""

from __future__ import annotations

import base64
import io
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
import psutil
from PIL import Image

from . import masks

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
ALIKE = "ours, IOPaint's crop"
_MODEL = "random-lama"
_START = 180.0  # seconds given to a server


class Scene(NamedTuple):
    """A picture, uint8 H x W x 3, its hole, bool H x W, and both as files."""

    image: np.ndarray
    hole: np.ndarray
    png: bytes
    jpeg: bytes
    mask: bytes


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


class Server(ABC):
    """A program that is started, asked over its own protocol, and ended."""

    def __init__(self, command: list[str], environment: Mapping[str, str], log: Path) -> None:
        with open(log, "wb") as out:
            self._process = subprocess.Popen(
                command, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
        self._log = log
        try:
            deadline = time.monotonic() + _START
            while not self._ready():
                if self._process.poll() is not None or time.monotonic() > deadline:
                    said = log.read_text(errors="replace")[-2000:]
                    raise click.ClickException(f"{command[0]} did not start. It said: {said}")
                time.sleep(0.2)
        except BaseException:
            self.stop()
            raise

    @abstractmethod
    def _ready(self) -> bool:
        """Whether it answers."""

    @abstractmethod
    def ask(self, case: Scene, who: str) -> np.ndarray:
        """The picture with its hole filled, uint8 H x W x 3, or the part of it that was given back."""

    def processes(self) -> list[psutil.Process]:
        parent = psutil.Process(self._process.pid)
        return [parent, *parent.children(recursive=True)]

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


class IOPaint(Server):
    """`iopaint start`."""

    def __init__(self, program: str, weights: Path, folder: Path, threads: Mapping[str, str]) -> None:
        cache = folder / "torch" / "hub" / "checkpoints"
        cache.mkdir(parents=True)
        os.link(weights, cache / "big-lama.pt")  # here it looks before it downloads
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._address = f"http://127.0.0.1:{port}/api/v1"
        command = [program, "start", "--model=lama", "--device=cpu", f"--port={port}", "--local-files-only"]
        command.append(f"--model-dir={folder}")
        super().__init__(command, {**threads, "TORCH_HOME": str(folder / "torch")}, folder / "iopaint.log")

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self._address}/model", timeout=5) as reply:
                return json.load(reply)["name"] == "lama"
        except OSError:
            return False

    def ask(self, case: Scene, who: str) -> np.ndarray:
        kind, picture = ("jpeg", case.jpeg) if who.endswith("JPEG") else ("png", case.png)
        fields = {"image": _url(kind, picture), "mask": _url("png", case.mask), "hd_strategy": "Crop"}
        request = urllib.request.Request(
            f"{self._address}/inpaint", json.dumps(fields).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request) as reply:
            return np.asarray(Image.open(io.BytesIO(reply.read())).convert("RGB"))


def _url(kind: str, file: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(file).decode()}"


class Ours(Server):
    """`ai-inpaint serve`, asked as the plugins ask."""

    def __init__(self, weights: Path, folder: Path, threads: Mapping[str, str]) -> None:
        from backend.client.session import Session

        self._session: Session | None = None
        self._home = folder / "state"
        places = {"AI_INPAINT_HOME": str(self._home), "AI_INPAINT_MODELS": str(folder / "weights"), **threads}
        program = [sys.executable, "-m", "backend.cli"]
        done = subprocess.run(
            [*program, "models", "import", str(weights)],
            env={**os.environ, **places},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise click.ClickException(done.stderr)
        super().__init__([*program, "serve", "--device", "cpu"], places, folder / "ours.log")
        assert self._session is not None
        self._card = next(card for card in self._session.models()[0] if card["name"] == _MODEL)

    def _ready(self) -> bool:
        from backend.client.session import Session
        from backend.wire.errors import InpaintError

        try:
            self._session = Session.connect(self._home, launch=False, software="a benchmark")
        except InpaintError:
            return False
        return True

    def ask(self, case: Scene, who: str) -> np.ndarray:
        from backend.client.session import InpaintRequest
        from backend.wire.geometry import Rect, request_rect
        from backend.wire.messages import Buffer

        assert self._session is not None
        params: dict[str, Any] = {"grow": 4, "feather": 2, "context": 0}
        if who == ALIKE:
            params = {"grow": 0, "feather": 0, "context": 128, "seam": "off"}
        rows, columns = np.flatnonzero(case.hole.any(1)), np.flatnonzero(case.hole.any(0))
        top, left = int(rows[0]), int(columns[0])
        selected = Rect(left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top)
        canvas = Rect(0, 0, case.hole.shape[1], case.hole.shape[0])
        part = request_rect(
            selected, canvas, self._card, params["grow"], params["feather"], params["context"]
        )
        inside = slice(part.y, part.y + part.height), slice(part.x, part.x + part.width)
        image = np.ascontiguousarray(case.image[inside])
        mask = case.hole[inside].astype(np.uint8) * 255
        request = InpaintRequest(
            "RGB",
            Buffer(image.shape, "u1", image.data.cast("B")),
            Buffer(mask.shape, "u1", mask.data.cast("B")),
            _MODEL,
            params,
            offset=(part.x, part.y),
        )
        result = self._session.inpaint(request)
        ((_, patch),) = result.candidates
        layer = np.frombuffer(patch.data, np.uint8).reshape(patch.shape)
        x, y = result.offset[0] - part.x, result.offset[1] - part.y
        there = image[y : y + layer.shape[0], x : x + layer.shape[1]]
        alpha = layer[..., 3:].astype(np.float32) / 255
        there[...] = np.rint(layer[..., :3] * alpha + there * (1 - alpha))
        return image

    def stop(self) -> None:
        if self._session is not None:
            self._session.close()
        super().stop()


def measure(server: Server, case: Scene, who: str) -> tuple[dict[str, float], np.ndarray]:
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
        picture = server.ask(case, who)
    finally:
        done.set()
        watcher.join()
    return {"s": time.perf_counter() - begun, "CPU s": used() - begun_cpu, "peak MB": peak}, picture


def compare(servers: Mapping[str, Server], case: Scene, rounds: int) -> list[str]:
    """The lines of a table, medians of the rounds, and how far two fills of the same crop differ."""
    found: dict[str, list[dict[str, float]]] = {who: [] for who in servers}
    pictures = {}
    for _ in range(rounds):
        for who, server in servers.items():
            numbers, pictures[who] = measure(server, case, who)
            found[who].append(numbers)
            click.echo(f"{who}: {numbers['s']:.2f} s", err=True)
    medians = {
        who: {key: statistics.median(one[key] for one in each) for key in each[0]}
        for who, each in found.items()
    }
    reference = medians[REFERENCE]
    lines = [
        "| | s | CPU s | peak MB | time ratio | CPU ratio | memory ratio |",
        "|---|---|---|---|---|---|---|",
    ]
    for who, numbers in medians.items():
        cells = [f"{numbers['s']:.2f}", f"{numbers['CPU s']:.2f}", f"{numbers['peak MB']:.0f}"]
        cells += [f"{numbers[key] / reference[key]:.2f}" for key in numbers]
        lines.append(f"| {who} | {' | '.join(cells)} |")
    return lines


@click.command()
@click.option(
    "--iopaint", "program", required=True, help="The command `iopaint` of an environment of its own."
)
@click.option("--out", type=click.Path(path_type=Path), default=Path(".cache/benchmarks"), show_default=True)
@click.option("--cases", default=USUAL, show_default=True, help=f"Of {', '.join(CASES)}.")
@click.option("--rounds", default=3, show_default=True, help="Requests of each kind; medians count.")
@click.option("--threads", default=2, show_default=True, help="Cores that a network may use.")
def main(program: str, out: Path, cases: str, rounds: int, threads: int) -> None:
    """Ask both for the same fills, in turn; write a table of seconds, CPU seconds, MB, and ratios."""
    limits = {f"{library}_NUM_THREADS": str(threads) for library in ("OMP", "NUMBA", "OPENBLAS", "MKL")}
    lines = [f"# Beside IOPaint: LaMa on the CPU, {threads} threads", ""]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        weights = folder / f"{_MODEL}.pt"
        write_weights(weights)
        theirs = IOPaint(program, weights, folder, limits)
        try:
            ours = Ours(weights, folder, limits)
            try:
                servers = {REFERENCE: theirs, "IOPaint, JPEG": theirs, "ours": ours, ALIKE: ours}
                first = scene("1-square")
                for who, server in servers.items():
                    server.ask(first, who)
                for name in cases.split(","):
                    lines += [f"## {CASES[name]}", "", *compare(servers, scene(name), rounds), ""]
            finally:
                ours.stop()
        finally:
            theirs.stop()
    report = "\n".join(lines)
    out.mkdir(parents=True, exist_ok=True)
    (out / "iopaint.md").write_text(report, encoding="utf-8")
    click.echo(report)


if __name__ == "__main__":
    main()
