"""Every kind of picture and layer, filled by pressing the menu entry in a real Krita."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

import backend
from backend import api, files
from backend.imaging.composite import paste

from ..xvfb import Display
from .conftest import run
from .launch import Home, play

SCENARIO = Path(__file__).with_name("scenarios") / "pictures.py"
DTYPES = {"U8": "<u1", "U16": "<u2", "F16": "<f2", "F32": "<f4"}
CASES = (
    "rgba8", "rgba16", "half", "float", "gray8", "gray16", "cmyk8", "lab16",
    "offset", "larger", "group", "passing", "nested", "masked", "filtered", "adjusted", "filled", "drawn",
    "faded", "clipped", "other_space",
)  # fmt: skip
CONVERTED = ("cmyk8", "lab16")
CHANNELS = {"RGBA": 4, "GRAYA": 2, "CMYKA": 5, "LABA": 4}

pytestmark = pytest.mark.timeout(400)


class Outcome:
    """What Krita wrote down about one case."""

    def __init__(self, folder: Path, name: str, told: dict[str, Any]) -> None:
        self.folder = folder
        self.name = name
        self.told = told

    def raw(self, part: str, space: list[str]) -> np.ndarray:
        """A dump as rows x columns x channels, as Krita stores them."""
        width, height = self.told["size"]
        data = np.fromfile(self.folder / f"{self.name}.{part}", DTYPES[space[1]])
        return data.reshape(height, width, CHANNELS[space[0]])

    def pixels(self, part: str, space: list[str]) -> np.ndarray:
        """The same with red first."""
        raw = self.raw(part, space)
        if space[0] == "RGBA" and space[1].startswith("U"):
            return raw[..., [2, 1, 0, 3]]
        return raw

    @property
    def mask(self) -> np.ndarray:
        width, height = self.told["size"]
        return np.fromfile(self.folder / f"{self.name}.mask", np.uint8).reshape(height, width)

    def expected(self) -> np.ndarray:
        """The layer that the backend makes of the same pixels, as large as the picture."""
        if self.name in CONVERTED:
            image = self.pixels("travelling", ["RGBA", "U16", ""])
        else:
            image = self.pixels("source", self.told["source_space"])
        layer = api.inpaint_layers(image, self.mask)[0]
        whole = np.zeros_like(image)
        x, y = layer.offset
        height, width = layer.pixels.shape[:2]
        whole[y : y + height, x : x + width] = layer.pixels
        return whole


@pytest.fixture(scope="module")
def outcomes(
    home: Home, display: Display, photo: Path, pictures_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Outcome]:
    """The cases' outcomes, all from one Krita."""
    folder = tmp_path_factory.mktemp("out")
    given = {"AI_INPAINT_OUT": str(folder), "AI_INPAINT_PHOTO": str(photo)}
    told = play(home, display, SCENARIO, 300, pictures_folder, **given)
    return {name: Outcome(folder, name, told[name]) for name in CASES}


@pytest.fixture(params=CASES)
def outcome(request: pytest.FixtureRequest, outcomes: dict[str, Outcome]) -> Outcome:
    return outcomes[request.param]


def test_the_layer_is_what_the_backend_makes_of_the_same_pixels(outcome: Outcome) -> None:
    told, expected = outcome.told, outcome.expected()
    if outcome.name in CONVERTED:
        made = outcome.pixels("layer_travelling", ["RGBA", "U16", ""])
    else:
        made = outcome.pixels("layer", told["layer_space"])
    if expected.dtype != made.dtype:  # a layer of other depth than its document's
        expected = np.rint(expected / 257).astype(np.uint8)
    alpha = expected[..., -1]
    seen = alpha > 0
    assert seen.any()
    # There and back through CMYK's 8 bits, or through the rounding of another depth.
    tolerance = 3000 if outcome.name == "cmyk8" else 300 if outcome.name == "lab16" else 0
    assert np.abs(made[..., -1].astype(float) - alpha).max() <= (257 if outcome.name == "cmyk8" else 0)
    difference = np.abs(made[seen].astype(float) - expected[seen].astype(float))
    assert difference.max() <= tolerance, difference.max()
    if tolerance:
        assert difference.mean() < tolerance / 4


def test_nothing_outside_the_hole_changes(outcome: Outcome) -> None:
    space = outcome.told["space"]
    before, after = outcome.raw("before", space), outcome.raw("after", space)
    outside = outcome.raw("layer", outcome.told["layer_space"])[..., -1] == 0
    # The hole, grown by 4 px, feathered over 2: nothing beyond 6 px.
    rows, columns = np.nonzero(~outside)
    assert (columns.min(), rows.min(), columns.max(), rows.max()) == (64, 44, 105, 79)
    # What colour a wholly transparent pixel would have is left open by Krita's compositing.
    outside &= (before[..., -1] != 0) | (after[..., -1] != 0)
    assert np.array_equal(before[outside], after[outside])
    if outcome.name not in ("clipped", "filled"):  # the latter is of one colour
        assert not np.array_equal(before[rows, columns], after[rows, columns])


