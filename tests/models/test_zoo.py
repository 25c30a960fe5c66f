"""What is published is written down soundly, and what is on the computer is found."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

import models
from models import FillError, zoo
from models.catalogue import CARDS

HEX = {"sha256": 64, "md5": 32}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AI_INPAINT_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr(zoo, "shipped", lambda: tmp_path / "shipped")  # what we ship is not meant here
    return tmp_path / "models"


def put(folder: Path, name: str, **record: Any) -> Path:
    """Weights as the store leaves them; the file is no network, which nobody looks at here."""
    place = folder / name
    place.mkdir(parents=True)
    (place / "net.pt").write_bytes(b"12345")
    files = {"net.pt": {"size": 5, "sha256": "ab"}}
    content = {"architecture": "lama", "load": "net.pt", "files": files, **record}
    (place / zoo.RECORD).write_text(json.dumps(content), encoding="utf-8")
    return place


@pytest.mark.parametrize("entry", zoo.published().values(), ids=lambda entry: entry.name)
def test_what_is_published_is_written_down_soundly(entry: zoo.Published) -> None:
    assert entry.title and entry.licence and entry.origin
    assert entry.page.startswith("https://")
    variants = () if entry.architecture in zoo.TOOLS else CARDS[entry.architecture].variants
    assert entry.variant is None or entry.variant in variants
    assert set(entry.good_at) <= {"photo", "comic", "face", "texture", "scratch"}
    assert all(url.startswith("https://") for url in entry.urls)
    assert len({url.rpartition("/")[2] for url in entry.urls}) <= 1, "one file, by whatever address"
    for kind, value in entry.hashes.items():
        assert re.fullmatch(r"[0-9a-f]+", value) and 8 <= len(value) <= HEX[kind]
    assert entry.hashes or not entry.urls
    if re.search(r"\bNC\b|none stated|not-for-profit", entry.licence):
        assert not entry.commercial
    if not entry.urls and entry.architecture != "lama":
        assert entry.how, "who downloads by hand has to know which file"
    assert entry.name in zoo.suggestion(entry.name)


def test_known_hashes_are_those_that_were_published() -> None:
    md5 = {name: entry.md5 for name, entry in zoo.published().items() if entry.md5}
    assert md5 == {
        "big-lama": "e3aa4aaa15225a33ec84f9f4bc47e500",
        "anime-manga-big-lama": "29f284f36a0a510bcacf39ecf4c4d54f",
        "migan-512": "76eb3b1a71c400ee3290524f7a11b89c",
    }


def test_one_is_recommended_and_may_be_used_by_everybody() -> None:
    (entry,) = [entry for entry in zoo.published().values() if entry.recommended]
    assert entry.urls and entry.commercial


def test_the_folder_does_not_depend_on_a_sandbox(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("AI_INPAINT_MODELS")
    monkeypatch.delenv("AI_INPAINT_HOME", raising=False)
    usual = zoo.folder()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "redirected"))
    assert zoo.folder() == usual
    if sys.platform == "linux":
        assert usual == Path.home() / ".local/share/ai-inpaint/models"
        monkeypatch.setenv("SNAP_REAL_HOME", str(tmp_path))
        assert zoo.folder() == tmp_path / ".local/share/ai-inpaint/models"
    monkeypatch.setenv("AI_INPAINT_HOME", str(tmp_path / "home"))
    assert zoo.folder() == tmp_path / "home" / "models"
    monkeypatch.setenv("AI_INPAINT_MODELS", "~/weights")
    assert zoo.folder() == Path.home() / "weights"


def test_nothing_is_installed_where_there_is_no_folder(folder: Path) -> None:
    assert zoo.installed() == {} and zoo.find("big-lama") is None and zoo.stamp("lama") is None
    assert not folder.exists(), "looking changes nothing"


def test_weights_are_found_by_their_name_and_by_their_architecture(folder: Path) -> None:
    place = put(folder, "mine", title="Mine", good_at=["comic"])
    assert zoo.find("mine") == zoo.find("lama") == place / "net.pt"
    assert zoo.installed()["mine"].good_at == ("comic",)
    put(folder, "big-lama")
    assert zoo.find("lama") == folder / "big-lama" / "net.pt", "the recommended ones come first"
    assert list(zoo.installed()) == ["big-lama", "mine"]
    assert zoo.find("migan") is None


def test_a_stamp_tells_when_other_weights_come(folder: Path) -> None:
    place = put(folder, "mine")
    before = zoo.stamp("lama")
    assert before is not None and before == zoo.stamp("mine")
    os.utime(place / zoo.RECORD, ns=(1, 1))
    assert zoo.stamp("mine") != before


@pytest.mark.parametrize(
    "record",
    ["", "{", "[]", "null", "{}", '{"load": 5}', '{"load": "net.pt", "architecture": "lama", "files": {}}'],
)
def test_a_folder_with_a_bad_record_is_no_weights(folder: Path, record: str) -> None:
    place = put(folder, "mine")
    (place / zoo.RECORD).write_text(record, encoding="utf-8")
    put(folder, "good")
    assert list(zoo.installed()) == ["good"]


def test_what_is_no_whole_is_no_weights(folder: Path) -> None:
    put(folder, ".mine.new-1234")
    (put(folder, "lost") / "net.pt").unlink()
    (folder / "stray.pt").write_bytes(b"1")
    (folder / "empty").mkdir()
    assert zoo.installed() == {}


def test_a_list_of_ones_own_adds_to_the_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    own = tmp_path / "own.toml"
    monkeypatch.setenv("AI_INPAINT_ZOO", str(own))
    usual = '\ntitle="T"\narchitecture="lama"\nlicence="L"\ncommercial=true\npage="https://p"\n'
    own.write_text(f"[studio]{usual}[big-lama]{usual}")
    assert zoo.published()["studio"].title == "T" and zoo.published()["big-lama"].urls == ()
    assert "migan-512" in zoo.published()
    bad = (
        "[",
        f"[studio]{usual}surplus=1",
        '[studio]\ntitle="T"',
        f"[../up]{usual}",
        f'["../up"]{usual}',
        f'[studio]{usual}urls=["https://h/f.pt"]',
        f'[studio]{usual}urls=["https://h/.."]\nmd5="12345678"',
    )
    for number, content in enumerate(bad):
        own.write_text(content)
        os.utime(own, ns=(number, number))
        with caplog.at_level(logging.WARNING):
            assert "studio" not in zoo.published() and zoo.published()["big-lama"].urls
        assert "AI_INPAINT_ZOO" in caplog.text
        caplog.clear()
    own.unlink()
    assert "studio" not in zoo.published()


def test_models_name_the_way_to_weights_that_are_not_there(folder: Path) -> None:
    for name in ("big-lama", "lama"):
        with pytest.raises(FillError) as caught:
            models.load(name)
        assert caught.value.code == "no-weights"
        assert caught.value.hint == "Fetch them with: ai-inpaint models get big-lama."


def test_cards_say_what_is_there_and_what_could_be_fetched(folder: Path) -> None:
    put(folder, "mine", title="Mine", sentence="Does it.", licence="L")
    cards = {card.name: card for card in models.cards()}
    assert cards["patchmatch"].installed and cards["auto"].installed
    assert cards["mine"].installed and cards["mine"].download is None
    assert (cards["mine"].title, cards["mine"].sentence, cards["mine"].licence) == ("Mine", "Does it.", "L")
    assert cards["mine"].architecture == "lama" and cards["mine"].network
    big = cards["big-lama"]
    assert not big.installed and big.download == {
        "bytes": 205669692,
        "licence": "Apache-2.0",
        "commercial": True,
        "page": "https://github.com/advimman/lama",
    }
    assert cards["sc-fegan"].download is None and not cards["sc-fegan"].installed
    put(folder, "big-lama")
    assert {card.name: card.installed for card in models.cards()}["big-lama"]
