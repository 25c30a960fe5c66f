"""One walk with mouse and keyboard: select, menu, dialog, fill, undo, redo, shortcut; with screenshots.

Krita's Python cannot load pyzmq here, so that the transport of the standard library serves.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ..xvfb import Display
from .conftest import PHOTO
from .launch import Home, Krita

SCENARIO = Path(__file__).with_name("scenarios") / "walk.py"

pytestmark = pytest.mark.timeout(300)


class Walk:
    """A hand on mouse and keyboard, and eyes."""

    def __init__(self, krita: Krita, display: Display, folder: Path) -> None:
        self.krita = krita
        self.display = display
        self.folder = folder
        self.count = 0

    @property
    def state(self) -> dict[str, Any]:
        """What Krita shows."""
        return self.krita.reported().get("state") or {}

    def until(self, wanted: Callable[[dict[str, Any]], object], what: str) -> dict[str, Any]:
        """Wait for something to be seen."""

        def look() -> object:
            assert self.krita.process.poll() is None, "Krita is gone"
            return self.state and wanted(self.state)

        try:
            self.display.wait(look, 120, what)  # a fresh Krita on a busy machine is slow
        except TimeoutError:
            self.picture("failed")
            raise
        return self.state

    def window(self, title: str) -> str:
        """The number of the window whose title has these words, as soon as there is one."""
        found: list[str] = []

        def look() -> bool:
            with suppress(subprocess.CalledProcessError):  # none yet
                found[:] = self.display.xdotool("search", "--onlyvisible", "--name", title).split()
            return bool(found)

        self.display.wait(look, 60, f"a window named {title}")
        return found[0]

    def click(self, place: list[int]) -> None:
        x, y, width, height = place
        self.display.click(x + width / 2, y + height / 2)

    def picture(self, name: str) -> Path:
        self.count += 1
        return self.display.screenshot(self.folder / f"walk-{self.count}-{name}.png")


def test_a_user_with_mouse_and_keyboard(
    home: Home, display: Display, pictures_folder: Path, tmp_path: Path
) -> None:
    home.stop_backend()
    (home.state / "settings.json").unlink(missing_ok=True)
    blocker = home.resources / "pykrita" / "zmq.py"
    blocker.write_text('raise ImportError("made for another Python")\n')
    for old in pictures_folder.glob("walk-*.png"):
        old.unlink()
    done = tmp_path / "done"
    # Without a window manager nothing gives the keyboard back when a dialog closes.
    manager = subprocess.Popen(["openbox"], env=display.environment, stderr=subprocess.DEVNULL)
    krita = Krita(
        home,
        display,
        SCENARIO,
        240,
        AI_INPAINT_OUT=str(tmp_path),
        AI_INPAINT_PHOTO=str(PHOTO),
        AI_INPAINT_DONE=str(done),
    )
    try:
        walk_through(Walk(krita, display, pictures_folder))
    finally:
        done.touch()
        blocker.unlink()
        told = krita.wait(keep=pictures_folder)
        manager.terminate()
        manager.wait()
    assert told["state"]["zmq"] is False, "pyzmq was to be missing"
    before = np.asarray(Image.open(PHOTO).convert("RGB"))
    after = np.fromfile(tmp_path / "walk.after", np.uint8).reshape(*before.shape[:2], 4)[..., 2::-1]
    settings = json.loads((home.state / "settings.json").read_text())
    assert settings["models"]["auto"]["grow"] == 7
    x, y, width, height = told["state"]["selection"]
    outside = np.ones(before.shape[:2], bool)
    outside[max(y - 9, 0) : y + height + 9, max(x - 9, 0) : x + width + 9] = False
    assert np.array_equal(before[outside], after[outside])
    assert not np.array_equal(before[~outside], after[~outside])


def walk_through(walk: Walk) -> None:
    display = walk.display
    walk.until(lambda state: state["layers"] == ["Background"], "the picture")
    window = walk.window("photograph")
    display.xdotool("windowmove", window, 0, 0, "windowsize", window, 1270, 870)
    seen = walk.until(lambda state: state["canvas"][2] > 800, "a larger window")
    display.key("2")  # zoom to fit
    left, top, width, height = seen["canvas"]
    middle = (left + width / 2, top + height / 2)
    tree = [(left + x * width, top + y * height) for x, y in ((0.60, 0.43), (0.68, 0.6), (0.752, 0.766))]
    display.click(*middle, button=2)  # the canvas takes the keyboard; nothing is painted
    display.key("ctrl+r")
    walk.until(lambda state: any("Rectangular" in one for one in state["tool"]), "the selection tool")
    display.drag(tree)
    walk.until(lambda state: state["selection"] and state["selection"][2] > 20, "a selection")
    walk.picture("selected")
    walk.click(walk.state["bar"]["Filter"])
    seen = walk.until(lambda state: "AI Inpaint" in state["menus"], "the menu")
    walk.click(seen["menus"]["AI Inpaint"])
    seen = walk.until(lambda state: "Inpaint Selection…" in state["menus"], "the submenu")
    walk.picture("menu")
    walk.click(seen["menus"]["Inpaint Selection…"])
    seen = walk.until(lambda state: "inpaint" in state["dialog"], "the dialog")
    x, y, _, height = seen["dialog"]["grow"]
    display.click(x + 20, y + height / 2)
    display.key("ctrl+a", "7")
    walk.until(lambda state: state.get("values", {}).get("grow") == 7, "what was typed")
    walk.picture("dialog")
    walk.click(seen["dialog"]["inpaint"])
    walk.until(lambda state: len(state["layers"]) == 2, "the fill")
    walk.picture("filled")
    assert walk.state["layers"][1] == "PatchMatch, seed 0"
    display.key("ctrl+z")
    walk.until(lambda state: len(state["layers"]) == 1, "undo")
    walk.picture("undone")
    display.key("ctrl+shift+z")
    walk.until(lambda state: len(state["layers"]) == 2, "redo")
    display.key("shift+F5")
    walk.until(lambda state: len(state["layers"]) == 3, "the shortcut's fill")
    walk.picture("shortcut")
