"""Automatic selections, and saved ones as the source of a fill, on a document that is no more than bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from krita_fakes import CARDS, SPECS, Memory, make_picture


def found(plugin: Any, shape: tuple[int, int] = (3, 2)) -> Any:
    buffer = plugin.backend.wire.messages.Buffer(shape, "u1", b"\xff\0" * (shape[0] * shape[1] // 2))
    return plugin.backend.client.jobs.Selected("job", 2, (20, 10), buffer, [])


def test_the_request_is_all_that_is_visible_whatever_is_selected(plugin: Any) -> None:
    picture = make_picture(plugin)
    request = plugin.selecting.prepare(picture, {"what": "colour", "tolerance": 9})
    assert picture.reads == [("visible", picture.canvas)]
    assert request.image.shape == (40, 60, 4) and request.layout == "BGRA" and request.offset == (0, 0)
    assert request.params == {"what": "colour", "tolerance": 9}
    plugin.backend.wire.messages.check_select(request.message("id"))


def test_what_was_found_becomes_the_selection(plugin: Any) -> None:
    picture = make_picture(plugin)
    plugin.selecting.deliver(picture, found(plugin))
    ((rect, mask),) = picture.selected
    assert tuple(rect) == (20, 10, 2, 3) and mask == b"\xff\0" * 3


def test_a_closed_picture_is_told(plugin: Any) -> None:
    picture = make_picture(plugin, is_open=False)
    for work in (
        lambda: plugin.selecting.prepare(picture, {}),
        lambda: plugin.selecting.deliver(picture, found(plugin)),
    ):
        with pytest.raises(plugin.backend.wire.errors.InpaintError, match="closed"):
            work()
    assert not picture.selected and not picture.reads


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", ("00ff00", 16, 0)),
        ("{", ("00ff00", 16, 0)),
        ("[1]", ("00ff00", 16, 0)),
        ('{"colour": "ff0000", "tolerance": 900, "smallest": 12}', ("ff0000", 16, 12)),
    ],
)
def test_the_settings_used_last_come_again_where_they_are_allowed(
    plugin: Any, text: str, values: tuple[Any, ...]
) -> None:
    memory = Memory()
    memory.texts["marks"] = text
    assert tuple(plugin.selecting.recall(memory).values()) == values


def test_settings_are_remembered(plugin: Any) -> None:
    memory = Memory()
    plugin.selecting.save(memory, {"colour": "00f", "tolerance": 3, "smallest": 7})
    assert plugin.selecting.recall(memory) == {"colour": "00f", "tolerance": 3, "smallest": 7}
    assert json.loads(memory.texts["marks"])["colour"] == "00f"


def test_a_saved_selection_can_be_what_a_fill_is_taken_from(plugin: Any, tmp_path: Path) -> None:
    settings = plugin.backend.client.settings.Settings(tmp_path / "settings.json")
    offer = plugin.backend.client.form.Form(CARDS, SPECS, settings)
    picture = make_picture(plugin)
    wish = plugin.fill.Wish("auto", {}, sample_from="kept")
    request = plugin.fill.prepare(picture, offer, wish).request
    width = request.source.shape[1]
    left = 40 - request.offset[0]
    assert width >= left + 10, "the request reaches as far as the selection"
    assert request.source.data[:width] == bytes(left) + b"\xff" * 10 + bytes(width - left - 10)


def test_a_saved_selection_is_remembered_by_its_name(plugin: Any) -> None:
    memory, picture = Memory(), make_picture(plugin)
    plugin.choices.save(memory, picture, plugin.fill.Wish("auto", {}, sample_from="kept"))
    picture.saved = {"other-id": picture.saved["kept"]}
    assert plugin.choices.recall(memory, picture, "auto", {}).sample_from == ""
    picture.places = lambda: [plugin.picture.Layer("other-id", "Selection kept", 1)]
    assert plugin.choices.recall(memory, picture, "auto", {}).sample_from == "other-id"
