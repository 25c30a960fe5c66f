"""Sessions with a backend that a test has started, and what is sent in them."""

from __future__ import annotations

from typing import Any

import numpy as np

from backend.client.discovery import Connection
from backend.client.session import Session
from backend.wire.messages import Buffer


def session(backend: Any, prefer: str) -> Session:
    """A session, over "zmq" or "zmtp"."""
    known = {name: value for name, value in backend.info.items() if name not in ("modules", "protocol")}
    connection = Connection(**known, protocol=tuple(backend.info["protocol"]))
    return Session.open(connection, "a test", prefer)


def buffer(array: np.ndarray) -> Buffer:
    """An array as it travels."""
    array = np.ascontiguousarray(array)
    return Buffer(array.shape, f"{array.dtype.kind}{array.dtype.itemsize}", array.tobytes())
