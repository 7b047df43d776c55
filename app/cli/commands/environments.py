"""``tacit environment``: the units of isolation."""

from __future__ import annotations

from typing import Any

import click

from app.accounts import service as accounts
from app.accounts.policies import Policies
from app.accounts.rules import rules_to_show
from app.cli.installed import load_config, opened
from app.cli.operator import environment_named, operator
from app.cli.places import Running
from app.errors import Invalid


@click.group()
def environment() -> None:
    """Create and list environments, protect them, say what they demand.

    Secrets, flows, runs, audit and roles belong to one; nothing of one is reachable from another.
    """


@environment.command()
@click.argument("name")
@click.option("--title", default="", help="What pages call it (the name, if not given).")
@click.option("--protected", is_flag=True, help="Refuse runs of drafts that use secrets.")
def create(name: str, title: str, protected: bool) -> None:
    """Create an environment; its name never changes."""
    config = load_config()
    with opened(config) as services, services.db.begin() as session:
        accounts.create_environment(
            session, operator(session), name=name, title=title, protected=protected
        )
    click.echo(f"Created {name}.")
    if Running.find(config.home) is not None:
        click.echo(
            f"Its runs wait for a worker: start “tacit up” again, which gives each environment "
            f"one, or enrol one with “tacit worker enroll NAME --environment {name}”.", err=True,
        )


@environment.command("list")
def list_() -> None:
    """List environments with their titles and policies."""
    with opened(load_config()) as services, services.db.read() as session:
        for row in accounts.list_environments(session):
            words = [row.title]
            rules = rules_to_show(session, row)
            if rules is None:
                words.append("protection and policies changed outside Tacit: see “tacit doctor”")
            else:
                words += ["protected"] if rules.protected else []
                words += [f"{key}={_shown(value)}"
                          for key, value in rules.policies.to_json().items()]
            click.echo(f"{row.name}  {row.id}  {'  '.join(words)}")


@environment.command()
@click.argument("name")
@click.argument("title")
def rename(name: str, title: str) -> None:
    """Change what pages call it. The name stays: queues, tokens and pipelines go by it."""
    _change(name, title=title)
    click.echo(f"{name} is called {title} from now on.")


@environment.command()
@click.argument("name")
def protect(name: str) -> None:
    """Refuse runs of drafts that use secrets."""
    _change(name, protected=True)
    click.echo(f"{name} is protected: what uses secrets runs there only once it is activated.")


@environment.command()
@click.argument("name")
def unprotect(name: str) -> None:
    """Let drafts use secrets again."""
    _change(name, protected=False)
    click.echo(f"{name} is no longer protected.")


@environment.command()
@click.argument("name")
@click.argument("settings", nargs=-1, required=True, metavar="POLICY=VALUE...")
def policy(name: str, settings: tuple[str, ...]) -> None:
    """Set policies: hardcoded_credentials=warn|refuse, require_allowed_hosts=yes|no,
    value_reading=yes|no.
    """
    wanted: dict[str, Any] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or key not in Policies.model_fields:
            raise Invalid("policy_invalid", "Give POLICY=VALUE; the policies are "
                          f"{', '.join(Policies.model_fields)}.")
        wanted[key] = {"yes": True, "no": False}.get(value, value)
    _change(name, policies=wanted)
    click.echo(f"The policies of {name} are set.")


def _change(name: str, **changes: Any) -> None:
    with opened(load_config()) as services, services.db.begin() as session:
        row = environment_named(session, name)
        accounts.change_environment(session, operator(session, row), row.id, **changes)


def _shown(value: object) -> str:
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) \
        else str(value)
