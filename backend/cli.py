"""The command line: `ai-inpaint`.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 (`serve`) another backend runs already, 130 interrupted,
143 told to end. Every failure is one line on standard error: what is wrong, and what to do.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from . import __version__
from .commands import batch, doctor, models, run, serve, sketch, status, train
from .wire import errors
from .wire.errors import InpaintError

_USAGE = {errors.BAD_PARAM, errors.UNKNOWN_MODEL}
_INTERRUPTED = 128 + signal.SIGINT
_TERMINATED = 128 + signal.SIGTERM


class Program(click.Group):
    """A group of commands whose every failure is one line."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> NoReturn:
        """Run the command, and exit with its code."""
        extra.update(complete_var=complete_var, windows_expand_args=windows_expand_args)
        sys.exit(self._run(args, extra))

    def _run(self, args: Sequence[str] | None, extra: dict[str, Any]) -> int:
        try:
            code = super().main(args, prog_name="ai-inpaint", standalone_mode=False, **extra)
            return code if isinstance(code, int) else 0
        except click.exceptions.NoArgsIsHelpError as problem:
            problem.show()
            return problem.exit_code
        except click.UsageError as problem:
            command = problem.ctx.command_path if problem.ctx is not None else "ai-inpaint"
            return _failed(problem.exit_code, problem.format_message(), f"See {command} --help.")
        except click.ClickException as problem:
            return _failed(problem.exit_code, problem.format_message())
        except InpaintError as problem:
            return _failed(2 if problem.code in _USAGE else 1, problem.message, problem.hint)
        except (KeyboardInterrupt, click.Abort):
            return _failed(_INTERRUPTED, "Interrupted; nothing was written.")
        except BrokenPipeError:
            # Who read the output has gone; what Python still holds for it must not be written at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            return _failed(1, "The output was closed before all was written.")
        except MemoryError:
            return _failed(1, "There is not enough memory.", "Fill a smaller picture, or close programs.")


def _failed(code: int, message: str, hint: str = "") -> int:
    line = " ".join(f"{message} {hint}".split())
    click.echo(f"ai-inpaint: {line}", err=True)
    return int(code)


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Fill holes in pictures so well that nobody sees they were there.

    \b
    ai-inpaint run photo.jpg mask.png -o filled.jpg
    """
    # Unwinds, so that temporary files are removed; `serve` has a way of its own.
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(_TERMINATED))
    ctx.call_on_close(lambda: signal.signal(signal.SIGTERM, before or signal.SIG_DFL))


for command in (
    run.run,
    batch.batch,
    sketch.sketch,
    serve.serve,
    status.stop,
    status.status,
    models.models,
    train.train,
    doctor.doctor,
):
    main.add_command(command)

if __name__ == "__main__":
    main()
