"""Real files of every kind through `backend.files`, checked by reading them with Pillow and libvips."""

from __future__ import annotations

import io
import os
import struct
import zlib

import numpy as np
import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps, PngImagePlugin, TiffImagePlugin

from backend import files

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a>caf\xc3\xa9</a></x:xmpmeta>'
BOX = (slice(5, 12), slice(7, 19))
LOSSLESS = {
    "png": [(mode, kind) for mode in ("L", "LA", "RGB", "RGBA") for kind in ("u1", "u2")],
    "tif": [(mode, kind) for mode in ("L", "LA", "RGB", "RGBA") for kind in ("u1", "u2", "f4")],
    "bmp": [("L", "u1"), ("RGB", "u1")],
    "webp": [("RGB", "u1"), ("RGBA", "u1")],
}
CHANNELS = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}


def noise(mode: str, kind: str, size: tuple[int, int] = (33, 24), seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    width, height = size
    shape = (height, width) if mode == "L" else (height, width, CHANNELS[mode])
    if kind == "f4":
        return random.random(shape, np.float32)
    return random.integers(0, np.iinfo(kind).max, shape, kind, endpoint=True)


def smooth(size: tuple[int, int] = (96, 64)) -> np.ndarray:
    x, y = np.meshgrid(np.linspace(0, 3, size[0]), np.linspace(0, 2, size[1]))
    waves = [np.sin(x + y), np.cos(x * 2 - y), np.sin(y * 3)]
    return np.uint8(np.stack(waves, axis=2) * 100 + 127)


def exif_block(orientation: int = 1, thumbnail: bool = False) -> bytes:
    """EXIF with a maker, a lens in the sub-directory, and a thumbnail that no library of ours made."""
    block = Image.Exif()
    block[0x010F] = "Maker"
    block[0x0112] = orientation
    block[0x8769] = {0xA434: "Lens 50"}
    encoded = block.tobytes()
    if not thumbnail:
        return encoded
    inner = bytearray(encoded[6:])
    order = "<" if inner[:2] == b"II" else ">"
    count = struct.unpack_from(order + "H", inner, 8)[0]
    picture = b"THUMBNAIL OF THE REMOVED THING"
    second = len(inner)
    struct.pack_into(order + "I", inner, 10 + 12 * count, second)
    start = second + 2 + 24 + 4
    inner += struct.pack(order + "HHHIIHHIII", 2, 0x201, 4, 1, start, 0x202, 4, 1, len(picture), 0)
    return b"Exif\0\0" + bytes(inner) + picture


def save(path: os.PathLike[str], pixels: np.ndarray, **options: object) -> None:
    """Make a file without any code of ours."""
    if pixels.dtype == np.uint8:
        Image.fromarray(pixels).save(path, **options)
        return
    bands = 1 if pixels.ndim == 2 else pixels.shape[2]
    kind = {"uint16": "ushort", "float32": "float"}[pixels.dtype.name]
    image = pyvips.Image.new_from_memory(
        pixels.tobytes(), pixels.shape[1], pixels.shape[0], bands, kind
    ).copy(interpretation=("grey16" if bands < 3 else "rgb16") if kind == "ushort" else "multiband")
    if bands >= 3 and kind == "float":
        image = image.copy(interpretation="rgb")
    if str(path).endswith("png"):
        image.pngsave(str(path), bitdepth=16)
    else:
        image.tiffsave(str(path), **options)


def png_of(chunks: list[tuple[bytes, bytes]]) -> bytes:
    """A PNG file written by hand."""
    encoded = b"\x89PNG\r\n\x1a\n"
    for name, body in [*chunks, (b"IEND", b"")]:
        encoded += struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    return encoded


def filled(picture: files.Picture) -> np.ndarray:
    """Like a fill: other pixels in a box, the rest untouched, alpha untouched."""
    pixels = picture.pixels.copy()
    colours = pixels[..., :-1] if picture.has_alpha else pixels
    colours[BOX] = colours[BOX][::-1, ::-1]
    return pixels


@pytest.mark.parametrize(
    ("suffix", "mode", "kind"), [(suffix, *case) for suffix, cases in LOSSLESS.items() for case in cases]
)
def test_lossless_files_keep_every_sample_and_their_kind(tmp_path, suffix, mode, kind):
    original = noise(mode, kind)
    source, target = tmp_path / f"in.{suffix}", tmp_path / f"out.{suffix}"
    save(source, original, **({"lossless": True, "exact": True} if suffix == "webp" else {}))
    before = source.read_bytes()
    picture = files.read(source)
    assert picture.pixels.dtype == original.dtype
    np.testing.assert_array_equal(picture.pixels, original)
    changed = filled(picture)
    files.write(picture, changed, target)
    np.testing.assert_array_equal(files.read(target).pixels, changed)
    assert source.read_bytes() == before
    if kind == "u1":
        with Image.open(source) as old, Image.open(target) as new:
            assert (new.mode, new.format) == (old.mode, old.format)
            np.testing.assert_array_equal(np.asarray(new), changed)
    else:
        old, new = (pyvips.Image.new_from_file(str(path)) for path in (source, target))
        assert (new.bands, new.format, new.interpretation) == (old.bands, old.format, old.interpretation)
        np.testing.assert_array_equal(new.numpy().reshape(changed.shape), changed)


@settings(max_examples=40, deadline=None)
@given(
    case=st.sampled_from([(suffix, *case) for suffix, cases in LOSSLESS.items() for case in cases]),
    width=st.integers(1, 70),
    height=st.integers(1, 40),
    seed=st.integers(0, 9),
)
def test_whatever_the_size_the_round_trip_is_exact(tmp_path_factory, case, width, height, seed):
    suffix, mode, kind = case
    folder = tmp_path_factory.mktemp("trip")
    original = noise(mode, kind, (width, height), seed)
    save(folder / f"in.{suffix}", original, **({"lossless": True, "exact": True} if suffix == "webp" else {}))
    picture = files.read(folder / f"in.{suffix}")
    files.write(picture, picture.pixels, folder / f"out.{suffix}")
    np.testing.assert_array_equal(files.read(folder / f"out.{suffix}").pixels, original)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_pictures_are_upright_and_written_as_they_were_stored(tmp_path, suffix, orientation):
    source, target = tmp_path / f"in.{suffix}", tmp_path / f"out.{suffix}"
    options = {"lossless": True} if suffix == "webp" else {}
    Image.fromarray(smooth()).save(source, exif=exif_block(orientation), **options)
    with Image.open(source) as image:
        seen = np.asarray(ImageOps.exif_transpose(image))
    picture = files.read(source)
    np.testing.assert_array_equal(picture.pixels, seen)
    files.write(picture, picture.pixels, target)
    with Image.open(target) as image:
        assert image.getexif()[0x0112] == orientation
        assert image.getexif().get_ifd(0x8769)[0xA434] == "Lens 50"
        again = np.asarray(ImageOps.exif_transpose(image))
    if suffix == "jpg":
        assert np.abs(again.astype(int) - seen).max() <= 3
    else:
        np.testing.assert_array_equal(again, seen)
    # In another format the pixels are upright, whatever its readers make of the tag.
    other = tmp_path / ("other.png" if suffix != "png" else "other.tif")
    files.write(picture, picture.pixels, other)
    with Image.open(other) as image:
        assert image.getexif().get(0x0112, 1) == 1
        np.testing.assert_array_equal(np.asarray(image), seen)


def test_a_deep_tiff_keeps_orientation_and_tags(tmp_path):
    original = noise("RGB", "u2")
    save(tmp_path / "bare.tif", original, compression="lzw", xres=11.811, yres=11.811)
    picture = files.read(tmp_path / "bare.tif")
    picture.native.entries[274] = (3, 6)
    picture.native.entries[34675] = (7, ICC)
    picture.native.entries[700] = (1, XMP)
    picture.native.entries[315] = (2, "An Artist")
    picture.native.entries[34665] = (4, {0xA434: "Lens 50"})
    files.write(picture, original, tmp_path / "in.tif")
    again = files.read(tmp_path / "in.tif")
    np.testing.assert_array_equal(again.pixels, np.rot90(original, -1))
    files.write(again, again.pixels, tmp_path / "out.tif")
    image = pyvips.Image.new_from_file(str(tmp_path / "out.tif"))
    np.testing.assert_array_equal(image.numpy(), original)
    assert image.get("orientation") == 6
    assert image.get("icc-profile-data") == ICC
    assert image.get("xmp-data") == XMP
    assert image.xres == pytest.approx(11.811, rel=1e-4)
    with Image.open(tmp_path / "out.tif") as page:
        assert page.tag_v2[315] == "An Artist"
        assert page.tag_v2[259] == 5
        assert page.getexif().get_ifd(0x8769)[0xA434] == "Lens 50"


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif"])
@pytest.mark.parametrize("other", ["png", "jpg", "webp", "tif", "bmp"])
def test_metadata_survives_in_the_same_and_in_other_formats(tmp_path, suffix, other):
    options: dict[str, object] = {"icc_profile": ICC, "exif": exif_block()}
    if suffix != "webp":
        options["dpi"] = (300, 300)
    if suffix in ("webp", "jpg"):
        options["xmp"] = XMP
    if suffix == "png":
        text = PngImagePlugin.PngInfo()
        text.add_text("Title", "A title")
        text.add_itxt("XML:com.adobe.xmp", XMP.decode())
        text.add(b"gAMA", struct.pack(">I", 45455))
        options["pnginfo"] = text
    if suffix == "tif":
        entries = Image.Exif()
        entries.load(exif_block())
        entries[700] = XMP
        options["exif"] = entries
    source, target = tmp_path / f"in.{suffix}", tmp_path / f"out.{other}"
    Image.fromarray(smooth()).save(source, **options)
    picture = files.read(source)
    files.write(picture, filled(picture), target)
    with Image.open(target) as image:
        exif = image.getexif()
        image.load()
        info = image.info
        if other not in ("webp",) and suffix != "webp":
            assert info["dpi"] == pytest.approx((300, 300), abs=0.05)
        if other == "bmp":
            return
        assert info["icc_profile"] == ICC
        assert exif[0x010F] == "Maker"
        assert exif.get_ifd(0x8769)[0xA434] == "Lens 50"
        xmp = info.get("xmp", info.get("XML:com.adobe.xmp"))
        assert (xmp.encode() if isinstance(xmp, str) else xmp) == XMP
        if suffix == other == "png":
            assert (info["Title"], info["gamma"]) == ("A title", 0.45455)


def test_thumbnails_that_show_the_old_picture_are_removed(tmp_path):
    source = tmp_path / "in.jpg"
    Image.fromarray(smooth()).save(source, exif=exif_block(6, thumbnail=True))
    assert b"REMOVED THING" in source.read_bytes()
    picture = files.read(source)
    for suffix in ("jpg", "png", "webp", "tif"):
        target = tmp_path / f"out.{suffix}"
        files.write(picture, picture.pixels, target)
        assert b"REMOVED THING" not in target.read_bytes()
        with Image.open(target) as image:
            assert image.getexif()[0x010F] == "Maker"
            assert not image.getexif().get_ifd(1)


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_is_encoded_as_it_was(tmp_path, subsampling, progressive):
    source, target = tmp_path / "in.jpg", tmp_path / "out.jpg"
    Image.fromarray(smooth()).save(
        source, quality=71, subsampling=subsampling, progressive=progressive, comment=b"hello", dpi=(72, 72)
    )
    picture = files.read(source)
    changed = filled(picture)
    files.write(picture, changed, target)
    with Image.open(source) as old, Image.open(target) as new:
        assert new.quantization == old.quantization
        assert new.layer == old.layer
        assert bool(new.info.get("progressive")) == progressive
        assert (new.info["comment"], new.info["dpi"]) == (b"hello", (72, 72))
    difference = np.abs(files.read(target).pixels.astype(int) - picture.pixels)
    difference[:32, :32] = 0  # the blocks that hold the fill
    assert difference.max() <= 3
    assert difference.mean() < 0.02


@pytest.mark.parametrize("size", [(96, 64), (95, 63), (17, 16)])
def test_saving_a_camera_jpeg_again_and_again_does_not_blur_its_colours(tmp_path, size):
    """4:2:0 with strong colour edges, where smoothing and averaging chroma would lose most."""
    random = np.random.default_rng(4).integers(60, 200, (8, 12, 3), np.uint8)
    Image.fromarray(random).resize(size, Image.Resampling.NEAREST).save(
        tmp_path / "0.jpg", quality=85, subsampling=2, exif=exif_block(6)
    )
    first = files.read(tmp_path / "0.jpg").pixels.astype(int)
    for number in range(4):
        picture = files.read(tmp_path / f"{number}.jpg")
        files.write(picture, picture.pixels, tmp_path / f"{number + 1}.jpg")
    difference = np.abs(files.read(tmp_path / "4.jpg").pixels - first)
    assert difference.max() <= 8
    assert (difference == 0).mean() > 0.8


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (6, 1), (2, 2), (3, 2)])
def test_the_smallest_jpeg_files(tmp_path, size):
    Image.new("RGB", size, (200, 90, 40)).save(tmp_path / "in.jpg", subsampling=2)
    picture = files.read(tmp_path / "in.jpg")
    files.write(picture, picture.pixels, tmp_path / "out.jpg")
    difference = files.read(tmp_path / "out.jpg").pixels.astype(int) - picture.pixels
    assert np.abs(difference).max() <= 3


