"""Selections of marks and mosaics, saved selections as a source, fills that come out of a file."""

import json
import os

import steps
from krita import ManagedColor, Selection
from PyQt5.QtGui import QColor
from PyQt5.QtWidgets import QApplication, QComboBox, QDialog, QLineEdit, QPushButton, QSpinBox
from workflow import accepted, back_to_defaults, button, choose, dialog, refused

PAGES = os.environ["AI_INPAINT_PAGES"]
SIZE = (0, 0, 240, 200)
BEFORE = (10, 12, 30, 20)


def opened(krita, name):
    """A page, with something selected."""
    document = krita.openDocument(os.path.join(PAGES, name + ".png"))
    yield from steps.show(document)
    steps.select(document, *BEFORE)
    yield 0.2
    return document


def selected(document):
    selection = document.selection()
    return b"" if selection is None else bytes(selection.pixelData(*SIZE))


def asked():
    """The dialog for marks."""

    def found():
        windows = [one for one in QApplication.topLevelWidgets() if isinstance(one, QDialog)]
        return [one for one in windows if one.objectName() == "ai_inpaint_marks" and one.isVisible()]

    steps.press(steps.MARKS)
    yield lambda: found()
    return found()[0]


def changed(document):
    """Wait until something else is selected; what was said about it."""
    before = selected(document)
    yield lambda: steps.boxes() or selected(document) != before
    yield 0.3  # for a message box after it
    document.waitForDone()
    return steps.dismiss()


def marks(document, **values):
    """Select marks with the dialog."""
    window = yield from asked()
    button(window, "Defaults").click()
    for name, value in values.items():
        field = window.findChild(QLineEdit if name == "colour" else QSpinBox, name)
        (field.setText if name == "colour" else field.setValue)(value)
    button(window, "Select").click()
    return (yield from changed(document))


def step(krita, document, action):
    """One step of undo or redo."""
    krita.action(action).trigger()
    document.waitForDone()
    yield 0.3
    return selected(document)


def marked(krita, report):
    """Marks; one step back, and forth; filled."""
    document = yield from opened(krita, "marked")
    before = selected(document)
    window = yield from asked()
    window.grab().save(os.path.join(os.environ["AI_INPAINT_PICTURES"], "select-marks.png"))
    button(window, "Cancel").click()
    yield 0.2
    told = {"cancelled": selected(document) == before}
    told["said"] = yield from marks(document)
    found = selected(document)
    steps.dump("marked.mask", found)
    told["names"] = steps.names(document)
    told["undo"] = krita.action("edit_undo").text()
    told["undone"] = (yield from step(krita, document, "edit_undo")) == before
    told["said_again"] = yield from marks(document)
    told["again"] = selected(document) == found
    (fill,) = yield from steps.fill(document)
    told["fill"] = fill.name()
    steps.dump("marked.filled", steps.picture(document))
    report("marked", told)
    yield from steps.hide(document)


def unselected(krita, report):
    """The same where nothing was selected before."""
    document = yield from opened(krita, "marked")
    krita.action("deselect").trigger()
    document.waitForDone()
    yield 0.3
    told = {"before": selected(document) == b"", "undo": [krita.action("edit_undo").text()]}
    yield from marks(document)
    steps.dump("unselected.mask", selected(document))
    told["undo"].append(krita.action("edit_undo").text())
    undone = yield from step(krita, document, "edit_undo")
    told["undone"] = not any(undone)
    told["undo"].append(krita.action("edit_undo").text())
    report("unselected", told)
    yield from steps.hide(document)


def layered(krita, report):
    """The marks are on a layer of their own, which is hidden and shown."""
    document = yield from opened(krita, "art")
    with open(os.path.join(PAGES, "marks.raw"), "rb") as stream:
        data = stream.read()
    layer = document.createNode("marks", "paintlayer")
    layer.setPixelData(data, *SIZE)
    document.rootNode().addChildNode(layer, None)
    document.refreshProjection()
    yield 0.3
    steps.dump("layered.seen", steps.picture(document))
    told = {"said": (yield from marks(document, tolerance=30, smallest=40))}
    steps.dump("layered.mask", selected(document))
    layer.setVisible(False)
    document.refreshProjection()
    yield 0.3
    window = yield from asked()
    told["remembered"] = [window.findChild(QSpinBox, name).value() for name in ("tolerance", "smallest")]
    button(window, "Cancel").click()
    yield 0.1
    window = yield from asked()
    button(window, "Select").click()
    yield lambda: steps.boxes()
    told["hidden"] = steps.dismiss()
    report("layered", told)
    yield from steps.hide(document)


def colours(krita, report):
    """The colour that is painted with, and elsewhere one that is nearly the same."""
    document = yield from opened(krita, "art")
    layer = document.activeNode()
    layer.setPixelData(b"\x80\x00\xff\xff" * 600, 100, 90, 20, 30)  # blue, green, red, alpha
    layer.setPixelData(b"\x80\x20\xff\xff" * 400, 10, 150, 40, 10)
    document.refreshProjection()
    view = krita.activeWindow().activeView()
    view.setForeGroundColor(ManagedColor.fromQColor(QColor("#ff0080")))
    yield 0.3
    window = yield from asked()
    window.findChild(QPushButton, "foreground").click()
    told = {"colour": window.findChild(QLineEdit, "colour").text()}
    window.findChild(QSpinBox, "tolerance").setValue(1)
    button(window, "Select").click()
    told["said"] = yield from changed(document)
    steps.dump("colours.mask", selected(document))
    report("colours", told)
    yield from steps.hide(document)


