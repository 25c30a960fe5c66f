"""Every kind of picture and of layer: fill, look, undo, redo."""

import os

import steps
from krita import InfoObject
from steps import SRGB

PHOTO = os.environ["AI_INPAINT_PHOTO"]
LINEAR = "sRGB-elle-V2-g10.icc"
HOLE = (70, 50, 30, 24)


def opened(krita, model="RGBA", depth="U8", profile=SRGB):
    document = krita.openDocument(PHOTO)
    if (model, depth, profile) != ("RGBA", "U8", SRGB):
        document.setColorSpace(model, depth, profile)
        document.waitForDone()
    return document


def plain(*space):
    def make(krita):
        document = opened(krita, *space)
        return document, document.topLevelNodes()[0]

    return make


def offset(krita):
    """A layer that begins and ends off the canvas."""
    document = opened(krita)
    node = document.topLevelNodes()[0]
    node.move(-37, 21)
    return document, node


def larger(krita):
    """A layer larger than the canvas: what is off the canvas is no part of the picture."""
    document = opened(krita)
    document.resizeImage(30, 20, 130, 100)
    return document, document.topLevelNodes()[0]


def group(krita):
    document = opened(krita)
    node = document.topLevelNodes()[0]
    folder = document.createGroupLayer("folder")
    document.rootNode().addChildNode(folder, None)
    inside = node.duplicate()
    folder.addChildNode(inside, None)
    node.remove()
    return document, folder


def passing(krita):
    document, folder = group(krita)
    folder.setPassThroughMode(True)
    return document, folder


def nested(krita):
    """A layer inside a group."""
    document, folder = group(krita)
    return document, folder.childNodes()[0]


