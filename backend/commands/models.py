"""`ai-inpaint models`: what can fill a hole, and the weights that networks need for it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..wire import errors
from ..wire.errors import InpaintError
from .progress import ProgressLine

if TYPE_CHECKING:
    from models.base import Card
    from models.zoo import Published, Weights

_QUIET = click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors and warnings.")


@click.group(name="models")
def models() -> None:
    """List the models; fetch, import, check and remove the weights of neural networks."""


@models.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Everything that is known of each, for programs.")
def list_models(as_json: bool) -> None:
    """List the models that --model takes, what each is good for, and whether it is there."""
    from models import cards

    known = cards()
    if as_json:
        click.echo(json.dumps([card.as_dict() for card in known], indent=2, ensure_ascii=False))
        return
    rows = [("NAME", "TITLE", "STATE", "GOOD AT")]
    rows += [(card.name, card.title, _state(card), ", ".join(card.good_at)) for card in known]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for place, row in enumerate(rows):
        sentence = "WHAT IT DOES" if place == 0 else known[place - 1].sentence
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        click.echo("  ".join([*cells, sentence]))
        _echo_params(known[place - 1] if place else None)
    _echo_tools()
    if not all(card.installed for card in known):
        click.echo("\nFetch what is to fetch with: ai-inpaint models get NAME.")
        click.echo("How to bring what has to be downloaded by hand, says the same command.")


def _echo_tools() -> None:
    """The weights that fill nothing themselves."""
    from models import zoo

    there = zoo.installed()
    for entry in zoo.published().values():
        if entry.architecture in zoo.TOOLS:
            state = "installed" if entry.name in there else f"to fetch, {_megabytes(entry.size)}"
            click.echo(f"\nNot a model: {entry.name}  {state}  {entry.sentence}")


def _state(card: Card) -> str:
    if card.installed:
        return "installed"
    if card.download is None:
        return "by hand"
    size = _megabytes(card.download["bytes"])
    return f"to fetch, {size}" if size else "to fetch"


def _echo_params(card: Card | None) -> None:
    from ..wire.params import describe

    for param in card.params if card is not None and card.installed else ():
        click.echo(f"    --set {param.name}=...  {param.title}: {describe(asdict(param))}. {param.help}")


@models.command()
@click.argument("names", metavar="NAME...", nargs=-1)
@click.option("--recommended", is_flag=True, help="Fetch what is recommended to everybody.")
@click.option("-y", "--yes", is_flag=True, help="Accept licences that forbid commercial use without asking.")
@click.option("--mirror", metavar="URL|FOLDER", help="Fetch from there. Default: AI_INPAINT_MIRROR.")
@click.option("--offline", is_flag=True, default=None, help="Fetch nothing over the network.")
@click.option("--if-online", is_flag=True, help="Without a network connection, say so and succeed.")
@_QUIET
def get(
    names: tuple[str, ...],
    recommended: bool,
    yes: bool,
    mirror: str | None,
    offline: bool | None,
    if_online: bool,
    quiet: bool,
) -> None:
    """Fetch published weights.

    A download that breaks off goes on where it stopped when the command is given again. Nothing is used
    before its hash was compared with the published one. Proxies are taken from HTTPS_PROXY and the like.
    """
    from models import zoo

    wanted = [*names, *(_recommended() if recommended else [])]
    if not wanted:
        raise click.UsageError("Nothing to fetch: name the weights, or give --recommended.")
    for name in dict.fromkeys(wanted):
        entry = zoo.published().get(name)
        there = zoo.installed().get(name)
        if there is not None:
            _say(quiet, f"{name}: already there, {there.path}")
            continue
        if entry is not None and entry.urls:
            _accept_licence(entry, yes, quiet)
        try:
            _fetch(name, mirror, offline, quiet)
        except InpaintError as problem:
            if not (if_online and problem.code == errors.OFFLINE):
                raise
            click.echo(f"ai-inpaint: {problem} Going on without {name}.", err=True)
            return


def _recommended() -> list[str]:
    from models import zoo

    return [entry.name for entry in zoo.published().values() if entry.recommended]


def _accept_licence(entry: Published, yes: bool, quiet: bool) -> None:
    """Show the licence; one that forbids commercial use has to be accepted."""
    size = _megabytes(entry.size)
    _say(quiet, f"{entry.title}{', ' + size if size else ''}; licence: {entry.licence}; see {entry.page}")
    if entry.commercial or yes:
        return
    sentence = f"The licence of {entry.title} ({entry.licence}) forbids commercial use."
    if not sys.stdin.isatty():
        raise click.UsageError(f"{sentence} Add --yes to accept it.")
    click.echo(sentence)
    click.confirm("Fetch it for non-commercial use?", abort=True)


def _fetch(name: str, mirror: str | None, offline: bool | None, quiet: bool) -> None:
    from ..store import fetch

    with ProgressLine(name, quiet) as show:
        weights = fetch(name, show, mirror, offline)
    _say(quiet, f"{name}: {weights.path}")


@models.command(name="import")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--name", help="How the weights are to be called. Default: made of the file's name.")
@click.option("--variant", help="Which variant of the network they are for, where the file cannot tell.")
@click.option("--replace", is_flag=True, help="Replace other weights of that name.")
@_QUIET
def import_file(file: Path, name: str | None, variant: str | None, replace: bool, quiet: bool) -> None:
    """Bring a file with weights that you have downloaded or trained.

    What network it is for is told from what is in it: PyTorch checkpoints, TorchScript archives, TensorFlow
    checkpoints (name the .index file), .npz and safetensors. Nothing in the file is executed. Afterwards
    --model NAME takes it, and the editors list it.
    """
    from ..store import import_weights

    with ProgressLine(file.name, quiet) as show:
        weights = import_weights(file, show, name, variant, replace)
    _say(quiet, f"{weights.name}: {_what(weights)}, {weights.folder}")
    if weights.commercial is False:
        click.echo(f"ai-inpaint: warning: its licence, {weights.licence}, forbids commercial use.", err=True)


def _what(weights: Weights) -> str:
    variant = f", variant {weights.variant}" if weights.variant else ""
    return f"weights of {weights.architecture}{variant}, {_megabytes(weights.size)}"


@models.command()
@click.argument("names", metavar="[NAME...]", nargs=-1)
@_QUIET
def verify(names: tuple[str, ...], quiet: bool) -> None:
    """Check that weights are still what they were when they came; all of them, if none is named.

    The exit code is 1 if something is wrong.
    """
    from .. import store

    wrong = 0
    for weights in _chosen(names):
        with ProgressLine(weights.name, quiet) as show, _readable(weights):
            problem = store.verify(weights, show)
        if problem:
            wrong += 1
            click.echo(f"ai-inpaint: {problem} Fetch or import {weights.name} again.", err=True)
        else:
            _say(quiet, f"{weights.name}: as it should be")
    if wrong:
        raise click.exceptions.Exit(1)


@models.command()
@click.argument("name")
@_QUIET
def remove(name: str, quiet: bool) -> None:
    """Delete weights from this computer."""
    from .. import store

    weights = store.remove(name)
    _say(quiet, f"{name}: removed, {_megabytes(weights.size)} are free again")


@models.command()
@click.argument("name", required=False)
def path(name: str | None) -> None:
    """Say where weights are kept, or where those of NAME are."""
    from models import zoo

    click.echo(zoo.folder() if name is None else _chosen((name,))[0].path)


def _chosen(names: tuple[str, ...]) -> list[Weights]:
    from models import zoo

    known = zoo.installed()
    for name in names:
        if name not in known:
            raise InpaintError(
                errors.NO_WEIGHTS,
                f"There are no weights named {name!r} on this computer.",
                zoo.suggestion(name) if name in zoo.published() else "See ai-inpaint models list.",
            )
    return [known[name] for name in names] if names else list(known.values())


@contextmanager
def _readable(weights: Weights) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        raise InpaintError(
            errors.BAD_WEIGHTS,
            f"{weights.folder} cannot be read: {problem.strerror or problem}.",
            "Make it readable, or remove the weights and fetch them again.",
        ) from problem


def _megabytes(size: Any) -> str:
    return f"{size / 1e6:.0f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB" if size else ""


def _say(quiet: bool, sentence: str) -> None:
    if not quiet:
        click.echo(sentence)
