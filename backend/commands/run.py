"""`ai-inpaint run`: fill the holes of one picture file."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from ..wire import errors
from ..wire.errors import InpaintError
from .progress import ProgressLine
from .values import COLOUR, DEVICE, SETTING, Colour

if TYPE_CHECKING:
    import numpy as np

    from ..files import Picture
    from ..pipeline import Layer

STREAM = "-"
FORMATS = ("png", "jpeg", "webp", "tiff", "bmp")


@dataclass(frozen=True)
class Job:
    """What the command line asked for; a path may be `-` where the help says so."""

    image: str
    mask: str | None
    output: str
    mask_color: Colour | None
    tolerance: float
    sample_from: str | None
    sketch: str | None
    color: str | None
    layer: str | None
    format: str | None
    model: str
    device: str
    quiet: bool
    settings: dict[str, Any]

    @property
    def guides(self) -> dict[str, str]:
        """The files that the fill has to follow, by the names of the guidance."""
        return _guides(self.sketch, self.color)

    @property
    def count(self) -> int:
        """How many fills are asked for."""
        return int(self.settings.get("count", 1))

    def outputs(self, path: str) -> list[str]:
        """`path`, or for several fills `path` with -1, -2 and so on before its ending."""
        if self.count == 1:
            return [path]
        stem, suffix = os.path.splitext(path)
        return [f"{stem}-{number}{suffix}" for number in range(1, self.count + 1)]


@click.command()
@click.argument("image", metavar="IMAGE")
@click.argument("mask", metavar="[MASK]", required=False)
@click.option("-o", "--output", required=True, metavar="OUT", help="File to write; - for a pipe.")
@click.option("--mask-color", "--mask-colour", type=COLOUR, help="The hole is what has this colour in IMAGE.")
@click.option(
    "--tolerance",
    type=click.FloatRange(0, 255),
    default=16,
    show_default=True,
    help="How far a channel may be off --mask-color, of 255.",
)
@click.option("--model", default="auto", show_default=True, help="See ai-inpaint models list.")
@click.option("--grow", type=int, metavar="PX", help="Fill so many pixels around the mask, too.")
@click.option("--feather", type=int, metavar="PX", help="Let the fill fade out over so many pixels.")
@click.option("--context", type=int, metavar="PX", help="How far around a hole to look.")
@click.option(
    "--tile",
    is_flag=True,
    default=None,
    help="The picture goes on at the opposite edge, and so does the fill.",
)
@click.option(
    "--mosaic", is_flag=True, default=None, help="What MASK shows is a mosaic, whose cells the fill follows."
)
@click.option("--sample-from", metavar="MASK", help="Take the fill only from where this picture is bright.")
@click.option(
    "--sketch", metavar="FILE", help="Lines that the fill follows: on paper, or a transparent layer."
)
@click.option(
    "--color", "--colour", metavar="FILE", help="Strokes of colour that it follows: a transparent layer."
)
@click.option("--seed", type=int, help="Another number may give another fill.")
@click.option("--count", type=int, metavar="N", help="Make N fills: OUT with -1, -2 ... before its ending.")
@click.option("--device", type=DEVICE, default="auto", show_default=True, help="cpu, cuda, cuda:1, mps.")
@click.option(
    "--layer", metavar="FILE", help="Write the fill alone, too: a transparent layer of IMAGE's size."
)
@click.option("--format", type=click.Choice(FORMATS), help="Of OUT; else by its ending, png for a pipe.")
@click.option("--set", "own", type=SETTING, multiple=True, help="A setting of the model's own.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors and warnings.")
def run(
    own: tuple[tuple[str, str], ...],
    grow: int | None,
    feather: int | None,
    context: int | None,
    seed: int | None,
    count: int | None,
    tile: bool | None,
    mosaic: bool | None,
    **rest: Any,
) -> None:
    """Fill the hole in IMAGE and write the result to OUT.

    MASK is a picture of the same size, bright where the hole is; or --mask-color tells it by a colour
    painted into IMAGE. IMAGE or MASK may be - for standard input. Everything outside the hole stays as
    it was, with colour profile, EXIF, resolution, depth and transparency.

    OUT is replaced if it exists, but never may it be one of the files that are read.
    """
    named = {
        "grow": grow,
        "feather": feather,
        "context": context,
        "seed": seed,
        "count": count,
        "tile": tile,
        "mosaic": mosaic,
    }
    given = {name: value for name, value in named.items() if value is not None}
    _check_usage(rest)
    rest["model"] = weights_of(rest["model"])
    _check_guidance(rest["model"], list(_guides(rest["sketch"], rest["color"])))
    settings = checked_settings(rest["model"], {**given, **dict(own)})
    job = Job(**rest, settings=settings)
    _check_paths(job)
    fill(job)


def _check_usage(rest: dict[str, Any]) -> None:
    if rest["mask"] is None and rest["mask_color"] is None:
        raise click.UsageError(
            "Nothing says where the hole is: give a MASK picture, or --mask-color with the colour it is "
            "painted in."
        )
    if rest["mask"] is not None and rest["mask_color"] is not None:
        raise click.UsageError("MASK and --mask-color both say where the hole is: leave one of them out.")
    read = ("image", "mask", "sample_from", "sketch", "color")
    if [rest[name] for name in read].count(STREAM) > 1:
        raise click.UsageError("Standard input can be one picture only: give the others as files.")
    if rest["layer"] == STREAM:
        raise click.UsageError("The layer cannot go into a pipe: give --layer a file name.")


def _guides(sketch: str | None, color: str | None) -> dict[str, str]:
    return {name: path for name, path in (("sketch", sketch), ("colour", color)) if path is not None}


def _check_guidance(model: str, names: list[str]) -> None:
    """Refuse a sketch that the model would ignore, before anything is read or loaded."""
    if not names:
        return
    import models

    from ..pipeline import FillError, guidance

    try:
        if model == "auto":
            guidance.follower(names)
        for card in models.cards():
            if card.name == model != "auto":
                guidance.check(names, card)
    except FillError as problem:
        raise InpaintError(problem.code, problem.message, problem.hint) from problem


def weights_of(model: str) -> str:
    """The name of the weights that a network's name stands for; other names as they are."""
    from models import zoo
    from models.catalogue import CARDS

    weights = zoo.resolve(model)
    if weights is None and model in CARDS and model not in zoo.published():
        raise InpaintError(
            errors.NO_WEIGHTS, f"There are no weights of {model} on this computer.", zoo.suggestion(model)
        )
    return model if weights is None else weights.name


