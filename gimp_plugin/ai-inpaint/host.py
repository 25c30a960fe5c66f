"""GIMP's pictures to requests, answers to layers: the only file that touches pixels.

Colours travel in the picture's own space, never through sRGB: a format of the drawable's space gives the
very samples that its buffer holds. The backend expects perceptual samples, as networks and people do; what
GIMP keeps in linear light is read through sRGB's curve, with the next larger sample type, and written back
by GIMP in the picture's own precision.
"""

from __future__ import annotations

from typing import List, NamedTuple, Optional, Sequence, Tuple

from gi.repository import Babl, Gegl, Gimp

from backend.client import form, refusals
from backend.wire.errors import BAD_IMAGE, BAD_PARAM, InpaintError
from backend.wire.geometry import Rect
from backend.wire.messages import Buffer

# GIMP's depth to the sample type that carries it: Babl's name, the protocol's.
_EXACT = {"u8": ("u8", "u1"), "u16": ("u16", "u2"), "half": ("half", "f2")}
_WIDER = {"u8": ("u16", "u2")}  # for samples that go through a curve
_FLOAT = ("float", "f4")

_MORE_THAN_HALF = bytes(255 if value >= 128 else 0 for value in range(256))

_PERSISTENT = 1  # GIMP_PARASITE_PERSISTENT, which the bindings do not name


class Encoding(NamedTuple):
    """How a picture's colours travel.

    Attributes:
        colours: Babl's name of the components without alpha, such as "R'G'B'".
        type: Babl's sample type, such as "u8".
        dtype: the protocol's sample type.
        gray: whether there is one component.
    """

    colours: str
    type: str
    dtype: str
    gray: bool


class Patch(NamedTuple):
    """One candidate: its layer's name, the record that it carries, h x w x (2 or 4) samples."""

    name: str
    record: str
    pixels: Buffer


def target(image: Gimp.Image, drawables: Sequence[Gimp.Drawable]) -> Gimp.Layer:
    """The layer that is to be filled.

    Raises:
        InpaintError: there is none, or no fill can be made for it.
    """
    editable(image)
    if len(drawables) > 1:
        raise refusals.several_layers()
    if not drawables:
        raise refusals.wrong_node("a picture without an active layer")
    (chosen,) = drawables
    if isinstance(chosen, Gimp.LayerMask):
        raise refusals.wrong_node("a layer mask")
    if not isinstance(chosen, Gimp.Layer):
        raise refusals.wrong_node("a channel")
    return chosen


def editable(image: Gimp.Image) -> None:
    """See that a picture can be worked on.

    Raises:
        InpaintError: it cannot.
    """
    if image.get_base_type() == Gimp.ImageBaseType.INDEXED:
        raise refusals.indexed()
    if image.get_floating_sel() is not None:
        raise InpaintError(
            BAD_IMAGE,
            "This picture has a floating selection.",
            "Anchor it, or make it a layer, and try again.",
        )


def selection(image: Gimp.Image) -> Rect:
    """The bounds of what is selected.

    Raises:
        InpaintError: nothing is.
    """
    found = selected(image)
    if found is None:
        raise refusals.no_selection()
    return found


def selected(image: Gimp.Image) -> Optional[Rect]:
    """The bounds of what is selected; None if nothing is."""
    _, some, left, top, right, bottom = Gimp.Selection.bounds(image)
    return Rect(left, top, right - left, bottom - top) if some else None


def mask(image: Gimp.Image, rect: Rect) -> Buffer:
    """How much each pixel of `rect`, in the picture's coordinates, is selected: u1."""
    return _gray(image.get_selection(), "Y u8", rect)


def encoding(image: Gimp.Image) -> Encoding:
    """How the colours of `image` travel."""
    gray = image.get_base_type() == Gimp.ImageBaseType.GRAY
    depth, _, curve = image.get_precision().value_nick.partition("-")
    linear = curve == "linear" or image.get_effective_color_profile().is_linear()
    mark = "~" if linear or curve == "perceptual" else "'"
    colours = "Y" + mark if gray else f"R{mark}G{mark}B{mark}"
    type, dtype = (_WIDER if linear else _EXACT).get(depth, _FLOAT)
    return Encoding(colours, type, dtype, gray)


