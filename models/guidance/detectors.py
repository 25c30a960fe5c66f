"""The two ways to find lines, and the choice between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

from .. import zoo
from ..base import FillError
from . import gradients, hed

DETECTORS = ("auto", "hed", "gradients")
"""What `detector` takes: the network if its weights are there, else gradients; or one of both."""

Watch = Callable[[float], None]
"""Called often with the share of the work that is done; may raise to stop it."""


@dataclass(frozen=True)
class Detector:
    """A way to find lines.

    Attributes:
        name: "hed" or "gradients".
        faint, strong: a line is what is at least `strong` somewhere, and nowhere less than `faint`.
        run: float32 N x 3 x H x W in [0, 1] to N x 1 x H x W in [0, 1].
        device: where it runs.
    """

    name: str
    faint: float
    strong: float
    run: Callable[[Tensor, Watch | None], Tensor]
    device: str


def detector(name: str = "auto", device: str = "cpu") -> Detector:
    """A way to find lines, ready to be used.

    Args:
        name: of `DETECTORS`.
        device: as torch names it.

    Raises:
        FillError: `bad-param`, there is no such detector; `no-weights` or `missing-library`, if "hed" was
            asked for; `bad-weights`, what is there is damaged.
    """
    if name not in DETECTORS:
        raise FillError(
            "bad-param", f"There is no line detector {name!r}.", f"There are {', '.join(DETECTORS)}."
        )
    path = hed.find()
    if name == "gradients" or (name == "auto" and (path is None or find_spec("h5py") is None)):
        return Detector("gradients", 0.27, 0.43, _gradients, device)
    if path is None:
        raise FillError(
            "no-weights",
            "The weights of the edge detector are not on this computer.",
            zoo.suggestion(hed.ARCHITECTURE),
        )
    network = _network(path, path.stat().st_mtime_ns, device)

    def run(image: Tensor, watch: Watch | None) -> Tensor:
        with torch.inference_mode():
            return network(image, watch)

    return Detector("hed", 0.2, 0.45, run, device)


@lru_cache(maxsize=1)
def _network(path: Path, changed: int, device: str) -> hed.HED:
    return hed.load(path, device)


def _gradients(image: Tensor, watch: Watch | None) -> Tensor:
    if watch is not None:
        watch(0.0)
    with torch.inference_mode():
        return gradients.edges(image)
