"""Writing small files so that a reader sees the old or the new content, never a part."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any, Mapping

from . import paths


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write `content` as JSON in one step, readable by its owner alone (mode 0600).

    A folder that is missing is created for its owner alone; one that is there is left as it is.

    Raises:
        OSError: the folder or the file cannot be written; a file that was there is untouched.
    """
    if not path.parent.is_dir():
        paths.make_private(path.parent)
    handle, temporary = tempfile.mkstemp(prefix=path.name + ".", suffix=".new", dir=str(path.parent))
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(content, stream, indent=2)
            stream.write("\n")
            stream.flush()
            os.fsync(stream.fileno())
        _replace(temporary, str(path))
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _replace(source: str, target: str) -> None:
    for _ in range(50):
        try:
            return os.replace(source, target)
        except PermissionError:
            if os.name != "nt":
                raise
            time.sleep(0.02)  # Windows does not replace a file while somebody reads it
    return os.replace(source, target)
