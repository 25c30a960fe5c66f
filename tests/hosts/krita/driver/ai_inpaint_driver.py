"""A plugin of Krita that runs a scenario: what the tests do inside of it.

A scenario is a Python file, named by AI_INPAINT_SCENARIO, with a generator `scenario(krita, report)`. It
yields seconds to wait, or a function to wait for; Krita's event loop runs meanwhile. `report(name, value)`
writes a line of JSON to the file that AI_INPAINT_REPORT names; the last one is "end" if all went well, else
"error" with a traceback. Krita's own exit code says nothing.
"""

import faulthandler
import importlib.util
import json
import os
import sys
import time
import traceback

from krita import Extension, Krita
from PyQt5.QtCore import QTimer
from PyQt5.QtWidgets import QApplication

PATIENCE = 60.0  # seconds to wait for what a scenario waits for


def report(name, value=None):
    with open(os.environ["AI_INPAINT_REPORT"], "a", encoding="utf-8") as stream:
        stream.write(json.dumps({"name": name, "value": value}) + "\n")


class Runner:
    """Steps a generator from timers, so that Krita lives on between the steps."""

    def __init__(self, steps):
        self.steps = steps
        self.wanted = None
        self.since = 0.0

    def step(self):
        try:
            if self.wanted is not None:
                if not self.wanted():
                    if time.monotonic() - self.since > PATIENCE:
                        modal = QApplication.activeModalWidget()
                        told = f"; {modal.objectName() or modal.windowTitle()} is in the way" if modal else ""
                        self.steps.throw(TimeoutError(f"waited {PATIENCE:.0f} s{told}"))
                    QTimer.singleShot(20, self.step)
                    return
                self.wanted = None
            wish = next(self.steps)
        except StopIteration:
            report("end")
            leave()
            return
        except BaseException:
            report("error", traceback.format_exc())
            leave()
            return
        if callable(wish):
            self.wanted, self.since, wish = wish, time.monotonic(), 0.02
        QTimer.singleShot(int(1000 * wish), self.step)


def leave():
    """Quit without a question about documents that were changed."""
    for document in Krita.instance().documents():
        document.setModified(False)
    QTimer.singleShot(100, lambda: Krita.instance().action("file_quit").trigger())


class Driver(Extension):
    def __init__(self, parent):
        super().__init__(parent)
        self.runner = None

    def setup(self):
        faulthandler.enable()
        faulthandler.dump_traceback_later(float(os.environ["AI_INPAINT_LIMIT"]), exit=True)
        # Krita would show a window that waits for an answer.
        sys.excepthook = lambda *error: report("uncaught", "".join(traceback.format_exception(*error)))
        notifier = Krita.instance().notifier()
        notifier.setActive(True)
        notifier.windowCreated.connect(self.begin)

    def createActions(self, window):
        pass

    def begin(self):
        if self.runner is None:
            self.runner = Runner(self.steps())
            QTimer.singleShot(500, self.runner.step)

    def steps(self):
        report("version", Krita.instance().version())
        path = os.environ["AI_INPAINT_SCENARIO"]
        sys.path.insert(0, os.path.dirname(path))
        spec = importlib.util.spec_from_file_location("scenario", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield from module.scenario(Krita.instance(), report)


Krita.instance().addExtension(Driver(Krita.instance()))
