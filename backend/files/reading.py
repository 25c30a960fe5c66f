"""Picture files to pixels: 8 bits a sample and less through Pillow, more through libvips."""

from __future__ import annotations

import io
import os
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, JpegImagePlugin

from . import exif, jpeg, pillow, png, tiff
from .picture import FileError, Metadata, Palette, Picture, check_size, upright

_ROWS = 1024
"""Rows that are converted at a time, so that a large picture is not held twice."""


def read(source: str | Path | BinaryIO) -> Picture:
    """Read a picture file.

    Args:
        source: path, or a stream such as standard input, which is read to its end.

    Raises:
        FileError: missing, broken, too large, or of a kind that is not supported.
    """
    with _opened(source) as (stream, name):
        format = _sniff(stream, name)
        try:
            picture = _read_tiff(stream, name) if format == "TIFF" else _read_other(stream, name, format)
        except (FileError, MemoryError):
            raise
        except Exception as problem:
            # Decoders meet broken files with two dozen types of error, SyntaxError among them.
            raise FileError(
                "bad-file",
                f"{name} is broken and cannot be read as {format}.",
                "Open it in a picture editor and save it again.",
            ) from problem
    if picture.pixels.ndim == 3 and picture.pixels.shape[2] == 1:
        picture.pixels = picture.pixels[:, :, 0]
    return picture


@contextmanager
def _opened(source: str | Path | BinaryIO) -> Iterator[tuple[BinaryIO, str]]:
    if not isinstance(source, str | Path):
        yield io.BytesIO(source.read()), "standard input"
        return
    try:
        file = open(source, "rb")  # noqa: SIM115, the caller's block starts below
    except OSError as problem:
        if isinstance(problem, FileNotFoundError):
            raise FileError(
                "bad-file", f"There is no file {source}.", "Check the spelling and the folder."
            ) from problem
        raise FileError(
            "bad-file",
            f"{source} cannot be opened: {problem.strerror}.",
            "Give the path of a picture file that you may read.",
        ) from problem
    with file:
        yield (file if file.seekable() else io.BytesIO(file.read())), str(source)


def _sniff(stream: BinaryIO, name: str) -> str:
    head = stream.read(16)
    stream.seek(0)
    if head[:8] == png.SIGNATURE:
        return "PNG"
    if head[:3] == b"\xff\xd8\xff":
        return "JPEG"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "TIFF"
    if head[:2] == b"BM":
        return "BMP"
    if head[:4] == b"GIF8":
        return "GIF"
    what = "is empty" if not head else "is no picture of a kind that can be read"
    raise FileError("bad-file", f"{name} {what}.", "Save it as PNG, JPEG, WebP, TIFF, BMP or GIF.")


def _read_other(stream: BinaryIO, name: str, format: str) -> Picture:
    chunks = png.read_chunks(stream) if format == "PNG" else None
    with pillow.opened(stream, *(("JPEG", "MPO") if format == "JPEG" else (format,))) as image:
        check_size(*image.size, name)
        picture = Picture(np.empty((0, 0), np.uint8), name, format)
        frames = getattr(image, "n_frames", 1)
        if chunks is not None and chunks.depth == 16:
            _check_mode("RGB", name)
            picture.pixels = _decode_with_vips(stream)
        else:
            if chunks is not None and chunks.colour_type == 0 and chunks.depth in (2, 4):
                _scale_transparency(image, chunks.depth)
            _decode(image, picture)
        picture.metadata = _metadata(image)
        if format == "JPEG":
            assert isinstance(image, JpegImagePlugin.JpegImageFile)
            picture.settings = _jpeg_settings(image)
            picture.native = jpeg.Original(jpeg.read_segments(stream), _if_halved(stream, picture))
    if chunks is not None:
        picture.native = chunks
    if format == "WEBP":
        picture.settings = {"lossless": _is_lossless_webp(stream)}
    if frames > 1:
        picture.warnings.append(f"{name} holds {frames} pictures; only the first is filled and written.")
    _turn_upright(picture, exif.orientation(picture.metadata.exif))
    return picture


