"""Pixels to picture files that say all that the original said."""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from PIL import Image

from . import depth, exif, jpeg, jpeg_samples, png, tiff
from .outputs import Outputs, cannot_write
from .picture import FileError, Metadata, Palette, Picture, stored

FORMATS = {
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "BMP": (".bmp", ".dib"),
}
"""Formats that are written, with the endings that stand for them."""

_WITH_ALPHA = ("PNG", "WEBP", "TIFF")
_WITH_PALETTE = ("PNG", "TIFF", "BMP")
_LONGEST_SIDE = {"JPEG": 65535, "WEBP": 16383}
_DEEPEST: dict[str, type[np.generic]] = {"PNG": np.uint16, "TIFF": np.float32}
# For pictures that come from another format, or from a lossy WebP: nobody sees a difference.
_JPEG = {"quality": 95, "subsampling": 0}
_WEBP = {"quality": 95, "method": 4}
# A third of the time of zlib's usual 6, for files a tenth larger.
_PNG_LEVEL = 4
# Beyond this, one file is written through another on disk rather than in memory.
_IN_MEMORY = 64 << 20


def format_of(path: str | Path) -> str:
    """The format that a file name's ending stands for.

    Raises:
        FileError: it stands for none that is written.
    """
    suffix = Path(path).suffix.lower()
    for format, suffixes in FORMATS.items():
        if suffix in suffixes:
            return format
    known = ", ".join(suffixes[0] for suffixes in FORMATS.values())
    what = f"ends in {suffix}" if suffix else "has no ending"
    raise FileError(
        "cannot-write", f"{path} {what}, which is no format that can be written.", f"Use one of {known}."
    )


def check_target(picture: Picture, format: str) -> list[str]:
    """Find out, before the work, whether a format can hold the picture.

    Returns:
        Sentences about what it will lose; empty where it loses nothing.

    Raises:
        FileError: `cannot-write`: it would lose what is visible, or the size is too large for it.
    """
    if format not in FORMATS:
        raise FileError(
            "cannot-write", f"Files of the format {format} cannot be written.", "Write a PNG instead."
        )
    if format not in _WITH_ALPHA and picture.has_alpha and not _is_opaque(picture.pixels):
        raise FileError(
            "cannot-write",
            f"{picture.name} is partly transparent, and {format} files cannot be.",
            "Write a PNG instead.",
        )
    if max(picture.size) > _LONGEST_SIDE.get(format, max(picture.size)):
        raise FileError(
            "cannot-write",
            f"{picture.name} is larger than a {format} file can be.",
            "Write a PNG instead.",
        )
    if picture.pixels.dtype.itemsize > np.dtype(_DEEPEST.get(format, np.uint8)).itemsize:
        bits = 8 * np.dtype(_DEEPEST.get(format, np.uint8)).itemsize
        return [f"{format} files have {bits} bits a sample: the output is less exact than {picture.name}."]
    return []


def write(
    picture: Picture,
    pixels: np.ndarray,
    target: str | Path | BinaryIO,
    format: str | None = None,
    outputs: Outputs | None = None,
) -> None:
    """Write filled pixels to a file like the one that the picture came from.

    A file of the same format keeps everything; of another format, what that can hold. The file
    appears when it is complete; on an error there is none, and an older one stays.

    Args:
        picture: what was read.
        pixels: shape and dtype of `picture.pixels`; may be that very array, changed.
        target: path, or a stream such as standard output.
        format: a key of `FORMATS`; else what the path's ending says, for a stream PNG.
        outputs: where several files shall appear together.

    Raises:
        FileError: `cannot-write`.
    """
    if pixels.shape != picture.pixels.shape or pixels.dtype != picture.pixels.dtype:
        raise ValueError(
            f"pixels are {pixels.dtype} {pixels.shape}, the picture "
            f"{picture.pixels.dtype} {picture.pixels.shape}"
        )
    if format is None:
        format = format_of(target) if isinstance(target, str | Path) else "PNG"
    check_target(picture, format)
    if not isinstance(target, str | Path):
        _encode(picture, pixels, format, target)
    elif outputs is None:
        with Outputs() as alone:
            write(picture, pixels, target, format, alone)
    else:
        try:
            _encode(picture, pixels, format, outputs.open(target))
        except OSError as problem:
            raise cannot_write(target, problem) from problem


