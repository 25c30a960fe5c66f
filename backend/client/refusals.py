"""What every editor says when a fill cannot begin, or when its picture is gone: one wording for all."""

from __future__ import annotations

from ..wire.errors import BAD_IMAGE, BAD_PARAM, CANCELLED, EMPTY_MASK, NO_SOURCE, UNKNOWN_MODEL, InpaintError


def sentence(problem: InpaintError) -> str:
    """What a message box says: what went wrong, and what to do."""
    return f"{problem.message}\n\n{problem.hint}" if problem.hint else problem.message


def no_document() -> InpaintError:
    """No picture is open."""
    return InpaintError(
        BAD_IMAGE, "No picture is open.", "Open a picture, select what is to go, and try again."
    )


def no_selection() -> InpaintError:
    """The user has selected nothing."""
    return InpaintError(
        EMPTY_MASK,
        "Nothing is selected.",
        "Select what is to be filled, with any selection tool, and try again.",
    )


def selection_off_layer(layer: str) -> InpaintError:
    """The selection lies where the layer has no pixels."""
    return InpaintError(
        EMPTY_MASK,
        f"The selection lies outside of the layer “{layer}”.",
        "Select something on this layer, or choose another layer.",
    )


def no_pixels(layer: str) -> InpaintError:
    """The layer has nothing that could be read."""
    return InpaintError(
        BAD_IMAGE,
        f"The layer “{layer}” has no pixels of its own.",
        "Choose a layer with a picture, or let the fill look at all visible layers.",
    )


def nothing_around() -> InpaintError:
    """There are only transparent pixels around the selection."""
    return InpaintError(
        NO_SOURCE,
        "Around the selection there are only transparent pixels, so there is nothing to fill it from.",
        "Choose another layer, or let the fill look at all visible layers.",
    )


def wrong_node(kind: str) -> InpaintError:
    """Something is active that no fill can be made for; `kind` as in "a channel"."""
    return InpaintError(BAD_IMAGE, f"A fill cannot be made for {kind}.", "Choose a layer, and try again.")


def several_layers() -> InpaintError:
    """More than one layer is active where one is needed."""
    return InpaintError(BAD_IMAGE, "Several layers are chosen.", "Choose one of them, and try again.")


def indexed() -> InpaintError:
    """The picture has a palette."""
    return InpaintError(
        BAD_IMAGE,
        "This picture has a palette, which has no room for new colours.",
        "Change its mode to RGB, and try again.",
    )


def document_closed() -> InpaintError:
    """The picture was closed while it was being filled."""
    return InpaintError(CANCELLED, "The picture was closed before its fill was ready.")


def not_ready(title: str) -> InpaintError:
    """The model has to be fetched first."""
    return InpaintError(
        UNKNOWN_MODEL,
        f"The model “{title}” is not on this computer yet.",
        "Fetch it from the dialog, or choose another model.",
    )


def bad_text(setting: str) -> InpaintError:
    """A setting that cannot be read."""
    return InpaintError(
        BAD_PARAM,
        f"The setting {setting!r} cannot be read.",
        "Correct it, or leave it empty for the defaults.",
    )
