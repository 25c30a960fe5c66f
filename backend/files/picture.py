"""What a picture file holds, between reading and writing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..wire.errors import InpaintError

MAX_PIXELS = 200_000_000
"""Largest picture that is read, in pixels; a file that claims more is refused before it is decoded."""


class FileError(InpaintError):
    """A picture file that cannot be read or written.

    Its `code` is `"bad-file"` (missing, broken, or of a kind that is not supported), `"too-large"`,
    `"bad-image"` (a mask of another size) or `"cannot-write"`.
    """


@dataclass
class Metadata:
    """What every format can hold beside the pixels.

    Attributes:
        icc: colour profile.
        exif: EXIF as its TIFF structure (starting with II or MM), without the thumbnail.
        xmp: XMP packet.
        dpi: horizontal and vertical resolution, pixels an inch.
    """

    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None


@dataclass
class Palette:
    """The file's own colours.

    Attributes:
        indices: H x W u8, upright; which entry each pixel had in the file.
        colours: N x 3 or N x 4 u8, RGB or RGBA.
    """

    indices: np.ndarray
    colours: np.ndarray


@dataclass
class Picture:
    """A picture, and what is needed to write it back.

    Attributes:
        pixels: H x W (gray) or H x W x C with C 2 (gray, alpha), 3 (RGB) or 4 (RGBA); u8, u16 or
            f32 (0 black, 1 white). Upright: what the EXIF orientation says has been done.
        name: what to call it in a message.
        format: of the file: PNG, JPEG, WEBP, TIFF, BMP or GIF.
        metadata: what any format can hold.
        native: what only a file of the same format can hold, as its module made it: PNG chunks,
            JPEG segments, a TIFF directory.
        orientation: 1 to 8, the EXIF orientation of the file.
        palette: of a palette picture; `pixels` shows its colours.
        bilevel: true for one bit a pixel; `pixels` are 0 or 255.
        settings: of the encoder, to write the same format with: Pillow's names and values.
        warnings: sentences for the user, such as frames that are left out.
    """

    pixels: np.ndarray
    name: str = "the picture"
    format: str = "PNG"
    metadata: Metadata = field(default_factory=Metadata)
    native: Any = None
    orientation: int = 1
    palette: Palette | None = None
    bilevel: bool = False
    settings: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, upright."""
        return self.pixels.shape[1], self.pixels.shape[0]

    @property
    def has_alpha(self) -> bool:
        """True if the last channel is an alpha channel."""
        return self.pixels.ndim == 3 and self.pixels.shape[2] in (2, 4)


def check_size(width: int, height: int, name: str) -> None:
    """Refuse what would not fit into memory, before it is decoded.

    Raises:
        FileError: `too-large`.
    """
    if width * height > MAX_PIXELS:
        raise FileError(
            "too-large",
            f"{name} is {width} x {height} pixels, more than {MAX_PIXELS // 1_000_000} million.",
            "Cut out the part around the hole, and fill that.",
        )


def upright(stored: np.ndarray, orientation: int) -> np.ndarray:
    """Pixels as they are to be seen, from pixels as a file of this EXIF orientation stores them."""
    if orientation >= 5:
        stored = stored.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        stored = stored[::-1]
    if orientation in (2, 3, 6, 7):
        stored = stored[:, ::-1]
    return np.ascontiguousarray(stored)


def stored(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """The inverse of `upright`."""
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    return np.ascontiguousarray(pixels)
