"""Where secrets are used: the nodes of flows that name them, and what a rotation changes there.

The flows room writes the rows when a flow is saved or activated, so that the question is
answered from an index, and the vault can refuse to destroy what an active flow needs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import and_, delete, or_, select, update
from sqlalchemy.orm import Session

from app.accounts.actor import Actor
from app.accounts.scopes import Scope
from app.vault.models import Secret, SecretUse
from app.vault.rows import get_row


@dataclass(frozen=True, slots=True)
class Reference:
    """A node that names a secret."""

    node: str
    name: str
    pin: int | None
    secret_id: str | None = None
    purpose: str = "fetch"


@dataclass(frozen=True, slots=True)
class Usage:
    """Where a secret is used.

    :ivar summary: what a rotation changes, in a sentence.
    """

    uses: list[SecretUse]
    follows: int
    pins: dict[int, int]
    summary: str


def set_uses(
    session: Session,
    *,
    environment_id: str,
    flow_id: str,
    flow_name: str,
    scope: str,
    references: Iterable[Reference],
) -> None:
    """Replace what is known of a flow's draft or active version."""
    drop_uses(session, flow_id, scope)
    session.add_all(
        SecretUse(
            flow_id=flow_id, scope=scope, node=reference.node, environment_id=environment_id,
            flow_name=flow_name, secret_name=reference.name, secret_id=reference.secret_id,
            pin=reference.pin, purpose=reference.purpose,
        )
        for reference in references
    )
    session.execute(
        update(SecretUse).where(SecretUse.flow_id == flow_id).values(flow_name=flow_name)
    )


def drop_uses(session: Session, flow_id: str, scope: str | None = None) -> None:
    """Forget a flow's uses: of its draft, of its active version, or (None) of both."""
    query = delete(SecretUse).where(SecretUse.flow_id == flow_id)
    session.execute(query if scope is None else query.where(SecretUse.scope == scope))


def list_uses(session: Session, secret: Secret, scope: str | None = None) -> list[SecretUse]:
    """Return the nodes that use a secret: by its id where bound, else by its name."""
    query = select(SecretUse).where(
        or_(
            SecretUse.secret_id == secret.id,
            and_(
                SecretUse.secret_id.is_(None),
                SecretUse.environment_id == secret.environment_id,
                SecretUse.secret_name == secret.name,
            ),
        )
    )
    if scope is not None:
        query = query.where(SecretUse.scope == scope)
    return list(session.scalars(query.order_by(SecretUse.flow_name, SecretUse.node)))


def usage_of(session: Session, actor: Actor, secret_id: str) -> Usage:
    """Say which flows use a secret, and what a rotation changes.

    :raises Denied: the actor lacks ``secrets:read``.
    :raises NotFound: there is no such secret here.
    """
    actor.require(Scope.SECRETS_READ)
    secret = get_row(session, actor, secret_id, deleted=True)
    uses = list_uses(session, secret)
    following = {use.flow_id for use in uses if use.pin is None}
    pins: dict[int, set[str]] = {}
    for use in uses:
        if use.pin is not None:
            pins.setdefault(use.pin, set()).add(use.flow_id)
    counts = {pin: len(flows) for pin, flows in sorted(pins.items())}
    return Usage(uses, len(following), counts, _summary(len(following), counts))


def _summary(follows: int, pins: dict[int, int]) -> str:
    if not follows and not pins:
        return "No flow uses it."
    parts = []
    if follows:
        verb = "flow takes" if follows == 1 else "flows take"
        parts.append(f"{follows} {verb} the new version at once")
    parts += [
        f"{count} {'pins' if count == 1 else 'pin'} v{pin}"
        if parts or number
        else f"{count} {'flow pins' if count == 1 else 'flows pin'} v{pin}"
        for number, (pin, count) in enumerate(pins.items())
    ]
    return "; ".join(parts) + "."
