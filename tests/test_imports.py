"""Who may import whom: the dependency rules of the architecture, read off the source."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Part (a package, or a module's dotted name) to the parts of ours that it may import, besides itself.
ALLOWED: dict[str, set[str]] = {
    "backend.wire": set(),
    "backend.client": {"backend.wire"},
    "backend.imaging": set(),
    "models": set(),
    "backend.pipeline": {"backend.imaging", "models"},
    "backend.worker": {"backend.pipeline", "backend.wire"},
    "backend.server": {"backend.wire"},
    "backend.store": {"models", "backend.wire"},
    "krita_plugin": {"backend.client", "backend.wire"},
    "gimp_plugin": {"backend.client", "backend.wire"},
}
# What each part may import from outside beside the standard library. None: anything.
OUTSIDE: dict[str, set[str]] = {
    "backend.wire": {"msgpack"},
    "backend.client": {"zmq"},
    "backend.server": {"zmq", "psutil"},
}
EDITORS = {"krita", "gi", "PyQt5", "PyQt6", "sip"}


def files() -> list[Path]:
    tops = ("backend", "models", "krita_plugin", "gimp_plugin")
    return sorted(path for top in tops for path in (ROOT / top).rglob("*.py"))


def module(path: Path) -> str:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return name.removesuffix(".__init__")


def imports(path: Path) -> set[str]:
    """Dotted names of all that a file imports, wherever in it, relative ones made absolute."""
    package = module(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            parent = ".".join([*base, *(node.module or "").split(".")]).strip(".")
            found.update(f"{parent}.{alias.name}" for alias in node.names)
    return found


def part(name: str) -> str | None:
    """The part that a dotted name belongs to, or None where it is none of the ruled ones."""
    for known in ALLOWED:
        if name == known or name.startswith(known + "."):
            return known
    return None


def is_ours(name: str) -> bool:
    return name.split(".")[0] in ("backend", "models", "krita_plugin", "gimp_plugin")


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_only_what_its_part_may_know(path: Path) -> None:
    import sys

    own = part(module(path))
    for name in imports(path):
        top = name.split(".")[0]
        if not is_ours(name):
            assert top not in EDITORS or "plugin" in module(path), f"{path} imports {name}"
            if own in OUTSIDE:
                assert top in sys.stdlib_module_names | OUTSIDE[own], f"{path} imports {name}"
        elif own is not None and name != "backend.__version__":
            assert part(name) in ALLOWED[own] | {own}, f"{path} ({own}) imports {name}"


@pytest.mark.parametrize("top", ["backend/wire", "backend/client"])
def test_what_travels_into_the_editors_imports_relatively(top: str) -> None:
    for path in (ROOT / top).rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        absolute = [
            node.module
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and not node.level and is_ours(node.module or "")
        ]
        assert not absolute, f"{path} imports {absolute} absolutely"
