"""``tacit reach``: what the runs of an environment may reach."""

from __future__ import annotations

import click
from sqlalchemy.orm import Session

from app.accounts.actor import Actor
from app.accounts.environments import DEFAULT
from app.cli.installed import load_config, opened
from app.cli.operator import operator_in
from app.keys.sealed import Tampered
from app.runs.reach import Reach, get_reach, set_reach


@click.command()
@click.option("--environment", default=DEFAULT, show_default=True, help="Which environment.")
@click.option(
    "--private/--no-private", default=None,
    help="Let runs connect to loopback and private networks, or not.",
)
@click.option(
    "--grant", multiple=True, help="Grant env:NAME, file:/path, role:aws or folder:/path.",
)
@click.option("--revoke", multiple=True, help="Take such a grant back.")
def reach(
    environment: str, private: bool | None, grant: tuple[str, ...], revoke: tuple[str, ...]
) -> None:
    """Show or change what the runs of an environment may reach."""
    with opened(load_config()) as services, services.db.begin() as session:
        actor = operator_in(session, environment)
        found = _found(session, actor, changing=private is not None)
        if private is not None or grant or revoke:
            granted = sorted((set(found.worker_secrets) | set(grant)) - set(revoke))
            found = set_reach(
                session, actor, allow_private=private, worker_secrets=list(granted)
            )
    click.echo(f"Private networks: {'allowed' if found.allow_private else 'refused'}.")
    click.echo(f"Secrets and folders of workers: {', '.join(found.worker_secrets) or 'none'}.")


def _found(session: Session, actor: Actor, *, changing: bool) -> Reach:
    """Return what is set; where its row was deleted outside Tacit, nothing, to be set anew."""
    try:
        return get_reach(session, actor)
    except Tampered:
        if not changing:
            raise
        return Reach(allow_private=False)
