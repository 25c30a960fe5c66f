"""Opens a picture, and from then on only tells what is where: mouse and keyboard are the test's."""

import os
import sys

import steps
from PyQt5.QtCore import QPoint
from PyQt5.QtWidgets import QApplication, QDialog, QMdiArea, QMenu, QProgressDialog, QSpinBox, QWidget
from workflow import PHOTO

DONE = os.environ["AI_INPAINT_DONE"]


def place(widget, rect=None):
    """Left, top, width, height on the screen."""
    rect = rect or widget.rect()
    corner = widget.mapToGlobal(QPoint(rect.x(), rect.y()))
    return [corner.x(), corner.y(), rect.width(), rect.height()]


def entries(menu):
    return {
        action.text().replace("&", ""): place(menu, menu.actionGeometry(action))
        for action in menu.actions()
        if action.isVisible() and action.text()
    }


def state(krita, document):
    selection = document.selection()
    window = krita.activeWindow().qwindow()
    told = {
        "layers": steps.names(document),
        "visible": [node.visible() for node in document.topLevelNodes()],
        "selection": selection and [selection.x(), selection.y(), selection.width(), selection.height()],
        "tool": steps.tool(),
        "bar": entries(window.menuBar()),
        "canvas": place(window.findChild(QMdiArea)),
        "menus": {},
        "dialog": {},
        "progress": [one.labelText() for one in steps.progress()],
        "said": [box.text() for box in steps.boxes()],
        "zmq": "zmq.backend" in sys.modules,
    }
    for widget in QApplication.topLevelWidgets():
        if not widget.isVisible():
            continue
        if isinstance(widget, QMenu):
            told["menus"].update(entries(widget))
        elif isinstance(widget, QDialog) and widget.objectName() == "ai_inpaint_dialog":
            told["dialog"] = {
                child.objectName() or type(child).__name__: place(child)
                for child in [widget, *widget.findChildren(QWidget)]
                if child.isVisible() and not child.objectName().startswith("qt_")
            }
            told["values"] = {box.objectName(): box.value() for box in widget.findChildren(QSpinBox)}
        elif isinstance(widget, QProgressDialog):
            told["progress_place"] = place(widget)
    return told


def scenario(krita, report):
    document = krita.openDocument(PHOTO)
    yield from steps.show(document)
    last = None
    while not os.path.exists(DONE):
        now = state(krita, document)
        if now != last:
            report("state", now)
            last = now
        yield 0.1
    steps.dump("walk.after", steps.picture(document))
    yield from steps.hide(document)
