"""`ai-inpaint` with workers whose models wait, crash and eat memory.

It is recorded as the Python of an installation, so that the plugin itself starts it, with `-m backend.cli` as
the first two arguments.
"""

from __future__ import annotations

import functools
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))
os.environ["PYTHONPATH"] = str(ROOT)  # for the worker

import backend.server  # noqa: E402
from backend.cli import main  # noqa: E402

WORKER = [sys.executable, str(ROOT / "tests" / "backend" / "odd_worker.py")]

backend.server.serve = functools.partial(backend.server.serve, worker_command=WORKER)
sys.argv[1:3] = []
main()
