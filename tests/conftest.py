"""What no test may depend on: the weights and the switches of whoever runs it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

_SWITCHES = ("AI_INPAINT_ZOO", "AI_INPAINT_MIRROR", "AI_INPAINT_OFFLINE")


@pytest.fixture(scope="session", autouse=True)
def no_weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty folder of weights, for this process and all that it starts."""
    folder = tmp_path_factory.mktemp("weights")
    before = {name: os.environ.pop(name, None) for name in ("AI_INPAINT_MODELS", *_SWITCHES)}
    os.environ["AI_INPAINT_MODELS"] = str(folder)
    yield folder
    for name, value in before.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
