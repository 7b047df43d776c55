"""Old rows of accounts put back whole: a revocation of the audit that a row doesn't know."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.models import ApiToken, RoleGrant, User
from app.audit import Action
from app.audit.revocations import list_deeds
from app.audit.verify import Finding


def find_replayed_access(session: Session) -> Iterator[Finding]:
    """Yield a finding for each token, grant of a role and person that the audit saw ended."""
    revoked = {deed.target: deed for deed in list_deeds(session, [Action.TOKEN_REVOKE])}
    for token_id in session.scalars(select(ApiToken.id).where(ApiToken.revoked_at.is_(None))):
        if token_id in revoked:
            yield revoked[token_id].finding(f"API token {token_id} is alive and was revoked.")

    taken = {deed.data.get("grant"): deed for deed in list_deeds(session, [Action.ROLE_REVOKE])}
    for grant_id, role, user_id in session.execute(
        select(RoleGrant.id, RoleGrant.role, RoleGrant.user_id)
    ):
        if grant_id in taken:
            yield taken[grant_id].finding(
                f"Person {user_id} holds the role {role}, which was taken from them."
            )

    changes = list_deeds(session, [Action.USER_DISABLE, Action.USER_ENABLE])
    last = {deed.target: deed for deed in changes}
    for user_id in session.scalars(select(User.id).where(User.disabled_at.is_(None))):
        if user_id in last and last[user_id].action == Action.USER_DISABLE:
            yield last[user_id].finding(f"Person {user_id} is let in and was shut out.")
