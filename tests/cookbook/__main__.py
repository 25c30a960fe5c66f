"""`python -m tests.cookbook`: carry out every recipe, and make the pictures that README shows."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import click
from PIL import Image, ImageDraw

from .recipes import RECIPES, Recipe, Shown

ROOT = Path(__file__).parents[2]
PICTURES = Path(__file__).with_name("pictures")
_HEIGHT, _GAP, _LINE, _WIDEST = 260, 6, 16, 980  # px


def cook(recipe: Recipe, folder: Path) -> None:
    """Run a recipe's command in an empty folder, as somebody without any weights of networks would.

    Raises:
        CalledProcessError: the command failed.
    """
    recipe.prepare(folder)
    command = [sys.executable, "-m", "backend.cli", *shlex.split(recipe.command)[1:]]
    with tempfile.TemporaryDirectory() as none:
        environment = {**os.environ, "AI_INPAINT_MODELS": none, "PYTHONPATH": str(ROOT)}
        subprocess.run(
            command, cwd=folder, env=environment, check=True, stdin=subprocess.DEVNULL, capture_output=True
        )


def sheet(shown: Shown) -> Image.Image:
    """The pictures side by side, each with its title above."""
    widths = [picture.width * _HEIGHT / picture.height for _, picture in shown]
    factor = min(1.0, (_WIDEST - _GAP * (len(shown) - 1)) / sum(widths))
    sizes = [(round(width * factor), round(_HEIGHT * factor)) for width in widths]
    result = Image.new(
        "RGB", (sum(w for w, _ in sizes) + _GAP * (len(shown) - 1), sizes[0][1] + _LINE), "white"
    )
    left = 0
    for (title, picture), size in zip(shown, sizes, strict=True):
        ImageDraw.Draw(result).text((left, 1), title, "black")
        result.paste(picture.resize(size, Image.Resampling.LANCZOS), (left, _LINE))
        left += size[0] + _GAP
    return result


def save(picture: Image.Image, path: Path) -> None:
    """Write a JPEG as those in README are."""
    picture.save(path, quality=86, optimize=True)


@click.command()
@click.argument("names", nargs=-1)
def main(names: tuple[str, ...]) -> None:
    """Make the pictures of these recipes, or of all."""
    PICTURES.mkdir(exist_ok=True)
    for recipe in RECIPES:
        if names and recipe.name not in names:
            continue
        with tempfile.TemporaryDirectory() as folder:
            cook(recipe, Path(folder))
            save(sheet(recipe.show(Path(folder))), PICTURES / f"{recipe.name}.jpg")
        click.echo(recipe.name)


if __name__ == "__main__":
    main()
