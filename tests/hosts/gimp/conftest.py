"""GIMP with the installed plug-in, for all tests of this folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import installer
import pytest

from .. import roots
from . import root
from .root import Gimp


@pytest.fixture(scope="session")
def gimp_root() -> Path:
    """A root with GIMP; without one a test is skipped, or fails in CI."""
    reason = roots.missing()
    if reason and os.environ.get("CI"):
        pytest.fail(f"no GIMP to test with: {reason}")
    if reason:
        pytest.skip(f"no GIMP to test with: {reason}")
    return root.get(os.environ.get("AI_INPAINT_GIMP_SUITE", "trixie"))


@pytest.fixture(scope="session")
def gimp(gimp_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gimp]:
    """GIMP with the plug-in installed; the backend that the plug-in starts is ended in the end."""
    made = Gimp(gimp_root, tmp_path_factory.mktemp("gimp"))
    installer.load().install_plugin("gimp", made.profile / "plug-ins")
    with made.backend_ended():
        yield made


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test waits for the root, and the first of each kind for a whole run of GIMP."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.timeout(900))
