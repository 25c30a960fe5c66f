"""The zoo: which weights are published, and which of them lie on this computer.

Weights have a name ("big-lama") and belong to an architecture ("lama"). On disk each is a folder of its
name with the files as they were published and a `record.json` beside them. Such a folder appears in one
step (`backend.store` sees to it), so that what is listed here is whole.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

log = logging.getLogger(__name__)

RECORD = "record.json"
FOLDER_VARIABLE = "AI_INPAINT_MODELS"
ZOO_VARIABLE = "AI_INPAINT_ZOO"
"""Names another file like zoo.toml, such as a studio's own; where it has a name of ours, it counts."""

TOOLS = ("hed",)
"""Architectures that fill nothing, but help to: `guidance.hed`."""

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
"""What weights may be called."""

FILE = re.compile(r"\w[\w.+ -]{0,127}")
"""What a file of weights may be called: nothing that leads out of its folder."""


@dataclass(frozen=True)
class Published:
    """One table of `zoo.toml`; the keys are described there."""

    name: str
    title: str
    architecture: str
    licence: str
    commercial: bool
    page: str
    sentence: str = ""
    variant: str | None = None
    good_at: tuple[str, ...] = ()
    recommended: bool = False
    urls: tuple[str, ...] = ()
    size: int = 0
    sha256: str = ""
    md5: str = ""
    origin: str = ""
    how: str = ""

    @property
    def file(self) -> str:
        """What the file that is downloaded is called; empty where there is none."""
        return self.urls[0].rpartition("/")[2] if self.urls else ""

    @property
    def hashes(self) -> dict[str, str]:
        """Those that are known, by algorithm."""
        return {name: value for name in ("sha256", "md5") if (value := getattr(self, name))}

    def download(self) -> dict[str, Any] | None:
        """What fetching them means, as a card tells it; None where a program cannot fetch them.

        `bytes` is 0 where the size is not known.
        """
        if not self.urls:
            return None
        return {
            "bytes": self.size,
            "licence": self.licence,
            "commercial": self.commercial,
            "page": self.page,
        }


@dataclass(frozen=True)
class Weights:
    """Weights on this computer.

    Attributes:
        name: by which they are asked for.
        folder: where their files and their record are.
        load: the file among them that `models.load` takes.
        files: name to {"size": bytes, "sha256": hexadecimal}.
        architecture, variant: what they are weights of.
        settings: the architecture's sizes, as they were recognised; empty where nobody looked.
        commercial: whether the licence allows commercial use; None where nobody knows.
        imported: brought by the user rather than fetched.
        title, sentence, good_at, licence, origin, page: as in `zoo.toml`; may be empty.
    """

    name: str
    folder: Path
    load: str
    files: Mapping[str, Mapping[str, Any]]
    architecture: str
    variant: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    title: str = ""
    sentence: str = ""
    good_at: tuple[str, ...] = ()
    licence: str = ""
    commercial: bool | None = None
    origin: str = ""
    page: str = ""
    imported: bool = False

    @property
    def path(self) -> Path:
        """The file that `models.load` takes."""
        return self.folder / self.load

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(int(file["size"]) for file in self.files.values())

    @property
    def stamp(self) -> tuple[str, int]:
        """Differs as soon as other weights are there under the name."""
        return (str(self.folder), (self.folder / RECORD).stat().st_mtime_ns)

    def record(self) -> dict[str, Any]:
        """The content of `record.json`."""
        left_out = ("name", "folder")
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name not in left_out}


def folder() -> Path:
    """Where weights are kept for every program that uses them; nothing is created.

    `AI_INPAINT_MODELS`; or `models` in `AI_INPAINT_HOME`; or a fixed place in the home directory. Like the
    state folder it does not follow XDG_DATA_HOME, which sandboxed editors redirect.
    """
    chosen = os.environ.get(FOLDER_VARIABLE)
    if chosen:
        return Path(os.path.abspath(os.path.expanduser(chosen)))
    state = os.environ.get("AI_INPAINT_HOME")
    if state:
        return Path(os.path.abspath(os.path.expanduser(state))) / "models"
    home = Path(os.environ.get("SNAP_REAL_HOME") or os.path.expanduser("~"))
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "ai-inpaint" / "models"
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "ai-inpaint" / "models"
    return home / ".local" / "share" / "ai-inpaint" / "models"


