"""From a wish to a request, and from a result to layers, on a document that is no more than bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from krita_fakes import CARDS, SPECS, Memory, make_picture


@pytest.fixture
def offer(plugin: Any, tmp_path: Path) -> Any:
    settings = plugin.backend.client.settings.Settings(tmp_path / "settings.json")
    return plugin.backend.client.form.Form(CARDS, SPECS, settings)


def wish(plugin: Any, model: str = "auto", **changes: Any) -> Any:
    values = changes.pop("values", {})
    return plugin.fill.Wish(model, values, **changes)


def result(plugin: Any, *seeds: int, model: str = "auto", layout: str = "BGRA") -> Any:
    session = plugin.backend.client.session
    buffer = plugin.backend.wire.messages.Buffer
    patches = [(seed, buffer((3, 2, 4), "u1", bytes([seed]) * 24)) for seed in seeds]
    return session.Result("job", model, (20, 10), layout, patches)


def test_the_request_carries_the_hole_and_its_context_and_no_more(plugin: Any, offer: Any) -> None:
    picture = make_picture(plugin)
    order = plugin.fill.prepare(picture, offer, wish(plugin, values={"grow": 1, "feather": 1}))
    request = order.request
    # Selected 10 x 8 at 25, 15; two px for growing and feathering, then the card's context of four.
    assert request.offset == (19, 9)
    assert request.image.shape == (20, 22, 4) and request.image.dtype == "u1"
    assert request.layout == "BGRA"
    assert request.mask.shape == (20, 22)
    assert sum(1 for one in request.mask.data if one) == 80
    assert request.params == {"grow": 1, "feather": 1, "context": 0, "seed": 0, "count": 1}
    assert picture.reads == [("layer", plugin.backend.wire.geometry.Rect(19, 9, 22, 20))]


def test_the_request_passes_the_protocols_own_check(plugin: Any, offer: Any) -> None:
    order = plugin.fill.prepare(make_picture(plugin), offer, wish(plugin, sample_from="ink"))
    plugin.backend.wire.messages.check_inpaint(order.request.message("id"))


def test_sampling_from_a_layer_reads_as_far_as_that_layer_goes(plugin: Any, offer: Any) -> None:
    order = plugin.fill.prepare(make_picture(plugin), offer, wish(plugin, sample_from="ink"))
    assert order.request.offset[0] == 0
    source = order.request.source
    assert set(source.data) == {0, 255}
    width = source.shape[1]
    assert source.data[:width] == b"\xff" * 12 + bytes(width - 12)


def test_a_model_without_sources_or_guidance_gets_none(plugin: Any, offer: Any) -> None:
    asked = wish(plugin, "face", sample_from="ink", guidance={"sketch": "ink", "colour": "ink"})
    request = plugin.fill.prepare(make_picture(plugin), offer, asked).request
    assert request.source is None
    assert list(request.guidance) == ["sketch"]
    assert request.guidance["sketch"].shape == (*request.mask.shape, 4)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"chosen": (25, 15, 0, 0)}, "empty-mask"),
        ({"chosen": (300, 15, 10, 10)}, "empty-mask"),
    ],
)
def test_what_cannot_be_filled_is_refused_before_a_backend_is_asked(
    plugin: Any, changes: dict[str, Any], code: str
) -> None:
    Rect = plugin.backend.wire.geometry.Rect
    picture = make_picture(plugin, chosen=Rect(*changes["chosen"]))
    with pytest.raises(plugin.backend.wire.errors.InpaintError) as caught:
        plugin.fill.check(picture)
    assert caught.value.code == code and caught.value.hint


def test_refusals_that_need_the_card_or_the_pixels(plugin: Any, offer: Any) -> None:
    Rect = plugin.backend.wire.geometry.Rect
    fill, error = plugin.fill, plugin.backend.wire.errors.InpaintError

    def refused(picture: Any, asked: Any) -> str:
        with pytest.raises(error) as caught:
            fill.prepare(picture, offer, asked)
        return str(caught.value)

    assert "closed" in refused(make_picture(plugin, is_open=False), wish(plugin))
    assert "“Large” is not on this computer" in refused(make_picture(plugin), wish(plugin, "large"))
    assert "no model" in refused(make_picture(plugin), wish(plugin, "gone"))
    assert "grow" in refused(make_picture(plugin), wish(plugin, values={"grow": -1}))
    beside = make_picture(plugin, bounds_of={"base": Rect(0, 0, 10, 10)})
    assert "outside of the layer “Base”" in refused(beside, wish(plugin))


@pytest.mark.parametrize(("layout", "dtype"), [("BGRA", "u1"), ("LA", "u2"), ("RGBA", "f4")])
def test_transparency_all_around_is_noticed_in_every_depth(
    plugin: Any, offer: Any, layout: str, dtype: str
) -> None:
    Rect = plugin.backend.wire.geometry.Rect
    lonely = make_picture(plugin, layout=layout, dtype=dtype, bounds_of={"base": Rect(26, 16, 3, 3)})
    with pytest.raises(plugin.backend.wire.errors.InpaintError) as caught:
        plugin.fill.prepare(lonely, offer, wish(plugin))
    assert caught.value.code == "no-source"
    one_more = make_picture(plugin, layout=layout, dtype=dtype, bounds_of={"base": Rect(26, 16, 10, 3)})
    plugin.fill.prepare(one_more, offer, wish(plugin))


def test_the_result_becomes_layers_with_a_name_and_a_record(plugin: Any, offer: Any) -> None:
    picture = make_picture(plugin)
    order = plugin.fill.prepare(picture, offer, wish(plugin, values={"count": 2, "seed": 5}))
    plugin.fill.deliver(picture, offer, order, result(plugin, 5, 6, model="face"))
    ((fills, group, rect, pixels, source, origin),) = picture.inserted
    assert [fill.name for fill in fills] == ["Face, seed 5", "Face, seed 6"]
    assert group == "Face, 2 candidates"
    assert tuple(rect) == (20, 10, 2, 3)
    assert pixels is order.pixels
    assert fills[1].data == bytes([6]) * 24
    assert (source, origin) == ("layer", "base")
    record = plugin.backend.client.form.parse(fills[0].record)
    assert record["model"] == "auto" and record["seed"] == 5 and record["params"]["grow"] == 4


def test_a_result_in_another_format_is_not_put_in(plugin: Any, offer: Any) -> None:
    picture = make_picture(plugin)
    order = plugin.fill.prepare(picture, offer, wish(plugin))
    with pytest.raises(ValueError):
        plugin.fill.deliver(picture, offer, order, result(plugin, 1, layout="RGBA"))
    assert picture.inserted == []


def test_a_result_for_a_closed_document_is_dropped_with_a_sentence(plugin: Any, offer: Any) -> None:
    picture = make_picture(plugin)
    order = plugin.fill.prepare(picture, offer, wish(plugin))
    picture.is_open = False
    with pytest.raises(plugin.backend.wire.errors.InpaintError, match="closed"):
        plugin.fill.deliver(picture, offer, order, result(plugin, 1))


def test_a_fill_that_is_active_is_repeated_from_what_it_was_made_of(plugin: Any, offer: Any) -> None:
    describe = plugin.backend.client.form.describe
    text = describe("face", {"grow": 9, "strength": 0.25}, 7)
    picture = make_picture(
        plugin, active_id="fill", records={"fill": {"request": text, "source": "layer", "origin": "base"}}
    )
    asked = plugin.fill.repeat(picture, wish(plugin, values={"grow": 1}))
    assert (asked.model, asked.source) == ("face", "base")
    assert asked.values["grow"] == 9 and asked.values["strength"] == 0.25
    assert asked.values["seed"] not in (0, 7) and asked.values["count"] == 1
    other = plugin.fill.repeat(picture, wish(plugin))
    assert other.values["seed"] != asked.values["seed"]


def test_without_a_record_the_last_wish_is_repeated(plugin: Any, offer: Any) -> None:
    asked = plugin.fill.repeat(make_picture(plugin), wish(plugin, values={"grow": 1, "seed": 3, "count": 4}))
    assert asked.model == "auto" and asked.values["grow"] == 1
    assert asked.values["seed"] != 3 and asked.values["count"] == 1


def test_with_a_fill_active_this_layer_means_all_that_is_visible(plugin: Any, offer: Any) -> None:
    picture = make_picture(plugin, active_id="fill", records={"fill": {"request": "", "origin": "base"}})
    plugin.fill.prepare(picture, offer, wish(plugin))
    assert picture.reads[0][0] == "visible"


def test_layers_are_remembered_by_name_for_each_model(plugin: Any) -> None:
    memory, choices = Memory(), plugin.choices
    picture = make_picture(plugin)
    chosen = wish(plugin, source="ink", sample_from="base", guidance={"sketch": "ink"})
    choices.save(memory, picture, chosen)
    choices.save(memory, picture, wish(plugin, "face", source="visible"))
    again = make_picture(plugin, names={"other-id": "Ink", "base": "Base"})
    found = choices.recall(memory, again, "auto", {"grow": 3})
    assert (found.source, found.sample_from) == ("other-id", "base")
    assert found.guidance == {"sketch": "other-id"} and found.values == {"grow": 3}
    assert choices.recall(memory, again, "face", {}).source == "visible"
    without = make_picture(plugin, names={"base": "Base"})
    assert choices.recall(memory, without, "auto", {}).source == "layer"
    memory.texts["layers"] = "{broken"
    assert choices.recall(memory, again, "auto", {}) == wish(plugin)


def test_colour_spaces_travel_as_they_are_or_as_srgb(plugin: Any) -> None:
    Space = plugin.spaces.Space
    assert Space("RGBA", "U8", "x").format == ("BGRA", "u1")
    assert Space("RGBA", "U16", "x").format == ("BGRA", "u2")
    assert Space("RGBA", "F16", "x").format == ("RGBA", "f2")
    assert Space("GRAYA", "F32", "x").format == ("LA", "f4")
    for model in ("CMYKA", "LABA", "XYZA", "YCBCRA"):
        assert Space(model, "U8", "x").travelling[:2] == ("RGBA", "U16")
        assert Space(model, "F32", "x").travelling[:2] == ("RGBA", "F32")
    assert Space("RGBA", "U8", "x").travelling == Space("RGBA", "U8", "x")


# -- sketches --------------------------------------------------------------------------------------------


def test_a_sketch_is_of_what_is_visible_in_the_selection_and_around_it(plugin: Any) -> None:
    Rect = plugin.backend.wire.geometry.Rect
    picture = make_picture(plugin, size=(600, 400), chosen=Rect(200, 150, 100, 60))
    plugin.sketches.check(picture)
    order = plugin.sketches.prepare(picture)
    assert picture.reads == [("visible", Rect(136, 86, 228, 188))]
    assert order.request.offset == (136, 86) and order.request.image.shape == (188, 228, 4)
    assert sum(1 for one in order.request.mask.data if one) == 100 * 60
    plugin.backend.wire.messages.check_sketch(order.request.message("id"))


def test_without_a_selection_all_is_drawn(plugin: Any) -> None:
    Rect = plugin.backend.wire.geometry.Rect
    picture = make_picture(plugin, chosen=Rect(0, 0, 0, 0))
    plugin.sketches.check(picture)
    order = plugin.sketches.prepare(picture)
    assert order.request.mask is None and order.request.image.shape == (40, 60, 4)
    plugin.backend.wire.messages.check_sketch(order.request.message("id"))


def test_a_sketch_becomes_a_layer_that_is_no_fill(plugin: Any, offer: Any) -> None:
    picture = make_picture(plugin)
    order = plugin.sketches.prepare(picture)
    plugin.sketches.deliver(picture, order, result(plugin, 0, model="gradients"))
    ((layers, _, rect, pixels, source, origin),) = picture.inserted
    assert [layer.name for layer in layers] == ["Sketch"] and tuple(rect) == (20, 10, 2, 3)
    assert pixels is order.pixels and (source, origin) == ("visible", "base")
    # With the sketch active, the next fill is made of the picture, and is no repetition of the sketch.
    records = {"lines": {"request": layers[0].record, "source": source, "origin": origin}}
    after = make_picture(plugin, active_id="lines", records=records)
    asked = plugin.fill.repeat(after, wish(plugin, values={"grow": 1}))
    assert (asked.model, asked.values["grow"]) == ("auto", 1)
    plugin.fill.prepare(after, offer, asked)
    assert after.reads[0][0] == "visible"


def test_what_cannot_be_drawn_is_told(plugin: Any) -> None:
    Rect, error = plugin.backend.wire.geometry.Rect, plugin.backend.wire.errors.InpaintError
    with pytest.raises(error, match="outside of the layer"):
        plugin.sketches.check(make_picture(plugin, chosen=Rect(300, 15, 10, 10)))
    picture = make_picture(plugin)
    order = plugin.sketches.prepare(picture)
    with pytest.raises(ValueError):
        plugin.sketches.deliver(picture, order, result(plugin, 0, layout="RGBA"))
    picture.is_open = False
    for step in (
        lambda: plugin.sketches.prepare(picture),
        lambda: plugin.sketches.deliver(picture, order, result(plugin, 0)),
    ):
        with pytest.raises(error, match="closed"):
            step()
    assert picture.inserted == []


def test_the_layer_that_is_drawn_on_is_no_picture(plugin: Any, offer: Any) -> None:
    picture = make_picture(plugin, active_id="ink")
    plugin.fill.prepare(picture, offer, wish(plugin, "face", guidance={"sketch": "ink"}))
    assert picture.reads[0][0] == "visible"
    picture = make_picture(plugin, active_id="base")
    plugin.fill.prepare(picture, offer, wish(plugin, "face", guidance={"sketch": "ink"}))
    assert picture.reads[0][0] == "layer"


def test_a_layer_that_is_erased_wholly_is_filled_from_a_sketch(plugin: Any, offer: Any) -> None:
    Rect, error = plugin.backend.wire.geometry.Rect, plugin.backend.wire.errors.InpaintError
    erased = {"base": Rect(0, 0, 0, 0), "ink": Rect(0, 0, 60, 40)}
    with pytest.raises(error):
        plugin.fill.prepare(make_picture(plugin, bounds_of=erased), offer, wish(plugin, "face"))
    guided = wish(plugin, "face", guidance={"sketch": "ink"})
    order = plugin.fill.prepare(make_picture(plugin, bounds_of=erased), offer, guided)
    assert not any(order.request.image.data[3::4]) and any(order.request.guidance["sketch"].data)
