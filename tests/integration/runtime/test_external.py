"""External secrets through the runtime listener: the end of the check, and audited accesses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.audit.models import AuditEvent
from app.runs.service import start_check
from tests.support.graphs import graph, node, wire
from tests.support.guide import forget_guide, lay_out_guide
from tests.support.packages import another_package
from tests.support.runs import HeldRun, RuntimeClient, Workshop

__all__ = ["another_package"]

Events = Callable[[], list[AuditEvent]]


@pytest.fixture
def held(workshop: Workshop, runtime: RuntimeClient) -> HeldRun:
    """A claimed run that fetches from AWS."""
    flow = workshop.flow(graph(
        node("keys", "secret.fetch", secretName=workshop.secret().name),
        node("aws", "aws.secrets_manager.fetch", secretId="prod/db", region="eu-west-1"),
        node("log", "output.log", message="hello"),
        wire("keys.value", "aws.credentials"),
    ))
    return runtime.claim(workshop.worker, workshop.run(flow).id)


def tell(runtime: RuntimeClient, held: HeldRun, **access: Any) -> Any:
    """Report an access as a worker does."""
    body = {"node": "aws", "attempt": 1, "purpose": "check", "code": "", **access}
    return runtime.post(f"/runs/{held.id}/accesses", held.token(), body)


def test_the_claim_leaves_the_check_to_the_worker(workshop: Workshop, held: HeldRun) -> None:
    assert held.plan["checking"] is True
    assert held.plan["only_check"] is False
    assert held.plan["environment"]["reach"] == {"allow_private": True, "worker_secrets": []}
    assert workshop.show(held.id).state == "checking"


def test_an_access_is_written_down_in_the_flows_words(
    runtime: RuntimeClient, held: HeldRun, events: Events
) -> None:
    events()
    assert tell(runtime, held, version="v-1").status_code == 200
    assert tell(runtime, held, code="secret_denied", reference="CANARY").status_code == 200
    found = [event for event in events() if event.action == "secret.external"]
    assert [event.outcome for event in found] == ["ok", "denied"]
    assert found[0].data["provider"] == "aws.secrets_manager"
    assert found[0].data["reference"] == "prod/db"
    assert "CANARY" not in repr([event.data for event in found])


@pytest.mark.parametrize(
    "change",
    [{"node": "log"}, {"node": "none"}, {"purpose": "steal"}, {"version": "a value with spaces"},
     {"code": "CANARY value!"}, {"attempt": "1"}, {"version": 7}],
)
def test_other_words_are_refused(runtime: RuntimeClient, held: HeldRun, change: Any) -> None:
    answer = tell(runtime, held, **change)
    assert (answer.status_code, answer.json["code"]) == (422, "access_invalid")


def test_a_run_that_passed_goes_on(
    workshop: Workshop, runtime: RuntimeClient, held: HeldRun
) -> None:
    for _ in range(2):
        answer = runtime.post(f"/runs/{held.id}/checked", held.token(), {"problems": []})
        assert answer.json["state"] == "running"
    assert workshop.show(held.id).state == "running"
    late = {"problems": [{"code": "x", "message": "Too late.", "node": "aws"}]}
    answer = runtime.post(f"/runs/{held.id}/checked", held.token(), late)
    assert answer.json["state"] == "running"


def test_a_run_that_did_not_is_rejected(
    workshop: Workshop, runtime: RuntimeClient, held: HeldRun
) -> None:
    problem = {"code": "secret_missing", "severity": "error", "node": "aws", "message": "Gone."}
    for _ in range(2):
        answer = runtime.post(f"/runs/{held.id}/checked", held.token(), {"problems": [problem]})
        assert answer.json["state"] == "rejected", answer.json
    shown = workshop.show(held.id)
    assert [one["code"] for one in shown.problems] == ["secret_missing"]
    assert {one.id: one.state for one in shown.nodes}["aws"] == "rejected"
    assert tell(runtime, held).status_code == 409


def test_a_check_of_one_node_grants_its_credentials_only(
    workshop: Workshop, runtime: RuntimeClient
) -> None:
    names = [workshop.secret().name for _ in range(2)]
    flow = workshop.flow(graph(
        node("keys", "secret.fetch", secretName=names[0]),
        node("other", "secret.fetch", secretName=names[1]),
        node("aws", "aws.secrets_manager.fetch", secretId="prod/db", region="eu-west-1"),
        wire("keys.value", "aws.credentials"),
    ))
    with workshop.installation.services.db.begin() as session:
        run = start_check(session, workshop.actor(), flow.id, "aws")
    held = runtime.claim(workshop.worker, run.id)
    assert (held.plan["only_check"], held.plan["checking"]) == (True, True)
    assert [grant["node"] for grant in held.plan["grants"]] == ["keys"]
    assert {one["id"] for one in held.plan["graph"]["nodes"]} == {"keys", "aws"}


@pytest.fixture
def keeper(another_package: Path) -> Iterator[None]:
    """The server with the package of the author's guide, and its secret manager."""
    lay_out_guide(another_package)
    yield
    forget_guide()


@pytest.mark.usefixtures("keeper")
def test_a_manager_of_a_package_is_audited_and_found_like_those_of_tacit(
    workshop: Workshop, runtime: RuntimeClient, events: Events
) -> None:
    """Nothing of the server knows Acme Keeper: the package's declaration says all of it."""
    address = "https://keeper.example.com"
    flow = workshop.flow(graph(
        node("token", "secret.fetch", secretName=workshop.secret().name),
        node("keep", "acme.keeper.fetch", address=address, secret="api", version=7),
        node("log", "output.log", message="hello"), wire("token.value", "keep.credentials"),
    ))
    api = workshop.installation.api(workshop.installation.token(user_id=workshop.user_id))
    where = dict(api.get("/external-secrets?provider=acme.keeper").json or {})["items"]
    assert [(one["reference"], one["version"], one["flow_id"], one["node"]) for one in where] == [
        ("api", "7", flow.id, "keep")
    ]
    held = runtime.claim(workshop.worker, workshop.run(flow).id)
    assert held.plan["checking"] is True
    events()
    told = runtime.post(f"/runs/{held.id}/accesses", held.token(), {
        "node": "keep", "attempt": 1, "purpose": "use", "code": "", "version": "7",
        "reference": "CANARY",
    })
    assert told.status_code == 200
    (access,) = [event for event in events() if event.action == "secret.external"]
    assert (access.data["provider"], access.data["reference"]) == ("acme.keeper", "api")
    assert (access.run_id, access.node, access.outcome) == (held.id, "keep", "ok")
    assert "CANARY" not in repr(access.data)
