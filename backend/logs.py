"""Where the backend's log goes: to the terminal, or to a file that cannot grow without end."""

from __future__ import annotations

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

MAX_BYTES = 1_000_000
KEPT = 2
"""Older files that are kept beside the current one."""

_LINE = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


def to_terminal(level: int = logging.WARNING) -> None:
    """Log to standard error from now on."""
    _set(logging.StreamHandler(), level)


def to_file(path: Path, level: int = logging.INFO) -> None:
    """Log to a file from now on; at `MAX_BYTES` it becomes `path.1`, that `path.2`, and a new one begins.

    Raises:
        OSError: the file cannot be written. Its folder has to be there.
    """
    _set(RotatingFileHandler(path, maxBytes=MAX_BYTES, backupCount=KEPT, encoding="utf-8"), level)


def _set(handler: logging.Handler, level: int) -> None:
    handler.setFormatter(logging.Formatter(_LINE))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(level)
