"""What cannot be filled is answered with a sentence that says what to do, and the picture is untouched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from backend.client import refusals

from .root import Gimp

INSIDE = Path(__file__).with_name("inside")

# The whole answer, or what it has to hold.
EXPECTED: dict[str, str | tuple[str, ...]] = {
    "no-selection": refusals.sentence(refusals.no_selection()),
    "off-the-layer": refusals.sentence(refusals.selection_off_layer("small")),
    "around-the-layer": refusals.sentence(refusals.selection_off_layer("small")),
    "several-layers": refusals.sentence(refusals.several_layers()),
    "no-layer": ("Choose a layer",),
    "layer-mask": refusals.sentence(refusals.wrong_node("a layer mask")),
    "channel": refusals.sentence(refusals.wrong_node("a channel")),
    "indexed": refusals.sentence(refusals.indexed()),
    "floating": ("floating selection", "Anchor it"),
    "empty-group": refusals.sentence(refusals.no_pixels("nothing in it")),
    "transparent": refusals.sentence(refusals.nothing_around()),
    "everything": ("nothing around the selection", "Select less"),
    "sample-from-black": ("“black”", "is empty", "Paint on it"),
    "sample-from-nothing": ("no channel or layer named “no such thing”", "Choose another one"),
    "guidance-not-taken": ("cannot follow a sketch layer", "choose a model that does: sketcher, sc-fegan"),
    "guidance-no-layer": ("no layer named “no such layer”",),
    "guidance-no-json": refusals.sentence(refusals.bad_text("guidance")),
    "guidance-a-list": refusals.sentence(refusals.bad_text("guidance")),
    "unknown-model": ("no model named 'nonsense'",),
    "unknown-source": ("source cannot be 'elsewhere'", "layer, visible"),
    "grow-too-large": ("grow cannot be 100000", "from 0 to 512"),
    "count-too-small": ("count cannot be 0", "from 1 to 16"),
    "seed-below-zero": ("seed cannot be -1", "from 0"),
    "seam-unknown": ("seam cannot be 'perhaps'", "auto, on, off"),
    "params-no-json": refusals.sentence(refusals.bad_text("params")),
    "params-unknown": ("no setting named 'sharpness'", "Known are"),
}


@pytest.fixture(scope="module")
def answers(gimp: Gimp) -> dict[str, Any]:
    """All cases, done in one run of GIMP."""
    folder = gimp.folder / "refusals"
    folder.mkdir()
    done = gimp.batch(INSIDE / "refusals.py", str(folder))
    assert done.returncode == 0, done.stdout
    return dict(json.loads((folder / "report.json").read_text()))


def test_every_case_is_expected(answers: dict[str, Any]) -> None:
    assert set(answers) == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_it_says_what_to_do(name: str, answers: dict[str, Any]) -> None:
    answer, expected = answers[name], EXPECTED[name]
    assert "trouble" not in answer, answer["trouble"]
    assert answer["status"] != "success"
    if isinstance(expected, str):
        assert answer["words"] == expected
    else:
        assert all(part in answer["words"] for part in expected), answer["words"]
    assert answer["untouched"]
