"""New sketch layers, and a fill that follows one, as a user asks for them."""

import steps
from PyQt5.QtWidgets import QComboBox, QSpinBox
from workflow import accepted, choose, dialog, fresh, refused

SIZE = (0, 0, 160, 120)


def sketched(krita, report):
    """Of the selection, and undone; of everything; and where there is nothing to draw."""
    document = yield from fresh(krita)
    base = document.activeNode()
    before = steps.names(document)
    steps.select(document, 30, 20, 100, 80)
    steps.dump("sketched.visible", steps.picture(document))
    steps.dump("sketched.mask", document.selection().pixelData(*SIZE))
    (layer,) = yield from steps.fill(document, steps.SKETCH)
    steps.dump("sketched.selected", layer.pixelData(*SIZE))
    told = {
        "name": layer.name(),
        "order": [node.name() for node in document.topLevelNodes() if node.type() != "selectionmask"],
        "undo": krita.action("edit_undo").text(),
    }
    krita.action("edit_undo").trigger()
    document.waitForDone()
    yield 0.2
    told["undone"] = steps.names(document) == before
    krita.action("deselect").trigger()
    yield lambda: document.selection() is None
    document.setActiveNode(base)
    (layer,) = yield from steps.fill(document, steps.SKETCH)
    steps.dump("sketched.everything", layer.pixelData(*SIZE))
    layer.remove()
    yield 0.2
    flat = document.createNode("flat", "paintlayer")
    flat.setPixelData(b"\x20\x40\x80\xff" * (160 * 120), *SIZE)
    document.rootNode().addChildNode(flat, None)
    document.refreshProjection()
    yield 0.2
    told["flat"] = yield from refused(steps.SKETCH)
    steps.select(document, 1000, 1000, 10, 10)
    told["beside"] = yield from refused(steps.SKETCH)
    told["names"] = steps.names(document)
    report("sketched", told)
    yield 0.2
    yield from steps.hide(document)


def followed(krita, report):
    """The sketch is the active layer when the fill is asked for; it is chosen in the dialog."""
    document = yield from fresh(krita)
    steps.select(document, 30, 20, 100, 80)
    (sketch,) = yield from steps.fill(document, steps.SKETCH)
    yield lambda: document.activeNode().name() == sketch.name()
    steps.dump("followed.visible", steps.picture(document))
    steps.dump("followed.lines", sketch.pixelData(*SIZE))
    steps.dump("followed.mask", document.selection().pixelData(*SIZE))
    window = yield from dialog()
    choose(window, "model", "drawn (SC-FEGAN)")
    told = {
        "layers": [
            window.findChild(QComboBox, f"guidance_{name}").itemText(1).strip()
            for name in ("sketch", "colour")
        ]
    }
    choose(window, "guidance_sketch", "Sketch")
    window.findChild(QSpinBox, "seed").setValue(5)
    (fill,) = yield from accepted(document, window)
    steps.dump("followed.fill", fill.pixelData(*SIZE))
    told["name"] = fill.name()
    fill.remove()
    yield 0.1
    window = yield from dialog()
    told["remembered"] = window.findChild(QComboBox, "guidance_sketch").currentText().strip()
    window.reject()
    report("followed", told)
    yield from steps.hide(document)


def scenario(krita, report):
    yield from sketched(krita, report)
    yield from followed(krita, report)
