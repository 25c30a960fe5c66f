"""Multi-scale completion by patches: how one hole is filled, from the coarsest level to the finest.

Wexler 2007 ("Space-time completion of video") alternates between finding for every patch that touches the
hole its nearest source patch, and giving every pixel the colour for which the patches over it vote. Here:

* The coarsest level starts from onion peels: layer after layer is matched by what is known further out.
* In the distance of two patches, known pixels count a hundred times what guessed ones do, so that
  structure grows inwards from the border instead of being argued away from inside.
* The last word is not a vote, which blurs, but the one best patch; then the seams between copied pieces
  are closed in the gradient domain, where they are not edges.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, Executor, Future, wait
from dataclasses import dataclass, replace

import numpy as np

from ..base import Cancel, Cancelled, Progress
from . import blend, levels, nnf

STRIP = 32  # rows of one task; the fill depends on it, so it must not depend on the number of threads
SMALLEST = 24  # px; the coarsest level's shorter side is at least this, unless the picture's is less
LONGEST = 384  # px; a level with a longer side than this is halved even so
REFINED_LEVELS = 3  # levels of a refinement, the finest included
FEW = 64  # sources; fewer on a level are kept on the way down whatever their share

TEXTURE_RADIUS = 2  # px
TEXTURE_SCALE = np.float32(5)  # of texture differences against colour differences
PENALTY = np.float32(0.5)  # distance between a pixel and one that is no source
WHOLE, HALF = 40, 25  # of 49 pixels; sources in a source patch, and where there are too few of those
GUESSED = np.float32(0.01)  # weight of a hole's pixel in the distance
TRUSTED = np.float32(0.3)  # the same at the start of a refinement
NEAR = np.float32(0.015)  # see `nnf.search`; as squared differences of colours in [0, 1]
FOREIGN = np.float32(0.25)  # picture diagonals; how far away patches count that are turned or scaled
CLING = np.float32(0.001)  # as `NEAR`
SPREAD = np.float32(0.2)  # see `blend.vote`
VOTE_REACH, CHOICE_REACH = 3.0, 1.7  # px; deviation of the Gaussian over a patch, for voting and choosing

ITERATIONS = (12, 6, 4, 3, 2)  # from the coarsest level; the last for all further ones
REFINE_ITERATIONS = (0, 2)
SWEEPS = 2  # of search in an iteration
PEEL_SWEEPS = 6
REACH = 64  # px; first window of the random search

SEAM_HOLD = np.float32(0.1)  # see `blend.relax`
# An edge that a seam would tear open is left alone beyond this error. Near the rim there is a truth to meet;
# deep inside, closing seams costs more texture than it mends.
SEAM_TOLERANCE_RIM, SEAM_TOLERANCE_DEEP = np.float32(0.1), np.float32(0.02)
SEAM_RIM = 8.0  # px; over which one passes into the other
SEAM_ROUNDS = 20

if not (nnf.RADIUS, nnf.CHANNELS) == (levels.RADIUS, levels.CHANNELS) == (blend.RADIUS, blend.CHANNELS):
    raise AssertionError("the kernels disagree about the shape of a field")


Pyramid = list[tuple[np.ndarray, np.ndarray, np.ndarray]]
"""Pixels, known and allowed of every level, the finest first."""


@dataclass
class Level:
    """One scale of the picture, with all that the kernels need; see `nnf` for the words."""

    field: np.ndarray
    hole: np.ndarray
    allowed: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    mass: np.ndarray
    eligible: np.ndarray
    sources: np.ndarray
    match: np.ndarray
    cost: np.ndarray

    def weigh(self, weight: np.ndarray) -> None:
        """Let target pixels count `weight` (H x W) in the distance."""
        self.weight = np.pad(weight.astype(np.float32), nnf.RADIUS)
        self.mass = levels.patch_sum(self.weight[nnf.RADIUS : -nnf.RADIUS, nnf.RADIUS : -nnf.RADIUS])


class Completion:
    """Fills one hole; made for one call."""

    def __init__(self, pool: Executor, seed: int, progress: Progress, cancel: Cancel) -> None:
        self._pool = pool
        self._seed = seed & 0x7FFFFFFF
        self._sweeps = 0
        self._near = NEAR
        self._progress = progress
        self._cancel = cancel
        self._work_done = 0.0
        self._work = 1.0

    def run(self, image: np.ndarray, hole: np.ndarray, allowed: np.ndarray, guided: bool) -> np.ndarray:
        """Fill the hole.

        Args:
            image: float32, 3 x H x W in [0, 1].
            hole, allowed: uint8, H x W; at least one pixel is allowed, none of them in the hole.
            guided: what the image has in the hole is a first guess; only the finest levels are run.

        Returns:
            float32, 3 x H x W, complete.
        """
        self._progress(0.0, "preparing")
        pyramid = self._pyramid(
            described(image, 1 - hole), 1 - hole, allowed, REFINED_LEVELS if guided else 0
        )
        level = self._descend(pyramid, image if guided else None)
        self._finish(level)
        colours = colours_of(level.field)
        np.clip(colours, 0, 1, out=colours)  # closing a seam may overshoot a little
        return colours.transpose(2, 0, 1)

    def _descend(self, pyramid: Pyramid, guess: np.ndarray | None) -> Level:
        """Match from the coarsest level to the finest, and return that.

        Args:
            pyramid: is emptied.
            guess: float32, 3 x H x W of the finest level; None to begin with nothing.
        """
        depth = len(pyramid)
        rounds = [self._iterations(number, guess is not None) for number in range(depth)]
        self._work = sum(count * 4.0 ** (n + 1 - depth) for n, count in enumerate(rounds)) or 1.0
        level = self._level(pyramid)
        self._start(level, None if guess is None else _shrunk(guess, depth - 1))
        for number, iterations in enumerate(rounds):
            if number:
                finer = self._level(pyramid)
                seed = self._next_seed()
                nnf.carry(level.match, finer.target, finer.eligible, finer.sources, finer.match, seed)
                level = finer
                self._vote(level)
            for iteration in range(iterations):
                self._sweep(level, SWEEPS)
                if number < depth - 1 or iteration < iterations - 1:
                    self._vote(level)
                self._advance(4.0 ** (number + 1 - depth))
        return level

    def _iterations(self, number: int, guided: bool) -> int:
        """Of a level, counted from the coarsest. Too many would talk a refinement out of its guess."""
        if guided:
            return REFINE_ITERATIONS[min(number, len(REFINE_ITERATIONS) - 1)]
        return ITERATIONS[min(number, len(ITERATIONS) - 1)]

    def _advance(self, work: float) -> None:
        self._work_done += work
        self._progress(0.95 * self._work_done / self._work, "matching")

    def _pyramid(self, pixels: np.ndarray, known: np.ndarray, allowed: np.ndarray, most: int) -> Pyramid:
        """Halve until the picture is small, to at most `most` levels unless that is 0."""
        pyramid = [(pixels, known, allowed)]
        while len(pyramid) != most:
            height, width = pyramid[-1][1].shape
            if min(height, width) < 2 * SMALLEST and max(height, width) <= LONGEST:
                break
            self._check()
            smaller = levels.halve(*pyramid[-1], 2)
            if np.count_nonzero(smaller[2]) < FEW:
                smaller = levels.halve(*pyramid[-1], 1)
            pyramid.append(smaller)
        return pyramid

    def _level(self, pyramid: Pyramid) -> Level:
        """The coarsest level that is left in the pyramid, taken out of it."""
        pixels, known, allowed = pyramid.pop()
        field = levels.pad(pixels, allowed, TEXTURE_SCALE, PENALTY)
        del pixels  # large
        self._check()
        hole = 1 - known
        usable = levels.patch_sum(allowed.astype(np.float32))
        eligible = (allowed > 0) & (usable >= WHOLE)
        for enough in (HALF, 1):
            if np.count_nonzero(eligible) < FEW:
                eligible = (allowed > 0) & (usable >= enough)
        self._check()
        level = Level(
            field=field,
            hole=hole,
            allowed=allowed,
            target=(levels.patch_sum(hole.astype(np.float32)) > 0).astype(np.uint8),
            weight=np.empty(0, np.float32),
            mass=np.empty(0, np.float32),
            eligible=eligible.astype(np.uint8),
            sources=np.flatnonzero(eligible).astype(np.int32),
            match=np.full((*hole.shape, 2), -1, np.int32),
            cost=np.zeros(hole.shape, np.float32),
        )
        level.weigh(self._weight_of(level))
        return level

    def _weight_of(self, level: Level) -> np.ndarray:
        """What each pixel counts in the distance."""
        return np.where(level.hole > 0, GUESSED, np.float32(1))

    def _check(self) -> None:
        if self._cancel():
            raise Cancelled()

    def _next_seed(self) -> int:
        """A seed for each sweep, in the order of the sweeps."""
        self._sweeps += 1
        return (self._seed * 1_000_003 + self._sweeps * 7919) & 0xFFFFFFFF

    def _start(self, level: Level, guess: np.ndarray | None) -> None:
        """A first fill of the coarsest level: the guess, or onion peels over a membrane."""
        self._spread(level)
        nnf.draw(level.target, level.eligible, level.sources, level.match, self._next_seed())
        if guess is None:
            self._peel(level)
            return
        inside = level.hole > 0
        height, width = inside.shape
        colours_of(level.field)[:height, :width][inside] = guess[inside]
        level.weigh(np.where(inside, TRUSTED, np.float32(1)))
        self._sweep(level, 2 * PEEL_SWEEPS)
        level.weigh(self._weight_of(level))

    def _spread(self, level: Level) -> None:
        """Give the hole's features smooth values from around it."""
        levels.membrane(level.field, level.hole, 100)

    def _peel(self, level: Level) -> None:
        """Match and fill layer by layer from the border, by nothing but what is filled already.

        After Newson 2014, section 3.2, whose layers are as thick as here: one pixel.
        """
        layers = np.ceil(levels.depth(level.hole)).astype(np.int32)
        drawn = level.match.copy()
        level.match[:] = -1
        for number in range(int(layers.max()) + 1):
            layer = ((layers == number) & (level.target > 0)).astype(np.uint8)
            level.match[layer > 0] = drawn[layer > 0]
            part = replace(level, target=layer, hole=layer)
            part.weigh(np.where(layers < max(number, 1), np.float32(1), np.float32(1e-4)))
            self._sweep(part, PEEL_SWEEPS)
            if number:
                self._vote(part)

    def _sweep(self, level: Level, count: int) -> None:
        """Improve the matches, in turn from top to bottom and from bottom to top."""
        for number in range(count):
            self._sweep_once(level, self._next_seed(), number % 2 == 1)

    def _sweep_once(self, level: Level, seed: int, backward: bool) -> None:
        reach = min(REACH, max(level.hole.shape))
        edges = _edges(level.match, backward)
        foreign = FOREIGN * np.float32(math.hypot(*level.hole.shape))

        def work(top: int, bottom: int) -> None:
            nnf.search(
                level.field, level.weight, level.mass, level.target, level.eligible, level.sources,
                level.match, level.cost, edges[top // STRIP], self._near, foreign, CLING, reach, seed,
                backward, top, bottom,
            )  # fmt: skip

        self._each_strip(level, work)

    def _vote(self, level: Level) -> None:
        kernel = _gaussian(VOTE_REACH)

        def work(top: int, bottom: int) -> None:
            blend.vote(
                level.field, level.hole, level.allowed, level.match, level.cost, level.mass, kernel, SPREAD,
                top, bottom,
            )  # fmt: skip

        self._each_strip(level, work)

    def _finish(self, level: Level) -> None:
        """Choose each pixel's source, then close the seams."""
        field, hole, allowed = level.field, level.hole, level.allowed
        kernel = _gaussian(CHOICE_REACH)
        origin = np.zeros_like(level.match)
        score = np.zeros_like(level.cost)
        self._each_strip(
            level,
            lambda top, bottom: blend.choose(
                field, hole, allowed, level.match, level.cost, level.mass, kernel, origin, score, top, bottom
            ),
        )
        self._progress(0.95, "blending")
        inside = level.target > 0
        slot = np.full(hole.shape, -1, np.int32)
        slot[inside] = np.arange(np.count_nonzero(inside), dtype=np.int32)
        near_rim = np.exp(levels.depth(hole) * np.float32(-1 / SEAM_RIM))
        tolerance = SEAM_TOLERANCE_DEEP + near_rim * (SEAM_TOLERANCE_RIM - SEAM_TOLERANCE_DEEP)
        links = np.zeros((np.count_nonzero(inside), 2, blend.LINK), np.float32)
        self._each_strip(
            level,
            lambda top, bottom: blend.link(
                field, hole, allowed, origin, score, slot, links, tolerance, top, bottom
            ),
        )
        for half in range(2 * SEAM_ROUNDS):
            over = np.float32(1.7 if half < 2 * SEAM_ROUNDS - 4 else 1.0)

            def work(top: int, bottom: int, over: np.float32 = over, parity: int = half % 2) -> None:
                blend.relax(field, hole, slot, links, SEAM_HOLD, over, parity, top, bottom)

            self._each_strip(level, work)

    def _each_strip(self, level: Level, work: Callable[[int, int], None]) -> None:
        """Run `work(top, bottom)` for every strip that has targets.

        Raises:
            Cancelled: once those strips that are under way have ended.
        """
        height = len(level.hole)
        tops = [top for top in range(0, height, STRIP) if level.target[top : top + STRIP].any()]
        self._check()
        pending: set[Future[None]] = {self._pool.submit(work, top, min(top + STRIP, height)) for top in tops}
        while pending:
            done, pending = wait(pending, timeout=0.1, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
            if pending and self._cancel():
                for future in pending:
                    future.cancel()
                wait(pending)
                raise Cancelled()


def _edges(match: np.ndarray, backward: bool) -> np.ndarray:
    """A copy of the row that borders each strip: the one above it, or, scanning backward, below."""
    tops = np.arange(0, len(match), STRIP)
    return match[np.minimum(tops + STRIP, len(match) - 1) if backward else np.maximum(tops - 1, 0)]


def described(image: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The finest level's pixels: colours and texture, zero in the hole."""
    pixels = np.zeros((*known.shape, levels.FEATURES), np.float32)
    np.copyto(pixels[..., : levels.COLOURS], image.transpose(1, 2, 0), where=known[..., None] > 0)
    levels.texture(pixels, known, TEXTURE_RADIUS)
    return pixels


def _shrunk(image: np.ndarray, times: int) -> np.ndarray:
    """The image as H x W x 3, halved so many times."""
    pixels = np.ascontiguousarray(image.transpose(1, 2, 0), dtype=np.float32)
    everywhere = np.ones(pixels.shape[:2], np.uint8)
    for _ in range(times):
        pixels, everywhere, _ = levels.halve(pixels, everywhere, everywhere, 2)
    return pixels


def colours_of(field: np.ndarray) -> np.ndarray:
    """The colours of a field without its padding, H x W x 3, a view."""
    inner = slice(nnf.RADIUS, -nnf.RADIUS)
    return field.reshape(len(field), -1, nnf.CHANNELS)[inner, inner, : levels.COLOURS]


def _gaussian(deviation: float) -> np.ndarray:
    ramp = np.arange(-nnf.RADIUS, nnf.RADIUS + 1)
    return np.exp(-(ramp[:, None] ** 2 + ramp**2) / (2 * deviation**2)).astype(np.float32)
