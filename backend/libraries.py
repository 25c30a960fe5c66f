"""The libraries that a plugin carries for its editor's Python: msgpack, and pyzmq where there is a build.

msgpack is that of our own environment without its compiled part: the headers that it packs are small, and
pure Python serves every editor. pyzmq is ours as well if our Python is all that is asked for. Otherwise
builds of one version for several Pythons are put into one folder: they differ in their compiled parts
alone, and each Python finds its own by the file's name.

Standard library only: install.py uses it.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

PYZMQ = "27.1.0"
"""The version for other Pythons than our own: the newest that has builds for 3.8 as well."""

STABLE = 12
"""From Python 3.12 on one build of pyzmq serves them all."""

_COPY = """
import json, shutil, sys
from importlib.metadata import distribution
from pathlib import Path
target, names = Path(sys.argv[1]), sys.argv[2:]
for name in names:
    for file in distribution(name).files:
        if file.suffix == ".pyc" or ".." in file.parts or "tests" in file.parts or file.name == "RECORD":
            continue
        if name == "msgpack" and file.suffix in (".so", ".pyd"):
            continue
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file.locate(), target / file)
versions = {name: distribution(name).version for name in ("msgpack", "pyzmq")}
print(json.dumps({**versions, "python": "%d.%d" % sys.version_info[:2]}))
"""


def gather(
    folder: Path,
    python: Path,
    pythons: Sequence[str] | None,
    carried: dict[str, Any],
    environment: dict[str, str],
    tool: Callable[[list[str]], str],
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Put a plugin's libraries into a folder, and say which they are.

    Args:
        folder: an empty one.
        python: that of our environment.
        pythons: the editor's versions, such as "3.11"; None is that of `python` alone.
        carried: what the plugin has; left as it is if that is right.
        environment: for the programs that are run.
        tool: runs a command that may fail; returns what to do about its failure, "" for success.
        say: takes sentences for the user.

    Returns:
        Versions of the libraries, and the Pythons that there is a pyzmq for; nothing if that is `carried`.

    Raises:
        OSError: a file could not be read or written.
        subprocess.CalledProcessError: our environment lacks one of them.
    """

    def copy(name: str) -> dict[str, str]:
        command = [str(python), "-B", "-c", _COPY, str(folder), name]
        output = subprocess.run(command, stdout=subprocess.PIPE, env=environment, check=True).stdout
        versions: dict[str, str] = json.loads(output.decode())
        return versions

    mine = copy("msgpack")
    own = mine["python"]
    wanted = _wanted([own] if pythons is None else pythons)
    if wanted == _wanted([own]):
        copy("pyzmq")
        return {"msgpack": mine["msgpack"], "pyzmq": mine["pyzmq"], "pythons": wanted}
    holds = {"msgpack": mine["msgpack"], "pyzmq": PYZMQ if wanted else "", "pythons": wanted}
    if carried == holds:
        return {}
    there = []
    for version in wanted:
        say(f"fetching pyzmq {PYZMQ} for Python {version}")
        problem = _fetch(folder, python, version, tool)
        if problem:
            say(f"it could not be had, so the plugin goes without it there. {problem}")
        else:
            there.append(version)
    return {**holds, "pythons": there}


def _wanted(pythons: Sequence[str]) -> list[str]:
    """The builds of pyzmq that these Pythons need."""
    minors = {min(int(version.split(".")[1]), STABLE) for version in pythons}
    return [f"3.{minor}" for minor in sorted(minors)]


def _fetch(folder: Path, python: Path, version: str, tool: Callable[[list[str]], str]) -> str:
    """Unpack the build for a Python into a folder; returns what to do if that fails."""
    with tempfile.TemporaryDirectory() as downloads:
        command = [str(python), "-m", "pip", "--no-input", "--disable-pip-version-check", "download"]
        command += ["--no-deps", "--no-cache-dir", "--retries", "1", "--only-binary", ":all:"]
        command += ["--implementation", "cp", "--python-version", version, "--dest", downloads]
        for kind in _platforms():
            command += ["--platform", kind]
        problem = tool([*command, f"pyzmq=={PYZMQ}"])
        for wheel in Path(downloads).glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                names = [name for name in archive.namelist() if "/tests/" not in name]
                archive.extractall(folder, [name for name in names if not name.endswith("/RECORD")])
    return problem


def _platforms() -> list[str]:
    """What wheels for this computer are called."""
    machine = platform.machine().lower()
    if os.name == "nt":
        return [f"win_{machine}"]
    if sys.platform == "darwin":
        return [f"macosx_11_0_{machine}", f"macosx_10_15_{machine}"]
    return [f"manylinux_2_28_{machine}", f"manylinux2014_{machine}"]
