"""``tacit freeze`` and ``tacit unfreeze``."""

from __future__ import annotations

import click

from app.accounts import freeze as freezing
from app.cli.installed import load_config, opened
from app.cli.operator import operator_in

_environment = click.option(
    "--environment", help="Only this environment (everything, if not given)."
)


@click.command()
@_environment
@click.option("--reason", default="", help="What people are told who try to run something.")
def freeze(environment: str | None, reason: str) -> None:
    """Stop grants, runs and triggers at once."""
    with opened(load_config()) as services, services.db.begin() as session:
        actor = operator_in(session, environment) if environment else operator_in(session)
        freezing.freeze(session, actor, everywhere=environment is None, reason=reason)
    click.echo(
        f"Frozen: {environment or 'everything'}. No run starts and no secret is handed out; "
        "“tacit unfreeze” lifts it."
    )


@click.command()
@_environment
def unfreeze(environment: str | None) -> None:
    """Let runs start and secrets be used again."""
    with opened(load_config()) as services, services.db.begin() as session:
        actor = operator_in(session, environment) if environment else operator_in(session)
        lifted = freezing.unfreeze(session, actor, everywhere=environment is None)
    where = environment or "everything"
    click.echo(f"Unfrozen: {where}." if lifted else f"There was no freeze of {where}.")
