"""The value route: one value, for one node of one run, once; every other way is shut."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import delete

from app.accounts import service as accounts
from app.accounts.scopes import Role, Scope
from app.audit.models import AuditEvent
from app.factory import create_runtime_app
from app.ids import new_id
from app.runs.enrolment import revoke_key, revoke_worker
from app.runs.models import Run
from app.runs.service import cancel_run
from app.vault import service as secrets
from app.vault.models import SpentToken
from tests.support.database import audit_refusing
from tests.support.installation import ORIGIN, canary
from tests.support.runs import HeldRun, RuntimeClient, SigningWorker, Workshop, fetching
from tests.support.signing import ABSENT, claims_of, sign

Events = Callable[[], list[AuditEvent]]


@pytest.fixture
def value() -> str:
    """A value that must never be seen but in the one answer."""
    return canary()


@pytest.fixture
def held(workshop: Workshop, value: str) -> HeldRun:
    """A claimed run with one granted secret."""
    return workshop.claimed(workshop.secret(value))


def refused(answer: Any, status: int, code: str, value: str = "CANARY") -> None:
    """Check a refusal: a problem that holds no value."""
    assert (answer.status_code, answer.json["code"]) == (status, code), answer.json
    assert answer.mimetype == "application/problem+json"
    assert value not in answer.get_data(as_text=True)
    assert "value" not in answer.json


def test_one_value_and_then_none(
    runtime: RuntimeClient, held: HeldRun, value: str, events: Events
) -> None:
    grant = held.plan["grants"][0]
    token = held.value_token()
    answer = runtime.value(held, token)
    assert answer.status_code == 200
    assert answer.json == {
        "value": value, "secret_id": grant["secret_id"], "version": 1, "name": grant["name"],
    }
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in answer.headers
    assert not any(name.startswith("Access-Control") for name, _ in answer.headers)

    (used,) = events()
    assert (used.action, used.outcome, used.secret_id, used.run_id, used.node) == (
        "secret.use", "ok", grant["secret_id"], held.id, "n0"
    )
    assert (used.actor_kind, used.actor_id, used.environment_id) == (
        "worker", held.worker.id, used.chain
    )
    assert used.data == {"version": 1, "attempt": 1, "purpose": "use"}

    refused(runtime.value(held, token), 409, "token_spent", value)
    # A fresh token is no second use of the same grant.
    refused(runtime.value(held), 409, "token_spent", value)
    assert [event.action for event in events()] == ["secret.use", "worker.deny", "worker.deny"]
    assert value not in repr([vars(event) for event in events()])


def test_another_attempt_or_purpose_is_another_use(
    runtime: RuntimeClient, held: HeldRun, value: str
) -> None:
    for change in (
        {"purpose": "check"}, {"purpose": "use"}, {"attempt": 2}, {"item": "0"}, {"item": "1"},
    ):
        token = held.value_token(**change)
        assert runtime.value(held, token).json["value"] == value
        refused(runtime.value(held, token), 409, "token_spent", value)


def test_a_jti_is_spent_once_whatever_it_is_for(
    workshop: Workshop, runtime: RuntimeClient, held: HeldRun
) -> None:
    other = workshop.claimed(workshop.secret())
    assert runtime.value(held, held.value_token(jti="the-same-jti-" + held.id)).status_code == 200
    again = runtime.value(other, other.value_token(jti="the-same-jti-" + held.id))
    refused(again, 409, "token_spent")


def test_fifty_uses_of_one_token_at_once(
    workshop: Workshop, held: HeldRun, value: str, events: Events
) -> None:
    """Over two runtime applications, as two processes would have them."""
    installation = workshop.installation
    apps = [create_runtime_app(installation.config, installation.services) for _ in range(2)]
    token = held.value_token()

    def use(number: int) -> tuple[int, str]:
        client = RuntimeClient(apps[number % 2].test_client())
        answer = client.value(held, token)
        return answer.status_code, answer.get_data(as_text=True)

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(use, range(50)))
    assert sorted(status for status, _ in answers) == [200] + [409] * 49
    assert sum(value in body for _, body in answers) == 1
    assert [event.action for event in events()].count("secret.use") == 1
    # Redis plays no part: there is none here, and the answer stays the same.
    assert use(0)[0] == 409


def test_a_purged_token_is_still_no_second_value(
    workshop: Workshop, runtime: RuntimeClient, held: HeldRun
) -> None:
    token = held.value_token()
    assert runtime.value(held, token).status_code == 200
    with workshop.installation.services.db.begin() as session:
        session.execute(delete(SpentToken))
    refused(runtime.value(held, token), 409, "token_spent")


@dataclass(frozen=True)
class FromNow:
    """A time that is reckoned when the test runs; it is collected long before, in a long run."""

    seconds: int


def _now(changes: dict[str, Any]) -> dict[str, Any]:
    return {
        name: int(time.time()) + value.seconds if isinstance(value, FromNow) else value
        for name, value in changes.items()
    }


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"iat": FromNow(-200), "nbf": FromNow(-200), "exp": FromNow(-150)},
            "expired",
        ),
        ({"nbf": FromNow(500)}, "not_yet_valid"),
        ({"exp": FromNow(3600)}, "too_long_lived"),
        ({"aud": "tacit:run"}, "audience"),
        ({"aud": ["tacit:secret-value"]}, "audience"),
        ({"sub": "somebody"}, "claims"),
        ({"iss": "somebody"}, "claims"),
        ({"run": "01a20a71-d37c-76f2-9c2e-19f0e2518d3b"}, "claims"),
        ({"claim": 2}, "claims"),
        ({"claim": 0}, "claims"),
        ({"claim": "1"}, "claims"),
        ({"secret": "01a20a71-d37c-76f2-9c2e-19f0e2518d3b"}, "secret"),
        ({"secret": 7}, "secret"),
        ({"version": 2}, "secret"),
        ({"version": "1"}, "secret"),
        ({"version": True}, "secret"),
        ({"purpose": "reveal"}, "claims"),
        ({"purpose": ["use"]}, "claims"),
        ({"attempt": 0}, "claims"),
        ({"attempt": True}, "claims"),
        ({"attempt": 1.0}, "claims"),
        ({"attempt": 10**30}, "claims"),
        ({"item": 7}, "claims"),
        ({"item": "x" * 65}, "claims"),
        ({"item": "\ud800"}, "claims"),
        ({"node": ["n0"]}, "claims"),
        ({"node": "\ud800"}, "claims"),
        ({"node": "n0\0"}, "claims"),
        ({"jti": "short"}, "jti"),
        *[({name: ABSENT}, "") for name in (
            "iss", "sub", "aud", "iat", "nbf", "exp", "jti", "run", "claim", "node", "attempt",
            "item", "purpose", "secret", "version",
        )],
    ],
    ids=lambda part: part if isinstance(part, str) else ",".join(part),
)
def test_a_claim_that_is_not_right(
    runtime: RuntimeClient, held: HeldRun, events: Events, changes: dict[str, Any], reason: str
) -> None:
    refused(runtime.value(held, held.value_token(**_now(changes))), 401, "token_invalid")
    (event,) = events()
    assert (event.action, event.outcome) == ("worker.deny", "denied")
    assert reason in event.data["reason"]
    # Nothing was spent.
    assert runtime.value(held).status_code == 200


def test_keys_that_are_not_the_claims(
    workshop: Workshop, runtime: RuntimeClient, held: HeldRun, events: Events
) -> None:
    grant = held.plan["grants"][0]
    claims = {
        "run": held.id, "claim": 1, "node": "n0", "attempt": 1, "item": None, "purpose": "use",
        "secret": grant["secret_id"], "version": 1,
    }

    def token(key: Ed25519PrivateKey, kid: str) -> str:
        return sign(key, kid, claims_of(kid, held.worker.id, "tacit:secret-value", **claims))

    stranger = Ed25519PrivateKey.generate()
    tokens = [
        token(stranger, held.plan["kid"]),  # another key under this name
        token(held.key, new_id()),  # a name that nobody has
        token(held.key, "../" + held.plan["kid"]),
        token(held.worker.key, held.worker.key_id),  # the parent's own key
        token(workshop.worker.key, held.plan["kid"]),
        held.token("tacit:run"),  # a token of the run for something else
    ]
    for wrong in tokens:
        refused(runtime.value(held, wrong), 401, "token_invalid")
    assert len(events()) == len(tokens)
    assert {event.action for event in events()} == {"worker.deny"}


def test_another_runs_key(workshop: Workshop, runtime: RuntimeClient, held: HeldRun) -> None:
    other = workshop.claimed(workshop.secret())
    refused(runtime.value(held, other.value_token(held.plan["grants"][0])), 403, "grant_missing")
    # The route's secret against the token's.
    refused(runtime.value(held, other.value_token()), 401, "token_invalid")


def test_another_node_of_the_same_run(workshop: Workshop, runtime: RuntimeClient) -> None:
    first, second = workshop.secret(), workshop.secret()
    held = workshop.claimed(first, second)
    grants = {grant["node"]: grant for grant in held.plan["grants"]}
    for changes in ({"node": "n1"}, {"node": "log"}, {"node": "never"}):
        token = held.value_token(grants["n0"], **changes)
        refused(runtime.value(held, token, grants["n0"]), 403, "grant_missing")


def test_another_version(workshop: Workshop, runtime: RuntimeClient) -> None:
    secret = workshop.secret()
    held = workshop.claimed(secret)
    workshop.rotate(secret.id)
    grant = {**held.plan["grants"][0], "version": 2}
    refused(runtime.value(held, held.value_token(grant), grant), 403, "grant_missing")
    # The version that the check resolved is the one that the run uses.
    assert runtime.value(held).status_code == 200


@pytest.mark.parametrize(
    "header",
    [{"Cookie": "a=b"}, {"Origin": "https://localhost:8443"}, {"Origin": "null"},
     {"Sec-Fetch-Mode": "cors"}, {"Sec-Fetch-Site": "none"}, {"sec-fetch-dest": "empty"},
     {"Access-Control-Request-Method": "GET"}, {"Access-Control-Request-Headers": "x"}],
    ids=lambda header: next(iter(header)),
)
def test_what_browsers_send(
    runtime: RuntimeClient, held: HeldRun, events: Events, header: dict[str, str]
) -> None:
    token = held.value_token()
    refused(runtime.value(held, token, headers=header), 403, "browser_refused")
    assert [event.action for event in events()] == ["worker.deny"]
    # A bad token is refused before that, whatever else is sent.
    refused(runtime.value(held, "nonsense", headers=header), 401, "token_invalid")
    assert runtime.value(held, token).status_code == 200


@pytest.mark.parametrize("name", ["token", "access_token", "jwt", "Authorization", "x"])
def test_a_token_in_the_address(
    runtime: RuntimeClient, held: HeldRun, events: Events, name: str
) -> None:
    grant = held.plan["grants"][0]
    token = held.value_token()
    path = f"/api/v1/secrets/{grant['secret_id']}/value?version=1&{name}={token}"
    refused(runtime.value(held, token, path=path), 403, "browser_refused")
    without = runtime.client.get(path, base_url="https://localhost:8444")
    refused(without, 401, "token_invalid")
    assert [event.action for event in events()] == ["worker.deny"] * 2
    assert token not in repr([vars(event) for event in events()])
    assert runtime.value(held, token).status_code == 200


@pytest.mark.parametrize(
    "query", ["", "?version=", "?version=01", "?version=2", "?version=1&version=2", "?version=+1"]
)
def test_the_address_names_the_version_too(
    runtime: RuntimeClient, held: HeldRun, query: str
) -> None:
    path = f"/api/v1/secrets/{held.plan['grants'][0]['secret_id']}/value{query}"
    refused(runtime.value(held, path=path), 401, "token_invalid")


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer a.b.c", "Bearer " + "x" * 5000,
     "Bearer tct_abcdef"],
)
def test_no_token(runtime: RuntimeClient, held: HeldRun, events: Events, header: str) -> None:
    path = f"/api/v1/secrets/{held.plan['grants'][0]['secret_id']}/value?version=1"
    headers = {"Authorization": header} if header else {}
    answer = runtime.client.get(path, base_url="https://localhost:8444", headers=headers)
    refused(answer, 401, "token_invalid")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert [event.action for event in events()] == ["worker.deny"]


@pytest.mark.parametrize("method", ["OPTIONS", "HEAD", "POST", "PUT", "DELETE", "PATCH", "TRACE"])
def test_other_methods(runtime: RuntimeClient, held: HeldRun, method: str) -> None:
    token = held.value_token()
    path = f"/api/v1/secrets/{held.plan['grants'][0]['secret_id']}/value?version=1"
    answer = runtime.client.open(
        path, method=method, base_url="https://localhost:8444",
        headers={"Authorization": f"Bearer {token}"},
    )
    assert answer.status_code == 405
    assert "CANARY" not in answer.get_data(as_text=True)
    assert runtime.value(held, token).status_code == 200


def test_an_api_token_and_a_session_open_nothing(
    workshop: Workshop, runtime: RuntimeClient, held: HeldRun
) -> None:
    installation = workshop.installation
    refused(
        runtime.value(held, installation.token(user_id=workshop.user_id)), 401, "token_invalid"
    )
    grant = held.plan["grants"][0]
    path = f"/api/v1/secrets/{grant['secret_id']}/value?version=1"
    # On the web listener the route doesn't exist, for anybody.
    api = installation.api(installation.token(user_id=workshop.user_id))
    assert api.get(path).status_code == 404
    browser = installation.browser()
    browser.sign_in(workshop.email)
    assert browser.send("GET", path).status_code == 404
    service = installation.app.test_client().get(
        path, base_url=ORIGIN, headers={"Authorization": f"Bearer {held.value_token()}"}
    )
    assert service.status_code in (401, 404)
    assert "CANARY" not in service.get_data(as_text=True)


def test_a_cancelled_run(workshop: Workshop, runtime: RuntimeClient, held: HeldRun) -> None:
    with workshop.installation.services.db.begin() as session:
        cancel_run(session, workshop.actor(), held.id)
    refused(runtime.value(held), 403, "run_cancelled")


def test_a_known_workers_refusal_stands_in_its_environment(
    workshop: Workshop, runtime: RuntimeClient, held: HeldRun, events: Events
) -> None:
    grant = held.plan["grants"][0]
    assert runtime.value(held).status_code == 200
    refused(runtime.value(held), 409, "token_spent")
    refused(runtime.value(held, "nonsense"), 401, "token_invalid")
    _, known, unknown = events()
    assert (known.chain, known.secret_id, known.run_id, known.node) == (
        workshop.installation.environment_id, grant["secret_id"], held.id, "n0"
    )
    assert (known.actor_name, known.data) == (workshop.worker.name, {"code": "token_spent"})
    # Who holds no key can't write into the history of a secret.
    assert (unknown.chain, unknown.secret_id) == ("installation", None)
    assert (unknown.actor_name, unknown.target) == ("unknown", grant["secret_id"])


def test_a_finished_run(runtime: RuntimeClient, held: HeldRun) -> None:
    body: dict[str, Any] = {"state": "succeeded", "problem": None, "events": []}
    assert runtime.post(f"/runs/{held.id}/finish", held.token(), body).status_code == 200
    refused(runtime.value(held), 409, "claim_lost")


def test_a_claim_that_another_took_over(
    workshop: Workshop, runtime: RuntimeClient, held: HeldRun
) -> None:
    with workshop.installation.services.db.begin() as session:
        session.get_one(Run, held.id).fence += 1
    refused(runtime.value(held), 409, "claim_lost")


def test_a_secret_that_was_deleted_in_between(
    workshop: Workshop, runtime: RuntimeClient, held: HeldRun
) -> None:
    grant = held.plan["grants"][0]
    workshop.delete(grant["secret_id"])
    answer = runtime.value(held)
    refused(answer, 403, "secret_missing")
    assert grant["name"] in answer.json["detail"]
    assert "re-map" in answer.json["detail"]


def test_a_version_that_was_disabled_or_destroyed_in_between(
    workshop: Workshop, runtime: RuntimeClient, held: HeldRun
) -> None:
    grant = held.plan["grants"][0]
    db, actor = workshop.installation.services.db, workshop.actor()
    with db.begin() as session:
        secrets.disable_version(session, actor, grant["secret_id"], 1)
    refused(runtime.value(held), 403, "secret_disabled")
    with db.begin() as session:
        secrets.enable_version(session, actor, grant["secret_id"], 1)
    assert runtime.value(held).status_code == 200
    workshop.rotate(grant["secret_id"])
    with db.begin() as session:
        secrets.destroy_version(session, actor, grant["secret_id"], 1)
    refused(runtime.value(held, held.value_token(attempt=2)), 403, "secret_disabled")


def test_a_flow_that_may_no_longer_use_it(
    workshop: Workshop, runtime: RuntimeClient, held: HeldRun
) -> None:
    grant = held.plan["grants"][0]
    with workshop.installation.services.db.begin() as session:
        change = secrets.SecretChange(allowed_flows=[new_id()])
        secrets.describe_secret(session, workshop.actor(), grant["secret_id"], change)
    refused(runtime.value(held), 403, "secret_denied")


@pytest.fixture(scope="module")
def operator_id(workshop: Workshop) -> str:
    """A person whom the tests shut out and let in again."""
    return workshop.installation.person(Role.OPERATOR)[0]


def test_a_person_who_was_disabled(
    workshop: Workshop, runtime: RuntimeClient, operator_id: str
) -> None:
    installation = workshop.installation
    held = workshop.claimed(workshop.secret(), actor=workshop.actor(user_id=operator_id))
    with installation.services.db.begin() as session:
        accounts.set_disabled(session, installation.operator(), operator_id, True)
    refused(runtime.value(held), 403, "person_may_not_use")
    with installation.services.db.begin() as session:
        accounts.set_disabled(session, installation.operator(), operator_id, False)
    assert runtime.value(held).status_code == 200


def test_a_person_without_the_permission(
    workshop: Workshop, runtime: RuntimeClient, operator_id: str
) -> None:
    from app.accounts.models import RoleGrant

    installation = workshop.installation
    held = workshop.claimed(workshop.secret(), actor=workshop.actor(user_id=operator_id))
    with installation.services.db.begin() as session:
        session.execute(delete(RoleGrant).where(RoleGrant.user_id == operator_id))
        accounts.grant_role(
            session, installation.operator(), user_id=operator_id, role=Role.AUTHOR,
            environment_id=None,
        )
    refused(runtime.value(held), 403, "person_may_not_use")
    with installation.services.db.begin() as session:
        accounts.grant_role(
            session, installation.operator(), user_id=operator_id, role=Role.OPERATOR,
            environment_id=None,
        )


def test_a_run_that_a_token_started_ends_with_it(
    workshop: Workshop, runtime: RuntimeClient
) -> None:
    installation = workshop.installation
    scopes = (Scope.SECRETS_USE, Scope.RUNS_MANAGE, Scope.FLOWS_READ)
    with installation.services.db.begin() as session:
        row, _ = accounts.create_token(
            session, installation.operator(), user=accounts.get_user(session, workshop.user_id),
            name="ci", scopes=scopes, environment_id=installation.environment_id,
        )
    actor = workshop.actor(scopes=frozenset(scopes), token_id=row.id)
    held = workshop.claimed(workshop.secret(), actor=actor)
    with installation.services.db.begin() as session:
        accounts.revoke_token(session, installation.operator(), row.id)
    refused(runtime.value(held), 403, "person_may_not_use")


def test_a_revoked_worker(workshop: Workshop, runtime: RuntimeClient) -> None:
    worker = SigningWorker.enrol(workshop.installation, f"w-{new_id()}")
    flow = workshop.claimed(workshop.secret())
    run = workshop.run(workshop.show(flow.id).flow_id)
    held = runtime.claim(worker, run.id)
    with workshop.installation.services.db.begin() as session:
        revoke_worker(session, workshop.actor(), worker.id)
    refused(runtime.value(held), 401, "token_invalid")
    # The other worker's run goes on.
    assert runtime.value(flow).status_code == 200


def test_a_revoked_key_takes_its_claims_along(
    workshop: Workshop, runtime: RuntimeClient
) -> None:
    """A worker may have two keys; who stole one must not go on with what was claimed with it."""
    installation = workshop.installation
    name = f"w-{new_id()}"
    old, new = SigningWorker.enrol(installation, name), SigningWorker.enrol(installation, name)
    assert old.id == new.id
    secret = workshop.secret()
    flow = workshop.flow(fetching(secret.name))
    first, second = (runtime.claim(worker, workshop.run(flow).id) for worker in (old, new))
    with installation.services.db.begin() as session:
        revoke_key(session, workshop.actor(), old.key_id)
    refused(runtime.value(first), 401, "token_invalid")
    heartbeat = runtime.post(f"/runs/{first.id}/heartbeat", first.token())
    refused(heartbeat, 401, "token_invalid")
    assert runtime.value(second).status_code == 200


def test_a_frozen_environment(workshop: Workshop, runtime: RuntimeClient, held: HeldRun) -> None:
    from app.accounts.freeze import freeze, unfreeze

    db, actor = workshop.installation.services.db, workshop.installation.operator()
    with db.begin() as session:
        freeze(session, actor, everywhere=True, reason="leak")
    try:
        refused(runtime.value(held), 423, "frozen")
    finally:
        with db.begin() as session:
            unfreeze(session, actor, everywhere=True)
    assert runtime.value(held).status_code == 200


def test_no_audit_no_value(workshop: Workshop, runtime: RuntimeClient, held: HeldRun) -> None:
    with audit_refusing(workshop.installation.config):
        refused(runtime.value(held), 503, "audit_unavailable")
        # A refusal that can't be written stays one.
        refused(runtime.value(held, "nonsense"), 503, "audit_unavailable")
    # The token's grant was not spent with it.
    assert runtime.value(held).status_code == 200


def test_a_process_without_the_master_key_has_no_values(
    workshop: Workshop, held: HeldRun
) -> None:
    from dataclasses import replace

    installation = workshop.installation
    app = create_runtime_app(
        installation.config, replace(installation.services, vault=None)
    )
    answer = RuntimeClient(app.test_client()).value(held)
    refused(answer, 503, "vault_closed")
