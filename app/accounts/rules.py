"""The rules of an environment, protection and policies: under the seal of what its runs may reach.

The environment's own row carries no MAC. Its rules would be turned off by an UPDATE, and with them
what keeps drafts from secrets and values from tokens; so the sealed row holds their hash.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from app.accounts.models import Environment, EnvironmentReach
from app.accounts.policies import Policies, read_policies
from app.audit.verify import Finding
from app.keys.records import Reading
from app.keys.sealed import Tampered
from app.prepared import Prepared

SEALED_SINCE: Final = "0014_rules_sealed"
"""The migration since which the hash is there; rows of before get theirs right after it."""

_ENVIRONMENT = Reading(Environment, "id", "name", "protected", "policies")
_SEALED = Reading(EnvironmentReach)
_RULES = Prepared(
    select(*_ENVIRONMENT.columns, *_SEALED.columns)
    .join(EnvironmentReach, EnvironmentReach.environment_id == Environment.id)
    .where(Environment.id == bindparam("id"))
)

_log = logging.getLogger("tacit.accounts")


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds in an environment.

    :param protected: refuses runs of drafts that use secrets.
    """

    protected: bool
    policies: Policies


STRICTEST: Final = Rules(True, Policies(
    hardcoded_credentials="refuse", require_allowed_hosts=True, value_reading=False
))
"""What stands for rules that were changed in SQL, as far as nobody sets them anew."""


def hash_rules(protected: bool, policies: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the rules as they are stored, in hex."""
    text = json.dumps(
        {"protected": protected, "policies": dict(policies)}, sort_keys=True,
        separators=(",", ":"),
    )
    return hashlib.sha256(text.encode()).hexdigest()


def read_rules(session: Session, row: Environment) -> Rules:
    """Return the rules of an environment.

    :raises Tampered: ``row_tampered``: they were changed outside Tacit.
    """
    return _checked(row, _sealed(session, row.id))


def find_rules(session: Session, environment_id: str) -> tuple[str, Rules]:
    """Return an environment's name and rules, by one statement: for what each run asks for.

    :raises Tampered: as :func:`read_rules`; also where there is no such environment.
    """
    found = _RULES.row(session, {"id": environment_id})
    if found is None:
        raise Tampered("environment_reach")
    row = _ENVIRONMENT.get(session, found)
    return row.name, _checked(row, _SEALED.get(session, found, len(_ENVIRONMENT)))


def _checked(row: Environment, sealed: EnvironmentReach) -> Rules:
    if not _matches(row, sealed):
        _log.error("row_tampered", extra={"table": "environments", "row": row.id})
        raise Tampered("environments")
    return Rules(row.protected, read_policies(row.policies))


def rules_to_show(session: Session, row: Environment) -> Rules | None:
    """Return the rules for a list; None where they, or the sealed row, are not Tacit's own."""
    try:
        return read_rules(session, row)
    except Tampered:
        return None


def rules_to_change(session: Session, row: Environment) -> Rules | None:
    """Return the rules that a change begins with; None where they are not Tacit's own.

    :raises Tampered: ``row_tampered``: the sealed row itself was changed or deleted.
    """
    if _hold(session, row, lock=True):
        return Rules(row.protected, read_policies(row.policies))
    return None


def seal_rules(session: Session, row: Environment) -> None:
    """Seal the rules as the row has them now.

    :raises Tampered: ``row_tampered``, as :func:`rules_to_change`.
    """
    _sealed(session, row.id).rules_hash = hash_rules(row.protected, row.policies)
    session.flush()


def seal_all_rules(session: Session) -> None:
    """Seal what older releases left unsealed; once, right after the migration."""
    for row in session.scalars(select(Environment)):
        seal_rules(session, row)


def find_changed_rules(session: Session) -> Iterator[Finding]:
    """Yield a finding for each environment whose rules were changed outside Tacit."""
    for row in session.scalars(select(Environment).order_by(Environment.name)):
        try:
            held = _hold(session, row)
        except Tampered:
            continue  # found for itself
        if not held:
            yield Finding(
                row.id, 0, "edited",
                f"The protection or the policies of environment {row.name} were changed outside "
                "Tacit; what asks for them is refused. Set them with “tacit environment protect” "
                "or “unprotect”, and “tacit environment policy”: what isn't set is the strictest.",
            )


def _hold(session: Session, row: Environment, *, lock: bool = False) -> bool:
    return _matches(row, _sealed(session, row.id, lock=lock))


def _matches(row: Environment, sealed: EnvironmentReach) -> bool:
    return sealed.rules_hash == hash_rules(row.protected, row.policies)


def _sealed(session: Session, environment_id: str, *, lock: bool = False) -> EnvironmentReach:
    sealed = session.get(EnvironmentReach, environment_id, with_for_update=lock or None)
    if sealed is None:
        raise Tampered("environment_reach")
    return sealed
