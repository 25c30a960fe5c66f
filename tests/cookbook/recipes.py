"""The recipes: each makes its files in an empty folder, is a command that README prints, shows what came.

All is made of the bundled photograph and of comic pages of our own drawing: nothing has to be fetched.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from backend import demo
from models.training import comics

PHOTOGRAPH = Path(demo.__file__).with_name("photograph.jpg")
TREES = Path(demo.__file__).with_name("mask.png")
GREEN = (0, 255, 0)
Shown = list[tuple[str, Image.Image]]


@dataclass(frozen=True)
class Recipe:
    """One workflow.

    Attributes:
        name: of its picture.
        title: as README heads it.
        command: as README prints it; run in a folder that `prepare` has filled.
        prepare: writes the files that the command reads.
        show: titles and pictures, after the command.
    """

    name: str
    title: str
    command: str
    prepare: Callable[[Path], None]
    show: Callable[[Path], Shown]


def marked(picture: Image.Image, mask: Image.Image) -> Image.Image:
    """The picture with its hole in red."""
    result = picture.convert("RGB")
    result.paste((255, 40, 60), mask=mask.convert("L").point(lambda value: 160 if value else 0))
    return result


def opened(path: Path) -> Image.Image:
    """A picture in RGB, transparency on white."""
    with Image.open(path) as image:
        over = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", over.size, "white"), over).convert("RGB")


def _photograph(folder: Path) -> None:
    Image.open(PHOTOGRAPH).save(folder / "photo.jpg", quality=95)
    Image.open(TREES).save(folder / "mask.png")


def _object(folder: Path) -> Shown:
    photo = opened(folder / "photo.jpg")
    return [
        ("photo.jpg and mask.png", marked(photo, Image.open(TREES))),
        ("clean.jpg", opened(folder / "clean.jpg")),
    ]


def _bush(folder: Path) -> None:
    _photograph(folder)
    mask = Image.new("L", Image.open(PHOTOGRAPH).size)
    outline = [(535, 505), (590, 290), (640, 275), (700, 345), (740, 270), (800, 280), (919, 210), (919, 560)]
    ImageDraw.Draw(mask).polygon(outline, 255)
    mask.save(folder / "mask.png")


def _candidates(folder: Path) -> Shown:
    part = (420, 180, 920, 620)
    hole = marked(opened(folder / "photo.jpg"), Image.open(folder / "mask.png"))
    names = [f"clean-{number}.jpg" for number in (1, 2, 3)]
    fills = [(name, opened(folder / name).crop(part)) for name in names]
    return [("photo.jpg and mask.png", hole.crop(part)), *fills]


def _with_source(folder: Path) -> None:
    _bush(folder)
    larches = Image.new("L", Image.open(PHOTOGRAPH).size)
    ImageDraw.Draw(larches).polygon([(0, 260), (130, 270), (330, 330), (560, 440), (540, 460), (0, 430)], 255)
    larches.save(folder / "larches.png")


def _source(folder: Path) -> Shown:
    both = marked(opened(folder / "photo.jpg"), Image.open(folder / "mask.png"))
    allowed = Image.open(folder / "larches.png").point(lambda value: 120 if value else 0)
    both.paste((60, 160, 255), mask=allowed)
    return [
        ("mask.png (red), larches.png (blue)", both),
        ("clean.jpg", opened(folder / "clean.jpg")),
    ]


def _scan(folder: Path) -> None:
    photo = Image.open(PHOTOGRAPH).convert("RGB")
    mask = Image.new("L", photo.size)
    pen, random = ImageDraw.Draw(mask), np.random.default_rng(5)
    for _ in range(14):
        start, direction = random.uniform((0, 0), photo.size), random.uniform(0, 2 * np.pi)
        points = [start]
        for _ in range(12):
            direction += random.normal(0, 0.15)
            points.append(points[-1] + 30 * np.array([np.cos(direction), np.sin(direction)]))
        pen.line(
            [tuple(point) for point in points], fill=255, width=int(random.integers(1, 4)), joint="curve"
        )
    for x, y in random.uniform((0, 0), photo.size, (60, 2)):
        pen.ellipse((x, y, x + 3, y + 3), fill=255)
    mask.save(folder / "scratches.png")
    photo.paste((244, 240, 232), mask=mask)
    photo.save(folder / "scan.png")


def _scratches(folder: Path) -> Shown:
    part = (120, 60, 800, 480)
    names = ("scan.png", "restored.png")
    return [(name, opened(folder / name).crop(part)) for name in names]


def _page(number: int) -> Image.Image:
    return Image.fromarray(comics.page(720, 960, np.random.default_rng(number)))


def _marked_pages(folder: Path) -> None:
    (folder / "pages").mkdir()
    for number, bars in ((12, [(330, 190, 470, 214), (560, 400, 585, 540)]), (7, [(200, 320, 360, 350)])):
        page = _page(number)
        for bar in bars:
            ImageDraw.Draw(page).rectangle(bar, GREEN)
        page.save(folder / "pages" / f"page-{number}.png")


def _marks(folder: Path) -> Shown:
    part = (260, 120, 740, 580)
    pages = (folder / "pages", folder / "restored")
    return [(f"{place.name}/page-12.png", opened(place / "page-12.png").crop(part)) for place in pages]


def _mosaic_pages(folder: Path) -> None:
    for name in ("scans", "marked"):
        (folder / name).mkdir()
    page = Image.fromarray(comics.page(720, 960, np.random.default_rng(17), colour=False)).convert("RGB")
    box = (114, 349, 210, 413)
    part = page.crop(box)
    cells = part.resize((part.width // 8, part.height // 8), Image.Resampling.BOX)
    page.paste(cells.resize(part.size, Image.Resampling.NEAREST), box)
    page.save(folder / "scans" / "page.png")
    ImageDraw.Draw(page).rectangle((box[0], box[1], box[2] - 1, box[3] - 1), GREEN)
    page.save(folder / "marked" / "page.png")


def _mosaic(folder: Path) -> Shown:
    names = ("scans/page.png", "marked/page.png", "restored/page.png")
    return [(name, opened(folder / name).crop((20, 260, 310, 500))) for name in names]


def _pairs(folder: Path) -> None:
    (folder / "pictures").mkdir()
    photo, mask = Image.open(PHOTOGRAPH), Image.open(TREES)
    photo.save(folder / "pictures" / "valley.jpg", quality=95)
    mask.save(folder / "pictures" / "valley_mask.png")
    page = _page(7)
    page.save(folder / "pictures" / "page.png")
    bubble = Image.new("L", page.size)
    ImageDraw.Draw(bubble).rectangle((330, 215, 500, 265), 255)
    bubble.save(folder / "pictures" / "page_mask.png")


def _folder(folder: Path) -> Shown:
    shown = []
    for name in ("valley.jpg", "page.png"):
        stem, place = name.split(".")[0], folder / "pictures"
        mask = Image.open(place / f"{stem}_mask.png")
        shown.append((f"pictures/{name}, {stem}_mask.png", marked(opened(place / name), mask)))
        shown.append((f"filled/{name}", opened(folder / "filled" / name)))
    return shown


def _sketch(folder: Path) -> Shown:
    return [
        ("photo.jpg", opened(folder / "photo.jpg")),
        ("lines.png, on white", opened(folder / "lines.png")),
    ]


def _texture(folder: Path) -> None:
    texture = Image.open(PHOTOGRAPH).convert("RGB").crop((10, 270, 310, 430))
    texture.save(folder / "larches.png")
    mask = Image.new("L", texture.size, 255)
    ImageDraw.Draw(mask).rectangle((24, 24, texture.width - 25, texture.height - 25), 0)
    mask.save(folder / "edges.png")


def _tiled(folder: Path) -> Shown:
    shown = []
    for name in ("larches.png", "tile.png"):
        tile = opened(folder / name)
        four = Image.new("RGB", (2 * tile.width, 2 * tile.height))
        for left, top in ((0, 0), (0, 1), (1, 0), (1, 1)):
            four.paste(tile, (left * tile.width, top * tile.height))
        shown.append((f"{name}, four times", four))
    return shown


def _ornament(folder: Path) -> None:
    side, random = 144, np.random.default_rng(3)
    corner = Image.new("RGB", (side, side), (246, 240, 226))
    pen = ImageDraw.Draw(corner)
    for _ in range(26):
        at, size = random.uniform(0, side, 2), random.uniform(6, 40)
        colour = tuple(int(value) for value in random.integers(20, 230, 3))
        pen.ellipse((*(at - size), *(at + size)), outline=colour, width=int(random.integers(2, 6)))
    half = np.hstack([np.asarray(corner), np.asarray(corner)[:, ::-1]])
    ornament = Image.fromarray(np.vstack([half, half[::-1]]))
    ornament.save(folder / "ornament.png")
    mask = Image.new("L", ornament.size)
    ImageDraw.Draw(mask).rectangle((165, 25, 255, 115), 255)
    mask.save(folder / "hole.png")


def _turned(folder: Path) -> Shown:
    ornament = opened(folder / "ornament.png")
    return [
        ("ornament.png and hole.png", marked(ornament, Image.open(folder / "hole.png"))),
        ("whole.png", opened(folder / "whole.png")),
    ]


RIDGE = [(438, 100), (470, 84), (505, 74), (540, 46), (566, 38), (598, 62), (640, 74), (668, 94), (704, 106)]


def _ridge(folder: Path) -> None:
    _photograph(folder)
    size = Image.open(PHOTOGRAPH).size
    mask, lines = Image.new("L", size), Image.new("RGBA", size)
    outline = [(438, 70), (560, 18), (704, 76), (712, 150), (570, 190), (438, 140)]
    ImageDraw.Draw(mask).polygon(outline, 255)
    ImageDraw.Draw(lines).line(RIDGE, (0, 0, 0, 255), 2)
    mask.save(folder / "mask.png")
    lines.save(folder / "lines.png")


def _redrawn(folder: Path) -> Shown:
    part = (300, 0, 850, 360)
    drawn = opened(folder / "photo.jpg")
    drawn.paste("white", mask=Image.open(folder / "mask.png"))
    lines = Image.open(folder / "lines.png")
    drawn.paste(lines, mask=lines)
    return [
        ("mask.png (white), lines.png", drawn.crop(part)),
        ("summit.jpg", opened(folder / "summit.jpg").crop(part)),
    ]


RECIPES = (
    Recipe(
        "object",
        "Something goes",
        "ai-inpaint run photo.jpg mask.png -o clean.jpg",
        _photograph,
        _object,
    ),
    Recipe(
        "candidates",
        "Several to choose from",
        "ai-inpaint run photo.jpg mask.png -o clean.jpg --count 3 --seed 7",
        _bush,
        _candidates,
    ),
    Recipe(
        "source",
        "Only from here",
        "ai-inpaint run photo.jpg mask.png -o clean.jpg --sample-from larches.png",
        _with_source,
        _source,
    ),
    Recipe(
        "scratches",
        "Scratches and dust",
        "ai-inpaint run scan.png scratches.png -o restored.png --grow 1 --feather 0",
        _scan,
        _scratches,
    ),
    Recipe(
        "folder",
        "A folder with masks beside the pictures",
        "ai-inpaint batch pictures filled",
        _pairs,
        _folder,
    ),
    Recipe(
        "marks",
        "Comics: marks in a colour",
        "ai-inpaint batch pages restored --mask-color 00ff00",
        _marked_pages,
        _marks,
    ),
    Recipe(
        "mosaic",
        "Comics: mosaics",
        "ai-inpaint batch marked restored --mask-color 00ff00 --original scans",
        _mosaic_pages,
        _mosaic,
    ),
    Recipe(
        "sketch",
        "Lines to draw on",
        "ai-inpaint sketch photo.jpg -o lines.png",
        _photograph,
        _sketch,
    ),
    Recipe(
        "redraw",
        "Draw what should come",
        "ai-inpaint run photo.jpg mask.png --sketch lines.png -o summit.jpg",
        _ridge,
        _redrawn,
    ),
    Recipe(
        "tile",
        "A seamless tile",
        "ai-inpaint run larches.png edges.png -o tile.png --tile",
        _texture,
        _tiled,
    ),
    Recipe(
        "turns",
        "Symmetry",
        "ai-inpaint run ornament.png hole.png -o whole.png --model patchmatch --set mirror=true",
        _ornament,
        _turned,
    ),
)
