"""A worker whose models sleep, hang, crash and eat memory; for the tests of the server."""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import psutil

import backend.worker.process
import models
from models.base import Cancel, Cancelled, Card, Model, Param, Progress

SECONDS = Param("seconds", "float", 0.0, "Seconds", minimum=0, maximum=600)
VALUE = Param("value", "int", 0, "Value", minimum=0, maximum=255)


class Odd(Model):
    """Fills with `value` after it has done something odd."""

    def _fill_one(
        self,
        image: np.ndarray,
        hole: np.ndarray,
        source: np.ndarray | None,
        guidance: Mapping[str, np.ndarray],
        seed: int,
        progress: Progress,
        cancel: Cancel,
        **params: Any,
    ) -> np.ndarray:
        progress(0.01, "dreaming")
        self.act(params["seconds"], progress, cancel)
        return np.full_like(image, params["value"] / 255)

    def act(self, seconds: float, progress: Progress, cancel: Cancel) -> None:
        """What this model does instead of filling."""
        raise NotImplementedError


class Patient(Odd):
    """Takes its time, says how far it is, and stops when asked."""

    card = Card("patient", "Patient", "Waits.", params=(SECONDS, VALUE))

    def act(self, seconds: float, progress: Progress, cancel: Cancel) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if cancel():
                raise Cancelled
            progress(1 - left / seconds, "dreaming")
            time.sleep(0.02)


class Deaf(Odd):
    """Makes progress, but does not stop when asked."""

    card = Card("deaf", "Deaf", "Does not listen.", params=(SECONDS, VALUE))

    def act(self, seconds: float, progress: Progress, cancel: Cancel) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            progress(1 - left / seconds, "dreaming")
            time.sleep(0.02)


class Stuck(Odd):
    """Stands still, though the process is well."""

    card = Card("stuck", "Stuck", "Stands still.", params=(SECONDS, VALUE))

    def act(self, seconds: float, progress: Progress, cancel: Cancel) -> None:
        time.sleep(seconds)


class Hog(Odd):
    """Never lets another thread of the process run, as compiled code that hangs does."""

    card = Card("hog", "Hog", "Does not share.", params=(SECONDS, VALUE))

    def act(self, seconds: float, progress: Progress, cancel: Cancel) -> None:
        sys.setswitchinterval(10_000)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pass


class Crash(Odd):
    """Takes the process with it."""

    card = Card("crash", "Crash", "Crashes.", params=(SECONDS, VALUE))

    def act(self, seconds: float, progress: Progress, cancel: Cancel) -> None:
        time.sleep(seconds)
        os.kill(os.getpid(), signal.SIGSEGV)


class Quit(Odd):
    """Ends the process in good order."""

    card = Card("quit", "Quit", "Exits.", params=(SECONDS, VALUE))

    def act(self, seconds: float, progress: Progress, cancel: Cancel) -> None:
        time.sleep(seconds)
        os._exit(3)


class Glutton(Odd):
    """Wants more memory than there is."""

    card = Card("glutton", "Glutton", "Eats memory.", params=(SECONDS, VALUE))

    def act(self, seconds: float, progress: Progress, cancel: Cancel) -> None:
        usual = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + 300_000_000, usual[1]))
        try:
            eaten = []
            while True:
                eaten.append(np.ones(20_000_000, np.uint8))
        finally:
            resource.setrlimit(resource.RLIMIT_AS, usual)


class Mistaken(Odd):
    """Has a defect."""

    card = Card("mistaken", "Mistaken", "Has a defect.", params=(SECONDS, VALUE))

    def act(self, seconds: float, progress: Progress, cancel: Cancel) -> None:
        raise ZeroDivisionError("a secret of the program's insides")


if __name__ == "__main__":
    sys.modules["models.odd"] = sys.modules["__main__"]
    for model in (Patient, Deaf, Stuck, Hog, Crash, Quit, Glutton, Mistaken):
        models.MODELS[model.card.name] = f"odd:{model.__name__}"
    backend.worker.process.main()
