"""The models that a worker has loaded, and where they run."""

from __future__ import annotations

import gc
import logging
import sys
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import psutil

from .. import pipeline
from ..wire.errors import BAD_PARAM, InpaintError

log = logging.getLogger(__name__)


class ModelCache:
    """Loads models when first asked for, and lets the least recently used go when memory is short.

    Args:
        device: "auto" for the best there is, or as torch names it.
        cards: of all models, by name. One with a true `network` runs on the device, others on the CPU.
        margin: bytes of memory, the computer's or the device's, to keep free for the work itself.

    Attributes:
        cards: may be replaced as weights come and go.
    """

    def __init__(
        self, device: str, cards: Mapping[str, Mapping[str, Any]], margin: int = 1_500_000_000
    ) -> None:
        self.device = device
        self.cards, self._margin = cards, margin
        self._models: OrderedDict[str, pipeline.Model] = OrderedDict()
        self._stamps: dict[str, object] = {}

    @property
    def loaded(self) -> list[str]:
        """Names of the models, the least recently used first."""
        return list(self._models)

    def load(self, name: str) -> pipeline.Model:
        """The model of that name, ready.

        Raises:
            FillError: as `pipeline.load`.
            InpaintError: `bad-param` if the device does not work.
        """
        stamp = pipeline.stamp(name)
        if name in self._models and self._stamps[name] != stamp:
            del self._models[name]  # its weights were replaced
            _collect()
        if name not in self._models:
            self.make_room()
            network = self.cards.get(name, {}).get("network", False)
            self._stamps[name] = stamp
            device = self.working_device() if network else "cpu"
            self._models[name] = pipeline.load(name, device, precision="auto")
        self._models.move_to_end(name)
        return self._models[name]

    def make_room(self) -> None:
        """Let models go until enough memory is free, and give what torch keeps back to the device."""
        while self._models and self._short():
            name, _ = self._models.popitem(last=False)
            log.info("memory is short: unloaded %s", name)
            _collect()

    def clear(self) -> None:
        """Let all models go."""
        self._models.clear()
        _collect()

    def _short(self) -> bool:
        if psutil.virtual_memory().available < self._margin:
            return True
        torch = sys.modules.get("torch")
        if torch is None or not self.device.startswith("cuda"):
            return False
        _collect()
        return torch.cuda.mem_get_info(self.device)[0] < self._margin

    def working_device(self) -> str:
        """The device, "auto" resolved; the first call imports torch.

        Raises:
            InpaintError: `bad-param` if the device does not work.
        """
        import torch

        if self.device == "auto":
            self.device = "cuda" if torch.cuda.is_available() else "mps" if _has_mps(torch) else "cpu"
            log.info("networks run on %s", self.device)
        try:
            torch.zeros(1, device=self.device)
        except (RuntimeError, AssertionError) as problem:
            raise InpaintError(
                BAD_PARAM,
                f"The device {self.device} does not work on this computer.",
                'Start the backend with the device "auto" or "cpu".',
            ) from problem
        return self.device


def _has_mps(torch: Any) -> bool:
    return torch.backends.mps.is_available()


def _collect() -> None:
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
