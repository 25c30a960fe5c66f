"""A small view of the selection and of what it grows to, in the dialog.

It is here and not on the canvas because Krita gives plugins nothing to draw there with; growing the user's
own selection would change it, and be an undo step.
"""

from __future__ import annotations

from typing import Any

from .picture import VISIBLE, Picture
from .qt import QtCore, QtGui, QtWidgets, alive

_WIDTH, _HEIGHT = 400, 180  # at most, on the screen
_AROUND = 48  # px of the picture around the selection
_MOST = 4_000_000  # px; of larger selections a view would cost a noticeable pause
_PAUSE = 120  # ms without a change before the outline is drawn anew


class Preview:
    """Shows the picture around the selection, with the selection's outline and the grown one's."""

    def __init__(self, picture: Picture) -> None:
        """Read what is to be shown: once, as the picture was when the dialog was opened."""
        self._picture = picture
        self._rect = picture.selection.enlarged(_AROUND).clipped(picture.canvas)
        self.widget = QtWidgets.QLabel()
        self.widget.setObjectName("preview")
        self.widget.setAlignment(QtCore.Qt.AlignmentFlag.AlignCenter)
        self.widget.setToolTip("Dashed: the selection. Full: what is filled, with the selection grown.")
        self._grow = 0
        self._timer = QtCore.QTimer(self.widget)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PAUSE)
        self._timer.timeout.connect(self._draw)
        if self._rect.empty or self._rect.width * self._rect.height > _MOST:
            self.widget.hide()
            self._view = None
            return
        pixels = picture.strokes(VISIBLE, self._rect)
        kind = QtGui.QImage.Format
        whole = QtGui.QImage(pixels, *self._rect[2:], 4 * self._rect.width, kind.Format_RGBA8888)
        keep = QtCore.Qt.AspectRatioMode.KeepAspectRatio
        smooth = QtCore.Qt.TransformationMode.SmoothTransformation
        # A copy: `pixels` may go, and scaling to the same size would share them.
        self._view = whole.scaled(_WIDTH, _HEIGHT, keep, smooth).copy()
        self._selected = self._outline(picture.grown(0, self._rect))
        self.widget.setMinimumHeight(self.height)

    @property
    def height(self) -> int:
        """On the screen; 0 if there is nothing to show."""
        return 0 if self._view is None else int(self._view.height()) + 8

    def show(self, grow: int) -> None:
        """Show how far the selection grows by so many px, soon."""
        self._grow = grow
        if self._view is not None:
            self._timer.start()

    def _draw(self) -> None:
        if not alive(self.widget) or not self._picture.open:
            return
        shown = QtGui.QPixmap.fromImage(self._view)
        painter = QtGui.QPainter(shown)
        grown = self._outline(self._picture.grown(self._grow, self._rect))
        for outline, style in ((self._selected, "DashLine"), (grown, "SolidLine")):
            for colour, width in (("black", 3), ("white", 1)):  # seen on every picture
                pen = QtGui.QPen(QtGui.QColor(colour), width)
                pen.setStyle(getattr(QtCore.Qt.PenStyle, style))
                painter.strokePath(outline, pen)
        painter.end()
        self.widget.setPixmap(shown)

    def _outline(self, mask: bytes) -> Any:
        """The border of a mask, in the view's pixels."""
        selected = mask.translate(bytes([0] + [255] * 255))
        gray = QtGui.QImage.Format.Format_Grayscale8
        image = QtGui.QImage(selected, *self._rect[2:], self._rect.width, gray)
        image = image.scaled(self._view.width(), self._view.height())
        # In Qt a bitmap's black is the region.
        bitmap = QtGui.QBitmap.fromImage(_inverted(image))
        path = QtGui.QPainterPath()
        path.addRegion(QtGui.QRegion(bitmap))
        return path.simplified()


def _inverted(image: Any) -> Any:
    image.invertPixels()
    return image
