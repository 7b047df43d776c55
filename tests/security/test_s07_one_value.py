"""Statement 7 of SECURITY.md: one token is one value, and only while its run may have it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import delete

from app.accounts import service as accounts
from app.accounts.freeze import freeze, unfreeze
from app.accounts.models import RoleGrant
from app.accounts.scopes import Role, Scope
from app.ids import new_id
from app.runs.enrolment import revoke_worker
from app.runs.service import cancel_run
from app.vault import service as secrets
from tests.support.events import Watched
from tests.support.installation import Installation, canary
from tests.support.queue_server import queue_server
from tests.support.runs import HeldRun, SigningWorker, Workshop
from tests.support.runtime_process import RuntimeProcess, runtime_process

USES = 50


@dataclass
class Pair:
    """Two runtime processes on one SQLite database, and the queue beside them."""

    shop: Workshop
    processes: list[RuntimeProcess]
    queue: Redis


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Both processes, as an operator starts them."""
    folder = tmp_path_factory.mktemp("pair")
    with queue_server() as url:
        made = Installation.make(folder / "home", redis_url=url)
        shop = Workshop.open(made)
        with (
            runtime_process(made, folder, 0) as one, runtime_process(made, folder, 1) as two,
            Redis.from_url(url) as queue,
        ):
            yield Pair(shop, [one, two], queue)
        made.services.close()


def test_s07_fifty_uses_over_two_processes_are_one_value(pair: Pair) -> None:
    value = canary()
    held = pair.shop.claimed(pair.shop.secret(value))
    watched = Watched(pair.shop.installation.services.db)
    token = held.value_token()
    together = threading.Barrier(USES)

    def use(number: int) -> tuple[int, dict[str, Any]]:
        together.wait()
        return pair.processes[number % 2].value(held, token)

    with ThreadPoolExecutor(USES) as pool:
        answers = list(pool.map(use, range(USES)))
    assert sorted(status for status, _ in answers) == [200] + [409] * (USES - 1)
    assert [body["value"] for status, body in answers if status == 200] == [value]
    assert sum(value in repr(body) for _, body in answers) == 1
    assert {body["code"] for status, body in answers if status == 409} == {"token_spent"}
    events = watched.new()
    assert [event.action for event in events].count("secret.use") == 1
    assert [event.action for event in events].count("worker.deny") == USES - 1

    # Redis plays no part in it, so forgetting everything there gives nothing back.
    pair.queue.flushall()
    for process in pair.processes:
        assert process.value(held, token)[0] == 409
        # Nor does a fresh token for the same use.
        assert process.value(held)[0] == 409


def test_s07_fifty_tokens_for_one_use_are_one_value(pair: Pair) -> None:
    value = canary()
    held = pair.shop.claimed(pair.shop.secret(value))
    with ThreadPoolExecutor(USES) as pool:
        answers = list(pool.map(lambda n: pair.processes[n % 2].value(held), range(USES)))
    assert sorted(status for status, _ in answers) == [200] + [409] * (USES - 1)


def test_s07_a_restart_forgets_no_spent_token(pair: Pair, tmp_path: Path) -> None:
    held = pair.shop.claimed(pair.shop.secret())
    token = held.value_token()
    assert pair.processes[0].value(held, token)[0] == 200
    pair.queue.flushall()
    with runtime_process(pair.shop.installation, tmp_path) as third:
        assert third.value(held, token)[0] == 409


# -- who may not have it any more ------------------------------------------------------------


@pytest.fixture
def value() -> str:
    """A value that no refusal may hold."""
    return canary()


@pytest.fixture
def held(workshop: Workshop, value: str) -> HeldRun:
    """A claimed run with one granted secret."""
    return workshop.claimed(workshop.secret(value))


def refused(
    workshop: Workshop, held: HeldRun, value: str, status: int, code: str,
    token: str | None = None,
) -> None:
    """Check that no value comes, and that the refusal is in the audit."""
    watched = Watched(workshop.installation.services.db)
    answer = workshop.runtime.value(held, token)
    assert (answer.status_code, answer.json["code"]) == (status, code), answer.json
    assert value not in answer.get_data(as_text=True)
    (event,) = watched.new()
    assert (event.action, event.outcome) == ("worker.deny", "denied")


def test_s07_cancelled(workshop: Workshop, held: HeldRun, value: str) -> None:
    with workshop.installation.services.db.begin() as session:
        cancel_run(session, workshop.actor(), held.id)
    refused(workshop, held, value, 403, "run_cancelled")


@pytest.mark.parametrize("state", ["succeeded", "failed", "cancelled"])
def test_s07_finished(workshop: Workshop, held: HeldRun, value: str, state: str) -> None:
    body = {"state": state, "problem": None, "events": []}
    assert workshop.runtime.post(f"/runs/{held.id}/finish", held.token(), body).status_code == 200
    refused(workshop, held, value, 409, "claim_lost")


