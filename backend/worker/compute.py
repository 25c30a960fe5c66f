"""A request as it came over the wire to the answer that goes back: what a worker computes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from .. import pipeline
from ..wire.errors import INTERNAL, OUT_OF_MEMORY, InpaintError
from ..wire.messages import GUIDE_PREFIX, Buffer, Message, error
from ..wire.params import check_all, check_settings
from ..wire.pixels import REPLY_LAYOUTS
from .model_cache import ModelCache

log = logging.getLogger(__name__)

_SWAP_RED_AND_BLUE = [2, 1, 0, 3]


class Computer:
    """Fills holes on one device, one request at a time."""

    def __init__(self, device: str) -> None:
        self._cache = ModelCache(device, {})

    @property
    def device(self) -> str:
        """Where networks run; "auto" until the first is loaded."""
        return self._cache.device

    @property
    def loaded(self) -> list[str]:
        """Names of the loaded pipeline."""
        return self._cache.loaded

    def introduction(self) -> dict[str, Any]:
        """The fields of a worker's `ready` message."""
        return {"device": self.device, **self.cards()}

    def cards(self) -> dict[str, Any]:
        """The fields of a `models` message, looked up anew: weights come and go. From any thread."""
        return _described(pipeline.cards())

    def answer(self, message: Message, progress: pipeline.Progress, cancel: Callable[[], bool]) -> Message:
        """The `result`, `selected` or `error` that answers a checked message with a picture."""
        work, word = {
            "inpaint": (self._fill, "fill"),
            "sketch": (self._sketch, "sketch"),
            "select": (self._select, "search"),
        }[message.type]
        try:
            return work(message, progress, cancel)
        except (pipeline.FillError, InpaintError) as problem:
            if problem.code == OUT_OF_MEMORY:
                self._cache.clear()
            return error(message.id, InpaintError(problem.code, problem.message, problem.hint))
        except Exception as problem:
            log.exception("a job failed")
            if pipeline.is_out_of_memory(problem):
                self._cache.clear()
                problem = InpaintError(
                    OUT_OF_MEMORY,
                    "There was not enough memory.",
                    "Select a smaller area, or close other programs.",
                )
            else:
                problem = InpaintError(
                    INTERNAL,
                    f"The {word} failed because of a mistake in the program ({type(problem).__name__}).",
                    "The backend's log says more; please report it.",
                )
            return error(message.id, problem)

    def tidy(self) -> None:
        """Between jobs: see that there is memory for the next."""
        self._cache.make_room()

    def _fill(self, message: Message, progress: pipeline.Progress, cancel: Callable[[], bool]) -> Message:
        fields = message.fields
        known = pipeline.cards()
        self._cache.cards = {card.name: {"network": card.network} for card in known}
        asked = [card for card in known if card.name == fields["model"]] or known
        params = check_settings(_described(asked), fields["model"], fields["params"])

        def load(name: str) -> pipeline.Model:
            if name in self._cache.loaded:
                return self._cache.load(name)
            progress(0.0, f"loading {name}")
            model = self._cache.load(name)
            progress(0.0, "filling")
            return model

        layers = pipeline.fill(_request(message, params), load, progress, cancel)
        return _result(message, layers)

    def _sketch(self, message: Message, progress: pipeline.Progress, cancel: Callable[[], bool]) -> Message:
        params = check_all([asdict(param) for param in pipeline.SKETCH_PARAMS], message.fields["params"])
        image, arrays = _picture(message)
        device = self._cache.working_device()
        layer = pipeline.sketch(image, arrays.get("mask"), params, device, progress, cancel)
        return _result(message, [layer])

    def _select(self, message: Message, progress: pipeline.Progress, cancel: Callable[[], bool]) -> Message:
        params = check_all([asdict(param) for param in pipeline.SELECT_PARAMS], message.fields["params"])
        image, _ = _picture(message)
        found = pipeline.select(image, params, progress, cancel)
        (x, y), (left, top) = message.fields["offset"], found.offset
        fields = {"count": found.count, "offset": [x + left, y + top], "doubts": list(found.doubts)}
        mask = _buffer(found.mask.astype(np.uint8) * np.uint8(255))
        return Message("selected", message.id, fields, {"mask": mask})


def _described(cards: Sequence[pipeline.Card]) -> dict[str, Any]:
    return {
        "models": [card.as_dict() for card in cards],
        "common": [asdict(param) for param in pipeline.PARAMS],
    }


def _request(message: Message, params: dict[str, Any]) -> pipeline.Request:
    image, arrays = _picture(message)
    return pipeline.Request(
        image=image,
        mask=arrays.pop("mask"),
        model=message.fields["model"],
        params=params,
        source=arrays.pop("source", None),
        guidance={name[len(GUIDE_PREFIX) :]: array for name, array in arrays.items()},
    )


def _picture(message: Message) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The picture in RGB's order, and the other buffers."""
    arrays = {name: _array(buffer) for name, buffer in message.buffers.items()}
    image = arrays.pop("image")
    swapped = message.fields["image"]["layout"] == "BGRA"
    return (image[..., _SWAP_RED_AND_BLUE] if swapped else image), arrays


def _result(message: Message, layers: list[pipeline.Layer]) -> Message:
    layout = REPLY_LAYOUTS[message.fields["image"]["layout"]]
    x, y = message.fields["offset"]
    left, top = layers[0].offset
    candidates, buffers = [], {}
    for number, layer in enumerate(layers):
        pixels = layer.pixels[..., _SWAP_RED_AND_BLUE] if layout == "BGRA" else layer.pixels
        name = f"candidate:{number}"
        buffers[name] = _buffer(pixels)
        candidates.append({"seed": layer.seed, "buffer": name})
    fields = {
        "model": layers[0].model,
        "offset": [x + left, y + top],
        "layout": layout,
        "candidates": candidates,
    }
    return Message("result", message.id, fields, buffers)


def _array(buffer: Buffer) -> np.ndarray:
    """The buffer's own memory as an array; read-only, as what was sent stays as it was."""
    array = np.frombuffer(buffer.data, dtype="<" + buffer.dtype).reshape(buffer.shape)
    array.flags.writeable = False
    return array


def _buffer(pixels: np.ndarray) -> Buffer:
    pixels = np.ascontiguousarray(pixels)
    return Buffer(pixels.shape, f"{pixels.dtype.kind}{pixels.dtype.itemsize}", pixels.data.cast("B"))
