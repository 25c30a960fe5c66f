"""Marks and mosaics as Krita's selection, saved selections as a source, fills that come out of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from backend.api import inpaint_layers

from .. import pages
from ..xvfb import Display
from .launch import Home, play
from .test_workflow import laid, same

SCENARIO = Path(__file__).with_name("scenarios") / "selecting.py"
SHAPE = (pages.HEIGHT, pages.WIDTH)

pytestmark = pytest.mark.timeout(400)


class Told(dict[str, Any]):
    """What was reported, and the pixels that were dumped."""

    folder: Path

    def mask(self, name: str) -> np.ndarray:
        return np.fromfile(self.folder / name, np.uint8).reshape(SHAPE)

    def pixels(self, name: str) -> np.ndarray:
        """RGBA."""
        return np.fromfile(self.folder / name, np.uint8).reshape(*SHAPE, 4)[..., [2, 1, 0, 3]]


@pytest.fixture(scope="module")
def told(
    home: Home, display: Display, photo: Path, pictures_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Told:
    folder, given = tmp_path_factory.mktemp("out"), tmp_path_factory.mktemp("pages")
    for name, pixels in (
        ("art", pages.art()),
        ("marked", pages.marked()),
        ("mosaicked", pages.mosaicked()),
        ("green", np.full((*SHAPE, 3), pages.GREEN, np.uint8)),
        ("halves", pages.halves()),
    ):
        Image.fromarray(np.dstack([pixels, np.full(SHAPE, 255, np.uint8)])).save(given / f"{name}.png")
    pages.layer()[..., [2, 1, 0, 3]].tofile(given / "marks.raw")
    variables = {"OUT": folder, "PHOTO": photo, "PAGES": given, "PICTURES": pictures_folder}
    paths = {f"AI_INPAINT_{name}": str(path) for name, path in variables.items()}
    told = Told(play(home, display, SCENARIO, 300, pictures_folder, **paths))
    told.folder = folder
    return told


def test_marks_are_selected_as_a_folder_s_run_takes_them(told: Told, tmp_path: Path) -> None:
    wanted = pages.of_batch(tmp_path, pages.marked(), colour=pages.GREEN)
    for name in ("marked.mask", "unselected.mask"):
        mask = told.mask(name)
        assert np.array_equal(mask > 0, wanted) and set(np.unique(mask)) == {0, 255}
    found = told["marked"]
    assert found["cancelled"] and found["said"] == "" and found["names"] == ["Background"]


def test_one_step_back_is_the_selection_that_was_there(told: Told) -> None:
    found = told["marked"]
    assert found["undone"] and found["again"], found["undo"]
    before, during, after = told["unselected"]["undo"]
    assert told["unselected"]["before"] and told["unselected"]["undone"]
    assert before == after != during


def test_and_filled(told: Told) -> None:
    filled = told.pixels("marked.filled")[..., :3].astype(int)
    assert pages.greenness(pages.marked()).max() == 255
    assert told["marked"]["fill"] == "Liner, seed 0" and pages.greenness(filled).max() < 60


def test_what_is_looked_at_is_what_is_seen(told: Told, tmp_path: Path) -> None:
    found = told["layered"]
    seen = told.pixels("layered.seen")
    wanted = pages.of_batch(tmp_path, seen, colour=pages.GREEN, tolerance=30, smallest=40)
    assert wanted.sum() > 2000 and np.array_equal(told.mask("layered.mask") > 0, wanted)
    assert found["remembered"] == [30, 40]
    assert "No pixel has the marks' colour" in found["hidden"]


def test_the_colour_that_is_painted_with(told: Told) -> None:
    found = told["colours"]
    mask = told.mask("colours.mask") > 0
    assert found["colour"] == "ff0080"
    assert mask[90:120, 100:120].all() and mask.sum() < 900
    assert found["said"].startswith("1 mark is selected.\n\n400 pixels nearly have the marks' colour")
    assert "--" not in found["said"]


def test_mosaics_are_selected_where_they_are_certain(told: Told, tmp_path: Path) -> None:
    wanted = pages.of_batch(tmp_path, pages.mosaicked(), find=True)
    assert np.array_equal(told.mask("mosaics.mask") > 0, wanted) and wanted[pages.MOSAIC].mean() > 0.9
    assert told["mosaics"]["undone"]


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        ("no_document", "No picture is open."),
        ("no_document_mosaics", "No picture is open."),
        ("unmarked", "No pixel has the marks' colour"),
        ("no_mosaic", "certain to be a mosaic"),
        ("green", "100% of the picture"),
        ("wrong_colour", "'green!' is no colour"),
    ],
)
def test_what_cannot_be_selected_is_told(told: Told, mistake: str, words: str) -> None:
    what, hint = told["refusals"][mistake].split("\n\n")
    assert words in what and hint.endswith(".")
    assert told["refusals"].get(mistake + "_stays", True), "the selection is another one"


def test_a_fill_is_taken_from_a_saved_selection_alone(told: Told) -> None:
    source = np.zeros(SHAPE, np.uint8)
    source[:, : pages.LEFT] = 255
    picture = np.dstack([pages.halves(), np.full(SHAPE, 255, np.uint8)])
    for name, allowed, gone in (("anywhere", None, 0), ("kept", source, 2)):
        made = told.pixels(f"sources.{name}")
        (expected,) = inpaint_layers(picture, told.mask("sources.mask"), "patchmatch", source=allowed)
        same(made, expected)
        shown = made[made[..., 3] > 0].astype(float)
        # The rim takes a little of the tone that is around it.
        assert shown[:, gone].mean() < 5 and shown[:, 2 - gone].mean() > 100
    found = told["sources"]
    assert found["places"] == ["Anywhere", "Background", "kept"] and found["remembered"] == "kept"
    assert "kept" not in found["sources"]


def test_a_fill_carries_its_request_through_a_file_and_is_repeated(told: Told) -> None:
    first, again = told["reopened"]["first"], told["reopened"]["again"]
    assert (first["model"], first["seed"]) == ("patchmatch", 42)
    assert (first["params"]["grow"], first["params"]["feather"]) == (6, 3)
    assert (again["model"], again["params"]) == (first["model"], first["params"])
    assert again["seed"] != first["seed"]
    picture = np.dstack([pages.art(), np.full(SHAPE, 255, np.uint8)])
    mask = told.mask("reopened.mask")
    shared = {name: first["params"][name] for name in ("grow", "feather", "context", "pinholes", "seam")}
    for name, record in (("second", first), ("again", again)):
        (expected,) = inpaint_layers(picture, mask, record["model"], seed=record["seed"], **shared)
        same(told.pixels(f"reopened.{name}"), expected)
    assert laid(expected, (*SHAPE, 4)).any()
