"""Runs in GIMP: everything that cannot be filled, and what is said about it. Arguments: the folder."""

from __future__ import annotations

import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
from gi.repository import Gegl, Gimp
from tools import FILL, Report, layer, picture, run, tree

SIZE = (60, 40)
GRAIN = bytes((x * 37 + x // 7 * 11) % 256 for x in range(SIZE[0] * SIZE[1] * 4))
REPLACE = Gimp.ChannelOps.REPLACE


def plain(alpha=False, samples=GRAIN, **options):
    """A picture with a layer and a selection in its middle."""
    image = picture(SIZE)
    chosen = layer(image, samples[: SIZE[0] * SIZE[1] * (4 if alpha else 3)], SIZE, alpha, **options)
    image.select_rectangle(REPLACE, 25, 15, 8, 8)
    return image, [chosen], {}


def with_arguments(**arguments):
    image, drawables, _ = plain()
    return image, drawables, arguments


def no_selection():
    image, drawables, _ = plain()
    Gimp.Selection.none(image)
    return image, drawables, {}


def off_the_layer():
    image = picture((200, 100))
    chosen = layer(image, GRAIN[: SIZE[0] * SIZE[1] * 3], SIZE, name="small")
    image.select_rectangle(REPLACE, 150, 50, 10, 10)
    return image, [chosen], {}


def around_the_layer():
    """The selection's bounds meet the layer, but none of its pixels do."""
    image = picture((200, 100))
    chosen = layer(image, GRAIN[: SIZE[0] * SIZE[1] * 3], SIZE, name="small", offset=(60, 30))
    image.select_rectangle(REPLACE, 0, 0, 10, 10)
    image.select_rectangle(Gimp.ChannelOps.ADD, 180, 90, 10, 10)
    return image, [chosen], {}


def several():
    image, drawables, _ = plain()
    return image, [*drawables, layer(image, GRAIN[: SIZE[0] * SIZE[1] * 3], SIZE, name="second")], {}


def none_at_all():
    image, _, _ = plain()
    return image, [], {}


def a_mask():
    image, (chosen,), _ = plain()
    mask = chosen.create_mask(Gimp.AddMaskType.WHITE)
    chosen.add_mask(mask)
    return image, [mask], {}


def a_channel():
    image, _, _ = plain()
    channel = Gimp.Channel.new(image, "saved", *SIZE, 50, Gegl.Color.new("red"))
    image.insert_channel(channel, None, 0)
    return image, [channel], {}


def indexed():
    image, drawables, _ = plain()
    image.convert_indexed(Gimp.ConvertDitherType.NONE, Gimp.ConvertPaletteType.GENERATE, 16, False, False, "")
    return image, drawables, {}


def floating():
    image, (chosen,), _ = plain()
    Gimp.edit_copy([chosen])
    Gimp.edit_paste(chosen, False)
    return image, [chosen], {}


def empty_group():
    image, _, _ = plain()
    group = Gimp.GroupLayer.new(image, "nothing in it")
    image.insert_layer(group, None, 0)
    return image, [group], {}


def transparent():
    return plain(alpha=True, samples=bytes(SIZE[0] * SIZE[1] * 4))


def everything():
    image, drawables, _ = plain()
    Gimp.Selection.all(image)
    return image, drawables, {}


def empty_channel():
    image, drawables, _ = plain()
    channel = Gimp.Channel.new(image, "black", *SIZE, 50, Gegl.Color.new("red"))
    image.insert_channel(channel, None, 0)
    black = Gegl.Rectangle.new(0, 0, *SIZE)
    channel.get_buffer().set(black, "Y u8", bytes(SIZE[0] * SIZE[1]))
    return image, drawables, {"sample_from": "black"}


CASES = {
    "no-selection": no_selection,
    "off-the-layer": off_the_layer,
    "around-the-layer": around_the_layer,
    "several-layers": several,
    "no-layer": none_at_all,
    "layer-mask": a_mask,
    "channel": a_channel,
    "indexed": indexed,
    "floating": floating,
    "empty-group": empty_group,
    "transparent": transparent,
    "everything": everything,
    "sample-from-black": empty_channel,
    "sample-from-nothing": lambda: with_arguments(sample_from="no such thing"),
    "guidance-not-taken": lambda: with_arguments(model="patchmatch", guidance='{"sketch": "picture"}'),
    "guidance-no-layer": lambda: with_arguments(model="patchmatch", guidance='{"sketch": "no such layer"}'),
    "guidance-no-json": lambda: with_arguments(guidance="sketch"),
    "guidance-a-list": lambda: with_arguments(guidance='["sketch"]'),
    "unknown-model": lambda: with_arguments(model="nonsense"),
    "unknown-source": lambda: with_arguments(source="elsewhere"),
    "grow-too-large": lambda: with_arguments(grow=100000),
    "count-too-small": lambda: with_arguments(count=0),
    "seed-below-zero": lambda: with_arguments(seed=-1),
    "seam-unknown": lambda: with_arguments(seam="perhaps"),
    "params-no-json": lambda: with_arguments(params="{iterations"),
    "params-unknown": lambda: with_arguments(params='{"sharpness": 3}'),
}


def do(make):
    image, drawables, arguments = make()
    image.clean_all()
    before, active = tree(image), [one.get_id() for one in image.get_selected_layers()]
    status, _, words = run(FILL, image, drawables, **arguments)
    found = {
        "status": status,
        "words": words,
        "untouched": tree(image) == before
        and not image.is_dirty()
        and [one.get_id() for one in image.get_selected_layers()] == active,
    }
    image.delete()
    return found


def main(folder):
    report = Report(folder)
    for name, make in CASES.items():
        report.case(name, lambda make=make: do(make))
    report.write()


main(*arguments)  # noqa: F821