class Source:
    """The pixels that a fill looks at: a layer's own, or what is seen of all layers.

    Attributes:
        bounds: where there are pixels, in the picture's coordinates.
        encoding: of what `read` gives.
        layout: of it, the protocol's name.
    """

    def __init__(self, image: Gimp.Image, layer: Optional[Gimp.Layer], visible: bool) -> None:
        """Use as a context manager: what is seen is rendered into a layer outside of the picture.

        Args:
            image: the picture.
            layer: which of its layers; None if it is what is seen.
            visible: whether to look at what is seen.
        """
        self._copy = Gimp.Layer.new_from_visible(image, image, "AI Inpaint") if visible else None
        self._drawable = self._copy or layer
        self.encoding = encoding(image)
        self.bounds = _bounds(self._drawable)
        if self.bounds.empty or (not visible and layer.is_group() and not layer.get_children()):
            raise refusals.no_pixels(self._drawable.get_name())
        alpha = self._drawable.has_alpha()
        self.layout = ("LA" if alpha else "L") if self.encoding.gray else ("RGBA" if alpha else "RGB")

    def read(self, rect: Rect) -> Buffer:
        """The pixels of `rect`, which lies inside `bounds`."""
        name = _format(self._drawable, self.encoding, self._drawable.has_alpha())
        return Buffer(
            (rect.height, rect.width, len(self.layout)),
            self.encoding.dtype,
            _get(self._drawable, name, rect),
        )

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        if self._copy is not None:
            self._copy.delete()


def record(layer: Gimp.Layer) -> str:
    """The record that a layer carries if it is a fill, else ""."""
    parasite = layer.get_parasite(form.RECORD)
    return "" if parasite is None else bytes(parasite.get_data()).decode("utf-8", "replace")


def sample_from(image: Gimp.Image, name: str) -> Tuple[Gimp.Drawable, Rect]:
    """The channel or layer that says what a fill may be taken from, and the bounds of what it allows.

    Raises:
        InpaintError: there is none of that name, or it allows nothing.
    """
    drawable = image.get_channel_by_name(name) or image.get_layer_by_name(name)
    if drawable is None:
        raise _missing("channel or layer", name)
    bounds = _bounds(drawable)
    allowed = Rect(0, 0, 0, 0)
    if not bounds.empty:
        width, data = bounds.width, bytes(allowed_by(drawable, bounds).data)
        for y in range(bounds.height):
            row = data[y * width : (y + 1) * width]
            rest = row.lstrip(b"\0")
            if rest:
                left = width - len(rest)
                found = Rect(bounds.x + left, bounds.y + y, len(rest.rstrip(b"\0")), 1)
                allowed = allowed.united(found)
    if allowed.empty:
        raise InpaintError(
            BAD_PARAM,
            f"“{name}”, which says what the fill may be taken from, is empty.",
            "Paint on it, or choose another one.",
        )
    return drawable, allowed


def allowed_by(drawable: Gimp.Drawable, rect: Rect) -> Buffer:
    """Where a fill may be taken from: a channel where it is bright, a layer where it is opaque, or, if it
    cannot be transparent, where it is bright; u1."""
    if drawable.has_alpha():
        data = _get(drawable, "YA u8", rect)[1::2]
    else:
        data = _get(drawable, "Y u8" if isinstance(drawable, Gimp.Channel) else "Y' u8", rect)
    return Buffer((rect.height, rect.width), "u1", data.translate(_MORE_THAN_HALF))


def guide(image: Gimp.Image, name: str, rect: Rect) -> Buffer:
    """The strokes of the layer `name` on `rect`: sRGB with alpha, u1.

    Raises:
        InpaintError: there is no such layer.
    """
    layer = image.get_layer_by_name(name)
    if layer is None:
        raise _missing("layer", name)
    return Buffer((rect.height, rect.width, 4), "u1", _get(layer, "R'G'B'A u8", rect))


def insert(
    image: Gimp.Image,
    layer: Gimp.Layer,
    way: Encoding,
    offset: Tuple[int, int],
    patches: Sequence[Patch],
    group: str,
) -> Gimp.Layer:
    """Put the candidates above `layer`: one as a layer, several into a group, of which the first is shown.

    What is selected and which layer is active stays; all is one step of undo.

    Args:
        image, layer: as they were asked about; the layer may be gone by now, the picture's mode another.
        way: how the patches' colours are encoded.
        offset: of every patch in the picture.
        patches: at least one.
        group: name of the group.

    Returns:
        The new layer, or the group.

    Raises:
        InpaintError: the picture was closed, or its mode does not allow it any more.
    """
    if not image.is_valid():
        raise refusals.document_closed()
    if image.get_base_type() == Gimp.ImageBaseType.INDEXED:
        raise refusals.indexed()
    made = [_layer(image, way, offset, patch) for patch in patches]
    for hidden in made[1:]:
        hidden.set_visible(False)
    there = layer.is_valid() and layer.get_image() == image
    parent, position = (layer.get_parent(), image.get_item_position(layer)) if there else (None, 0)
    active = image.get_selected_layers()
    image.undo_group_start()
    try:
        if len(made) == 1:
            new = made[0]
            image.insert_layer(new, parent, position)
        else:
            new = Gimp.GroupLayer.new(image, group)
            image.insert_layer(new, parent, position)
            for place, candidate in enumerate(made):
                image.insert_layer(candidate, new, place)
        if active:
            image.set_selected_layers(active)
    finally:
        image.undo_group_end()
    Gimp.displays_flush()
    return new


