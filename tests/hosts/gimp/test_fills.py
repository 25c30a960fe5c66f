"""Fills in every kind of picture: the same pixels as without GIMP, and nothing else touched."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import backend
from backend.api import inpaint_layers

from . import samples
from .root import Gimp

INSIDE = Path(__file__).with_name("inside")
SIZE = (120, 90)
HOLE = (50, 36, 18, 14)
DEPTHS = ("U8", "U16", "U32", "HALF", "FLOAT", "DOUBLE")
CURVES = ("LINEAR", "NON_LINEAR", "PERCEPTUAL")


@dataclass
class Case:
    """One picture and what is asked for; `inside/fills.py` does it."""

    name: str
    precision: str = "U8_NON_LINEAR"
    base: str = "RGB"
    alpha: bool = False
    profile: str = ""
    size: tuple[int, int] = SIZE
    canvas: tuple[int, int] | None = None
    offset: tuple[int, int] = (0, 0)
    hole: tuple[int, int, int, int] = HOLE
    soft: float = 0
    kind: str = "layer"
    sample: tuple[int, int, int, int] | None = None
    arguments: dict[str, Any] = field(default_factory=lambda: {"model": "patchmatch", "seed": 7})

    @property
    def channels(self) -> int:
        return (1 if self.base == "GRAY" else 3) + self.alpha

    @property
    def linear(self) -> bool:
        """Whether the picture's samples are in linear light."""
        return self.precision.endswith("_LINEAR") and not self.precision.endswith("NON_LINEAR")

    @property
    def through_curve(self) -> bool:
        return self.linear or self.profile.endswith("linear")

    def sent(self, alpha: bool) -> tuple[str, np.dtype]:
        """Babl's name for what the backend is to get, without its space, and numpy's for a sample."""
        depth = self.precision.partition("_")[0]
        mark = "~" if self.through_curve or self.precision.endswith("PERCEPTUAL") else "'"
        colours = "Y" + mark if self.base == "GRAY" else f"R{mark}G{mark}B{mark}"
        exact = {"U8": "u8", "U16": "u16", "HALF": "half"}
        type = ({"U8": "u16"} if self.through_curve else exact).get(depth, "float")
        kinds = {"u8": "u1", "u16": "<u2", "half": "<f2", "float": "<f4"}
        return f"{colours}{'A' if alpha else ''} {type}", np.dtype(kinds[type])


def cases() -> list[Case]:
    """All of them."""
    fill = {"model": "patchmatch", "seed": 7}
    found = [Case(f"{depth}_{curve}", f"{depth}_{curve}") for depth in DEPTHS for curve in CURVES]
    for precision in ("U8_NON_LINEAR", "U8_LINEAR", "U16_PERCEPTUAL", "HALF_NON_LINEAR", "FLOAT_LINEAR"):
        found.append(Case(f"gray-{precision}", precision, "GRAY", alpha=precision == "FLOAT_LINEAR"))
    return [
        *found,
        Case("adobe", profile="adobe"),
        Case("adobe-u16-alpha", "U16_NON_LINEAR", profile="adobe", alpha=True),
        Case("adobe-linear-light", "FLOAT_LINEAR", profile="adobe"),
        Case("linear-profile", "U16_NON_LINEAR", profile="linear"),
        Case("gray-profile", base="GRAY", profile="gray-lab"),
        Case("gray-linear-profile", base="GRAY", profile="gray-linear"),
        Case("alpha", alpha=True),
        Case("offset", offset=(13, 9), canvas=(160, 120), hole=(60, 40, 20, 12)),
        Case("beyond-the-canvas", offset=(-30, -20), canvas=(80, 60), hole=(0, 10, 16, 12)),
        Case("selection-half-off", offset=(40, 30), canvas=(160, 120), hole=(30, 40, 24, 12)),
        Case("group", kind="group", alpha=True),
        Case("in-group", kind="in-group", offset=(5, 4), canvas=(140, 100)),
        Case("layer-mask", kind="masked", alpha=True),
        Case("layer-mask-seen", kind="masked", alpha=True, arguments={**fill, "source": "visible"}),
        Case("filter", kind="filtered"),
        Case("filter-seen", kind="filtered", arguments={**fill, "source": "visible"}),
        Case("covered-seen", kind="covered", alpha=True, arguments={**fill, "source": "visible"}),
        Case("seen-u16-adobe", "U16_NON_LINEAR", profile="adobe", arguments={**fill, "source": "visible"}),
        Case("candidates", arguments={**fill, "count": 3}),
        Case("soft-selection", soft=6.0, hole=(40, 30, 30, 24)),
        Case("settings", arguments={**fill, "grow": 0, "feather": 0, "context": 24, "pinholes": 3}),
        Case("tile", hole=(0, 30, 14, 24), arguments={**fill, "tile": True}),
        Case("automatic", hole=(30, 40, 50, 3), arguments={"seed": 1, "grow": 1, "feather": 0}),
        Case("sample-from", sample=(0, 0, 40, 90), arguments={**fill, "sample-from": "only here"}),
        Case("far-from-all-edges", size=(900, 700), hole=(430, 330, 24, 20)),
    ]