def test_jpeg_in_gray_and_in_rgb_coding(tmp_path):
    Image.fromarray(smooth()[:, :, 0]).save(tmp_path / "gray.jpg")
    Image.fromarray(smooth()).save(tmp_path / "rgb.jpg", keep_rgb=True, quality=90)
    for name, mode in (("gray", "L"), ("rgb", "RGB")):
        picture = files.read(tmp_path / f"{name}.jpg")
        files.write(picture, picture.pixels, tmp_path / "out.jpg")
        with Image.open(tmp_path / f"{name}.jpg") as old, Image.open(tmp_path / "out.jpg") as new:
            assert new.mode == mode
            assert new.layer == old.layer
            assert np.abs(np.asarray(new).astype(int) - np.asarray(old)).max() <= 3


@pytest.mark.parametrize("lossless", [True, False])
def test_webp_stays_lossless_or_good(tmp_path, lossless):
    source, target = tmp_path / "in.webp", tmp_path / "out.webp"
    Image.fromarray(smooth()).save(source, lossless=lossless, quality=80)
    picture = files.read(source)
    files.write(picture, picture.pixels, target)
    difference = np.abs(files.read(target).pixels.astype(int) - picture.pixels)
    assert difference.max() == 0 if lossless else difference.mean() < 1.5


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
def test_palette_pictures_keep_their_palette_and_their_indices(tmp_path, suffix):
    colours = np.random.default_rng(1).integers(0, 256, (256, 3), np.uint8)
    colours[200] = colours[100]  # two entries of one colour must not be mixed up
    indices = np.random.default_rng(2).integers(0, 256, (24, 33), np.uint8)
    image = Image.frombytes("P", (33, 24), indices.tobytes())
    image.putpalette(colours.tobytes())
    source, target = tmp_path / f"in.{suffix}", tmp_path / f"out.{suffix}"
    image.save(source)
    picture = files.read(source)
    np.testing.assert_array_equal(picture.pixels, colours[indices])
    changed = picture.pixels.copy()
    changed[BOX] = np.clip(colours[7].astype(int) + 1, 0, 255)
    files.write(picture, changed, target)
    with Image.open(target) as new:
        assert new.mode == "P"
        assert new.getpalette() == colours.reshape(-1).tolist()
        result = np.asarray(new)
    outside = np.ones((24, 33), bool)
    outside[BOX] = False
    np.testing.assert_array_equal(result[outside], indices[outside])
    np.testing.assert_array_equal(colours[result[BOX]], np.broadcast_to(colours[7], (7, 12, 3)))


