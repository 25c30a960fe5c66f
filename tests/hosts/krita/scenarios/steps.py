"""What scenarios do often. It runs in Krita, in its Python, with the standard library and PyQt alone."""

import os
import time

from krita import Krita, Selection
from PyQt5.QtCore import QTimer
from PyQt5.QtWidgets import QApplication, QMessageBox, QProgressDialog, QToolButton

SRGB = "sRGB-elle-V2-srgbtrc.icc"
OUT = os.environ["AI_INPAINT_OUT"]
FILL, DIALOG, REPEAT, SKETCH, MARKS, MOSAICS, BACKEND, STATUS = (
    "ai_inpaint_" + name
    for name in ("selection", "dialog", "repeat", "sketch", "marks", "mosaics", "backend", "status")
)


def press(action):
    """Trigger a menu entry, of the window that is active."""
    Krita.instance().action(action).trigger()


def show(document):
    """Open a view of a document and wait until it is the active one."""
    krita = Krita.instance()
    if not any(view.document() == document for view in krita.views()):
        krita.activeWindow().addView(document)
    krita.setActiveDocument(document)
    yield lambda: document.activeNode() is not None
    document.waitForDone()
    yield 0.3


def hide(document):
    """Close a document without a question."""
    document.setSelection(None)  # its outline moves, and moves on while Krita takes the document apart
    document.waitForDone()
    yield 0.2
    document.setModified(False)
    document.close()
    # Krita 5.1 has more to do after it than it waits for: nobody closes and opens within a tenth of a second.
    yield 0.6


def select(document, x, y, width, height, value=255):
    """Select a rectangle."""
    selection = Selection()
    selection.select(x, y, width, height, value)
    document.setSelection(selection)


def boxes():
    """Message boxes that are on the screen."""
    return [box for box in QApplication.topLevelWidgets() if isinstance(box, QMessageBox) and box.isVisible()]


def progress():
    """Progress windows of ours that are on the screen."""
    return [
        window
        for window in QApplication.topLevelWidgets()
        if isinstance(window, QProgressDialog) and window.isVisible()
    ]


def dismiss():
    """The text of the message box on the screen, which is closed; "" if there is none."""
    said = ""
    for box in boxes():
        said = box.text()
        box.accept()
    return said


def walk(node):
    """All nodes below, from the bottom."""
    for child in node.childNodes():
        yield child
        yield from walk(child)


def names(document):
    """The names of all nodes but the selection's, from the bottom."""
    return [node.name() for node in walk(document.rootNode()) if node.type() != "selectionmask"]


def dump(name, data):
    """Write raw bytes for the tests."""
    with open(os.path.join(OUT, name), "wb") as stream:
        stream.write(bytes(data))


def space(thing):
    """Colour model, depth and profile."""
    return [thing.colorModel(), thing.colorDepth(), thing.colorProfile()]


def travelling(node, rect):
    """A layer's pixels in 16-bit sRGB, by way of a copy of the layer."""
    copy = node.duplicate()
    copy.setColorSpace("RGBA", "U16", SRGB)
    return bytes(copy.pixelData(*rect))


def picture(document):
    """Raw pixels of all that is visible."""
    document.refreshProjection()
    document.waitForDone()
    return bytes(document.pixelData(0, 0, document.width(), document.height()))


def fill(document, action=FILL):
    """Press a menu entry and wait for the result; yields as a scenario does, returns the new nodes.

    Raises AssertionError with the text of a message box that comes instead.
    """
    before = {node.uniqueId().toString() for node in walk(document.rootNode())}

    def new():
        return [
            node
            for node in walk(document.rootNode())
            if node.uniqueId().toString() not in before and node.type() != "selectionmask"
        ]

    press(action)
    yield lambda: boxes() or new()
    if boxes():
        raise AssertionError(dismiss())
    yield 0.1
    document.waitForDone()
    return new()


def tool():
    """Name of the tool that is chosen in the tool box."""
    buttons = Krita.instance().activeWindow().qwindow().findChildren(QToolButton)
    return [button.objectName() for button in buttons if button.isChecked() and "Tool" in button.objectName()]


class Pulse:
    """Notes the longest time for which Krita's event loop stood still."""

    def __init__(self):
        self.longest = 0.0
        self.ticks = 0
        self._last = time.monotonic()
        self._timer = QTimer()
        self._timer.setInterval(5)
        self._timer.timeout.connect(self._tick)
        self._timer.start()

    def _tick(self):
        now = time.monotonic()
        self.longest = max(self.longest, now - self._last)
        self.ticks += 1
        self._last = now

    def stop(self):
        self._timer.stop()
        return {"longest": self.longest, "ticks": self.ticks}
