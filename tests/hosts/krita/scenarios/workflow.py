"""What a user does besides one fill: mistakes, the dialog, several results, several documents and windows."""

import json
import os

import steps
from krita import Krita
from PyQt5.QtWidgets import QAction, QApplication, QComboBox, QDialog, QMdiArea, QPushButton, QSpinBox

PHOTO = os.environ["AI_INPAINT_PHOTO"]


def refused(action=steps.FILL):
    """Press an entry that cannot work; what is said."""
    steps.press(action)
    yield lambda: steps.boxes()
    return steps.dismiss()


def dialog():
    """Open the dialog and return it."""
    steps.press(steps.DIALOG)

    def found():
        return [
            window
            for window in QApplication.topLevelWidgets()
            if isinstance(window, QDialog)
            and window.objectName() == "ai_inpaint_dialog"
            and window.isVisible()
        ]

    yield lambda: found() or steps.boxes()
    if steps.boxes():
        raise AssertionError(steps.dismiss())
    return found()[0]


def spin(window, name):
    return window.findChild(QSpinBox, name)


def choose(window, name, text):
    combo = window.findChild(QComboBox, name)
    place = [combo.itemText(index).strip() for index in range(combo.count())].index(text)
    combo.setCurrentIndex(place)


def button(window, text):
    return next(one for one in window.findChildren(QPushButton) if one.text().replace("&", "") == text)


def accepted(document, window):
    """Press Inpaint in the dialog and wait for the new nodes."""
    before = {node.uniqueId().toString() for node in steps.walk(document.rootNode())}
    button(window, "Inpaint").click()

    def new():
        nodes = steps.walk(document.rootNode())
        return [node for node in nodes if node.uniqueId().toString() not in before]

    yield lambda: steps.boxes() or new()
    if steps.boxes():
        raise AssertionError(steps.dismiss())
    yield 0.2
    document.waitForDone()
    return new()


def back_to_defaults(document):
    """Fill with the settings as they are at first, after *Sample only from*; what was remembered of that."""
    window = yield from dialog()
    remembered = window.findChild(QComboBox, "sample_from").currentText().strip()
    choose(window, "sample_from", "Anywhere")
    choose(window, "model", "Automatic")
    button(window, "Defaults").click()
    yield from accepted(document, window)
    return remembered


def fresh(krita):
    document = krita.openDocument(PHOTO)
    yield from steps.show(document)
    return document


def mistakes(krita, report):
    for document in krita.documents():
        yield from steps.hide(document)
    yield 0.2
    told = {"no_document": (yield from refused())}
    told["no_document_dialog"] = yield from refused(steps.DIALOG)
    document = yield from fresh(krita)
    told["no_selection"] = yield from refused()
    steps.select(document, 1000, 1000, 50, 50)
    told["off_canvas"] = yield from refused()
    small = document.createNode("small", "paintlayer")
    small.setPixelData(b"\x20\x40\x80\xff" * 400, 10, 10, 20, 20)
    document.rootNode().addChildNode(small, None)
    yield lambda: document.activeNode().name() == "small"
    steps.select(document, 90, 60, 20, 20)
    told["off_layer"] = yield from refused()
    steps.select(document, 5, 5, 40, 40)
    told["nothing_around"] = yield from refused()
    told["names"] = steps.names(document)
    report("mistakes", told)
    yield from steps.hide(document)


def candidates(krita, report):
    document = yield from fresh(krita)
    steps.select(document, 60, 40, 24, 20)
    before = steps.names(document)
    window = yield from dialog()
    spin(window, "count").setValue(3)
    spin(window, "seed").setValue(11)
    new = yield from accepted(document, window)
    group = next(node for node in new if node.type() == "grouplayer")
    told = {
        "group": group.name(),
        "children": [[child.name(), child.visible()] for child in group.childNodes()],
        "distinct": len({bytes(child.pixelData(0, 0, 160, 120)) for child in group.childNodes()}),
        "siblings": [node.name() for node in document.topLevelNodes()],
        "undo": krita.action("edit_undo").text(),
    }
    krita.action("edit_undo").trigger()
    document.waitForDone()
    yield 0.2
    told["undone"] = steps.names(document) == before
    krita.action("edit_redo").trigger()
    document.waitForDone()
    yield 0.2
    told["redone"] = sorted(steps.names(document)) == sorted(before + [node.name() for node in new])
    # The dialog begins with what was chosen, and "Defaults" forgets it.
    window = yield from dialog()
    told["remembered"] = [spin(window, "count").value(), spin(window, "seed").value()]
    button(window, "Defaults").click()
    told["defaults"] = [spin(window, "count").value(), spin(window, "seed").value()]
    button(window, "Cancel").click()
    yield 0.1
    window = yield from dialog()
    told["cancelled"] = [spin(window, "count").value(), spin(window, "seed").value()]
    button(window, "Defaults").click()
    (fill,) = yield from accepted(document, window)
    told["above_group"] = [fill.parentNode().name(), [node.name() for node in document.topLevelNodes()]]
    report("candidates", told)
    yield from steps.hide(document)


