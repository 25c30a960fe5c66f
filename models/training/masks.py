"""Random holes, as the papers draw them and as users leave them.

Every function takes the height and width in px and a generator, and gives bool, H x W, true in the hole. Same
generator state, same hole. `make` draws by name; an empty hole, or one that leaves too little of the picture,
is drawn anew.

Lengths in the papers are meant for one size of picture; here they scale with the shorter side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

MOST = 0.75  # of the picture; a larger hole is drawn anew
DRAWS = 20  # attempts, after which a kind of hole is taken to be impossible at this size


@dataclass(frozen=True)
class Strokes:
    """Broken lines and boxes as LaMa draws them (arXiv 2109.07161, section 2.4 and supplement).

    Attributes:
        size: side of the pictures that the lengths are meant for, px.
        strokes: fewest and most.
        length, width: most of a segment, px.
        boxes: fewest and most; none are drawn with probability 1 - `box_share`.
        box_side: least and most, px.
        box_share: how often boxes are added (or, where `either`, take the strokes' place).
        either: strokes or boxes, not both.
    """

    size: int
    strokes: tuple[int, int]
    length: int
    width: int
    boxes: tuple[int, int] = (0, 0)
    box_side: tuple[int, int] = (0, 0)
    box_share: float = 0.0
    either: bool = False


LAMA_TRAINING = Strokes(256, (1, 6), 200, 100, (1, 4), (30, 149), 0.5, either=True)
LAMA_THIN = Strokes(512, (4, 70), 100, 20)
LAMA_MEDIUM = Strokes(512, (4, 10), 200, 100, (1, 5), (30, 150), 0.3)
LAMA_THICK = Strokes(512, (1, 5), 450, 250, (1, 4), (30, 300), 0.3)


def lama(height: int, width: int, rng: np.random.Generator, style: Strokes = LAMA_TRAINING) -> np.ndarray:
    """LaMa's strokes and boxes; `LAMA_THIN`, `LAMA_MEDIUM` and `LAMA_THICK` are its evaluation sets."""
    scale = min(height, width) / style.size
    canvas = _Canvas(height, width)
    boxes = rng.random() < style.box_share
    if not (boxes and style.either):
        for number in range(rng.integers(*style.strokes, endpoint=True)):
            at = np.array([rng.integers(width), rng.integers(height)], float)
            for _ in range(rng.integers(1, 5, endpoint=True)):
                angle = 0.01 + rng.integers(4)  # radians
                angle = 2 * np.pi - angle if number % 2 == 0 else angle
                reach = (10 + rng.integers(style.length)) * scale
                end = np.clip(at + reach * np.array([np.sin(angle), np.cos(angle)]), 0, (width, height))
                canvas.line([at, end], (5 + rng.integers(style.width)) * scale)
                at = end
    if boxes:
        for _ in range(rng.integers(*style.boxes, endpoint=True)):
            canvas.box(_box(height, width, rng, *(side * scale for side in style.box_side)))
    return canvas.hole


def deepfill_brush(
    height: int, width: int, rng: np.random.Generator, starts: Sequence[tuple[float, float]] = ()
) -> np.ndarray:
    """Free-form strokes of DeepFill v2 (arXiv 1806.03589, section 4.2): 1 to 3, of 4 to 11 vertices.

    Args:
        starts: x, y of the first vertex of further strokes, px: where a face's eyes are, say.
    """
    canvas = _Canvas(height, width)
    scale = min(height, width) / 256
    radius = np.hypot(height, width) / 8
    places = [(rng.uniform(0, width), rng.uniform(0, height)) for _ in range(rng.integers(1, 4))]
    for start in (*places, *starts):
        mean = 2 * np.pi / 5
        low, high = mean - rng.uniform(0, 2 * np.pi / 15), mean + rng.uniform(0, 2 * np.pi / 15)
        points = [np.array(start, float)]
        for vertex in range(rng.integers(4, 12)):
            angle = rng.uniform(low, high)
            angle = 2 * np.pi - angle if vertex % 2 == 0 else angle
            reach = np.clip(rng.normal(radius, radius / 2), 0, 2 * radius)
            step = reach * np.array([np.cos(angle), np.sin(angle)])
            points.append(np.clip(points[-1] + step, 0, (width, height)))
        canvas.line(points, rng.uniform(12, 40) * scale)
    return canvas.hole


def deepfill_box(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """DeepFill's box: half the picture's side, each side shrunk by up to an eighth of that."""
    canvas = _Canvas(height, width)
    half = min(height, width) / 2
    canvas.box(_box(height, width, rng, half * 7 / 8, half))
    return canvas.hole


def deepfill(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """What DeepFill v2 trains on: a box or a brush, in one hole."""
    return deepfill_box(height, width, rng) | deepfill_brush(height, width, rng)


def random_walk(
    height: int, width: int, rng: np.random.Generator, ratio: float | None = None, border: bool = True
) -> np.ndarray:
    """A random walk's trace, PConv's kind of irregular hole (arXiv 1804.07723, section 4.1).

    Args:
        ratio: share of the picture after which the walk ends; None draws one from 0.01 to 0.6.
        border: whether the hole may touch the border; else it stays a tenth of the shorter side away
            (the paper: 50 of 512 px).
    """
    wanted = rng.uniform(0.01, 0.6) if ratio is None else ratio
    margin = 0 if border else round(min(height, width) * 50 / 512)
    hole = np.zeros((height, width), bool)
    inner = hole[margin : height - margin, margin : width - margin]
    rows, columns = inner.shape
    at = rng.integers((rows, columns))
    brush = max(1, round(min(height, width) / 128))
    target = min(wanted * height * width, 0.9 * inner.size)
    while np.count_nonzero(inner) < target:
        steps = rng.integers(-1, 1, size=(1024, 2), endpoint=True) * brush
        path = np.abs(at + np.cumsum(steps, axis=0))
        path = _folded(path, np.array([rows, columns]))  # a wall turns the walk back
        at = path[-1]
        for dy in range(brush):
            for dx in range(brush):
                inner[np.minimum(path[:, 0] + dy, rows - 1), np.minimum(path[:, 1] + dx, columns - 1)] = True
    return hole


def free_form(
    height: int, width: int, rng: np.random.Generator, centres: Sequence[tuple[float, float]] = ()
) -> np.ndarray:
    """SC-FEGAN's free-form hole (arXiv 1902.06838, section 3.1): strokes at random, and from given centres.

    Args:
        centres: x, y, px, of what shall often be redrawn; each begins a stroke with probability 1/2.
    """
    chosen = [centre for centre in centres if rng.random() < 0.5]
    return deepfill_brush(height, width, rng, chosen)


def strokes(height: int, width: int, rng: np.random.Generator, thickness: float) -> np.ndarray:
    """A few loose strokes of a brush, 4 to 12, of a thickness in px: where somebody dabs colours, say."""
    canvas = _Canvas(height, width)
    side = min(height, width)
    for _ in range(rng.integers(4, 13)):
        at, angle = rng.uniform((0, 0), (width, height)), rng.uniform(0, 2 * np.pi)
        points = [at]
        for _ in range(rng.integers(2, 7)):
            angle += rng.normal(0, 0.5)
            at = at + rng.uniform(0.02, 0.1) * side * np.array([np.cos(angle), np.sin(angle)])
            points.append(at)
        canvas.line(points, thickness)
    return canvas.hole


def outline(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """The outline of an object, as a lasso leaves it: a closed curve of a few harmonics, or two of them."""
    canvas = _Canvas(height, width)
    for _ in range(rng.integers(1, 3)):
        angle = np.linspace(0, 2 * np.pi, 96, endpoint=False)
        radius = np.ones_like(angle)
        for harmonic in range(2, 7):
            radius += rng.normal(0, 0.35 / harmonic) * np.cos(harmonic * angle + rng.uniform(0, 2 * np.pi))
        size = rng.uniform(0.08, 0.3) * min(height, width)
        stretch, turn = rng.uniform(0.5, 1), rng.uniform(0, np.pi)
        x, y = size * radius.clip(0.1) * np.cos(angle), size * stretch * radius.clip(0.1) * np.sin(angle)
        centre = rng.uniform((0, 0), (width, height))
        points = np.stack([x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)], 1)
        canvas.polygon(points + centre)
    return canvas.hole


def bars(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Bars over a drawing: one to five, parallel or nearly so, long and thin, with straight ends."""
    canvas = _Canvas(height, width)
    side = min(height, width)
    length, thickness = rng.uniform(0.1, 0.45) * side, rng.uniform(0.025, 0.09) * side
    turn = rng.choice([0.0, np.pi / 2]) if rng.random() < 0.5 else rng.uniform(0, np.pi)
    along, across = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
    centre = rng.uniform((0.15 * width, 0.15 * height), (0.85 * width, 0.85 * height))
    gap = thickness * rng.uniform(1.5, 3)
    count = rng.integers(1, 6)
    for number in range(count):
        middle = centre + across * gap * (number - (count - 1) / 2) + along * rng.normal(0, 0.1) * length
        half, thick = along * length * rng.uniform(0.4, 0.6), across * thickness * rng.uniform(0.4, 0.6)
        corners = [-half - thick, half - thick, half + thick, thick - half]
        canvas.polygon(middle + np.array(corners))
    return canvas.hole


def mosaic(height: int, width: int, rng: np.random.Generator) -> tuple[np.ndarray, int, tuple[int, int]]:
    """A region that was covered by a mosaic: whole cells of a grid.

    Returns:
        The hole; the cells' side, px; x and y of the grid's first line, less than a cell.
    """
    cell = int(rng.integers(max(4, min(height, width) // 64), max(6, min(height, width) // 12)))
    phase = rng.integers(cell, size=2)
    shape = outline(height, width, rng)
    rows = (np.arange(height) - phase[1]) // cell + 1
    columns = (np.arange(width) - phase[0]) // cell + 1
    covered = np.zeros((rows[-1] + 1, columns[-1] + 1))
    np.add.at(covered, (rows[:, None], columns[None]), shape)
    return covered[rows[:, None], columns[None]] > cell * cell / 2, cell, (int(phase[0]), int(phase[1]))


def make_mosaic(height: int, width: int, rng: np.random.Generator) -> tuple[np.ndarray, int, tuple[int, int]]:
    """As `mosaic`, drawn anew as `make` does it.

    Raises:
        ValueError: the picture is too small.
    """
    for _ in range(DRAWS):
        hole, cell, phase = mosaic(height, width, rng)
        if 0 < np.count_nonzero(hole) <= MOST * hole.size:
            return hole, cell, phase
    raise ValueError(f"no mosaic fits into {width} x {height} px")


def pixelate(image: np.ndarray, hole: np.ndarray, cell: int, phase: tuple[int, int]) -> np.ndarray:
    """Replace every cell that the hole touches by its mean colour, inside the hole.

    Args:
        image: float32, C x H x W.
        hole, cell, phase: as `mosaic` gives them.

    Returns:
        A new array; outside the hole it is `image`.
    """
    channels, height, width = image.shape
    rows = (np.arange(height) - phase[1]) // cell + 1
    columns = (np.arange(width) - phase[0]) // cell + 1
    label = rows[:, None] * (columns[-1] + 1) + columns[None]
    count = np.bincount(label.ravel(), minlength=label.max() + 1)
    means = [np.bincount(label.ravel(), plane.ravel(), len(count)) / np.maximum(count, 1) for plane in image]
    cells = np.stack([mean[label] for mean in means]).astype(np.float32)
    return np.where(hole, cells, image) if channels else image


def centre(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """The context encoder's hole: the middle, 56 of 128 px on each side (arXiv 1604.07379, section 4)."""
    canvas = _Canvas(height, width)
    rows, columns = (round(side * 56 / 128) for side in (height, width))
    top, left = (height - rows) // 2, (width - columns) // 2
    canvas.box((left, top, left + columns, top + rows))
    return canvas.hole


def _mixed(names: Mapping[str, float]) -> Callable[[int, int, np.random.Generator], np.ndarray]:
    kinds, weights = list(names), np.array(list(names.values()))

    def draw(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
        return KINDS[kinds[rng.choice(len(kinds), p=weights / weights.sum())]](height, width, rng)

    return draw


KINDS: dict[str, Callable[[int, int, np.random.Generator], np.ndarray]] = {
    "lama": lama,
    "lama-thin": lambda height, width, rng: lama(height, width, rng, LAMA_THIN),
    "lama-medium": lambda height, width, rng: lama(height, width, rng, LAMA_MEDIUM),
    "lama-thick": lambda height, width, rng: lama(height, width, rng, LAMA_THICK),
    "deepfill": deepfill,
    "brush": deepfill_brush,
    "box": deepfill_box,
    "walk": random_walk,
    "walk-inside": lambda height, width, rng: random_walk(height, width, rng, border=False),
    "free-form": free_form,
    "outline": outline,
    "bars": bars,
    "mosaic": lambda height, width, rng: mosaic(height, width, rng)[0],
    "centre": centre,
    "mixed": _mixed({"lama": 4, "brush": 2, "outline": 2, "walk": 1, "lama-thin": 1}),
}
"""Every kind of hole by its name; "mixed" is what a network for any hole learns from."""


def make(kind: str, height: int, width: int, rng: np.random.Generator, most: float = MOST) -> np.ndarray:
    """A hole of a kind that has at least a pixel and covers at most `most` of the picture.

    Raises:
        ValueError: the kind is not known, or the picture is too small for it.
    """
    if kind not in KINDS:
        raise ValueError(f"there is no kind of hole named {kind!r}; known are {', '.join(KINDS)}")
    for _ in range(DRAWS):
        hole = KINDS[kind](height, width, rng)
        if 0 < np.count_nonzero(hole) <= most * hole.size:
            return hole
    raise ValueError(f"no hole of kind {kind!r} fits into {width} x {height} px")


class _Canvas:
    """Draws shapes that are hole."""

    def __init__(self, height: int, width: int) -> None:
        self._picture = Image.new("1", (width, height))
        self._pen = ImageDraw.Draw(self._picture)

    @property
    def hole(self) -> np.ndarray:
        return np.asarray(self._picture).copy()

    def line(self, points: Sequence[np.ndarray], width: float) -> None:
        """A broken line with round joints and ends."""
        thick = max(1, round(float(width)))
        self._pen.line([tuple(map(float, point)) for point in points], fill=1, width=thick)
        for x, y in points:
            self._pen.ellipse((x - thick / 2, y - thick / 2, x + thick / 2, y + thick / 2), fill=1)

    def box(self, box: tuple[int, int, int, int]) -> None:
        """Left, top, right, bottom; the last two are outside."""
        left, top, right, bottom = box
        self._pen.rectangle((left, top, right - 1, bottom - 1), fill=1)

    def polygon(self, points: np.ndarray) -> None:
        self._pen.polygon([tuple(map(float, point)) for point in points], fill=1)


def _box(
    height: int, width: int, rng: np.random.Generator, least: float, most: float
) -> tuple[int, int, int, int]:
    """A box of sides from `least` to `most` somewhere inside, as left, top, right, bottom."""
    sides = np.clip(rng.uniform(least, most, 2), 1, (width, height)).astype(int)
    left = int(rng.integers(width - sides[0], endpoint=True))
    top = int(rng.integers(height - sides[1], endpoint=True))
    return left, top, left + int(sides[0]), top + int(sides[1])


def _folded(path: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Positions reflected at 0 and at `size` - 1, however far they went beyond."""
    period = np.maximum(2 * (size - 1), 1)
    path = path % period
    return np.where(path >= size, period - path, path)
