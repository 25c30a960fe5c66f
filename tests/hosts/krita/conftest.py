"""One home and one screen for every test with Krita: a fresh home costs Krita twenty seconds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from ..xvfb import Display, artefacts, missing
from .launch import ROOT, Home

PHOTO = ROOT / "backend" / "demo" / "photograph.jpg"


@pytest.fixture(scope="session")
def krita() -> None:
    """A skip without Krita, but a failure in CI."""
    lacking = missing() + ([] if shutil.which("krita") else ["krita"])
    if lacking:
        told = f"not on this machine: {', '.join(lacking)}"
        if os.environ.get("CI"):
            pytest.fail(told)
        pytest.skip(told)


@pytest.fixture(scope="session")
def display(krita: None) -> Iterator[Display]:
    """A screen."""
    with Display() as screen:
        yield screen


@pytest.fixture(scope="session")
def home(krita: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A user who has just installed the plugin."""
    place = Home(tmp_path_factory.mktemp("krita") / "home")
    yield place
    place.stop_backend()


@pytest.fixture(scope="session")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small part of the photograph."""
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    Image.open(PHOTO).crop((300, 200, 460, 320)).save(path)
    return path


@pytest.fixture(scope="session")
def pictures_folder() -> Path:
    """Where screenshots, logs and reports stay after the tests."""
    return artefacts("krita")


def run(*words: object, cwd: Path = ROOT) -> str:
    """Run `ai-inpaint` in a process of its own; what it printed."""
    command = [sys.executable, "-m", "backend.cli", *map(str, words)]
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout
