"""`ai-inpaint batch`: fill the holes of all pictures of a folder."""

from __future__ import annotations

import signal
import sys
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..wire.errors import BAD_PARAM, InpaintError
from .progress import ProgressLine
from .run import checked_settings, run, weights_of
from .values import Colour

if TYPE_CHECKING:
    from ..batch.journal import Journal
    from ..batch.runs import Engine, Order, Run, Summary
    from ..batch.work import Task

SHARED = (
    *("mask_color", "tolerance", "model", "grow", "feather", "context", "tile"),
    *("seed", "device", "own", "quiet"),
)
"""Options that are those of `run`."""

SETTINGS = ("grow", "feather", "context", "tile", "seed", "count")

_FOLDER = click.Path(file_okay=False, path_type=Path)


def _shared(command: click.Command) -> click.Command:
    """The command with the options that it has in common with `run`."""
    command.params += [param for param in run.params if param.name in SHARED]
    return command


@_shared
@click.command()
@click.argument("source", metavar="IN", type=_FOLDER)
@click.argument("output", metavar="OUT", type=_FOLDER)
@click.option("--masks", type=_FOLDER, metavar="DIR", help="Masks, named like the pictures.")
@click.option(
    "--original",
    type=_FOLDER,
    metavar="DIR",
    help="Unmarked pictures with a mosaic under the marks: fills follow it.",
)
@click.option("--find-mosaic", is_flag=True, help="No marks: fill what is certain to be a mosaic.")
@click.option("--bar", is_flag=True, help="Fill even where a mosaic is seen, without following it.")
@click.option(
    "--smallest",
    type=click.IntRange(0),
    default=0,
    metavar="PX",
    help="Marks of fewer pixels are the art's own colour.",
)
@click.option(
    "--variations", "--count", "count", type=int, metavar="N", help="N fills of each: NAME-1.png, NAME-2 ..."
)
@click.option("--show-masks", type=_FOLDER, metavar="DIR", help="Write there what is taken as mask.")
@click.option("--check", "only_check", is_flag=True, help="Look at all pictures, fill none.")
@click.option(
    "--jobs",
    type=click.IntRange(1),
    metavar="N",
    help="Pictures at a time: 1, on a cluster one per processor.",
)
@click.option("--redo", is_flag=True, help="Fill what has been filled already, too.")
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.json",
    help="Tell what was done, as JSON and as a page (FILE.html).",
)
@click.option(
    "--engine", type=click.Choice(["local", "ray"]), default="local", help="Where the work is done."
)
@click.option("--address", metavar="ADDRESS", help="Of a Ray cluster; else one is started on this computer.")
@click.pass_context
def batch(ctx: click.Context, **given: Any) -> None:
    """Fill the holes of all pictures in the folder IN, and write them to OUT under the same names.

    What is to be filled is said by a colour painted into the pictures (--mask-color); or by masks in a
    folder of their own (--masks); or by masks beside the pictures: NAME_mask.png, NAME_mask001.png.

    Sub-folders are gone through. Pictures that were filled before are skipped, as long as neither they
    nor what is asked for has changed: a run that was interrupted is gone on with by the same command. A
    picture that cannot be filled is reported, the others are filled, and the exit code is 1.

    Marks in a colour are filled with 1 px around what has a trace of the colour, mosaics exactly; masks
    as by run. --grow and --feather say otherwise.
    """
    from ..batch.runs import Run

    order = _order(given)
    place: Path | None = given["report"]
    if place is not None and place.suffix.lower() == ".html":
        raise click.UsageError("--report takes the name of a JSON file; the page gets the same with .html.")
    try:
        with _engine(given) as engine:
            summary = _go(Run(order, engine, _say), order, place, given["quiet"])
    except KeyboardInterrupt:
        click.echo("ai-inpaint: Interrupted. The same command goes on from here.", err=True)
        ctx.exit(128 + signal.SIGINT)
    if not given["quiet"]:
        click.echo(_words(summary, order))
    if summary.count("failed"):
        ctx.exit(1)


def _go(job: Run, order: Order, place: Path | None, quiet: bool) -> Summary:
    from ..batch import report
    from ..batch.journal import Journal

    summary = job.summary
    tasks = job.find()
    try:
        if order.only_check:
            with ProgressLine("check", quiet) as show:
                job.check(tasks, show)
        else:
            with Journal(order.output) as journal:
                _work(job, tasks, journal, quiet)
    finally:
        job.end()
        if place is not None:
            page = report.write(place, summary, order.output, _request(order))
            if not quiet:
                click.echo(f"{place}, {page}: the report")
    return summary