def test_undo_takes_it_away_in_one_step_and_redo_brings_it_back(outcome: Outcome) -> None:
    told = outcome.told
    assert told["history"] == [told["history"][0], "Undo Add Layer", told["history"][0]]
    assert told["undone"] == told["before"]
    assert told["redone"] == told["after"] != told["before"]
    assert np.array_equal(outcome.raw("undone", told["space"]), outcome.raw("before", told["space"]))
    assert np.array_equal(outcome.raw("redone", told["space"]), outcome.raw("after", told["space"]))


def test_the_layer_is_named_placed_and_made_as_it_should_be(outcome: Outcome) -> None:
    told = outcome.told
    assert told["layer"] == "PatchMatch, seed 0"
    assert told["layer_space"] == told["space"]
    below = told["siblings"].index(told["layer"]) - 1
    assert told["siblings"][below] == told["node"]
    assert told["rect"] == [64, 44, 42, 36]
    assert told["inherits"] == (outcome.name == "clipped")
    assert told["parent"] == {"nested": "folder", "clipped": "folder"}.get(outcome.name, "root")


def test_selection_and_tool_are_as_they_were(outcome: Outcome) -> None:
    assert outcome.told["selection"] == [70, 50, 30, 24]
    if outcome.name != "drawn":  # Krita chooses the tool by the kind of the layer that is active
        assert outcome.told["tool"][0] == outcome.told["tool"][1] != []


@pytest.mark.parametrize("name", ["rgba8", "gray16"])
def test_the_saved_picture_is_the_one_of_the_headless_command(
    outcomes: dict[str, Outcome], name: str, tmp_path: Path
) -> None:
    outcome = outcomes[name]
    picture = outcome.pixels("before", outcome.told["space"])
    opaque = picture[..., 0] if name == "gray16" else picture[..., :3]
    Image.fromarray(opaque).save(tmp_path / "picture.png")
    Image.fromarray(outcome.mask).save(tmp_path / "mask.png")
    run("run", tmp_path / "picture.png", tmp_path / "mask.png", "-o", tmp_path / "filled.png", "-q")
    headless = np.asarray(Image.open(tmp_path / "filled.png")).astype(int)
    shape = headless.shape
    saved = files.read(str(outcome.folder / f"{name}.png")).pixels
    saved = saved.reshape(*saved.shape[:2], -1)[..., : 1 if name == "gray16" else 3].reshape(shape)
    alpha = outcome.raw("layer", outcome.told["layer_space"])[..., -1]
    solid = (alpha == 0) | (alpha == alpha.max())
    if name == "rgba8":
        assert np.array_equal(saved[solid], headless[solid])
    # In the feather two programs round their blend.
    assert np.abs(saved - headless).max() <= (1 if name == "rgba8" else 2)


@pytest.mark.parametrize("name", ["rgba8", "gray16"])
def test_the_saved_document_has_the_layer_and_its_record(outcomes: dict[str, Outcome], name: str) -> None:
    with zipfile.ZipFile(outcomes[name].folder / f"{name}.kra") as document:
        tree = ElementTree.fromstring(document.read("maindoc.xml"))
        layers = {one.get("name"): one.get("uuid") for one in tree.iter() if one.tag.endswith("layer")}
        records = [part for part in document.namelist() if "ai-inpaint" in part]
        assert "PatchMatch, seed 0" in layers
        assert len(records) == 1, document.namelist()
        record = json.loads(document.read(records[0]))[layers["PatchMatch, seed 0"]]
    assert json.loads(record["request"])["model"] == "auto"


def test_the_composite_is_what_pasting_gives(outcomes: dict[str, Outcome]) -> None:
    for name in ("rgba8", "rgba16", "float", "gray8"):
        outcome = outcomes[name]
        space = outcome.told["space"]
        before = outcome.pixels("before", space)
        pasted = paste(before, outcome.pixels("layer", space), (0, 0))
        after = outcome.pixels("after", space)
        difference = np.abs(pasted.astype(float) - after.astype(float)).max()
        assert difference <= {"U8": 1, "U16": 2, "F32": 1e-5}[space[1]], name
        direct = backend.inpaint(before, outcome.mask).astype(float)
        assert np.abs(direct - after.astype(float)).max() <= {"U8": 1, "U16": 2, "F32": 1e-5}[space[1]], name


def test_what_a_filter_shows_is_what_is_filled_from(outcomes: dict[str, Outcome]) -> None:
    plain = outcomes["rgba8"].pixels("source", outcomes["rgba8"].told["space"])
    for name in ("filtered", "adjusted"):
        shown = outcomes[name].pixels("source", outcomes[name].told["source_space"])
        assert np.array_equal(shown[..., :3], 255 - plain[..., :3])
