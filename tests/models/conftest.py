from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from networks import fixture


@pytest.fixture(scope="session")
def container(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Gives the path of a fixture's weights in their official container, by the fixture's name."""
    made: dict[str, Path] = {}
    folder = tmp_path_factory.mktemp("containers")

    def make(name: str) -> Path:
        if name not in made:
            made[name] = folder / name
            fixture(name).write_container(made[name])
        return made[name]

    return make
