"""Messages to frames and back.

A header that another program wrote is not trusted: every size is checked against the frame that came
with it before it is used, and whatever is wrong becomes an `InpaintError`.
"""

from __future__ import annotations

from typing import Any, Dict, List, Sequence, Tuple

import msgpack

from .errors import BAD_MESSAGE, VERSION, InpaintError
from .messages import MAX_BUFFERS, MAX_HEADER_BYTES, PROTOCOL, Buffer, Bytes, Message
from .pixels import SAMPLE_BYTES

_OWN_KEYS = ("v", "type", "id", "buffers")


def encode(message: Message) -> List[Bytes]:
    """The frames of a message: its header, then every buffer's own bytes, not copied.

    Raises:
        ValueError: a buffer's data does not have the length that its shape and type say.
    """
    described = []
    frames: List[Bytes] = []
    for name, buffer in message.buffers.items():
        data = memoryview(buffer.data)
        if data.nbytes != _length(buffer.shape, buffer.dtype):
            raise ValueError(f"buffer {name} of {data.nbytes} bytes is not {buffer.shape} {buffer.dtype}")
        if not data.contiguous:
            raise ValueError(f"buffer {name} is not contiguous")
        described.append({"name": name, "shape": list(buffer.shape), "dtype": buffer.dtype})
        frames.append(buffer.data)
    header = dict(message.fields)
    header.update(v=list(PROTOCOL), type=message.type, id=message.id, buffers=described)
    return [msgpack.packb(header), *frames]


def decode(frames: Sequence[Bytes]) -> Message:
    """The message that frames hold; buffers keep pointing into the frames.

    Raises:
        InpaintError: `bad-message` or `version`. It has an attribute `id`, the request's id as far as
            it could be read, else "".
    """
    try:
        return _decode(frames)
    except InpaintError as problem:
        problem.id = _readable_id(frames)  # type: ignore[attr-defined]
        raise


def _decode(frames: Sequence[Bytes]) -> Message:
    header = _header(frames)
    version = header.get("v")
    if not isinstance(version, list) or not version or type(version[0]) is not int:
        raise InpaintError(BAD_MESSAGE, "The message does not say which protocol version it speaks.")
    if version[0] != PROTOCOL[0]:
        older = "the sender" if version[0] < PROTOCOL[0] else "the receiver"
        raise InpaintError(
            VERSION,
            "Plugin and backend speak different versions of the protocol: "
            f"sender {version[0]}, receiver {PROTOCOL[0]}.",
            f"Update {older}: run install.py of the newer one again.",
        )
    kind, id = header.get("type"), header.get("id")
    if not isinstance(kind, str) or not kind or len(kind) > 64:
        raise InpaintError(BAD_MESSAGE, "The message has no type.")
    unasked = kind == "error" and id == ""  # the answer to a message whose id could not be read
    if not isinstance(id, str) or not (1 <= len(id) <= 64 or unasked):
        raise InpaintError(BAD_MESSAGE, "The message has no id of 1 to 64 characters.")
    fields = {key: value for key, value in header.items() if key not in _OWN_KEYS}
    return Message(kind, id, fields, _buffers(header.get("buffers", []), frames[1:]))


def _header(frames: Sequence[Bytes]) -> Dict[str, Any]:
    if not frames or memoryview(frames[0]).nbytes > MAX_HEADER_BYTES:
        raise InpaintError(BAD_MESSAGE, "The message has no header of a sensible size.")
    try:
        header = msgpack.unpackb(frames[0])
    except Exception as problem:  # msgpack raises a dozen types, some of them bare ValueErrors
        raise InpaintError(BAD_MESSAGE, "The message's header is not msgpack.") from problem
    if not isinstance(header, dict) or not all(isinstance(key, str) for key in header):
        raise InpaintError(BAD_MESSAGE, "The message's header is not a map.")
    return header


def _buffers(described: Any, frames: Sequence[Bytes]) -> Dict[str, Buffer]:
    if not isinstance(described, list) or len(described) > MAX_BUFFERS:
        raise InpaintError(BAD_MESSAGE, "The message's list of buffers is not one.")
    if len(described) != len(frames):
        raise InpaintError(
            BAD_MESSAGE, f"The message describes {len(described)} buffers and has {len(frames)}."
        )
    buffers: Dict[str, Buffer] = {}
    for entry, data in zip(described, frames):
        name = entry.get("name") if isinstance(entry, dict) else None
        if not isinstance(name, str) or len(name) > 64 or name in buffers:
            raise InpaintError(BAD_MESSAGE, "A buffer has no name of its own.")
        shape, dtype = entry.get("shape"), entry.get("dtype")
        if (
            not isinstance(shape, list)
            or not 1 <= len(shape) <= 3
            or not all(type(side) is int and 0 < side < 2**31 for side in shape)
            or not isinstance(dtype, str)
            or dtype not in SAMPLE_BYTES
        ):
            raise InpaintError(BAD_MESSAGE, f"The buffer {name!r} has no sensible shape and type.")
        if _length(tuple(shape), dtype) != memoryview(data).nbytes:
            raise InpaintError(
                BAD_MESSAGE, f"The buffer {name!r} does not have the length that its shape says."
            )
        buffers[name] = Buffer(tuple(shape), dtype, data)
    return buffers


def _length(shape: Tuple[int, ...], dtype: str) -> int:
    count = SAMPLE_BYTES[dtype]
    for side in shape:
        count *= side
    return count


def _readable_id(frames: Sequence[Bytes]) -> str:
    try:
        id = _header(frames).get("id")
    except InpaintError:
        return ""
    return id if isinstance(id, str) and len(id) <= 64 else ""
