"""A real server with real workers, each test its own, and a client that is no more than a socket."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import zmq

from backend.wire import codec
from backend.wire.messages import Buffer, Message, new_id

ROOT = Path(__file__).resolve().parents[2]
ODD_WORKER = [sys.executable, str(Path(__file__).with_name("odd_worker.py"))]

# What `ai-inpaint serve` does, without the command line: the connection goes to standard output.
PROGRAM = """
import json, logging, sys
from backend.server.security import CurveKeys
from backend.server import serve
logging.basicConfig(level=logging.INFO)
def on_ready(info):
    print(json.dumps({**info, "modules": sorted(sys.modules)}), flush=True)
options = json.loads(sys.argv[1])
if "keys" in options:
    options["keys"] = CurveKeys(**options["keys"])
serve(**options, on_ready=on_ready)
"""


class Client:
    """A DEALER that speaks the protocol and keeps nothing back from the test."""

    def __init__(self, info: dict[str, Any]) -> None:
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.ipv6 = True
        self.heard: list[Message] = []
        if info["mechanism"] == "PLAIN":
            self.socket.plain_username = info["username"].encode()
            self.socket.plain_password = info["secret"].encode()
        else:
            self.socket.curve_serverkey = info["server_key"].encode()
            self.socket.curve_publickey = info["client_key"].encode()
            self.socket.curve_secretkey = info["client_secret"].encode()
        self.socket.connect(info["endpoint"])

    def send(self, type: str, buffers: dict[str, Buffer] | None = None, **fields: Any) -> str:
        """Send a message; its id."""
        message = Message(type, fields.pop("id", None) or new_id(), fields, buffers or {})
        self.socket.send_multipart(codec.encode(message))
        return message.id

    def receive(self, seconds: float = 20.0) -> Message:
        """The next message that comes in, whatever it is."""
        if not self.socket.poll(1000 * seconds):
            raise TimeoutError(f"the server said nothing for {seconds} s")
        return codec.decode(self.socket.recv_multipart())

    def answer(self, id: str, seconds: float = 30.0) -> Message:
        """What ends the request `id`."""
        return self.wait(lambda message: message.id == id and message.type != "progress", seconds)

    def wait(self, wanted: Callable[[Message], bool], seconds: float = 30.0) -> Message:
        """The first message that is `wanted`; others are kept for later."""
        deadline = time.monotonic() + seconds
        tried = 0
        while True:
            for index in range(tried, len(self.heard)):
                if wanted(self.heard[index]):
                    return self.heard.pop(index)
            tried = len(self.heard)
            self.heard.append(self.receive(max(deadline - time.monotonic(), 0.01)))

    def ask(self, type: str, **fields: Any) -> Message:
        """Send a message, and its answer."""
        return self.answer(self.send(type, **fields))

    def inpaint(self, model: str = "patient", side: int = 24, id: str | None = None, **params: Any) -> str:
        """Ask for a square hole in a gray picture to be filled; the job's id."""
        mask = bytearray(side * side)
        for row in range(side // 3, 2 * side // 3):
            mask[row * side + side // 3 : row * side + 2 * side // 3] = b"\xff" * (side // 3)
        buffers = {
            "image": Buffer((side, side, 3), "u1", b"\x80" * (3 * side * side)),
            "mask": Buffer((side, side), "u1", mask),
        }
        plain = {"grow": 0, "feather": 0, "seam": "off", **params}
        return self.send("inpaint", buffers, id=id, model=model, image={"layout": "RGB"}, params=plain)

    def running(self, id: str, seconds: float = 30.0) -> None:
        """Wait until the model itself reports progress on the job `id`."""
        self.wait(lambda message: message.id == id and message.fields.get("stage") == "dreaming", seconds)

    def close(self) -> None:
        """Go, as an editor that was killed does: without a word."""
        self.socket.close(linger=0)


class Running:
    """A server process."""

    def __init__(self, **options: Any) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, json.dumps(options)],
            stdout=subprocess.PIPE,
            env=environment,
            cwd=ROOT,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.seconds_to_ready = time.monotonic() - self.started
        assert line, "the server ended before it was ready"
        self.info = json.loads(line)
        self.clients: list[Client] = []

    def client(self, **changes: Any) -> Client:
        """A new client, with the connection's data or some of it changed."""
        self.clients.append(Client({**self.info, **changes}))
        return self.clients[-1]

    def workers(self, count: int = 1, seconds: float = 60.0) -> list[psutil.Process]:
        """The worker processes, as soon as `count` of them are ready."""
        client, deadline = self.client(), time.monotonic() + seconds
        while time.monotonic() < deadline:
            entries = client.ask("status").fields["workers"]
            ready = [psutil.Process(entry["pid"]) for entry in entries if entry["state"] != "starting"]
            if len(ready) >= count:
                return ready
            time.sleep(0.1)
        raise TimeoutError(f"not {count} workers: {entries}")

    def wait(self, seconds: float = 10.0) -> int:
        """Its exit code, when it has ended."""
        return self.process.wait(seconds)

    def close(self) -> None:
        """End it if it still runs, and whatever it left behind."""
        for client in self.clients:
            client.close()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()  # its workers go with it, which a test of its own shows
                self.process.wait()
                raise
        assert self.process.stdout is not None
        self.process.stdout.close()


def _start() -> Iterator[Callable[..., Running]]:
    """Starts servers with workers that know the odd models; options are those of `serve`."""
    servers: list[Running] = []

    def start(**options: Any) -> Running:
        servers.append(Running(**{"worker_command": ODD_WORKER, **options}))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


start = pytest.fixture(_start, name="start")
start_for_module = pytest.fixture(_start, name="start_for_module", scope="module")


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    """One server for the tests of a module that leave it as it was."""
    running = Running(worker_command=ODD_WORKER)
    yield running
    running.close()
