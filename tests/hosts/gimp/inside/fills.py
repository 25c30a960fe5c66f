"""Runs in GIMP: fills pictures of every kind and leaves all samples, before and after.

Arguments: the folder. `cases.json` in it lists the cases (see `test_fills.py`), each with a file `NAME.in`.
"""

from __future__ import annotations

import json
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
from gi.repository import Gegl, Gimp
from tools import FILL, Report, layer, picture, run, samples, seen, tree

PROFILES = {
    "adobe": Gimp.ColorProfile.new_rgb_adobe,
    "linear": Gimp.ColorProfile.new_rgb_srgb_linear,
    "gray-linear": Gimp.ColorProfile.new_d65_gray_linear,
    "gray-lab": Gimp.ColorProfile.new_d50_gray_lab_trc,
}


def set_up(case, data):
    """The picture of a case, and the layer to fill."""
    size, canvas = case["size"], case.get("canvas") or case["size"]
    profile = PROFILES[case["profile"]]() if case.get("profile") else None
    image = picture(canvas, case["base"], case["precision"], profile)
    options = {"alpha": case["alpha"], "offset": case["offset"]}
    kind = case.get("kind", "layer")
    if kind in ("group", "in-group"):
        outer, inner = Gimp.GroupLayer.new(image, "outer"), Gimp.GroupLayer.new(image, "inner")
        image.insert_layer(outer, None, 0)
        image.insert_layer(inner, outer, 0)
        bottom = layer(image, data, size, parent=inner, **options)
        chosen = inner if kind == "group" else bottom
    else:
        bottom = chosen = layer(image, data, size, **options)
    if kind == "masked":
        mask = chosen.create_mask(Gimp.AddMaskType.WHITE)
        chosen.add_mask(mask)
        left = Gegl.Rectangle.new(0, 0, size[0] // 4, size[1])
        mask.get_buffer().set(left, "Y u8", bytes(left.width * left.height))
        chosen.update(0, 0, *size)
    if kind == "filtered":
        effect = Gimp.DrawableFilter.new(chosen, "gegl:invert-gamma", "inverted")
        chosen.append_filter(effect)
    if kind == "covered":
        layer(image, data[::-1], size, name="above", **{**options, "alpha": case["alpha"]}).set_opacity(40)
    if case.get("sample"):
        x, y, width, height = case["sample"]
        channel = Gimp.Channel.new(image, "only here", *canvas, 50, Gegl.Color.new("red"))
        image.insert_channel(channel, None, 0)
        channel.fill(Gimp.FillType.FOREGROUND)
        everything = Gegl.Rectangle.new(0, 0, *canvas)
        channel.get_buffer().set(everything, "Y u8", bytes(canvas[0] * canvas[1]))
        channel.get_buffer().set(Gegl.Rectangle.new(x, y, width, height), "Y u8", b"\xff" * (width * height))
    image.set_selected_layers([chosen])
    if case.get("soft"):
        image.select_ellipse(Gimp.ChannelOps.REPLACE, *case["hole"])
        Gimp.Selection.feather(image, case["soft"])
    else:
        image.select_rectangle(Gimp.ChannelOps.REPLACE, *case["hole"])
    image.clean_all()
    return image, chosen, bottom


def do(report, case):
    """One case."""
    name = case["name"]
    with open(os.path.join(report.folder, name + ".in"), "rb") as stream:
        image, chosen, bottom = set_up(case, stream.read())
    encoding = case.get("sent")
    visible = case["arguments"].get("source") == "visible"
    looked_at = Gimp.Layer.new_from_visible(image, image, "looked at") if visible else chosen
    found = {"before": tree(image), "looked_at": [*looked_at.get_offsets()[1:]]}
    found["looked_at"] += [looked_at.get_width(), looked_at.get_height(), looked_at.has_alpha()]
    report.raw(name, "sent", samples(looked_at, encoding))
    report.raw(name, "mask", samples(image.get_selection(), "Y u8"))
    report.raw(name, "seen-before", seen(image))
    report.raw(name, "layer-before", samples(bottom))
    if visible:
        looked_at.delete()
    clean = not image.is_dirty()
    found["status"], new, found["words"] = run(FILL, image, [chosen], **case["arguments"])
    report.raw(name, "seen-after", seen(image))
    report.raw(name, "layer-after", samples(bottom))
    report.raw(name, "mask-after", samples(image.get_selection(), "Y u8"))
    found.update(
        clean_before=clean,
        dirty_after=image.is_dirty(),
        after=tree(image),
        active=[one.get_name() for one in image.get_selected_layers()],
        precision=image.get_precision().value_nick,
    )
    if new is not None:
        parent = new.get_parent()
        found["above"] = image.get_item_position(chosen) - image.get_item_position(new)
        found["same_parent"] = parent == chosen.get_parent()
        made = new.get_children() if new.is_group() else [new]
        found["new"] = [describe(report, f"{name}.{place}", one) for place, one in enumerate(made)]
        for one in made:
            one.fill(Gimp.FillType.TRANSPARENT)
        report.raw(name, "seen-blank", seen(image))
    image.delete()
    return found


def describe(report, name, made):
    """A new layer, its samples left in `NAME.new`."""
    report.raw(name, "new", samples(made))
    return {
        "name": made.get_name(),
        "offset": [*made.get_offsets()[1:]],
        "size": [made.get_width(), made.get_height()],
        "alpha": made.has_alpha(),
        "opacity": made.get_opacity(),
        "mode": made.get_mode().value_nick,
        "record": bytes(made.get_parasite("ai-inpaint").get_data()).decode(),
    }


def main(folder):
    report = Report(folder)
    with open(os.path.join(folder, "cases.json")) as stream:
        cases = json.load(stream)
    for case in cases:
        report.case(case["name"], lambda case=case: do(report, case))
    report.write()


main(*arguments)  # noqa: F821
