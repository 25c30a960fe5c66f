"""The two programs that `iopaint` compares: each is started, asked over its own protocol, and ended."""

from __future__ import annotations

import base64
import io
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import psutil
from PIL import Image

MODEL = "random-lama"
CROP = {"grow": 0, "feather": 0, "context": 128, "seam": "off"}
"""Settings with which ours gives its network the part of the picture that IOPaint gives to its own."""

_START = 180.0  # seconds given to a server


class Scene(NamedTuple):
    """A picture, uint8 H x W x 3, its hole, bool H x W, and both as files."""

    image: np.ndarray
    hole: np.ndarray
    png: bytes
    jpeg: bytes
    mask: bytes


class Server(ABC):
    """A program that is started, asked over its own protocol, and ended."""

    def __init__(self, command: list[str], environment: Mapping[str, str], log: Path) -> None:
        with open(log, "wb") as out:
            self._process = subprocess.Popen(
                command, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
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
    def ask(self, case: Scene, alternative: bool = False) -> np.ndarray:
        """The picture with its hole filled, uint8 H x W x 3."""

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
    """`iopaint start`; alternatively it is sent the picture as JPEG, and answers in kind."""

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

    def ask(self, case: Scene, alternative: bool = False) -> np.ndarray:
        kind, picture = ("jpeg", case.jpeg) if alternative else ("png", case.png)
        fields = {"image": _url(kind, picture), "mask": _url("png", case.mask), "hd_strategy": "Crop"}
        request = urllib.request.Request(
            f"{self._address}/inpaint", json.dumps(fields).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request) as reply:
            return np.asarray(Image.open(io.BytesIO(reply.read())).convert("RGB"))


def _url(kind: str, file: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(file).decode()}"


class Ours(Server):
    """`ai-inpaint serve`, asked as the plugins ask; alternatively to look at what IOPaint looks at."""

    def __init__(self, weights: Path, folder: Path, threads: Mapping[str, str]) -> None:
        from backend.client.session import Session

        self._session: Session | None = None
        self._home = folder / "state"
        places = {"AI_INPAINT_HOME": str(self._home), "AI_INPAINTMODELS": str(folder / "weights"), **threads}
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
        cards, common = self._session.models()
        self._card = next(card for card in cards if card["name"] == MODEL)
        self._defaults = {spec["name"]: spec["default"] for spec in common}

    def _ready(self) -> bool:
        from backend.client.session import Session
        from backend.wire.errors import InpaintError

        try:
            self._session = Session.connect(self._home, launch=False, software="a benchmark")
        except InpaintError:
            return False
        return True

    def ask(self, case: Scene, alternative: bool = False) -> np.ndarray:
        from backend.client.session import InpaintRequest
        from backend.wire.geometry import Rect, request_rect
        from backend.wire.messages import Buffer

        assert self._session is not None
        params = CROP if alternative else self._defaults
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
            MODEL,
            params,
            offset=(part.x, part.y),
        )
        result = self._session.inpaint(request)
        ((_, patch),) = result.candidates
        layer = np.frombuffer(patch.data, np.uint8).reshape(patch.shape)
        (x, y), picture = result.offset, case.image.copy()
        there = picture[y : y + layer.shape[0], x : x + layer.shape[1]]
        alpha = layer[..., 3:].astype(np.float32) / 255
        there[...] = np.rint(layer[..., :3] * alpha + there * (1 - alpha))
        return picture

    def stop(self) -> None:
        if self._session is not None:
            self._session.close()
        super().stop()