def test_palette_transparency_is_alpha_and_stays(tmp_path):
    image = Image.frombytes("P", (4, 4), bytes([0, 1, 2, 3] * 4))
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9])
    image.save(tmp_path / "in.png", transparency=bytes([0, 128, 255, 255]))
    picture = files.read(tmp_path / "in.png")
    np.testing.assert_array_equal(picture.pixels[0, :, 3], [0, 128, 255, 255])
    files.write(picture, picture.pixels, tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as new:
        assert new.mode == "P"
        np.testing.assert_array_equal(np.asarray(new.convert("RGBA")), picture.pixels)
    files.write(picture, picture.pixels, tmp_path / "out.tif")
    np.testing.assert_array_equal(files.read(tmp_path / "out.tif").pixels, picture.pixels)
    with pytest.raises(files.FileError, match="partly transparent"):
        files.write(picture, picture.pixels, tmp_path / "out.bmp")
    picture.pixels[:, :, 3] = 255
    files.write(picture, picture.pixels, tmp_path / "out.bmp")
    np.testing.assert_array_equal(files.read(tmp_path / "out.bmp").pixels, picture.pixels[:, :, :3])


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
def test_bilevel_stays_bilevel(tmp_path, suffix):
    bits = np.random.default_rng(3).random((24, 33)) > 0.5
    Image.fromarray(bits).save(tmp_path / f"in.{suffix}")
    picture = files.read(tmp_path / f"in.{suffix}")
    np.testing.assert_array_equal(picture.pixels, bits * np.uint8(255))
    changed = picture.pixels.copy()
    changed[BOX] = 140
    files.write(picture, changed, tmp_path / f"out.{suffix}")
    with Image.open(tmp_path / f"out.{suffix}") as new:
        assert new.mode == "1"
        bits[BOX] = True
        np.testing.assert_array_equal(np.asarray(new), bits)


def test_a_transparent_colour_becomes_alpha(tmp_path):
    pixels = noise("RGB", "u1")
    pixels[3, 4] = (1, 2, 3)
    Image.fromarray(pixels).save(tmp_path / "in.png", transparency=(1, 2, 3))
    picture = files.read(tmp_path / "in.png")
    assert picture.pixels[3, 4, 3] == 0
    assert (np.delete(picture.pixels[:, :, 3].reshape(-1), 3 * 33 + 4) == 255).all()
    files.write(picture, picture.pixels, tmp_path / "out.png")
    np.testing.assert_array_equal(files.read(tmp_path / "out.png").pixels, picture.pixels)


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_a_transparent_gray_of_any_depth_becomes_alpha(tmp_path, depth):
    """Written by hand: sample values 0 and 1, of which 1 is transparent."""
    row = {1: b"\x40", 2: b"\x10", 4: b"\x01", 8: b"\0\1", 16: b"\0\0\0\1"}[depth]
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 2, 1, depth, 0, 0, 0, 0)),
        (b"tRNS", b"\0\1"),
        (b"IDAT", zlib.compress(b"\0" + row)),
    ]
    (tmp_path / "in.png").write_bytes(png_of(chunks))
    high = 65535 if depth == 16 else 255
    one = 1 if depth == 16 else 255 // (2**depth - 1)
    assert files.read(tmp_path / "in.png").pixels.tolist() == [[[0, high], [one, 0]]]


