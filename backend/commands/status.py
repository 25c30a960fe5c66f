"""`ai-inpaint status` and `ai-inpaint stop`: about the backend that runs."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import click

from ..wire import errors
from ..wire.errors import InpaintError

_ENDING = 15.0


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def status(as_json: bool) -> None:
    """Say what the running backend does."""
    from ..client.session import Session

    with Session.connect(launch=False, software="ai-inpaint status") as session:
        known = session.status()
    if as_json:
        click.echo(json.dumps(known, indent=2))
        return
    minutes = float(known.get("uptime", 0)) / 60
    click.echo(f"{known.get('software')}, process {known.get('pid')}, up {minutes:.1f} minutes")
    for worker in known.get("workers", []):
        click.echo(f"  worker {_words(worker)}")
    for job in known.get("jobs", []):
        click.echo(f"  job {_words(job)}")
    if not known.get("jobs"):
        click.echo("  no jobs")


@click.command()
def stop() -> None:
    """End the running backend, and wait until it has ended."""
    from ..client import discovery, paths
    from ..client.session import CONNECTION_VARIABLE, Session

    named = os.environ.get(CONNECTION_VARIABLE)
    connection = discovery.find(Path(named) if named else paths.connection_file())
    if connection is None:
        click.echo("No backend is running.")
        return
    with Session.open(connection, "ai-inpaint stop") as session:
        session.shutdown()
    deadline = time.monotonic() + _ENDING
    while connection.local and not connection.stale:
        if time.monotonic() > deadline:
            raise InpaintError(
                errors.TIMEOUT,
                f"The backend (process {connection.pid}) has not ended within {_ENDING:.0f} seconds.",
                "End the process yourself.",
            )
        time.sleep(0.05)
    click.echo("Ended.")


def _words(fields: dict[str, Any]) -> str:
    return ", ".join(
        f"{name} {_word(name, value)}" for name, value in fields.items() if value not in (None, "", [])
    )


def _word(name: str, value: Any) -> str:
    if name == "memory":
        return f"{value / 1e6:.0f} MB"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
