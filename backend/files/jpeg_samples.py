"""The very samples of a JPEG file, so that encoding it again gives the same coefficients.

A reader smooths the chroma of a file that stores it at half resolution (4:2:0, what cameras write), and
an encoder that averages what was smoothed does not come back to what was stored: each save would blur
the colours a little, all over the picture. So what the user did not change goes to the encoder as it is
in the file: luma as decoded, and each chroma sample repeated over the four pixels it stands for, whose
average it is.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from PIL import Image

from . import pillow

_ROWS = 1024  # even


def merged(encoded: bytes, pixels: np.ndarray) -> Image.Image:
    """A YCbCr picture to encode: the file's samples where it shows `pixels`, else those of `pixels`.

    Args:
        encoded: a JPEG file in colour, 4:2:0.
        pixels: H x W x 3 u8 RGB, H and W at least 2, turned as the file stores it.
    """
    height, width = pixels.shape[:2]
    samples = np.empty((height, width, 3), np.uint8)
    _put_decoded(samples, encoded)
    _put_chroma(samples, encoded)
    _put_changes(samples, encoded, pixels)
    return Image.frombuffer("YCbCr", (width, height), samples, "raw", "YCbCr", 0, 1)


# One function each, so that only one decoded picture is held at a time.


def _put_decoded(samples: np.ndarray, encoded: bytes) -> None:
    with _opened(encoded, "YCbCr") as image:
        for top in range(0, len(samples), _ROWS):
            samples[top : top + _ROWS] = _rows(image, top)


def _put_chroma(samples: np.ndarray, encoded: bytes) -> None:
    """At half size the decoder has nothing to smooth: chroma comes out as it is stored."""
    with _opened(encoded, "YCbCr", 2) as image:
        for top in range(0, len(samples), _ROWS):
            chroma = _rows(image, top // 2, _ROWS // 2)[:, :, 1:].repeat(2, axis=0).repeat(2, axis=1)
            band = samples[top : top + _ROWS]
            band[:, :, 1:] = chroma[: len(band), : band.shape[1]]


def _put_changes(samples: np.ndarray, encoded: bytes, pixels: np.ndarray) -> None:
    with _opened(encoded, "RGB") as image:
        for top in range(0, len(samples), _ROWS):
            wanted = pixels[top : top + _ROWS]
            changed = (_rows(image, top) != wanted).any(axis=2)
            if changed.any():
                new = np.asarray(Image.fromarray(wanted).convert("YCbCr"))
                samples[top : top + _ROWS][changed] = new[changed]


@contextmanager
def _opened(encoded: bytes, mode: str, part: int = 1) -> Iterator[Image.Image]:
    """The file, to be decoded at `1 / part` of its size."""
    with pillow.opened(io.BytesIO(encoded), "JPEG", "MPO") as image:
        width, height = image.size
        image.draft(mode, (width // part, height // part))
        if image.mode != mode or image.size != (-(-width // part), -(-height // part)):
            raise ValueError(f"the JPEG decoder gave {image.mode} {image.size} for {mode} 1/{part}")
        yield image


def _rows(image: Image.Image, top: int, count: int = _ROWS) -> np.ndarray:
    return np.asarray(image.crop((0, top, image.width, min(top + count, image.height))))
