"""The dialog on both Qts: PyQt5 as in Krita 5, PyQt6 as in Krita 6. Without a screen, and without Krita."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent


def python_with(qt: str) -> str | None:
    """A Python that can import this Qt: this one, or the system's, whose packages Krita uses."""
    for python in (sys.executable, shutil.which("python3", path="/usr/bin")):
        command = [python or "", "-c", f"import {qt}.QtWidgets"]
        if python and subprocess.run(command, capture_output=True).returncode == 0:
            return python
    return None


@pytest.fixture(scope="module", params=["PyQt5", "PyQt6"])
def told(
    request: pytest.FixtureRequest, bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What came of using the dialog."""
    qt = request.param
    python = python_with(qt)
    if python is None:
        pytest.skip(f"{qt} is not on this machine")
    settings = tmp_path_factory.mktemp("settings") / "settings.json"
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    script = [str(HERE / "dialog_script.py"), str(bundle.parent), str(HERE), qt, str(settings)]
    done = subprocess.run([python, *script], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["qt"] == f"{qt}.QtCore"
    return dict(told)


def test_it_builds_itself_from_the_cards(told: dict[str, Any]) -> None:
    assert told["models"] == ["Automatic", "Face", "Large (not fetched yet)"]
    titles = ["Fill from", "Sample only from", "Grow", "Feather", "Context", "Seed", "Candidates"]
    assert [row for row in told["rows"] if row in titles] == titles
    assert told["tip"]
    kinds = {
        "strength": "QDoubleSpinBox",
        "style": "QComboBox",
        "tidy": "QCheckBox",
        "hint": "QLineEdit",
        "guidance_sketch": "QComboBox",
    }
    assert told["own"] == kinds


def test_it_gives_what_was_chosen(told: dict[str, Any]) -> None:
    (wish,) = told["accepted"]
    assert wish["model"] == "face" and wish["source"] == "visible"
    assert wish["guidance"] == {"sketch": "ink"}
    own = {name: wish["values"][name] for name in ("strength", "style", "tidy", "hint")}
    assert own == {"strength": 0.75, "style": "hard", "tidy": False, "hint": "words"}
    assert told["gone"]


def test_it_keeps_what_was_set_for_another_model(told: dict[str, Any]) -> None:
    assert told["kept"] == 9
    assert told["seed"] not in (0, 5)
    assert told["default"] == 4


def test_a_model_that_is_not_there_can_be_fetched_but_not_used(told: dict[str, Any]) -> None:
    assert told["large"] == [False, True]
    assert told["fetched"] == ["large"]
    assert told["updated"] == [1, True]


def test_the_preview_follows_how_far_the_selection_grows(told: dict[str, Any]) -> None:
    # 60 px are shown 270 wide; selected are columns 25 to 34, grown by 4 and then by 9.
    for outline, grown in zip(told["outlines"], (4, 9), strict=True):
        assert abs(min(outline) - 4.5 * (25 - grown)) <= 2
        assert abs(max(outline) - 4.5 * (35 + grown)) <= 2


def test_windows_say_ask_and_close_without_cancelling(told: dict[str, Any]) -> None:
    assert told["cancelled_by_closing"] == 0
    assert told["said"] == ["A sentence.", "Fetch it?"]
    assert told["agreed"] == 1


def test_return_presses_the_button_that_begins(told: dict[str, Any]) -> None:
    assert told["return"] == ["Inpaint", "Select"]


def test_saved_selections_are_among_the_sources(told: dict[str, Any]) -> None:
    assert told["places"] == ["Anywhere", "Base", "Ink", "  Selection kept"]


def test_the_colour_of_the_marks_is_typed_or_that_of_the_brush(told: dict[str, Any]) -> None:
    assert told["marks"] == {"colour": "QLineEdit", "tolerance": "QSpinBox", "smallest": "QSpinBox"}
    assert "#ff0000" in told["swatches"][0] and "#c0ffee" in told["swatches"][1]
    assert told["chosen_marks"] == [
        {"colour": "c0ffee", "tolerance": 255, "smallest": 5},
        {"colour": "00ff00", "tolerance": 16, "smallest": 0},
    ]
    assert told["marks_gone"]