def write_layer(
    target: str | Path,
    layer: np.ndarray,
    offset: tuple[int, int],
    picture: Picture,
    outputs: Outputs | None = None,
) -> None:
    """Write a fill as a transparent layer of the picture's size, in its depth, to lay over it.

    Args:
        target: path; PNG, TIFF, or (8 bit) WebP, which is then lossless.
        layer: h x w x 2 or 4 with alpha last, dtype of the picture.
        offset: x, y of the layer's upper left corner in the picture.
        picture: what was filled.

    Raises:
        FileError: `cannot-write`.
    """
    format = check_layer_target(target, picture)
    width, height = picture.size
    canvas = np.zeros((height, width, layer.shape[2]), layer.dtype)
    x, y = offset
    canvas[y : y + layer.shape[0], x : x + layer.shape[1]] = layer
    settings = {"lossless": True} if format == "WEBP" else {}
    whole = Picture(canvas, picture.name, format, _upright_metadata(picture.metadata), settings=settings)
    write(whole, canvas, target, format, outputs)


def check_layer_target(target: str | Path, picture: Picture) -> str:
    """The format for a layer of this picture.

    Raises:
        FileError: `cannot-write`: the path's ending stands for none that can hold it exactly.
    """
    format = format_of(target)
    deepest = np.dtype(_DEEPEST.get(format, np.uint8)).itemsize
    if format not in _WITH_ALPHA or picture.pixels.dtype.itemsize > deepest:
        raise FileError(
            "cannot-write",
            f"{target}: a {format} file cannot hold a layer of {picture.name}.",
            "Write the layer as .tif." if picture.pixels.dtype == np.float32 else "Write the layer as .png.",
        )
    return format


def _is_opaque(pixels: np.ndarray) -> bool:
    alpha = pixels[:, :, -1]
    return bool((alpha >= (1 if alpha.dtype.kind == "f" else np.iinfo(alpha.dtype).max)).all())


def _upright_metadata(metadata: Metadata) -> Metadata:
    return replace(metadata, exif=metadata.exif and exif.turned_upright(metadata.exif))


def _encode(picture: Picture, pixels: np.ndarray, format: str, out: BinaryIO) -> None:
    same = format == picture.format
    turn = picture.orientation if same else 1
    deepest = _DEEPEST.get(format, np.uint8)
    if pixels.dtype.itemsize > np.dtype(deepest).itemsize:
        pixels = depth.convert(pixels, deepest)
    if picture.has_alpha and format not in _WITH_ALPHA:
        pixels = pixels[:, :, :-1].squeeze()  # it is opaque, or check_target had refused
    few = format in _WITH_PALETTE and (picture.palette is not None or picture.bilevel)
    if picture.palette is not None and picture.palette.colours.shape[1] == 4:
        few = format == "PNG"  # elsewhere a palette has no transparent colours
    if few and picture.palette is not None:
        pixels = depth.to_indices(pixels, picture.palette)
    elif few:
        pixels = depth.to_bits(pixels)
    pixels = stored(pixels, turn)
    metadata = picture.metadata if same else _upright_metadata(picture.metadata)
    plain = replace(picture, metadata=metadata, native=picture.native if same else None)
    encoder = {"PNG": _png, "TIFF": _tiff, "JPEG": _jpeg, "WEBP": _webp, "BMP": _bmp}[format]
    if not same:
        plain.settings = {}
    encoder(plain, pixels, few, out)


def _png(picture: Picture, pixels: np.ndarray, few: bool, out: BinaryIO) -> None:
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as bare:
        if pixels.dtype == np.uint8:
            image = _image(picture, pixels, few)
            options = _transparency(picture.palette) if few else {}
            image.save(bare, "PNG", compress_level=_PNG_LEVEL, **options)
            colour_type = {"1": 0, "L": 0, "P": 3, "RGB": 2, "LA": 4, "RGBA": 6}[image.mode]
        else:
            _vips(pixels, "pngsave", bare, bitdepth=16, filter="all", compression=_PNG_LEVEL)
            colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[pixels.shape[2] if pixels.ndim == 3 else 1]
        bare.seek(0)
        original = picture.native
        chunks = png.from_metadata(picture.metadata) if original is None else original.kept
        same_type = original is not None and original.colour_type == colour_type
        png.dress(cast(BinaryIO, bare), out, chunks, same_type and not few)


