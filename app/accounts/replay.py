"""Old rows of accounts put back whole: what the audit saw last, and a row doesn't know."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.models import ApiToken, Environment, EnvironmentReach, RoleGrant, User
from app.accounts.policies import read_policies
from app.accounts.rules import rules_to_show
from app.audit import Action
from app.audit.revocations import Deed, list_deeds
from app.audit.verify import Finding

_SET_LAST = {
    "protected": "another protection", "policies": "other policies",
    "allow_private": "another word on private networks",
    "worker_secrets": "other secrets and folders of its workers' machines",
}
"""What the audit keeps of an environment's changes, and what it is called in a finding."""


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


def find_replayed_environments(session: Session) -> Iterator[Finding]:
    """Yield a finding for each environment whose rules or reach are others than were set last.

    What no longer holds its seal is found for itself.
    """
    last: dict[tuple[str, str], Deed] = {}
    for deed in list_deeds(
        session, [Action.ENVIRONMENT_CREATE, Action.ENVIRONMENT_CHANGE, Action.ENVIRONMENT_REACH]
    ):
        where = deed.chain if deed.action == Action.ENVIRONMENT_REACH else deed.data["environment"]
        last |= {(where, name): deed for name in _SET_LAST if name in deed.data}
    for row in session.scalars(select(Environment).order_by(Environment.name)):
        rules = rules_to_show(session, row)
        if rules is None:
            continue
        reach = session.get_one(EnvironmentReach, row.id)
        stands = {
            "protected": rules.protected, "policies": rules.policies.to_json(),
            "allow_private": reach.allow_private, "worker_secrets": list(reach.worker_secrets),
        }
        for name, words in _SET_LAST.items():
            found = last.get((row.id, name))
            if found is None:
                continue
            said = found.data[name]
            if (read_policies(said).to_json() if name == "policies" else said) != stands[name]:
                yield found.finding(f"Environment {row.name} has {words} than what was set last.")
