"""Mistakes, the dialog, several results, several pictures and windows: in a real Krita."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend import api

from ..xvfb import Display
from .launch import Home, play

SCENARIO = Path(__file__).with_name("scenarios") / "workflow.py"
SHARE = Path("/usr/share/krita")
SIZE = (120, 160)

pytestmark = pytest.mark.timeout(400)


class Told(dict[str, Any]):
    """What was reported, and the pixels that were dumped."""

    folder: Path

    def pixels(self, name: str) -> np.ndarray:
        """An RGBA dump."""
        return np.fromfile(self.folder / name, np.uint8).reshape(*SIZE, 4)[..., [2, 1, 0, 3]]

    def mask(self, name: str) -> np.ndarray:
        """A dump of a selection."""
        return np.fromfile(self.folder / name, np.uint8).reshape(SIZE)


@pytest.fixture(scope="module")
def told(
    home: Home, display: Display, photo: Path, pictures_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Told:
    folder = tmp_path_factory.mktemp("out")
    given = {"AI_INPAINT_OUT": str(folder), "AI_INPAINT_PHOTO": str(photo)}
    told = Told(play(home, display, SCENARIO, 240, pictures_folder, **given))
    told.folder = folder
    return told


def laid(layer: Any, shape: tuple[int, ...]) -> np.ndarray:
    """A layer of the backend on a transparent canvas."""
    whole = np.zeros(shape, layer.pixels.dtype)
    x, y = layer.offset
    whole[y : y + layer.pixels.shape[0], x : x + layer.pixels.shape[1]] = layer.pixels
    return whole


def same(made: np.ndarray, layer: Any) -> None:
    expected = laid(layer, made.shape)
    seen = expected[..., 3] > 0
    assert np.array_equal(made[..., 3], expected[..., 3])
    assert np.array_equal(made[seen], expected[seen])


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        ("no_document", "No picture is open."),
        ("no_document_dialog", "No picture is open."),
        ("no_selection", "Nothing is selected."),
        ("off_canvas", "The selection lies outside"),
        ("off_layer", "The selection lies outside of the layer “small”."),
        ("nothing_around", "only transparent pixels"),
    ],
)
def test_a_mistake_gets_a_sentence_and_a_way_out(told: Told, mistake: str, words: str) -> None:
    what, hint = told["mistakes"][mistake].split("\n\n")
    assert words in what
    assert hint.endswith(".")
    assert told["mistakes"]["names"] == ["Background", "small"], "nothing was put in"


def test_several_candidates_are_one_group_and_one_undo_step(told: Told) -> None:
    found = told["candidates"]
    assert found["group"] == "PatchMatch, 3 candidates"
    # From the bottom: the first lies on top, and is the one that is seen.
    seeds = [["PatchMatch, seed 13", False], ["PatchMatch, seed 12", False], ["PatchMatch, seed 11", True]]
    assert found["children"] == seeds
    assert found["distinct"] == 3
    assert found["siblings"][:2] == ["Background", "PatchMatch, 3 candidates"]
    assert found["undo"] == "Undo Add Layer"
    assert found["undone"] and found["redone"]


def test_the_dialog_remembers_what_was_used_and_knows_the_defaults(told: Told) -> None:
    found = told["candidates"]
    assert found["remembered"] == [3, 11]
    assert found["defaults"] == [1, 0]
    assert found["cancelled"] == [3, 11], "what was cancelled is not remembered"
    assert told["settings"]["models"]["auto"]["count"] == 1
    assert told["sources"]["remembered"] == "allowed"


def test_a_fill_is_put_above_a_group_of_candidates_not_into_it(told: Told) -> None:
    parent, siblings = told["candidates"]["above_group"]
    assert parent == "root"
    assert siblings[:3] == ["Background", "PatchMatch, 3 candidates", "PatchMatch, seed 0"]


def test_repeating_gives_another_result_of_the_same_picture(told: Told) -> None:
    found = told["again"]
    first, second = found["names"]
    assert first == "PatchMatch, seed 0"
    seed = int(re.fullmatch(r"PatchMatch, seed (\d+)", second).group(1))
    assert seed > 0
    assert found["differ"]
    assert found["order"][:3] == ["Background", first, second]
    # The fill that was active is not what the second one was made of.
    original = told.pixels("sources.base")
    layer = api.inpaint_layers(original, told.mask("again.mask"), seed=seed)[0]
    same(told.pixels("again.repeat"), layer)


def test_with_a_fill_active_the_next_one_sees_all_that_is_visible(told: Told) -> None:
    layer = api.inpaint_layers(told.pixels("again.visible"), told.mask("again.mask2"))[0]
    same(told.pixels("again.third"), layer)
    assert len(told["again"]["order"]) == 4


@pytest.mark.parametrize("source", ["visible", "sampled"])
def test_the_source_is_what_the_dialog_says(told: Told, source: str) -> None:
    image = told.pixels("sources.all" if source == "visible" else "sources.base")
    allowed = np.zeros(SIZE, np.uint8)
    allowed[60:120, 100:160] = 255
    layer = api.inpaint_layers(
        image,
        told.mask("sources.mask"),
        "patchmatch",
        source=allowed if source == "sampled" else None,
    )[0]
    same(told.pixels(f"sources.{source}"), layer)


def test_a_layer_of_the_list_can_be_the_source(told: Told) -> None:
    made = told.pixels("sources.listed")
    assert (made[..., 3] > 0).any()
    # The layer is of one colour, blue 0x30, green 0xb0, red 0x60.
    assert np.abs(made[made[..., 3] > 0][:, :3].astype(int) - [0x60, 0xB0, 0x30]).max() <= 1


def test_the_result_goes_where_it_was_asked_for(told: Told) -> None:
    found = told["several"]
    assert found["said"] == ""
    assert found["first"] == ["Background", "PatchMatch, seed 0"]
    assert found["second"] == ["Background"]
    assert found["rect"] == [54, 34], "the selection of the moment when the entry was pressed"


def test_every_window_has_the_menu(told: Told) -> None:
    windows = told["several"]["entries"]
    assert len(windows) == 2
    for entries in windows:
        assert entries[:3] == ["Inpaint Selection", "Inpaint Selection…", "Repeat with New Seed"]
        assert entries[3:6] == [
            "New Sketch Layer from Picture",
            "Select Marks of a Colour…",
            "Select Mosaics",
        ]
        assert entries[7] == "Status" and "Backend" in entries[6]
    assert told["menu"]["enabled"]


def test_the_shortcut_is_nobody_elses(told: Told) -> None:
    assert told["menu"]["shortcut"] == "Shift+F5"
    assert told["menu"]["same"] == ["ai_inpaint_selection"]
    assert told["menu"]["shortcuts"] > 100, "Krita's own were looked at"
    # Nor is it in any of the schemes that Krita offers, nor given to a tool or a mouse gesture.
    files = [path for folder in ("actions", "shortcuts", "input") for path in (SHARE / folder).glob("*.*")]
    assert len(files) > 40
    for path in files:
        assert not re.search(r"shift\+f5\b", path.read_text(errors="replace"), re.IGNORECASE), path


def test_the_backend_is_stopped_and_started_and_says_how_it_is(told: Told) -> None:
    found = told["menu"]
    assert found["entries"][6] == "Stop Backend" and found["afterwards"][6] == "Start Backend"
    assert "runs on" in found["status"] and "Nothing is being filled." in found["status"]
    assert found["stopped"] == "The backend has ended."
    assert found["status_stopped"].startswith("The backend is not running.")
    assert "runs on" in found["started"]