def mosaics(krita, report):
    document = yield from opened(krita, "mosaicked")
    before = selected(document)
    steps.press(steps.MOSAICS)
    told = {"said": (yield from changed(document))}
    steps.dump("mosaics.mask", selected(document))
    told["undone"] = (yield from step(krita, document, "edit_undo")) == before
    report("mosaics", told)
    yield from steps.hide(document)


def refusals(krita, report):
    """What cannot be selected is told, and what was selected stays."""
    for document in krita.documents():
        yield from steps.hide(document)
    yield 0.2
    told = {"no_document": (yield from refused(steps.MARKS))}
    told["no_document_mosaics"] = yield from refused(steps.MOSAICS)
    for name, page in (("unmarked", "art"), ("green", "green")):
        document = yield from opened(krita, page)
        before = selected(document)
        window = yield from asked()
        button(window, "Defaults").click()
        button(window, "Select").click()
        yield lambda: steps.boxes()
        told[name] = steps.dismiss()
        told[name + "_stays"] = selected(document) == before
        if name == "unmarked":
            told["no_mosaic"] = yield from refused(steps.MOSAICS)
        yield from steps.hide(document)
    document = yield from opened(krita, "marked")
    told["wrong_colour"] = yield from marks(document, colour="green!")
    yield from steps.hide(document)
    report("refusals", told)


def sources(krita, report):
    """A selection that was saved with the layer says what the fill is taken from."""
    document = yield from opened(krita, "halves")
    base = document.activeNode()
    kept = document.createSelectionMask("kept")
    area = Selection()
    area.select(0, 0, 100, 200, 255)
    kept.setSelection(area)
    base.addChildNode(kept, None)
    yield 0.3
    document.setActiveNode(base)
    steps.select(document, 140, 80, 30, 24)
    yield lambda: document.activeNode().name() == base.name()
    steps.dump("sources.mask", selected(document))
    told = {}
    for name, place in (("anywhere", "Anywhere"), ("kept", "kept")):
        document.setActiveNode(base)
        yield lambda: document.activeNode().name() == base.name()
        window = yield from dialog()
        choose(window, "model", "PatchMatch")
        combo = window.findChild(QComboBox, "sample_from")
        told["places"] = [combo.itemText(index).strip() for index in range(combo.count())]
        listed = window.findChild(QComboBox, "source")
        told["sources"] = [listed.itemText(index).strip() for index in range(listed.count())]
        choose(window, "sample_from", place)
        (layer,) = yield from accepted(document, window)
        steps.dump(f"sources.{name}", layer.pixelData(*SIZE))
        layer.remove()
        yield 0.2
    told["remembered"] = yield from back_to_defaults(document)
    report("sources", told)
    yield from steps.hide(document)


def record(document, layer):
    """What the document says of a layer."""
    records = json.loads(bytes(document.annotation("ai-inpaint")).decode())
    return json.loads(records[layer.uniqueId().toString()]["request"])


def reopened(krita, report):
    """A fill's record goes through a file: the second candidate is made anew, with another seed."""
    document = yield from opened(krita, "art")
    steps.select(document, 140, 80, 30, 24)
    window = yield from dialog()
    choose(window, "model", "PatchMatch")
    for name, value in (("grow", 6), ("feather", 3), ("seed", 41), ("count", 2)):
        window.findChild(QSpinBox, name).setValue(value)
    yield from accepted(document, window)
    window = yield from dialog()
    choose(window, "model", "Automatic")
    button(window, "Defaults").click()
    yield from accepted(document, window)  # what was used last is something else
    path = os.path.join(steps.OUT, "page.kra")
    document.setBatchmode(True)
    document.saveAs(path)
    document.waitForDone()
    yield from steps.hide(document)
    document = krita.openDocument(path)
    yield from steps.show(document)
    nodes = list(steps.walk(document.rootNode()))
    second = next(node for node in nodes if node.name() == "PatchMatch, seed 42")
    first = record(document, second)
    steps.dump("reopened.second", second.pixelData(*SIZE))
    steps.select(document, 140, 80, 30, 24)
    steps.dump("reopened.mask", selected(document))
    document.setActiveNode(second)
    yield lambda: document.activeNode().name() == second.name()
    (again,) = yield from steps.fill(document, steps.REPEAT)
    steps.dump("reopened.again", again.pixelData(*SIZE))
    report("reopened", {"first": first, "again": record(document, again)})
    yield from steps.hide(document)


def scenario(krita, report):
    chosen = os.environ.get("AI_INPAINT_CASES", "")
    for part in (marked, unselected, layered, colours, mosaics, sources, reopened, refusals):
        if not chosen or part.__name__ in chosen.split(","):
            yield from part(krita, report)
