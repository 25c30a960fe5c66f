"""A process that fetches one model's weights for the server: `python -m backend.store`.

Its orders are one line of JSON on standard input: {"model": name}. What it has to tell are lines of JSON on
standard output: {"stage", "fraction"} as it goes on, then {"done": name} or {"error": {code, message,
hint}}. It ends when standard input does, so that it never outlives the server; what has arrived is kept.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import Any

TELL_EVERY = 0.1  # seconds


def main() -> None:
    """Fetch what the orders say."""
    orders = json.loads(sys.stdin.buffer.readline() or b"{}")
    if "model" not in orders:
        sys.exit("This program is started by the backend's server; run `ai-inpaint models get`.")
    threading.Thread(target=_end_with_the_server, daemon=True).start()

    from ..wire.errors import InpaintError
    from .fetching import fetch

    told = 0.0

    def progress(fraction: float, stage: str) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told >= TELL_EVERY:
            told = now
            _tell({"stage": stage, "fraction": fraction})

    try:
        _tell({"done": fetch(orders["model"], progress).name})
    except InpaintError as problem:
        _tell({"error": problem.as_fields()})


def _tell(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def _end_with_the_server() -> None:
    os.read(sys.stdin.fileno(), 1)  # returns when the other end is closed
    os._exit(0)


if __name__ == "__main__":
    main()
