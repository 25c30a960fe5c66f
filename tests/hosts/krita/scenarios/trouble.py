"""Backends that are missing, broken, silent, strange or killed; jobs that are stopped in many ways."""

import contextlib
import json
import os
import signal
import socket
import stat
import time

import steps
from krita import Krita
from PyQt5.QtWidgets import QPushButton
from workflow import PHOTO, fresh, refused

STATE = os.environ["AI_INPAINT_HOME"]
INSTALLATION = os.path.join(STATE, "installation.json")
CONNECTION = os.path.join(STATE, "connection.json")


def write(path, content):
    with open(path, "w", encoding="utf-8") as stream:
        json.dump(content, stream)
    os.chmod(path, 0o600)


def program(name, text):
    """A program in the state folder; its path."""
    path = os.path.join(STATE, name)
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text)
    os.chmod(path, stat.S_IRWXU)
    return path


def use(model, **values):
    """Make these the settings used last."""
    write(os.path.join(STATE, "settings.json"), {"model": model, "models": {model: values}})


def backends(krita, report):
    """Each of these says a sentence, and a way out."""
    document = yield from fresh(krita)
    steps.select(document, 60, 40, 24, 20)
    with open(INSTALLATION, encoding="utf-8") as stream:
        good = json.load(stream)
    told = {}
    os.remove(INSTALLATION)
    told["missing"] = yield from refused()
    trace = "import sys\nraise RuntimeError('a part is lost')\n"
    broken = program("broken", f"#!/usr/bin/env python3\n{trace}")
    write(INSTALLATION, {**good, "python": broken})
    told["broken"] = yield from refused()
    write(INSTALLATION, good)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        other = {
            "endpoint": f"tcp://127.0.0.1:{listener.getsockname()[1]}",
            "mechanism": "PLAIN",
            "protocol": [99, 0],
            "software": "99.0",
            "username": "user",
            "secret": "0" * 64,
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "namespace": os.readlink("/proc/self/ns/pid"),
        }
        write(CONNECTION, other)
        told["version"] = yield from refused()
        write(CONNECTION, {**other, "protocol": [1, 0]})
        pulse = steps.Pulse()
        told["silent"] = yield from refused()
        report("silent", pulse.stop())
    os.remove(CONNECTION)
    told["names"] = steps.names(document)
    report("backends", told)
    yield from steps.hide(document)


def running():
    """Process number of the backend."""
    with open(CONNECTION, encoding="utf-8") as stream:
        return json.load(stream)["pid"]


def cancelling(krita, report):
    document = yield from fresh(krita)
    steps.select(document, 60, 40, 24, 20)
    use("patient", seconds=60.0, value=200)
    steps.press(steps.FILL)
    told = {}
    yield lambda: steps.progress() or steps.boxes()
    told["starting"] = steps.dismiss() or steps.progress()[0].labelText()
    yield lambda: steps.boxes() or [one for one in steps.progress() if one.labelText() == "Dreaming"]
    first = steps.progress()[0].value()
    yield lambda: steps.progress()[0].value() > first
    told["moves"] = True
    told["again"] = yield from refused()  # a second fill of the same picture
    began = time.monotonic()
    steps.progress()[0].findChild(QPushButton).click()
    yield lambda: not steps.progress()
    told["seconds"] = time.monotonic() - began
    yield 1.0
    told["names"] = steps.names(document)
    told["said"] = steps.dismiss()
    use("patient", seconds=3.0, value=200)
    steps.press(steps.FILL)
    yield lambda: [one for one in steps.progress() if one.labelText() == "Dreaming"]
    pulse = steps.Pulse()
    yield lambda: len(steps.names(document)) > 1 or steps.boxes()
    told["said_afterwards"] = steps.dismiss()
    told["afterwards"] = steps.names(document)
    told["undo"] = krita.action("edit_undo").text()
    report("pulse", pulse.stop())
    report("cancelling", told)
    yield from steps.hide(document)


def dying(krita, report):
    """The backend is killed mid-job, runs out of memory, crashes, has a defect; each time one goes on."""
    document = yield from fresh(krita)
    steps.select(document, 60, 40, 24, 20)
    use("patient", seconds=60.0, value=200)
    steps.press(steps.FILL)
    yield lambda: [one for one in steps.progress() if one.labelText() == "Dreaming"]
    os.kill(running(), signal.SIGKILL)
    yield lambda: steps.boxes()
    told = {"killed": steps.dismiss(), "windows": len(steps.progress())}
    use("glutton")
    told["memory"] = yield from refused()
    use("crash")
    told["crash"] = yield from refused()
    use("mistaken")
    told["mistaken"] = yield from refused()
    use("patient", seconds=0.2, value=10)
    (layer,) = yield from steps.fill(document)
    told["afterwards"] = layer.name()
    report("dying", told)
    yield from steps.hide(document)


def closing(krita, report):
    """The document is closed mid-job; another one is filled at the same time."""
    document = yield from fresh(krita)
    steps.select(document, 60, 40, 24, 20)
    use("patient", seconds=60.0, value=200)
    steps.press(steps.FILL)
    yield lambda: [one for one in steps.progress() if one.labelText() == "Dreaming"]
    yield from steps.hide(document)
    yield lambda: not steps.progress()
    told = {"said": steps.dismiss(), "documents": len(krita.documents())}
    report("closing", told)


def quitting(krita, report):
    """A job runs while Krita quits, which the driver makes it do after this."""
    document = krita.openDocument(PHOTO)
    yield from steps.show(document)
    steps.select(document, 60, 40, 24, 20)
    use("patient", seconds=60.0, value=200)
    steps.press(steps.FILL)
    yield lambda: [one for one in steps.progress() if one.labelText() == "Dreaming"]
    report("quitting", running())


def scenario(krita, report):
    chosen = os.environ.get("AI_INPAINT_CASES", "")
    with contextlib.suppress(OSError):
        os.remove(os.path.join(STATE, "settings.json"))
    for part in (backends, cancelling, dying, closing, quitting):
        if not chosen or part.__name__ in chosen.split(","):
            yield from part(Krita.instance(), report)
