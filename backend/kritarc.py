"""Krita's settings file, as far as a plugin needs it: read, and one line added or taken away.

The file is Krita's. Every other byte of it stays as it is.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from pathlib import Path
from typing import Any

GROUP = "python"
KEY = "enable_ai_inpaint"

_ESCAPES = {b"\\\\": b"\\", b"\\s": b" ", b"\\t": b"\t", b"\\n": b"\n", b"\\r": b"\r"}


def value(data: bytes, group: str, key: str) -> str | None:
    """A setting, or None if the file has none; `group` "" is what stands before the first group.

    Args:
        data: content of the file.
    """
    found = [text for inside, name, text in _settings(data).values() if (inside, name) == (group, key)]
    return _plain(found[-1]) if found else None


def enabled(data: bytes) -> bool | None:
    """Whether Krita loads the plugin; None if the user was never asked."""
    text = value(data, GROUP, KEY)
    return None if text is None else text.strip().lower() in ("true", "1", "on", "yes")


def enable(data: bytes) -> bytes:
    """The file with the plugin enabled."""
    lines, ending = _lines(data)
    line = f"{KEY}=true".encode() + ending
    there = [number for number, setting in _settings(data).items() if setting[:2] == (GROUP, KEY)]
    for number in there:
        lines[number] = line
    if there:
        return b"\n".join(lines)
    heads = [number for number, text in enumerate(lines) if _head(text) == GROUP]
    if heads:
        lines.insert(heads[0] + 1, line)
        return b"\n".join(lines)
    # A new group at the end: before the nothing that follows the last line's end.
    tail = [lines.pop()] if lines[-1] == b"" else []
    apart = [ending] if lines else []
    return b"\n".join([*lines, *apart, f"[{GROUP}]".encode() + ending, line, *tail])


def disable(data: bytes, group: bool) -> bytes:
    """The file without the plugin's line; an empty group goes as well if `group`: if we had made it."""
    lines, _ = _lines(data)
    for number, setting in reversed(_settings(data).items()):
        if setting[:2] == (GROUP, KEY):
            del lines[number]
    heads = [number for number, text in enumerate(lines) if _head(text) == GROUP]
    if group and heads:
        start = heads[0]
        rest = [number for number in range(start + 1, len(lines)) if lines[number].strip()]
        if not rest or _head(lines[rest[0]]) is not None:
            del lines[start]
            apart = max(start - 1, 0)
            if len(lines) > 1 and not lines[apart].strip():
                del lines[apart]
    return b"\n".join(lines)


def has_group(data: bytes) -> bool:
    return any(_head(line) == GROUP for line in _lines(data)[0])


def read(path: Path) -> bytes:
    """The file's content; nothing if there is no file or it cannot be read."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def switch_on(path: Path) -> dict[str, Any]:
    """Enable the plugin in the file; makes the file if there is none.

    Returns:
        What `switch_off` needs to undo it; made of what JSON knows.

    Raises:
        OSError: the file cannot be read or written.
    """
    made = not path.exists()
    before = b"" if made else path.read_bytes()
    folders = [str(folder) for folder in path.parents if not folder.exists()]
    _replace(path, enable(before))
    return {"file": made, "folders": folders, "group": not has_group(before)}


def switch_off(path: Path, done: dict[str, Any]) -> None:
    """Take the plugin's line out of the file, and what `switch_on` made with it if nothing else is in it.

    Raises:
        OSError: the file cannot be written.
    """
    before = read(path)
    after = disable(before, done.get("group", False))
    if after == before:
        return
    if after.strip() or not done.get("file"):
        _replace(path, after)
        return
    path.unlink()
    for folder in done["folders"]:
        with contextlib.suppress(OSError):
            Path(folder).rmdir()


def _replace(path: Path, content: bytes) -> None:
    """Write a file in one step, with its mode kept, where a link to it leads."""
    path = Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=path.name + ".", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        os.chmod(temporary, path.stat().st_mode & 0o7777 if path.exists() else 0o644)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _lines(data: bytes) -> tuple[list[bytes], bytes]:
    """Lines without their "\\n", and what else stands at a line's end (on Windows "\\r")."""
    lines = data.split(b"\n")
    return lines, b"\r" if lines[0].endswith(b"\r") else b""


def _head(line: bytes) -> str | None:
    """The name of the group that a line begins; a group within a group has another name."""
    found = re.fullmatch(rb"\[(.*)\]", line.strip())
    return found.group(1).decode("utf-8", "replace") if found else None


def _settings(data: bytes) -> dict[int, tuple[str, str, bytes]]:
    """Line number to group, key and value as it is written."""
    found, group = {}, ""
    for number, line in enumerate(_lines(data)[0]):
        head = _head(line)
        if head is not None:
            group = head
        elif b"=" in line and not line.lstrip().startswith(b"#"):
            key, _, text = line.partition(b"=")
            name = re.sub(rb"\[\$\w+\]$", b"", key.strip())  # flags, such as [$e]
            found[number] = (group, name.decode("utf-8", "replace"), text.strip())
    return found


def _plain(text: bytes) -> str:
    def replacement(match: re.Match[bytes]) -> bytes:
        code = match.group(0)
        return bytes([int(code[2:], 16)]) if code[1:2] == b"x" else _ESCAPES.get(code, code)

    return re.sub(rb"\\x[0-9a-fA-F]{2}|\\.", replacement, text).decode("utf-8", "replace")
