"""Runs in GIMP: selections of marks and mosaics, saved selections as a source, fills that come out of a file.

Argument: the folder, with the pages.
"""

from __future__ import annotations

import json
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
from gi.repository import Gegl, Gimp, Gio
from tools import FILL, Report, layer, picture, run, samples, seen, tree

MARKS = "plug-in-ai-inpaint-select-marks"
MOSAICS = "plug-in-ai-inpaint-select-mosaics"
AGAIN = "plug-in-ai-inpaint-new-seed"
SIZE = (240, 200)
BEFORE = (10, 12, 30, 20)


def opened(report, name, precision="U8_NON_LINEAR", base="RGB", profile=None):
    """A page as a picture, with something selected."""
    image = picture(SIZE, base, precision, profile)
    with open(os.path.join(report.folder, name + ".in"), "rb") as stream:
        chosen = layer(image, stream.read(), SIZE)
    image.set_selected_layers([chosen])
    image.select_rectangle(Gimp.ChannelOps.REPLACE, *BEFORE)
    image.clean_all()
    return image, chosen


def told(report, name, image, answer):
    status, words, problem = answer
    report.raw(name, "mask", samples(image.get_selection(), "Y u8"))
    return {
        "status": status,
        "words": words or problem,
        "tree": tree(image),
        "channels": [channel.get_name() for channel in image.get_channels()],
        "active": [one.get_name() for one in image.get_selected_layers()],
        "dirty": image.is_dirty(),
    }


def main(folder):
    report = Report(folder)

    def marks():
        """Of one layer; then filled."""
        image, chosen = opened(report, "marked")
        found = told(report, "marks", image, run(MARKS, image, [chosen]))
        status, _, words = run(FILL, image, [chosen], model="patchmatch", grow=1, feather=1)
        assert status == "success", words
        report.raw("marks", "filled", seen(image))
        return found

    def layers():
        """The marks are on a layer of their own, above the page, and that layer is active."""
        image, _ = opened(report, "art")
        with open(os.path.join(report.folder, "marks.in"), "rb") as stream:
            own = layer(image, stream.read(), SIZE, alpha=True, name="marks")
        image.set_selected_layers([own])
        report.raw("layers", "seen", seen(image))
        return told(report, "layers", image, run(MARKS, image, [own]))

    def deep():
        image, chosen = opened(report, "deep", "U16_NON_LINEAR")
        return told(report, "deep", image, run(MARKS, image, [chosen], tolerance=30, smallest=40))

    def colours():
        """Another colour, typed and as the one that GIMP paints with; in Adobe's space, too."""
        found = {}
        for name, profile in (("plain", None), ("adobe", Gimp.ColorProfile.new_rgb_adobe())):
            for way in ("typed", "foreground"):
                image, chosen = opened(report, "art", profile=profile)
                painted = Gegl.Color.new("rgb(1.0, 0.0, 0.5)")
                Gimp.context_set_foreground(painted)
                image.select_rectangle(Gimp.ChannelOps.REPLACE, 100, 90, 20, 30)
                chosen.edit_fill(Gimp.FillType.FOREGROUND)
                Gimp.Selection.none(image)
                if way == "typed":
                    Gimp.context_set_foreground(Gegl.Color.new("blue"))
                    asked = {"colour": painted}
                else:
                    asked = {"foreground": True}
                answer = run(MARKS, image, [chosen], tolerance=0, **asked)
                case = f"{name}-{way}"
                found[case] = told(report, case, image, answer)
        return found

    def mosaics():
        image, chosen = opened(report, "mosaicked")
        found = told(report, "mosaics", image, run(MOSAICS, image, [chosen]))
        status, _, words = run(FILL, image, [chosen], model="patchmatch", grow=1, feather=1, mosaic=True)
        assert status == "success", words
        report.raw("mosaics", "filled", seen(image))
        return found

    def refused():
        """What cannot be selected is told, and what was selected stays."""
        found = {}
        for case, procedure, page in (
            ("unmarked", MARKS, "art"),
            ("no-mosaic", MOSAICS, "marked"),
            ("green", MARKS, "green"),
        ):
            image, chosen = opened(report, page)
            found[case] = told(report, case, image, run(procedure, image, [chosen]))
        image = Gimp.Image.new(*SIZE, Gimp.ImageBaseType.RGB)
        found["empty"] = told(report, "empty", image, run(MARKS, image))
        image, chosen = opened(report, "marked")
        image.convert_indexed(
            Gimp.ConvertDitherType.NONE, Gimp.ConvertPaletteType.GENERATE, 32, False, False, ""
        )
        found["indexed"] = told(report, "indexed", image, run(MARKS, image, [chosen]))
        return found

    def sources():
        """A saved selection, and a layer, say what the fill is taken from."""
        image, chosen = opened(report, "halves")
        image.select_rectangle(Gimp.ChannelOps.REPLACE, 0, 0, 100, 200)
        kept = Gimp.Selection.save(image)
        kept.set_name("kept")
        image.set_selected_layers([chosen])
        image.select_rectangle(Gimp.ChannelOps.REPLACE, 140, 80, 30, 24)
        report.raw("sources", "mask", samples(image.get_selection(), "Y u8"))
        found = {}
        for name in ("", "kept"):
            asked = {"model": "patchmatch", "seed": 3, "sample_from": name}
            status, made, words = run(FILL, image, [chosen], **asked)
            assert status == "success", words
            report.raw("sources", f"{name or 'anywhere'}.new", samples(made))
            found[name] = [*made.get_offsets()[1:], made.get_width(), made.get_height()]
            image.remove_layer(made)
        return found

    def reopened():
        """A fill's record goes through a file, and is repeated: the very same, and with another seed."""
        image, chosen = opened(report, "art")
        image.select_rectangle(Gimp.ChannelOps.REPLACE, 140, 80, 30, 24)
        asked = {"model": "patchmatch", "grow": 6, "feather": 3, "seed": 41}
        status, made, words = run(FILL, image, [chosen], count=2, **asked)
        assert status == "success", words
        before = [bytes(samples(one)) for one in made.get_children()]
        path = Gio.File.new_for_path(os.path.join(report.folder, "page.xcf"))
        assert Gimp.file_save(Gimp.RunMode.NONINTERACTIVE, image, path, None)
        image.delete()
        again = Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, path)
        group, page = again.get_layers()
        second = group.get_children()[1]
        record = json.loads(bytes(second.get_parasite("ai-inpaint").get_data()).decode())
        shared = {name: record["params"][name] for name in ("grow", "feather", "context", "pinholes", "seam")}
        again.set_selected_layers([page])
        status, same, words = run(FILL, again, [page], model=record["model"], seed=record["seed"], **shared)
        assert status == "success", words
        group.set_visible(False)
        same.set_visible(False)
        status, other, words = run(AGAIN, again, [second])
        assert status == "success", words
        new = json.loads(bytes(other.get_parasite("ai-inpaint").get_data()).decode())
        return {
            "record": record,
            "same": bytes(samples(same)) == before[1] != before[0],
            "other": bytes(samples(other)) not in before,
            "new": new,
        }

    for work in (marks, layers, deep, colours, mosaics, refused, sources, reopened):
        report.case(work.__name__, work)
    report.write()


main(*arguments)  # noqa: F821