CASES = {case.name: case for case in cases()}


class Done:
    """What `inside/fills.py` left of one case, and what it should have been."""

    def __init__(self, case: Case, folder: Path, report: dict[str, Any]) -> None:
        self.case, self.folder, self.report = case, folder, report
        self.kind = samples.dtype(case.precision)

    def canvas(self, part: str, channels: int, kind: np.dtype | None = None) -> np.ndarray:
        width, height = self.case.canvas or self.case.size
        shape = (height, width) if channels == 0 else (height, width, channels)
        return samples.load(self.folder / f"{self.case.name}.{part}", shape, kind or self.kind)

    def seen(self, when: str) -> np.ndarray:
        return self.canvas(f"seen-{when}", 2 if self.case.base == "GRAY" else 4)

    def new(self, number: int = 0) -> np.ndarray:
        """A new layer's samples."""
        width, height = self.report["new"][number]["size"]
        shape = (height, width, 2 if self.case.base == "GRAY" else 4)
        return samples.load(self.folder / f"{self.case.name}.{number}.new", shape, self.kind)

    def expected(self) -> list[tuple[tuple[int, int], np.ndarray]]:
        """Offset in the picture and samples of each candidate, as the backend gives them without GIMP."""
        x, y, width, height, alpha = self.report["looked_at"]
        _, kind = self.case.sent(alpha)
        channels = (1 if self.case.base == "GRAY" else 3) + alpha
        image = samples.load(self.folder / f"{self.case.name}.sent", (height, width, channels), kind)
        hole = np.zeros((height, width), np.uint8)
        mask = self.canvas("mask", 0, np.dtype("u1"))
        source = None
        if self.case.sample:
            source = np.zeros((height, width), np.uint8)
            left, top, wide, high = self.case.sample
            source[top : top + high, left : left + wide] = 1
        for row in range(height):  # the part of the selection on the layer
            for column in range(width) if 0 <= row + y < mask.shape[0] else ():
                if 0 <= column + x < mask.shape[1]:
                    hole[row, column] = mask[row + y, column + x]
        other = {"source", "sample-from"}
        settings = {name: value for name, value in self.case.arguments.items() if name not in other}
        layers = inpaint_layers(image, hole, settings.pop("model", "auto"), source=source, **settings)
        return [((layer.offset[0] + x, layer.offset[1] + y), layer.pixels) for layer in layers]

    def in_own_precision(self, pixels: np.ndarray) -> np.ndarray:
        """What the picture's precision makes of the backend's samples."""
        values = samples.to_values(pixels)
        if self.case.through_curve:
            values[..., :-1] = samples.to_linear(values[..., :-1])
        elif pixels.dtype == self.kind:
            return pixels
        return samples.to_samples(values, self.kind)


@pytest.fixture(scope="module")
def results(gimp: Gimp) -> dict[str, Done]:
    """All cases, done in one run of GIMP."""
    folder = gimp.folder / "fills"
    folder.mkdir()
    listed = []
    for case in CASES.values():
        data = samples.picture(case.size, case.channels, samples.dtype(case.precision), case.alpha)
        data.tofile(folder / f"{case.name}.in")
        visible = case.arguments.get("source") == "visible"
        encoding, _ = case.sent(case.alpha or visible or case.kind == "group")
        listed.append({**vars(case), "sent": encoding})
    (folder / "cases.json").write_text(json.dumps(listed))
    done = gimp.batch(INSIDE / "fills.py", str(folder), seconds=400)
    assert done.returncode == 0, done.stdout
    report = json.loads((folder / "report.json").read_text())
    return {name: Done(CASES[name], folder, found) for name, found in report.items()}