@pytest.mark.parametrize(
    "how",
    [
        {"tile": True, "tile_width": 16, "tile_height": 16},
        {"bigtiff": True, "compression": "deflate"},
        {"compression": "packbits"},
        {"miniswhite": True},
    ],
)
@pytest.mark.parametrize("kind", ["u1", "u2"])
def test_tiff_of_every_build(tmp_path, how, kind):
    original = noise("L", kind, (40, 50))
    format = {"u1": "uchar", "u2": "ushort"}[kind]
    image = pyvips.Image.new_from_memory(original.tobytes(), 40, 50, 1, format)
    image = image.copy(interpretation="b-w" if kind == "u1" else "grey16")
    image.tiffsave(str(tmp_path / "in.tif"), **how)
    picture = files.read(tmp_path / "in.tif")
    np.testing.assert_array_equal(picture.pixels, original)
    files.write(picture, picture.pixels, tmp_path / "out.tif")
    np.testing.assert_array_equal(files.read(tmp_path / "out.tif").pixels, original)


def test_big_endian_tiff(tmp_path):
    pixels = noise("RGB", "u2")
    entries = TiffImagePlugin.ImageFileDirectory_v2(b"MM\0*\0\0\0\0")
    for tag, value in {256: 33, 257: 24, 258: (16, 16, 16), 259: 1, 262: 2, 277: 3, 278: 24}.items():
        entries[tag] = value
    entries[273], entries[279] = (0,), (pixels.nbytes,)
    entries[270] = "described"
    head = io.BytesIO()
    entries.save(head)
    (tmp_path / "in.tif").write_bytes(head.getvalue() + pixels.astype(">u2").tobytes())
    picture = files.read(tmp_path / "in.tif")
    np.testing.assert_array_equal(picture.pixels, pixels)
    files.write(picture, pixels, tmp_path / "out.tif")
    np.testing.assert_array_equal(pyvips.Image.new_from_file(str(tmp_path / "out.tif")).numpy(), pixels)
    with Image.open(tmp_path / "out.tif") as new:
        assert new.tag_v2[270] == "described"


