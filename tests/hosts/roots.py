"""Debian roots of their own, for editors that this machine's packages do not have, and programs run in them.

A root is made once by mmdebstrap from the mirror that apt is configured with, and kept in the folder that
AI_INPAINT_TEST_CACHE names, else in `~/.cache/ai-inpaint-tests`. Programs run in it through bubblewrap. The
machine's own root is seen at /host there, so that a plugin can start the backend of this checkout.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import filelock

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ("mmdebstrap", "bwrap")
HOST = "/host"

# mmdebstrap takes the keys from the machine; without documentation and translations it is half as large.
_OPTIONS = (
    "--mode=root",
    "--variant=apt",
    '--aptopt=Apt::Install-Recommends "false"',
    '--aptopt=Acquire::Check-Valid-Until "false"',  # a mirror may be a snapshot; signatures are checked
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=force-unsafe-io",
)

# A plugin starts this in the editor's root; it goes on in the machine's.
_PYTHON = """#!/bin/sh
exec chroot {host} /bin/sh -c 'cd "$0" && exec "$@"' {root} {python} "$@"
"""


def missing() -> str:
    """Why there can be no root of its own here, or ""."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "a root of its own needs Linux and the rights of root"
    lacking = [program for program in PROGRAMS if shutil.which(program) is None]
    if lacking:
        return f"not installed: {', '.join(lacking)}"
    return "" if shutil.which("apt-get") and _mirror() else "apt knows no Debian mirror"


def get(name: str, packages: Sequence[str], suite: str) -> Path:
    """The root with these packages in it, made if needed: about 90 seconds and 500 MB.

    Raises:
        subprocess.CalledProcessError: mmdebstrap failed; it has said why.
    """
    top = os.environ.get("AI_INPAINT_TEST_CACHE")
    cache = Path(top) if top else Path.home() / ".cache" / "ai-inpaint-tests"
    cache.mkdir(parents=True, exist_ok=True)
    place, new = cache / f"{name}-{suite}", cache / f"{name}-{suite}.new"
    stamp = place / "made-with.json"
    wanted = json.dumps(packages)
    with filelock.FileLock(cache / f"{name}-{suite}.lock"):
        if stamp.is_file() and stamp.read_text() == wanted:
            return place
        for old in (place, new):
            shutil.rmtree(old, ignore_errors=True)
        source = f"deb {_mirror()} {suite} main"
        include = "--include=" + ",".join(packages)
        subprocess.run(["mmdebstrap", *_OPTIONS, include, suite, str(new), source], check=True)
        (new / stamp.name).write_text(wanted)
        new.rename(place)
    return place


def backend_python(path: Path) -> Path:
    """Write a program to `path` that is, in a root, the machine's Python with this checkout."""
    path.write_text(_PYTHON.format(host=HOST, root=ROOT, python=sys.executable))
    path.chmod(0o755)
    return path


def sandbox(root: Path, shared: Sequence[Path]) -> list[str]:
    """The beginning of a command that runs in a root; it sees these folders at their own paths."""
    # The backend that is started from there is to see the machine's devices and be its own master.
    command = ["bwrap", "--bind", str(root), "/", "--dev-bind", "/", HOST, "--proc", "/proc"]
    command += ["--dev", "/dev", "--tmpfs", "/tmp", "--cap-add", "ALL"]
    for folder in shared:
        command += ["--bind", str(folder), str(folder)]
    if Path("/tmp/.X11-unix").is_dir():
        command += ["--ro-bind", "/tmp/.X11-unix", "/tmp/.X11-unix"]
    return command


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
