"""Runs in a GIMP with a window and one picture: tells five times a second how things are.

Arguments: the folder. `state.json` in it says what there is. A file `do.json` there,
{"select": [x, y, width, height]} or {"quit": true}, is obeyed and removed.
"""

from __future__ import annotations

import json
import os
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))
from gi.repository import Gimp
from tools import tree


def state(image):
    _, selected, *bounds = Gimp.Selection.bounds(image)
    top = image.get_layers()[0]
    return {
        "layers": tree(image),
        "top": [*top.get_offsets()[1:], top.get_width(), top.get_height()],
        "active": [one.get_name() for one in image.get_selected_layers()],
        "selection": list(bounds) if selected else [],
        "dirty": image.is_dirty(),
        "undo": image.undo_is_enabled(),
    }


def write(folder, found):
    path = os.path.join(folder, "state.json")
    with open(path + ".new", "w") as stream:
        json.dump(found, stream)
    os.replace(path + ".new", path)


def main(folder):
    while not Gimp.get_images():
        time.sleep(0.1)
    (image,) = Gimp.get_images()
    order = os.path.join(folder, "do.json")
    while True:
        if os.path.exists(order):
            with open(order) as stream:
                wanted = json.load(stream)
            if wanted.get("quit"):
                break
            image.select_rectangle(Gimp.ChannelOps.REPLACE, *wanted["select"])
            Gimp.displays_flush()
            os.unlink(order)
        write(folder, state(image))
        time.sleep(0.2)
    image.clean_all()
    quit_gimp = Gimp.get_pdb().lookup_procedure("gimp-quit")
    config = quit_gimp.create_config()
    config.set_property("force", True)
    quit_gimp.run(config)


main(*arguments)  # noqa: F821
