"""`ai-inpaint serve`: the backend that editors talk to."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..wire import errors
from ..wire.errors import InpaintError
from .values import DEVICE

if TYPE_CHECKING:
    from ..client.discovery import Connection
    from ..server.security import CurveKeys

ALREADY_RUNNING = 3
"""Exit code when another backend of this state folder runs; the launcher knows it."""

_BACKGROUND_IDLE = 900.0

log = logging.getLogger(__name__)


@click.command()
@click.option("--address", default="127.0.0.1", show_default=True, help="Where to listen; * is everywhere.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Default: any free one.")
@click.option(
    "--device",
    "devices",
    type=DEVICE,
    multiple=True,
    help="cpu, cuda, cuda:1, mps; each one given gets a worker. Default: the best there is.",
)
@click.option(
    "--idle-timeout",
    type=click.FloatRange(0),
    metavar="SECONDS",
    help="End after so long without a client; 0 is never. Default: never, in the background 900.",
)
@click.option("--background", is_flag=True, help="Log to a file, as editors do that start the backend.")
@click.option(
    "--connection-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to tell clients how to connect. Default: in the state folder.",
)
@click.option("-v", "--verbose", is_flag=True, help="Log more.")
@click.pass_context
def serve(
    ctx: click.Context,
    address: str,
    port: int,
    devices: tuple[str, ...],
    idle_timeout: float | None,
    background: bool,
    connection_file: Path | None,
    verbose: bool,
) -> None:
    """Serve editors until Ctrl+C, SIGTERM, or `ai-inpaint stop`.

    On another address than the loopback one everything is encrypted; copy the connection file to the
    other computer and name it there with AI_INPAINT_CONNECTION. With a fixed --port the copy stays good
    after a restart, until the keys beside the connection file are deleted.
    """
    import filelock

    from ..client import paths

    path = connection_file or paths.connection_file()
    _prepare(path.parent, connection_file is None)
    lock = filelock.FileLock(path.with_name(path.name + ".lock"), timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        click.echo(
            f"ai-inpaint: Another backend runs already ({path}). Use it, or end it with: ai-inpaint stop.",
            err=True,
        )
        ctx.exit(ALREADY_RUNNING)
    except OSError as problem:
        raise _cannot_use(path.parent, problem) from problem
    try:
        _log(background, verbose, path.parent)
        if idle_timeout is None:
            idle_timeout = _BACKGROUND_IDLE if background else 0.0
        _serve(address, port, devices or ("auto",), idle_timeout, path, quiet=background)
    except InpaintError as problem:
        if background:  # on the terminal it is the command's last line
            log.error("%s", problem)
        raise
    finally:
        lock.release()


def _log(background: bool, verbose: bool, folder: Path) -> None:
    from .. import logs
    from ..client import paths

    try:
        if background:
            logs.to_file(paths.log_file(folder), logging.DEBUG if verbose else logging.INFO)
        else:
            logs.to_terminal(logging.INFO if verbose else logging.WARNING)
    except OSError as problem:
        raise _cannot_use(folder, problem) from problem


def _prepare(folder: Path, ours: bool) -> None:
    """Make the folder; the state folder is closed to others, one that the user names is left as it is."""
    from ..client import paths

    try:
        if ours:
            paths.make_private(folder)
        else:
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise _cannot_use(folder, problem) from problem


def _cannot_use(folder: Path, problem: OSError) -> InpaintError:
    return InpaintError(
        errors.LAUNCH_FAILED,
        f"The folder {folder} cannot be used: {problem.strerror or problem}.",
        "Make it writable for your user, or set AI_INPAINT_HOME to another one.",
    )


def _serve(
    address: str, port: int, devices: tuple[str, ...], idle_timeout: float, path: Path, quiet: bool
) -> None:
    from ..client import discovery
    from ..server import serve as run_server

    def ready(known: Mapping[str, Any]) -> None:
        try:
            discovery.write(_connection(known), path)
        except OSError as problem:
            raise _cannot_use(path.parent, problem) from problem
        if not quiet:
            click.echo(f"Serving at {known['endpoint']}; connection file: {path}. Ctrl+C ends it.")

    try:
        keys = None if discovery.is_loopback(address) else _keys(path.with_name("keys.json"))
        run_server(address, port, devices=devices, idle_timeout=idle_timeout, keys=keys, on_ready=ready)
    finally:
        discovery.remove_if_mine(path)
    if not quiet:
        click.echo("Ended.")


def _keys(path: Path) -> CurveKeys:
    """The keys that were made at the first start here, so that copied connection files stay good."""
    from ..client.files import write_json
    from ..server.security import CurveKeys

    try:
        return CurveKeys(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        pass
    except (OSError, ValueError, TypeError) as problem:
        raise InpaintError(
            errors.LAUNCH_FAILED,
            f"The keys in {path} cannot be read.",
            "Delete the file; connection files have to be copied again then.",
        ) from problem
    keys = CurveKeys.fresh()
    try:
        write_json(path, asdict(keys))
    except OSError as problem:
        raise _cannot_use(path.parent, problem) from problem
    return keys


def _connection(known: Mapping[str, Any]) -> Connection:
    from ..client.discovery import Connection

    names = ("endpoint", "software", "username", "secret", "server_key", "client_key", "client_secret", "pid")
    return Connection(
        mechanism=known["mechanism"].upper(),
        protocol=tuple(known["protocol"]),
        **{name: known[name] for name in names if name in known},
    )
