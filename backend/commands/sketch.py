"""`ai-inpaint sketch`: the lines of a picture, to be redrawn and given to `run --sketch`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from ..wire import errors
from ..wire.errors import InpaintError
from .progress import ProgressLine
from .values import DEVICE


@click.command()
@click.argument("image", metavar="IMAGE")
@click.argument("mask", metavar="[MASK]", required=False)
@click.option("-o", "--output", required=True, metavar="OUT", help="File to write: a transparent layer.")
@click.option("--detail", type=int, metavar="PERCENT", help="0 for the plainest outlines only; default 50.")
@click.option("--detector", help="hed draws as people do and needs weights; gradients needs none; else auto.")
@click.option("--device", type=DEVICE, default="auto", show_default=True, help="cpu, cuda, cuda:1, mps.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors and warnings.")
def sketch(
    image: str,
    mask: str | None,
    output: str,
    detail: int | None,
    detector: str | None,
    device: str,
    quiet: bool,
) -> None:
    """Draw the lines of IMAGE, or of the part that is bright in MASK, and write them to OUT.

    OUT is a transparent picture of IMAGE's size with black lines, as "New Sketch Layer from Picture" makes
    it in the editors. Redraw it, and fill with:

    ai-inpaint run IMAGE MASK --sketch OUT -o FILLED
    """
    from .. import api, files

    for path in (image, mask):
        if path is not None and os.path.realpath(path) == os.path.realpath(output):
            raise InpaintError(
                errors.BAD_PARAM, f"{output} is the file {path} that is read.", "Give another name to write."
            )
    files.check_folder(output)
    files.format_of(output)
    picture = files.read(image)
    files.check_layer_target(output, picture)
    part = None if mask is None else files.read_mask(mask, picture.size)
    given = {"detail": detail, "detector": detector}
    settings: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    with ProgressLine(Path(image).name, quiet) as show:
        layer = api.sketch(picture.pixels, part, device=device, progress=show, **settings)
    with files.Outputs() as outputs:
        files.write_layer(output, layer.pixels, layer.offset, picture, outputs)
    if not quiet:
        click.echo(f"{output}: {_words(layer.model, detector)}")


def _words(found_by: str, asked: str | None) -> str:
    """What found the lines, and how to get better ones."""
    from models.guidance import hed

    if found_by == "hed":
        return "lines found by the edge detector HED"
    if asked == found_by:
        return "lines found by gradients"
    way = "ai-inpaint models get hed" if hed.find() is None else "pip install h5py"
    return f"lines found by gradients; for lines as people draw them: {way}"
