"""A Krita of one's own: its home, the plugin as install.py puts it there, and the driver beside it.

It is the machine's Krita, or with AI_INPAINT_KRITA_SUITE=trixie that of another Debian, in a root of its own.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import installer

from .. import roots
from ..roots import ROOT
from ..xvfb import Display

SUITE = os.environ.get("AI_INPAINT_KRITA_SUITE", "")
PACKAGES = ("krita", "python3-pyqt5")
DRIVER = Path(__file__).with_name("driver")


class Home:
    """A user's home folder with the plugin in it.

    Attributes:
        path: the folder.
        resources: Krita's resource folder in it.
        state: where backend and plugin meet.
        python: what the plugin starts the backend with.
    """

    def __init__(self, path: Path, backend: bool = True) -> None:
        """`backend`: whether one is recorded as installed, from this checkout."""
        self.path = path
        self.resources = path / "data" / "krita"
        self.state = path / "state"
        for folder in (self.resources, self.state, path / "config", path / "cache", path / "run"):
            folder.mkdir(parents=True)
        (path / "run").chmod(0o700)
        self.state.chmod(0o700)
        installer.load().install_plugin("krita", self.resources)
        shutil.copytree(DRIVER, self.resources / "pykrita", dirs_exist_ok=True)
        settings = "[python]\nenable_ai_inpaint=true\nenable_ai_inpaint_driver=true\n"
        (path / "config" / "kritarc").write_text(settings)
        (path / "config" / "kritadisplayrc").write_text("OpenGLRenderer=none\n")
        self.python = str(roots.backend_python(path / "python")) if SUITE else sys.executable
        if backend:
            self.record_backend(self.python)

    def record_backend(self, python: str) -> None:
        """Write what install.py writes: which Python has the backend, and where."""
        content = {"python": python, "root": str(ROOT)}
        (self.state / "installation.json").write_text(json.dumps(content))

    def record_odd_backend(self) -> None:
        """The same, with workers whose models wait, crash and eat memory."""
        path = self.path / "odd-python"
        path.write_text(
            f"#!/bin/sh\nexec '{self.python}' '{Path(__file__).with_name('odd_backend.py')}' \"$@\"\n"
        )
        path.chmod(0o755)
        self.record_backend(str(path))

    def backend(self) -> int:
        """Process number of the backend that runs for this home; 0 if none does."""
        path = self.state / "connection.json"
        return int(json.loads(path.read_text())["pid"]) if path.exists() else 0

    def stop_backend(self) -> None:
        """End the backend, if one runs."""
        command = [sys.executable, "-m", "backend.cli", "stop"]
        if self.backend():
            subprocess.run(command, cwd=ROOT, env=self.environment(), check=True, capture_output=True)

    def environment(self, **more: str) -> dict[str, str]:
        """For a Krita, or a backend, that lives in this home."""
        keep = {name: os.environ[name] for name in ("NUMBA_CACHE_DIR",) if name in os.environ}
        # Krita's Python makes the first python3 of the path its home: that has to be the one Krita was built
        # for, not one of a virtual environment or of pyenv.
        folders = ["/usr/bin", "/bin", *os.environ["PATH"].split(os.pathsep)]
        return {
            **keep,
            "PATH": os.pathsep.join(folders),
            "HOME": str(self.path),
            "XDG_CONFIG_HOME": str(self.path / "config"),
            "XDG_DATA_HOME": str(self.path / "data"),
            "XDG_CACHE_HOME": str(self.path / "cache"),
            "XDG_RUNTIME_DIR": str(self.path / "run"),
            "LANG": "C.UTF-8",
            "LIBGL_ALWAYS_SOFTWARE": "1",
            "AI_INPAINT_HOME": str(self.state),
            **more,
        }


class Crash(AssertionError):
    """Krita itself crashed: no Python ran in its thread then, ours or another."""


def play(
    home: Home, display: Display, scenario: Path, limit: float, keep: Path, **more: str
) -> dict[str, Any]:
    """Run a scenario to its end; what was reported.

    Now and then Krita 5.1 crashes when a script has closed a document: it seems to delete the document
    before its view, while users close views. After such a crash the scenario is run once more, and the
    tests' summary has a warning.
    """
    try:
        return Krita(home, display, scenario, limit, **more).wait(keep)
    except Crash as crash:
        warnings.warn(f"{scenario.stem}: a second try. {crash}", stacklevel=2)
    home.stop_backend()
    (home.state / "settings.json").unlink(missing_ok=True)
    (home.path / f"{scenario.stem}.jsonl").unlink()
    return Krita(home, display, scenario, limit, **more).wait(keep)


class Krita:
    """One run of Krita, with a scenario."""

    def __init__(
        self, home: Home, display: Display, scenario: Path, limit: float = 120.0, **more: str
    ) -> None:
        self.home = home
        self.report = home.path / f"{scenario.stem}.jsonl"
        self.log = home.path / f"{scenario.stem}.log"
        self._limit = limit
        environment = home.environment(
            DISPLAY=display.name,
            AI_INPAINT_SCENARIO=str(scenario.resolve()),
            AI_INPAINT_REPORT=str(self.report),
            AI_INPAINT_LIMIT=str(limit - 20),
            **more,
        )
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                self._command(environment),
                env=environment,
                cwd=home.path,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )

    def _command(self, environment: dict[str, str]) -> list[str]:
        """What runs Krita."""
        if not SUITE:
            return ["krita", "--nosplash"]
        root = roots.get("krita", PACKAGES, SUITE)
        sandbox = roots.sandbox(root, [ROOT, self.home.path.parents[1]])
        settings = [f"{name}={value}" for name, value in environment.items()]
        return [
            *sandbox,
            "--chdir",
            str(self.home.path),
            "--",
            "/usr/bin/env",
            "-i",
            *settings,
            "krita",
            "--nosplash",
        ]

    def lines(self) -> list[dict[str, Any]]:
        """What was reported so far."""
        if not self.report.exists():
            return []
        text = self.report.read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def reported(self) -> dict[str, Any]:
        """The same by name; of several with one name the last."""
        return {line["name"]: line["value"] for line in self.lines()}

    def wait(self, keep: Path | None = None) -> dict[str, Any]:
        """Wait until Krita has ended; what was reported.

        Args:
            keep: folder that gets a copy of the report and of what Krita said.

        Raises:
            AssertionError: Krita hung or crashed, or the scenario failed.
        """
        began = time.monotonic()
        try:
            code = self.process.wait(self._limit)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"Krita hung: {self._tail()}") from None
        finally:
            if keep is not None:
                for path in (self.report, self.log):
                    if path.exists():
                        shutil.copy(path, keep)
        found = self.reported()
        found["seconds"] = time.monotonic() - began
        assert "error" not in found, f"{found['error']}\n{self._tail()}"
        assert "uncaught" not in found, found["uncaught"]
        if code == -signal.SIGSEGV and re.search(
            r"^Current thread .*\n +<no Python frame>", self._tail(), re.M
        ):
            raise Crash(f"Krita crashed after {list(found)[-2:-1]}")
        assert "end" in found, f"Krita ended with exit code {code} after {list(found)[-2:-1]}: {self._tail()}"
        assert code == 0, f"Krita ended with exit code {code}: {self._tail()}"
        return found

    def _tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(line for line in lines if not line.startswith("QPainter"))[-4000:]
