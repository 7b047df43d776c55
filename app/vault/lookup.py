"""What has become of a secret's name, for validation and for the pre-run check."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from app.vault.models import Secret, SecretVersion

_NAMED = select(Secret).where(
    Secret.environment_id == bindparam("place"),
    Secret.name.in_(bindparam("names", expanding=True)),
    Secret.state != "deleted",
)
_NAMED_LOCKED = _NAMED.with_for_update(read=True)
_VERSIONS = select(SecretVersion).where(
    SecretVersion.secret_id.in_(bindparam("secrets", expanding=True)),
    SecretVersion.number.in_(bindparam("numbers", expanding=True)),
)

Status = Literal["found", "missing", "denied", "disabled", "pin_missing", "verify_only"]


@dataclass(frozen=True, slots=True)
class Resolved:
    """A name that was looked up, with the secret and version it stands for when ``found``.

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
    named = session.scalars(
        _NAMED_LOCKED if lock else _NAMED,
        {"place": environment_id, "names": sorted({name for name, _ in wanted})},
    )
    secrets = {row.name: row for row in named}
    pairs = {
        (name, pin): (row.id, pin if pin is not None else row.active_version)
        for name, pin in wanted
        if (row := secrets.get(name)) is not None
    }
    versions: dict[tuple[str, int], SecretVersion] = {}
    if pairs:
        rows = session.scalars(
            _VERSIONS,
            {
                "secrets": sorted({secret for secret, _ in pairs.values()}),
                # A pin beyond what the column holds is a pin on nothing.
                "numbers": sorted({n for _, n in pairs.values() if 0 < n < 2**31}),
            },
        )
        versions = {(row.secret_id, row.number): row for row in rows}
    return {
        key: _status(secrets.get(key[0]), versions, pairs.get(key), key[1], flow_id)
        for key in wanted
    }


def _status(
    secret: Secret | None,
    versions: dict[tuple[str, int], SecretVersion],
    pair: tuple[str, int] | None,
    pin: int | None,
    flow_id: str | None,
) -> Resolved:
    if secret is None or pair is None:
        return Resolved("missing")
    if secret.allowed_flows is not None and flow_id not in secret.allowed_flows:
        return Resolved("denied", secret)
    version = versions.get(pair)
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
