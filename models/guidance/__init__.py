"""Guidance taken from pictures: their lines, and the colours between the lines.

Jo and Park 2019, "SC-FEGAN" (arXiv 1902.06838), section 3.1: a network is trained to follow what people draw
by drawings that are made of its pictures. The same drawings serve people as a start for their own.
"""

from .colours import colours
from .detectors import DETECTORS, Detector, Watch, detector
from .layers import drawn, lines
from .sketch import MOST_PIXELS, sketch

__all__ = ["DETECTORS", "MOST_PIXELS", "Detector", "Watch", "colours", "detector", "drawn", "lines", "sketch"]
