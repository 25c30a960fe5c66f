"""Uses the dialog as a user does, in a Python that has Qt; prints what came of it as JSON."""

import gc
import json
import sys
import types

sys.path[:0] = sys.argv[1:3]

if sys.argv[3] == "PyQt6":
    from PyQt6.QtWidgets import QApplication, QMessageBox, QPushButton
else:
    from PyQt5.QtWidgets import QApplication, QMessageBox, QPushButton

application = QApplication([])

from ai_inpaint import dialog, fill, marks_dialog, qt, windows  # noqa: E402
from ai_inpaint.backend.client import form, session, settings  # noqa: E402,F401
from ai_inpaint.backend.wire import geometry, messages  # noqa: E402,F401
from krita_fakes import CARDS, SPECS, make_picture  # noqa: E402

plugin = types.SimpleNamespace(
    picture=sys.modules["ai_inpaint.picture"],
    backend=sys.modules["ai_inpaint.backend"],
)
offer = form.Form(CARDS, SPECS, settings.Settings(__import__("pathlib").Path(sys.argv[4])))
told = {"qt": qt.QtCore.__name__, "accepted": [], "fetched": []}


def remembered(model):
    return fill.Wish(model, offer.values(model))


def shown():
    box = dialog.InpaintDialog(
        None,
        offer,
        remembered,
        make_picture(plugin),
        lambda wish: told["accepted"].append(wish.__dict__),
        lambda choice: told["fetched"].append(choice.name),
    )
    application.processEvents()
    return box, box._window


def find(window, name):
    return next(child for child in window.findChildren(qt.QtWidgets.QWidget) if child.objectName() == name)


def press(window, text):
    next(one for one in window.findChildren(QPushButton) if one.text().replace("&", "") == text).click()


box, window = shown()
combo = find(window, "model")
told["return"] = [one.text() for one in window.findChildren(QPushButton) if one.isDefault()]
told["models"] = [combo.itemText(index) for index in range(combo.count())]
told["rows"] = [label.text() for label in window.findChildren(qt.QtWidgets.QLabel)][1:]
told["tip"] = find(window, "grow").toolTip() == "" and find(window, "source").toolTip()
find(window, "grow").setValue(9)
find(window, "seed").setValue(5)
press(window, "New")
told["seed"] = find(window, "seed").value()
combo.setCurrentIndex(1)
application.processEvents()
own = ("strength", "style", "tidy", "hint", "guidance_sketch")
told["own"] = {name: type(find(window, name)).__name__ for name in own}
find(window, "strength").setValue(0.75)
find(window, "style").setCurrentIndex(1)
find(window, "tidy").setChecked(False)
find(window, "hint").setText("words")
find(window, "guidance_sketch").setCurrentIndex(2)
combo.setCurrentIndex(2)
application.processEvents()
told["large"] = [find(window, "inpaint").isEnabled(), find(window, "fetch").isVisible()]
press(window, "Fetch…")
combo.setCurrentIndex(0)
told["kept"] = find(window, "grow").value()
combo.setCurrentIndex(1)
find(window, "source").setCurrentIndex(1)
press(window, "Inpaint")
application.processEvents()
told["gone"] = not box.shown
box, window = shown()


def dark():
    """Columns of the preview, in its middle row, that an outline's black touches."""
    qt.QtCore.QThread.msleep(200)
    application.processEvents()
    image = find(window, "preview").pixmap().toImage()
    middle = image.height() // 2
    return [x for x in range(image.width()) if qt.QtGui.QColor(image.pixel(x, middle)).lightness() < 1]


application.processEvents()
told["outlines"] = [dark()]
find(window, "grow").setValue(9)
told["outlines"].append(dark())
find(window, "grow").setValue(33)
press(window, "Defaults")
told["default"] = find(window, "grow").value()
box.update(form.Form([{**CARDS[2], "installed": True}], SPECS, offer._settings))
told["updated"] = [find(window, "model").count(), find(window, "inpaint").isEnabled()]
box.close()

paint, marks = ["c0ffee"], []
box, window = shown()
combo = find(window, "sample_from")
told["places"] = [combo.itemText(index) for index in range(combo.count())]
box.close()
first = {"colour": "ff0000", "tolerance": 20, "smallest": 5}
asked = marks_dialog.MarksDialog(None, first, lambda: paint[0], marks.append)
application.processEvents()
window = asked._window
told["return"] += [one.text() for one in window.findChildren(QPushButton) if one.isDefault()]
told["marks"] = {name: find(window, name).metaObject().className() for name in first}
told["swatches"] = [find(window, "swatch").styleSheet()]
press(window, "Foreground")
told["swatches"].append(find(window, "swatch").styleSheet())
paint[0] = ""
press(window, "Foreground")
find(window, "tolerance").setValue(300)
press(window, "Select")
application.processEvents()
told["marks_gone"] = not asked.shown
asked = marks_dialog.MarksDialog(None, first, lambda: paint[0], marks.append)
press(asked._window, "Defaults")
press(asked._window, "Select")
marks_dialog.MarksDialog(None, first, lambda: paint[0], marks.append)._window.reject()
told["chosen_marks"] = marks

cancelled = []
bar = windows.ProgressWindow(None, "Working", lambda: cancelled.append(True))
bar.show("Half", 0.5)
bar.show("Unknown", None)
bar.close()
told["cancelled_by_closing"] = len(cancelled)
agreed = []
windows.ask(None, "Fetch it?", "Fetch", lambda: agreed.append(True))
windows.say(None, "A sentence.")
gc.collect()  # dialogs without a parent are Python's: one collected while Qt's list is read would be a crash
boxes = [one for one in application.topLevelWidgets() if isinstance(one, QMessageBox) and one.isVisible()]
told["said"] = sorted(one.text() for one in boxes)
press(next(one for one in boxes if one.text() == "Fetch it?"), "Fetch")
told["agreed"] = len(agreed)
print(json.dumps(told))
