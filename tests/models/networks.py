"""Networks for tests: the fixtures' weights in official containers, and small ones with random weights."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from conformance import conformance

import models
from models.network import NetworkModel

FIXTURES = Path(__file__).parent / "conformance"

# What makes the heaviest networks small; the others are built as they are.
SMALL: dict[str, dict[str, Any]] = {
    "context-encoder": {"encoding": 8, "bottleneck": 16, "decoding": 8},
    "lama": {"blocks": 2, "width": 16},
    "migan": {"resolution": 64},
    "pconv": {"levels": 6},
}


def fixture(name: str) -> conformance.Fixture:
    return conformance.load(FIXTURES / f"{name}.npz")


@lru_cache(maxsize=1)
def random_weights(name: str) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Settings and state dictionary of a network whose weights are random, but neither dead nor exploding."""
    kind = models.kinds()[name]
    settings = dict(SMALL.get(name, {}))
    if kind.card.variants:
        settings["variant"] = kind.card.variants[0]
    torch.manual_seed(sum(name.encode()))
    return settings, kind.build(**settings).state_dict()


def random_network(name: str, precision: str = "single") -> NetworkModel:
    kind = models.kinds()[name]
    settings, weights = random_weights(name)
    network = kind.build(**settings)
    network.load_state_dict(weights)
    return kind(network, kind.describe(**settings), settings, "cpu", precision)


def as_tensor(image: np.ndarray) -> torch.Tensor:
    """uint8 H x W (x C) as float32 1 x C x H x W in [0, 1]."""
    planes = image[None] if image.ndim == 2 else image.transpose(2, 0, 1)
    return torch.from_numpy(np.ascontiguousarray(planes[None], dtype=np.float32) / 255)


def as_picture(filled: torch.Tensor) -> np.ndarray:
    """The reverse for RGB, truncated as most authors' code does."""
    return (filled * 255).clamp(0, 255)[0].permute(1, 2, 0).numpy().astype(np.uint8)
