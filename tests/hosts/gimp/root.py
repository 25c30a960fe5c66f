"""A real GIMP 3 on a machine whose own packages have none: a Debian root of its own, and GIMP run in it.

The root is made once by mmdebstrap from the mirror that apt is configured with, and kept in the folder that
AI_INPAINT_TEST_CACHE names, else in `~/.cache/ai-inpaint-tests`. GIMP runs in it through bubblewrap. The
machine's own root is seen at /host there, so that the plug-in can start the backend of this checkout.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import filelock

ROOT = Path(__file__).resolve().parents[3]
PROGRAMS = ("mmdebstrap", "bwrap")
PACKAGES = ("gimp", "gir1.2-gimp-3.0", "python3-gi", "python3-zmq")
HOST = "/host"

# mmdebstrap takes the keys from the machine; without documentation and translations it is half as large.
_OPTIONS = (
    "--mode=root",
    "--variant=apt",
    "--include=" + ",".join(PACKAGES),
    '--aptopt=Apt::Install-Recommends "false"',
    '--aptopt=Acquire::Check-Valid-Until "false"',  # a mirror may be a snapshot; signatures are checked
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=force-unsafe-io",
)

# The plug-in starts this in GIMP's root; it goes on in the machine's.
_PYTHON = """#!/bin/sh
exec chroot {host} /bin/sh -c 'cd "$0" && exec "$@"' {root} {python} "$@"
"""


def missing() -> str:
    """Why there can be no GIMP here, or ""."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "a root of its own for GIMP needs Linux and the rights of root"
    lacking = [program for program in PROGRAMS if shutil.which(program) is None]
    if lacking:
        return f"not installed: {', '.join(lacking)}"
    return "" if shutil.which("apt-get") and _mirror() else "apt knows no Debian mirror"


def get(suite: str = "trixie") -> Path:
    """The root with GIMP in it, made if needed: about 90 seconds and 500 MB.

    Raises:
        subprocess.CalledProcessError: mmdebstrap failed; it has said why.
    """
    top = os.environ.get("AI_INPAINT_TEST_CACHE")
    cache = Path(top) if top else Path.home() / ".cache" / "ai-inpaint-tests"
    cache.mkdir(parents=True, exist_ok=True)
    place, new = cache / f"gimp-{suite}", cache / f"gimp-{suite}.new"
    stamp = place / "made-with.json"
    wanted = json.dumps(PACKAGES)
    with filelock.FileLock(cache / f"gimp-{suite}.lock"):
        if stamp.is_file() and stamp.read_text() == wanted:
            return place
        for old in (place, new):
            shutil.rmtree(old, ignore_errors=True)
        source = f"deb {_mirror()} {suite} main"
        subprocess.run(["mmdebstrap", *_OPTIONS, suite, str(new), source], check=True)
        (new / stamp.name).write_text(wanted)
        new.rename(place)
    return place


def _mirror() -> str:
    """The address of the Debian mirror that this machine's apt uses; "" if it uses none."""
    said = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(ORIGIN)"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    for line in said.splitlines():
        address, _, origin = line.partition(" ")
        if origin == "Debian" and "security" not in address:
            return address
    return ""


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
        python = folder / "python"
        python.write_text(_PYTHON.format(host=HOST, root=ROOT, python=sys.executable))
        python.chmod(0o755)
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
        # The backend that is started from here is to see the machine's devices and be its own master.
        sandbox = ["bwrap", "--bind", str(self.root), "/", "--dev-bind", "/", HOST, "--proc", "/proc"]
        sandbox += ["--dev", "/dev", "--tmpfs", "/tmp", "--bind", str(self.folder), str(self.folder)]
        sandbox += ["--cap-add", "ALL"]
        if Path("/tmp/.X11-unix").is_dir():
            sandbox += ["--ro-bind", "/tmp/.X11-unix", "/tmp/.X11-unix"]
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
