"""The plugin as it is installed, imported without Krita."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import installer
import pytest


def install_plugin(place: Path) -> Path:
    """Put the bundle there; its package's folder."""
    installer.load().install_plugin("krita", place)
    return place / "pykrita" / "ai_inpaint"


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The installed plugin's folder."""
    return install_plugin(tmp_path_factory.mktemp("resources"))


class Plugin:
    """The plugin's modules by their names."""

    def __getattr__(self, name: str) -> ModuleType:
        return importlib.import_module(f"ai_inpaint.{name}")


@pytest.fixture(scope="session")
def plugin(bundle: Path) -> Any:
    """The installed package; what it carries of the backend is its own copy."""
    sys.path.insert(0, str(bundle.parent))
    for name in (
        "client.form",
        "client.jobs",
        "client.session",
        "client.settings",
        "client.words",
        "wire.geometry",
        "wire.messages",
    ):
        importlib.import_module(f"ai_inpaint.backend.{name}")
    yield Plugin()
    sys.path.remove(str(bundle.parent))
