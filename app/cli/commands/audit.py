"""``tacit audit``: verify, export, checkpoint."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from app.accounts.replay import find_replayed_access, find_replayed_environments
from app.accounts.rules import find_changed_rules
from app.audit.reading import export_events
from app.audit.verify import make_checkpoint, read_checkpoints
from app.audit.verify import verify as verify_chains
from app.cli.installed import load_config, opened
from app.cli.operator import operator_in
from app.runs.reach import find_missing_reach
from app.runs.replay import find_replayed_workers
from app.vault.replay import find_replayed_secrets, find_replayed_versions


@click.group()
def audit() -> None:
    """Verify and export who did what."""


@audit.command()
@click.option(
    "--checkpoint", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Checkpoints kept elsewhere: finds a database that was rolled back.",
)
def verify(file: Path | None) -> None:
    """Check that no event was edited, put in, deleted, moved or cut off, and that no old row was
    put back that the audit saw changed or revoked since.

    Exits with 1 where something does not hold, and says which event it is.
    """
    with opened(load_config()) as services, services.db.read() as session:
        lines = file.read_text(encoding="utf-8").splitlines() if file else []
        checkpoints = read_checkpoints(lines, session.info["seals"])
        verdict = verify_chains(session, checkpoints)
        findings = [*verdict.findings]
        for find_replayed in (
            find_replayed_secrets, find_replayed_versions, find_replayed_access,
            find_replayed_workers, find_missing_reach, find_changed_rules,
            find_replayed_environments,
        ):
            findings += find_replayed(session)
    for finding in findings:
        click.echo(f"{finding.chain} #{finding.seq} {finding.kind}: {finding.message}")
    compared = f", {len(checkpoints)} checkpoints" if file else ""
    count = "1 finding" if len(findings) == 1 else f"{len(findings)} findings"
    click.echo(
        f"{verdict.events} events in {verdict.chains} chains{compared}: "
        + (f"{count}." if findings else "all of it holds.")
    )
    if findings:
        sys.exit(1)


@audit.command()
@click.option("--chain", help="One chain only: an environment's id, or “installation”.")
def export(chain: str | None) -> None:
    """Write the events as JSON lines, in order, each with its link."""
    with opened(load_config()) as services, services.db.begin() as session:
        who = operator_in(session).who()
        for event in export_events(session, who, chain):
            click.echo(json.dumps(event, ensure_ascii=False, sort_keys=True))


@audit.command()
def checkpoint() -> None:
    """Print a signed checkpoint of all chains; append it to a file on another host."""
    with opened(load_config()) as services, services.db.read() as session:
        click.echo(json.dumps(make_checkpoint(session), sort_keys=True))
