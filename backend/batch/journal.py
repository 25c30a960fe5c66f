"""What a run has done, kept in its output folder, so that the next one goes on from there.

Results appear whole or not at all: they are written to a folder of their own beside the record, and renamed
from there. What a killed run leaves in it is removed by the next.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import filelock

from ..files import FileError
from ..files.outputs import cannot_write
from ..wire.errors import BUSY, InpaintError
from .folder import STATE

_RECORD = "done.jsonl"
_PART = "part-"


class Journal:
    """The record of an output folder; one run at a time holds it.

    with Journal(Path("out")) as journal:
        if not journal.has(name, key):
            journal.write(name, key, {"page.png": data}, {"seconds": 2.5})
    """

    def __init__(self, output: Path) -> None:
        """Nothing is made before the block is entered."""
        self._output = output
        self._folder = output / STATE
        self._done: dict[str, dict[str, Any]] = {}
        self._broken = False
        self._lock = filelock.FileLock(self._folder / "lock")

    def __enter__(self) -> Journal:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(blocking=False)
        except filelock.Timeout:
            raise InpaintError(
                BUSY,
                f"Another run is writing into {self._output}.",
                "Wait for it, or give another output folder.",
            ) from None
        except OSError as problem:
            raise cannot_write(self._folder / "lock", problem) from problem
        for left in self._folder.glob(_PART + "*"):
            left.unlink(missing_ok=True)
        self._read()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()

    def _read(self) -> None:
        try:
            text = (self._folder / _RECORD).read_text(encoding="utf-8")
        except FileNotFoundError:
            return
        self._broken = not text.endswith("\n")  # a killed run was writing its last line
        for line in text.splitlines():
            try:
                entry = json.loads(line)
                self._done[entry["name"]] = entry
            except (ValueError, KeyError, TypeError):
                continue

    def has(self, name: str, key: str) -> dict[str, Any] | None:
        """What was told about a picture when it was filled, if that was the same request on the same files,
        and its results are still there and unchanged; else None."""
        entry = self._done.get(name)
        if entry is None or entry.get("key") != key:
            return None
        for result, digest in entry["results"].items():
            path = self._output / result
            if not path.is_file() or file_digest(path) != digest:
                return None
        told: dict[str, Any] = entry["told"]
        return told

    def write(self, name: str, key: str, results: Mapping[str, bytes], told: Mapping[str, Any]) -> None:
        """Write the results of a picture, by path in the output folder, and remember that.

        Raises:
            FileError: `cannot-write`; no result is half there then.
        """
        parts: list[tuple[Path, Path]] = []
        try:
            for number, (result, data) in enumerate(results.items()):
                target = self._output / result
                part = self._folder / f"{_PART}{number}"
                parts.append((part, target))
                try:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    _write_whole(part, data)
                except OSError as problem:
                    raise cannot_write(target, problem) from problem
            for part, target in parts:
                try:
                    os.replace(part, target)
                except OSError as problem:
                    raise cannot_write(target, problem) from problem
        finally:
            for part, _ in parts:
                part.unlink(missing_ok=True)
        digests = {result: hashlib.sha256(data).hexdigest() for result, data in results.items()}
        entry = {"name": name, "key": key, "results": digests, "told": dict(told)}
        record = self._folder / _RECORD
        try:
            with record.open("a", encoding="utf-8") as file:
                file.write(("\n" if self._broken else "") + json.dumps(entry) + "\n")
            self._broken = False
        except OSError as problem:
            raise cannot_write(record, problem) from problem
        self._done[name] = entry


def _write_whole(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def file_digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal.

    Raises:
        FileError: `bad-file`, it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as problem:
        raise FileError(
            "bad-file", f"{path} cannot be read: {problem.strerror}.", "Check that you may read it."
        ) from problem
    return digest.hexdigest()


def key_of(paths: Sequence[Path | None], request: Mapping[str, Any]) -> str:
    """What a result depends on, as one hash: the contents of files, and the request."""
    files = [None if path is None else file_digest(path) for path in paths]
    return hashlib.sha256(json.dumps([files, request], sort_keys=True).encode()).hexdigest()
