"""Files that appear complete, together, or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from .picture import FileError


class Outputs:
    """Writes to temporary files beside the wanted ones, and renames them when the block ends well.

    Whatever ends the block otherwise (an error, Ctrl+C) removes them, and what was there before
    stays as it was:

        with Outputs() as outputs:
            outputs.open("a.png").write(...)
            outputs.open("b.png").write(...)
    """

    def __init__(self) -> None:
        self._pending: list[tuple[BinaryIO, Path, Path | None]] = []

    def __enter__(self) -> Outputs:
        return self

    def open(self, path: str | Path) -> BinaryIO:
        """A file to write to (and to seek in), which becomes `path`; devices are opened as they are.

        Raises:
            FileError: `cannot-write`: the folder is missing or may not be written to.
        """
        # A link keeps pointing where it did: what it points to is replaced.
        target = Path(os.path.realpath(path))
        try:
            if target.exists() and not stat.S_ISREG(target.stat().st_mode):
                device = target.open("wb")
                self._pending.append((device, target, None))
                return device
            mode = target.stat().st_mode if target.exists() else 0o666 & ~_umask()
            handle, name = tempfile.mkstemp(prefix=".", suffix=target.suffix, dir=target.parent)
            file = os.fdopen(handle, "w+b")
            self._pending.append((file, target, Path(name)))
            os.chmod(name, stat.S_IMODE(mode))
        except OSError as problem:
            raise cannot_write(path, problem) from problem
        return file

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._commit()
        finally:
            for file, _, temporary in self._pending:
                _close(file)
                if temporary is not None:
                    temporary.unlink(missing_ok=True)

    def _commit(self) -> None:
        for file, target, temporary in self._pending:
            try:
                file.flush()
                if temporary is not None:
                    os.fsync(file.fileno())
                file.close()
            except OSError as problem:
                raise cannot_write(target, problem) from problem
        for _, target, temporary in self._pending:
            if temporary is not None:
                try:
                    os.replace(temporary, target)
                except OSError as problem:
                    raise cannot_write(target, problem) from problem


def cannot_write(path: str | Path, problem: OSError) -> FileError:
    """The error for a file that could not be written, with what the system says about it."""
    folder = Path(path).parent
    if isinstance(problem, FileNotFoundError) and not folder.is_dir():
        return FileError(
            "cannot-write", f"The folder {folder} does not exist.", "Make it first, or choose another one."
        )
    return FileError(
        "cannot-write",
        f"{path} could not be written: {problem.strerror or problem}.",
        "Make room, or choose another folder.",
    )


def _close(file: BinaryIO) -> None:
    # The buffer may not go onto a full disk; the file is about to be removed.
    with contextlib.suppress(OSError):
        file.close()


def _umask() -> int:
    # There is no other way to ask for it.
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def check_folder(path: str | Path) -> None:
    """Find out, before the work, whether a file can be written there.

    Raises:
        FileError: `cannot-write`.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise FileError("cannot-write", f"{path} is a folder.", "Give the name of a file.")
    if not target.parent.is_dir():
        raise cannot_write(target, FileNotFoundError())
    if not os.access(target.parent, os.W_OK):
        raise FileError(
            "cannot-write", f"You may not write into the folder {target.parent}.", "Choose another folder."
        )
