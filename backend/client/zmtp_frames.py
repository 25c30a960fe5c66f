"""ZMTP 3.1 as bytes (rfc.zeromq.org/spec/37): greeting, frames, commands. No sockets here."""

from __future__ import annotations

import struct
from typing import Dict, Iterator, NamedTuple, Optional, Tuple

MORE, LONG, COMMAND = 1, 2, 4
GREETING = -1
"""Stands for the flags of the first 64 bytes, which are no frame yet."""

GREETING_BYTES = 64
_SCRATCH_BYTES = 65536


# libzmq's PLAIN server writes the name of its ERROR command as "\x5ERROR", which C reads as "^RROR".
_LIBZMQ_ERROR = b"^RROR"


class Malformed(Exception):
    """The peer does not speak ZMTP, or another dialect."""


class Frame(NamedTuple):
    """One frame, or the greeting."""

    flags: int
    body: bytearray


def greeting(mechanism: str) -> bytes:
    """The 64 bytes that a client says first: signature, version 3.1, mechanism, not a server."""
    return struct.pack(">B8sBBB20sB31x", 0xFF, b"\0\0\0\0\0\0\0\1", 0x7F, 3, 1, mechanism.encode("ascii"), 0)


def check_greeting(said: bytearray, mechanism: str) -> None:
    """Check the peer's greeting.

    Raises:
        Malformed: it is older than ZMTP 3 or wants another mechanism.
    """
    signature, _, seventh_bit, major, _, asked = struct.unpack_from(">B8sBBB20s", said)
    if signature != 0xFF or not seventh_bit & 1 or major < 3:
        raise Malformed("not ZMTP 3")
    if asked.rstrip(b"\0") != mechanism.encode("ascii"):
        raise Malformed("another mechanism")


def frame_header(size: int, more: bool = False, is_command: bool = False) -> bytes:
    """What precedes a frame's body of `size` bytes."""
    flags = (MORE if more else 0) | (COMMAND if is_command else 0)
    return struct.pack(">BB", flags, size) if size < 256 else struct.pack(">BQ", flags | LONG, size)


def command(name: bytes, data: bytes = b"") -> bytes:
    """A whole command frame."""
    body = bytes([len(name)]) + name + data
    return frame_header(len(body), is_command=True) + body


def parse_command(body: bytearray) -> Tuple[bytes, bytes]:
    """Name and data of a command frame's body.

    Raises:
        Malformed: there is no name.
    """
    if body.startswith(_LIBZMQ_ERROR):
        return b"ERROR", bytes(body[len(_LIBZMQ_ERROR) :])
    if not body or len(body) < 1 + body[0] or not body[0]:
        raise Malformed("a command without a name")
    end = 1 + body[0]
    return bytes(body[1:end]), bytes(body[end:])


def hello(username: str, password: str) -> bytes:
    """PLAIN's first command (rfc.zeromq.org/spec/24)."""
    user, word = username.encode(), password.encode()
    return command(b"HELLO", bytes([len(user)]) + user + bytes([len(word)]) + word)


def metadata(properties: Dict[str, bytes]) -> bytes:
    """The properties of a READY or INITIATE command."""
    return b"".join(
        bytes([len(name)]) + name.encode("ascii") + struct.pack(">I", len(value)) + value
        for name, value in properties.items()
    )


def parse_metadata(data: bytes) -> Dict[str, bytes]:
    """The properties of a READY command, their names in lower case (the case has no meaning).

    Raises:
        Malformed: a length points past the end.
    """
    properties: Dict[str, bytes] = {}
    at = 0
    while at < len(data):
        name_end = at + 1 + data[at]
        if name_end + 4 > len(data):
            raise Malformed("metadata cut short")
        (size,) = struct.unpack_from(">I", data, name_end)
        value_end = name_end + 4 + size
        if value_end > len(data):
            raise Malformed("metadata cut short")
        name = data[at + 1 : name_end].decode("ascii", "replace").lower()
        properties[name] = data[name_end + 4 : value_end]
        at = value_end
    return properties


class FrameReader:
    """Puts frames together from whatever pieces arrive; the body of a large frame is received in place.

    Attributes:
        limit: largest body in bytes; a larger one is refused when its length is read, before anything
            is allocated for it.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._greeted = False
        self._scratch = bytearray(_SCRATCH_BYTES)
        self._start = self._end = 0  # what the scratch holds and is not yet taken
        self._flags = 0
        self._body: Optional[bytearray] = None  # of the frame in the making
        self._have = 0

    def space(self) -> memoryview:
        """Where the next bytes are to be received; never empty."""
        if self._body is not None:
            return memoryview(self._body)[self._have :]
        if self._start:
            # What is left is less than a frame's header or the greeting: moving it costs nothing.
            rest = self._scratch[self._start : self._end]
            self._scratch[: len(rest)] = rest
            self._start, self._end = 0, len(rest)
        return memoryview(self._scratch)[self._end :]

    def filled(self, count: int) -> Iterator[Frame]:
        """The frames that `count` bytes more in `space` complete; run it to its end.

        It goes on lazily, so that `limit` can be changed between two frames.

        Raises:
            Malformed: the bytes are no frames, or one is larger than the limit.
        """
        if self._body is None:
            self._end += count
            frame = self._next()
            while frame is not None:
                yield frame
                frame = self._next()
        else:
            self._have += count
            if self._have == len(self._body):
                frame, self._body = Frame(self._flags, self._body), None
                yield frame

    def _next(self) -> Optional[Frame]:
        """Take a frame from the scratch, or begin one that is not all there."""
        available = self._end - self._start
        if available and not self._greeted and self._scratch[self._start] != 0xFF:
            raise Malformed("not ZMTP")
        if not self._greeted:
            if available < GREETING_BYTES:
                return None
            self._greeted = True
            return Frame(GREETING, self._take(GREETING_BYTES))
        if available < 2:
            return None
        flags = self._scratch[self._start]
        if flags & ~(MORE | LONG | COMMAND) or flags & (MORE | COMMAND) == MORE | COMMAND:
            raise Malformed("unknown flags")
        header, size = 2, self._scratch[self._start + 1]
        if flags & LONG:
            header = 9
            if available < header:
                return None
            (size,) = struct.unpack_from(">Q", self._scratch, self._start + 1)
        if size > self.limit:
            raise Malformed("a frame beyond the limit")
        self._start += header
        if size <= available - header:
            return Frame(flags, self._take(size))
        body = bytearray(size)
        self._have = available - header
        body[: self._have] = self._take(self._have)
        self._flags, self._body = flags, body
        return None

    def _take(self, size: int) -> bytearray:
        start, self._start = self._start, self._start + size
        return self._scratch[start : self._start]
