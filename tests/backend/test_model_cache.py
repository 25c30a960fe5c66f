"""Which models a worker keeps, and where they run."""

from __future__ import annotations

import pytest

from backend.wire.errors import InpaintError
from backend.worker.model_cache import ModelCache
from models import FillError


def test_models_are_kept_while_there_is_memory() -> None:
    cache = ModelCache("cpu", {}, margin=0)
    smooth = cache.load("smooth")
    cache.load("patchmatch")
    assert cache.load("smooth") is smooth
    assert cache.loaded == ["patchmatch", "smooth"], "the least recently used first"
    cache.make_room()
    assert len(cache.loaded) == 2
    cache.clear()
    assert cache.loaded == []


def test_models_go_when_memory_is_short() -> None:
    cache = ModelCache("cpu", {}, margin=1 << 60)
    cache.load("smooth")
    cache.load("patchmatch")
    assert cache.loaded == ["patchmatch"]


def test_a_model_that_is_not_there_is_said_so_and_changes_nothing() -> None:
    cache = ModelCache("cpu", {}, margin=0)
    cache.load("smooth")
    with pytest.raises(FillError, match="patchmatch"):
        cache.load("nobody")
    assert cache.loaded == ["smooth"]


def test_networks_run_on_the_best_device_and_others_on_the_cpu() -> None:
    torch = pytest.importorskip("torch")
    cache = ModelCache("auto", {"smooth": {"network": True}}, margin=0)
    cache.load("patchmatch")
    assert cache.device == "auto", "not looked for before a network needs it"
    best = cache.load("smooth").device
    assert best == cache.device
    assert best == ("cuda" if torch.cuda.is_available() else "mps" if torch.mps.is_available() else "cpu")


def test_a_device_that_does_not_work_is_an_error_for_people() -> None:
    pytest.importorskip("torch")
    cache = ModelCache("cuda:99", {"smooth": {"network": True}}, margin=0)
    with pytest.raises(InpaintError, match="cuda:99 does not work") as caught:
        cache.load("smooth")
    assert caught.value.code == "bad-param"
