"""Opening files with Pillow."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from PIL import Image

_limit = threading.Lock()


@contextmanager
def opened(stream: BinaryIO, *formats: str) -> Iterator[Image.Image]:
    """The file, not yet decoded; Pillow's own limit on sizes is lifted meanwhile, as ours is checked."""
    with _limit, warnings.catch_warnings():
        # Pillow warns about oddities in metadata that do not matter here.
        warnings.simplefilter("ignore")
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            stream.seek(0)
            with Image.open(stream, formats=formats) as image:
                yield image
        finally:
            Image.MAX_IMAGE_PIXELS = before
