"""install.py as a module, for what tests ask of its functions."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent


def load() -> ModuleType:
    """A fresh copy of it; nothing is installed by that."""
    spec = importlib.util.spec_from_file_location("install", ROOT / "install.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = sys.dont_write_bytecode  # which install.py sets, and which is ours to decide
    spec.loader.exec_module(module)
    sys.dont_write_bytecode = before
    return module
