"""Marks and mosaics as GIMP's selection, saved selections as a source, and fills that come out of a file."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from backend.api import inpaint_layers
from backend.imaging import mosaic

from .. import pages
from ..xvfb import missing
from .desk import PROGRAMS, Desk
from .root import Gimp

INSIDE = Path(__file__).with_name("inside")
SHAPE = (pages.HEIGHT, pages.WIDTH)
BEFORE = (slice(12, 32), slice(10, 40))
DIALOG = "Select Marks of a Colour"


class Told(dict[str, Any]):
    """What was reported, and what was selected."""

    folder: Path

    def mask(self, case: str) -> np.ndarray:
        return np.fromfile(self.folder / f"{case}.mask", np.uint8).reshape(SHAPE)


def deep() -> np.ndarray:
    """The marked page with 16 bits, and a speck of green."""
    page = pages.marked()
    page[6:10, 6:10] = pages.GREEN
    return page.astype(np.uint16) * 257


@pytest.fixture(scope="module")
def told(gimp: Gimp) -> Told:
    """What one GIMP left."""
    folder = gimp.folder / "selecting"
    folder.mkdir()
    given = {
        "art": pages.art(),
        "marked": pages.marked(),
        "mosaicked": pages.mosaicked(),
        "marks": pages.layer(),
        "deep": deep(),
        "green": np.full((*SHAPE, 3), pages.GREEN, np.uint8),
        "halves": pages.halves(),
    }
    for name, pixels in given.items():
        np.ascontiguousarray(pixels).tofile(folder / f"{name}.in")
    done = gimp.batch(INSIDE / "selecting.py", str(folder))
    assert done.returncode == 0, done.stdout
    told = Told(json.loads((folder / "report.json").read_text()))
    for found in told.values():
        assert "trouble" not in found, found["trouble"]
    told.folder = folder
    return told


def test_marks_are_selected_as_a_folder_s_run_takes_them(told: Told, tmp_path: Path) -> None:
    found = told["marks"]
    assert found["status"] == "success" and found["words"] == "2 marks are selected."
    mask = told.mask("marks")
    wanted = pages.of_batch(tmp_path, pages.marked(), colour=pages.GREEN)
    assert np.array_equal(mask > 0, wanted) and set(np.unique(mask)) == {0, 255}
    assert found["tree"] == ["picture"] and found["active"] == ["picture"] and not found["channels"]


def test_and_filled(told: Told) -> None:
    filled = np.fromfile(told.folder / "marks.filled", np.uint8).reshape(*SHAPE, 4)[..., :3]
    assert pages.greenness(pages.marked()).max() == 255
    assert pages.greenness(filled).max() < 60, "nothing green is left, at the rims neither"


def test_what_is_looked_at_is_what_is_seen(told: Told, tmp_path: Path) -> None:
    seen = np.fromfile(told.folder / "layers.seen", np.uint8).reshape(*SHAPE, 4)
    wanted = pages.of_batch(tmp_path, seen, colour=pages.GREEN)
    assert wanted.sum() > 2000 and np.array_equal(told.mask("layers") > 0, wanted)
    assert told["layers"]["tree"] == ["marks", "picture"] and told["layers"]["active"] == ["marks"]


def test_tolerance_and_the_smallest_mark_are_the_user_s(told: Told, tmp_path: Path) -> None:
    asked = {"colour": pages.GREEN, "tolerance": 30}
    page = np.uint8(deep() >> 8)
    wanted = pages.of_batch(tmp_path, page, smallest=40, **asked)
    assert np.array_equal(told.mask("deep") > 0, wanted)
    assert not np.array_equal(wanted, pages.of_batch(tmp_path, page, **asked))


def test_the_colour_is_any_and_of_the_picture_s_own_space(told: Told) -> None:
    for case, found in told["colours"].items():
        assert found["status"] == "success", (case, found["words"])
        core = np.zeros(SHAPE, bool)
        core[90:120, 100:120] = True
        mask = told.mask(case) > 0
        assert mask[core].all() and mask.sum() < 1.5 * core.sum(), case


def test_mosaics_are_selected_where_they_are_certain(told: Told, tmp_path: Path) -> None:
    found = told["mosaics"]
    wanted = pages.of_batch(tmp_path, pages.mosaicked(), find=True)
    assert found["words"].startswith("1 mosaic is selected.")
    assert np.array_equal(told.mask("mosaics") > 0, wanted) and wanted[pages.MOSAIC].mean() > 0.9


def test_and_their_cells_are_followed(told: Told) -> None:
    filled = np.fromfile(told.folder / "mosaics.filled", np.uint8).reshape(*SHAPE, 4)[..., :3]
    ((one,), _) = mosaic.under(pages.mosaicked(), told.mask("mosaics") > 0)
    assert 255 * mosaic.difference(filled[one.box.slices], one) < 1
    assert not np.array_equal(filled[one.box.slices], pages.mosaicked()[one.box.slices])


def test_what_cannot_be_selected_is_told_and_the_selection_stays(told: Told) -> None:
    said = {
        "unmarked": "No pixel has the marks' colour",
        "no-mosaic": "certain to be a mosaic",
        "green": "100% of the picture",
        "empty": "No pixel has the marks' colour",
        "indexed": "This picture has a palette",
    }
    for case, words in said.items():
        found = told["refused"][case]
        assert found["status"] == "execution-error" and words in found["words"], case
        if case != "empty":
            before = np.zeros(SHAPE, np.uint8)
            before[BEFORE] = 255
            assert np.array_equal(told.mask(case), before), case
    assert not told["refused"]["unmarked"]["dirty"]


def test_a_fill_is_taken_from_a_saved_selection_alone(told: Told) -> None:
    hole = told.mask("sources")
    source = np.zeros(SHAPE, np.uint8)
    source[:, : pages.LEFT] = 255
    for name, allowed in (("anywhere", None), ("kept", source)):
        left, top, width, height = told["sources"]["" if name == "anywhere" else name]
        made = np.fromfile(told.folder / f"sources.{name}.new", np.uint8).reshape(height, width, 4)
        (expected,) = inpaint_layers(pages.halves(), hole, "patchmatch", source=allowed, seed=3)
        assert expected.offset == (left, top) and np.array_equal(made, expected.pixels)
        shown = made[made[..., 3] > 0].astype(int)
        red, blue = shown[:, 0].mean(), shown[:, 2].mean()
        # The rim takes a little of the tone that is around it.
        assert (red, blue) == pytest.approx((0, blue) if allowed is None else (red, 0), abs=5)
        assert max(red, blue) > 100


def test_a_fill_carries_its_request_through_a_file_and_is_repeated(told: Told) -> None:
    found = told["reopened"]
    record, new = found["record"], found["new"]
    assert (record["model"], record["seed"]) == ("patchmatch", 42)
    assert (record["params"]["grow"], record["params"]["feather"]) == (6, 3)
    assert found["same"], "of the record comes the very same fill"
    assert (new["model"], new["params"]) == (record["model"], record["params"])
    assert new["seed"] != record["seed"] and found["other"]


def test_a_user_selects_marks_and_takes_a_step_back(gimp: Gimp, tmp_path: Path) -> None:
    lacking = missing() + [program for program in PROGRAMS if shutil.which(program) is None]
    if lacking:
        told = f"not on this machine: {', '.join(lacking)}"
        pytest.fail(told) if os.environ.get("CI") else pytest.skip(told)
    wanted = pages.of_batch(tmp_path, pages.marked(), colour=pages.GREEN)
    rows, columns = np.flatnonzero(wanted.any(axis=1)), np.flatnonzero(wanted.any(axis=0))
    found = [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1]
    page = gimp.folder / "page.png"
    Image.fromarray(pages.marked()).save(page)
    with Desk(gimp, page, "select") as desk:
        desk.order(select=(10, 12, 30, 20))
        before = desk.state()
        assert before["selection"] == [10, 12, 40, 32]

        def selection(wanted: list[int]) -> None:
            desk.until(lambda: desk.state()["selection"] == wanted, f"the selection {wanted}")

        desk.search_action("Select Marks")
        desk.until(lambda: DIALOG in desk.windows(), "the dialog")
        time.sleep(1)
        desk.screenshot("dialog")
        desk.display.key("Escape")
        desk.until(lambda: DIALOG not in desk.windows(), "the dialog gone")
        assert desk.state() == before
        desk.search_action("Select Marks")
        desk.until(lambda: DIALOG in desk.windows(), "the dialog")
        time.sleep(1)
        desk.display.key("Return")
        selection(found)
        desk.screenshot("selected")
        assert desk.state()["layers"] == before["layers"]
        assert desk.state()["active"] == before["active"]
        desk.display.key("ctrl+z")
        selection(before["selection"])
        desk.display.key("ctrl+y")
        selection(found)
        desk.order(quit=True)
        desk.until(lambda: desk.process.poll() is not None, "GIMP's end")
    assert desk.process.returncode == 0
