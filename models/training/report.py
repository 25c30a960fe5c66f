"""What a training shows: a line of progress, curves as TensorBoard files and PNG, sheets of fills."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

CURVES = "curves.csv"


def line(step: int, steps: int, losses: Mapping[str, float], speed: float, left: float) -> str:
    """One line of progress.

    Args:
        speed: pictures a second.
        left: seconds.
    """
    told = "  ".join(f"{name} {value:.4g}" for name, value in losses.items())
    hours, minutes = divmod(round(left / 60), 60)
    return f"step {step}/{steps}  {told}  {speed:.1f} img/s  {hours} h {minutes:02d} min left"


class Curves:
    """Losses over steps: a CSV that a resumed training goes on with, TensorBoard files, and a PNG."""

    def __init__(self, out: Path, step: int) -> None:
        """What an earlier run in `out` wrote after `step` is dropped: it will be done again."""
        from tensorboardX import SummaryWriter

        self._path = out / CURVES
        self._rows = [row for row in _read(self._path) if row[0] <= step]
        with self._path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(self._rows)
        self._board = SummaryWriter(str(out / "tensorboard"), purge_step=step + 1)

    def add(self, step: int, losses: Mapping[str, float]) -> None:
        """Note the losses of a step."""
        rows = [(step, name, value) for name, value in losses.items()]
        self._rows += rows
        with self._path.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)
        for name, value in losses.items():
            self._board.add_scalar(name, value, step)
        self._board.flush()

    def draw(self, sheet: Path) -> None:
        """Write `curves.png`, every term in a plot of its own; TensorBoard gets the sheet as well."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        terms: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for step, name, value in self._rows:
            terms[name].append((step, value))
        with Image.open(sheet) as picture:
            self._board.add_image("sheet", np.asarray(picture), self._rows[-1][0], dataformats="HWC")
        figure = Figure(figsize=(8, 2.2 * len(terms)), layout="constrained")
        FigureCanvasAgg(figure)
        for number, (name, points) in enumerate(terms.items(), 1):
            axes = figure.add_subplot(len(terms), 1, number)
            axes.plot(*zip(*points, strict=True), linewidth=1)
            axes.set_title(name, loc="left", fontsize=9)
            axes.grid(alpha=0.3)
        figure.savefig(self._path.with_suffix(".png"), dpi=100)


def sheet(columns: Sequence[Tensor]) -> Image.Image:
    """Pictures side by side, one row for each.

    Args:
        columns: N x 3 x H x W each, RGB in [0, 1].
    """
    planes = [column.clamp(0, 1).permute(0, 2, 3, 1).cpu().float().numpy() for column in columns]
    rows = [
        np.concatenate([np.pad(plane[n], ((2, 2), (2, 2), (0, 0))) for plane in planes], 1)
        for n in range(len(planes[0]))
    ]
    return Image.fromarray(np.rint(np.concatenate(rows) * 255).astype(np.uint8))


def _read(path: Path) -> list[tuple[int, str, float]]:
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]  # a training that was killed may have begun another line
    return [(int(step), name, float(value)) for step, name, value in csv.reader(whole.splitlines())]