def _tiff(picture: Picture, pixels: np.ndarray, few: bool, out: BinaryIO) -> None:
    original = picture.native
    compression = tiff.DEFLATE if original is None else original.compression
    with tempfile.TemporaryFile() as bare:
        if pixels.dtype == np.uint8:
            _image(picture, pixels, few).save(bare, "TIFF", compression=tiff.PILLOW_COMPRESSION[compression])
        else:
            predictor = "float" if pixels.dtype == np.float32 else "horizontal"
            _vips(
                pixels,
                "tiffsave",
                bare,
                compression=tiff.VIPS_COMPRESSION[compression],
                predictor=predictor,
            )
        entries = tiff.from_metadata(picture.metadata) if original is None else original.entries
        tiff.dress(bare, out, entries)


def _jpeg(picture: Picture, pixels: np.ndarray, few: bool, out: BinaryIO) -> None:
    bare = io.BytesIO()
    original = picture.native
    if original is None:
        image = Image.fromarray(pixels)
        image.save(bare, "JPEG", **_JPEG, **_options(picture.metadata, "icc", "exif", "xmp", "dpi"))
        out.write(bare.getbuffer())
        return
    if original.encoded is None:
        image = Image.fromarray(pixels)
    else:
        image = jpeg_samples.merged(original.encoded, pixels)
    image.save(bare, "JPEG", **picture.settings)
    bare.seek(0)
    jpeg.dress(bare, out, original.segments)


def _webp(picture: Picture, pixels: np.ndarray, few: bool, out: BinaryIO) -> None:
    lossless = picture.settings.get("lossless", False)
    how: dict[str, Any] = {"lossless": True, "exact": True} if lossless else dict(_WEBP)
    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, "WEBP", **how, **_options(picture.metadata, "icc", "exif", "xmp"))
    out.write(encoded.getbuffer())


def _bmp(picture: Picture, pixels: np.ndarray, few: bool, out: BinaryIO) -> None:
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as encoded:
        _image(picture, pixels, few).save(encoded, "BMP", **_options(picture.metadata, "dpi"))
        encoded.seek(0)
        shutil.copyfileobj(encoded, out)


def _options(metadata: Metadata, *wanted: str) -> dict[str, Any]:
    """What Pillow's encoders take, without what is not there."""
    known = {
        "icc": ("icc_profile", metadata.icc),
        "exif": ("exif", metadata.exif and b"Exif\0\0" + metadata.exif),
        "xmp": ("xmp", metadata.xmp),
        "dpi": ("dpi", metadata.dpi),
    }
    return {known[name][0]: known[name][1] for name in wanted if known[name][1]}


def _image(picture: Picture, pixels: np.ndarray, few: bool) -> Image.Image:
    if not few:
        return Image.fromarray(pixels)
    if picture.palette is None:
        return Image.fromarray(pixels).convert("1", dither=Image.Dither.NONE)
    image = Image.frombuffer("P", pixels.shape[::-1], pixels, "raw", "P", 0, 1)
    image.putpalette(picture.palette.colours[:, :3].tobytes())
    return image


def _transparency(palette: Palette | None) -> dict[str, bytes]:
    if palette is None or palette.colours.shape[1] == 3:
        return {}
    return {"transparency": palette.colours[:, 3].tobytes()}


def _vips(pixels: np.ndarray, operation: str, out: Any, **options: Any) -> None:
    """Encode with libvips into a file, without metadata."""
    import pyvips

    height, width = pixels.shape[:2]
    bands = pixels.shape[2] if pixels.ndim == 3 else 1
    kinds = {"uint16": ("ushort", "16"), "float32": ("float", "")}
    kind, suffix = kinds[pixels.dtype.name]
    image = pyvips.Image.new_from_memory(pixels, width, height, bands, kind)
    gray = "grey16" if suffix else "b-w"
    image = image.copy(interpretation=gray if bands < 3 else "rgb" + suffix)
    save: Callable[..., None] = getattr(image, operation + "_target")
    target = pyvips.Target.new_to_descriptor(out.fileno())
    try:
        save(target, keep="none", **options)
    except pyvips.Error as problem:
        raise OSError(str(problem).strip()) from problem