def test_depth_is_reduced_only_where_the_format_asks_and_says_so(tmp_path):
    save(tmp_path / "in.tif", noise("RGB", "u2"))
    picture = files.read(tmp_path / "in.tif")
    assert files.check_target(picture, "PNG") == []
    (warning,) = files.check_target(picture, "JPEG")
    assert "8 bits" in warning
    files.write(picture, picture.pixels, tmp_path / "out.bmp")
    exact = np.rint(picture.pixels / 257.0)
    np.testing.assert_array_equal(files.read(tmp_path / "out.bmp").pixels, exact)


@pytest.mark.parametrize("suffix", ["jpg", "bmp"])
def test_transparency_is_refused_where_it_would_be_lost(tmp_path, suffix):
    pixels = noise("RGBA", "u1")
    picture = files.Picture(pixels)
    with pytest.raises(files.FileError, match="partly transparent"):
        files.write(picture, pixels, tmp_path / f"out.{suffix}")
    assert list(tmp_path.iterdir()) == []
    pixels[:, :, 3] = 255
    files.write(picture, pixels, tmp_path / f"out.{suffix}")
    assert files.read(tmp_path / f"out.{suffix}").pixels.shape == (24, 33, 3)


def test_further_frames_and_pages_are_not_lost_silently(tmp_path):
    frames = [Image.fromarray(noise("RGB", "u1", seed=seed)) for seed in range(3)]
    for suffix in ("png", "webp", "tif", "gif"):
        path = tmp_path / f"in.{suffix}"
        frames[0].save(path, save_all=True, append_images=frames[1:])
        (warning,) = files.read(path).warnings
        assert "only the first" in warning
    frames[0].save(tmp_path / "in.jpg", "MPO", save_all=True, append_images=frames[1:])
    picture = files.read(tmp_path / "in.jpg")
    assert len(picture.warnings) == 1
    files.write(picture, picture.pixels, tmp_path / "out.jpg")
    with Image.open(tmp_path / "out.jpg") as image:
        assert image.format == "JPEG"
    frames[0].save(tmp_path / "one.png")
    assert files.read(tmp_path / "one.png").warnings == []