def select(image: Gimp.Image, offset: Tuple[int, int], mask: Buffer) -> None:
    """Make a mask what is selected, in place of what was: one step of undo.

    Args:
        image: whose selection it becomes.
        offset: of the mask in the picture.
        mask: h x w, u1.

    Raises:
        InpaintError: the picture was closed.
    """
    if not image.is_valid():
        raise refusals.document_closed()
    height, width = mask.shape[:2]
    size = image.get_width(), image.get_height()
    channel = Gimp.Channel.new(image, "AI Inpaint", *size, 100.0, Gegl.Color.new("black"))
    buffer = channel.get_buffer()
    buffer.set(Gegl.Rectangle.new(0, 0, *size), "Y u8", bytes(size[0] * size[1]))
    buffer.set(Gegl.Rectangle.new(*offset, width, height), "Y u8", bytes(mask.data))
    buffer.flush()
    layers, channels = image.get_selected_layers(), image.get_selected_channels()
    image.undo_group_start()
    try:
        image.insert_channel(channel, None, 0)  # a selection can only be made of what is in the picture
        image.select_item(Gimp.ChannelOps.REPLACE, channel)
        image.remove_channel(channel)
        if channels:
            image.set_selected_channels(channels)
        elif layers:
            image.set_selected_layers(layers)
    finally:
        image.undo_group_end()
    Gimp.displays_flush()


def colour(digits: str) -> Gegl.Color:
    """The colour of sRGB that is written as rrggbb."""
    Gegl.init(None)  # while GIMP asks a plug-in for its procedures, nobody has done this yet
    return Gegl.Color.new("#" + digits)


def digits(image: Gimp.Image, colour: Gegl.Color) -> str:
    """A colour in the picture's own space, as the backend sees it: rrggbb."""
    way = encoding(image)
    drawable = image.get_layers()[0] if image.get_layers() else None
    name = f"{way.colours} u8"
    format = Babl.format_with_space(name, drawable.get_format()) if drawable else Babl.format(name)
    levels = bytes(colour.get_bytes(format).get_data())
    return (levels * 3 if way.gray else levels).hex()


def names(image: Gimp.Image) -> Tuple[List[str], List[str]]:
    """The names of the picture's channels, and of its layers from the top, groups before their members."""
    found: List[str] = []

    def walk(layers: Sequence[Gimp.Layer]) -> None:
        for layer in layers:
            found.append(layer.get_name())
            if layer.is_group():
                walk(layer.get_children())

    walk(image.get_layers())
    return [channel.get_name() for channel in image.get_channels()], found


def _layer(image: Gimp.Image, way: Encoding, offset: Tuple[int, int], patch: Patch) -> Gimp.Layer:
    """A layer that is not yet in the picture."""
    height, width, _ = patch.pixels.shape
    gray = image.get_base_type() == Gimp.ImageBaseType.GRAY
    kind = Gimp.ImageType.GRAYA_IMAGE if gray else Gimp.ImageType.RGBA_IMAGE
    layer = Gimp.Layer.new(image, patch.name, width, height, kind, 100.0, Gimp.LayerMode.NORMAL)
    layer.set_offsets(*offset)
    buffer = layer.get_buffer()
    # As bytes: a bytearray would be handed over sample by sample.
    buffer.set(Gegl.Rectangle.new(0, 0, width, height), _format(layer, way, True), bytes(patch.pixels.data))
    buffer.flush()
    layer.attach_parasite(Gimp.Parasite.new(form.RECORD, _PERSISTENT, patch.record.encode("utf-8")))
    return layer


def _format(drawable: Gimp.Drawable, way: Encoding, alpha: bool) -> str:
    name = "{}{} {}".format(way.colours, "A" if alpha else "", way.type)
    return Babl.get_name(Babl.format_with_space(name, drawable.get_format()))


def _bounds(drawable: Gimp.Drawable) -> Rect:
    _, x, y = drawable.get_offsets()
    return Rect(x, y, drawable.get_width(), drawable.get_height())


def _gray(drawable: Gimp.Drawable, name: str, rect: Rect) -> Buffer:
    return Buffer((rect.height, rect.width), "u1", _get(drawable, name, rect))


def _get(drawable: Gimp.Drawable, name: str, rect: Rect) -> bytes:
    """Samples of `rect` in the picture's coordinates; 0 where the drawable has no pixels."""
    _, x, y = drawable.get_offsets()
    place = Gegl.Rectangle.new(rect.x - x, rect.y - y, rect.width, rect.height)
    return drawable.get_buffer().get(place, 1.0, name, Gegl.AbyssPolicy.NONE)


def _missing(kind: str, name: str) -> InpaintError:
    return InpaintError(
        BAD_PARAM, f"This picture has no {kind} named “{name}”.", "Choose another one, or leave it out."
    )
