"""A plugin in an editor's folder: put there, brought up to date, taken away; the rest of it left alone."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from backend import plugins
from backend.plugins import Vendor

ROOT = Path(__file__).resolve().parents[2]
OWN = {"krita": "pykrita/ai_inpaint", "gimp": "ai-inpaint"}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with plugins that are no more than files."""
    root = tmp_path / "checkout"
    for package in ("wire", "client"):
        shutil.copytree(
            ROOT / "backend" / package,
            root / "backend" / package,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    files = ["krita_plugin/ai_inpaint/__init__.py", "krita_plugin/ai_inpaint/dialog.py"]
    files += [
        "krita_plugin/ai_inpaint/icons/a.svg",
        "krita_plugin/ai_inpaint/__pycache__/dialog.cpython-38.pyc",
    ]
    files += ["krita_plugin/ai_inpaint.desktop", "krita_plugin/ai_inpaint.action", "krita_plugin/notes.txt"]
    files += ["gimp_plugin/ai-inpaint/ai-inpaint.py", "gimp_plugin/ai-inpaint/host.py"]
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(f"# {file}\n", encoding="utf-8")
    return root


@pytest.fixture
def vendor(tmp_path: Path) -> Vendor:
    folder = tmp_path / "libraries"
    (folder / "msgpack").mkdir(parents=True)
    (folder / "msgpack" / "__init__.py").write_text("version = (1, 2)\n")
    return Vendor(folder, {"msgpack": "1.2", "pyzmq": "27.1.0", "pythons": ["3.10"]})


def tree(folder: Path) -> dict[str, object]:
    """Everything below a folder: content, mode and time of files, targets of links."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name, status = str(path.relative_to(folder)), path.lstat()
        if path.is_symlink():
            found[name] = os.readlink(path)
        else:
            found[name] = (path.read_bytes(), status.st_mode, status.st_mtime_ns) if path.is_file() else None
    return found


@pytest.fixture(params=["krita", "gimp"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """An editor's folder with other plugins in it."""
    folder = tmp_path / "editor"
    (folder / "pykrita" / "other").mkdir(parents=True)
    (folder / "pykrita" / "other" / "__init__.py").write_text("# a stranger's\n")
    return folder


def test_every_file_is_where_the_editor_looks_for_it(
    name: str, place: Path, checkout: Path, vendor: Vendor
) -> None:
    before = tree(place)
    assert plugins.put(name, place, checkout, vendor=vendor)
    added = {path for path, what in tree(place).items() if what is not None and path not in before}
    own = OWN[name]
    expected = {f"{own}/installed.json", f"{own}/vendor/msgpack/__init__.py", f"{own}/backend/__init__.py"}
    for package in ("wire", "client"):
        for path in (ROOT / "backend" / package).glob("*.py"):
            expected.add(f"{own}/backend/{package}/{path.name}")
    if name == "krita":
        expected |= {f"{own}/__init__.py", f"{own}/dialog.py", f"{own}/icons/a.svg"}
        expected |= {f"{own}.desktop", "actions/ai_inpaint.action"}
    else:
        expected |= {f"{own}/ai-inpaint.py", f"{own}/host.py"}
        assert os.access(place / own / "ai-inpaint.py", os.X_OK)
    assert added == expected
    init = (place / own / "backend" / "__init__.py").read_text(encoding="utf-8")
    assert init.count("\n") == 1 and "import" not in init
    state = plugins.state(name, place, checkout)
    assert (state.current, state.link, state.holds) == (True, False, vendor.holds)


def test_a_second_time_nothing_is_touched(name: str, place: Path, checkout: Path, vendor: Vendor) -> None:
    plugins.put(name, place, checkout, vendor=vendor)
    before = tree(place)
    assert not plugins.put(name, place, checkout, vendor=vendor)
    assert not plugins.put(name, place, checkout, vendor=None)
    assert tree(place) == before


@pytest.mark.parametrize("link", [False, True])
def test_removing_leaves_no_trace(name: str, place: Path, checkout: Path, vendor: Vendor, link: bool) -> None:
    before, source = tree(place), tree(checkout)
    plugins.put(name, place, checkout, link, vendor)
    cache = place / OWN[name] / "vendor" / "msgpack" / "__pycache__"
    cache.mkdir()
    (cache / "__init__.cpython-310.pyc").write_bytes(b"what the editor's Python left")
    assert plugins.remove(name, place) > 1
    assert tree(place) == before
    assert tree(checkout) == source
    assert plugins.remove(name, place) == 0


def test_of_an_editor_that_never_ran_not_even_the_folder_is_left(
    name: str, tmp_path: Path, checkout: Path, vendor: Vendor
) -> None:
    before = tree(tmp_path)
    plugins.put(name, tmp_path / "home" / ".local" / "share" / "x", checkout, vendor=vendor)
    plugins.remove(name, tmp_path / "home" / ".local" / "share" / "x")
    assert tree(tmp_path) == before


def test_an_update_changes_what_changed_and_removes_what_is_gone(
    name: str, place: Path, checkout: Path, vendor: Vendor
) -> None:
    plugins.put(name, place, checkout, vendor=vendor)
    (place / OWN[name] / "mine.txt").write_text("a stranger's")
    (checkout / "backend" / "wire" / "pixels.py").unlink()
    (checkout / "backend" / "wire" / "later.py").write_text("# new\n")
    (checkout / "backend" / "client" / "paths.py").write_text("# changed\n")
    shutil.rmtree(checkout / "krita_plugin" / "ai_inpaint" / "icons")
    before = tree(place)
    assert not plugins.state(name, place, checkout).current
    assert plugins.put(name, place, checkout, vendor=None)
    after, own = tree(place), OWN[name]
    changed = {path for path in before | after if before.get(path, 0) != after.get(path, 0)}
    expected = {f"{own}/backend/wire/pixels.py", f"{own}/backend/wire/later.py", f"{own}/installed.json"}
    expected.add(f"{own}/backend/client/paths.py")
    if name == "krita":
        expected |= {f"{own}/icons", f"{own}/icons/a.svg"}
    assert changed == expected
    assert f"{own}/backend/wire/pixels.py" not in after
    assert plugins.state(name, place, checkout).current
    plugins.remove(name, place)
    assert (place / own / "mine.txt").read_text() == "a stranger's"
    assert [path.name for path in (place / own).iterdir()] == ["mine.txt"]


def test_damage_is_seen_and_mended(name: str, place: Path, checkout: Path, vendor: Vendor) -> None:
    plugins.put(name, place, checkout, vendor=vendor)
    (place / OWN[name] / "backend" / "wire" / "codec.py").write_text("# edited\n")
    assert not plugins.state(name, place, checkout).current
    assert plugins.put(name, place, checkout, vendor=None)
    assert plugins.state(name, place, checkout).current
    (place / OWN[name] / "vendor" / "msgpack" / "__init__.py").unlink()
    assert plugins.carried(name, place) == {}
    assert not plugins.state(name, place, checkout).current


def test_links_lead_to_the_checkout_and_give_way_to_copies(
    name: str, place: Path, checkout: Path, vendor: Vendor
) -> None:
    source = tree(checkout)
    plugins.put(name, place, checkout, link=True, vendor=vendor)
    own = place / OWN[name]
    assert (own / "backend" / "wire").resolve() == checkout / "backend" / "wire"
    assert not (own / "backend").is_symlink()
    if name == "krita":
        assert (own / "dialog.py").is_symlink()
    else:
        # Python looks for a program's modules where a link leads, and backend is not there.
        assert not (own / "ai-inpaint.py").is_symlink()
        assert (own / "host.py").is_symlink()
    (checkout / "backend" / "wire" / "later.py").write_text("# new\n")
    assert (own / "backend" / "wire" / "later.py").exists()
    assert plugins.state(name, place, checkout).current
    assert plugins.state(name, place, checkout).link
    (checkout / "backend" / "wire" / "later.py").unlink()
    assert plugins.put(name, place, checkout, link=False, vendor=None)
    assert not [path for path in own.rglob("*") if path.is_symlink()]
    plugins.put(name, place, checkout, link=True, vendor=None)
    assert (own / "backend" / "client").is_symlink()
    assert tree(checkout) == source


@pytest.mark.parametrize("part", ["", "/backend", "/backend/wire"])
def test_nothing_is_written_or_removed_behind_a_strangers_link(
    name: str, place: Path, checkout: Path, vendor: Vendor, tmp_path: Path, part: str
) -> None:
    plugins.put(name, place, checkout, vendor=vendor)
    elsewhere, where = tmp_path / "elsewhere", place / (OWN[name] + part)
    shutil.move(where, elsewhere)
    where.symlink_to(elsewhere)
    before = tree(elsewhere)
    plugins.remove(name, place)
    assert tree(elsewhere) == before
    if not where.is_symlink():
        where.parent.mkdir(parents=True, exist_ok=True)
        where.symlink_to(elsewhere)
    plugins.put(name, place, checkout, vendor=vendor)
    assert tree(elsewhere) == before
    assert plugins.state(name, place, checkout).current


def test_what_an_interrupted_run_left_can_be_removed(
    name: str, place: Path, checkout: Path, vendor: Vendor
) -> None:
    before = tree(place)
    (vendor.folder / "zmq.py").symlink_to(vendor.folder / "missing")
    with pytest.raises(FileNotFoundError):
        plugins.put(name, place, checkout, vendor=vendor)
    assert tree(place) != before
    assert not plugins.state(name, place, checkout).current
    plugins.remove(name, place)
    assert tree(place) == before


@pytest.mark.parametrize("files", [["/etc/passwd"], ["../../../../x"], "x", None, 3])
def test_an_account_that_is_nonsense_is_none(place: Path, files: object) -> None:
    own = place / OWN["gimp"]
    own.mkdir()
    (own / "installed.json").write_text(json.dumps({"version": "1", "files": files}))
    assert plugins.record("gimp", place) == {}
    assert plugins.remove("gimp", place) == 0