@pytest.mark.parametrize("everywhere", [True, False])
def test_s07_frozen(workshop: Workshop, held: HeldRun, value: str, everywhere: bool) -> None:
    db, actor = workshop.installation.services.db, workshop.installation.operator()
    with db.begin() as session:
        freeze(session, actor, everywhere=everywhere, reason="a leak")
    try:
        refused(workshop, held, value, 423, "frozen")
    finally:
        with db.begin() as session:
            unfreeze(session, actor, everywhere=everywhere)
    assert workshop.runtime.value(held).json["value"] == value


def test_s07_another_workers_run(workshop: Workshop, held: HeldRun, value: str) -> None:
    """An enrolled worker with a run of its own asks for what another's run was granted."""
    other = SigningWorker.enrol(workshop.installation, f"w-{new_id()}")
    run = workshop.run(workshop.flow(), None)
    theirs = workshop.runtime.claim(other, run.id)
    grant = held.plan["grants"][0]
    kid = held.plan["kid"]
    for token, status, code in (
        (theirs.value_token(grant), 403, "grant_missing"),
        (theirs.value_token(grant, run=held.id), 401, "token_invalid"),
        (theirs.value_token(grant, iss=kid, run=held.id), 401, "token_invalid"),
        (theirs.value_token(grant, iss=kid, sub=held.worker.id, run=held.id), 401,
         "token_invalid"),
        (held.value_token(sub=other.id), 401, "token_invalid"),
    ):
        refused(workshop, held, value, status, code, token)
    assert workshop.runtime.value(held).json["value"] == value


def test_s07_a_revoked_worker(workshop: Workshop, value: str) -> None:
    worker = SigningWorker.enrol(workshop.installation, f"w-{new_id()}")
    first = workshop.claimed(workshop.secret(value))
    run = workshop.run(workshop.show(first.id).flow_id)
    held = workshop.runtime.claim(worker, run.id)
    with workshop.installation.services.db.begin() as session:
        revoke_worker(session, workshop.actor(), worker.id)
    refused(workshop, held, value, 401, "token_invalid")


def test_s07_a_disabled_person(workshop: Workshop, value: str) -> None:
    installation = workshop.installation
    person, _ = installation.person(Role.OPERATOR)
    held = workshop.claimed(workshop.secret(value), actor=workshop.actor(user_id=person))
    with installation.services.db.begin() as session:
        accounts.set_disabled(session, installation.operator(), person, True)
    refused(workshop, held, value, 403, "person_may_not_use")


def test_s07_a_person_without_the_permission(workshop: Workshop, value: str) -> None:
    installation = workshop.installation
    person, _ = installation.person(Role.OPERATOR)
    held = workshop.claimed(workshop.secret(value), actor=workshop.actor(user_id=person))
    with installation.services.db.begin() as session:
        session.execute(delete(RoleGrant).where(RoleGrant.user_id == person))
        accounts.grant_role(
            session, installation.operator(), user_id=person, role=Role.AUTHOR,
            environment_id=None,
        )
    refused(workshop, held, value, 403, "person_may_not_use")


@pytest.mark.parametrize("ending", ["revoked", "without secrets:use"])
def test_s07_the_token_that_started_it(workshop: Workshop, value: str, ending: str) -> None:
    installation = workshop.installation
    scopes = {Scope.SECRETS_USE, Scope.RUNS_MANAGE, Scope.FLOWS_READ}
    if ending != "revoked":
        scopes -= {Scope.SECRETS_USE}
    with installation.services.db.begin() as session:
        row, _ = accounts.create_token(
            session, installation.operator(), user=accounts.get_user(session, workshop.user_id),
            name="ci", scopes=tuple(scopes), environment_id=installation.environment_id,
        )
    actor = workshop.actor(scopes=frozenset(scopes), token_id=row.id)
    if ending == "revoked":
        held = workshop.claimed(workshop.secret(value), actor=actor)
        with installation.services.db.begin() as session:
            accounts.revoke_token(session, installation.operator(), row.id)
        refused(workshop, held, value, 403, "person_may_not_use")
        return
    # Checked before any node runs: there is no grant at all.
    first = workshop.claimed(workshop.secret(value))
    run = workshop.run(workshop.show(first.id).flow_id, actor)
    assert workshop.runtime.claim(workshop.worker, run.id).plan["state"] == "rejected"


def test_s07_a_flow_that_is_not_allowed(workshop: Workshop, held: HeldRun, value: str) -> None:
    grant = held.plan["grants"][0]
    with workshop.installation.services.db.begin() as session:
        change = secrets.SecretChange(allowed_flows=[new_id()])
        secrets.describe_secret(session, workshop.actor(), grant["secret_id"], change)
    refused(workshop, held, value, 403, "secret_denied")
    # The next run of it doesn't get as far.
    run = workshop.run(workshop.show(held.id).flow_id)
    plan = workshop.runtime.claim(workshop.worker, run.id).plan
    assert plan["state"] == "rejected"
    assert value not in repr(workshop.show(run.id))