def checked_settings(model: str, values: dict[str, Any]) -> dict[str, Any]:
    """The settings given, as what they are to be; checked before any picture is read."""
    import models

    from ..pipeline import PARAMS
    from ..wire.params import check_settings
    from .values import typed

    cards = {
        "common": [asdict(param) for param in PARAMS],
        "models": [card.as_dict() for card in models.cards()],
    }
    known = [*cards["common"], *(param for card in cards["models"] for param in card["params"])]
    kinds = {spec["name"]: spec["kind"] for spec in known}
    converted = {name: typed(value, kinds.get(name, "text")) for name, value in values.items()}
    checked = check_settings(cards, model, converted)
    return {name: checked[name] for name in values}


def _check_paths(job: Job) -> None:
    """Refuse before the work what would destroy a file or could not be written after it."""
    from ..files import check_folder, format_of

    if job.output == STREAM:
        if job.count > 1:
            raise click.UsageError("A pipe takes one picture only: give -o a file name for --count.")
        if sys.stdout.isatty():
            raise click.UsageError("A picture is not written to a terminal: give -o a file name.")
    written = [] if job.output == STREAM else job.outputs(job.output)
    if job.layer is not None:
        written += job.outputs(job.layer)
    read = (job.image, job.mask, job.sample_from, job.sketch, job.color)
    taken = {path for path in read if path is not None and path != STREAM}
    for place, path in enumerate(written):
        for other in sorted(taken):
            if _same(path, other):
                raise InpaintError(
                    errors.BAD_PARAM,
                    f"{path} is the file {other} that is read.",
                    "Give another name to write.",
                )
        if any(_same(path, other) for other in written[:place]):
            raise InpaintError(
                errors.BAD_PARAM, f"{path} would be written twice.", "Give --layer another name than -o."
            )
        check_folder(path)
    if job.output != STREAM and job.format is None:
        format_of(job.output)
    if job.layer is not None:
        format_of(job.layer)


