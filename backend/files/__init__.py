"""Picture files: reading them, and writing them back with all that belongs to them.

`read` gives pixels the way the pipeline takes them, upright, in the depth of the file. `write` puts
filled pixels back into a file of the same kind, with the colour profile, EXIF, XMP, resolution,
palette and compression of the original, so that nothing but the hole differs.

    picture = read("photo.jpg")
    write(picture, backend.inpaint(picture.pixels, mask), "filled.jpg")
"""

from __future__ import annotations

from .guides import read_guide
from .masks import read_mask
from .outputs import Outputs, check_folder
from .picture import MAX_PIXELS, FileError, Picture
from .reading import read
from .writing import FORMATS, check_layer_target, check_target, format_of, write, write_layer

__all__ = [
    "FORMATS",
    "MAX_PIXELS",
    "FileError",
    "Outputs",
    "Picture",
    "check_folder",
    "check_layer_target",
    "check_target",
    "format_of",
    "read",
    "read_guide",
    "read_mask",
    "write",
    "write_layer",
]
