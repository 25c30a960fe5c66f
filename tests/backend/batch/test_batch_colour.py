"""Marks in a colour, in all kinds of files."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from batch_pictures import (
    AROUND,
    GREEN,
    HOLE,
    call,
    marked,
    only_the_hole_differs,
    pixels,
    results,
    save,
    scene,
)
from PIL import Image

from backend.imaging.mask import from_colour


def test_every_kind_of_file_keeps_its_name_and_its_kind(tmp_path: Path) -> None:
    source, output = tmp_path / "in", tmp_path / "out"
    save(source / "a.png", marked(scene()))
    save(source / "sub/b.webp", marked(scene()), lossless=True)
    save(source / "sub/deeper/c.tif", marked(scene()))
    save(source / "d.bmp", marked(scene()))
    save(source / "e.jpg", marked(scene()), quality=95)
    (source / "notes.txt").write_text("no picture")
    outcome = call(source, output, "--mask-color", "00ff00")
    assert outcome.exit_code == 0, outcome.output
    names = ["a.png", "d.bmp", "e.jpg", "sub/b.webp", "sub/deeper/c.tif"]
    assert results(output) == names
    for name in names:
        with Image.open(output / name) as result, Image.open(source / name) as given:
            assert result.format == given.format and result.size == given.size
        if not name.endswith("jpg"):
            assert only_the_hole_differs(pixels(output / name), marked(scene()))
        green = (np.abs(pixels(output / name).astype(int) - GREEN).max(axis=2) < 60).sum()
        assert green == 0


def test_sizes_and_alpha(tmp_path: Path) -> None:
    odd = np.full((17, 201, 4), 200, np.uint8)
    odd[..., 3] = np.arange(201)
    odd[3:9, 120:140] = (*GREEN, 255)
    save(tmp_path / "in/odd.png", odd)
    gray = np.full((40, 40, 2), 90, np.uint8)
    gray[10:14, 10:14] = (255, 255)
    Image.fromarray(gray, "LA").save(tmp_path / "in/gray.png")
    assert call(tmp_path / "in", tmp_path / "out", "--mask-color", "00ff00").exit_code == 0
    result = pixels(tmp_path / "out/odd.png")
    assert result.shape == odd.shape
    assert np.array_equal(result[:, :100], odd[:, :100]) and np.array_equal(result[13:, :, 3], odd[13:, :, 3])
    assert (result[5, 125, :3] == 200).all()
    assert results(tmp_path / "out") == ["odd.png"]  # the gray one has no green in it


def test_soft_brushes_and_jpeg_leave_no_fringe(tmp_path: Path) -> None:
    """A round soft mark on flat colours: nothing that one would see of the green is left in any file."""
    art = np.full((120, 160, 3), (240, 230, 220), np.uint8)
    art[:, 80:] = (60, 70, 90)
    big = np.zeros((480, 640), bool)
    y, x = np.mgrid[:480, :640]
    big = (x - 320) ** 2 + (y - 240) ** 2 < 100**2
    cover = big.reshape(120, 4, 160, 4).mean(axis=(1, 3))[..., None]
    soft = np.rint(art * (1 - cover) + np.array(GREEN) * cover).astype(np.uint8)
    save(tmp_path / "in/soft.png", soft)
    save(tmp_path / "in/photo.jpg", soft, quality=90)
    save(tmp_path / "in/poor.jpg", soft, quality=75)
    assert call(tmp_path / "in", tmp_path / "out", "--mask-color", "00ff00").exit_code == 0
    hue = np.array([-1, 2, -1]) / 6**0.5
    for name, most in (("soft.png", 3), ("photo.jpg", 32), ("poor.jpg", 32)):
        encoded = io.BytesIO()
        if name.endswith("jpg"):
            with Image.open(tmp_path / "in" / name) as given:
                Image.fromarray(art).save(encoded, "JPEG", qtables=given.quantization, subsampling=2)
        reference = pixels(encoded) if name.endswith("jpg") else art  # type: ignore[arg-type]
        more = (pixels(tmp_path / "out" / name).astype(float) - reference) @ hue
        assert more.max() < most, name
        given = pixels(tmp_path / "in" / name)
        around = ~from_colour(given, GREEN, 16)
        assert ((given.astype(float) - reference) @ hue)[around].max() > 90  # what is to be removed


def test_what_looks_wrong_is_told_before_the_run(tmp_path: Path) -> None:
    save(tmp_path / "in/none.png", scene())
    wrong = scene()
    wrong[HOLE] = (20, 215, 30)
    save(tmp_path / "in/wrong.png", wrong)
    half = marked(scene())
    half[50:58, 10:20] = (40, 220, 40)
    save(tmp_path / "in/half.png", half)
    art = marked(scene())
    art[2:62:6, 2:20:6] = GREEN
    save(tmp_path / "in/art.png", art)
    save(tmp_path / "in/good.png", marked(scene()))
    outcome = call(tmp_path / "in", tmp_path / "out", "--mask-color", "00ff00", "--check")
    said = {line.split(": ")[2]: line for line in outcome.output.splitlines() if "warning" in line}
    assert "nearly" not in said["none.png"] and "No pixel has the marks' colour" in said["none.png"]
    assert "raise --tolerance" in said["wrong.png"]
    assert "80 pixels nearly have the marks' colour" in said["half.png"]
    assert "30 of 31 marks are specks" in said["art.png"]
    assert "good.png" not in said
    assert not (tmp_path / "out").exists()
    assert "5 pictures looked at, 2 of them cannot be filled" in outcome.output


def test_specks_can_be_left_to_the_art(tmp_path: Path) -> None:
    art = marked(scene())
    art[2:12, 2:4] = GREEN
    save(tmp_path / "in/art.png", art)
    assert (
        call(tmp_path / "in", tmp_path / "out", "--mask-color", "00ff00", "--smallest", "30").exit_code == 0
    )
    assert only_the_hole_differs(pixels(tmp_path / "out/art.png"), art)


def test_what_is_taken_as_mask_is_shown(tmp_path: Path) -> None:
    save(tmp_path / "in/sub/a.png", marked(scene()))
    save(tmp_path / "in/b.jpg", marked(scene()), quality=85)
    show = tmp_path / "show"
    assert (
        call(tmp_path / "in", tmp_path / "out", "--mask-color", "00ff00", "--show-masks", show).exit_code == 0
    )
    assert results(show) == ["b.jpg.png", "sub/a.png"]
    shown = pixels(show / "sub/a.png")
    red = (shown == (220, 0, 0)).all(axis=2)
    expected = np.zeros(red.shape, bool)
    expected[HOLE] = True
    assert np.array_equal(red, expected)
    rim = (pixels(show / "b.jpg.png") == (255, 220, 0)).all(axis=2)
    assert rim.any() and not rim[: AROUND[0].start].any()


def test_variations(tmp_path: Path) -> None:
    save(tmp_path / "in/a.png", marked(scene()))
    options = ["--mask-color", "00ff00", "--model", "patchmatch", "--seed", "5"]
    assert call(tmp_path / "in", tmp_path / "out", *options, "--variations", "2").exit_code == 0
    assert results(tmp_path / "out") == ["a-1.png", "a-2.png"]
    assert call(tmp_path / "in", tmp_path / "one", *options).exit_code == 0
    assert (tmp_path / "one/a.png").read_bytes() == (tmp_path / "out/a-1.png").read_bytes()
    for name in ("a-1.png", "a-2.png"):
        assert only_the_hole_differs(pixels(tmp_path / "out" / name), marked(scene()))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--mask-color", "00ff00", "--masks", "in"], "both say where"),
        (["--find-mosaic", "--mask-color", "00ff00"], "needs no marks"),
        (["--address", "auto", "--mask-color", "00ff00"], "needs --engine ray"),
        (["--mask-color", "00ff00", "--set", "nonsense=1"], "nonsense"),
        (["--mask-color", "00ff00", "--model", "nobody"], "nobody"),
        (["--mask-color", "00ff00", "--report", "r.html"], "JSON"),
        (["--masks", "nowhere"], "no folder"),
    ],
)
def test_wrong_usage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], said: str) -> None:
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "in/a.png", marked(scene()))
    outcome = call("in", "out", *options)
    assert outcome.exit_code == 2 and said in outcome.output
    assert not (tmp_path / "out").exists()
