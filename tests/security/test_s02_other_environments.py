"""Statement 2: what another environment holds answers exactly as what does not exist."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.accounts.scopes import ROLE_SCOPES, Role
from app.flows.service import create_flow
from app.ids import new_id
from app.runs.models import Run
from app.runs.service import start_run
from app.vault.service import NewSecret, create_secret
from tests.support.api_table import TABLE
from tests.support.installation import Installation, canary
from tests.support.inventory import fill_environment
from tests.support.runs import HeldRun, SigningWorker, Workshop, fetching

WITH_IDS = [route for route in TABLE if route.ids]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation with an environment beside the default one."""
    made = Installation.make(tmp_path_factory.mktemp("places") / "home")
    made.environment("staging")
    yield made
    made.services.close()


@pytest.fixture(scope="module")
def held(house: Installation) -> dict[str, str]:
    """What stands in ``staging``, and nowhere else."""
    return fill_environment(house, "staging")


def _said(answer: TestResponse) -> tuple[int, Any]:
    body = dict(answer.json or {})
    body.pop("request_id", None)
    headers = {
        name: value for name, value in answer.headers
        if name not in ("X-Request-Id", "Content-Length", "Set-Cookie")
    }
    return answer.status_code, (body, headers)


@pytest.mark.parametrize("role", list(Role))
def test_s02_other_environment_answers_as_unknown(
    house: Installation, held: dict[str, str], role: Role
) -> None:
    here = house.environment_id
    user_id, email = house.person(role, environment_id=here)
    api = house.api(house.token(*ROLE_SCOPES[role], user_id=user_id))
    browser = house.browser()
    browser.sign_in(email)
    for route in WITH_IDS:
        for kind, send in (("token", api.call), ("session", browser.api)):
            more = {"headers": {"If-Match": '"1"'}} if kind == "session" else {}
            theirs = send(route.method, route.address(held), **more, **route.options())
            never = send(route.method, route.address(), **more, **route.options())
            assert _said(theirs) == _said(never), (route.name, kind)
            if route.opens_for(ROLE_SCOPES[role], kind):
                assert theirs.status_code == 404, (route.name, kind, theirs.json)


def test_s02_the_same_ids_answer_where_they_are(
    house: Installation, held: dict[str, str]
) -> None:
    """So that the test above can't pass because the ids are wrong."""
    owner, _ = house.person(Role.ADMIN)
    with house.services.db.read() as session:
        from app.accounts import service as accounts

        environment = accounts.find_environment(session, "staging")
        assert environment is not None
    api = house.api(house.token(user_id=owner, environment_id=environment.id))
    for path in ("secrets/{secret_id}", "secrets/{secret_id}/versions", "flows/{flow_id}",
                 "runs/{run_id}", "users/{user_id}"):
        answer = api.get("/" + path.format(**held))
        assert answer.status_code == 200, path
    assert held["worker_id"] in api.get("/workers").get_data(as_text=True)


def test_s02_lists_hold_nothing_of_another_environment(
    house: Installation, held: dict[str, str]
) -> None:
    user_id, email = house.person(Role.ADMIN, environment_id=house.environment_id)
    api = house.api(house.token(user_id=user_id))
    browser = house.browser()
    browser.sign_in(email)
    for route in TABLE:
        # The audit here rightly names what was asked for here, whether it is or not.
        if route.method != "GET" or route.ids or route.path == "/audit":
            continue
        for send in (api.call, browser.api):
            text = send("GET", route.path).get_data(as_text=True)
            for name, identifier in held.items():
                assert identifier not in text, (route.name, name)
    refused = browser.api("GET", "/secrets", headers={"X-Tacit-Environment": "staging"})
    never = browser.api("GET", "/secrets", headers={"X-Tacit-Environment": "nowhere"})
    assert refused.status_code == never.status_code == 404
    assert _said(refused)[1][0] == _said(never)[1][0]