def _same(first: str, second: str) -> bool:
    try:
        return os.path.samefile(first, second)
    except OSError:  # one of them is not there yet
        return os.path.realpath(first) == os.path.realpath(second)


def fill(job: Job) -> None:
    """Read, fill, write.

    Raises:
        InpaintError: with a sentence for the user. No file is written then.
    """
    from .. import api, files

    started = time.monotonic()
    picture = files.read(_source(job.image))
    format = job.format.upper() if job.format else None
    if format is None:
        format = "PNG" if job.output == STREAM else files.format_of(job.output)
    _warn(picture.warnings + files.check_target(picture, format))
    if job.layer is not None:
        files.check_layer_target(job.layer, picture)
    mask = _mask(job, picture)
    source = None if job.sample_from is None else files.read_mask(_source(job.sample_from), picture.size)
    guidance = {name: _guide(name, path, picture) for name, path in job.guides.items()}
    label = "standard input" if job.image == STREAM else Path(job.image).name
    with ProgressLine(label, job.quiet) as show:
        layers = api.inpaint_layers(
            picture.pixels,
            mask,
            job.model,
            source=source,
            guidance=guidance,
            device=job.device,
            progress=show,
            **job.settings,
        )
    _write(job, picture, layers, format)
    if not job.quiet:
        took = time.monotonic() - started
        names = ["standard output"] if job.output == STREAM else job.outputs(job.output)
        for name, layer in zip(names, layers, strict=True):
            click.echo(
                f"{name}: filled by {layer.model}, seed {layer.seed}, {took:.1f} s", err=job.output == STREAM
            )


def _source(path: str) -> str | BinaryIO:
    if path != STREAM:
        return path
    if sys.stdin.isatty():
        raise click.UsageError("Standard input is a terminal: pipe a picture into it, or name a file.")
    return sys.stdin.buffer


def _warn(sentences: list[str]) -> None:
    for sentence in sentences:
        click.echo(f"ai-inpaint: warning: {sentence}", err=True)


def _mask(job: Job, picture: Picture) -> np.ndarray:
    from ..files import read_mask
    from ..imaging.mask import from_colour

    if job.mask_color is None:
        assert job.mask is not None
        mask = read_mask(_source(job.mask), picture.size)
        if not (mask > 0).any():
            raise InpaintError(
                errors.EMPTY_MASK,
                f"The mask {job.mask} is black everywhere: it marks no hole.",
                "Paint white what is to be filled.",
            )
        return mask
    mask = from_colour(picture.pixels, job.mask_color.rgb, job.tolerance)
    if not mask.any():
        raise InpaintError(
            errors.EMPTY_MASK,
            f"No pixel of {picture.name} has the colour {job.mask_color}.",
            "Check the colour, or raise --tolerance.",
        )
    return mask


def _guide(name: str, path: str, picture: Picture) -> np.ndarray:
    from ..files import read_guide
    from ..pipeline import guidance

    pixels = read_guide(_source(path), picture.size, name)
    if not guidance.drawn(name, guidance.planes(pixels)).any():
        raise InpaintError(
            errors.BAD_GUIDANCE,
            f"The {name} {path} is empty: nothing is drawn on it.",
            "Draw on it what the fill is to follow, or leave it out.",
        )
    return pixels


def _write(job: Job, picture: Picture, layers: list[Layer], format: str) -> None:
    """Write every candidate, and the layers; all files appear together."""
    from .. import files
    from ..imaging.composite import paste

    pixels = picture.pixels
    with files.Outputs() as outputs:
        for number, layer in enumerate(layers):
            x, y = layer.offset
            height, width = layer.pixels.shape[:2]
            # Laid into the picture itself and taken out again: no second copy of a large picture.
            before = pixels[y : y + height, x : x + width].copy()
            paste(pixels, layer.pixels, layer.offset, out=pixels)
            if job.output == STREAM:
                files.write(picture, pixels, sys.stdout.buffer, format)
            else:
                files.write(picture, pixels, job.outputs(job.output)[number], format, outputs)
            pixels[y : y + height, x : x + width] = before
            if job.layer is not None:
                files.write_layer(
                    job.outputs(job.layer)[number], layer.pixels, layer.offset, picture, outputs
                )
