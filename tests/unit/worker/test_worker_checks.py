"""The pre-run check of external secrets: a lost answer is survived, a wrong one is not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from app.components.context import Context
from app.components.declaration import Component
from app.components.ports import Port, PortType
from app.components.registry import BUILTINS, Registry
from app.flows.graph import Edge, End, Graph, Node
from app.providers.egress import EgressGuard
from worker.cancellation import RunCancellation
from worker.checks import PreRunCheck
from worker.context import LOST_AGAIN, Grant, RunScope
from worker.errors import RuntimeRefused, RuntimeUnreachable
from worker.external import ExternalDoor, Purpose
from worker.masking import Masker

CANARY = "CANARY-checked-1"


class Asked(Component):
    """Asks an external manager with a credential."""

    name, title, help = "test.asked", "Asked", "Asks."
    category, icon, provider = "secret", "key", "test"
    inputs = (Port("token", PortType.SECRET, "Token", required=True),)

    @classmethod
    def external_secret(cls, config: Mapping[str, Any]) -> tuple[str, str]:
        return "app/db", ""

    def check(self, context: Context) -> str:
        return context.describe_external(lambda: context.reveal("token", "https://h:443") and "v7")


REGISTRY = Registry({**BUILTINS, "test.asked": f"{__name__}:Asked"})
REGISTRY._loaded["test.asked"] = Asked()
GRAPH = Graph(
    (Node("fetch", "secret.fetch", config={"secretName": "tok", "outputFormat": "raw"}),
     Node("asked", "test.asked")),
    (Edge("e", End("fetch", "value"), End("asked", "token")),),
)


class Network:
    """Loses so many answers of values, and so many of accesses."""

    def __init__(self, values: int = 0, accesses: int = 0, code: str = "token_spent") -> None:
        self.values, self.accesses, self.code = values, accesses, code
        self.attempts: list[tuple[int, Purpose]] = []
        self.told: list[Mapping[str, Any]] = []

    def fetch(self, _grant: Grant, attempt: int, purpose: Purpose) -> str:
        self.attempts.append((attempt, purpose))
        if len(self.attempts) <= self.values:
            raise RuntimeRefused(409, self.code, "This value was given out already.")
        return CANARY

    def tell(self, access: Mapping[str, Any]) -> None:
        self.told.append(access)
        if len(self.told) <= self.accesses:
            raise RuntimeUnreachable("The answer was lost.", sent=True)

    def check(self) -> tuple[list[str], dict[str, str]]:
        """Return the codes of what was found, and the versions."""
        door = ExternalDoor(tell=self.tell, ask=lambda _reference: "")
        scope = RunScope(
            "run", {}, {"fetch": Grant("fetch", "id", "tok", 2)}, Masker(), RunCancellation(),
            lambda *_, **__: None, self.fetch, EgressGuard, Path("/nowhere"), door,
        )
        problems = PreRunCheck(GRAPH, REGISTRY, scope).run()
        return [problem.code for problem in problems], door.versions


def test_a_lost_answer_rejects_no_run() -> None:
    network = Network(values=1)
    assert network.check() == ([], {"asked": "v7"})
    # Each attempt may have the value once.
    assert network.attempts == [(1, "check"), (2, "check")]
    network = Network(accesses=1)
    assert network.check() == ([], {"asked": "v7"})
    assert [access["attempt"] for access in network.told] == [1, 2]


@pytest.mark.parametrize(("lost", "code"), [
    ({"values": 99}, "secret_answer_lost"), ({"accesses": 99}, "audit_unreachable"),
])
def test_what_stays_lost_rejects_it_after_all(lost: dict[str, Any], code: str) -> None:
    network = Network(**lost)
    assert network.check() == ([code], {})
    assert max(len(network.attempts), len(network.told)) == LOST_AGAIN + 1


def test_what_the_server_says_is_not_asked_again() -> None:
    network = Network(values=99, code="secret_disabled")
    assert network.check() == (["secret_disabled"], {})
    assert len(network.attempts) == 1
