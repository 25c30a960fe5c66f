"""What is asked of the backend, and what it tells about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

from ..wire.errors import BAD_MESSAGE, InpaintError
from ..wire.messages import GUIDE_PREFIX, Buffer, Message
from ..wire.pixels import LAYOUTS


@dataclass
class InpaintRequest:
    """One hole, or several in one mask, to be filled.

    Attributes:
        layout: of the picture, a key of `pixels.LAYOUTS`.
        image: H x W x C, as `layout` says; any sample type.
        mask: H x W, u1, u2 or f4; above 0 is hole.
        model: name from the cards, or "auto".
        params: settings; what is missing takes its default.
        source: H x W, u1; above 0 is a pixel that the fill may be taken from. None allows all.
        guidance: name to H x W x C buffer, u1; sketch and colour strokes for models that take them.
        offset: x, y of the picture's first pixel in the document.
    """

    layout: str
    image: Buffer
    mask: Buffer
    model: str = "auto"
    params: Dict[str, Any] = field(default_factory=dict)
    source: Optional[Buffer] = None
    guidance: Dict[str, Buffer] = field(default_factory=dict)
    offset: Tuple[int, int] = (0, 0)

    def message(self, id: str) -> Message:
        """The `inpaint` message."""
        buffers = {"image": self.image, "mask": self.mask}
        if self.source is not None:
            buffers["source"] = self.source
        for name, buffer in self.guidance.items():
            buffers[GUIDE_PREFIX + name] = buffer
        fields = {
            "model": self.model,
            "params": dict(self.params),
            "image": {"layout": self.layout},
            "offset": list(self.offset),
        }
        return Message("inpaint", id, fields, buffers)


@dataclass
class SketchRequest:
    """The lines of a picture, black on nothing, for somebody to redraw.

    Attributes:
        layout, image, offset: as of `InpaintRequest`.
        mask: H x W, u1, u2 or f4; above 0 is drawn. None draws all.
        params: `detail` (0 to 100) and `detector` ("auto", "hed", "gradients"); what is missing takes its
            default.
    """

    layout: str
    image: Buffer
    mask: Optional[Buffer] = None
    params: Dict[str, Any] = field(default_factory=dict)
    offset: Tuple[int, int] = (0, 0)

    def message(self, id: str) -> Message:
        """The `sketch` message."""
        buffers = {"image": self.image}
        if self.mask is not None:
            buffers["mask"] = self.mask
        fields = {
            "params": dict(self.params),
            "image": {"layout": self.layout},
            "offset": list(self.offset),
        }
        return Message("sketch", id, fields, buffers)


@dataclass
class SelectRequest:
    """What is to be filled, found in a whole picture: marks of a colour, or mosaics.

    Attributes:
        layout, image, offset: as of `InpaintRequest`.
        params: `what` ("colour" or "mosaics"); of a colour `colour` (rrggbb), `tolerance` (0 to 255) and
            `smallest` (px); what is missing takes its default.
    """

    layout: str
    image: Buffer
    params: Dict[str, Any] = field(default_factory=dict)
    offset: Tuple[int, int] = (0, 0)

    def message(self, id: str) -> Message:
        """The `select` message."""
        fields = {
            "params": dict(self.params),
            "image": {"layout": self.layout},
            "offset": list(self.offset),
        }
        return Message("select", id, fields, {"image": self.image})


Request = Union[InpaintRequest, SketchRequest, SelectRequest]


@dataclass(frozen=True)
class Progress:
    """A job waits or runs.

    Attributes:
        job: its id.
        stage: what is being done, in a word or two.
        fraction: how much of the whole job is done, 0 to 1.
        position: place in the queue from 1, while it waits; else 0.
    """

    job: str
    stage: str
    fraction: float
    position: int = 0


@dataclass(frozen=True)
class Result:
    """A job is done.

    Attributes:
        job: its id.
        model: what filled it; of a sketch what found its lines, "hed" or "gradients".
        offset: x, y of the patches in the document.
        layout: of the patches, with alpha: `pixels.REPLY_LAYOUTS`.
        candidates: (seed, patch) of each, the patch h x w x C in the picture's sample type.
    """

    job: str
    model: str
    offset: Tuple[int, int]
    layout: str
    candidates: Sequence[Tuple[int, Buffer]]


@dataclass(frozen=True)
class Selected:
    """Something to fill was found.

    Attributes:
        job: its id.
        count: how many marks, or mosaics.
        offset: x, y of the mask in the document.
        mask: h x w, u1: 255 is selected, 0 is not.
        doubts: what looks wrong, or was left out as it is not certain: a sentence each.
    """

    job: str
    count: int
    offset: Tuple[int, int]
    mask: Buffer
    doubts: Sequence[str]


@dataclass(frozen=True)
class Fetched:
    """Weights have been fetched: the model can be asked to fill.

    Attributes:
        job: the fetch's id.
        model: its name.
    """

    job: str
    model: str


@dataclass(frozen=True)
class Failure:
    """A job has ended without a result."""

    job: str
    error: InpaintError


Event = Union[Progress, Result, Selected, Fetched, Failure]


def event(message: Message) -> Event:
    """The event that a reply to a job is; one that makes no sense is a failure."""
    try:
        if message.type == "progress":
            return _progress(message)
        if message.type == "result":
            return _result(message)
        if message.type == "selected":
            return _selected(message)
        if message.type == "fetched":
            return Fetched(message.id, str(message.fields["model"]))
    except (LookupError, TypeError, ValueError, AttributeError):
        pass
    else:
        if message.type == "error":
            return Failure(message.id, InpaintError.from_fields(message.fields))
    return Failure(message.id, nonsense(message))


def nonsense(message: Message) -> InpaintError:
    """A reply that does not follow the protocol."""
    return InpaintError(
        BAD_MESSAGE,
        f"The backend's answer of type {message.type!r} is not understood.",
        "Install plugin and backend again, from the same version.",
    )


def _progress(message: Message) -> Progress:
    fields = message.fields
    fraction = min(max(float(fields["fraction"]), 0.0), 1.0)
    return Progress(message.id, str(fields["stage"]), fraction, int(fields.get("position", 0)))


def _result(message: Message) -> Result:
    fields = message.fields
    x, y = fields["offset"]
    layout = str(fields["layout"])
    candidates: List[Tuple[int, Buffer]] = []
    for candidate in fields["candidates"]:
        patch = message.buffers[candidate["buffer"]]
        if len(patch.shape) != 3 or patch.shape[2] != LAYOUTS[layout]:
            raise ValueError("a patch that does not have its layout's channels")
        candidates.append((int(candidate["seed"]), patch))
    if not candidates:
        raise ValueError("a result without a patch")
    return Result(message.id, str(fields["model"]), (int(x), int(y)), layout, candidates)


def _selected(message: Message) -> Selected:
    fields = message.fields
    x, y = fields["offset"]
    mask = message.buffers["mask"]
    if len(mask.shape) != 2 or mask.dtype != "u1":
        raise ValueError("a selection that is no mask")
    doubts = [str(doubt) for doubt in fields["doubts"]]
    return Selected(message.id, int(fields["count"]), (int(x), int(y)), mask, doubts)
