"""For scripts that run in GIMP's own Python: pictures from raw samples, the plug-in, and what came of it.

A script is given a folder. It leaves `report.json` there, and raw samples in files beside it.
"""

from __future__ import annotations

import json
import os
import traceback

import gi

for name, version in {"Babl": "0.1", "Gegl": "0.4", "Gimp": "3.0"}.items():
    gi.require_version(name, version)

from gi.repository import Babl, Gegl, Gimp  # noqa: E402

FILL = "plug-in-ai-inpaint"
SUCCESS = Gimp.PDBStatusType.SUCCESS


def run(name, image=None, drawables=(), mode=None, **arguments):
    """Call a procedure; (status's nick, the returned value or None, the error's words)."""
    procedure = Gimp.get_pdb().lookup_procedure(name)
    assert procedure is not None, f"GIMP knows no procedure {name}"
    config = procedure.create_config()
    if mode is not None:
        config.set_property("run-mode", mode)
    if image is not None:
        config.set_property("image", image)
        config.set_core_object_array("drawables", list(drawables))
    for key, value in arguments.items():
        config.set_property(key.replace("_", "-"), value)
    values = procedure.run(config)
    status = values.index(0)
    if status == SUCCESS:
        return "success", values.index(1), ""
    return status.value_nick, None, values.index(1) if values.length() > 1 else ""


def picture(size, base="RGB", precision="U8_NON_LINEAR", profile=None):
    """A picture without layers, colour-managed by `profile`, a Gimp.ColorProfile or None."""
    image = Gimp.Image.new_with_precision(
        *size, getattr(Gimp.ImageBaseType, base), getattr(Gimp.Precision, precision)
    )
    if profile is not None:
        assert image.set_color_profile(profile), "GIMP does not take this profile"
    return image


def layer(image, samples, size, alpha=False, offset=(0, 0), parent=None, name="picture"):
    """A layer in `image` that holds `samples`, in the picture's own format, at the top of `parent`."""
    gray = image.get_base_type() == Gimp.ImageBaseType.GRAY
    kind = ("GRAYA" if alpha else "GRAY") if gray else ("RGBA" if alpha else "RGB")
    made = Gimp.Layer.new(
        image, name, *size, getattr(Gimp.ImageType, kind + "_IMAGE"), 100.0, Gimp.LayerMode.NORMAL
    )
    made.set_offsets(*offset)
    buffer = made.get_buffer()
    wanted = size[0] * size[1] * Babl.format_get_bytes_per_pixel(made.get_format())
    assert len(samples) == wanted, f"{len(samples)} bytes, not {wanted}"
    buffer.set(Gegl.Rectangle.new(0, 0, *size), Babl.get_name(made.get_format()), samples)
    buffer.flush()
    image.insert_layer(made, parent, 0)
    return made


def samples(drawable, name=None, rect=None):
    """The samples of a drawable, in its own format or another one of its own space."""
    own = drawable.get_format()
    format = own if name is None else Babl.format_with_space(name, own)
    place = Gegl.Rectangle.new(*(rect or (0, 0, drawable.get_width(), drawable.get_height())))
    return drawable.get_buffer().get(place, 1.0, Babl.get_name(format), Gegl.AbyssPolicy.NONE)


def seen(image):
    """What is seen of a picture, in its own format."""
    copy = Gimp.Layer.new_from_visible(image, image, "seen")
    try:
        return samples(copy)
    finally:
        copy.delete()


def tree(image):
    """The names of all layers, those of a group as a list after it, and * where one is hidden."""

    def names(layers):
        for one in layers:
            yield one.get_name() + ("" if one.get_visible() else "*")
            if one.is_group():
                yield list(names(one.get_children()))

    return list(names(image.get_layers()))


class Report:
    """What a script found, for the test outside."""

    def __init__(self, folder):
        """`folder` is shared with the test."""
        self.folder, self.cases = folder, {}

    def raw(self, case, part, data):
        """Leave samples in a file."""
        with open(os.path.join(self.folder, f"{case}.{part}"), "wb") as stream:
            stream.write(data)

    def case(self, name, work):
        """Do one case; a failure is the case's own, and the others go on."""
        try:
            self.cases[name] = work()
        except Exception:
            self.cases[name] = {"trouble": traceback.format_exc()}

    def write(self):
        """Leave the report."""
        with open(os.path.join(self.folder, "report.json"), "w") as stream:
            json.dump(self.cases, stream)
