"""``tacit doctor``."""

from __future__ import annotations

import click

from app.cli.checkup import examine

_MARKS = {"ok": "ok   ", "note": "note ", "wrong": "WRONG"}


@click.command()
def doctor() -> None:
    """Say what is wrong with this installation and how to mend it; exit 1 if anything is.

    Checks the home folder, the master key, the database, the seals of its rows, the queue, TLS,
    the clock, the workers' keys, what keeps runs away from the server's files, and the components
    of installed packages.
    """
    findings = list(examine())
    for finding in findings:
        click.echo(f"{_MARKS[finding.state]}  {finding.area:<12} {finding.words}")
    wrong = [finding for finding in findings if finding.state == "wrong"]
    if wrong:
        plural = "things are" if len(wrong) > 1 else "thing is"
        click.echo(f"{len(wrong)} {plural} wrong.", err=True)
        raise SystemExit(1)