def _read_tiff(stream: BinaryIO, name: str) -> Picture:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's words on odd entries
        directory = tiff.read_directory(stream)
        metadata = tiff.to_metadata(directory.entries)
    check_size(*directory.size, name)
    picture = Picture(np.empty((0, 0), np.uint8), name, "TIFF", metadata, directory)
    if directory.paged:
        picture.warnings.append(f"{name} holds several pages; only the first is filled and written.")
    if directory.layered:
        picture.warnings.append(f"{name} holds Photoshop layers; only the flat picture is written.")
    if directory.photometric == 5:
        _check_mode("CMYK", name)
    if directory.photometric >= 8:
        _check_mode("LAB", name)
    if directory.bits < 8 or directory.photometric == 3:
        with pillow.opened(stream, "TIFF") as image:
            _decode(image, picture)
        picture.orientation = directory.orientation  # Pillow has turned it
        return picture
    _check_samples(directory, name)
    # Not Pillow: it knows no deeper colours, and libtiff's own words on a broken file reach the terminal.
    picture.pixels = _decode_with_vips(stream)[:, :, : directory.samples]
    _turn_upright(picture, directory.orientation)
    return picture


def _check_samples(directory: tiff.Directory, name: str) -> None:
    known = (directory.bits, directory.kind) in ((8, 1), (16, 1), (32, 3))
    extra = directory.samples - (1 if directory.photometric in (0, 1) else 3)
    if not known or extra > 1 or (extra == 1 and not any(directory.extra)):
        what = {1: "whole-number", 2: "signed", 3: "floating-point"}.get(directory.kind, "unusual")
        raise FileError(
            "bad-file",
            f"{name} has {directory.samples} channels of {directory.bits} {what} bits, "
            "which is not supported.",
            "Save it with 8 or 16 bits, or 32-bit floating point, as gray or RGB with or without alpha.",
        )


def _turn_upright(picture: Picture, orientation: int) -> None:
    picture.orientation = orientation
    picture.pixels = upright(picture.pixels, orientation)
    if picture.palette is not None:
        picture.palette.indices = upright(picture.palette.indices, orientation)


def _check_mode(mode: str, name: str) -> None:
    if mode in ("1", "L", "LA", "P", "PA", "RGB", "RGBA"):
        return
    said = {"CMYK": "CMYK (ink) colours", "LAB": "Lab colours"}.get(mode, f"pixels of the kind {mode}")
    raise FileError(
        "bad-file",
        f"{name} has {said}, which cannot be filled.",
        "Convert it to RGB in a picture editor, and fill that.",
    )


def _scale_transparency(image: Image.Image, depth: int) -> None:
    """Pillow scales gray samples of a few bits to 8, but not the one that stands for transparent."""
    value = image.info.get("transparency")
    if isinstance(value, int):
        image.info["transparency"] = value * 255 // (2**depth - 1)


def _decode(image: Image.Image, picture: Picture) -> None:
    """Set the pixels, and what goes with their mode, from an opened file of 8 bits or less."""
    _check_mode(image.mode, picture.name)
    image.load()
    transparency = image.info.get("transparency")
    if image.mode in ("P", "PA"):
        _decode_palette(image, picture, transparency)
    elif image.mode == "1":
        picture.bilevel = transparency is None
        picture.pixels = _to_array(image, "L" if transparency is None else "LA")
    elif transparency is not None and image.mode in ("L", "RGB"):
        # One colour stands for transparent; a fill may hit it, so an alpha channel has to say it.
        picture.pixels = _to_array(image, image.mode + "A")
    else:
        picture.pixels = _to_array(image, image.mode)


