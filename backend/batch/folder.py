"""Which pictures there are in a folder, and which masks and originals belong to them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..files import FORMATS
from ..wire.errors import BAD_IMAGE, BAD_PARAM, InpaintError

STATE = ".ai-inpaint"
"""Folder in the output folder in which a run keeps what it needs to go on."""

_SUFFIXES = {suffix for suffixes in FORMATS.values() for suffix in suffixes}
_MASK = re.compile(r"(?P<picture>.+)_mask\d*", re.IGNORECASE)


@dataclass(frozen=True)
class Pair:
    """A picture with what belongs to it.

    Attributes:
        name: of its result, relative to the output folder, with / between folders.
        image: the picture.
        mask: None where a colour in the picture says what to fill, or mosaics are to be found.
        original: the picture before it was marked; None where none is asked for.
    """

    name: str
    image: Path
    mask: Path | None = None
    original: Path | None = None


@dataclass
class Found:
    """What a folder holds.

    Attributes:
        pairs: to be filled, by name.
        failed: pictures that cannot be, by name, with the reason.
        unmarked: pictures for which there is no mask, by name.
        ignored: how many files there are besides.
    """

    pairs: list[Pair] = field(default_factory=list)
    failed: dict[str, InpaintError] = field(default_factory=dict)
    unmarked: list[str] = field(default_factory=list)
    ignored: int = 0


def find(
    source: Path,
    output: Path,
    masks: Path | None = None,
    originals: Path | None = None,
    marked: bool = False,
) -> Found:
    """Look through a folder and all its sub-folders.

    Args:
        source: the folder of pictures.
        output: the folder of results; it may lie in `source`, and is left out then.
        masks: a folder of masks, paired by path and stem: `sub/NAME.png`, `sub/NAME_mask.png`,
            `sub/NAME_mask001.png`. None: they lie beside the pictures, with one of the latter names.
        originals: a folder of originals, paired by path and stem.
        marked: the pictures say themselves what to fill: there are no masks.

    Raises:
        InpaintError: `bad-param`, a folder that is none, or `output` would overwrite what is read.
    """
    for what, place in (("folder of pictures", source), ("mask folder", masks), ("originals", originals)):
        if place is not None and not place.is_dir():
            raise InpaintError(BAD_PARAM, f"There is no folder {place} ({what}).", "Check the spelling.")
    for place in (source, masks, originals):
        if place is not None and output.exists() and os.path.samefile(place, output):
            raise InpaintError(
                BAD_PARAM, f"{output} is the folder that is read from.", "Give another one for the results."
            )
    others = [place for place in (masks, originals) if place is not None and not _same(place, source)]
    found = Found()
    pictures = []
    for path in _files(source, [output, *others]):
        if path.suffix.lower() in _SUFFIXES:
            pictures.append(path)
        else:
            found.ignored += 1
    if marked:
        for path in pictures:
            _add(found, source, originals, path, None)
        return found
    by_picture, alone = _masks(source, masks, pictures)
    used = {mask for several in by_picture.values() for mask in several}
    for path in pictures:
        if path in alone:
            found.failed[path.relative_to(source).as_posix()] = InpaintError(
                BAD_IMAGE,
                f"{path.name} is named like a mask, and there is no picture that it belongs to.",
                f"A mask is called like its picture, with _mask behind: {path.stem}_mask.png.",
            )
        elif path in by_picture:
            several = len(by_picture[path]) > 1
            for mask in by_picture[path]:
                _add(found, source, originals, path, mask, mask.stem if several else None)
        elif path not in used:
            found.unmarked.append(path.relative_to(source).as_posix())
    return found


def _add(
    found: Found, source: Path, originals: Path | None, path: Path, mask: Path | None, stem: str | None = None
) -> None:
    relative = path.relative_to(source)
    name = (relative if stem is None else relative.with_name(stem + path.suffix)).as_posix()
    original = None
    if originals is not None:
        alike = _alike(originals / relative.parent, [path.stem])
        if not alike:
            found.failed[name] = InpaintError(
                BAD_IMAGE,
                f"There is no original of {relative.as_posix()} in {originals}.",
                f"Put the unmarked picture there as {relative.stem}.png, or with another picture's ending.",
            )
            return
        # With several of one stem, the one of the same name; else the one that lost nothing.
        same = [other for other in alike if other.name == path.name]
        original = (same or sorted(alike, key=lambda other: other.suffix.lower() in FORMATS["JPEG"]))[0]
    found.pairs.append(Pair(name, path, mask, original))


def _masks(
    source: Path, masks: Path | None, pictures: list[Path]
) -> tuple[dict[Path, list[Path]], set[Path]]:
    """The masks of each picture, and what is named like a mask of a picture that is not there."""
    chosen: dict[Path, list[Path]] = {}
    if masks is not None and not _same(masks, source):
        for path in pictures:
            alike = _alike(masks / path.relative_to(source).parent, [path.stem, path.stem + "_mask"], True)
            if alike:
                chosen[path] = alike
        return chosen, set()
    by_stem: dict[tuple[Path, str], list[Path]] = {}
    for path in pictures:
        by_stem.setdefault((path.parent, path.stem), []).append(path)
    alone = set()
    for path in pictures:
        match = _MASK.fullmatch(path.stem)
        if match is None:
            continue
        owners = by_stem.get((path.parent, match["picture"]), [])
        for owner in owners:
            chosen.setdefault(owner, []).append(path)
        if not owners:
            alone.add(path)
    for path in list(chosen):  # a_mask_mask.png belongs to a_mask.png, which is no picture of its own
        if any(path in others for others in chosen.values()):
            del chosen[path]
    return chosen, alone


def _alike(folder: Path, stems: Iterable[str], numbered: bool = False) -> list[Path]:
    """Pictures in a folder with one of these stems; `numbered`: digits may follow the last."""
    wanted = list(stems)
    numbers = re.compile(re.escape(wanted[-1]) + r"\d*")
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    return [
        folder / name
        for name in names
        if Path(name).suffix.lower() in _SUFFIXES
        and (Path(name).stem in wanted or (numbered and numbers.fullmatch(Path(name).stem)))
    ]


def _files(folder: Path, without: list[Path]) -> Iterator[Path]:
    """All files beneath a folder, sorted; hidden ones are none of the user's pictures."""
    for base, folders, names in os.walk(folder):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and not any(_same(Path(base, name), other) for other in without)
        )
        yield from (Path(base, name) for name in sorted(names) if not name.startswith("."))


def _same(first: Path, second: Path) -> bool:
    return first.exists() and second.exists() and os.path.samefile(first, second)
