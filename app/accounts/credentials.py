"""API tokens: made once, kept as hashes, never stronger than their owner is at the time of use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from app import audit
from app.accounts.actor import Actor
from app.accounts.environments import get_environment
from app.accounts.fresh import require_fresh
from app.accounts.models import ApiToken, RoleGrant, User
from app.accounts.people import scopes_of, scopes_of_grants
from app.accounts.scopes import Scope, parse_scopes
from app.accounts.sessions import TOUCH_EVERY
from app.accounts.tokens import digest, is_api_token, new_api_token
from app.audit import Action
from app.errors import Denied, Invalid, NotFound, Unauthenticated
from app.ids import is_id, utcnow

_SCOPES = {scope.value: scope for scope in Scope}


def create_token(
    session: Session,
    actor: Actor,
    *,
    user: User,
    name: str,
    scopes: Iterable[Scope | str],
    environment_id: str,
    expires_at: datetime | None = None,
) -> tuple[ApiToken, str]:
    """Make an API token of a person for one environment.

    Returns the row and the token's text, which exists nowhere else and is shown once.

    :raises Denied: ``session_required`` for tokens asking for tokens; ``grant_exceeds_own`` for
        a scope that the owner or the actor lacks there; ``reauthentication_required`` for
        ``secrets:read:value`` without a password typed within the last minutes.
    :raises Invalid: no scope, an unknown one, no name, or an expiry in the past.
    """
    if actor.kind not in ("session", "system"):
        raise Denied(
            "session_required",
            "A token can't make tokens. Sign in, or use “tacit token create”.",
        )
    if actor.user_id != user.id:
        actor.require(Scope.USERS_MANAGE)
    wanted = parse_scopes(str(scope) for scope in scopes)
    name = name.strip()
    if not wanted:
        raise Invalid("scopes_empty", "Choose at least one scope.", field="scopes")
    if not 1 <= len(name) <= 200:
        raise Invalid("name_invalid", "Name the token in 1 to 200 characters.", field="name")
    if expires_at is not None and expires_at <= utcnow():
        raise Invalid("expiry_past", "The expiry must lie in the future.", field="expires_at")
    get_environment(session, environment_id)
    _check_can_hold(session, actor, user, wanted, environment_id)
    if Scope.SECRETS_READ_VALUE in wanted:
        require_fresh(actor, "Making a token that can read secret values")
    text = new_api_token()
    row = ApiToken(
        user_id=user.id,
        environment_id=environment_id,
        name=name,
        token_hash=digest(text),
        scopes=sorted(scope.value for scope in wanted),
        expires_at=expires_at,
    )
    session.add(row)
    session.flush()
    audit.record(session, actor=actor.who(), action=Action.TOKEN_CREATE, target=row.id,
                 data={"scopes": row.scopes, "owner": user.id})
    return row, text


def list_tokens(session: Session, actor: Actor) -> Sequence[ApiToken]:
    """List the caller's own tokens of this environment, newest first, revoked ones left out."""
    return session.scalars(
        select(ApiToken)
        .where(
            ApiToken.user_id == actor.user_id,
            ApiToken.environment_id == actor.environment_id,
            ApiToken.revoked_at.is_(None),
        )
        .order_by(ApiToken.created_at.desc())
    ).all()


def list_tokens_here(session: Session, actor: Actor) -> list[tuple[ApiToken, str]]:
    """List everybody's tokens of this environment with their owners' addresses, newest first;
    revoked ones are left out.

    :raises Denied: the actor lacks ``users:manage``.
    """
    actor.require(Scope.USERS_MANAGE)
    rows = session.execute(
        select(ApiToken, User.email)
        .join(User, User.id == ApiToken.user_id)
        .where(
            ApiToken.environment_id == actor.environment_id, ApiToken.revoked_at.is_(None)
        )
        .order_by(ApiToken.created_at.desc(), ApiToken.id)
    )
    return [(token, email) for token, email in rows]


def revoke_token(session: Session, actor: Actor, token_id: str) -> None:
    """End a token: one's own, or anybody's with ``users:manage``.

    A token ends itself; to end its owner's others it needs ``users:manage`` too.

    :raises NotFound: ``token_not_found``, for other people's tokens too.
    """
    row = session.get(ApiToken, token_id) if is_id(token_id) else None
    allowed = row is not None and (
        actor.kind == "system"
        or (
            row.environment_id == actor.environment_id
            and (_is_own(row, actor) or actor.may(Scope.USERS_MANAGE))
        )
    )
    if row is None or not allowed:
        raise NotFound("token_not_found", "There is no such token.")
    if row.revoked_at is None:
        row.revoked_at = utcnow()
        audit.record(session, actor=actor.who(), action=Action.TOKEN_REVOKE, target=row.id)


