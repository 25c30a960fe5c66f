"""The benchmark's pictures: freely licensed photographs and drawings, fetched on first use, and comic pages.

`pictures.csv` names every picture with its source, licence and author, and which half it belongs to:
`tuning` may be looked at while a method is being improved, `held-out` only judges. None is part
of this repository, but what the sheet `hard.jpg` shows; they lie in a cache folder.
"""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from models.training import comics, sources

HALVES = ("tuning", "held-out")
KINDS = ("photo", "drawing", "comic")
PAGES = 10
"""Comic pages that belong to each half; `models.training.comics` draws them, so they are rather alike."""
_PAGE = (1152, 768)
_WHEELS = {"scikit-image": "scikit-image==0.26.0"}


@dataclass(frozen=True)
class Picture:
    """One line of `pictures.csv`, or a comic page.

    Attributes:
        name: short and unique.
        half: `tuning` or `held-out`.
        kind: one of `KINDS`.
        source: Debian package or wheel that carries it; empty for a page.
        path: where it lies in there; of a page, the number that it is drawn from.
        licence, author: as its package states them.
    """

    name: str
    half: str
    kind: str
    source: str
    path: str
    licence: str
    author: str


def default_cache() -> Path:
    """`ai-inpaint-benchmarks` in the user's cache folder, as the XDG base directories have it."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "ai-inpaint-benchmarks"


def listed(halves: Iterable[str] = HALVES) -> list[Picture]:
    """The pictures of these halves, in the list's order, and then the comic pages."""
    with (Path(__file__).parent / "pictures.csv").open(newline="", encoding="utf-8") as file:
        every = [Picture(**row) for row in csv.DictReader(file)]
    every += [
        Picture(f"page-{number}", HALVES[number % 2], "comic", "", str(number), "MIT", "AI Inpaint")
        for number in range(2 * PAGES)
    ]
    return [picture for picture in every if picture.half in set(halves)]


def fetch(cache: Path) -> None:
    """Bring every picture into `cache`, beside a `LICENCES.md`. What is there already is kept.

    Raises:
        SourceError: a package cannot be fetched, or two pictures of the list are the same file.
    """
    every = [picture for picture in listed() if picture.source]
    missing: dict[str, list[Picture]] = {}
    for picture in every:
        if not _file(picture, cache).is_file():
            missing.setdefault(picture.source, []).append(picture)
    for source, wanted in missing.items():
        paths = [picture.path for picture in wanted]
        if source in _WHEELS:
            sources.from_wheel(_WHEELS[source], paths, cache / source)
        else:
            sources.from_debian(source, paths, cache / source)
    if missing or not (cache / "LICENCES.md").is_file():
        _write_licences(every, cache)


def load(picture: Picture, cache: Path) -> np.ndarray:
    """The whole picture: uint8, H x W x 3; transparent parts lie on white."""
    if not picture.source:
        return comics.page(*_PAGE, np.random.default_rng([2109, int(picture.path)]))
    with Image.open(_file(picture, cache)) as image:
        if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
            over = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", over.size, "white"), over)
        return np.asarray(image.convert("RGB"))


def crop(image: np.ndarray, size: int, shorter: int | None = None) -> np.ndarray:
    """The middle `size` x `size` pixels of `image` scaled so that its shorter side has `shorter` px.

    `shorter` is one and a half times `size` unless given: enough for a recognisable scene.
    """
    shorter = shorter or size * 3 // 2
    high, wide = image.shape[:2]
    scale = shorter / min(high, wide)
    shape = (max(size, round(wide * scale)), max(size, round(high * scale)))
    small = np.asarray(Image.fromarray(image).resize(shape, Image.Resampling.LANCZOS))
    top, left = (small.shape[0] - size) // 2, (small.shape[1] - size) // 2
    return np.ascontiguousarray(small[top : top + size, left : left + size])


def part(picture: Picture, cache: Path, size: int) -> np.ndarray:
    """What methods are compared on: `crop` of a scene; of a page, whose lines have their width, unscaled."""
    image = load(picture, cache)
    return crop(image, size, min(image.shape[:2]) if picture.kind == "comic" else None)


def _file(picture: Picture, cache: Path) -> Path:
    return cache / picture.source / picture.path.lstrip("/")


def _write_licences(every: Sequence[Picture], cache: Path) -> None:
    lines = [
        "# Pictures fetched for the benchmark, and their licences",
        "",
        "| name | half | kind | licence | author | from | SHA-256 |",
        "|---|---|---|---|---|---|---|",
    ]
    seen: dict[str, str] = {}
    for picture in every:
        digest = hashlib.sha256(_file(picture, cache).read_bytes()).hexdigest()
        if digest in seen:
            raise sources.SourceError(
                f"{picture.name} and {seen[digest]} are the same file. Take one of them off the list."
            )
        seen[digest] = picture.name
        fields = (picture.name, picture.half, picture.kind, picture.licence, picture.author)
        lines.append(f"| {' | '.join(fields)} | {picture.source}: {picture.path} | {digest} |")
    (cache / "LICENCES.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
