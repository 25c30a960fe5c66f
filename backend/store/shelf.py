"""The folder of weights on disk: what is put there, taken away and checked, one process at a time."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock

from models import zoo
from models.zoo import Weights

from ..wire.errors import BAD_PARAM, NO_WEIGHTS, InpaintError
from .download import Progress, disk_problem

_BLOCK = 1 << 20
_LOOK_EVERY = 0.2  # seconds


@contextmanager
def guarded() -> Iterator[None]:
    """Tell in sentences about a folder that cannot be written to."""
    try:
        yield
    except OSError as problem:
        raise disk_problem(problem, zoo.folder()) from problem


@contextmanager
def lock(name: str, progress: Progress) -> Iterator[None]:
    """Be the only one who changes the weights of that name; waits for another process that does.

    A process that dies lets go of it. What a process that died has left half done is cleared away.

    Raises:
        InpaintError: the folder cannot be written to.
    """
    with guarded():
        zoo.folder().mkdir(parents=True, exist_ok=True)
        guard = filelock.FileLock(zoo.folder() / f".{name}.lock")
        while True:
            try:
                guard.acquire(timeout=_LOOK_EVERY)
                break
            except filelock.Timeout:
                progress(0.0, "waiting for another program that fetches it")
    try:
        for pattern in (f".{name}.new-*", f".{name}.old-*"):
            for left in zoo.folder().glob(pattern):
                shutil.rmtree(left, ignore_errors=True)
        yield
    finally:
        guard.release()


def partial(name: str) -> Path:
    """Where a download of that name grows."""
    return zoo.folder() / f".{name}.part"


def place(weights: Weights, bring: Callable[[Path], None]) -> Weights:
    """Put weights into the folder, in one step; those that were there under the name are replaced.

    Args:
        weights: their record; `folder` is not looked at.
        bring: called with a new folder, to put their files there.

    Returns:
        The weights where they are now.
    """
    target = zoo.folder() / weights.name
    fresh, old = (zoo.folder() / f".{weights.name}.{word}-{uuid.uuid4().hex[:8]}" for word in ("new", "old"))
    try:
        with guarded():
            fresh.mkdir()
            bring(fresh)
            with (fresh / zoo.RECORD).open("w", encoding="utf-8") as file:
                json.dump(weights.record(), file, indent=2, ensure_ascii=False)
                file.write("\n")
                file.flush()
                os.fsync(file.fileno())
            if target.exists():
                target.rename(old)
            fresh.rename(target)
    finally:
        for left in (fresh, old):
            shutil.rmtree(left, ignore_errors=True)
    placed = zoo.read(target)
    assert placed is not None
    return placed


def remove(name: str) -> Weights:
    """Delete weights from this computer.

    Raises:
        InpaintError: `no-weights`, there are none of that name; or they are part of the program.
    """
    with lock(name, lambda *_: None):
        weights = zoo.installed().get(name)
        if weights is None:
            raise InpaintError(
                NO_WEIGHTS,
                f"There are no weights named {name!r} on this computer.",
                "See which there are with: ai-inpaint models list.",
            )
        if weights.folder.parent == zoo.shipped():
            raise InpaintError(BAD_PARAM, f"The weights {name!r} are part of AI Inpaint and stay.")
        gone = zoo.folder() / f".{name}.old-{uuid.uuid4().hex[:8]}"
        with guarded():
            weights.folder.rename(gone)
            shutil.rmtree(gone)
            partial(name).unlink(missing_ok=True)
    return weights


def verify(weights: Weights, progress: Progress) -> str:
    """Compare files with what they were when they came, and with what was published.

    Returns:
        What is wrong, as a sentence; empty if all is well.
    """
    entry = zoo.published().get(weights.name)
    done = 0
    for name, known in weights.files.items():
        path = weights.folder / name
        if not path.is_file() or path.stat().st_size != known["size"]:
            return f"{path} is missing or has lost its length."
        expected = [("sha256", str(known["sha256"]))]
        if entry is not None and name == entry.file and not weights.imported:
            expected += entry.hashes.items()

        def report(part: float, size: int = known["size"], done: int = done) -> None:
            progress((done + part * size) / weights.size, "checking")

        found = hashes(path, {kind for kind, _ in expected}, report)
        wrong = [kind for kind, value in expected if not found[kind].startswith(value)]
        if wrong:
            return f"{path} has changed: its {wrong[0].upper()} is not what it was."
        done += known["size"]
    return ""


def hashes(path: Path, kinds: Iterable[str], progress: Callable[[float], None]) -> dict[str, str]:
    """Hexadecimal digests of a file, by algorithm."""
    digests = {kind: hashlib.new(kind, usedforsecurity=False) for kind in kinds}
    size, done = max(path.stat().st_size, 1), 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            for digest in digests.values():
                digest.update(block)
            done += len(block)
            progress(done / size)
    return {kind: digest.hexdigest() for kind, digest in digests.items()}


def listed(name: str, size: int, sha256: str) -> Mapping[str, Mapping[str, Any]]:
    """`Weights.files` of a single file."""
    return {name: {"size": size, "sha256": sha256}}
