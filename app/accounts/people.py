"""People and their roles."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from app import audit
from app.accounts.actor import Actor
from app.accounts.administrators import refuse_last_admin, refuse_outranked, scopes_everywhere
from app.accounts.fresh import require_fresh
from app.accounts.models import Environment, RoleGrant, User
from app.accounts.passwords import check_password_rules, hash_password
from app.accounts.roster import get_visible
from app.accounts.scopes import ROLE_SCOPES, Role, Scope, parse_role
from app.accounts.sessions import revoke_sessions_of
from app.audit import Action
from app.errors import Conflict, Denied, Invalid, NotFound
from app.ids import utcnow

_EMAIL = re.compile(r"[^\s@,;<>\"]+@[^\s@,;<>\"]+")


def normalise_email(text: str) -> str:
    """Return the form that an address is kept and looked up in.

    :raises Invalid: ``email_invalid``.
    """
    email = unicodedata.normalize("NFC", text).strip().lower()
    if len(email) > 254 or not _EMAIL.fullmatch(email) or not email.isprintable():
        raise Invalid(
            "email_invalid", "Write the email address like name@example.com.", field="email"
        )
    return email


def create_user(
    session: Session,
    actor: Actor,
    *,
    email: str,
    password: str,
    name: str = "",
    role: Role | str | None = None,
    environment_id: str | None = None,
) -> User:
    """Create a person, with a role if one is given.

    :param environment_id: where the role holds; None for the whole installation.
    :raises Denied: ``scope_missing`` without ``users:manage``, and as :func:`grant_role`.
    :raises Invalid: the address or the password can't be taken.
    :raises Conflict: ``email_taken``.
    """
    actor.require(Scope.USERS_MANAGE)
    email = normalise_email(email)
    check_password_rules(password, email=email)
    hashed = hash_password(password)
    if find_user_by_email(session, email) is not None:
        raise Conflict(
            "email_taken",
            f"There is already an account for {email}. Change that one, or use another address.",
            field="email",
        )
    user = User(email=email, name=name.strip()[:200], password_hash=hashed)
    session.add(user)
    session.flush()
    audit.record(session, actor=actor.who(), action=Action.USER_CREATE, target=user.id,
                 data={"email": email})
    if role is not None:
        grant_role(session, actor, user_id=user.id, role=role, environment_id=environment_id)
    return user


def find_user_by_email(session: Session, email: str) -> User | None:
    """Look a person up by an address in any spelling; None where there is none."""
    try:
        normal = normalise_email(email)
    except Invalid:
        return None
    return session.scalar(select(User).where(User.email == normal))


def get_user(session: Session, user_id: str) -> User:
    """Return a person.

    :raises NotFound: ``user_not_found``.
    """
    user = session.get(User, user_id)
    if user is None:
        raise NotFound("user_not_found", "There is no such account.")
    return user


def has_users(session: Session) -> bool:
    """Say whether anybody has an account yet."""
    return bool(session.scalar(select(func.count()).select_from(User)))


def set_password(session: Session, actor: Actor, user_id: str, password: str) -> None:
    """Give a person a new password and end all their sessions.

    Allowed for oneself (the caller has checked the old password) and with ``users:manage``.

    :raises Denied: ``scope_missing``, or ``person_exceeds_own`` for who may do more than the actor.
    :raises Invalid: the password can't be taken.
    """
    if actor.kind != "session" or actor.user_id != user_id:
        actor.require(Scope.USERS_MANAGE)
        get_visible(session, actor, user_id)
        refuse_outranked(session, actor, user_id)
    user = get_user(session, user_id)
    check_password_rules(password, email=user.email)
    user.password_hash = hash_password(password)
    revoke_sessions_of(session, user_id)
    audit.record(session, actor=actor.who(), action=Action.USER_PASSWORD, target=user_id)


def set_disabled(session: Session, actor: Actor, user_id: str, disabled: bool) -> None:
    """Shut a person out, or let them in again. Their tokens and runs stop working at once.

    :raises Denied: ``scope_missing`` without ``users:manage``; ``person_exceeds_own`` for who may
        do more than the actor.
    :raises NotFound: ``user_not_found``.
    :raises Conflict: ``last_admin``.
    """
    actor.require(Scope.USERS_MANAGE)
    user = get_visible(session, actor, user_id)
    refuse_outranked(session, actor, user_id)
    if disabled and user.disabled_at is None:
        refuse_last_admin(session, without_user=user_id)
    user.disabled_at = (user.disabled_at or utcnow()) if disabled else None
    if disabled:
        revoke_sessions_of(session, user_id)
    audit.record(session, actor=actor.who(), target=user_id,
                 action=Action.USER_DISABLE if disabled else Action.USER_ENABLE)


def end_sessions(session: Session, actor: Actor, user_id: str) -> None:
    """End every session of a person; their tokens go on.

    :raises Denied: ``scope_missing`` without ``users:manage``; ``person_exceeds_own`` for who may
        do more than the actor.
    :raises NotFound: ``user_not_found``.
    """
    actor.require(Scope.USERS_MANAGE)
    get_visible(session, actor, user_id)
    refuse_outranked(session, actor, user_id)
    revoke_sessions_of(session, user_id)
    audit.record(session, actor=actor.who(), action=Action.SESSION_REVOKE, target=user_id)


def grant_role(
    session: Session,
    actor: Actor,
    *,
    user_id: str,
    role: Role | str,
    environment_id: str | None,
) -> RoleGrant:
    """Grant a role, in one environment or (None) for the installation.

    :raises Denied: ``scope_missing`` without ``users:manage``; ``grant_exceeds_own`` where the
        role holds a scope, or reaches an environment, that the actor lacks;
        ``reauthentication_required`` for a session without a password typed just now.
    :raises NotFound: ``user_not_found`` or ``environment_not_found``.
    """
    actor.require(Scope.USERS_MANAGE)
    require_fresh(actor, "Granting a role")
    role = parse_role(str(role))
    get_visible(session, actor, user_id)
    if environment_id is not None and session.get(Environment, environment_id) is None:
        raise NotFound("environment_not_found", "There is no such environment.")
    _check_can_give(session, actor, ROLE_SCOPES[role], environment_id)
    existing = session.scalar(
        select(RoleGrant).where(
            RoleGrant.user_id == user_id,
            RoleGrant.role == role.value,
            RoleGrant.environment_id.is_(None)
            if environment_id is None
            else RoleGrant.environment_id == environment_id,
        )
    )
    if existing is not None:
        return existing
    grant = RoleGrant(
        user_id=user_id, role=role.value, environment_id=environment_id, granted_by=actor.user_id
    )
    session.add(grant)
    # What a session may do has changed, so its cookie must not outlive the change.
    revoke_sessions_of(session, user_id)
    audit.record(session, actor=actor.who(), action=Action.ROLE_GRANT, target=user_id,
                 data={"role": role.value, "environment_id": environment_id})
    return grant


def revoke_role(
    session: Session, actor: Actor, *, grant_id: str, user_id: str | None = None
) -> None:
    """Take a role back; one that reaches the actor's environment, of whoever acts from one.

    :param user_id: whose it must be, where the caller was told.

    :raises Denied: as :func:`grant_role`, but for the re-authentication.
    :raises NotFound: ``grant_not_found``.
    :raises Conflict: ``last_admin``.
    """
    actor.require(Scope.USERS_MANAGE)
    grant = session.get(RoleGrant, grant_id)
    hidden = grant is not None and (
        (user_id is not None and grant.user_id != user_id)
        or (
            actor.kind != "system"
            and grant.environment_id not in (None, actor.environment_id)
        )
    )
    if grant is None or hidden:
        raise NotFound("grant_not_found", "There is no such grant.")
    _check_can_give(session, actor, ROLE_SCOPES[parse_role(grant.role)], grant.environment_id)
    if grant.role == Role.ADMIN:
        refuse_last_admin(session, without=[grant])
    session.delete(grant)
    revoke_sessions_of(session, grant.user_id)
    audit.record(session, actor=actor.who(), action=Action.ROLE_REVOKE, target=grant.user_id,
                 data={"role": grant.role, "environment_id": grant.environment_id,
                       "grant": grant.id})


def scopes_of(session: Session, user_id: str, environment_id: str) -> frozenset[Scope]:
    """Return what a person's roles allow in an environment; nothing for a disabled person."""
    rows = session.execute(
        select(User, RoleGrant)
        .outerjoin(
            RoleGrant,
            and_(
                RoleGrant.user_id == User.id,
                or_(
                    RoleGrant.environment_id == environment_id,
                    RoleGrant.environment_id.is_(None),
                ),
            ),
        )
        .where(User.id == user_id)
    ).all()
    if not rows or rows[0][0].disabled_at is not None:
        return frozenset()
    return scopes_of_grants(grant for _, grant in rows if grant is not None)


def scopes_of_grants(grants: Iterable[RoleGrant]) -> frozenset[Scope]:
    """Unite the scopes of some grants."""
    scopes: frozenset[Scope] = frozenset()
    for grant in grants:
        scopes |= ROLE_SCOPES[parse_role(grant.role)]
    return scopes


def _check_can_give(
    session: Session, actor: Actor, scopes: frozenset[Scope], environment_id: str | None
) -> None:
    """Refuse to give (or take) what the actor does not hold there."""
    if actor.kind == "system":
        return
    own = actor.scopes
    if environment_id != actor.environment_id:
        own &= _scopes_elsewhere(session, actor, environment_id)
    if not scopes <= own:
        missing = ", ".join(sorted(scopes - own))
        raise Denied(
            "grant_exceeds_own",
            f"Nobody can grant what they don't have themselves; there you lack: {missing}.",
        )


def _scopes_elsewhere(
    session: Session, actor: Actor, environment_id: str | None
) -> frozenset[Scope]:
    if environment_id is None:
        return scopes_everywhere(session, actor)
    # A token acts in its one environment.
    if actor.kind != "session" or actor.user_id is None:
        return frozenset()
    return scopes_of(session, actor.user_id, environment_id)
