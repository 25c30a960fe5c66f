"""A user at GIMP's window: a screen, a window manager, GIMP with a picture, eyes and hands."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..xvfb import Display, artefacts
from .root import HOST, Gimp

INSIDE = Path(__file__).with_name("inside")
PROGRAMS = ("openbox",)  # beside those of `xvfb`: without a window manager nothing gets the keyboard

# GIMP 3 opens no welcome window if it believes that this version has run before.
_GIMPRC = """(config-version "{version}")
(show-welcome-dialog no)
(check-updates no)
(restore-session no)
(save-session-info no)
(color-profile-policy keep)
(metadata-rotation-policy keep)
"""


class Desk:
    """GIMP with one picture, on a screen of its own; use with `with`."""

    def __init__(self, gimp: Gimp, picture: Path, name: str) -> None:
        """`picture` is opened; screenshots are named `NAME-...`."""
        self.gimp, self._picture, self._name = gimp, picture, name
        self.display = Display()
        self.folder = gimp.folder / f"desk-{name}"
        self._stack = contextlib.ExitStack()
        self._taken = 0

    def __enter__(self) -> Desk:
        self.folder.mkdir()
        for old in artefacts("gimp").glob(f"{self._name}-*"):
            old.unlink()
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.display)
            self._start(stack, ["openbox"], self.display.environment, "openbox.log")
            said = subprocess.run(
                self.gimp.command([f"gimp-{self.gimp.version}", "--version"]),
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            ).stdout
            version = re.search(r"\d+\.\d+\.\d+", said)
            assert version, said
            (self.gimp.profile / "gimprc").write_text(_GIMPRC.format(version=version.group()))
            code = self.gimp.code(INSIDE / "desk.py", str(self.folder))
            arguments = [f"gimp-{self.gimp.version}", "--no-splash", *code, HOST + str(self._picture)]
            command = self.gimp.command(arguments, {"DISPLAY": self.display.name, "NO_AT_BRIDGE": "1"})
            self.process = self._start(stack, command, dict(os.environ), "gimp.log")
            self.until(lambda: (self.folder / "state.json").exists(), "GIMP's window", 120)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: Any) -> None:
        self._stack.close()

    def _start(
        self, stack: contextlib.ExitStack, command: list[str], environment: dict[str, str], log: str
    ) -> subprocess.Popen[bytes]:
        stream = stack.enter_context((artefacts("gimp") / f"{self._name}-{log}").open("wb"))
        process = subprocess.Popen(command, env=environment, stdout=stream, stderr=subprocess.STDOUT)
        stack.callback(process.wait)
        stack.callback(process.terminate)
        return process

    # Eyes

    def state(self) -> dict[str, Any]:
        """How the picture is: layers, active, selection, dirty."""
        return dict(json.loads((self.folder / "state.json").read_text()))

    def windows(self) -> list[str]:
        """The titles of all windows."""
        with contextlib.suppress(subprocess.CalledProcessError):  # none
            found = self.display.xdotool("search", "--onlyvisible", "--name", ".+").split()
            return [self._title(window) for window in found]
        return []

    def _title(self, window: str) -> str:
        with contextlib.suppress(subprocess.CalledProcessError):  # it has just gone
            return self.display.xdotool("getwindowname", window)
        return ""

    def screenshot(self, name: str) -> Path:
        """Keep what is on the screen."""
        self._taken += 1
        self.display.xdotool("mousemove", 1270, 890)  # a pointer at rest brings tool-tips
        time.sleep(0.5)
        return self.display.screenshot(artefacts("gimp") / f"{self._name}-{self._taken:02}-{name}.png")

    def until(self, wanted: Callable[[], object], what: str, seconds: float = 60.0) -> None:
        """Wait; a screenshot shows what there was instead."""
        try:
            self.display.wait(wanted, seconds, what)
        except TimeoutError:
            self.screenshot("waiting")
            raise

    # Hands

    def order(self, **wanted: Any) -> None:
        """Have the script in GIMP do something, and wait until it is done."""
        path = self.folder / "do.json"
        path.with_suffix(".new").write_text(json.dumps(wanted))
        path.with_suffix(".new").rename(path)
        if "quit" not in wanted:
            self.until(lambda: not path.exists(), f"the order {wanted}")
            time.sleep(0.5)  # for the state after it

    def cancel_progress(self) -> None:
        """Press Cancel beside GIMP's progress bar, in the picture window's right lower corner."""
        window = self.display.xdotool("search", "--onlyvisible", "--name", "GIMP$").split()[0]
        place = dict(
            line.split("=")
            for line in self.display.xdotool("getwindowgeometry", "--shell", window).splitlines()
        )
        right, bottom = (int(place[at]) + int(place[side]) for at, side in (("X", "WIDTH"), ("Y", "HEIGHT")))
        self.display.click(right - 50, bottom - 22)

    def choose_from_menu(self, *keys: str) -> None:
        """Run a menu's entry by its keys."""
        for key in keys:
            self.display.key(key)
            time.sleep(1)  # menus unfold

    def search_action(self, words: str) -> None:
        """Run a menu's entry through GIMP's search for actions."""
        self.display.key("slash")
        self.until(lambda: any("Search Actions" in title for title in self.windows()), "the action search")
        self.display.xdotool("type", "--delay", "40", words)
        time.sleep(1.5)  # the list follows what is typed
        self.screenshot("search")
        self.display.key("Return")
