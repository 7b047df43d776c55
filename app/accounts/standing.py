"""What a person may do at this moment, and whether a freeze holds: one prepared statement.

Asked for each value that is handed out, so it goes without the ORM; every row's seal is checked
(:mod:`app.keys.records`). Everyone else asks ``current_scopes`` and ``refuse_frozen``.
"""

from __future__ import annotations

from sqlalchemy import BindParameter, and_, bindparam, or_, select
from sqlalchemy.orm import Session

from app.accounts.credentials import scopes_of_token
from app.accounts.freeze import EVERYWHERE, Freeze, frozen
from app.accounts.models import ApiToken, RoleGrant, User
from app.accounts.people import scopes_of_grants
from app.accounts.scopes import Scope
from app.keys.records import Reading
from app.prepared import Prepared

_USER = Reading(User)
_ROLE = Reading(RoleGrant)
_TOKEN = Reading(ApiToken)
_FREEZE = Reading(Freeze, "reason", "by")
_ROLE_AT = len(_USER)
_TOKEN_AT = _ROLE_AT + len(_ROLE)
_FREEZE_AT = _TOKEN_AT + len(_TOKEN)

_users, _roles = User.__table__, RoleGrant.__table__
_tokens, _freezes = ApiToken.__table__, Freeze.__table__
_PLACE: BindParameter[str] = bindparam("environment_id")
_QUERY = Prepared(
    select(*_USER.columns, *_ROLE.columns, *_TOKEN.columns, *_FREEZE.columns)
    .select_from(_users)
    .outerjoin(
        _roles,
        and_(
            _roles.c.user_id == _users.c.id,
            or_(_roles.c.environment_id == _PLACE, _roles.c.environment_id.is_(None)),
        ),
    )
    .outerjoin(_tokens, _tokens.c.id == bindparam("token_id"))
    .outerjoin(_freezes, _freezes.c.place.in_([EVERYWHERE, _PLACE]))
    .where(_users.c.id == bindparam("user_id"))
    .with_for_update(read=True, of=_users)
)


def scopes_unfrozen(
    session: Session, user_id: str, environment_id: str, token_id: str | None
) -> frozenset[Scope]:
    """Return what a person may do now, as a run that acts for them must know.

    The person's row stays locked against a change until the transaction ends.

    :param token_id: the token that started the run, whose scopes bound it.
    :returns: nothing for an unknown or disabled person and for a revoked or expired token.
    :raises Locked: ``frozen``.
    """
    rows = _QUERY.rows(
        session, {"user_id": user_id, "environment_id": environment_id, "token_id": token_id}
    )
    if not rows:
        return frozenset()
    freeze = _FREEZE.read(session, rows[0], _FREEZE_AT)
    if freeze is not None:
        raise frozen(freeze)
    if _USER.get(session, rows[0]).disabled_at is not None:
        return frozenset()
    grants = [_ROLE.read(session, row, _ROLE_AT) for row in rows]
    scopes = scopes_of_grants(grant for grant in grants if grant is not None)
    if token_id is None:
        return scopes
    token = _TOKEN.read(session, rows[0], _TOKEN_AT)
    return scopes & scopes_of_token(token, user_id, environment_id)
