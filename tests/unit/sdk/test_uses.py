"""A component gets from its context what it declares that it uses, and nothing else."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from app.components.context import Context
from app.components.declaration import Component
from app.components.examples import Example
from app.components.fields import ComponentConfig, field
from app.components.ports import Port, PortType
from app.components.registry import BUILTINS, Registry
from app.sdk import contract, testing
from tests.support.engine import Surroundings, run_flow
from tests.support.graphs import graph, node

REACHES = {
    "network": lambda context: str(context.egress.policy.allow_private),
    "files": lambda context: str(len(context.folders)),
    "worker_secrets": lambda context: context.worker_value("env:TOKEN"),
}


class Wanted(ComponentConfig):
    what: str = field("network", label="What", kind="text")


class Nosy(Component):
    name, title, help = "acme.nosy", "Nosy", "Reaches for what it is told to."
    category, icon = "logic", "split"
    Config = Wanted
    outputs = (Port("found", PortType.TEXT),)
    examples = (Example("Nothing", {"what": "nothing"}),)

    def run(self, context: Context) -> Mapping[str, Any]:
        reach = REACHES.get(context.config.what, lambda _: "nothing")
        return {"found": reach(context)}


class Declared(Nosy):
    name = "acme.declared"
    uses = ("network", "files", "worker_secrets")


class Rogue(Nosy):
    """Does by itself what it should ask its context for."""

    name = "acme.rogue"

    def run(self, context: Context) -> Mapping[str, Any]:
        with socket.create_server(("127.0.0.1", 0)) as listener, \
                socket.create_connection(listener.getsockname()):
            subprocess.run([sys.executable, "-c", ""], check=True)
        return {"found": "out"}


@pytest.mark.parametrize("use", REACHES)
def test_a_worker_holds_it_to_what_it_declares(use: str, tmp_path: Path) -> None:
    here = {one.name: f"{__name__}:{one.__name__}" for one in (Nosy, Declared)}
    around = Surroundings(machine={"env:TOKEN": "CANARY-of-the-machine"})
    both = graph(node("nosy", "acme.nosy", what=use), node("declared", "acme.declared", what=use))
    ran = run_flow(both, around, tmp_path, components=Registry({**BUILTINS, **here}))
    assert ran.state("declared") == "succeeded", ran.problem("declared")
    assert (ran.problem("nosy") or {})["code"] == "use_not_declared"
    found = testing.run(Nosy(), {"what": use}, machine={"env:TOKEN": "CANARY-of-the-machine"})
    assert found.error is not None
    assert found.error.code == "use_not_declared"


def test_the_kit_s_contract_finds_what_goes_past_the_context() -> None:
    contract.check(Nosy())
    with pytest.raises(AssertionError, match="connects to the network by itself") as told:
        contract.check(Rogue())
    assert "starts a program" in str(told.value)
