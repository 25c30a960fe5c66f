"""As a user: keyboard and screen alone, in a GIMP with a window. Screenshots are kept (see `xvfb`)."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ..xvfb import missing
from .desk import PROGRAMS, Desk
from .root import ROOT, Gimp

PHOTO = ROOT / "backend" / "demo" / "photograph.jpg"
SPRUCE = (600, 280, 110, 240)  # in the photograph: x, y, width, height
TITLE = "AI Inpaint"
STEPS_TO_SEED = 7  # from OK: model, look at, sample from, grow, feather, context, seed
STEPS_TO_CANDIDATES = STEPS_TO_SEED + 2  # its button, and then the next row


@pytest.fixture(scope="module")
def desk(gimp: Gimp) -> Iterator[Desk]:
    """One GIMP for the whole walk; at its end it has to close in peace."""
    lacking = missing() + [program for program in PROGRAMS if shutil.which(program) is None]
    if lacking:
        told = f"not on this machine: {', '.join(lacking)}"
        pytest.fail(told) if os.environ.get("CI") else pytest.skip(told)
    gimp.ask_backend("stop")
    with Desk(gimp, PHOTO, "user") as desk:
        yield desk
        desk.order(quit=True)
        desk.until(lambda: desk.process.poll() is not None, "GIMP's end")
    assert desk.process.returncode == 0


def jobs(gimp: Gimp) -> list[dict[str, Any]]:
    """What the backend is doing."""
    said = gimp.ask_backend("status", "--json")
    return list(json.loads(said.stdout)["jobs"]) if said.returncode == 0 else []


def test_a_walk_through_menu_dialog_undo_repeat_and_cancel(desk: Desk, gimp: Gimp) -> None:
    beginning = desk.state()["layers"]
    assert len(beginning) == 1

    def layers(count: int) -> None:
        desk.until(lambda: len(desk.state()["layers"]) == count, f"{count} layers")

    # Nothing selected: a sentence, and no dialog.
    desk.choose_from_menu("alt+r", "Up", "Return")
    desk.until(lambda: any("Message" in title for title in desk.windows()), "the refusal")
    desk.screenshot("nothing-selected")
    assert TITLE not in desk.windows()
    desk.display.key("Escape")
    desk.until(lambda: not any("Message" in title for title in desk.windows()), "the refusal gone")

    # The dialog, opened by the menu and left again: nothing happens.
    desk.order(select=SPRUCE)
    desk.display.key("alt+r")
    time.sleep(1.5)
    desk.screenshot("menu")
    desk.choose_from_menu("Up", "Return")
    desk.until(lambda: TITLE in desk.windows(), "the dialog")
    desk.display.key("Escape")
    desk.until(lambda: TITLE not in desk.windows(), "the dialog gone")
    assert desk.state()["layers"] == beginning

    # By the search for actions; another seed, typed; Return.
    desk.search_action(TITLE)
    desk.until(lambda: TITLE in desk.windows(), "the dialog")
    time.sleep(1)
    desk.screenshot("dialog")
    desk.display.key(*["Tab"] * STEPS_TO_SEED)
    desk.display.key("ctrl+a", "4", "2")
    desk.screenshot("seed")
    desk.display.key("Return")
    layers(2)
    done = desk.state()
    desk.screenshot("filled")
    assert done["layers"][0].endswith(", seed 42") and done["layers"][1:] == beginning
    assert done["active"] == beginning
    assert done["selection"] == [600, 280, 710, 520]
    assert any("2 layers" in title for title in desk.windows())

    # One step back, and forth again.
    desk.display.key("ctrl+z")
    layers(1)
    desk.screenshot("undone")
    undone = desk.state()
    assert (undone["layers"], undone["active"]) == (beginning, beginning)
    assert undone["selection"] == done["selection"]
    desk.display.key("ctrl+y")
    layers(2)
    assert desk.state()["layers"] == done["layers"]
    desk.display.key("ctrl+z")
    layers(1)

    # Repeat Last: no dialog, the same fill; of what is selected then.
    desk.display.key("ctrl+f")
    layers(2)
    assert desk.state()["layers"] == done["layers"] and desk.state()["top"] == done["top"]
    desk.display.key("ctrl+z")
    layers(1)
    x, y, width, height = SPRUCE
    desk.order(select=(x - 400, y, width, height))
    desk.display.key("ctrl+f")
    layers(2)
    moved = [done["top"][0] - 400, *done["top"][1:]]
    assert desk.state()["layers"] == done["layers"] and desk.state()["top"] == moved
    desk.display.key("ctrl+z")
    layers(1)
    desk.order(select=SPRUCE)

    # Reset to Factory Defaults: what the dialog shows, and what is filled with.
    desk.search_action(TITLE)
    desk.until(lambda: TITLE in desk.windows(), "the dialog")
    time.sleep(1)
    desk.display.key("shift+Tab", "shift+Tab", "space")
    time.sleep(1)
    desk.display.key("Tab", "space")
    time.sleep(1)
    desk.screenshot("reset")
    desk.display.key("Tab", "Tab", "Return")
    layers(2)
    assert desk.state()["layers"][0].endswith(", seed 0")
    desk.display.key("ctrl+z")
    layers(1)

    # Cancel in the middle of a long fill: GIMP kills the plug-in, the backend drops the job.
    desk.order(select=(60, 60, 780, 520))
    before = desk.state()
    desk.search_action(TITLE)
    desk.until(lambda: TITLE in desk.windows(), "the dialog")
    time.sleep(1)
    desk.display.key(*["Tab"] * STEPS_TO_CANDIDATES)
    desk.display.key("ctrl+a", "1", "6", "Return")
    desk.until(lambda: any(job["state"] == "running" for job in jobs(gimp)), "the job")
    desk.screenshot("under-way")
    desk.cancel_progress()
    desk.until(lambda: not jobs(gimp), "the job's end", 15)
    assert gimp.ask_backend("status").returncode == 0, "the backend itself goes on"
    desk.screenshot("cancelled")
    assert desk.state() == before

    # And the next fill works.
    desk.order(select=SPRUCE)
    desk.search_action("AI Inpaint Again")
    layers(2)
    again = desk.state()["layers"]
    assert again != done["layers"] and ", seed " in again[0]
    desk.screenshot("again")
