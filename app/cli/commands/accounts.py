"""Commands about people and their tokens."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import click
from sqlalchemy.orm import Session

from app.accounts import service as accounts
from app.accounts.actor import Actor, system_actor
from app.accounts.scopes import Role, Scope
from app.cli.installed import load_config, opened
from app.errors import Invalid, NotFound
from app.ids import utcnow

if TYPE_CHECKING:
    from app.accounts.models import Environment, User

_stdin = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input."
)


@click.group()
def user() -> None:
    """Create people, set their passwords."""


@user.command("create")
@click.option("--email", required=True, help="Address that the person signs in with.")
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True)
@click.option("--environment", help="Where the role holds (everywhere, if not given).")
@_stdin
def create(email: str, role: str, environment: str | None, password_stdin: bool) -> None:
    """Create a person with a role."""
    password = _read_password(password_stdin)
    with opened(load_config()) as services, services.db.begin() as session:
        where = _environment(session, environment) if environment else None
        made = accounts.create_user(
            session,
            _operator(session),
            email=email,
            password=password,
            role=Role(role),
            environment_id=where.id if where else None,
        )
        click.echo(f"Created {made.email} as {role}.")


@user.command("password")
@click.argument("email")
@_stdin
def password(email: str, password_stdin: bool) -> None:
    """Set a person's password and end their sessions."""
    chosen = _read_password(password_stdin)
    with opened(load_config()) as services, services.db.begin() as session:
        person = _person(session, email)
        accounts.set_password(session, _operator(session), person.id, chosen)
        click.echo(f"The password of {person.email} is changed; their sessions have ended.")


@click.group()
def token() -> None:
    """Create API tokens."""


@token.command("create")
@click.option("--user", "email", required=True, help="Address of the person it acts for.")
@click.option(
    "--scope", "scopes", multiple=True, required=True,
    type=click.Choice([scope.value for scope in Scope]), help="What it may do; repeatable.",
)
@click.option("--environment", default="default", show_default=True)
@click.option("--name", default="made with tacit token create", help="How lists show it.")
@click.option("--days", type=click.IntRange(1, 3650), help="Days it is good for (no end).")
def create_token(
    email: str, scopes: tuple[str, ...], environment: str, name: str, days: int | None
) -> None:
    """Create an API token and print it, alone, on standard output."""
    with opened(load_config()) as services, services.db.begin() as session:
        where = _environment(session, environment)
        _, text = accounts.create_token(
            session,
            _operator(session, where),
            user=_person(session, email),
            name=name,
            scopes=scopes,
            environment_id=where.id,
            expires_at=utcnow() + timedelta(days=days) if days else None,
        )
    click.echo(text)


def _operator(session: Session, environment: Environment | None = None) -> Actor:
    """Return the actor for who has a shell on this machine and reads the database's keys."""
    where = environment or accounts.get_default_environment(session)
    return system_actor(where.id, "command line")


def _environment(session: Session, name: str) -> Environment:
    found = accounts.find_environment(session, name)
    if found is None:
        raise NotFound("environment_not_found", f"There is no environment “{name}”.")
    return found


def _person(session: Session, email: str) -> User:
    found = accounts.find_user_by_email(session, email)
    if found is None:
        raise NotFound(
            "user_not_found",
            f"There is no account for {email}. “tacit user create” makes one.",
        )
    return found


def _read_password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise Invalid(
            "password_missing",
            "There is no terminal to ask for the password; give --password-stdin and write it to "
            "standard input.",
        )
    typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return typed