def masked(krita):
    """A transparency mask, which hides the left third, is active."""
    document = opened(krita)
    node = document.topLevelNodes()[0]
    mask = document.createNode("hides", "transparencymask")
    node.addChildNode(mask, None)
    size = document.width() * document.height()
    row = bytes(60) + b"\xff" * (document.width() - 60)
    mask.setPixelData(row * (size // len(row)), 0, 0, document.width(), document.height())
    return document, mask


def filtered(krita):
    """A filter mask on the layer is active: what the layer shows is what counts."""
    document = opened(krita)
    node = document.topLevelNodes()[0]
    change = krita.filter("invert")
    mask = document.createFilterMask("inverts", change, _everything(document))
    node.addChildNode(mask, None)
    return document, mask


def adjusted(krita):
    """A filter layer is active."""
    document = opened(krita)
    layer = document.createFilterLayer("inverts", krita.filter("invert"), _everything(document))
    document.rootNode().addChildNode(layer, None)
    return document, layer


def _everything(document):
    from krita import Selection

    selection = Selection()
    selection.select(0, 0, document.width(), document.height(), 255)
    return selection


def filled(krita):
    """A fill layer is active."""
    document = opened(krita)
    settings = InfoObject()
    colour = f"<color channeldepth='U8'><sRGB r='0.2' g='0.6' b='0.4' space='{SRGB}'/></color>"
    settings.setProperties({"color": f"<!DOCTYPE color>{colour}"})
    layer = document.createFillLayer("colour", "color", settings, _everything(document))
    document.rootNode().addChildNode(layer, None)
    return document, layer


def drawn(krita):
    """A vector layer is active."""
    document = opened(krita)
    krita.activeWindow().addView(document)  # without a view, shapes crash Krita
    layer = document.createVectorLayer("drawn")
    document.rootNode().addChildNode(layer, None)
    layer.addShapesFromSvg(
        '<svg xmlns="http://www.w3.org/2000/svg" width="160pt" height="120pt">'
        '<rect x="5" y="5" width="150" height="110" fill="#2060c0"/>'
        '<rect x="60" y="40" width="60" height="50" fill="#c03020"/></svg>'
    )
    return document, layer


def faded(krita):
    """A layer that is partly transparent."""
    document = opened(krita)
    node = document.topLevelNodes()[0]
    width, height = document.width(), document.height()
    pixels = bytearray(node.pixelData(0, 0, width, height))
    pixels[3::4] = bytes(255 if x > 40 else x * 6 for _ in range(height) for x in range(width))
    node.setPixelData(bytes(pixels), 0, 0, width, height)
    return document, node


def clipped(krita):
    """A layer that inherits the alpha of a smaller one below it."""
    document = opened(krita)
    node = document.topLevelNodes()[0]
    below = document.createNode("shape", "paintlayer")
    below.setPixelData(b"\x40\x80\xc0\xff" * (80 * 120), 20, 0, 80, 120)
    folder = document.createGroupLayer("folder")
    document.rootNode().addChildNode(folder, None)
    folder.addChildNode(below, None)
    upper = node.duplicate()
    folder.addChildNode(upper, below)
    node.remove()
    upper.setInheritAlpha(True)
    return document, upper


def other_space(krita):
    """A layer whose colours are not stored as the document's."""
    document = opened(krita)
    node = document.topLevelNodes()[0]
    node.setColorSpace("RGBA", "U16", SRGB)
    return document, node


CASES = {
    "rgba8": plain(),
    "rgba16": plain("RGBA", "U16", SRGB),
    "half": plain("RGBA", "F16", SRGB),
    "float": plain("RGBA", "F32", LINEAR),
    "gray8": plain("GRAYA", "U8", "Gray-D50-elle-V2-srgbtrc.icc"),
    "gray16": plain("GRAYA", "U16", "Gray-D50-elle-V2-srgbtrc.icc"),
    "cmyk8": plain("CMYKA", "U8", "Chemical proof"),
    "lab16": plain("LABA", "U16", "Lab identity built-in"),
    "offset": offset,
    "larger": larger,
    "group": group,
    "passing": passing,
    "nested": nested,
    "masked": masked,
    "filtered": filtered,
    "adjusted": adjusted,
    "filled": filled,
    "drawn": drawn,
    "faded": faded,
    "clipped": clipped,
    "other_space": other_space,
}


def one(krita, report, name, make):
    """Fill in one kind of picture, and write down what is there before and after, undone and redone."""
    document, node = make(krita)
    yield from steps.show(document)
    document.setActiveNode(node)
    steps.select(document, *HOLE)
    yield lambda: document.activeNode() is not None and document.activeNode().name() == node.name()
    yield 0.3  # vector and fill layers are painted in the background
    steps.dump(f"{name}.mask", document.selection().pixelData(0, 0, document.width(), document.height()))
    steps.dump(f"{name}.before", steps.picture(document))
    before = steps.names(document)
    layer_of = node.parentNode() if node.type().endswith("mask") else node
    behind = node.type() == "filterlayer" or name == "passing"
    size = (0, 0, document.width(), document.height())
    shown = bytes(document.pixelData(*size) if behind else layer_of.projectionPixelData(*size))
    steps.dump(f"{name}.source", shown)
    own = steps.space(document if behind else layer_of)
    tool = steps.tool()
    undo = krita.action("edit_undo")
    history = [undo.text()]
    new = yield from steps.fill(document)
    (layer,) = new
    history.append(undo.text())
    area = layer.bounds()
    rect = [area.x(), area.y(), area.width(), area.height()]
    steps.dump(f"{name}.layer", layer.pixelData(*size))
    steps.dump(f"{name}.after", steps.picture(document))
    after = steps.names(document)
    siblings = [child.name() for child in layer.parentNode().childNodes()]
    selection = document.selection()
    active = document.activeNode().name()
    krita.action("edit_undo").trigger()
    document.waitForDone()
    yield 0.1
    history.append(undo.text())
    undone = steps.names(document)
    steps.dump(f"{name}.undone", steps.picture(document))
    krita.action("edit_redo").trigger()
    document.waitForDone()
    yield 0.1
    steps.dump(f"{name}.redone", steps.picture(document))
    if own[0] not in ("RGBA", "GRAYA"):  # this is an undo step, so it comes last
        steps.dump(f"{name}.travelling", steps.travelling(layer_of, size))
        steps.dump(f"{name}.layer_travelling", steps.travelling(layer, size))
    report(
        name,
        {
            "size": [document.width(), document.height()],
            "space": steps.space(document),
            "source_space": own,
            "layer_space": steps.space(layer),
            "layer": layer.name(),
            "rect": rect,
            "parent": layer.parentNode().name(),
            "siblings": siblings,
            "inherits": layer.inheritAlpha(),
            "active": active,
            "node": layer_of.name(),
            "before": before,
            "after": after,
            "undone": undone,
            "redone": steps.names(document),
            "history": history,
            "tool": [tool, steps.tool()],
            "selection": [selection.x(), selection.y(), selection.width(), selection.height()],
        },
    )
    if name in ("rgba8", "gray16"):
        document.setBatchmode(True)
        document.exportImage(os.path.join(steps.OUT, f"{name}.png"), InfoObject())
        document.saveAs(os.path.join(steps.OUT, f"{name}.kra"))
        document.waitForDone()
    yield from steps.hide(document)


def scenario(krita, report):
    chosen = os.environ.get("AI_INPAINT_CASES", "")
    for name, make in CASES.items():
        if not chosen or name in chosen.split(","):
            yield from one(krita, report, name, make)
