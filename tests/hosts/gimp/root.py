"""A real GIMP 3 on a machine whose own packages have none: in a Debian root of its own (see `roots`)."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from .. import roots
from ..roots import HOST, ROOT

PACKAGES = ("gimp", "gir1.2-gimp-3.0", "python3-gi", "python3-zmq")


def get(suite: str) -> Path:
    """The root with GIMP in it, made if needed."""
    return roots.get("gimp", PACKAGES, suite)


class Gimp:
    """One GIMP profile with the installed plug-in, and a state folder for the backend that it starts.

    Attributes:
        folder: writable, at the same path inside and outside.
        state: the backend's state folder.
        version: GIMP's, such as "3.0".
    """

    def __init__(self, root: Path, folder: Path) -> None:
        """`folder` is empty."""
        self.root, self.folder = root, folder
        self.state, self.profile = folder / "state", folder / "profile"
        for made in (self.state, self.profile, folder / "home"):
            made.mkdir()
        (console,) = (root / "usr" / "bin").glob("gimp-console-3.[0-9]")
        self.version = console.name.rpartition("-")[2]
        python = roots.backend_python(folder / "python")
        self.installation = self.state / "installation.json"
        self.installation.write_text(json.dumps({"python": str(python), "root": str(folder)}))

    def command(self, arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> list[str]:
        """The command that runs something in the root."""
        variables = {
            "PATH": "/usr/bin:/bin:/usr/sbin",
            "HOME": str(self.folder / "home"),
            "LANG": "C.UTF-8",
            "AI_INPAINT_HOME": str(self.state),
            "GIMP3_DIRECTORY": str(self.profile),
            **(environment or {}),
        }
        sandbox = roots.sandbox(self.root, [self.folder])
        settings = [f"{name}={value}" for name, value in variables.items()]
        return [*sandbox, "--", "/usr/bin/env", "-i", *settings, *arguments]

    def batch(
        self,
        script: Path,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        seconds: float = 240,
    ) -> subprocess.CompletedProcess[str]:
        """Run a Python script in a GIMP without a window; the exit code is GIMP's.

        The script finds `arguments` in the global name `arguments`.
        """
        return subprocess.run(
            self.command(
                [f"gimp-console-{self.version}", "-i", *self.code(script, *arguments), "--quit"], environment
            ),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
        )

    def code(self, script: Path, *arguments: str) -> list[str]:
        """The options that make GIMP run a script."""
        path = HOST + str(script)
        names = {"arguments": list(arguments), "__file__": path, "__name__": "__main__"}
        run = f"exec(compile(open({path!r}).read(), {path!r}, 'exec'), {names!r})"
        return ["--batch-interpreter=python-fu-eval", "-b", run]

    def ask_backend(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `ai-inpaint` on the machine itself, for the backend that GIMP started."""
        return subprocess.run(
            [sys.executable, "-m", "backend.cli", *words],
            cwd=ROOT,
            env={**os.environ, "AI_INPAINT_HOME": str(self.state)},
            capture_output=True,
            text=True,
            timeout=60,
        )

    @contextlib.contextmanager
    def backend_ended(self) -> Iterator[None]:
        """Afterwards no backend is left behind."""
        try:
            yield
        finally:
            self.ask_backend("stop")
