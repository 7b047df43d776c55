"""Webhooks: signed deliveries start the active version; all else is nothing at that address."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text, update

from app.accounts.freeze import freeze, unfreeze
from app.accounts.service import set_disabled
from app.audit.models import AuditEvent
from app.db import Database
from app.errors import Denied, Invalid
from app.flows.activation import activate_flow, deactivate_flow
from app.flows.models import Trigger
from app.flows.service import FlowView, delete_flow, get_flow
from app.runs import hooks
from app.runs.checks import check_flow
from app.runs.models import Run
from app.vault.service import SecretView
from tests.support.database import dump_rows
from tests.support.installation import ORIGIN, Installation, canary
from tests.support.runs import Workshop, fetching


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    """An installation of the test's own: attempts are counted by address."""
    made = Installation.make(tmp_path / "home")
    yield Workshop.open(made)
    made.services.close()


@pytest.fixture
def db(workshop: Workshop) -> Database:
    """The database."""
    return workshop.installation.services.db


@dataclass
class Hook:
    """A webhook of an active flow, and a sender who knows its secret."""

    workshop: Workshop
    flow: FlowView
    secret: SecretView
    key: str

    @property
    def path(self) -> str:
        api = self.workshop.installation.api(self.workshop.installation.token())
        (found,) = api.get(f"/flows/{self.flow.id}/triggers").json["items"]
        assert found["url"].startswith(f"{ORIGIN}/hooks/")
        return str(found["url"].removeprefix(ORIGIN))

    def send(self, body: Any = None, path: str = "", **changes: Any) -> Any:
        """Send a delivery; what is given replaces a part of it."""
        raw = body if isinstance(body, bytes) else json.dumps(body or {"a": 1}).encode()
        at = changes.pop("at", str(int(time.time())))
        key = changes.pop("key", self.key)
        tag = hmac.new(key.encode(), at.encode() + b"." + raw, hashlib.sha256).hexdigest()
        headers = {
            "X-Tacit-Timestamp": at, "X-Tacit-Signature": f"sha256={tag}", **changes,
        }
        client = self.workshop.installation.app.test_client()
        return client.post(
            path or self.path, data=raw, headers=headers, base_url=ORIGIN,
            content_type="application/json",
        )

    def runs(self) -> list[Run]:
        """Return the flow's runs."""
        with self.workshop.installation.services.db.read() as session:
            query = select(Run).where(Run.flow_id == self.flow.id).order_by(Run.id)
            return list(session.scalars(query))


def hooked(secret: str, **config: Any) -> dict[str, Any]:
    """Return the graph of a flow with a webhook."""
    return {"schema": 1, "edges": [], "nodes": [
        {"id": "hook", "component": "trigger.webhook", "label": "Hook", "position": [0, 0],
         "config": {"secretName": secret, **config}},
        {"id": "log", "component": "output.log", "position": [0, 0], "config": {"message": "x"}},
    ]}


@pytest.fixture
def hook(workshop: Workshop, db: Database) -> Hook:
    """An active webhook."""
    key = canary()
    secret = workshop.secret(key)
    flow = workshop.flow(hooked(secret.name))
    with db.begin() as session:
        activate_flow(session, workshop.actor(), flow.id)
    return Hook(workshop, flow, secret, key)


def test_a_signed_delivery_starts_the_active_version(hook: Hook, db: Database) -> None:
    answer = hook.send({"order": 7})
    assert answer.status_code == 202, answer.json
    (run,) = hook.runs()
    assert answer.json == {"run_id": run.id, "state": "queued"}
    assert (run.inputs, run.user_id) == ({"order": 7}, hook.workshop.user_id)
    assert run.trigger == {
        "kind": "webhook", "by": f"webhook for {hook.workshop.email}", "node": "hook"
    }
    with db.read() as session:
        checked = session.scalars(
            select(AuditEvent).where(AuditEvent.action == "secret.verify")
        ).one()
        assert (checked.outcome, checked.secret_id, checked.flow_id) == (
            "ok", hook.secret.id, hook.flow.id
        )
        assert session.scalar(text("select count(*) from hook_attempts")) == 0
    assert hook.key not in answer.text


def test_each_delivery_is_taken_once(hook: Hook) -> None:
    at = str(int(time.time()))
    first = hook.send({"n": 1}, at=at)
    again = hook.send({"n": 1}, at=at)
    assert (again.status_code, again.json["code"]) == (409, "delivery_repeated")
    assert first.json["run_id"] in again.json["detail"]
    assert hook.send({"n": 2}, at=at).status_code == 202
    assert len(hook.runs()) == 2


def _nothing(answer: Any) -> dict[str, Any]:
    assert answer.status_code == 404, answer.json
    assert answer.mimetype == "application/problem+json"
    return {**answer.json, "request_id": ""}