def again(krita, report):
    """Another result for the same hole, then another hole while the fill is the active layer."""
    document = yield from fresh(krita)
    steps.select(document, 60, 40, 24, 20)
    (first,) = yield from steps.fill(document)
    (second,) = yield from steps.fill(document, steps.REPEAT)
    told = {"names": [first.name(), second.name()], "top": [n.name() for n in document.topLevelNodes()]}
    size = (0, 0, 160, 120)
    told["differ"] = bytes(first.pixelData(*size)) != bytes(second.pixelData(*size))
    steps.dump("again.mask", document.selection().pixelData(*size))
    steps.dump("again.repeat", second.pixelData(*size))
    told["active"] = document.activeNode().name()
    steps.select(document, 100, 80, 20, 16)
    steps.dump("again.visible", steps.picture(document))
    steps.dump("again.mask2", document.selection().pixelData(*size))
    (third,) = yield from steps.fill(document)
    steps.dump("again.third", third.pixelData(*size))
    told["order"] = [node.name() for node in document.topLevelNodes() if node.type() != "selectionmask"]
    report("again", told)
    yield from steps.hide(document)


def sources(krita, report):
    """From all that is visible, from a layer of the list, and only from where a layer is opaque."""
    document = yield from fresh(krita)
    base = document.activeNode()
    size = (0, 0, document.width(), document.height())
    patch = document.createNode("patch", "paintlayer")
    patch.setPixelData(b"\x30\xb0\x60\xff" * (70 * 120), 0, 0, 70, 120)
    document.rootNode().addChildNode(patch, base)
    allowed = document.createNode("allowed", "paintlayer")
    allowed.setPixelData(b"\x00\x00\xff\xff" * (60 * 60), 100, 60, 60, 60)
    document.rootNode().addChildNode(allowed, patch)
    allowed.setVisible(False)
    document.refreshProjection()
    yield 0.2
    document.setActiveNode(base)
    yield lambda: document.activeNode().name() == base.name()
    steps.select(document, 60, 40, 24, 20)
    steps.dump("sources.mask", document.selection().pixelData(*size))
    steps.dump("sources.all", steps.picture(document))
    steps.dump("sources.base", base.pixelData(*size))
    told = {}
    for name, source, sample in (
        ("visible", "All visible", "Anywhere"),
        ("listed", "patch", "Anywhere"),
        ("sampled", "This layer", "allowed"),
    ):
        document.setActiveNode(base)
        yield lambda: document.activeNode().name() == base.name()
        window = yield from dialog()
        choose(window, "model", "PatchMatch")
        choose(window, "source", source)
        choose(window, "sample_from", sample)
        (layer,) = yield from accepted(document, window)
        steps.dump(f"sources.{name}", layer.pixelData(*size))
        told[name] = layer.name()
        layer.remove()
        yield 0.1
    told["remembered"] = yield from back_to_defaults(document)
    report("sources", told)
    yield from steps.hide(document)


def several(krita, report):
    """The result goes where it was asked for, whatever the user looks at meanwhile."""
    first = yield from fresh(krita)
    second = yield from fresh(krita)
    area = krita.activeWindow().qwindow().findChild(QMdiArea)
    area.setActiveSubWindow(area.subWindowList()[0])  # Krita's own way brings nothing to the front
    yield lambda: krita.activeDocument() == first
    steps.select(first, 60, 40, 24, 20)
    steps.press(steps.FILL)
    krita.openWindow()  # it stays: closing it closes the other one, too
    yield 0.3
    steps.select(first, 10, 10, 5, 5)  # what was selected when the entry was pressed counts
    yield lambda: steps.boxes() or len(steps.names(first)) > 1
    told = {"first": steps.names(first), "second": steps.names(second), "said": steps.dismiss()}
    layer = first.topLevelNodes()[1]
    told["rect"] = [layer.bounds().x(), layer.bounds().y()]
    told["entries"] = [entries(window.qwindow()) for window in krita.windows()]
    report("several", told)
    yield from steps.hide(first)
    yield from steps.hide(second)


def submenu(window):
    """The menu Filter ▸ AI Inpaint of a window."""
    bar = {action.text().replace("&", ""): action for action in window.menuBar().actions()}
    return {one.text().replace("&", ""): one for one in bar["Filter"].menu().actions()}["AI Inpaint"].menu()


def entries(window):
    return [action.text().replace("&", "") for action in submenu(window).actions()]


def menu(krita, report):
    window = Krita.instance().activeWindow().qwindow()
    submenu(window).aboutToShow.emit()
    every = {action.objectName(): action for action in [*window.findChildren(QAction), *krita.actions()]}
    told = {
        "entries": entries(window),
        "enabled": all(action.isEnabled() for action in submenu(window).actions()),
        "shortcut": krita.action(steps.FILL).shortcut().toString(),
        "same": sorted(
            name
            for name, action in every.items()
            if any(key.toString() == "Shift+F5" for key in action.shortcuts())
        ),
        "shortcuts": sum(1 for action in every.values() if action.shortcuts()),
    }
    told["status"] = yield from refused(steps.STATUS)
    told["stopped"] = yield from refused(steps.BACKEND)
    submenu(window).aboutToShow.emit()
    told["afterwards"] = entries(window)
    told["status_stopped"] = yield from refused(steps.STATUS)
    told["started"] = yield from refused(steps.BACKEND)
    report("menu", told)
    with open(os.path.join(os.environ["AI_INPAINT_HOME"], "settings.json"), encoding="utf-8") as stream:
        report("settings", json.load(stream))


def scenario(krita, report):
    chosen = os.environ.get("AI_INPAINT_CASES", "")
    for part in (mistakes, candidates, again, sources, menu, several):
        if not chosen or part.__name__ in chosen.split(","):
            yield from part(krita, report)
