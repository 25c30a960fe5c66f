"""A document that is no more than bytes, and a place to remember texts."""

from __future__ import annotations

from typing import Any


def make_picture(plugin: Any, **changes: Any) -> Any:
    """A picture of 60 x 40 pixels, RGBA with 8 bits, with one opaque layer and a selection in its middle."""
    picture = plugin.picture
    Rect = plugin.backend.wire.geometry.Rect

    class FakePicture(picture.Picture):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            self.is_open = True
            self.size = (60, 40)
            self.chosen = Rect(25, 15, 10, 8)
            self.bounds_of = {"base": Rect(0, 0, 60, 40), "ink": Rect(0, 0, 12, 40)}
            self.names = {"base": "Base", "ink": "Ink"}
            self.active_id = "base"
            self.records: dict[str, dict[str, Any]] = {}
            self.inserted: list[tuple[Any, ...]] = []
            self.saved = {"kept": Rect(40, 0, 10, 40)}
            self.selected: list[tuple[Any, bytes]] = []
            self.reads: list[tuple[str, Any]] = []
            self.layout, self.dtype = "BGRA", "u1"
            self.alpha = b"\xff"

        @property
        def open(self) -> bool:
            return self.is_open

        @property
        def name(self) -> str:
            return "fake"

        @property
        def canvas(self) -> Any:
            return Rect(0, 0, *self.size)

        @property
        def selection(self) -> Any:
            return self.chosen

        def mask(self, rect: Any) -> bytes:
            return self._inside(self.chosen, rect)

        def grown(self, pixels: int, rect: Any) -> bytes:
            return self._inside(self.chosen.enlarged(pixels), rect)

        @property
        def active(self) -> Any:
            return picture.Layer(self.active_id, self.names.get(self.active_id, "Fill"))

        def record(self, layer: str) -> Any:
            return self.records.get(layer)

        def layers(self) -> list[Any]:
            return [picture.Layer(id, name) for id, name in self.names.items()]

        def places(self) -> list[Any]:
            return [*self.layers(), *(picture.Layer(id, f"Selection {id}", 1) for id in self.saved)]

        def opacity(self, place: str, rect: Any) -> bytes:
            return self._inside(self.saved.get(place) or self.bounds(place), rect)

        def select(self, rect: Any, mask: bytes) -> None:
            self.selected.append((rect, mask))

        def bounds(self, source: str) -> Any:
            if source in self.saved:
                return self.saved[source]
            return self.bounds_of.get({"layer": self.active_id}.get(source, source), self.canvas)

        def read(self, source: str, rect: Any) -> Any:
            self.reads.append((source, rect))
            alpha = self._inside(self.bounds(source), rect) if self.alpha == b"\xff" else self.alpha
            alpha = alpha if len(alpha) > 1 else alpha * (rect.width * rect.height)
            samples = {"u1": 1, "u2": 2, "f4": 4}[self.dtype]
            last = {"u1": b"", "u2": b"\xff", "f4": b"\x00\x00\x80"}[self.dtype]
            pixels = b"".join(
                b"\x40" * (samples * (len(self.layout) - 1))
                + ((last + (b"\x3f" if self.dtype == "f4" else b"\xff")) if one else bytes(samples))
                for one in alpha
            )
            return picture.Pixels(self.layout, self.dtype, pixels, "space")

        def strokes(self, source: str, rect: Any) -> bytes:
            inside = self._inside(self.bounds(source), rect)
            return b"".join(b"\x01\x02\x03\xff" if one else b"\0\0\0\0" for one in inside)

        def insert(self, *what: Any) -> None:
            self.inserted.append(what)

        @staticmethod
        def _inside(one: Any, rect: Any) -> bytes:
            return bytes(
                255 * (one.x <= x < one.x + one.width and one.y <= y < one.y + one.height)
                for y in range(rect.y, rect.y + rect.height)
                for x in range(rect.x, rect.x + rect.width)
            )

    made = FakePicture()
    for name, value in changes.items():
        assert hasattr(made, name), name
        setattr(made, name, value)
    return made


class Memory:
    """Remembers texts as Krita's configuration does."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    def setting(self, name: str) -> str:
        return self.texts.get(name, "")

    def remember(self, name: str, text: str) -> None:
        self.texts[name] = text


SPECS = [
    {
        "name": "grow",
        "kind": "int",
        "default": 4,
        "title": "Grow",
        "minimum": 0,
        "maximum": 512,
        "unit": "px",
    },
    {"name": "feather", "kind": "int", "default": 2, "title": "Feather", "minimum": 0, "maximum": 256},
    {"name": "context", "kind": "int", "default": 0, "title": "Context", "minimum": 0, "maximum": 16384},
    {"name": "seed", "kind": "int", "default": 0, "title": "Seed", "minimum": 0, "maximum": 2**32 - 1},
    {"name": "count", "kind": "int", "default": 1, "title": "Candidates", "minimum": 1, "maximum": 16},
]
CARDS = [
    {
        "name": "auto", "title": "Automatic", "sentence": "Decides.", "params": [], "guidance": [],
        "takes_source": True, "context_factor": 0.25, "context_minimum": 4, "installed": True,
    },
    {
        "name": "face", "title": "Face", "sentence": "Fills faces.", "guidance": ["sketch"],
        "takes_source": False, "context_factor": 1.0, "context_minimum": 8, "installed": True,
        "params": [
            {"name": "strength", "kind": "float", "default": 0.5, "title": "Strength", "minimum": 0,
             "maximum": 1, "help": "How much."},
            {"name": "style", "kind": "choice", "default": "soft", "title": "Style",
             "choices": ["soft", "hard"]},
            {"name": "tidy", "kind": "bool", "default": True, "title": "Tidy"},
            {"name": "hint", "kind": "text", "default": "", "title": "Hint"},
        ],
    },
    {
        "name": "large", "title": "Large", "sentence": "Is not here yet.", "params": [], "guidance": [],
        "takes_source": False, "context_factor": 1.0, "context_minimum": 8, "installed": False,
        "download": {"bytes": 120_000_000, "licence": "CC BY-NC 4.0", "commercial": False, "page": "a page"},
    },
]  # fmt: skip