def test_pictures_that_cannot_be_filled_say_why(tmp_path):
    Image.new("CMYK", (8, 8)).save(tmp_path / "ink.jpg")
    Image.new("CMYK", (8, 8)).save(tmp_path / "ink.tif")
    for name in ("ink.jpg", "ink.tif"):
        with pytest.raises(files.FileError, match=r"CMYK.*Convert it to RGB"):
            files.read(tmp_path / name)
    five = pyvips.Image.new_from_memory(bytes(80), 4, 4, 5, "uchar")
    five.tiffsave(str(tmp_path / "five.tif"))
    with pytest.raises(files.FileError, match="5 channels of 8 whole-number bits"):
        files.read(tmp_path / "five.tif")
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(files.FileError, match="no picture of a kind"):
        files.read(tmp_path / "text.png")
    (tmp_path / "empty.png").touch()
    with pytest.raises(files.FileError, match="empty"):
        files.read(tmp_path / "empty.png")
    with pytest.raises(files.FileError, match="no file"):
        files.read(tmp_path / "missing.png")
    with pytest.raises(files.FileError, match="cannot be opened"):
        files.read(tmp_path)


def test_a_file_that_claims_too_much_is_refused_before_it_is_decoded(tmp_path):
    header = struct.pack(">IIBBBBB", 20000, 20000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000)))]
    (tmp_path / "bomb.png").write_bytes(png_of(chunks))
    limit = Image.MAX_IMAGE_PIXELS
    with pytest.raises(files.FileError, match="20000 x 20000"):
        files.read(tmp_path / "bomb.png")
    assert limit == Image.MAX_IMAGE_PIXELS


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_broken_files_are_an_error_with_a_sentence_or_still_a_picture(sample_files, data):
    encoded = bytearray(data.draw(st.sampled_from(sample_files)))
    if data.draw(st.booleans()):
        del encoded[data.draw(st.integers(0, len(encoded) - 1)) :]
    else:
        for _ in range(data.draw(st.integers(1, 4))):
            encoded[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(st.integers(0, 255))
    try:
        picture = files.read(io.BytesIO(bytes(encoded)))
    except files.FileError as problem:
        assert problem.message.endswith(".")
        assert problem.hint.endswith(".")
    else:
        assert picture.pixels.size


@pytest.fixture(scope="module")
def sample_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("samples")
    samples = []
    for name, mode, kind in [
        ("a.png", "RGB", "u1"),
        ("b.png", "LA", "u2"),
        ("c.jpg", "RGB", "u1"),
        ("d.webp", "RGB", "u1"),
        ("e.tif", "RGB", "u1"),
        ("f.tif", "RGBA", "f4"),
        ("g.bmp", "L", "u1"),
    ]:
        save(folder / name, noise(mode, kind))
        samples.append((folder / name).read_bytes())
    return samples


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif", "bmp", "gif"])
def test_a_truncated_file_is_no_picture(tmp_path, suffix):
    save(tmp_path / f"in.{suffix}", noise("RGB", "u1", (80, 60)))
    whole = (tmp_path / f"in.{suffix}").read_bytes()
    (tmp_path / f"in.{suffix}").write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(files.FileError, match="broken"):
        files.read(tmp_path / f"in.{suffix}")


def test_writing_is_all_or_nothing(tmp_path):
    picture = files.Picture(noise("RGB", "u1"))
    with pytest.raises(files.FileError, match=r"folder .* does not exist"):
        files.write(picture, picture.pixels, tmp_path / "missing" / "out.png")
    (tmp_path / "old.png").write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), files.Outputs() as outputs:
        files.write(picture, picture.pixels, tmp_path / "old.png", outputs=outputs)
        files.write(picture, picture.pixels, tmp_path / "new.png", outputs=outputs)
        raise KeyboardInterrupt
    assert (tmp_path / "old.png").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["old.png"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif", "bmp"])
def test_a_full_disk_is_a_sentence(tmp_path, suffix):
    picture = files.Picture(noise("RGB", "u1"))
    (tmp_path / f"out.{suffix}").symlink_to("/dev/full")
    with pytest.raises(files.FileError, match="No space left"):
        files.write(picture, picture.pixels, tmp_path / f"out.{suffix}")


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_files_have_the_usual_permissions_and_links_stay(tmp_path):
    picture = files.Picture(noise("RGB", "u1"))
    (tmp_path / "usual").touch()
    (tmp_path / "real.png").touch(mode=0o600)
    (tmp_path / "link.png").symlink_to("real.png")
    files.write(picture, picture.pixels, tmp_path / "new.png")
    files.write(picture, picture.pixels, tmp_path / "link.png")
    assert (tmp_path / "new.png").stat().st_mode == (tmp_path / "usual").stat().st_mode
    assert (tmp_path / "real.png").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "link.png").is_symlink()
    np.testing.assert_array_equal(files.read(tmp_path / "real.png").pixels, picture.pixels)


