"""Comic pages, drawn by rule: panels, figures, backgrounds, screentone, hatching, speech bubbles, lettering.

There are few comics whose licence lets a network learn from them, so it learns from these. They are no art;
they have what a hole in a comic page has around it: ink lines that go on, tones whose dots line up, flat
colours that end at a line, bubbles, letters.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from .ink import BLACK, WHITE, Colour, Sheet, blob, curve, ellipse, rectangle

Box = tuple[float, float, float, float]  # left, top, right, bottom

_WORDS = tuple(
    word
    for line in (
        "and but the you what who when never always there here now then wait look stop run hey oh no yes why",
        "how night rain home friend door light water north king ship cat moon street letter train dream time",
    )
    for word in line.split()
)
_NOISES = ("BAM", "CRASH", "WHOOSH", "DOOM", "TAP TAP", "RUMBLE", "ZAP", "THUD")


def page(height: int, width: int, rng: np.random.Generator, colour: bool | None = None) -> np.ndarray:
    """Draw a page, or a part of one.

    Args:
        height, width: px; lines and tones are meant for panels of 150 to 600 px.
        rng: same state, same page.
        colour: flat colours; else black ink on white paper. None draws one page in three in colour.

    Returns:
        uint8, H x W x 3.
    """
    colourful = rng.random() < 1 / 3 if colour is None else colour
    style = Style(rng, min(height, width), colourful)
    sheet = Sheet(height, width)
    for shape in _panels(height, width, rng):
        panel = Sheet(height, width, style.paper(rng))
        _draw_panel(panel, shape, style, rng)
        sheet.paste(panel, shape)
        sheet.outline(shape, style.ink * 1.6)
    picture = sheet.picture
    if rng.random() < 0.3:  # yellowed paper, grey print
        tint = (
            rng.uniform((0.92, 0.88, 0.75), 1.0) if rng.random() < 0.5 else np.full(3, rng.uniform(0.85, 1))
        )
        darkest = rng.uniform(0, 40)
        picture = np.rint(darkest + picture * ((255 * tint - darkest) / 255)).astype(np.uint8)
    return picture


class Style:
    """What stays the same on a page: the pen, the tones' grid, the palette."""

    def __init__(self, rng: np.random.Generator, side: int, colourful: bool) -> None:
        """Draw a style for a page whose shorter side is `side` px."""
        self.colourful = colourful
        self.ink = rng.uniform(0.9, 2.2) * (side / 512) ** 0.4
        self.pitch = rng.uniform(3.0, 6.5)
        self.angle = rng.choice([np.pi / 4, np.pi / 6, 0.26])
        self.hatched = rng.random() < 0.5
        self.palette = [_colour(rng) for _ in range(7)]

    def paper(self, rng: np.random.Generator) -> Colour:
        """Ground of a panel."""
        return self.palette[rng.integers(7)] if self.colourful and rng.random() < 0.8 else WHITE

    def shade(self, sheet: Sheet, shape: np.ndarray, rng: np.random.Generator, dark: float = 0.5) -> None:
        """Colour a closed shape as this page does: flat colour, tone, hatching, or black."""
        if self.colourful:
            sheet.fill(shape, self.palette[rng.integers(7)])
            if rng.random() < 0.3:
                sheet.tone(shape, rng.uniform(0.08, 0.2), self.pitch, self.angle)
            return
        kind = rng.random()
        if kind < 0.12 * (1 + dark):
            sheet.fill(shape, BLACK)
        elif kind < 0.6:
            sheet.fill(shape, WHITE)
            sheet.tone(
                shape, rng.uniform(0.08, 0.2 + dark), self.pitch, self.angle, rng.choice([0.0, 0.0, 0.9])
            )
        elif kind < 0.85 and self.hatched:
            sheet.fill(shape, WHITE)
            angle = rng.uniform(0, np.pi)
            sheet.hatch(shape, rng.uniform(3, 7), angle, self.ink * 0.7, rng.uniform(0, 0.8))
            if rng.random() < 0.4:
                sheet.hatch(shape, rng.uniform(3, 7), angle + rng.uniform(0.7, 1.6), self.ink * 0.6, 0.4)
        else:
            sheet.fill(shape, WHITE)


