"""What editors tell their users in the same words, besides refusals (see `refusals`)."""

from __future__ import annotations

from typing import Any, List, Mapping, Sequence

from .form import Choice
from .jobs import Selected


def status(fields: Mapping[str, Any]) -> str:
    """The backend's `status` in sentences; {} means that none runs."""
    if not fields:
        return "The backend is not running. It starts by itself when it is needed."
    minutes = int(fields.get("uptime", 0) // 60)
    lines = [
        "The backend {} runs on {}, since {}.".format(
            fields.get("software", ""),
            fields.get("host", "this computer"),
            "less than a minute" if minutes < 1 else f"{minutes} min",
        )
    ]
    for worker in fields.get("workers", ()):
        line = "{}: {}".format(worker.get("device", "?"), worker.get("state", "?"))
        if worker.get("models"):
            line += ", with " + ", ".join(worker["models"])
        if worker.get("memory"):
            line += ", {:.1f} GB of memory".format(worker["memory"] / 1e9)
        lines.append(line)
    jobs: Sequence[Mapping[str, Any]] = fields.get("jobs", ())
    lines += [
        "{}: {}, {:.0f} %".format(job.get("model", "?"), job.get("stage", "?"), 100 * job.get("fraction", 0))
        for job in jobs
    ]
    return "\n".join(lines if jobs else [*lines, "Nothing is being filled."])


def terms(choice: Choice) -> str:
    """What fetching a model means: its size, licence and page, a line each; "" if it cannot be fetched."""
    if not choice.download:
        return ""
    lines: List[str] = []
    if choice.download.get("bytes"):
        lines.append("Size: {:.0f} MB".format(choice.download["bytes"] / 1e6))
    if choice.download.get("licence"):
        lines.append("Licence: {}".format(choice.download["licence"]))
    if not choice.download.get("commercial", True):
        lines.append("Its licence does not allow commercial use.")
    if choice.download.get("page"):
        lines.append("Page: {}".format(choice.download["page"]))
    return "\n".join(lines)


def filled_by(models: Sequence[Choice], model: str, otherwise: str) -> str:
    """The name for people of what filled; of several, as `auto` may choose, each.

    Args:
        models: of the form.
        model: as a result names it, such as "smooth+patchmatch".
        otherwise: what to say if one of them is not known.
    """
    titles = {choice.name: choice.title for choice in models}
    names = model.split("+")
    return (
        " and ".join(titles[name] for name in names) if all(name in titles for name in names) else otherwise
    )


def selected(found: Selected, what: str) -> str:
    """What was selected, and what looks wrong about it.

    Args:
        found: the backend's answer.
        what: was looked for: "colour" or "mosaics".
    """
    one, many = ("mosaic", "mosaics") if what == "mosaics" else ("mark", "marks")
    said = f"1 {one} is selected." if found.count == 1 else f"{found.count} {many} are selected."
    return "\n\n".join([said, "\n".join(found.doubts)]) if found.doubts else said