def _work(job: Run, tasks: list[Task], journal: Journal, quiet: bool) -> None:
    left = job.skip(tasks, journal)
    with ProgressLine("check", quiet) as show:
        good = job.check(left, show)
    with ProgressLine("fill", quiet) as show:
        job.fill(good, journal, show)


def _order(given: dict[str, Any]) -> Order:
    from ..batch.holes import Request
    from ..batch.runs import Order

    colour: Colour | None = given["mask_color"]
    find, original = given["find_mosaic"], given["original"]
    if find and (colour or given["masks"] or original):
        raise click.UsageError("--find-mosaic needs no marks, masks or originals: leave them out.")
    if colour and given["masks"]:
        raise click.UsageError("--masks and --mask-color both say where the holes are: leave one out.")
    if given["bar"] and (find or original):
        raise click.UsageError("--bar fills without following a mosaic: leave it, or --original, out.")
    model = _model(given["model"], mosaic=find or original is not None)
    usual: dict[str, int] = {}
    if find or original is not None:
        usual = {"grow": 0, "feather": 0}
    elif colour is not None:
        usual = {"grow": 1, "feather": 1}
    named = {name: given[name] for name in SETTINGS if given[name] is not None}
    settings = checked_settings(model, {**usual, **named, **dict(given["own"])})
    request = Request(
        model=model,
        device=given["device"],
        settings=settings,
        colour=None if colour is None else colour.rgb,
        tolerance=given["tolerance"],
        smallest=given["smallest"],
        mosaic=original is not None,
        find=find,
        bar=given["bar"],
    )
    return Order(
        source=given["source"],
        output=given["output"],
        request=request,
        masks=given["masks"],
        originals=original,
        show_masks=given["show_masks"],
        redo=given["redo"],
        only_check=given["only_check"],
        thumbnails=given["report"] is not None,
    )


def _model(name: str, mosaic: bool) -> str:
    """The weights to use: those that redraw mosaics where there are mosaics, and only there."""
    from models import zoo

    redraws = [
        weights.name
        for weights in zoo.installed().values()
        if weights.architecture == "deepcreampy" and weights.variant == "mosaic"
    ]
    if mosaic and name in ("auto", "deepcreampy") and redraws:
        return redraws[0]
    resolved = weights_of(name)
    if not mosaic and resolved in redraws:
        raise InpaintError(
            BAD_PARAM,
            f"{resolved} redraws mosaics, and has to see them.",
            "Give the folder of unmarked pictures as --original, or use another --model.",
        )
    return resolved


def _engine(given: dict[str, Any]) -> AbstractContextManager[Engine]:
    if given["engine"] == "local":
        if given["address"] is not None:
            raise click.UsageError("--address is that of a Ray cluster: it needs --engine ray.")
        from ..batch.processes import Processes

        return Processes(given["jobs"] or 1)
    from ..batch import cluster

    cluster.check()
    return cluster.Cluster(given["address"], given["jobs"], given["device"])


def _request(order: Order) -> dict[str, Any]:
    """What was asked for, as plain types."""
    folders = {"in": order.source, "out": order.output, "masks": order.masks, "original": order.originals}
    plain: dict[str, Any] = {name: None if path is None else str(path) for name, path in folders.items()}
    return {**plain, **asdict(order.request)}


def _say(sentence: str) -> None:
    # On a terminal the bar is in that line; it is drawn again below.
    clear = "\r\x1b[K" if sys.stderr.isatty() else ""
    click.echo(f"{clear}ai-inpaint: warning: {sentence}", err=True)


def _words(summary: Summary, order: Order) -> str:
    from ..batch.clock import span

    total = len(summary.lines)
    if order.only_check:
        bad = summary.count("failed") + summary.count("unmarked")
        return f"{total} pictures looked at, {bad} of them cannot be filled"
    parts = [f"{summary.count('filled')} filled"]
    for state, words in (
        ("skipped", "filled before"),
        ("unmarked", "without a hole"),
        ("failed", "failed"),
    ):
        if summary.count(state):
            parts.append(f"{summary.count(state)} {words}")
    return f"{total} pictures: {', '.join(parts)}; {span(summary.seconds)}"