def _decode_palette(image: Image.Image, picture: Picture, transparency: bytes | int | None) -> None:
    if image.mode == "PA" or image.palette is None:
        picture.pixels = _to_array(image, "RGBA")
        return
    colours = np.frombuffer(image.palette.tobytes(), np.uint8).reshape(-1, len(image.palette.mode)).copy()
    if colours.shape[1] == 3 and transparency is not None:
        alpha = np.full((len(colours), 1), 255, np.uint8)
        if isinstance(transparency, bytes):
            known = np.frombuffer(transparency, np.uint8)[: len(colours)]
            alpha[: len(known), 0] = known
        elif transparency < len(colours):
            alpha[transparency] = 0
        colours = np.concatenate([colours, alpha], axis=1)
    indices = _to_array(image, "P")
    if indices.max() >= len(colours):
        raise ValueError("a pixel has a colour that the palette does not have")
    picture.palette = Palette(indices, colours)
    picture.pixels = colours[indices]


def _to_array(image: Image.Image, mode: str) -> np.ndarray:
    width, height = image.size
    channels = Image.getmodebands(mode)
    pixels = np.empty((height, width, channels), np.uint8)
    for top in range(0, height, _ROWS):
        band = image.crop((0, top, width, min(top + _ROWS, height)))
        if "transparency" in image.info:
            band.info["transparency"] = image.info["transparency"]
        if band.mode != mode:
            band = band.convert(mode)
        pixels[top : top + _ROWS] = np.asarray(band).reshape(-1, width, channels)
    return pixels[:, :, 0] if channels == 1 else pixels


def _decode_with_vips(stream: BinaryIO) -> np.ndarray:
    """Pixels of 16 bits or 32-bit floats, H x W x C, as stored."""
    import pyvips

    if isinstance(stream, io.BytesIO):
        source = pyvips.Source.new_from_memory(stream.getvalue())
    else:
        os.lseek(stream.fileno(), 0, os.SEEK_SET)
        source = pyvips.Source.new_from_descriptor(stream.fileno())
    image = pyvips.Image.new_from_source(source, "", access="sequential", fail_on="error")
    dtype = {"uchar": np.uint8, "ushort": np.uint16, "float": np.float32}[image.format]
    data = image.write_to_memory()
    return np.frombuffer(data, dtype).reshape(image.height, image.width, image.bands)


def _metadata(image: Image.Image) -> Metadata:
    info = image.info
    block = exif.bare(info.get("exif"))
    xmp = info.get("xmp") or info.get("XML:com.adobe.xmp")
    if isinstance(xmp, str):
        xmp = xmp.encode()
    dpi = info.get("dpi")
    return Metadata(
        icc=info.get("icc_profile") or None,
        exif=None if block is None else exif.without_thumbnail(block),
        xmp=xmp or None,
        dpi=None if dpi is None or min(dpi) <= 0 else (float(dpi[0]), float(dpi[1])),
    )


def _jpeg_settings(image: JpegImagePlugin.JpegImageFile) -> dict[str, object]:
    """What makes the encoder treat an unchanged block as the file's own encoder did."""
    sampling = JpegImagePlugin.get_sampling(image)
    return {
        "qtables": image.quantization,
        "subsampling": sampling if sampling >= 0 else 0,
        "progressive": bool(image.info.get("progressive")),
        "keep_rgb": image.mode == "RGB" and image.info.get("adobe_transform") == 0,
    }


def _if_halved(stream: BinaryIO, picture: Picture) -> bytes | None:
    """The whole file, if its chroma has half the resolution, and there is some."""
    halved = picture.settings["subsampling"] == 2 and not picture.settings["keep_rgb"]
    if not halved or picture.pixels.ndim == 2 or min(picture.size) < 2:
        return None
    stream.seek(0)
    return stream.read()


def _is_lossless_webp(stream: BinaryIO) -> bool:
    stream.seek(12)
    while len(head := stream.read(8)) == 8:
        name, length = struct.unpack("<4sI", head)
        if name in (b"VP8 ", b"VP8L", b"ANMF"):
            return bool(name == b"VP8L")
        stream.seek(length + length % 2, os.SEEK_CUR)
    return False
