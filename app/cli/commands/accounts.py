"""Commands about people, their tokens and their logins."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import click
from sqlalchemy.orm import Session

from app.accounts import service as accounts
from app.accounts.scopes import Role, Scope
from app.cli.installed import load_config, opened
from app.cli.operator import environment_named, operator, operator_in
from app.errors import Invalid, NotFound
from app.ids import iso, utcnow

if TYPE_CHECKING:
    from app.accounts.models import User

_stdin = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input."
)


@click.group()
def user() -> None:
    """Create and list people, set their passwords, shut them out, grant and take back roles."""


@user.command("create")
@click.option("--email", required=True, help="Address that the person signs in with.")
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True)
@click.option("--environment", help="Where the role holds (everywhere, if not given).")
@_stdin
def create(email: str, role: str, environment: str | None, password_stdin: bool) -> None:
    """Create a person with a role."""
    password = _read_password(password_stdin)
    with opened(load_config()) as services, services.db.begin() as session:
        where = environment_named(session, environment) if environment else None
        made = accounts.create_user(
            session,
            operator(session),
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
        accounts.set_password(session, operator(session), person.id, chosen)
        click.echo(f"The password of {person.email} is changed; their sessions have ended.")


@user.command("list")
def list_users() -> None:
    """List people and their roles."""
    with opened(load_config()) as services, services.db.read() as session:
        cursor = None
        while True:
            page = accounts.list_people(session, operator(session), cursor=cursor, limit=200)
            for person in page.items:
                roles = ", ".join(
                    f"{held.role} in {held.environment}" if held.environment else
                    f"{held.role} everywhere"
                    for held in person.roles
                )
                state = "  disabled" if person.disabled else ""
                click.echo(f"{person.email}  {person.id}  {roles or 'no role'}{state}")
            cursor = page.next_cursor
            if cursor is None:
                return


@user.command("disable")
@click.argument("email")
def disable(email: str) -> None:
    """Shut a person out: sessions, tokens and runs stop at once."""
    click.echo(f"{_set_disabled(email, True)} is shut out; their sessions have ended.")


@user.command("enable")
@click.argument("email")
def enable(email: str) -> None:
    """Let a person in again."""
    click.echo(f"{_set_disabled(email, False)} can sign in again.")


@user.group("role")
def role() -> None:
    """Grant roles and take them back."""


_role = click.argument("role_name", metavar="ROLE", type=click.Choice([one.value for one in Role]))
_where = click.option("--environment", help="Where it holds (everywhere, if not given).")


@role.command("grant")
@click.argument("email")
@_role
@_where
def grant(email: str, role_name: str, environment: str | None) -> None:
    """Grant a person a role."""
    with opened(load_config()) as services, services.db.begin() as session:
        where = environment_named(session, environment) if environment else None
        person = _person(session, email)
        accounts.grant_role(
            session, operator(session), user_id=person.id, role=role_name,
            environment_id=where.id if where else None,
        )
    click.echo(f"{person.email} is {role_name} {_place(environment)}; their sessions have ended.")


@role.command("revoke")
@click.argument("email")
@_role
@_where
def revoke(email: str, role_name: str, environment: str | None) -> None:
    """Take a role back."""
    with opened(load_config()) as services, services.db.begin() as session:
        actor, person = operator(session), _person(session, email)
        held = [
            one.id
            for one in accounts.get_person(session, actor, person.id).roles
            if (one.role, one.environment) == (role_name, environment)
        ]
        if not held:
            raise NotFound(
                "grant_not_found",
                f"{person.email} is not {role_name} {_place(environment)}; “tacit user list” "
                "shows who is what.",
            )
        accounts.revoke_role(session, actor, grant_id=held[0])
    click.echo(f"{person.email} is no longer {role_name} {_place(environment)}.")


@click.group()
def token() -> None:
    """Create, list and revoke API tokens."""


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
        where = environment_named(session, environment)
        _, text = accounts.create_token(
            session,
            operator(session, where),
            user=_person(session, email),
            name=name,
            scopes=scopes,
            environment_id=where.id,
            expires_at=utcnow() + timedelta(days=days) if days else None,
        )
    click.echo(text)


@token.command("list")
@click.option("--environment", default="default", show_default=True)
def list_tokens(environment: str) -> None:
    """List the tokens of an environment, without their text."""
    with opened(load_config()) as services, services.db.read() as session:
        actor = operator_in(session, environment)
        for row, owner in accounts.list_tokens_here(session, actor):
            end = f"until {iso(row.expires_at)}" if row.expires_at else "no end"
            used = f"used {iso(row.last_used_at)}" if row.last_used_at else "never used"
            click.echo(f"{row.id}  {owner}  {row.name}  {' '.join(row.scopes)}  {end}  {used}")


@token.command("revoke")
@click.argument("token_id")
def revoke_token(token_id: str) -> None:
    """End a token; “tacit token list” shows their ids."""
    with opened(load_config()) as services, services.db.begin() as session:
        accounts.revoke_token(session, operator(session), token_id)
    click.echo(f"Revoked {token_id}: programs that use it are refused from now on.")


@click.group()
def session() -> None:
    """End people's logins."""


@session.command("revoke")
@click.argument("email")
def revoke_sessions(email: str) -> None:
    """End every login of a person; their tokens go on."""
    with opened(load_config()) as services, services.db.begin() as transaction:
        person = _person(transaction, email)
        accounts.end_sessions(transaction, operator(transaction), person.id)
    click.echo(f"The sessions of {person.email} have ended.")


def _set_disabled(email: str, disabled: bool) -> str:
    with opened(load_config()) as services, services.db.begin() as session:
        person = _person(session, email)
        accounts.set_disabled(session, operator(session), person.id, disabled)
        return person.email


def _place(environment: str | None) -> str:
    return f"in {environment}" if environment else "everywhere"


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
