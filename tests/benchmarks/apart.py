"""A measurement in a process of its own: its memory is its own, a crash is one cell of a table."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from typing import Any


class Failure(Exception):
    """The measurement gave nothing; the text says why, for the table to show."""


def measure(module: str, arguments: list[str], threads: int, timeout: int) -> Any:
    """What `python -m module --one ARGUMENTS` prints as JSON.

    Args:
        module: the benchmark's own name.
        arguments: what follows `--one`.
        threads: cores that the libraries may use.
        timeout: seconds.

    Raises:
        Failure: it took longer, or it failed.
    """
    limits = {f"{library}_NUM_THREADS": str(threads) for library in ("OMP", "NUMBA", "OPENBLAS", "MKL")}
    command = [sys.executable, "-m", module, "--one", *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout, env={**os.environ, **limits}
        )
    except subprocess.TimeoutExpired:
        raise Failure(f"more than {timeout} s") from None
    if done.returncode != 0:
        raise Failure(f"failed: {(done.stderr.strip().splitlines() or ['killed'])[-1]}")
    return json.loads(done.stdout)


def peak_memory(device: str = "cpu") -> float:
    """The most that was in use so far, MB: of the device's memory, or by this process."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 2**20)
