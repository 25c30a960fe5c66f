"""Fetching published weights: from their servers, or from a mirror."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from models import zoo
from models.zoo import Published, Weights

from ..wire.errors import BAD_WEIGHTS, NO_SPACE, NO_WEIGHTS, OFFLINE, UNKNOWN_MODEL, InpaintError
from . import shelf
from .download import PAUSES, STAGE, Progress, disk_problem, download

OFFLINE_VARIABLE = "AI_INPAINT_OFFLINE"
"""1 forbids every download."""

MIRROR_VARIABLE = "AI_INPAINT_MIRROR"
"""An address, or a folder on a disk, that holds the files and is asked instead of their servers."""


def fetch(
    name: str,
    progress: Progress,
    mirror: str | None = None,
    offline: bool | None = None,
    pauses: Sequence[float] = PAUSES,
) -> Weights:
    """Fetch weights, unless they are there.

    A download that breaks off, now or in an earlier run, is continued. What has arrived is used only if
    its length and hash are the published ones.

    Args:
        name: of published weights.
        progress: called as bytes arrive; also while another process fetches the same.
        mirror: as `MIRROR_VARIABLE`, which is taken if this is None.
        offline: whether downloads are forbidden; None takes `OFFLINE_VARIABLE`.
        pauses: see `download`.

    Returns:
        The weights on this computer.

    Raises:
        InpaintError: `unknown-model`, `no-weights` (a person has to download them), `offline`,
            `download-failed`, `bad-weights` or `no-space`.
    """
    entry = zoo.published().get(name)
    there = zoo.installed().get(name)
    if there is not None:
        return there
    if entry is None:
        of_network = any(other.architecture == name for other in zoo.published().values())
        raise InpaintError(
            UNKNOWN_MODEL,
            f"No published weights are named {name!r}.",
            zoo.suggestion(name) if of_network else "See which there are with: ai-inpaint models list.",
        )
    if not entry.urls:
        raise InpaintError(
            NO_WEIGHTS, f"The weights of {entry.title} cannot be fetched by a program.", zoo.suggestion(name)
        )
    sources = _sources(entry, mirror)
    with shelf.lock(name, progress):
        there = zoo.installed().get(name)
        if there is not None:
            return there
        first: InpaintError | None = None
        for source in sources:
            try:
                sha256 = _bring(entry, source, progress, offline, pauses)
                return _place(entry, sha256)
            except InpaintError as problem:
                if problem.code == NO_SPACE:
                    raise
                first = first or problem
    assert first is not None
    raise first


def _sources(entry: Published, mirror: str | None) -> list[str | Path]:
    mirror = mirror or os.environ.get(MIRROR_VARIABLE)
    if not mirror:
        return list(entry.urls)
    if "://" in mirror:
        return [f"{mirror.rstrip('/')}/{entry.file}"]
    return [Path(mirror).expanduser() / entry.file]


def _bring(
    entry: Published, source: str | Path, progress: Progress, offline: bool | None, pauses: Sequence[float]
) -> str:
    """Bring the partial file of the weights to its end and check it; its SHA-256."""
    part = shelf.partial(entry.name)
    while True:
        began = part.exists() and part.stat().st_size > 0
        if isinstance(source, Path):
            _copy(source, part, progress)
        elif _forbidden(offline):
            raise InpaintError(
                OFFLINE,
                f"{entry.title} has to be fetched, and downloads are switched off.",
                f"Unset {OFFLINE_VARIABLE}, or bring the file by: ai-inpaint models import FILE.",
            )
        else:
            download(source, part, entry.size, progress, pauses)
        progress(1.0, "checking")
        with shelf.guarded():
            length = part.stat().st_size
            found = shelf.hashes(part, {"sha256", *entry.hashes}, lambda _: None)
        wrong = [kind.upper() for kind, value in entry.hashes.items() if not found[kind].startswith(value)]
        if entry.size and length != entry.size:
            wrong.append("length")
        if not wrong:
            return found["sha256"]
        part.unlink()
        # What an earlier run left may have been of another file: once more from the beginning.
        if isinstance(source, Path) or not began:
            raise InpaintError(
                BAD_WEIGHTS,
                f"What came from {source} is not the published file: its {wrong[0]} differs.",
                f"It was thrown away. Try again later, or see {entry.page}.",
            )


def _forbidden(offline: bool | None) -> bool:
    if offline is not None:
        return offline
    return os.environ.get(OFFLINE_VARIABLE, "").lower() not in ("", "0", "false", "no", "off")


def _copy(source: Path, part: Path, progress: Progress) -> None:
    progress(0.0, STAGE)
    try:
        with source.open("rb") as file, part.open("wb") as target:
            shutil.copyfileobj(file, target, 1 << 20)
    except FileNotFoundError as problem:
        raise InpaintError(
            NO_WEIGHTS, f"There is no file {source}.", "Copy it there, or choose another mirror."
        ) from problem
    except OSError as problem:
        raise disk_problem(problem, part.parent) from problem


def _place(entry: Published, sha256: str) -> Weights:
    part = shelf.partial(entry.name)
    weights = Weights(
        name=entry.name,
        folder=zoo.folder() / entry.name,
        load=entry.file,
        files=shelf.listed(entry.file, part.stat().st_size, sha256),
        architecture=entry.architecture,
        variant=entry.variant,
        title=entry.title,
        sentence=entry.sentence,
        good_at=entry.good_at,
        licence=entry.licence,
        commercial=entry.commercial,
        origin=entry.origin,
        page=entry.page,
    )
    return shelf.place(weights, lambda fresh: os.replace(part, fresh / entry.file))
