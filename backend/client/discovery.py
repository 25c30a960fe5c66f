"""The connection file: how an editor finds the backend that runs, and proves that it may talk to it.

Whoever can read the file may talk to the backend; so it is written with mode 0600, in a folder of mode 0700,
in one step. The file of a backend on another machine can be copied here and named with the environment
variable AI_INPAINT_CONNECTION.
"""

from __future__ import annotations

import ipaddress
import json
import os
import socket
import stat
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Dict, Optional, Tuple

from ..wire.errors import NOT_RUNNING, TRANSPORT, UNAUTHORISED, InpaintError
from ..wire.messages import PROTOCOL
from .files import write_json
from .processes import alive, pid_namespace

MECHANISMS = ("PLAIN", "CURVE")
_MAX_BYTES = 65536
_TEXTS = (
    "endpoint", "mechanism", "software", "username", "secret",
    "server_key", "client_key", "client_secret", "host", "namespace",
)  # fmt: skip


@dataclass(frozen=True)
class Connection:
    """What the connection file says.

    Attributes:
        endpoint: `tcp://HOST:PORT`.
        mechanism: `PLAIN` (loopback only) or `CURVE`.
        protocol: (major, minor) that the server speaks.
        software: the server's version.
        username, secret: for PLAIN; the secret is 256 random bits in hexadecimal.
        server_key, client_key, client_secret: for CURVE, in Z85 (40 characters).
        pid, host, namespace: of the server: process number, `socket.gethostname()`, and on Linux the
            process namespace in which the number counts.
    """

    endpoint: str
    mechanism: str
    protocol: Tuple[int, ...] = PROTOCOL
    software: str = ""
    username: str = ""
    secret: str = field(default="", repr=False)
    server_key: str = ""
    client_key: str = ""
    client_secret: str = field(default="", repr=False)
    pid: int = 0
    host: str = field(default_factory=socket.gethostname)
    namespace: str = field(default_factory=pid_namespace)

    @property
    def address(self) -> Tuple[str, int]:
        """Host and port of the endpoint.

        Raises:
            InpaintError: `transport`, if the endpoint is no TCP address.
        """
        scheme, _, rest = self.endpoint.partition("://")
        host, _, port = rest.rpartition(":")
        if scheme != "tcp" or not host or not port.isdigit() or not 0 < int(port) < 65536:
            raise InpaintError(
                TRANSPORT,
                f"The backend's address {self.endpoint!r} is not understood.",
                "It has the form tcp://HOST:PORT.",
            )
        return host.strip("[]"), int(port)

    @property
    def local(self) -> bool:
        """True if `pid` can be looked up among this machine's processes."""
        return self.host.lower() == socket.gethostname().lower() and self.namespace == pid_namespace()

    @property
    def stale(self) -> bool:
        """True if the backend is known to have ended without removing the file."""
        return self.local and not alive(self.pid)


def is_loopback(host: str) -> bool:
    """True if what is sent to `host` cannot leave this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read(path: Path) -> Connection:
    """Read a connection file, whether or not its backend still runs.

    Raises:
        InpaintError: `not-running` if there is no file or it is broken, `unauthorised` if another user could
            have written it, `transport` if it asks for something that this client does not know.
    """
    try:
        with open(path, "rb") as stream:
            _check_owner(path, os.fstat(stream.fileno()))
            content = json.loads(stream.read(_MAX_BYTES).decode("utf-8"))
    except FileNotFoundError:
        raise InpaintError(
            NOT_RUNNING, "The backend is not running.", "Start it with: ai-inpaint serve."
        ) from None
    except OSError as problem:
        raise InpaintError(
            NOT_RUNNING,
            f"The connection file {path} cannot be read: {problem.strerror}.",
            "Make it readable for your user.",
        ) from problem
    except ValueError as problem:
        raise _broken(path) from problem
    if not isinstance(content, dict):
        raise _broken(path)
    return _from_json(path, content)


def write(connection: Connection, path: Path) -> None:
    """Write a connection file in one step, for its owner alone.

    Raises:
        OSError: the folder or the file cannot be written.
    """
    content = {key: value for key, value in asdict(connection).items() if value != ""}
    write_json(path, content)


def find(path: Path) -> Optional[Connection]:
    """The connection of the backend that runs, or None; a stale or broken file counts as none.

    Raises:
        InpaintError: `unauthorised` or `transport`, as for `read`.
    """
    try:
        connection = read(path)
    except InpaintError as problem:
        if problem.code == NOT_RUNNING:
            return None
        raise
    return None if connection.stale else connection


def remove_if_mine(path: Path) -> bool:
    """Remove the file if this process wrote it; a successor's file stays.

    Returns:
        True if it was removed.
    """
    try:
        connection = read(path)
    except InpaintError:
        return False
    if not connection.local or connection.pid != os.getpid():
        return False
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True


def _check_owner(path: Path, status: os.stat_result) -> None:
    if os.name != "posix":
        return  # on Windows the folder in the user's profile is closed to others
    if status.st_uid not in (0, os.geteuid()) or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise InpaintError(
            UNAUTHORISED,
            f"Other users can change the connection file {path}, so it is not trusted.",
            "Delete it and start the backend again, or give it mode 0600 if you copied it.",
        )


def _from_json(path: Path, content: Dict[str, Any]) -> Connection:
    known = {key: content.get(key, "") for key in _TEXTS}
    protocol, pid = content.get("protocol"), content.get("pid", 0)
    if (
        not all(isinstance(value, str) for value in known.values())
        or not isinstance(protocol, list)
        or not protocol
        or not all(type(part) is int for part in protocol)
        or type(pid) is not int
        or len(known["username"].encode()) > 255
        or len(known["secret"].encode()) > 255  # PLAIN has one byte for each length
    ):
        raise _broken(path)
    if known["mechanism"] not in MECHANISMS:
        raise InpaintError(
            TRANSPORT,
            "The backend asks for the security mechanism {!r}, which is not known.".format(
                known["mechanism"][:20]
            ),
            "Update the plugin: run install.py again.",
        )
    needed = {"PLAIN": ("secret",), "CURVE": ("server_key", "client_key", "client_secret")}
    if not all(known[key] for key in ("endpoint", *needed[known["mechanism"]])):
        raise _broken(path)
    return Connection(protocol=tuple(protocol), pid=pid, **known)


def _broken(path: Path) -> InpaintError:
    return InpaintError(
        NOT_RUNNING, f"The connection file {path} is broken.", "Delete it and start the backend again."
    )
