"""The first fill: `python -m backend.demo` does once what an editor does.

It finds or starts the backend as a process of its own, sends it the photograph and the mask of this folder
through the client, and lays the patch that comes back over the photograph. `result.png` and `sheet.png`
(before, mask, after) go into `first-fill` in the state folder. The last line it prints is the result's path.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from PIL import Image

from backend import __version__
from backend.client import paths
from backend.client.session import InpaintRequest, Progress, Result, Session
from backend.wire.errors import InpaintError
from backend.wire.messages import Buffer

HERE = Path(__file__).parent
PHOTOGRAPH, MASK = HERE / "photograph.jpg", HERE / "mask.png"


def fill(image: Image.Image, mask: Image.Image) -> Image.Image:
    """Fill a hole through the backend, started if need be; progress is printed.

    Args:
        image: mode RGB.
        mask: mode L, of the same size; above 0 is hole.

    Returns:
        Mode RGB: the picture with the patch laid over it.

    Raises:
        InpaintError: see `Session.connect` and `Session.inpaint`.
    """
    width, height = image.size
    request = InpaintRequest(
        layout="RGB",
        image=Buffer((height, width, 3), "u1", image.tobytes()),
        mask=Buffer((height, width), "u1", mask.tobytes()),
    )
    say = _Reporter()
    with Session.connect(software=f"ai-inpaint demo {__version__}", progress=say) as session:
        say(f"the backend runs: process {session.backend.get('pid')}")
        result = session.inpaint(request, on_progress=say.fraction)
    say(f"filled by {result.model}")
    return _compose(image, result)


def sheet(image: Image.Image, mask: Image.Image, filled: Image.Image) -> Image.Image:
    """Before, the hole marked in red, after, side by side with a thin gap."""
    marked = image.copy()
    marked.paste((255, 40, 60), mask=mask.point(lambda value: 150 if value else 0))
    width, height = image.size
    gap = 8
    result = Image.new("RGB", (3 * width + 2 * gap, height), "white")
    for number, part in enumerate((image, marked, filled)):
        result.paste(part, (number * (width + gap), 0))
    return result


def main() -> int:
    """Fill, write, print; 0 if all went well."""
    folder = paths.state_dir() / "first-fill"
    image, mask = Image.open(PHOTOGRAPH).convert("RGB"), Image.open(MASK).convert("L")
    try:
        filled = fill(image, mask)
    except InpaintError as problem:
        print(problem, file=sys.stderr)
        return 1
    paths.make_private(folder.parent)
    folder.mkdir(exist_ok=True)
    sheet(image, mask, filled).save(folder / "sheet.png")
    filled.save(folder / "result.png")
    print(f"before, mask and after: {folder / 'sheet.png'}")
    print(folder / "result.png", flush=True)
    return 0


def _compose(image: Image.Image, result: Result) -> Image.Image:
    _, patch = result.candidates[0]
    height, width = patch.shape[:2]
    layer = Image.frombytes("RGBA", (width, height), bytes(patch.data))
    canvas = image.copy()
    canvas.paste(layer, result.offset, mask=layer)
    return canvas


class _Reporter:
    """Prints what is new, with the seconds since the start; fractions at most twice a second."""

    def __init__(self) -> None:
        self._start = self._told = time.monotonic()
        self._last = ""

    def __call__(self, text: str) -> None:
        if text != self._last:
            print(f"{time.monotonic() - self._start:5.1f} s  {text}", flush=True)
        self._last = text

    def fraction(self, news: Progress) -> None:
        if time.monotonic() - self._told >= 0.5:
            self._told = time.monotonic()
            self(f"{news.fraction:4.0%}  {news.stage}")


if __name__ == "__main__":
    sys.exit(main())