def test_what_isnt_signed_and_what_is_no_hook_answer_alike(hook: Hook, db: Database) -> None:
    now = int(time.time())
    path = hook.path
    answers = [
        hook.send(key="CANARY-wrong-key"),
        hook.send(**{"X-Tacit-Signature": ""}),
        hook.send(**{"X-Tacit-Signature": "sha256=" + "0" * 64}),
        hook.send(**{"X-Tacit-Signature": "sha1=" + "0" * 40}),
        hook.send(**{"X-Tacit-Timestamp": str(now + 100)}),
        hook.send(at=str(now - 301)),
        hook.send(at=str(int(time.time()) + 330)),
        hook.send(at="soon"),
        hook.send(at="9" * 13),
        hook.send(path="/hooks/" + "x" * 32),
        hook.send(path="/hooks/x"),
        hook.send(path="/hooks/" + "x" * 500),
        hook.send(path="/hooks/" + path.removeprefix("/hooks/").swapcase()),
    ]
    with db.begin() as session:
        deactivate_flow(session, hook.workshop.actor(), hook.flow.id)
    answers.append(hook.send(path=path))
    shown = [_nothing(answer) for answer in answers]
    assert all(one == shown[0] for one in shown)
    assert hook.runs() == []
    headers = [sorted(set(answer.headers.keys())) for answer in answers]
    assert all(one == headers[0] for one in headers)


def test_a_webhook_keeps_its_address(hook: Hook, db: Database) -> None:
    path = hook.path
    with db.begin() as session:
        deactivate_flow(session, hook.workshop.actor(), hook.flow.id)
    assert hook.path == path
    with db.begin() as session:
        activate_flow(session, hook.workshop.actor(), hook.flow.id)
        activate_flow(session, hook.workshop.actor(), hook.flow.id)
    assert hook.path == path
    assert hook.send().status_code == 202
    with db.begin() as session:
        delete_flow(session, hook.workshop.actor(), hook.flow.id)
    _nothing(hook.send(path=path))


def test_guesses_are_counted_before_anything_is_decrypted(hook: Hook, db: Database) -> None:
    path = hook.path
    with db.begin() as session:
        for _ in range(hooks.TRIES_PER_ADDRESS - 1):
            hooks.open_attempt(
                session, hooks.Delivery("x" * 32, b"", "", "", "127.0.0.1", None)
            )
    _nothing(hook.send(path=path, key="CANARY-wrong-key"))
    for where in (path, "/hooks/" + "y" * 32):
        refused = hook.send(path=where)
        assert (refused.status_code, refused.json["code"]) == (429, "hook_paused")
        assert refused.headers["Retry-After"] == "60"
    with db.read() as session:
        found = session.scalars(select(AuditEvent).where(AuditEvent.action == "secret.verify"))
        assert [event.outcome for event in found] == ["denied"]
    with db.begin() as session:
        session.execute(text("delete from hook_attempts"))
    assert hook.send(path=path).status_code == 202


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [(b"[1]", 422, "body_not_object"), (b"{", 400, "malformed_json"),
     (b'{"a": 1, "a": 2}', 400, "malformed_json"),
     (b'{"a": ' + b"[" * 300 + b"]" * 300 + b"}", 422, "inputs_too_deep"),
     (json.dumps({"a": "x" * 70_000}).encode(), 413, "delivery_too_large")],
)
def test_a_signed_body_that_cant_be_taken(
    hook: Hook, db: Database, body: bytes, status: int, code: str
) -> None:
    answer = hook.send(body)
    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert hook.runs() == []
    api = hook.workshop.installation.api(hook.workshop.installation.token())
    (shown,) = api.get(f"/flows/{hook.flow.id}/triggers").json["items"]
    assert shown["problem"] == answer.json["detail"]
    assert hook.send().status_code == 202


def test_no_body_is_read_past_the_limit(hook: Hook) -> None:
    for path in (hook.path, "/hooks/" + "x" * 32):
        answer = hook.send(b"x" * (hooks.MAX_BODY + 1), path=path)
        assert (answer.status_code, answer.json["code"]) == (413, "body_too_large")


def test_frozen_and_disabled(hook: Hook, db: Database) -> None:
    workshop = hook.workshop
    with db.begin() as session:
        freeze(session, workshop.actor(), everywhere=False, reason="test")
    assert (hook.send().status_code, len(hook.runs())) == (423, 0)
    with db.begin() as session:
        unfreeze(session, workshop.actor(), everywhere=False)
    user_id, _ = workshop.installation.person("operator")
    with db.begin() as session:
        activate_flow(session, workshop.actor(user_id=user_id), hook.flow.id)
    assert hook.send().status_code == 202
    with db.begin() as session:
        set_disabled(session, workshop.actor(), user_id, disabled=True)
    refused = hook.send({"n": 2})
    assert (refused.status_code, refused.json["code"]) == (403, "scope_missing")
    assert len(hook.runs()) == 1


