"""`ai-inpaint doctor`: what is installed, what works, and how to mend what does not."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

_COLOURS = {"ok": "green", "warning": "yellow", "problem": "red"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Look at the installation, and say what is wrong and how to mend it.

    The exit code is 1 if there is a problem, 0 otherwise.
    """
    from .. import doctor as checks

    findings = []
    for finding in checks.examine():
        findings.append(finding)
        if not as_json:
            word = click.style(f"{finding.level:8}", fg=_COLOURS[finding.level])
            click.echo(f"{word} {finding.area}: {finding.message}")
            if finding.hint:
                click.echo(f"{'':8} {finding.hint}")
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2, ensure_ascii=False))
    ctx.exit(int(any(finding.level == checks.PROBLEM for finding in findings)))
