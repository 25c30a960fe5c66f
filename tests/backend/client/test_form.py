"""A dialog's content follows from the cards and from what was used last."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.client import form, refusals
from backend.client.settings import Settings
from backend.pipeline import cards
from backend.pipeline.request import PARAMS
from backend.wire.errors import InpaintError
from backend.wire.geometry import Rect


@pytest.fixture
def filled(tmp_path: Path) -> form.Form:
    from dataclasses import asdict

    return form.Form(
        [card.as_dict() for card in cards()],
        [asdict(param) for param in PARAMS],
        Settings(tmp_path / "settings.json"),
    )


def test_the_first_model_is_offered_until_another_was_used(filled: form.Form) -> None:
    assert filled.model == filled.models[0].name == "auto"
    filled.remember("patchmatch", {"grow": 9})
    assert filled.model == "patchmatch"
    assert filled.values("patchmatch")["grow"] == 9
    assert filled.values("auto")["grow"] == 4


def test_a_model_that_is_gone_is_not_offered(filled: form.Form, tmp_path: Path) -> None:
    Settings(tmp_path / "settings.json").save("gone", {})
    assert filled.model == "auto"
    with pytest.raises(InpaintError, match="no model named 'gone'"):
        filled.fields("gone")


def test_own_settings_follow_the_shared_ones(filled: form.Form) -> None:
    names = [spec["name"] for spec in filled.fields("patchmatch")]
    shared = [param.name for param in PARAMS]
    assert names[: len(shared)] == shared
    assert set(names) == set(filled.values("patchmatch"))


def test_a_value_out_of_range_is_refused_and_not_remembered(filled: form.Form) -> None:
    with pytest.raises(InpaintError, match="grow"):
        filled.remember("auto", {"grow": -1})
    assert filled.values("auto")["grow"] == 4


def test_what_must_be_fetched_is_told(tmp_path: Path) -> None:
    card = {"name": "far", "title": "Far", "sentence": "", "params": [], "installed": False}
    download = {"bytes": 10, "licence": "MIT", "commercial": True, "page": ""}
    (choice,) = form.Form([{**card, "download": download}], [], Settings(tmp_path / "s.json")).models
    assert not choice.installed
    assert choice.download == download


def test_the_region_reaches_as_far_as_the_backend_looks(filled: form.Form) -> None:
    selection, canvas = Rect(1000, 1000, 100, 50), Rect(0, 0, 4000, 4000)
    values = filled.values("auto")
    found = form.region(selection, canvas, filled.card("auto"), values)
    assert found == Rect(1000 - 6 - 256, 1000 - 6 - 256, 100 + 12 + 512, 50 + 12 + 512)
    assert form.region(Rect(-50, 0, 40, 40), canvas, filled.card("auto"), values).empty


def test_a_layer_can_be_made_again_from_its_record() -> None:
    text = form.describe("lama", {"grow": 3, "seed": 1, "count": 4, "style": "äther"}, 77)
    assert form.parse(text) == {"model": "lama", "seed": 77, "params": {"grow": 3, "style": "äther"}}
    for other in (
        "",
        "hello",
        "[]",
        '{"model": 1}',
        '{"model": "a", "seed": "1", "params": {}}',
        "[" * 100_000,
    ):
        assert form.parse(other) is None


def test_seeds_differ_and_fit_every_editor() -> None:
    seeds = {form.new_seed() for _ in range(50)}
    assert len(seeds) == 50
    assert all(0 < seed < 2**31 for seed in seeds)


def test_names_say_the_model_and_the_seed() -> None:
    assert form.layer_name("Automatic", 7) == "Automatic, seed 7"
    assert form.group_name("Automatic", 3) == "Automatic, 3 candidates"


def test_every_refusal_says_what_to_do() -> None:
    told = [
        refusals.no_document(),
        refusals.no_selection(),
        refusals.selection_off_layer("Background"),
        refusals.no_pixels("Group"),
        refusals.nothing_around(),
        refusals.wrong_node("a channel"),
        refusals.several_layers(),
        refusals.indexed(),
        refusals.not_ready("LaMa"),
        refusals.bad_text("params"),
    ]
    for problem in told:
        assert problem.message.endswith(".") and problem.hint.endswith(".")
        assert problem.hint in refusals.sentence(problem)


def test_a_sketch_needs_its_part_and_what_is_around() -> None:
    canvas = Rect(0, 0, 2000, 1500)
    assert form.sketch_region(Rect(500, 400, 100, 80), canvas) == Rect(436, 336, 228, 208)
    assert form.sketch_region(Rect(500, 400, 800, 80), canvas) == Rect(300, 200, 1200, 480)
    assert form.sketch_region(Rect(-50, -50, 100, 100), canvas) == Rect(0, 0, 114, 114)
    assert form.sketch_region(canvas, canvas) == canvas
    assert form.sketch_region(Rect(3000, 0, 10, 10), canvas).empty


def test_the_record_of_a_sketch_is_no_request() -> None:
    assert form.sketch_record("hed") and form.parse(form.sketch_record("hed")) is None
