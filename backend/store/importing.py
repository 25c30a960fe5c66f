"""Bringing weights by hand: a file is recognised by what is in it, checked whole, and copied."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import models
from models import zoo
from models.base import FillError
from models.zoo import Published, Weights

from ..wire.errors import BAD_PARAM, BAD_WEIGHTS, InpaintError
from . import shelf
from .download import Progress

_UNKNOWN_LICENCE = "not known: see where the file comes from"


def import_weights(
    path: Path,
    progress: Progress,
    name: str | None = None,
    variant: str | None = None,
    replace: bool = False,
) -> Weights:
    """Recognise a file with weights and copy it to where weights are kept.

    It is loaded first, strictly and as always without executing anything in it: what is imported works.

    Args:
        path: a file; one of a TensorFlow checkpoint's; or a folder with one checkpoint in it.
        progress: called with how far the work is.
        name: under which the weights are to be known. None takes the published name of this very file, or
            else the file's own.
        variant: of the network, where the file cannot tell; None takes what is published, or the default.
        replace: whether other weights of that name may be replaced.

    Returns:
        The weights where they are now.

    Raises:
        InpaintError: `bad-weights` (no weights, damaged, or not those that the name stands for),
            `bad-param` (the name cannot be taken), `bad-variant` or `no-space`.
    """
    path = Path(os.path.abspath(path.expanduser()))
    try:
        from models import checkpoints, network
        from models.guidance import hed

        parts = checkpoints.parts(path)
        progress(0.0, "reading")
        digests = [_digests(part) for part in parts]
        same = _published(digests)
        name = name or (same.name if same else _name_of(path))
        _check_name(name, path, digests)
        entry = zoo.published().get(name) or same
        there = zoo.installed().get(name)
        if there is not None and not replace:
            if [file["sha256"] for file in there.files.values()] == [found["sha256"] for found in digests]:
                return there
            raise InpaintError(
                BAD_PARAM,
                f"There are other weights named {name!r} already.",
                "Give these another name with --name, or replace those with --replace.",
            )
        progress(0.1, "recognising")
        wanted = variant or (entry.variant if entry else None)
        if entry is not None and entry.architecture in zoo.TOOLS:
            hed.load(parts[0])
            architecture, title, settings = entry.architecture, entry.title, {}
        else:
            model = network.load(path, models.kinds(), variant=wanted)
            architecture, title = model.card.architecture, model.card.title
            settings = dict(model.settings)
            del model
    except FillError as problem:
        raise InpaintError(problem.code, problem.message, problem.hint) from problem
    except OSError as problem:
        raise InpaintError(
            BAD_WEIGHTS, f"{path} cannot be read: {problem.strerror or problem}.", "Name a file with weights."
        ) from problem
    if entry is not None and entry.architecture != architecture:
        raise InpaintError(
            BAD_WEIGHTS,
            f"{path.name} holds weights of {title}, which {entry.title} are not.",
            "Give them another name with --name.",
        )
    weights = Weights(
        name=name,
        folder=zoo.folder() / name,
        load=parts[0].name,
        files={
            part.name: {"size": part.stat().st_size, "sha256": found["sha256"]}
            for part, found in zip(parts, digests, strict=True)
        },
        architecture=architecture,
        variant=settings.pop("variant", None),
        settings=settings,
        title=entry.title if entry else f"{name} ({title})",
        sentence=entry.sentence if entry else "",
        good_at=entry.good_at if entry else (),
        licence=entry.licence if entry else _UNKNOWN_LICENCE,
        commercial=entry.commercial if entry else None,
        origin=entry.origin if entry else "",
        page=entry.page if entry else "",
        imported=True,
    )
    progress(0.7, "copying")
    with shelf.lock(name, progress):
        placed = shelf.place(weights, lambda fresh: _copy(parts, fresh))
        wrong = shelf.verify(placed, lambda part, stage: progress(0.9 + part / 10, stage))
        if wrong:
            raise InpaintError(BAD_WEIGHTS, wrong, "The file changed while it was copied: import it again.")
    progress(1.0, "done")
    return placed


def _digests(path: Path) -> dict[str, str]:
    return shelf.hashes(path, ("sha256", "md5"), lambda _: None)


def _published(digests: list[dict[str, str]]) -> Published | None:
    """The published weights that this very file is."""
    if len(digests) != 1:
        return None
    return next((entry for entry in zoo.published().values() if _is(entry, digests[0])), None)


def _is(entry: Published, digests: dict[str, str]) -> bool:
    return bool(entry.hashes) and all(digests[kind].startswith(value) for kind, value in entry.hashes.items())


def _name_of(path: Path) -> str:
    """A name for weights, made of a file's: `My LaMa.ckpt` is `my-lama`."""
    stem = path.name if path.is_dir() else path.name.partition(".data-")[0].removesuffix(path.suffix)
    while Path(stem).suffix in (".ckpt", ".pt", ".pth", ".index"):
        stem = Path(stem).stem
    return re.sub(r"[^a-z0-9._-]+", "-", stem.lower()).strip("-._")[:64] or "imported"


def _check_name(name: str, path: Path, digests: list[dict[str, str]]) -> None:
    entry = zoo.published().get(name)
    if not zoo.NAME.fullmatch(name):
        raise InpaintError(
            BAD_PARAM,
            f"Weights cannot be named {name!r}.",
            "A name has small letters, digits, dots, dashes and underscores, 64 at most.",
        )
    if name == "auto" or (name in models.MODELS and entry is None):
        raise InpaintError(
            BAD_PARAM,
            f"{name!r} is the name of a model already.",
            "Give the weights another one with --name.",
        )
    if entry is not None and entry.hashes and not _is(entry, digests[0]):
        raise InpaintError(
            BAD_WEIGHTS,
            f"{path.name} is not the file that is published as {name}: its hash differs.",
            "If you know what it is, give it another name with --name.",
        )


def _copy(parts: tuple[Path, ...], folder: Path) -> None:
    for part in parts:
        with part.open("rb") as source, (folder / part.name).open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
            target.flush()
            os.fsync(target.fileno())