def test_unknown_endings(tmp_path):
    picture = files.Picture(noise("RGB", "u1"))
    for name in ("out.gif", "out"):
        with pytest.raises(files.FileError, match=r"Use one of \.png"):
            files.write(picture, picture.pixels, tmp_path / name)


@pytest.mark.parametrize(
    ("suffix", "mode", "kind"),
    [("png", "RGB", "u1"), ("png", "L", "u2"), ("tif", "RGBA", "f4"), ("webp", "RGB", "u1")],
)
def test_a_layer_has_the_size_and_depth_of_its_picture(tmp_path, suffix, mode, kind):
    source = tmp_path / ("in.tif" if kind == "f4" else "in.png")
    save(source, noise(mode, kind))
    picture = files.read(source)
    layer = noise("LA" if mode == "L" else "RGBA", kind, (6, 5))
    files.write_layer(tmp_path / f"layer.{suffix}", layer, (20, 3), picture)
    read = files.read(tmp_path / f"layer.{suffix}").pixels
    assert read.dtype == picture.pixels.dtype
    assert read.shape == (24, 33, layer.shape[2])
    np.testing.assert_array_equal(read[3:8, 20:26], layer)
    assert np.count_nonzero(read) == np.count_nonzero(layer)


def test_a_layer_is_refused_where_it_would_lose_something(tmp_path):
    deep = files.Picture(noise("RGB", "f4"))
    layer = noise("RGBA", "f4", (2, 2))
    for name in ("a.png", "a.jpg", "a.webp"):
        with pytest.raises(files.FileError, match=r"Write the layer as \.tif"):
            files.write_layer(tmp_path / name, layer, (0, 0), deep)


