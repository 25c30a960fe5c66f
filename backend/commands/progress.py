"""Telling how far a command is: a bar on a terminal, plain lines in a pipe."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from types import TracebackType
from typing import Any

import click

_STEPS = 1000
_LINES = 10


class ProgressLine:
    """Shows fractions on standard error.

    with ProgressLine("photo.jpg") as show:
        show(0.25, "matching")
    """

    def __init__(self, label: str, quiet: bool = False) -> None:
        self._label = label
        self._quiet = quiet
        self._stage = ""
        self._told = -1
        self._stack = ExitStack()
        self._bar: Any = None

    def __enter__(self) -> ProgressLine:
        if not self._quiet and sys.stderr.isatty():
            self._bar = self._stack.enter_context(
                click.progressbar(
                    length=_STEPS,
                    label=self._label,
                    file=sys.stderr,
                    item_show_func=lambda _: self._stage,
                    show_eta=False,
                )
            )
        return self

    def __call__(self, fraction: float, stage: str) -> None:
        """Show a fraction in [0, 1] and the name of what is done now; going back is not shown."""
        fraction = min(max(fraction, 0.0), 1.0)
        if self._bar is not None:
            self._stage = stage
            self._bar.update(max(int(fraction * _STEPS) - self._bar.pos, 0), current_item=stage)
        elif not self._quiet and fraction > 0 and int(fraction * _LINES) > self._told:
            # Nothing is said at 0: what fails at once is one line, its error.
            self._told = int(fraction * _LINES)
            click.echo(f"{self._label}: {100 * self._told // _LINES} % {stage}", err=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)
