"""The settings that were used last, for each model, so that the next fill begins with them."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any, Dict, Iterable, Mapping, Optional

from ..wire.errors import InpaintError
from ..wire.params import Spec, check
from . import paths
from .files import write_json


class Settings:
    """A small JSON file: `{"model": NAME, "models": {NAME: {SETTING: VALUE}}}`.

    The file is read anew each time, so that two editors do not undo each other's settings.
    """

    def __init__(self, path: Optional[Path] = None) -> None:
        """`path` None is the usual place. Nothing is read or written yet."""
        self._path = path or paths.settings_file()

    def model(self, default: str = "auto") -> str:
        """Name of the model that was used last."""
        name = self._read().get("model")
        return name if isinstance(name, str) and name else default

    def values(self, model: str, specs: Iterable[Spec]) -> Dict[str, Any]:
        """What the settings of `model` were.

        Args:
            model: its name.
            specs: of the shared settings and the model's own.

        Returns:
            A value for each spec; the default where none was saved, or where it is no longer allowed.
        """
        models = self._read().get("models")
        saved = models.get(model) if isinstance(models, dict) else None
        return {spec["name"]: _allowed(spec, saved) for spec in specs}

    def save(self, model: str, values: Mapping[str, Any]) -> None:
        """Remember what was used.

        Raises:
            OSError: the file cannot be written.
        """
        content = self._read()
        models = content.get("models")
        models = dict(models) if isinstance(models, dict) else {}
        models[model] = dict(values)
        content.update(model=model, models=models)
        write_json(self._path, content)

    def _read(self) -> Dict[str, Any]:
        """The file's content; a broken one is set aside, for whoever wants to look at it."""
        try:
            content = json.loads(self._path.read_bytes().decode("utf-8"))
        except OSError:
            return {}
        except (ValueError, RecursionError):
            content = None
        if isinstance(content, dict):
            return content
        with contextlib.suppress(OSError):
            os.replace(str(self._path), str(self._path) + ".broken")
        return {}


def _allowed(spec: Spec, saved: Any) -> Any:
    if isinstance(saved, dict) and spec["name"] in saved:
        with contextlib.suppress(InpaintError):
            return check(spec, saved[spec["name"]])
    return spec["default"]
