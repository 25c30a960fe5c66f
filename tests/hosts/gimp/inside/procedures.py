"""Runs in GIMP: the procedures beside a plain fill. Arguments: the folder, and what to do."""

from __future__ import annotations

import json
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
from gi.repository import Gimp
from tools import FILL, Report, layer, picture, run, samples, tree

SIZE = (60, 40)
GRAIN = bytes((x * 37 + x // 7 * 11) % 256 for x in range(SIZE[0] * SIZE[1] * 3))
AGAIN = "plug-in-ai-inpaint-new-seed"
LAST_VALUES = Gimp.RunMode.WITH_LAST_VALS


def plain():
    image = picture(SIZE)
    chosen = layer(image, GRAIN, SIZE)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 25, 15, 8, 8)
    image.clean_all()
    return image, chosen


def record(made):
    return json.loads(bytes(made.get_parasite("ai-inpaint").get_data()).decode())


def described():
    """What GIMP knows of the procedures."""
    found = {}
    parts = ("", "-new-seed", "-sketch", "-select-marks", "-select-mosaics")
    for name in (*parts, "-backend-start", "-backend-stop", "-backend-status"):
        procedure = Gimp.get_pdb().lookup_procedure("plug-in-ai-inpaint" + name)
        found[procedure.get_name()] = {
            "label": procedure.get_menu_label(),
            "menus": procedure.get_menu_paths(),
            "blurb": procedure.get_blurb(),
            "help": procedure.get_help(),
            "types": procedure.get_image_types(),
            "arguments": {
                argument.name: [argument.get_blurb(), getattr(argument, "default_value", None)]
                for argument in procedure.get_arguments()
                if argument.name not in ("run-mode", "image", "drawables")
            },
        }
    return found


def again():
    """A fill by hand with the last values (here the defaults), twice more with new seeds, and of the fill."""
    image, chosen = plain()
    made = []
    for name, mode in ((FILL, LAST_VALUES), (AGAIN, None), (AGAIN, LAST_VALUES), (AGAIN, None)):
        of = made[0] if len(made) == 3 else chosen
        status, new, words = run(name, image, [of], mode)
        assert status == "success", words
        made.append(new)
    return {
        "records": [record(new) for new in made],
        "tree": tree(image),
        "active": [one.get_name() for one in image.get_selected_layers()],
        "different": len({bytes(samples(new)) for new in made}),
    }


def one_fill():
    image, chosen = plain()
    status, new, words = run(FILL, image, [chosen], model="patchmatch", seed=3)
    return {
        "status": status,
        "words": words,
        "samples": samples(new).hex() if new else "",
        "clean": not image.is_dirty(),
    }


def backend():
    """Ended, asked, started, asked, ended."""
    wanted = ("stop", "status", "start", "status", "stop")
    return [run(f"plug-in-ai-inpaint-backend-{name}") for name in wanted]


def not_installed():
    """A fill where install.py's record is not as it should be, and is put right again afterwards."""
    path = os.path.join(os.environ["AI_INPAINT_HOME"], "installation.json")
    with open(path) as stream:
        good = stream.read()
    found = {}
    try:
        for case, text in (("broken", "{"), ("moved", '{"python": "/no/such/python", "root": "/"}')):
            with open(path, "w") as stream:
                stream.write(text)
            found[case] = one_fill()
        os.unlink(path)
        found["missing"] = one_fill()
    finally:
        with open(path, "w") as stream:
            stream.write(good)
    return found


def transport():
    """Whether this Python has pyzmq."""
    try:
        import zmq  # noqa: F401
    except ImportError:
        return {"pyzmq": False, **one_fill()}
    return {"pyzmq": True, **one_fill()}


def main(folder, *wanted):
    report = Report(folder)
    known = {work.__name__: work for work in (described, again, one_fill, backend, transport, not_installed)}
    for name in wanted:
        report.case(name, known[name])
    report.write()


main(*arguments)  # noqa: F821
