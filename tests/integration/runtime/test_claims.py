"""Heartbeats of workers, and claims with their pre-run check, through the runtime listener."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.audit.models import AuditEvent
from app.factory import create_runtime_app
from app.ids import new_id
from app.runs.enrolment import make_code, revoke_worker
from app.runs.models import Worker
from app.runs.service import cancel_run
from tests.support.runs import RUNTIME, RuntimeClient, SigningWorker, Workshop, fetching
from tests.support.signing import ABSENT, public_text

Events = Callable[[], list[AuditEvent]]
REPORT = {"version": "0.1.0", "confinement": {"uid": 65534, "landlock": True}, "capacity": 4}


def refused(answer: Any, status: int, code: str) -> None:
    """Check a refusal."""
    assert (answer.status_code, answer.json["code"]) == (status, code), answer.json


@pytest.fixture
def run_id(workshop: Workshop) -> str:
    """A run that waits."""
    return workshop.run(workshop.flow()).id


def test_ping_needs_nothing(runtime: RuntimeClient, events: Events) -> None:
    answer = runtime.client.get("/ping", base_url=RUNTIME)
    assert answer.status_code == 200
    assert answer.json["ok"] is True
    assert abs(answer.json["unix"] - time.time()) < 5
    assert answer.json["time"].endswith("Z")
    assert runtime.client.get("/readyz", base_url=RUNTIME).status_code == 200
    assert events() == []


def test_a_heartbeat_notes_the_worker(
    workshop: Workshop, runtime: RuntimeClient, events: Events
) -> None:
    answer = runtime.post("/workers/heartbeat", workshop.worker.token(), REPORT)
    assert answer.status_code == 200, answer.json
    assert (answer.json["ok"], answer.json["name"]) == (True, "bench")
    with workshop.installation.services.db.read() as session:
        row = session.get_one(Worker, workshop.worker.id)
        assert row.last_seen_at is not None
        assert time.time() - row.last_seen_at.timestamp() < 5
        assert row.reported == REPORT
    assert events() == []


def test_a_report_has_its_limit(workshop: Workshop, runtime: RuntimeClient) -> None:
    answer = runtime.post("/workers/heartbeat", workshop.worker.token(), {"x": "y" * 20_000})
    refused(answer, 422, "report_too_large")


def test_a_heartbeats_token(workshop: Workshop, runtime: RuntimeClient, events: Events) -> None:
    worker = workshop.worker
    tokens = [
        None, "", "x", worker.token("tacit:claim"), worker.token(sub=new_id()),
        worker.token(iss=new_id()), worker.token(exp=int(time.time()) + 500),
        worker.token(jti=ABSENT),
        SigningWorker(worker.id, new_id(), "x", worker.key).token(),
        SigningWorker(worker.id, worker.key_id, "x", Ed25519PrivateKey.generate()).token(),
    ]
    for token in tokens:
        refused(runtime.post("/workers/heartbeat", token, REPORT), 401, "token_invalid")
    written = events()
    assert [event.action for event in written] == ["worker.deny"] * len(tokens)
    assert {event.chain for event in written} == {"installation"}
    assert {event.outcome for event in written} == {"denied"}


@pytest.mark.parametrize(
    ("path", "body"),
    [("/workers/heartbeat", REPORT), ("/claims", {}), ("/runs/x/lost", {}), ("/runs/x/events", {}),
     ("/runs/x/heartbeat", {}), ("/runs/x/finish", {}), ("/enroll", {})],
)
def test_browsers_are_refused_everywhere(
    workshop: Workshop, runtime: RuntimeClient, events: Events, path: str, body: Any
) -> None:
    token = workshop.worker.token()
    for header in ({"Cookie": "a=b"}, {"Origin": "https://x"}, {"Sec-Fetch-Site": "none"}):
        refused(runtime.post(path, token, body, headers=header), 403, "browser_refused")
    refused(runtime.post(f"{path}?token={token}", token, body), 403, "browser_refused")
    assert [event.action for event in events()] == ["worker.deny"] * 4


@pytest.mark.parametrize(
    "path",
    ["/workers/heartbeat", "/claims", "/runs/x/lost", "/runs/x/events", "/runs/x/heartbeat",
     "/runs/x/finish"],
)
def test_a_bad_token_is_refused_before_a_bad_body(
    workshop: Workshop, runtime: RuntimeClient, path: str
) -> None:
    stranger = SigningWorker(new_id(), new_id(), "x", Ed25519PrivateKey.generate())
    for token in (None, "nonsense", stranger.token()):
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        for body in (b"{", b"[]", b"\xff"):
            answer = runtime.client.post(
                f"/runtime/v1{path}", base_url=RUNTIME, data=body, headers=headers,
                content_type="application/json",
            )
            refused(answer, 401, "token_invalid")


def test_bodies_are_read_strictly(workshop: Workshop, runtime: RuntimeClient) -> None:
    def send(body: bytes, kind: str = "application/json") -> Any:
        return runtime.client.post(
            "/runtime/v1/workers/heartbeat", base_url=RUNTIME, data=body, content_type=kind,
            headers={"Authorization": f"Bearer {workshop.worker.token()}"},
        )

    refused(send(b"{"), 400, "malformed_json")
    refused(send(b'{"a": 1, "a": 2}'), 400, "malformed_json")
    refused(send(b"[]"), 422, "body_not_object")
    refused(send(b"a=b", "application/x-www-form-urlencoded"), 415, "content_type_unsupported")


def test_a_claim_brings_the_plan(
    workshop: Workshop, runtime: RuntimeClient, events: Events
) -> None:
    secret = workshop.secret(allowed_hosts=["api.example.com"])
    graph = fetching(secret.name, outputFormat="json")
    flow = workshop.flow(graph, name="Daily")
    run = workshop.run(flow, inputs={"day": 3})
    held = runtime.claim(workshop.worker, run.id)
    plan = held.plan
    assert (plan["state"], plan["run"], plan["claim"]) == ("running", run.id, 1)
    assert plan["kid"]
    assert abs(plan["unix"] - time.time()) < 5
    assert plan["deadline_unix"] > time.time()
    assert plan["lease_seconds"] >= 8
    assert plan["environment"] == {
        "id": workshop.installation.environment_id, "name": "default",
        "reach": {"allow_private": True, "worker_secrets": []},
    }
    assert plan["flow"] == {"id": flow.id, "name": "Daily", "version": None}
    assert plan["inputs"] == {"day": 3}
    assert {node["id"] for node in plan["graph"]["nodes"]} == {"n0", "log"}
    assert plan["grants"] == [
        {"node": "n0", "secret_id": secret.id, "name": secret.name, "version": 1,
         "output_format": "json", "allowed_hosts": ["api.example.com"], "weak": False}
    ]
    assert plan["limits"] == {"events": 100_000, "log_bytes": 16777216, "output_bytes": 1048576}
    shown = workshop.show(run.id)
    assert shown.state == "running"
    assert plan["next_seq"] == shown.last_seq + 1
    assert "CANARY" not in repr(plan)
    assert [event.action for event in events()] == [
        "secret.create", "flow.create", "run.start", "run.claim", "secret.grant"
    ]


def test_only_one_claim_gets_the_run(
    workshop: Workshop, runtime: RuntimeClient, run_id: str
) -> None:
    assert runtime.claim(workshop.worker, run_id).plan["state"] == "running"
    again = runtime.claim(workshop.worker, run_id).plan
    assert again["state"] == "gone"
    assert not {"kid", "graph", "grants", "inputs"} & again.keys()


def test_a_ticket_used_twice_changes_nothing(
    workshop: Workshop, runtime: RuntimeClient, run_id: str
) -> None:
    ticket = workshop.worker.ticket(run_id, Ed25519PrivateKey.generate())
    assert runtime.post("/claims", ticket).json["state"] == "running"
    assert runtime.post("/claims", ticket).json["state"] == "gone"


def test_a_cancelled_run_is_gone(workshop: Workshop, runtime: RuntimeClient, run_id: str) -> None:
    with workshop.installation.services.db.begin() as session:
        cancel_run(session, workshop.actor(), run_id)
    assert runtime.claim(workshop.worker, run_id).plan["state"] == "gone"
    assert workshop.show(run_id).state == "cancelled"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"run": "x"}, "token_invalid"), ({"run": 7}, "token_invalid"),
        ({"run": ABSENT}, "token_invalid"), ({"pub": ABSENT}, "token_invalid"),
        ({"pub": "AAAA"}, "token_invalid"), ({"pub": 7}, "token_invalid"),
        ({"aud": "tacit:worker"}, "token_invalid"), ({"sub": "x"}, "token_invalid"),
        ({"run": "01a20a71-d37c-76f2-9c2e-19f0e2518d3b"}, "run_not_found"),
    ],
    ids=str,
)
def test_a_ticket_that_is_not_right(
    workshop: Workshop, runtime: RuntimeClient, run_id: str, events: Events,
    changes: dict[str, Any], code: str,
) -> None:
    events()
    key = Ed25519PrivateKey.generate()
    claims = {"run": run_id, "pub": public_text(key), **changes}
    audience = claims.pop("aud", "tacit:claim")
    answer = runtime.post("/claims", workshop.worker.token(audience, **claims))
    refused(answer, 401 if code == "token_invalid" else 404, code)
    assert [event.action for event in events()][-1] == "worker.deny"
    assert workshop.show(run_id).state == "queued"


def test_a_run_of_another_environment_is_as_one_that_never_was(
    workshop: Workshop, runtime: RuntimeClient
) -> None:
    from app.flows.service import create_flow
    from app.runs.service import start_run

    installation = workshop.installation
    actor = workshop.actor(environment_id=installation.environment(f"e{new_id()}"))
    with installation.services.db.begin() as session:
        flow = create_flow(session, actor, name="f", graph=fetching())
        run = start_run(session, actor, flow.id)
    answers = [
        runtime.post("/claims", workshop.worker.ticket(run_id, Ed25519PrivateKey.generate()))
        for run_id in (run.id, new_id())
    ]
    for answer in answers:
        refused(answer, 404, "run_not_found")
    assert answers[0].json["detail"] == answers[1].json["detail"]


def test_a_revoked_worker_claims_nothing(
    workshop: Workshop, runtime: RuntimeClient, run_id: str
) -> None:
    worker = SigningWorker.enrol(workshop.installation, f"w-{new_id()}")
    with workshop.installation.services.db.begin() as session:
        revoke_worker(session, workshop.actor(), worker.id)
    refused(
        runtime.post("/claims", worker.ticket(run_id, Ed25519PrivateKey.generate())), 401,
        "token_invalid",
    )
    refused(runtime.post("/workers/heartbeat", worker.token(), REPORT), 401, "token_invalid")


def test_a_frozen_environments_runs_wait(
    workshop: Workshop, runtime: RuntimeClient, run_id: str
) -> None:
    from app.accounts.freeze import freeze, unfreeze

    db, actor = workshop.installation.services.db, workshop.installation.operator()
    ticket = workshop.worker.ticket(run_id, Ed25519PrivateKey.generate())
    with db.begin() as session:
        freeze(session, actor, everywhere=False, reason="leak")
    try:
        refused(runtime.post("/claims", ticket), 423, "frozen")
    finally:
        with db.begin() as session:
            unfreeze(session, actor, everywhere=False)
    assert runtime.post("/claims", ticket).json["state"] == "running"


def test_enrolment_codes_are_good_once(
    workshop: Workshop, runtime: RuntimeClient, run_id: str, events: Events
) -> None:
    with workshop.installation.services.db.begin() as session:
        code = make_code(session, workshop.installation.operator(), f"w-{new_id()}")
    key = Ed25519PrivateKey.generate()
    body = {"code": code, "public_key": public_text(key)}
    answer = runtime.post("/enroll", None, body)
    assert answer.status_code == 200, answer.json
    worker = SigningWorker(answer.json["worker_id"], answer.json["key_id"], "w", key)
    assert runtime.claim(worker, run_id).plan["state"] == "running"
    refused(runtime.post("/enroll", None, body), 404, "enrolment_code_invalid")
    for wrong in ("", None, 7, "tcw_wrong", code.upper(), ["x"]):
        assert runtime.post("/enroll", None, {**body, "code": wrong}).status_code == 404
    refused(runtime.post("/enroll", None, {"code": code}), 401, "token_invalid")
    assert code not in repr([vars(event) for event in events()])


@pytest.mark.parametrize(
    "path", ["/", "/login", "/api/v1/secrets", "/api/v1/me", "/runtime/v1", "/runtime/v1/claims/x"]
)
def test_there_is_nothing_else(runtime: RuntimeClient, workshop: Workshop, path: str) -> None:
    headers = {"Authorization": f"Bearer {workshop.worker.token()}"}
    answer = runtime.client.get(path, base_url=RUNTIME, headers=headers)
    assert answer.status_code == 404
    assert "Set-Cookie" not in answer.headers


def test_no_method_but_the_routes_own(workshop: Workshop) -> None:
    app = create_runtime_app(workshop.installation.config, workshop.installation.services)
    methods = {
        (rule.rule, method) for rule in app.url_map.iter_rules() for method in rule.methods or ()
    }
    assert not any(method == "OPTIONS" for _, method in methods)
    assert {rule for rule, method in methods if method not in ("GET", "HEAD", "POST")} == set()
