"""A virtual screen for tests that drive an editor: a display of its own, pictures, mouse and keyboard."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

PROGRAMS = ("Xvfb", "xdotool", "import")  # `import` is ImageMagick's


def missing() -> list[str]:
    """The programs that a `Display` needs and that this machine does not have."""
    return [program for program in PROGRAMS if shutil.which(program) is None]


def artefacts(name: str) -> Path:
    """The folder for screenshots and logs of the tests `name`, made if needed.

    It lies in the folder that AI_INPAINT_ARTEFACTS names, else in `tests/hosts/artefacts`, which git ignores.
    """
    top = os.environ.get("AI_INPAINT_ARTEFACTS")
    place = Path(top) if top else Path(__file__).with_name("artefacts")
    folder = place / name
    folder.mkdir(parents=True, exist_ok=True)
    if not top:
        (place / ".gitignore").write_text("*\n")
    return folder


class Display:
    """An X server without a monitor, to be used with `with`.

    Attributes:
        name: for the variable DISPLAY, such as ":3"; free when it was started.
    """

    def __init__(self, width: int = 1280, height: int = 900) -> None:
        self.name = ""
        self._size = f"{width}x{height}x24"
        self._server: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Display:
        reading, writing = os.pipe()
        try:
            self._server = subprocess.Popen(
                ["Xvfb", "-displayfd", str(writing), "-screen", "0", self._size, "-nolisten", "tcp"],
                pass_fds=[writing],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        finally:
            os.close(writing)
        with os.fdopen(reading) as stream:  # the server writes its number as soon as it can be used
            number = stream.readline().strip()
        if not number:
            raise RuntimeError(f"Xvfb ended with exit code {self._server.wait()}")
        self.name = f":{number}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.terminate()
        try:
            self._server.wait(10)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()

    @property
    def environment(self) -> dict[str, str]:
        """This process's environment with the display in it."""
        return {**os.environ, "DISPLAY": self.name}

    def xdotool(self, *words: object, timeout: float = 20.0) -> str:
        """Run one xdotool command.

        Returns:
            What it printed.

        Raises:
            subprocess.CalledProcessError: it failed; `search` does so where it finds nothing.
        """
        done = subprocess.run(
            ["xdotool", *map(str, words)],
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=timeout,
        )
        return done.stdout.strip()

    def click(self, x: float, y: float, button: int = 1) -> None:
        """Move the pointer to a place on the screen, and click."""
        self.xdotool("mousemove", "--sync", round(x), round(y))
        time.sleep(0.1)  # for the editor to see the pointer come
        self.xdotool("click", button)

    def drag(self, places: Sequence[tuple[float, float]], button: int = 1) -> None:
        """Press at the first place, go over the others, release at the last, as a hand does."""
        (x, y), *rest = places
        self.xdotool("mousemove", "--sync", round(x), round(y), "mousedown", button)
        for x, y in rest:
            time.sleep(0.05)
            self.xdotool("mousemove", "--sync", round(x), round(y))
        time.sleep(0.1)
        self.xdotool("mouseup", button)

    def key(self, *keys: str) -> None:
        """Press keys one after the other, such as "ctrl+z"."""
        self.xdotool("key", "--clearmodifiers", *keys)

    def screenshot(self, path: Path) -> Path:
        """Write a PNG of the whole screen; its path."""
        command = ["import", "-display", self.name, "-window", "root", str(path)]
        subprocess.run(command, env=self.environment, check=True, timeout=30)
        return path

    def wait(self, wanted: Callable[[], object], seconds: float = 30.0, what: str = "") -> None:
        """Look four times a second until `wanted` is true.

        Raises:
            TimeoutError: it did not become true; the message has `what`.
        """
        deadline = time.monotonic() + seconds
        while not wanted():
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {seconds:.0f} s for {what or wanted}")
            time.sleep(0.25)
