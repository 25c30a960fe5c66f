"""Files with weights for tests, in the containers that networks are published in."""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path
from typing import Any

FIXTURES = Path(__file__).resolve().parents[1] / "models" / "conformance"

TENSORFLOW = FIXTURES / "deepcream_bar" / "Train_775000.index"
"""A real checkpoint of TensorFlow's: DeepCreamPy, with weights random by rule."""


@cache
def _conformance() -> Any:
    spec = importlib.util.spec_from_file_location("conformance_for_the_store", FIXTURES / "conformance.py")
    assert spec is not None and spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def deepfill(folder: Path) -> Path:
    """DeepFill v2's weights, random by rule, as nipponjo packs them: 16 MB."""
    path = folder / "states_pt_places2.pth"
    fixture = _conformance().load(FIXTURES / "deepfill_pt.npz")
    fixture.write_container(path)
    return path


def small_lama(path: Path, seed: int = 0) -> Path:
    """A small LaMa with random weights, as its authors' training saves it: 2 blocks, 16 channels."""
    import torch

    from models.lama import LaMaNetwork

    torch.manual_seed(seed)
    weights = LaMaNetwork(blocks=2, width=16).state_dict()
    state = {f"generator.{name}": tensor for name, tensor in weights.items()}
    torch.save({"epoch": 1, "state_dict": state}, path)
    return path