def test_masks_of_every_kind(tmp_path):
    hole = np.zeros((24, 33), bool)
    hole[BOX] = True
    strokes = np.zeros((24, 33, 4), np.uint8)
    strokes[hole] = (0, 0, 0, 255)
    red = np.zeros((24, 33, 4), np.uint8)
    red[hole] = (1, 0, 0, 255)
    white_outside = np.full((24, 33, 4), (255, 255, 255, 0), np.uint8)
    white_outside[hole] = (255, 255, 255, 255)
    for name, mask in {
        "gray.png": hole * np.uint8(255),
        "bits.png": hole,
        "black-strokes.png": strokes,
        "dark-red-strokes.png": red,
        "white-on-nothing.png": white_outside,
        "lossy.jpg": hole * np.uint8(255),
        "deep.png": hole * np.uint16(1),
        "float.tif": hole * np.float32(0.01),
        "blue.bmp": np.stack([hole * 0, hole * 0, hole * 1], axis=2).astype(np.uint8),
    }.items():
        if mask.dtype == bool:
            Image.fromarray(mask).save(tmp_path / name)
        else:
            save(tmp_path / name, mask)
        np.testing.assert_array_equal(files.read_mask(tmp_path / name, (33, 24)) > 0, hole, err_msg=name)


def test_soft_masks_stay_soft_and_other_sizes_are_refused(tmp_path):
    soft = np.tile(np.arange(33, dtype=np.uint8) * 7, (24, 1))
    Image.fromarray(soft).save(tmp_path / "soft.png")
    np.testing.assert_array_equal(files.read_mask(tmp_path / "soft.png", (33, 24)), soft)
    with pytest.raises(files.FileError, match=r"33 x 24 pixels, the picture 24 x 33"):
        files.read_mask(tmp_path / "soft.png", (24, 33))
