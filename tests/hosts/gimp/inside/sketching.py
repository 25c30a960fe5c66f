"""Runs in GIMP: lines of a picture on a layer of their own, and fills that follow them.

Argument: the folder, with the pictures.
"""

from __future__ import annotations

import json
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
from gi.repository import Gimp
from tools import FILL, Report, layer, picture, run, samples, tree

SKETCH = "plug-in-ai-inpaint-sketch"
SIZE = (240, 180)


def opened(report, base="RGB", precision="U8_NON_LINEAR", name="scene"):
    with open(os.path.join(report.folder, name + ".in"), "rb") as stream:
        data = stream.read()
    image = picture(SIZE, base, precision)
    chosen = layer(image, data, SIZE)
    image.set_selected_layers([chosen])
    image.clean_all()
    return image, chosen


def told(report, name, image, made, words):
    assert made is not None, words
    report.raw(name, "raw", samples(made))
    _, x, y = made.get_offsets()
    return {
        "name": made.get_name(),
        "offset": [x, y],
        "size": [made.get_width(), made.get_height()],
        "record": bytes(made.get_parasite("ai-inpaint").get_data()).decode(),
        "tree": tree(image),
        "active": [one.get_name() for one in image.get_selected_layers()],
    }


def main(folder):
    report = Report(folder)

    def selected():
        image, chosen = opened(report)
        before = bytes(samples(chosen))
        image.select_rectangle(Gimp.ChannelOps.REPLACE, 20, 30, 120, 100)
        _, made, words = run(SKETCH, image, [chosen], detail=60)
        found = told(report, "selected", image, made, words)
        return {**found, "same": bytes(samples(chosen)) == before}

    def everything():
        image, chosen = opened(report, "GRAY", "U16_NON_LINEAR", "gray")
        _, made, words = run(SKETCH, image, [chosen])
        return told(report, "everything", image, made, words)

    def followed():
        """Of the sketch a fill, twice: the second time with the sketch as the active layer."""
        image, chosen = opened(report)
        image.select_rectangle(Gimp.ChannelOps.REPLACE, 60, 40, 90, 90)
        _, sketch, words = run(SKETCH, image, [chosen])
        assert sketch is not None, words
        asked = {"model": "drawn", "seed": 5, "guidance": json.dumps({"sketch": "Sketch"})}
        report.raw("followed", "lines", samples(sketch))
        _, made, words = run(FILL, image, [chosen], **asked)
        found = told(report, "followed", image, made, words)
        made.set_visible(False)
        sketch.set_visible(False)
        _, again, words = run(FILL, image, [sketch], **asked)
        assert again is not None, words
        found["again"] = samples(again) == samples(made)
        return found

    def refused():
        image, chosen = opened(report)
        image.select_rectangle(Gimp.ChannelOps.REPLACE, 60, 40, 90, 90)
        flat = layer(image, b"\x50" * (SIZE[0] * SIZE[1] * 3), SIZE, name="flat")
        found = {"flat": run(SKETCH, image, [flat])[::2]}
        guidance = json.dumps({"sketch": "picture"})
        found["ignored"] = run(FILL, image, [chosen], model="patchmatch", guidance=guidance)[::2]
        return {**found, "tree": tree(image)}

    for work in (selected, everything, followed, refused):
        report.case(work.__name__, work)
    report.write()


main(*arguments)  # noqa: F821