def _panels(height: int, width: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Split the page by gutters, some of them slanted, until panels have a likely size."""
    gutter = rng.uniform(4, 10)
    if min(height, width) < 200 or rng.random() < 0.25:
        return [rectangle(-gutter, -gutter, width + gutter, height + gutter)]
    panels = []
    shift = rng.uniform(-0.3, 0.3, 2) * min(height, width)  # a crop seldom begins where the page does
    rows = _cuts(shift[0] - gutter, height + gutter, rng)
    for top, bottom in pairwise(rows):
        columns = _cuts(shift[1] - gutter, width + gutter, rng)
        slants = rng.normal(0, 12, len(columns)) * (rng.random() < 0.3)
        for number, (left, right) in enumerate(pairwise(columns)):
            a, b = slants[number], slants[number + 1]
            corners = [(left + a, top), (right - gutter + b, top)]
            corners += [(right - gutter - b, bottom - gutter), (left - a, bottom - gutter)]
            panels.append(np.array(corners))
    return panels


def _cuts(start: float, end: float, rng: np.random.Generator) -> list[float]:
    cuts = [start]
    while cuts[-1] < end:
        cuts.append(cuts[-1] + rng.uniform(140, 420))
    return cuts


def _draw_panel(sheet: Sheet, shape: np.ndarray, style: Style, rng: np.random.Generator) -> None:
    left, top = map(float, np.maximum(shape.min(0), (-20, -20)))
    right, bottom = map(float, np.minimum(shape.max(0), (sheet.width + 20, sheet.height + 20)))
    if right - left < 20 or bottom - top < 20:
        return
    box = (left, top, right, bottom)
    backgrounds: list[Callable[..., None]] = [_city, _hills, _rays, _room, _plain]
    background = backgrounds[rng.integers(len(backgrounds))]
    background(sheet, box, style, rng)
    size = min(right - left, bottom - top)
    for _ in range(rng.integers(background in (_plain, _rays), 3)):  # no panel stays empty
        scale = size * rng.uniform(0.18, 0.4)
        at = np.array([rng.uniform(left, right), rng.uniform(top + scale, bottom)])
        _figure(sheet, at, scale, style, rng)
    for _ in range(rng.choice([0, 1, 1, 2])):
        centre = rng.uniform((left + 0.15 * size, top + 0.12 * size), (right - 0.1 * size, top + 0.5 * size))
        _bubble(sheet, centre, size, style, rng)
    if rng.random() < 0.2:
        at = rng.uniform((left, top), (right, bottom))
        big = size * rng.uniform(0.12, 0.3)
        word = _NOISES[rng.integers(len(_NOISES))]
        for offset in ((-1.5, 0), (1.5, 0), (0, -1.5), (0, 1.5)):
            sheet.text(at + np.array(offset) * style.ink, word, big, WHITE)
        sheet.text(at, word, big, style.palette[0] if style.colourful else BLACK)


def _city(sheet: Sheet, box: Box, style: Style, rng: np.random.Generator) -> None:
    """Houses with windows before a toned sky."""
    left, top, right, bottom = box
    style.shade(sheet, rectangle(left, top, right, bottom), rng, 0.1)
    x = left - rng.uniform(0, 40)
    while x < right:
        breadth = rng.uniform(40, 120)
        roof = rng.uniform(top + 0.15 * (bottom - top), bottom - 0.2 * (bottom - top))
        house = rectangle(x, roof, x + breadth, bottom + 5)
        style.shade(sheet, house, rng, 0.3)
        sheet.outline(house, style.ink)
        step = rng.uniform(14, 26)
        dark = rng.random() < 0.5
        for window_y in np.arange(roof + step * 0.6, bottom - step * 0.5, step):
            for window_x in np.arange(x + step * 0.5, x + breadth - step * 0.8, step):
                pane = rectangle(window_x, window_y, window_x + step * 0.5, window_y + step * 0.6)
                sheet.fill(pane, BLACK if dark else WHITE)
                sheet.outline(pane, style.ink * 0.6)
        x += breadth + rng.uniform(0, 20)


def _hills(sheet: Sheet, box: Box, style: Style, rng: np.random.Generator) -> None:
    """Rolling land with trees and grass."""
    left, top, right, bottom = box
    style.shade(sheet, rectangle(left, top, right, bottom), rng, 0.05)
    for level in np.sort(rng.uniform(0.35, 0.9, rng.integers(2, 5))):
        xs = np.linspace(left - 20, right + 20, 6)
        ridge = curve([*np.stack([xs, top + level * (bottom - top) + rng.normal(0, 14, 6)], 1)])
        land = np.concatenate([ridge, [(right + 20, bottom + 5), (left - 20, bottom + 5)]])
        style.shade(sheet, land, rng, 0.25)
        sheet.line(ridge, style.ink)
        for _ in range(rng.integers(0, 5)):
            foot = ridge[rng.integers(len(ridge))]
            if rng.random() < 0.5:
                crown = blob(rng, foot - (0, 28), (rng.uniform(10, 24), rng.uniform(14, 30)), 0.2)
                sheet.line(np.array([foot, foot - (0, 20)]), style.ink * 2)
                style.shade(sheet, crown, rng)
                sheet.outline(crown, style.ink)
            else:
                for blade in rng.normal(0, 8, 9):
                    tip = foot + (blade * 1.4, -rng.uniform(6, 16))
                    sheet.line(curve([foot + (blade, 0), tip]), style.ink, taper=0.8)


def _rays(sheet: Sheet, box: Box, style: Style, rng: np.random.Generator) -> None:
    """Speed lines, towards a point or all one way."""
    left, top, right, bottom = box
    reach = np.hypot(right - left, bottom - top)
    centre = rng.uniform((left, top), (right, bottom))
    towards = rng.random() < 0.6
    turn = rng.uniform(0, np.pi)
    for angle in rng.uniform(0, 2 * np.pi, rng.integers(50, 160)):
        if towards:
            ray = np.array([np.cos(angle), np.sin(angle)])
            start, end = centre + ray * reach * rng.uniform(0.25, 0.6), centre + ray * reach
        else:
            ray = np.array([np.cos(turn), np.sin(turn)])
            start = rng.uniform((left, top), (right, bottom))
            end = start + ray * reach * rng.uniform(0.2, 0.8)
        sheet.line(np.linspace(start, end, 12), style.ink * rng.uniform(0.6, 2.5), taper=0.9)


def _room(sheet: Sheet, box: Box, style: Style, rng: np.random.Generator) -> None:
    """Two walls, a floor of boards, a window or a picture."""
    left, top, right, bottom = box
    floor = rng.uniform(top + 0.55 * (bottom - top), bottom)
    wall = rectangle(left, top, right, floor)
    style.shade(sheet, wall, rng, 0.15)
    ground = rectangle(left, floor, right, bottom)
    style.shade(sheet, ground, rng, 0.3)
    vanishing = np.array([rng.uniform(left, right), top + 0.3 * (floor - top)])
    for x in np.linspace(left - (right - left), right + (right - left), 24):
        foot = np.array([x, bottom])
        share = (bottom - floor) / max(bottom - vanishing[1], 1)
        sheet.line(np.array([foot, foot + (vanishing - foot) * share]), style.ink * 0.7)
    sheet.line(np.array([(left, floor), (right, floor)]), style.ink * 1.2)
    for _ in range(rng.integers(0, 3)):
        corner = rng.uniform((left, top), (right, max(floor - 50, top + 1)))
        breadth, tall = rng.uniform(30, 90), rng.uniform(30, 80)
        frame = rectangle(corner[0], corner[1], corner[0] + breadth, corner[1] + tall)
        style.shade(sheet, frame, rng)
        sheet.outline(frame, style.ink * 1.5)
        sheet.line(np.array([corner + (breadth / 2, 0), corner + (breadth / 2, tall)]), style.ink)
        sheet.line(np.array([corner + (0, tall / 2), corner + (breadth, tall / 2)]), style.ink)


def _plain(sheet: Sheet, box: Box, style: Style, rng: np.random.Generator) -> None:
    """A tone, or nothing."""
    if rng.random() < 0.6:
        style.shade(sheet, rectangle(*box), rng, 0.2)


def _figure(sheet: Sheet, head: np.ndarray, size: float, style: Style, rng: np.random.Generator) -> None:
    """A head with hair and a face, shoulders, arms; `head` is its centre, `size` its height in px."""
    ink = style.ink * max(0.8, (size / 90) ** 0.5)
    skin = (
        tuple(int(part) for part in rng.uniform((150, 110, 80), (255, 225, 200)))
        if style.colourful
        else WHITE
    )
    look = rng.uniform(-0.25, 0.25)  # where the face is turned to, in head widths
    shoulders = size * rng.uniform(0.8, 1.2)
    body = np.concatenate(
        [
            curve([(-0.16 * size, 0.45 * size), (-0.3 * size, 0.7 * size), (-shoulders, 0.95 * size)]),
            curve([(-shoulders * 1.15, 1.6 * size), (-shoulders, 3 * size)]),
            curve([(shoulders, 3 * size), (shoulders * 1.15, 1.6 * size)]),
            curve([(shoulders, 0.95 * size), (0.3 * size, 0.7 * size), (0.16 * size, 0.45 * size)]),
        ]
    )
    style.shade(sheet, body + head, rng)
    sheet.outline(body + head, ink)
    for side in (-1, 1):  # folds and an arm
        fold = curve([(side * 0.7 * shoulders, 1.3 * size), (side * 0.6 * shoulders, 2.0 * size)])
        sheet.line(fold + head + rng.normal(0, 2, 2), ink * 0.8, taper=0.9)
    back = blob(rng, head - (0, 0.08 * size), (0.5 * size, 0.58 * size), 0.12)
    style.shade(sheet, back, rng, 0.9)  # the hair behind
    sheet.outline(back, ink)
    angle = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    chin = np.where(np.sin(angle) > 0, 1 + 0.18 * np.sin(angle) ** 3, 1.0)
    face = np.stack([0.36 * size * np.cos(angle), 0.44 * size * np.sin(angle) * chin], 1) + head
    sheet.fill(face, skin)  # type: ignore[arg-type]
    sheet.outline(face, ink)
    _face(sheet, head, size, look, ink, style, rng)
    fringe_y = head[1] - rng.uniform(0.12, 0.24) * size
    locks = [(head[0] - 0.42 * size, head[1])]
    spikes = rng.integers(3, 8)
    for number in range(spikes):
        x = head[0] + (-0.36 + 0.72 * (number + 0.5) / spikes) * size
        locks += [
            (x, fringe_y + rng.uniform(0, 0.12) * size),
            (x + 0.36 * size / spikes, fringe_y - 0.1 * size),
        ]
    locks += [(head[0] + 0.42 * size, head[1])]
    crown = ellipse(head - (0, 0.06 * size), (0.46 * size, 0.52 * size))
    crown = crown[crown[:, 1] < head[1] - 0.02 * size]
    crown = crown[np.argsort(crown[:, 0])[::-1]]
    hair = np.concatenate([np.array(locks), crown])
    style.shade(sheet, hair, rng, 0.9)
    sheet.outline(hair, ink)
    for start in np.linspace(-0.3, 0.3, rng.integers(3, 8)):
        strand = curve(
            [
                head + (start * 0.4 * size, -0.55 * size),
                head + (start * size, -0.35 * size),
                head + (start * 1.2 * size, -0.2 * size),
            ]
        )
        sheet.line(strand, ink * 0.7, taper=0.9)


def _face(
    sheet: Sheet,
    head: np.ndarray,
    size: float,
    look: float,
    ink: float,
    style: Style,
    rng: np.random.Generator,
) -> None:
    """Eyes, brows, nose, mouth."""
    large = rng.uniform(0.6, 1.3)
    closed = rng.random() < 0.2
    iris = style.palette[1] if style.colourful else BLACK
    for side in (-1, 1):
        eye = head + ((side * 0.17 + 0.3 * look) * size, 0.06 * size)
        breadth, tall = 0.085 * size, 0.07 * size * large
        lid = curve([eye + (-breadth, 0), eye + (0, -tall), eye + (breadth, 0)])
        if closed:
            sheet.line(2 * eye - lid, ink * 1.2, taper=0.5)
        else:
            sheet.fill(ellipse(eye, (breadth, tall)), WHITE)
            centre = eye + (look * 0.12 * size, 0)
            sheet.fill(ellipse(centre, (0.6 * breadth, 0.9 * tall)), iris)
            sheet.fill(ellipse(centre, (0.3 * breadth, 0.5 * tall)), BLACK)
            sheet.fill(ellipse(centre - (0.2 * breadth, 0.4 * tall), (0.2 * breadth, 0.2 * tall)), WHITE)
            sheet.line(lid, ink * 1.6, taper=0.4)
        tilt = rng.normal(0, 0.02) * size
        brow = curve(
            [
                eye + (-breadth, -2.1 * tall + tilt),
                eye + (0, -2.6 * tall),
                eye + (breadth, -2.1 * tall - tilt),
            ]
        )
        sheet.line(brow, ink * 1.4, taper=0.7)
    nose = head + (0.45 * look * size, 0.2 * size)
    sheet.line(
        curve([nose - (0, 0.06 * size), nose + (0.03 * size * np.sign(look or 1), 0), nose]), ink, taper=0.6
    )
    mouth = head + (0.35 * look * size, 0.31 * size)
    breadth, open_ = rng.uniform(0.05, 0.13) * size, rng.choice([0.0, 0.0, 0.05, 0.09]) * size
    bend = rng.normal(0, 0.025) * size
    upper = curve([mouth - (breadth, 0), mouth + (0, bend), mouth + (breadth, 0)])
    if open_:
        lower = curve([mouth + (breadth, 0), mouth + (0, open_ + bend), mouth - (breadth, 0)])
        sheet.fill(np.concatenate([upper, lower]), BLACK)
    sheet.line(upper, ink * 1.1, taper=0.5)


def _bubble(sheet: Sheet, centre: np.ndarray, size: float, style: Style, rng: np.random.Generator) -> None:
    """Speech: lettering in a white shape with a tail; a box for a narrator, spikes for a shout."""
    letter = float(np.clip(size * rng.uniform(0.035, 0.07), 7, 26))
    words = [str(_WORDS[n]) for n in rng.integers(len(_WORDS), size=rng.integers(1, 9))]
    per_line = int(rng.integers(1, 4))
    lines = [" ".join(words[n : n + per_line]) for n in range(0, len(words), per_line)]
    text = "\n".join(lines).upper() + rng.choice(["", "!", "?", "...", "."])
    wide, tall = sheet.measure(text, letter)
    radii = np.array([wide * 0.62 + letter, tall * 0.62 + letter])
    kind = rng.random()
    if kind < 0.15:
        box = rectangle(*(centre - radii * 0.85), *(centre + radii * 0.85))
        sheet.fill(box, style.palette[2] if style.colourful else WHITE)
        sheet.outline(box, style.ink)
    else:
        shape = blob(rng, centre, radii, 0.04) if kind < 0.8 else ellipse(centre, radii, count=28)
        if kind >= 0.8:
            shape = centre + (shape - centre) * np.where(np.arange(len(shape)) % 2, 1.35, 1.0)[:, None]
        tip = centre + radii * rng.uniform((-0.8, 1.2), (0.8, 2.0))
        root = centre + (tip - centre) * 0.3
        across = (
            np.array([-(tip - centre)[1], (tip - centre)[0]]) / np.linalg.norm(tip - centre) * letter * 0.8
        )
        tail = np.concatenate([curve([root - across, (root + tip) / 2 - across * 0.2, tip]),
                               curve([tip, (root + tip) / 2 + across * 0.6, root + across])])  # fmt: skip
        sheet.outline(tail, style.ink)
        sheet.outline(shape, style.ink * 2)  # the half of it that the white leaves
        sheet.fill(tail, WHITE)
        sheet.fill(shape, WHITE)
    sheet.text(centre, text, letter)


def _colour(rng: np.random.Generator) -> Colour:
    """A printer's colour, seldom dark."""
    hue, depth, light = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.8), rng.uniform(120, 250)
    channels = light * (1 - depth * (0.5 + 0.5 * np.cos(hue + np.array([0, 2.1, 4.2]))))
    return tuple(int(channel) for channel in channels)  # type: ignore[return-value]