# -- the secret stays in the vault --------------------------------------------------------------


def test_no_node_can_fetch_what_a_webhook_checks_with(hook: Hook, db: Database) -> None:
    workshop, name = hook.workshop, hook.secret.name
    fetcher = workshop.flow(fetching(name))
    assert [problem.code for problem in fetcher.problems] == ["secret_verify_only"]
    with db.read() as session:
        shown = get_flow(session, workshop.actor(), fetcher.id)
        assert [problem.code for problem in shown.problems] == ["secret_verify_only"]
        (problem,) = check_flow(session, workshop.actor(), fetcher.id)
        assert "never leaves the vault" in problem.message
    claim = workshop.runtime.try_claim(workshop.worker, workshop.run(fetcher).id)
    assert claim.json["state"] == "rejected"
    with db.begin() as session, pytest.raises(Invalid) as caught:
        activate_flow(session, workshop.actor(), fetcher.id)
    assert caught.value.problems[0]["code"] == "secret_verify_only"
    with db.begin() as session:
        deactivate_flow(session, workshop.actor(), hook.flow.id)
        assert check_flow(session, workshop.actor(), fetcher.id) == []


def test_a_grant_from_before_the_activation_opens_nothing(
    workshop: Workshop, db: Database
) -> None:
    secret = workshop.secret()
    held = workshop.claimed(secret)
    flow = workshop.flow(hooked(secret.name))
    with db.begin() as session:
        activate_flow(session, workshop.actor(), flow.id)
    answer = workshop.runtime.value(held)
    assert (answer.status_code, answer.json["code"]) == (403, "secret_verify_only")


def test_a_secret_that_active_flows_fetch_becomes_no_signing_secret(
    workshop: Workshop, db: Database
) -> None:
    secret = workshop.secret()
    user = workshop.flow(fetching(secret.name), name="Uses it")
    flow = workshop.flow(hooked(secret.name))
    with db.begin() as session:
        activate_flow(session, workshop.actor(), user.id)
    with db.begin() as session, pytest.raises(Invalid) as caught:
        activate_flow(session, workshop.actor(), flow.id)
    assert caught.value.problems[0]["code"] == "secret_fetched"
    assert "Uses it" in caught.value.problems[0]["message"]


def test_the_same_flow_cant_do_both(workshop: Workshop) -> None:
    secret = workshop.secret()
    graph = hooked(secret.name)
    graph["nodes"] += fetching(secret.name)["nodes"][:1]
    assert [problem.code for problem in workshop.flow(graph).problems] == ["secret_verify_only"]


def test_an_activation_without_the_right_to_use_the_secret(
    workshop: Workshop, db: Database
) -> None:
    flow = workshop.flow(hooked(workshop.secret().name))
    user_id, _ = workshop.installation.person("author")
    with db.begin() as session, pytest.raises((Invalid, Denied)) as caught:
        activate_flow(session, workshop.actor(user_id=user_id), flow.id)
    assert "secret_denied" in str(caught.value.problems)


def test_a_run_needs_no_grant_of_the_signing_secret(hook: Hook, db: Database) -> None:
    run_id = hook.send().json["run_id"]
    held = hook.workshop.runtime.claim(hook.workshop.worker, run_id)
    assert (held.plan["state"], held.plan["grants"]) == ("running", [])
    assert hook.key not in json.dumps(held.plan)


def test_another_secret_under_the_name_checks_nothing(hook: Hook, db: Database) -> None:
    """Bound by id: what is renamed over or swapped in SQL is refused."""
    other = hook.workshop.secret()
    with db.begin() as session:
        session.execute(
            update(Trigger).values(secret_id=other.id),
            execution_options={"synchronize_session": False},
        )
    path = "/hooks/" + str(_hook_of(db))
    answer = hook.send(path=path)
    assert (answer.status_code, answer.json["code"]) == (503, "row_tampered")


def _hook_of(db: Database) -> str:
    with db.read() as session:
        return str(session.scalar(text("select hook from triggers")))


def test_rotation_changes_what_is_good_at_once(hook: Hook) -> None:
    key = canary()
    hook.workshop.rotate(hook.secret.id, key)
    assert hook.send({"n": 1}).status_code == 404
    assert hook.send({"n": 2}, key=key).status_code == 202


def test_the_value_shows_nowhere(hook: Hook, db: Database) -> None:
    hook.send({"n": 1})
    hook.send(key="CANARY-wrong-key")
    assert hook.key.encode() not in dump_rows(hook.workshop.installation.config)