def test_s02_an_environments_admin_reaches_no_further(
    house: Installation, held: dict[str, str]
) -> None:
    _, email = house.person(Role.ADMIN, environment_id=house.environment_id)
    chief, _ = house.person(Role.ADMIN)
    browser = house.browser()
    browser.sign_in(email)
    for method, path, body, code in (
        ("POST", f"/users/{chief}/disable", None, "person_exceeds_own"),
        ("POST", f"/users/{held['user_id']}/roles", {"role": "viewer"}, "user_not_found"),
        ("POST", f"/users/{held['user_id']}/disable", None, "user_not_found"),
        ("POST", f"/users/{chief}/roles", {"role": "viewer", "everywhere": True},
         "grant_exceeds_own"),
        ("POST", "/freeze", {"everywhere": True}, "installation_denied"),
        ("DELETE", "/freeze?everywhere=true", None, "installation_denied"),
        ("GET", "/audit?installation=true", None, "installation_denied"),
        ("POST", f"/users/{new_id()}/disable", None, "user_not_found"),
    ):
        answer = browser.api(method, path, json=body)
        assert answer.json["code"] == code, (method, path, answer.json)


def _claimed(workshop: Workshop, environment_id: str) -> HeldRun:
    """Make a run that fetches a secret in an environment, and claim it by a worker of there."""
    house, vault = workshop.installation, workshop.installation.services.vault
    assert vault is not None
    there = workshop.actor(environment_id=environment_id)
    name = f"held-{new_id()}"
    with house.services.db.begin() as session:
        create_secret(session, there, vault, NewSecret(name=name, value=canary()))
        flow = create_flow(session, there, name="held", graph=fetching(name))
        run = start_run(session, there, flow.id)
    worker = SigningWorker.enrol(house, f"there-{name}"[:60], environment_id)
    return workshop.runtime.claim(worker, run.id)


def test_s02_a_worker_reaches_no_run_and_no_value_of_another_environment(
    house: Installation,
) -> None:
    """Claims, losses, events, heartbeats, ends and values: as for what never was."""
    workshop = Workshop.open(house)
    with house.services.db.read() as session:
        from app.accounts import service as accounts

        staging = accounts.find_environment(session, "staging")
        assert staging is not None
        staging_id = staging.id
    theirs = _claimed(workshop, staging_id)
    mine = workshop.claimed(workshop.secret())
    waiting = _waiting(workshop, staging_id)
    runtime, worker, never = workshop.runtime, workshop.worker, new_id()

    answers = [runtime.try_claim(worker, run) for run in (waiting, theirs.id, never)]
    assert [(one.status_code, one.json["code"]) for one in answers] == [
        (404, "run_not_found")
    ] * 3
    own = mine.token()
    for path, body in (
        ("events", {"events": []}), ("heartbeat", {}), ("finish", {"state": "succeeded"}),
        ("checked", {"problems": []}), ("accesses", {"node": "n0", "purpose": "use"}),
    ):
        found, none = (
            runtime.post(f"/runs/{run}/{path}", own, body) for run in (theirs.id, never)
        )
        assert _said(found) == _said(none), path
        assert found.status_code in (401, 404), path
        # Even a token that names the other run is signed by a key of this one.
        for run in (theirs.id, never):
            forged = runtime.post(f"/runs/{run}/{path}", mine.token(run=run), body)
            assert forged.status_code in (401, 404), path
    for body in ({"claim": 1, "reason": "x"}, {"claim": None, "reason": "x"}):
        found, none = (
            runtime.post(f"/runs/{run}/lost", worker.token(), body) for run in (theirs.id, never)
        )
        assert _said(found) == _said(none)
    grant = theirs.plan["grants"][0]
    for token in (
        mine.value_token(grant), mine.value_token(grant, run=theirs.id),
        mine.value_token(grant, run=theirs.id, claim=theirs.plan["claim"]),
    ):
        answer = runtime.value(mine, token, grant)
        assert answer.status_code in (401, 403, 404)
        assert "value" not in (answer.json or {})
    with house.services.db.read() as session:
        assert session.get_one(Run, theirs.id).state == "running"
        assert session.get_one(Run, waiting).state == "queued"
    assert runtime.value(theirs).status_code == 200


def _waiting(workshop: Workshop, environment_id: str) -> str:
    there = workshop.actor(environment_id=environment_id)
    with workshop.installation.services.db.begin() as session:
        flow = create_flow(session, there, name="waits", graph=fetching())
        return start_run(session, there, flow.id).id
