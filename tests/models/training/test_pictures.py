"""Free pictures: each with a licence, none of those that are judged by, none twice."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.training import pictures

COPYRIGHT = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
Copyright: 2001, Anna
License: GPL-2+
 The text of the licence.
 .
 Goes on here.

Files: nature/tree.jpg
       nature/lake*.png
Copyright: 2008, Berta <berta@example.org>
           2009, Carla
License: CC-BY-4.0

License: CC-BY-4.0
 A text that belongs to no files.
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package of wallpapers, unpacked."""
    root = tmp_path / "unpacked"
    folder = root / "usr/share/backgrounds/mate/nature"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)

    def save(name: str, *size: int, opaque: float = 1.0) -> None:
        pixels = rng.integers(0, 256, (*size, 4), dtype=np.uint8)
        pixels[..., 3] = 0
        pixels[: round(size[0] * opaque), :, 3] = 255
        picture = Image.fromarray(pixels)
        (picture if opaque < 1 else picture.convert("RGB")).save(folder / name)

    save("tree.jpg", 300, 260)
    save("lake-blue.png", 256, 256)
    save("meadow.png", 400, 300)
    save("small.png", 255, 600)
    save("figure.png", 300, 300, opaque=0.6)
    save("sprite.png", 300, 300, opaque=0.4)
    save("Blinds.jpg", 300, 300)
    (folder / "again.png").write_bytes((folder / "meadow.png").read_bytes())
    (folder / "readme.txt").write_text("no picture")
    (folder / "link.png").symlink_to("meadow.png")
    place = root / "usr/share/doc/mate-backgrounds"
    place.mkdir(parents=True)
    (place / "copyright").write_text(COPYRIGHT)
    return root


def test_pictures_are_kept_with_their_licences(package: Path, tmp_path: Path) -> None:
    seen: set[str] = set()
    lines = list(pictures.collect(package, "mate-backgrounds", tmp_path / "kept", seen))
    stated = {
        cells[1]: cells[2:4] for cells in ([cell.strip() for cell in line.split("|")] for line in lines)
    }
    berta = ["CC-BY-4.0", "2008, Berta <berta@example.org>, 2009, Carla"]
    anna = ["GPL-2+", "2001, Anna"]
    assert stated == {
        "mate-backgrounds/again.png": anna,
        "mate-backgrounds/figure.png": anna,
        "mate-backgrounds/lake-blue.png": berta,
        "mate-backgrounds/tree.jpg": berta,
    }
    kept = {file.name for file in (tmp_path / "kept").iterdir()}
    assert kept == {"again.png", "figure.png", "lake-blue.png", "tree.jpg"}
    assert list(pictures.collect(package, "mate-backgrounds", tmp_path / "other", seen)) == []


def test_what_no_licence_is_stated_for_is_left(package: Path, tmp_path: Path) -> None:
    copyright = package / "usr/share/doc/mate-backgrounds/copyright"
    copyright.write_text(COPYRIGHT.replace("Files: *", "Files: po/*"))
    lines = list(pictures.collect(package, "mate-backgrounds", tmp_path / "kept", set()))
    assert [line.split("/")[1].split()[0] for line in lines] == ["lake-blue.png", "tree.jpg"]
    copyright.write_text("Written by hand: free.")
    assert list(pictures.collect(package, "mate-backgrounds", tmp_path / "none", set())) == []


def test_no_training_sees_what_the_benchmark_judges_by() -> None:
    listed = Path(__file__).parents[2] / "benchmarks" / "pictures.csv"
    with listed.open(newline="", encoding="utf-8") as file:
        judged = {row["path"].rpartition("/")[2] for row in csv.DictReader(file) if row["half"] == "held-out"}
    assert judged and judged <= set(pictures.HELD_OUT.read_text(encoding="utf-8").split())
