"""What travels between an editor and the backend: the protocol's specification.

Transport: a DEALER (client) and a ROUTER (server) of ZeroMQ. On loopback the PLAIN mechanism with the
secret of the connection file, on any other address CURVE. A message is one header frame (a msgpack map,
see `codec`) and then one frame of raw bytes per buffer that the header describes.

Every header has

    v        [major, minor] of the protocol
    type     one of the types below
    id       chosen by the client for each request (1 to 64 characters); every reply repeats it. It is
             empty only in the error that answers a message whose id could not be read
    buffers  list of {name, shape, dtype}, one for each further frame, in their order

and the fields of its type. Unknown fields are ignored; an unknown type is answered with an `error`.
Another major version is answered with an `error` of code `version`, whatever else the message says.

Client to server
    hello     software (text)                    -> hello
    models    -                                  -> models
    inpaint   model, params, image, buffers      -> progress ..., then result or error
    fetch     model                              -> progress ..., then fetched or error; from 1.1 on
    sketch    params, image, buffers             -> progress ..., then result or error; from 1.2 on
    select    params, image, buffers             -> progress ..., then selected or error; from 1.3 on
    cancel    job (the id of an inpaint, a       -> ok; the job itself ends with an error `cancelled`
              fetch, a sketch or a select)
    status    -                                  -> status
    shutdown  -                                  -> ok, then the server ends

Server to client
    hello     software, pid, host (of the server)
    models    models (list of cards), common (specs of the settings that all models share);
              a card's own settings are its `params`. From 1.1 on a card says whether it is
              `installed`, and in `download` what fetching its weights means: {bytes (0 unknown),
              licence, commercial (whether it allows commercial use), page}, or null where a program
              cannot fetch them. What was installed or imported meanwhile is in every answer
    progress  stage (text), fraction (0 to 1); at least once a second while a job waits or runs. While
              it waits, stage is "waiting" and position its place in the queue, from 1
    result    model (what filled it), offset [x, y], layout, candidates [{seed, buffer}];
              one buffer a candidate, h x w x C
    selected  count (of the marks, or mosaics), offset [x, y], doubts (list of sentences for the user:
              what looks wrong, or was left out as it is not certain); one buffer, mask, h x w, u1:
              255 is selected, 0 is not
    fetched   model; its weights are on the backend's computer, and it can be asked to fill
    status    software, pid, host, uptime (s), idle_timeout (s, 0 never),
              workers (list of {pid, device, state, models, memory (bytes)}; state is "starting", "idle"
              or "busy", models those that are loaded),
              jobs (list of {id, model, state, stage, fraction, seconds}; state is "running" or
              "waiting"), queued (number of those that wait)
    ok        -
    error     code, message, hint (see `errors`)

fetch in full
    model     name of a card that has a `download`. Before it sends this, a client shows the user the
              licence, if that does not allow commercial use. Fetches run beside the fills and never keep
              them waiting; `progress` has the stages "downloading" and "checking". What has arrived when
              a fetch is cancelled or breaks off is kept, and the next one goes on from there

inpaint in full
    model     name from `models`, or "auto"
    params    map of settings, shared and the model's own; what is missing takes its default
    image     {layout}, a key of `pixels.LAYOUTS`
    offset    [x, y] of the sent region in the document, whole pixels, default [0, 0]; the result's
              offset is in the document, too
    buffers   image   H x W x C, any sample type of `pixels.SAMPLE_BYTES`
              mask    H x W, u1, u2 or f4; above 0 is hole
              source  H x W, u1, optional; above 0 is a pixel the fill may be taken from
              guide:NAME  H x W x C with C 1 to 4, u1, optional; guidance layers such as sketch

sketch, in detail: the lines of a region, black on nothing, for somebody to redraw
    params    map of settings: detail (0 to 100, default 50), detector ("auto", "hed", "gradients")
    image, offset, buffers image, as of inpaint
              mask    as of inpaint, optional; the part to draw, what is around it is looked at, too
    The result has one candidate, and `model` names the detector.

select, in detail: what is to be filled, found in a whole picture
    params    map of settings: what ("colour", "mosaics"), and for a colour: colour (rrggbb), tolerance
              (0 to 255), smallest (px)
    image, offset, buffers image, as of inpaint
    Where nothing is found the answer is an error `empty-mask`.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Tuple, Union

from .errors import BAD_IMAGE, BAD_MESSAGE, TOO_LARGE, InpaintError
from .pixels import LAYOUTS, SAMPLE_BYTES

PROTOCOL = (1, 3)
"""(major, minor). Another major version cannot be talked to; a higher minor only adds."""

MAX_PIXELS = 200_000_000
"""Largest picture region that is accepted, in pixels."""

MAX_BUFFERS = 16
MAX_HEADER_BYTES = 1 << 20
MAX_FRAME_BYTES = 3_200_000_000
"""`ZMQ_MAXMSGSIZE`: 200 million pixels of four float samples."""

GUIDE_PREFIX = "guide:"

_MASKS = ("u1", "u2", "f4")

Bytes = Union[bytes, bytearray, memoryview]


@dataclass
class Buffer:
    """Raw samples, and how to read them.

    Attributes:
        shape: (height, width) or (height, width, channels).
        dtype: a key of `pixels.SAMPLE_BYTES`.
        data: exactly height x width x channels x bytes a sample.
    """

    shape: Tuple[int, ...]
    dtype: str
    data: Bytes


@dataclass
class Message:
    """One message, either way. `fields` is the header without v, type, id, buffers."""

    type: str
    id: str
    fields: Dict[str, Any] = field(default_factory=dict)
    buffers: Dict[str, Buffer] = field(default_factory=dict)


def new_id() -> str:
    """An id that no other request has."""
    return uuid.uuid4().hex


def error(id: str, problem: InpaintError) -> Message:
    """The `error` message that carries `problem`."""
    return Message("error", id, problem.as_fields())


def check_inpaint(message: Message) -> None:
    """Check an `inpaint` request's shapes, types and names before anything is allocated for it.

    Settings are not checked here: that needs the model's card.

    Raises:
        InpaintError: `bad-message`, `bad-image` or `too-large`, naming what is wrong.
    """
    fields = message.fields
    if not isinstance(fields.get("model"), str):
        raise InpaintError(BAD_MESSAGE, "The request names no model.", 'Ask for "auto".')
    size = _check_picture(message)
    _same_size("mask", _buffer(message, "mask", _MASKS), size, 2)
    for name in message.buffers:
        if name == "source":
            _same_size(name, _buffer(message, name, ("u1",)), size, 2)
        elif name.startswith(GUIDE_PREFIX):
            _same_size(name, _buffer(message, name, ("u1",)), size, 3)
        elif name not in ("image", "mask"):
            raise InpaintError(BAD_IMAGE, f"The buffer {name[:40]!r} is not known.")


def check_sketch(message: Message) -> None:
    """Check a `sketch` request as `check_inpaint` does.

    Raises:
        InpaintError: `bad-message`, `bad-image` or `too-large`, naming what is wrong.
    """
    size = _check_picture(message)
    for name in message.buffers:
        if name == "mask":
            _same_size(name, _buffer(message, name, _MASKS), size, 2)
        elif name != "image":
            raise InpaintError(BAD_IMAGE, f"The buffer {name[:40]!r} is not known.")


def check_select(message: Message) -> None:
    """Check a `select` request as `check_inpaint` does.

    Raises:
        InpaintError: `bad-message`, `bad-image` or `too-large`, naming what is wrong.
    """
    _check_picture(message)
    for name in message.buffers:
        if name != "image":
            raise InpaintError(BAD_IMAGE, f"The buffer {name[:40]!r} is not known.")


def _check_picture(message: Message) -> Tuple[int, ...]:
    """Check what every request with a picture has; the picture's height and width."""
    fields = message.fields
    params = fields.get("params", {})
    if not isinstance(params, Mapping) or not all(
        isinstance(name, str) and isinstance(value, (bool, int, float, str)) for name, value in params.items()
    ):
        raise InpaintError(BAD_MESSAGE, "The request's params are not a map of names to plain values.")
    if not _is_point(fields.get("offset", [0, 0])):
        raise InpaintError(BAD_MESSAGE, "The request's offset is not a pair of whole numbers.")
    layout = fields["image"].get("layout") if isinstance(fields.get("image"), Mapping) else None
    if not isinstance(layout, str) or layout not in LAYOUTS:
        raise InpaintError(
            BAD_IMAGE,
            f"The picture's layout {layout!r} is not known.",
            "Known are: {}.".format(", ".join(LAYOUTS)),
        )
    image = _buffer(message, "image", tuple(SAMPLE_BYTES))
    size = image.shape[:2]
    if len(image.shape) != 3 or image.shape[2] != LAYOUTS[layout]:
        raise InpaintError(
            BAD_IMAGE,
            f"The picture's shape {list(image.shape)} does not fit its layout {layout}.",
        )
    if size[0] * size[1] > MAX_PIXELS:
        raise InpaintError(
            TOO_LARGE,
            f"The region is larger than {MAX_PIXELS // 1_000_000} million pixels.",
            "Select a smaller area.",
        )
    return size


def _is_point(value: Any) -> bool:
    return (
        isinstance(value, (list, tuple))
        and len(value) == 2
        and all(type(part) is int and abs(part) < 2**31 for part in value)
    )


def _buffer(message: Message, name: str, dtypes: Tuple[str, ...]) -> Buffer:
    buffer = message.buffers.get(name)
    if buffer is None:
        raise InpaintError(BAD_IMAGE, f"The request has no {name}.")
    if buffer.dtype not in dtypes:
        raise InpaintError(
            BAD_IMAGE,
            f"The {name} has samples of type {buffer.dtype}.",
            "It takes {}.".format(", ".join(dtypes)),
        )
    return buffer


def _same_size(name: str, buffer: Buffer, size: Tuple[int, ...], dimensions: int) -> None:
    if len(buffer.shape) != dimensions or buffer.shape[:2] != size or buffer.shape[2:] > (4,):
        raise InpaintError(
            BAD_IMAGE,
            f"The {name} is {_words(buffer.shape)}, the picture {_words(size)}.",
            "Both must have the same width and height.",
        )


def _words(shape: Tuple[int, ...]) -> str:
    size: List[int] = list(shape[:2])
    return f"{size[1]} x {size[0]} pixels" if len(size) == 2 else str(list(shape))
