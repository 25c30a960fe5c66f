"""Runs in GIMP: a script whose fill is refused, and which says so as a script does: by raising."""

from __future__ import annotations

import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
from gi.repository import Gimp
from tools import FILL, layer, picture, run

SIZE = (60, 40)
image = picture(SIZE)
chosen = layer(image, bytes(range(240)) * 30, SIZE)
if arguments[0] == "selected":  # noqa: F821
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 25, 15, 8, 8)
status, _, words = run(FILL, image, [chosen])
if status != "success":
    raise SystemExit(words) if arguments[0] == "exit" else RuntimeError(words)  # noqa: F821
