"""Telling of failed runs: over real HTTP and SMTP, a few times, with nothing secret in it."""

from __future__ import annotations

import dataclasses
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from sqlalchemy import func, select, text

from app.audit.models import AuditEvent
from app.config import Hidden
from app.db import Database
from app.flows.settings import read_settings
from app.ids import new_id
from app.runs.models import Notice
from app.runs.notices import BACKOFF, MAX_PER_FLOW, send_due
from app.runs.sending import Post
from tests.support.installation import canary
from tests.support.runs import Workshop, fetching

URL = "https://tacit.example:8443"


@pytest.fixture
def db(workshop: Workshop) -> Database:
    """The database, without notices of other tests."""
    found = workshop.installation.services.db
    with found.begin() as session:
        session.execute(text("delete from notices"))
    return found


@contextmanager
def receiver(*statuses: int) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Serve a webhook that answers with the statuses in turn; gives its address and what came."""
    got: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append(json.loads(body))
            self.send_response(statuses[min(len(got), len(statuses)) - 1])
            self.send_header("Location", "http://127.0.0.1:1/")
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/told?token=x", got
    finally:
        server.shutdown()
        server.server_close()


class Mailbox:
    """An SMTP server's handler that keeps the letters."""

    def __init__(self) -> None:
        self.letters: list[Any] = []

    async def handle_RCPT(
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        if address.startswith("nobody"):
            return "550 no such person"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.letters.append(envelope)
        return "250 OK"


@contextmanager
def mail_server() -> Iterator[tuple[str, Mailbox]]:
    """Run a real SMTP server; gives the setting that names it."""
    box = Mailbox()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield f"smtp://127.0.0.1:{port}?from=tacit@example.com", box
    finally:
        controller.stop()


def post(workshop: Workshop, smtp: str = "") -> Post:
    """Return what carries notices out."""
    return Post(dataclasses.replace(workshop.installation.config, smtp=Hidden(smtp)))


def failing(workshop: Workshop, **notify: str) -> str:
    """Let a run of a flow be rejected, for a secret that isn't there; returns its id."""
    settings = read_settings({"notify_on_failure": notify})
    flow = workshop.flow(fetching("never-was"), name="Night", settings=settings)
    run = workshop.run(flow, inputs={"note": "CANARY-input"})
    workshop.runtime.claim(workshop.worker, run.id)
    assert workshop.show(run.id).state == "rejected"
    return run.id


def due_again(db: Database) -> None:
    """Let time pass."""
    with db.begin() as session:
        session.execute(
            text("update notices set next_at = '2026-01-01 00:00:00' where next_at is not null")
        )


def outcomes(db: Database, run_id: str) -> list[tuple[str, Any]]:
    """Return what the audit says of a run's notices."""
    with db.read() as session:
        found = session.scalars(
            select(AuditEvent)
            .where(AuditEvent.action == "notice.send", AuditEvent.run_id == run_id)
            .order_by(AuditEvent.seq)
        )
        return [(event.outcome, event.data) for event in found]


def test_a_webhook_is_told_once_and_of_nothing_secret(workshop: Workshop, db: Database) -> None:
    with receiver(204) as (url, got):
        run_id = failing(workshop, webhook_url=url)
        assert send_due(db, post(workshop), URL) == 1
        assert send_due(db, post(workshop), URL) == 0
    (body,) = got
    assert body.pop("finished_at").endswith("Z")
    shown = workshop.show(run_id)
    assert body == {
        "event": "run.failed", "run_id": run_id, "flow_id": shown.flow_id, "flow": "Night",
        "environment": "default", "state": "rejected", "code": "secret_missing",
        "link": f"{URL}/runs/{run_id}",
    }
    assert outcomes(db, run_id) == [("ok", {"kind": "webhook", "attempts": 1})]


def test_a_run_that_was_changed_in_sql_keeps_no_other_notice_waiting(
    workshop: Workshop, db: Database
) -> None:
    with receiver(204) as (url, got):
        changed, other = failing(workshop, webhook_url=url), failing(workshop, webhook_url=url)
        with db.begin() as session:
            session.execute(text("update runs set user_id = :id where id = :run"),
                            {"id": new_id(), "run": changed})
        due_again(db)
        assert send_due(db, post(workshop), URL) == 1
    assert [body["run_id"] for body in got] == [other]


def test_a_failed_run_that_names_no_code_of_ours(workshop: Workshop, db: Database) -> None:
    value = canary()
    with receiver(200) as (url, got):
        settings = read_settings({"notify_on_failure": {"webhook_url": url}})
        held = workshop.runtime.claim(
            workshop.worker, workshop.run(workshop.flow(settings=settings)).id
        )
        problem = {"code": value, "severity": "error", "message": value}
        answer = workshop.runtime.post(
            f"/runs/{held.id}/finish", held.token(),
            {"state": "failed", "problem": problem, "events": []},
        )
        assert answer.status_code == 200
        send_due(db, post(workshop), URL)
    assert (got[0]["state"], got[0]["code"]) == ("failed", None)
    assert value not in json.dumps(got)


def test_it_is_tried_a_few_times_and_given_up(workshop: Workshop, db: Database) -> None:
    with receiver(503) as (url, got):
        run_id = failing(workshop, webhook_url=url)
        for _ in range(len(BACKOFF) + 3):
            send_due(db, post(workshop), URL)
            due_again(db)
    assert len(got) == len(BACKOFF) + 1
    assert outcomes(db, run_id) == [
        ("failed", {"kind": "webhook", "attempts": len(BACKOFF) + 1, "code": "status_503"})
    ]


def test_a_receiver_that_comes_back(workshop: Workshop, db: Database) -> None:
    with receiver(500, 429, 200) as (url, _):
        run_id = failing(workshop, webhook_url=url)
        for _ in range(3):
            send_due(db, post(workshop), URL)
            due_again(db)
    assert outcomes(db, run_id) == [("ok", {"kind": "webhook", "attempts": 3})]


@pytest.mark.parametrize(("status", "code"), [(302, "status_302"), (410, "status_410")])
def test_redirects_are_not_followed(
    workshop: Workshop, db: Database, status: int, code: str
) -> None:
    with receiver(status) as (url, got):
        run_id = failing(workshop, webhook_url=url)
        for _ in range(len(BACKOFF) + 1):
            send_due(db, post(workshop), URL)
            due_again(db)
    assert outcomes(db, run_id)[0][1]["code"] == code
    assert len(got) == (1 if status == 410 else len(BACKOFF) + 1)


def test_the_installations_own_listeners_are_not_told(workshop: Workshop, db: Database) -> None:
    own = workshop.installation.config
    refused = [own.public_url, own.runtime_url, "http://169.254.169.254/latest"]
    for url in refused:
        run_id = failing(workshop, webhook_url=url)
        assert send_due(db, post(workshop), URL) == 0
        assert outcomes(db, run_id) == [
            ("failed", {"kind": "webhook", "attempts": 1, "code": "egress_refused"})
        ]


def test_a_letter(workshop: Workshop, db: Database) -> None:
    with mail_server() as (setting, box):
        run_id = failing(workshop, email="ops@example.com")
        gone = failing(workshop, email="nobody@example.com")
        send_due(db, post(workshop, setting), URL)
    (letter,) = box.letters
    assert (letter.mail_from, letter.rcpt_tos) == ("tacit@example.com", ["ops@example.com"])
    words = letter.content.decode()
    assert "Subject: Night: run rejected in default" in words
    assert f"{URL}/runs/{run_id}" in words
    assert "CANARY" not in words
    assert outcomes(db, run_id) == [("ok", {"kind": "email", "attempts": 1})]
    assert outcomes(db, gone) == [
        ("failed", {"kind": "email", "attempts": 1, "code": "recipient_refused"})
    ]


def test_without_a_mail_server_it_says_so(workshop: Workshop, db: Database) -> None:
    run_id = failing(workshop, email="ops@example.com")
    send_due(db, post(workshop), URL)
    assert outcomes(db, run_id)[0][1]["code"] == "smtp_not_set"


def test_a_flow_tells_so_many_times_an_hour(workshop: Workshop, db: Database) -> None:
    settings = read_settings({"notify_on_failure": {"email": "ops@example.com"}})
    flow = workshop.flow(fetching("never-was"), settings=settings)
    for _ in range(MAX_PER_FLOW + 3):
        workshop.runtime.claim(workshop.worker, workshop.run(flow).id)
    with db.read() as session:
        assert session.scalar(select(func.count()).select_from(Notice)) == MAX_PER_FLOW


def test_success_is_no_news(workshop: Workshop, db: Database) -> None:
    settings = read_settings({"notify_on_failure": {"email": "ops@example.com"}})
    held = workshop.runtime.claim(
        workshop.worker, workshop.run(workshop.flow(settings=settings)).id
    )
    workshop.runtime.post(f"/runs/{held.id}/finish", held.token(), {"state": "succeeded"})
    with db.read() as session:
        assert session.scalar(select(func.count()).select_from(Notice)) == 0


def test_the_settings_password_shows_nowhere(workshop: Workshop) -> None:
    config = dataclasses.replace(
        workshop.installation.config, smtp=Hidden("smtp://u:CANARY-password@mail.example")
    )
    assert "CANARY" not in repr(config)
    assert "CANARY" not in repr(vars(Post(config)).get("_host"))
