"""Keras files: read where h5py is, and a sentence where it is not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from models import FillError
from models.checkpoints import hdf5, read

_WITHOUT = """
import json, sys
sys.modules["h5py"] = None  # importing it fails, as where it is not installed
import models
try:
    models.load(sys.argv[1])
except models.FillError as error:
    print(json.dumps([error.code, error.message, error.hint]))
"""


def test_without_h5py_loading_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "weights.h5"
    path.write_bytes(hdf5.SIGNATURE + bytes(100))
    answer = subprocess.run(
        [sys.executable, "-c", _WITHOUT, str(path)], capture_output=True, text=True, check=True
    )
    code, message, hint = json.loads(answer.stdout)
    assert code == "missing-library" and "weights.h5" in message and "pip install h5py" in hint


def test_arrays_are_named_by_their_groups(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="h5py is an optional extra")
    weight = torch.randn(3, 3, 2, 4).numpy()
    with h5py.File(tmp_path / "net.h5", "w") as file:
        file.create_group("block1/layers/conv2d/vars")["0"] = weight
        file["note"] = "trained on something"
        file["big-endian"] = weight.astype(">f4")
    checkpoint = read(tmp_path / "net.h5")
    assert checkpoint.container == "hdf5"
    assert set(checkpoint.tensors) == {"block1/layers/conv2d/vars/0", "big-endian"}
    assert all((tensor.numpy() == weight).all() for tensor in checkpoint.tensors.values())


def test_a_damaged_file_or_one_that_swells_is_refused(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="h5py is an optional extra")
    with h5py.File(tmp_path / "bomb.h5", "w") as file:
        file.create_dataset("zeros", (4096, 4096), "f4", compression="gzip")
    with h5py.File(tmp_path / "whole.h5", "w") as file:
        file["weight"] = torch.randn(50, 50).numpy()
    content = (tmp_path / "whole.h5").read_bytes()
    (tmp_path / "cut.h5").write_bytes(content[: len(content) // 2])
    for name in ("bomb.h5", "cut.h5"):
        with pytest.raises(FillError) as caught:
            read(tmp_path / name)
        assert caught.value.code == "bad-weights"
