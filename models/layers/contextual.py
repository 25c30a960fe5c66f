"""Contextual attention: what is in the hole is put together from patches of what is around it.

Yu et al. 2018, "Generative image inpainting with contextual attention" (arXiv 1801.07892), section 4.1.
The matrix of scores between all places and all patches is never held as a whole: it is computed for one
row of places after the other, so that 2048 x 2048 pixels take 1.4 GB; the matrix alone would take 17.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

SOFTMAX_SCALE = 10.0
SMALLEST_NORM = 1e-4


class ContextualAttention(nn.Module):
    """Rebuilds features from their own patches: 3 x 3 to compare, 4 x 4 to paste, at every other pixel.

    The published programs differ in how they reduce features and mask to half the features' size, and
    in whether scores are fused; weights trained with one are not at home in another.
    """

    def __init__(self, aligned: bool = True, steps: tuple[int, ...] = (4, 2), fused: bool = True) -> None:
        """
        Args:
            aligned: whether reduction takes the nearest pixel of a grid whose corners lie on the corners
                (TensorFlow's `align_corners`), or every n-th pixel.
            steps: factors by which the mask is reduced, one after the other; their product is 8.
            fused: whether neighbouring places are encouraged to use neighbouring patches (the paper's
                "attention propagation").
        """
        super().__init__()
        self.aligned, self.steps, self.fused = aligned, steps, fused

    def forward(
        self,
        features: Tensor,
        mask: Tensor,
        reach: int | None = None,
        step: Callable[[], object] | None = None,
    ) -> Tensor:
        """
        Args:
            features: N x C x h x w, both even.
            mask: N x 1 x 4h x 4w, 1 = hole. (The authors' program takes the first sample's for all.)
            reach: the answer may be wrong (0) farther than this from the hole's box, pixels of the mask.
                None: it is right everywhere.
            step: called between rows; what it raises ends the computation.

        Returns:
            N x C x h x w.
        """
        answers = []
        for n in range(len(features)):
            unknown = mask[n, 0]
            for factor in self.steps:
                unknown = self._reduce(unknown, factor)
            box = _box(mask[n, 0], reach)
            answers.append(self._attend(features[n], unknown, box, step))
        return torch.stack(answers)

    def _reduce(self, grid: Tensor, factor: int) -> Tensor:
        """The last two axes of a grid, `factor` times smaller, by nearest neighbour."""
        for axis in (-2, -1):
            size = grid.shape[axis]
            index = torch.arange(0, size, factor)
            if self.aligned:
                index = (torch.linspace(0, size - 1, size // factor) + 0.5).floor().long()
            grid = grid.index_select(axis, index.to(grid.device))
        return grid

    def _attend(
        self,
        features: Tensor,
        unknown: Tensor,
        box: tuple[int, int, int, int],
        step: Callable[[], object] | None,
    ) -> Tensor:
        """One sample: C x h x w, mask h/2 x w/2, first and last row and column of the places wanted."""
        height, width = unknown.shape
        top, bottom, left, right = box
        # Half precision is not enough for scores: ten times their error goes through an exponential.
        small = functional.unfold(self._reduce(features, 2)[None].float(), 3, padding=1)[0]
        scores = _Scores(small, height, width, left, right, self.fused)
        usable = functional.max_pool2d(unknown[None].float(), 3, 1, 1).flatten() == 0
        patches = functional.unfold(features[None], 4, padding=1, stride=2)[0].T  # places x 16 C
        pasted = features.new_zeros(len(features), 2 * height + 2, 2 * width + 2)
        for row in range(top, bottom + 1):
            if step is not None:
                step()
            weights = torch.softmax(scores.row(row).mul_(usable * SOFTMAX_SCALE), 1) * usable
            drawn = weights.to(patches.dtype) @ patches
            count = right - left + 1
            pasted[:, 2 * row : 2 * row + 4, 2 * left : 2 * right + 4] += functional.fold(
                drawn.T, (4, 2 * count + 2), 4, stride=2
            )
        return pasted[:, 1:-1, 1:-1] / 4


class _Scores:
    """Scores of the places of one row, columns left to right, against every patch.

    Fusion adds the scores of a place's neighbours against a patch's neighbours in the same direction:
    first along rows, then along columns, both of them read as one long line, so that the end of one
    row or column neighbours the beginning of the next.
    """

    def __init__(self, places: Tensor, height: int, width: int, left: int, right: int, fused: bool) -> None:
        """
        Args:
            places: float32, K x (height · width), the 3 x 3 neighbourhood of every place.
            left, right: first and last column of places that are wanted.
        """
        self.places = places
        self.patches = places / places.norm(dim=0).clamp(min=SMALLEST_NORM)
        self.height, self.width, self.left, self.right, self.fused = height, width, left, right, fused
        self.kept: dict[int, Tensor] = {}  # rows after the first step of fusion

    def row(self, row: int) -> Tensor:
        """float32, (right - left + 1) x (height · width); the caller may write to it."""
        if not self.fused:
            start = row * self.width
            return self._plain(start + self.left, start + self.right + 1)
        rows = range(max(row - 1, 0), min(row + 2, self.height))
        self.kept = {n: self.kept[n] if n in self.kept else self._along_row(n) for n in rows}
        above = self.kept[row - 1] if row > 0 else self._along_row(self.height - 1, -1)
        below = self.kept[row + 1] if row + 1 < self.height else self._along_row(0, 1)
        fused = self.kept[row].clone()
        grid, above, below = (t.view(-1, self.height, self.width) for t in (fused, above, below))
        grid[:, 1:] += above[:, :-1]
        grid[:, 0, 1:] += above[:, -1, :-1]
        grid[:, :-1] += below[:, 1:]
        grid[:, -1, :-1] += below[:, 0, 1:]
        return fused

    def _along_row(self, row: int, shift: int = 0) -> Tensor:
        """The first step, for columns left + shift to right + shift; 0 where there is no such column."""
        start = row * self.width + shift
        plain = self._plain(start + self.left - 1, start + self.right + 2)
        fused = plain[1:-1].clone()
        fused[:, 1:] += plain[:-2, :-1]
        fused[:, :-1] += plain[2:, 1:]
        if self.left + shift < 0:
            fused[0] = 0
        if self.right + shift >= self.width:
            fused[-1] = 0
        return fused

    def _plain(self, start: int, stop: int) -> Tensor:
        """Scores of the places `start` to `stop`, counted row by row; 0 where there is none."""
        count = self.places.shape[1]
        first, last = max(start, 0), min(stop, count)
        with torch.autocast(self.places.device.type, enabled=False):
            scores = self.places[:, first:last].T @ self.patches
        return functional.pad(scores, (0, 0, first - start, stop - last))


def _box(mask: Tensor, reach: int | None) -> tuple[int, int, int, int]:
    """First and last row and column of the places, 8 pixels apart, that lie near the hole."""
    bounds = []
    for axis in (1, 0):
        last = mask.shape[1 - axis] - 1
        found = mask.amax(axis).nonzero()
        if reach is None or not len(found):
            bounds += [0, last // 8]
        else:
            bounds += [max(int(found[0]) - reach, 0) // 8, min(int(found[-1]) + reach, last) // 8]
    return bounds[0], bounds[1], bounds[2], bounds[3]
