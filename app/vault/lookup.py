"""What has become of a secret's name, for validation and for the pre-run check."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from app.keys.records import Reading
from app.prepared import Prepared
from app.vault.models import Secret, SecretVersion

_SECRET, _VERSION = Reading(Secret), Reading(SecretVersion)
_BY_NAME = select(*_SECRET.columns).where(
    Secret.environment_id == bindparam("place"), Secret.name == bindparam("name"),
    Secret.state != "deleted",
)
_NAMED = Prepared(_BY_NAME)
_NAMED_LOCKED = Prepared(_BY_NAME.with_for_update(read=True))
# On its own: what PostgreSQL joins to a row that it waited for is of the time before the wait.
_NUMBERED = Prepared(
    select(*_VERSION.columns).where(
        SecretVersion.secret_id == bindparam("secret_id"),
        SecretVersion.number == bindparam("number"),
    )
)

Status = Literal["found", "missing", "denied", "disabled", "pin_missing", "verify_only"]


@dataclass(frozen=True, slots=True)
class Resolved:
    """A name that was looked up, with the secret and version it stands for when ``found``.

    Both have their sealed columns only (:mod:`app.keys.records`).

    ``verify_only``: found, and its value never leaves the vault (see :mod:`app.vault.signing`).
    """

    status: Status
    secret: Secret | None = None
    version: SecretVersion | None = None


def resolve(
    session: Session,
    environment_id: str,
    names: Iterable[tuple[str, int | None]],
    *,
    flow_id: str | None,
    lock: bool = False,
) -> dict[tuple[str, int | None], Resolved]:
    """Resolve names and pinned versions (None: the active one) of an environment.

    :param flow_id: the flow that wants them, for ``allowed_flows``.
    :param lock: hold the rows against a change until the transaction's end.
    """
    wanted = set(names)
    if session.autoflush:
        # What the caller has changed counts, as it does for a query of the ORM.
        session.flush()
    statement = _NAMED_LOCKED if lock else _NAMED
    # In one order: two that lock several must not wait for each other.
    secrets = {
        name: _SECRET.find(session, statement, {"place": environment_id, "name": name})
        for name in sorted({name for name, _ in wanted})
    }
    return {
        (name, pin): _status(session, secrets[name], pin, flow_id) for name, pin in wanted
    }


def _read_version(session: Session, secret: Secret, number: int) -> SecretVersion | None:
    # A pin beyond what the column holds is a pin on nothing.
    if not 0 < number < 2**31:
        return None
    return _VERSION.find(session, _NUMBERED, {"secret_id": secret.id, "number": number})


def _status(
    session: Session, secret: Secret | None, pin: int | None, flow_id: str | None
) -> Resolved:
    if secret is None:
        return Resolved("missing")
    if secret.allowed_flows is not None and flow_id not in secret.allowed_flows:
        return Resolved("denied", secret)
    version = _read_version(session, secret, secret.active_version if pin is None else pin)
    if version is None:
        return Resolved("pin_missing", secret)
    if version.state != "enabled":
        return Resolved("pin_missing" if pin is not None else "disabled", secret)
    return Resolved("verify_only" if secret.verify_only else "found", secret, version)


def closest_name(session: Session, environment_id: str) -> Callable[[str], str | None]:
    """Return a function that finds the existing name closest to a missing one."""
    names: list[str] = []

    def find(name: str) -> str | None:
        if not names:
            names.extend(
                session.scalars(
                    select(Secret.name)
                    .where(Secret.environment_id == environment_id, Secret.state != "deleted")
                    .limit(2000)
                )
            )
        found = get_close_matches(name, names, n=1, cutoff=0.6)
        return found[0] if found else None

    return find
