"""`python -m tests.benchmarks.guided`: whether fills follow the lines that are drawn for them.

The lines of the true picture, inside the hole, are the sketch. The lines of the fill are found the same way,
and compared with them: with the sketch given to the model, and without it.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import torch
from PIL import Image
from scipy import ndimage

import backend
from models.guidance import Detector, colours, sketch
from models.guidance.hed import load as load_hed
from models.training import sources

from . import bootstrap, masks, methods, metrics, pictures

_STROKE = 4  # px, breadth of strokes of colour, as SC-FEGAN was trained with
_BETWEEN = 24  # px between them


class Score(NamedTuple):
    """How well lines agree, 0 to 1: share of the fill's that were drawn, of the drawn that the fill has."""

    precision: float
    recall: float

    @property
    def f(self) -> float:
        """Their harmonic mean."""
        return 2 * self.precision * self.recall / max(self.precision + self.recall, 1e-9)


def lines(picture: np.ndarray, by: Detector) -> np.ndarray:
    """bool H x W: the lines of a picture, uint8 H x W x 3."""
    planes = torch.from_numpy(picture.transpose(2, 0, 1)[None].astype(np.float32) / 255)
    return sketch(planes, by)[0, 0].numpy() > 0


def edge_score(
    result: np.ndarray, drawn: np.ndarray, hole: np.ndarray, by: Detector, tolerance: float = 3.0
) -> Score:
    """Compare a fill's lines with those drawn, inside the hole.

    Args:
        result: uint8 H x W x 3, filled.
        drawn: bool H x W, thin lines.
        hole: bool H x W.
        by: what finds the fill's lines.
        tolerance: px by which a line may be beside another and still be the same.

    Returns:
        Precision and recall; both 1 if neither has a line, 0 if one of them has none.
    """
    found, wanted = lines(result, by) & hole, drawn & hole
    if not found.any() or not wanted.any():
        same = float(found.any() == wanted.any())
        return Score(same, same)
    to_found, to_wanted = (ndimage.distance_transform_edt(~one) for one in (found, wanted))
    return Score(float((to_wanted[found] <= tolerance).mean()), float((to_found[wanted] <= tolerance).mean()))


def strokes(truth: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """uint8 H x W x 4: sparse strokes of the picture's own colours in the hole."""
    planes = torch.from_numpy(truth.transpose(2, 0, 1)[None].astype(np.float32) / 255)
    flat = np.rint(colours(planes)[0].numpy().transpose(1, 2, 0) * 255).astype(np.uint8)
    rows = np.arange(len(hole)) % _BETWEEN < _STROKE
    painted = hole & rows[:, None]
    return np.dstack([flat, painted.astype(np.uint8) * 255])


@click.command()
@click.option("--model", default="sketcher", show_default=True, help="A model that takes guidance.")
@click.option("--beside", default="patchmatch", show_default=True, help="Models without, by commas.")
@click.option("--cache", type=click.Path(path_type=Path), default=None, help="Folder of the pictures.")
@click.option("--out", type=click.Path(path_type=Path), default=Path(".cache/benchmarks"), show_default=True)
@click.option("--half", type=click.Choice([*pictures.HALVES, "both"]), default="held-out", show_default=True)
@click.option("--kinds", default="brush,big", show_default=True, help="Masks, by commas.")
@click.option("--size", default=256, show_default=True, help="Side of the crops, px.")
@click.option("--limit", default=0, help="Only the first so many pictures.")
def main(
    model: str, beside: str, cache: Path | None, out: Path, half: str, kinds: str, size: int, limit: int
) -> None:
    """Fill with and without guidance; write a table, a sheet and all numbers."""
    cache = cache or pictures.default_cache()
    try:
        pictures.fetch(cache)
        metrics.VggDistance(cache)  # fetches the weights that the edges are found with
    except sources.SourceError as error:
        raise click.ClickException(str(error)) from error
    network = load_hed(cache / metrics.WEIGHTS)

    def run(image: torch.Tensor, watch: object) -> torch.Tensor:
        with torch.inference_mode():
            return network(image)

    by = Detector("hed", 0.2, 0.45, run, "cpu")
    halves = pictures.HALVES if half == "both" else (half,)
    every = [p for h in halves for p in pictures.listed([h])[: limit or None]]
    ways = [f"{model}, sketch and colour", f"{model}, sketch", model, *filter(None, beside.split(","))]
    rows, sheet = [], []
    for kind in kinds.split(","):
        for picture in every:
            truth = pictures.crop(pictures.load(picture, cache), size)
            hole = masks.make(kind, truth.shape[:2], zlib.crc32(picture.name.encode()))
            drawn = lines(truth, by) & hole
            if not drawn.any():
                continue
            layer = np.dstack([np.zeros_like(truth), drawn.astype(np.uint8) * 255])
            guides = {"sketch": layer, "colour": strokes(truth, hole)}
            shown = [
                truth,
                np.where(drawn[..., None], np.uint8(0), np.where(hole[..., None], np.uint8(255), truth)),
            ]
            for way in ways:
                given = {name: guide for name, guide in guides.items() if name in way.partition(", ")[2]}
                result = backend.inpaint(
                    methods.spoil(truth, hole),
                    hole,
                    way.partition(", ")[0],
                    guidance=given,
                    grow=0,
                    feather=0,
                )
                score = edge_score(result, drawn, hole, by)
                rows.append(
                    {"way": way, "kind": kind, "picture": picture.name, **score._asdict(), "f": score.f}
                )
                shown.append(result)
            sheet.append(np.concatenate(shown, axis=1))
            click.echo(f"{kind} {picture.name}", err=True)
    out.mkdir(parents=True, exist_ok=True)
    (out / "guided.json").write_text(json.dumps(rows, indent=0))
    Image.fromarray(np.concatenate(sheet)).save(out / "guided.png")
    report = _report(rows, ways, kinds.split(","), model)
    (out / "guided.md").write_text(report)
    click.echo(report)


def _report(rows: Sequence[dict[str, object]], ways: Sequence[str], kinds: Sequence[str], model: str) -> str:
    def column(kind: str, way: str, name: str) -> list[float]:
        return [float(row[name]) for row in rows if (row["kind"], row["way"]) == (kind, way)]  # type: ignore[arg-type]

    text = ["# Lines of the fill against the lines drawn, inside the hole", ""]
    text += [
        "Medians; in brackets the 95 % interval by bootstrap. Gain: over the same model without guidance.",
        "",
    ]
    for kind in kinds:
        text += [f"## {kind}", "", "| method | F | precision | recall | gain in F |", "|---|---|---|---|---|"]
        bare = column(kind, model, "f")
        for way in ways:
            f = column(kind, way, "f")
            gain = bootstrap.median([a - b for a, b in zip(f, bare, strict=True)])
            cells = ["{:.3f} ({:.3f} to {:.3f})".format(*bootstrap.median(f))]
            cells += [f"{np.median(column(kind, way, name)):.3f}" for name in ("precision", "recall")]
            cells += ["{:+.3f} ({:+.3f} to {:+.3f})".format(*gain) if way != model else ""]
            text.append(f"| {way} | {' | '.join(cells)} |")
        text.append("")
    return "\n".join(text)


if __name__ == "__main__":
    main()
