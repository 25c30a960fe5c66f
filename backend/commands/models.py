"""`ai-inpaint models`: what can fill a hole."""

from __future__ import annotations

import json
from dataclasses import asdict

import click


@click.group(name="models")
def models() -> None:
    """Say which models there are."""


@models.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Everything that is known of each, for programs.")
def list_models(as_json: bool) -> None:
    """List the models that --model takes, and what each is good for."""
    from models import cards

    from ..wire.params import describe

    known = cards()
    if as_json:
        click.echo(json.dumps([card.as_dict() for card in known], indent=2, ensure_ascii=False))
        return
    rows = [("NAME", "TITLE", "GOOD AT"), *((c.name, c.title, ", ".join(c.good_at)) for c in known)]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for place, row in enumerate(rows):
        sentence = "WHAT IT DOES" if place == 0 else known[place - 1].sentence
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        click.echo("  ".join([*cells, sentence]))
        for param in known[place - 1].params if place else ():
            click.echo(f"    --set {param.name}=...  {param.title}: {describe(asdict(param))}. {param.help}")