@pytest.fixture(params=CASES)
def done(request: pytest.FixtureRequest, results: dict[str, Done]) -> Done:
    """Each case."""
    found = results[request.param]
    assert "trouble" not in found.report, found.report["trouble"]
    assert found.report["status"] == "success", found.report["words"]
    return found


def test_the_layer_holds_what_the_backend_gives_without_gimp(done: Done) -> None:
    expected = done.expected()
    assert len(done.report["new"]) == len(expected)
    for number, (offset, pixels) in enumerate(expected):
        assert done.report["new"][number]["offset"] == list(offset)
        new, wanted = done.new(number), done.in_own_precision(pixels)
        assert new.shape == wanted.shape
        assert (new[..., -1] > 0).sum() > 50
        if pixels.dtype == done.kind and not done.case.through_curve:
            assert np.array_equal(new, wanted)
            continue
        shown = new[..., -1] > 0
        off = np.abs(samples.to_values(new) - samples.to_values(wanted))[shown].max()
        assert off <= {"U8": 1.01 / 255, "U1": 1.01 / 65535, "HA": 1e-3}.get(done.case.precision[:2], 2e-6), (
            off
        )


def test_nothing_outside_the_hole_changes(done: Done) -> None:
    before, after = done.seen("before"), done.seen("after")
    covered = np.zeros(before.shape[:2], bool)
    for number, new in enumerate(done.report["new"][:1]):
        (x, y), alpha = new["offset"], done.new(number)[..., -1] > 0
        for row, column in np.argwhere(alpha):
            if 0 <= row + y < covered.shape[0] and 0 <= column + x < covered.shape[1]:
                covered[row + y, column + x] = True
    assert 50 < covered.sum() < covered.size / 2
    # GIMP itself loses the last digits when it lays a layer over another: an empty one shows which.
    assert np.array_equal(after[~covered], done.seen("blank")[~covered])
    off = np.abs(samples.to_values(before) - samples.to_values(after))[~covered].max()
    assert off <= (0 if done.case.precision[:2] in ("U8", "HA") else 2e-4), off
    assert not np.array_equal(before[covered], after[covered])
    path = done.folder / done.case.name
    for part in ("layer", "mask"):
        first = path.with_name(path.name + (".mask" if part == "mask" else ".layer-before"))
        assert first.read_bytes() == path.with_name(f"{path.name}.{part}-after").read_bytes(), part


def test_the_picture_is_as_it_was_but_for_one_layer(done: Done) -> None:
    report = done.report
    model = {"patchmatch": "PatchMatch", "auto": "Smooth"}[done.case.arguments.get("model", "auto")]
    seed, count = done.case.arguments["seed"], done.case.arguments.get("count", 1)
    names = [f"{model}, seed {seed + number}" for number in range(count)]
    assert [new["name"] for new in report["new"]] == names
    assert report["above"] == 1 and report["same_parent"]
    assert report["clean_before"] and report["dirty_after"]
    assert report["precision"] == done.case.precision.lower().replace("_", "-")
    for new in report["new"]:
        assert new["alpha"] and new["opacity"] == 100 and new["mode"] == "normal"
    record = json.loads(report["new"][0]["record"])
    assert record["seed"] == seed and record["model"] == done.case.arguments.get("model", "auto")

    def without(tree: list[Any], gone: list[Any]) -> list[Any]:
        kept = [without(item, gone) if isinstance(item, list) else item for item in tree]
        return [item for item in kept if item not in gone]

    new_names: list[Any] = (
        names if count == 1 else [f"{model}, {count} candidates", [names[0], *(f"{n}*" for n in names[1:])]]
    )
    assert without(report["after"], new_names) == report["before"]
    assert report["active"] == [{"group": "inner"}.get(done.case.kind, "picture")]


def test_the_backend_is_of_this_version(gimp: Gimp, results: dict[str, Done]) -> None:
    assert backend.__version__ in gimp.ask_backend("status").stdout
