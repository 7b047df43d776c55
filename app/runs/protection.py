"""Protected environments: nothing that nobody activated as it is runs there with a secret."""

from __future__ import annotations

from typing import Final

from sqlalchemy.orm import Session

from app.accounts.rules import find_rules
from app.components.problems import Problem
from app.components.registry import registry
from app.errors import Locked
from app.flows.graph import Graph
from app.flows.validation import external_references, secret_references

CODE: Final = "environment_protected"
DRAFT: Final = "a draft that uses secrets"
PART: Final = "a part of a flow that uses secrets"
ONE_NODE: Final = "one node alone that uses secrets"


def refuse_protected(session: Session, environment_id: str, graph: Graph, what: str) -> None:
    """Refuse to run what nobody activated as it is, where that could use a secret.

    :param what: is to be run, for the message: one of the constants above.
    :raises Locked: ``environment_protected``.
    :raises Tampered: ``row_tampered``: somebody changed in SQL whether it is protected.
    """
    if secret_references(graph) or external_references(graph, registry()):
        message = _protection(session, environment_id, what)
        if message is not None:
            raise Locked(CODE, message)


def find_problems(session: Session, environment_id: str, what: str | None) -> list[Problem]:
    """Return what the claim of a run that uses secrets finds: the environment may be protected
    since it was started.

    :param what: as for :func:`refuse_protected`; None for a whole version that was activated.
    :raises Tampered: as :func:`refuse_protected`.
    """
    message = _protection(session, environment_id, what) if what is not None else None
    return [Problem(CODE, "error", message)] if message is not None else []


def _protection(session: Session, environment_id: str, what: str) -> str | None:
    name, rules = find_rules(session, environment_id)
    if not rules.protected:
        return None
    return (
        f"Environment {name} is protected, so {what} doesn't run here. Activate "
        "the flow and run its active version whole, as Run in the list of flows does, or work in "
        "another environment."
    )