def shipped() -> Path:
    """Where the weights are that come with the program."""
    return Path(__file__).with_name("weights")


def published() -> dict[str, Published]:
    """The published weights by name, in the order in which they are recommended.

    A list of the user's own that cannot be read is left out, with a warning in the log.
    """
    known = _read_zoo(Path(__file__).with_name("zoo.toml"), 0)
    own = os.environ.get(ZOO_VARIABLE)
    if not own:
        return known
    try:
        return {**known, **_read_zoo(Path(own), os.stat(own).st_mtime_ns)}
    except (OSError, ValueError) as problem:
        log.warning("The list of weights that %s names cannot be used: %s", ZOO_VARIABLE, problem)
        return known


@cache
def _read_zoo(path: Path, changed: int) -> dict[str, Published]:
    """Raises ValueError, naming file and table, for what is not as it has to be."""
    found = {}
    for name, table in tomllib.loads(path.read_text(encoding="utf-8")).items():
        try:
            values: dict[str, Any] = {
                key: tuple(value) if isinstance(value, list) else value for key, value in table.items()
            }
            entry = Published(name=name, **values)
            sound = NAME.fullmatch(name) and (not entry.urls or (entry.hashes and FILE.fullmatch(entry.file)))
        except (TypeError, AttributeError) as problem:
            raise ValueError(f"{path}: [{name}] is not as it has to be: {problem}") from problem
        if not sound:
            raise ValueError(f"{path}: [{name}] has a bad name, or no hash to check its download by")
        found[name] = entry
    return found


def installed() -> dict[str, Weights]:
    """The weights on this computer, by name: the published ones in their order, then the others."""
    found: dict[str, Weights] = {}
    for place in (shipped(), folder()):
        for name in _children(place):
            weights = read(place / name)
            if weights is not None:
                found[name] = weights
    order = list(published())
    names = sorted(found, key=lambda name: (order.index(name) if name in order else len(order), name))
    return {name: found[name] for name in names}


def _children(place: Path) -> list[str]:
    try:
        return [name for name in os.listdir(place) if NAME.fullmatch(name) and (place / name).is_dir()]
    except OSError:
        return []


def read(place: Path) -> Weights | None:
    """The weights in a folder; None where there is no record, or one that makes no sense."""
    try:
        record = json.loads((place / RECORD).read_text(encoding="utf-8"))
        known = {one.name for one in fields(Weights)} - {"name", "folder"}
        values = {key: value for key, value in record.items() if key in known}
        values["good_at"] = tuple(values.get("good_at", ()))
        weights = Weights(name=place.name, folder=place, **values)
        sound = weights.load in weights.files and weights.size > 0 and (place / weights.load).is_file()
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as problem:
        log.warning("%s cannot be read: %s", place / RECORD, problem)
        return None
    return weights if sound else None


def resolve(name: str) -> Weights | None:
    """The weights of that name; for an architecture's name its first installed ones.

    Args:
        name: of weights ("big-lama") or of an architecture ("lama").
    """
    known = installed()
    if name in known:
        return known[name]
    return next((weights for weights in known.values() if weights.architecture == name), None)


def find(name: str) -> Path | None:
    """The file to load for `resolve(name)`."""
    weights = resolve(name)
    return None if weights is None else weights.path


def stamp(name: str) -> tuple[str, int] | None:
    """Differs as soon as `name` stands for other weights; None where there are none."""
    weights = resolve(name)
    return None if weights is None else weights.stamp


def suggestion(name: str) -> str:
    """What a user can do who asked for weights that are not there: a sentence.

    Args:
        name: of published weights, or of an architecture.
    """
    known = published()
    entry = known.get(name)
    if entry is None:
        alike = [other for other in known.values() if other.architecture == name]
        entry = next((other for other in alike if other.urls), alike[0] if alike else None)
    if entry is None:
        return "Bring a file with weights by: ai-inpaint models import FILE."
    if entry.urls:
        return f"Fetch them with: ai-inpaint models get {entry.name}."
    how = f" {entry.how}" if entry.how else ""
    return (
        f"Download them from {entry.page} and bring them by: "
        f"ai-inpaint models import FILE --name {entry.name}.{how}"
    )