def actor_for_token(
    session: Session,
    plaintext: str,
    *,
    request_id: str | None = None,
    address: str | None = None,
) -> Actor:
    """Return the actor that a bearer token stands for, by one indexed query.

    Its scopes are those of the token that the owner's roles still allow.

    :raises Unauthenticated: ``token_invalid``: malformed, unknown, revoked, expired, or of a
        disabled person; which of these is not said.
    """
    row, owner, grants = _find_token(session, plaintext)
    return Actor(
        kind="token",
        name=owner.email,
        environment_id=row.environment_id,
        scopes=_named(row.scopes) & scopes_of_grants(grants),
        user_id=row.user_id,
        token_id=row.id,
        request_id=request_id,
        address=address,
    )


def needs_touch(session: Session, token_id: str) -> bool:
    """Say whether the token's last use should be written: at most once a minute."""
    row = session.get(ApiToken, token_id)
    return row is not None and (
        row.last_used_at is None or utcnow() - row.last_used_at >= TOUCH_EVERY
    )


def touch_token(session: Session, token_id: str) -> None:
    """Note that a token was used; not part of its seal, so a plain UPDATE."""
    session.execute(
        update(ApiToken).where(ApiToken.id == token_id).values(last_used_at=utcnow())
    )


def current_scopes(
    session: Session, user_id: str, environment_id: str, token_id: str | None = None
) -> frozenset[Scope]:
    """Return what a person may do now, as a run that acts for them must know.

    :param token_id: the token that started the run, whose scopes bound it.
    :returns: nothing for a disabled person and for a revoked or expired token.
    """
    scopes = scopes_of(session, user_id, environment_id)
    if token_id is None or not scopes:
        return scopes
    return scopes & scopes_of_token(session.get(ApiToken, token_id), user_id, environment_id)


def scopes_of_token(
    token: ApiToken | None, user_id: str, environment_id: str
) -> frozenset[Scope]:
    """Return the scopes that a token names: none once it is over, or if it is someone else's."""
    if token is None or token.user_id != user_id or token.environment_id != environment_id:
        return frozenset()
    return _named(token.scopes) if _alive(token) else frozenset()


def _find_token(session: Session, plaintext: str) -> tuple[ApiToken, User, list[RoleGrant]]:
    refusal = Unauthenticated(
        "token_invalid",
        "This API token is not valid, or no longer. Make a new one under Settings.",
    )
    if not is_api_token(plaintext):
        raise refusal
    rows = session.execute(
        select(ApiToken, User, RoleGrant)
        .join(User, User.id == ApiToken.user_id)
        .outerjoin(
            RoleGrant,
            and_(
                RoleGrant.user_id == ApiToken.user_id,
                or_(
                    RoleGrant.environment_id == ApiToken.environment_id,
                    RoleGrant.environment_id.is_(None),
                ),
            ),
        )
        .where(ApiToken.token_hash == digest(plaintext))
    ).all()
    if not rows:
        raise refusal
    token, owner = rows[0][0], rows[0][1]
    if not _alive(token) or owner.disabled_at is not None:
        raise refusal
    return token, owner, [grant for _, _, grant in rows if grant is not None]


def _is_own(token: ApiToken, actor: Actor) -> bool:
    return token.id == actor.token_id or (
        actor.kind == "session" and token.user_id == actor.user_id
    )


def _alive(token: ApiToken) -> bool:
    return token.revoked_at is None and (
        token.expires_at is None or utcnow() < token.expires_at
    )


def _named(names: Iterable[str]) -> frozenset[Scope]:
    """Read stored names; one that is no longer a scope grants nothing."""
    return frozenset(_SCOPES[name] for name in names if name in _SCOPES)


def _check_can_hold(
    session: Session, actor: Actor, user: User, wanted: frozenset[Scope], environment_id: str
) -> None:
    limit = scopes_of(session, user.id, environment_id)
    if actor.kind != "system":
        if actor.user_id is None:
            limit = frozenset()
        elif actor.user_id != user.id:
            limit &= scopes_of(session, actor.user_id, environment_id)
    if not wanted <= limit:
        missing = ", ".join(sorted(wanted - limit))
        raise Denied(
            "grant_exceeds_own",
            f"{user.email} can't be given what is not theirs or yours in this environment: "
            f"{missing}.",
        )
