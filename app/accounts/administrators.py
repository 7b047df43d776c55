"""Whom one may act upon, and the administrator who must stay."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.accounts.actor import Actor
from app.accounts.models import RoleGrant, User
from app.accounts.scopes import ROLE_SCOPES, Role, Scope, parse_role
from app.audit import Action, AuditNote
from app.errors import Conflict, Denied


def scopes_everywhere(session: Session, actor: Actor) -> frozenset[Scope]:
    """Return what the actor may do in the whole installation; nothing for API tokens, which act
    in one environment.
    """
    if actor.kind == "system":
        return actor.scopes
    if actor.kind != "session" or actor.user_id is None:
        return frozenset()
    return scopes_held(session, actor.user_id, None)


def require_everywhere(session: Session, actor: Actor, scope: Scope) -> None:
    """Refuse who lacks a scope in the whole installation.

    :raises Denied: ``scope_missing`` without it here, ``installation_denied`` with it only here.
    """
    actor.require(scope)
    if scope not in scopes_everywhere(session, actor):
        raise Denied(
            "installation_denied",
            f"This reaches every environment. It takes a session of somebody who has "
            f"{scope.value} in the whole installation, or the command line.",
            audit=AuditNote(
                action=Action.ACCESS_DENY, data={"scope": scope.value, "everywhere": True}
            ),
        )


def scopes_held(session: Session, user_id: str, environment_id: str | None) -> frozenset[Scope]:
    """Return what a person's roles allow in an environment, or (None) in all of them.

    Whether the person is disabled is not looked at.
    """
    query = select(RoleGrant).where(RoleGrant.user_id == user_id)
    if environment_id is None:
        query = query.where(RoleGrant.environment_id.is_(None))
    else:
        query = query.where(
            or_(
                RoleGrant.environment_id.is_(None), RoleGrant.environment_id == environment_id
            )
        )
    grants = session.scalars(query)
    held: frozenset[Scope] = frozenset()
    for grant in grants:
        held |= ROLE_SCOPES[parse_role(grant.role)]
    return held


def refuse_outranked(session: Session, actor: Actor, user_id: str) -> None:
    """Refuse to act upon a person who may do something, anywhere, that the actor may not.

    :raises Denied: ``person_exceeds_own``.
    """
    if actor.kind == "system" or actor.user_id == user_id:
        return
    grants = session.scalars(select(RoleGrant).where(RoleGrant.user_id == user_id))
    for grant in grants:
        if grant.environment_id == actor.environment_id:
            own = actor.scopes
        elif actor.kind != "session" or actor.user_id is None:
            own = frozenset()
        else:
            own = scopes_held(session, actor.user_id, grant.environment_id)
        if not ROLE_SCOPES[parse_role(grant.role)] <= own:
            raise Denied(
                "person_exceeds_own",
                "This person may do what you may not, here or in another environment. Ask "
                "somebody who has at least their roles.",
            )


def refuse_last_admin(
    session: Session, *, without: Iterable[RoleGrant] = (), without_user: str | None = None
) -> None:
    """Refuse to take away the last administrator of an environment or of the installation.

    The grants are locked until the transaction's end, so that two administrators can't shut each
    other out at the same time.

    :param without: grants about to be taken back.
    :param without_user: a person about to be shut out.
    :raises Conflict: ``last_admin``.
    """
    gone = {grant.id for grant in without}
    rows = session.execute(
        select(RoleGrant, User)
        .join(User, User.id == RoleGrant.user_id)
        .where(RoleGrant.role == Role.ADMIN.value)
        .with_for_update()
    ).all()
    active = [grant for grant, user in rows if user.disabled_at is None]
    leaving = [grant for grant in active if grant.id in gone or grant.user_id == without_user]
    staying = {
        grant.environment_id for grant in active if grant not in leaving
    }
    if any(
        None not in staying and grant.environment_id not in staying for grant in leaving
    ):
        raise Conflict(
            "last_admin",
            "This is the last administrator there; without one nobody could be let in again. "
            "Make somebody else an administrator first.",
        )
