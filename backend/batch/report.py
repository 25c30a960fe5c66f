"""What a run did, for programs (JSON) and for people (one HTML page that needs no other file)."""

from __future__ import annotations

import base64
import html
import json
from pathlib import Path
from typing import Any

from .. import __version__, files
from ..files import FileError, Outputs
from ..files.outputs import cannot_write
from .clock import span
from .runs import FAILED, FILLED, GOOD, SKIPPED, UNMARKED, Line, Summary
from .work import thumbnail

_STATES = {
    FAILED: "Failed",
    UNMARKED: "Nothing to fill",
    FILLED: "Filled",
    SKIPPED: "Filled before",
    GOOD: "Not filled yet",
}

_STYLE = """
body { font: 15px/1.4 system-ui, sans-serif; margin: 2em auto; max-width: 60em; padding: 0 1em;
  color-scheme: light dark }
h2 { margin-top: 2em }
article { border-top: 1px solid #8886; padding: .8em 0; overflow: auto }
h3 { margin: 0; font-size: 1em }
p { margin: .2em 0 }
.said { opacity: .7 }
.error { color: #c22 }
.warning { color: #a60 }
figure { float: left; margin: .5em 1em 0 0 }
img { display: block; max-width: 360px }
figcaption { font-size: .8em; opacity: .7 }
"""


def write(path: Path, summary: Summary, output: Path, request: dict[str, Any]) -> Path:
    """Write the report as `path` (JSON), and as a page of the same name with .html.

    Args:
        output: the folder of results, for pictures that an earlier run has filled.
        request: what was asked for: plain types.

    Returns:
        The page's path.

    Raises:
        FileError: `cannot-write`.
    """
    page = path.with_suffix(".html")
    lines = [summary.lines[name] for name in sorted(summary.lines)]
    document = {
        "version": __version__,
        "request": request,
        "seconds": round(summary.seconds, 1),
        "counts": {state: summary.count(state) for state in _STATES},
        "pictures": [_plain(line) for line in lines],
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise cannot_write(path, problem) from problem
    with Outputs() as outputs:
        outputs.open(path).write((json.dumps(document, indent=2) + "\n").encode())
        file = outputs.open(page)
        file.write(_head(summary).encode())
        for state, title in _STATES.items():
            alike = [line for line in lines if line.state == state]
            if alike:
                file.write(f"<h2>{title}: {len(alike)}</h2>\n".encode())
            for line in alike:
                file.write(_article(line, output).encode())
        file.write(b"</html>\n")
    return page


def _plain(line: Line) -> dict[str, Any]:
    told: dict[str, Any] = {"name": line.name, "state": line.state, **line.told, "warnings": line.warnings}
    if line.state in (FILLED, SKIPPED):
        told["results"] = list(line.results)
    if line.error is not None:
        told["error"] = dict(line.error)
    return told


def _head(summary: Summary) -> str:
    counts = ", ".join(
        f"{title.lower()} {summary.count(state)}" for state, title in _STATES.items() if summary.count(state)
    )
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>AI Inpaint: a folder</title>\n'
        f"<style>{_STYLE}</style>\n<h1>AI Inpaint: a folder</h1>\n"
        f"<p>{len(summary.lines)} pictures: {counts or 'none'}; {span(summary.seconds)}.</p>\n"
    )


def _article(line: Line, output: Path) -> str:
    parts = [f"<article>\n<h3>{html.escape(line.name)}</h3>\n"]
    if line.error is not None:
        parts.append(_paragraph("error", f"{line.error['message']} {line.error['hint']}"))
    parts += [_paragraph("warning", warning) for warning in line.warnings]
    if line.told:
        seeds = ", ".join(map(str, line.told["seeds"]))
        parts.append(_paragraph("said", f"{line.told['model']}, seed {seeds}, {span(line.told['seconds'])}"))
        for mosaic in line.told.get("mosaics", []):
            parts.append(_paragraph("said", f"a mosaic of {mosaic['cells']} cells of {mosaic['cell']} px"))
    before, after = _pictures(line, output)
    parts += [_figure("before", before), _figure("after", after)]
    return "".join([*parts, "</article>\n"])


def _paragraph(kind: str, words: str) -> str:
    return f'<p class="{kind}">{html.escape(words.strip())}</p>\n'


def _figure(title: str, picture: bytes) -> str:
    if not picture:
        return ""
    data = base64.b64encode(picture).decode()
    return (
        f'<figure><img alt="{title}" src="data:image/jpeg;base64,{data}">'
        f"<figcaption>{title}</figcaption></figure>\n"
    )


def _pictures(line: Line, output: Path) -> tuple[bytes, bytes]:
    """Small pictures; read from the files where this run did not make them."""
    before, after = line.before, line.after
    if not before and line.image is not None:
        before = _thumbnail(line.image)
    if not after and line.state == SKIPPED:
        after = _thumbnail(output / line.results[0])
    return before, after


def _thumbnail(path: Path) -> bytes:
    try:
        return thumbnail(files.read(path).pixels)
    except FileError:
        return b""  # the page says already what is wrong with it
