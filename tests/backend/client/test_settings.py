"""Last-used settings survive restarts, broken files and new versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.client.settings import Settings

SPECS = [
    {"name": "grow", "kind": "int", "default": 4, "minimum": 0, "maximum": 64},
    {"name": "seam", "kind": "choice", "default": "on", "choices": ["on", "off"]},
]
DEFAULTS = {"grow": 4, "seam": "on"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "settings.json"


def test_without_a_file_there_are_defaults_and_still_no_file(path: Path) -> None:
    settings = Settings(path)
    assert settings.values("lama", SPECS) == DEFAULTS
    assert settings.model() == "auto"
    assert not path.parent.exists()


def test_each_model_keeps_its_own(path: Path) -> None:
    Settings(path).save("lama", {"grow": 9, "seam": "off"})
    Settings(path).save("patchmatch", {"grow": 1})
    again = Settings(path)
    assert again.model() == "patchmatch"
    assert again.values("lama", SPECS) == {"grow": 9, "seam": "off"}
    assert again.values("patchmatch", SPECS) == {"grow": 1, "seam": "on"}
    assert again.values("another", SPECS) == DEFAULTS


def test_two_editors_do_not_undo_each_other(path: Path) -> None:
    krita, gimp = Settings(path), Settings(path)
    krita.save("lama", {"grow": 9})
    gimp.save("patchmatch", {"grow": 2})
    assert krita.values("patchmatch", SPECS)["grow"] == 2
    assert gimp.values("lama", SPECS)["grow"] == 9


def test_what_is_no_longer_allowed_falls_back_alone(path: Path) -> None:
    Settings(path).save("lama", {"grow": 1000, "seam": "off", "of an older version": 3})
    assert Settings(path).values("lama", SPECS) == {"grow": 4, "seam": "off"}


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1, 2]", b"\xff\xff", b"[" * 100_000, b'{"models": {"lama": '], ids=range(6)
)
def test_a_broken_file_is_set_aside(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    settings = Settings(path)
    assert settings.values("lama", SPECS) == DEFAULTS
    assert path.with_name("settings.json.broken").read_bytes() == content
    settings.save("lama", {"grow": 7})
    assert settings.values("lama", SPECS)["grow"] == 7


@pytest.mark.parametrize(
    "content",
    ['{"models": 3, "model": 7}', '{"models": {"lama": []}}', '{"models": {"lama": {"grow": [1]}}}'],
)
def test_parts_of_another_kind_count_as_missing(path: Path, content: str) -> None:
    path.parent.mkdir()
    path.write_text(content, encoding="utf-8")
    settings = Settings(path)
    assert settings.values("lama", SPECS) == DEFAULTS and settings.model() == "auto"
    settings.save("lama", {"grow": 7})
    assert settings.values("lama", SPECS)["grow"] == 7
