"""Telling of failed runs: a webhook or an email address that the flow's settings name.

A notice is a row, written in the transaction that ends the run; the scheduler sends it, outside
any transaction, a few times at most. It says which run, where it stands and the problem's code,
and nothing that a node put out: no message, no input, no value in any form.
"""

from __future__ import annotations

import contextlib
import logging
import re
import threading
from datetime import timedelta
from typing import Any, Final, Protocol

from sqlalchemy import delete, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app import audit
from app.accounts.models import Environment
from app.audit import Action, Who
from app.db import Database
from app.flows.models import Flow, FlowVersion
from app.flows.settings import find_settings
from app.ids import iso, utcnow
from app.keys.sealed import Tampered
from app.runs.models import Notice, Run

MAX_PER_FLOW: Final = 30
"""Most notices of a flow within an hour; a flow that fails all the time has told enough."""

BACKOFF: Final = (10, 60, 300, 1800)
"""Seconds after which a notice that couldn't be sent is tried again; then it is given up."""

KEPT: Final = timedelta(days=7)
BATCH: Final = 20
_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
_log = logging.getLogger("tacit.notices")


class Sender(Protocol):
    """What carries notices out: :class:`app.runs.sending.Post`."""

    def send(self, kind: str, target: str, body: dict[str, Any]) -> None:
        """Send one notice.

        :raises NotSent: it wasn't taken; says why in a word, and whether trying again may help.
        """


class NotSent(Exception):
    """A notice that wasn't taken.

    :ivar code: stable snake_case reason, for the audit.
    """

    def __init__(self, code: str, *, final: bool = False) -> None:
        super().__init__(code)
        self.code, self.final = code, final


def note_failure(session: Session, run: Run) -> None:
    """Put down whom to tell that a run failed or was rejected, if the flow names somebody."""
    try:
        version = session.get(FlowVersion, run.flow_version_id)
    except Tampered:
        # A version that isn't trusted names nobody.
        return
    wanted = find_settings(version.settings if version else {}).notify_on_failure
    targets = [("webhook", wanted.webhook_url), ("email", wanted.email)]
    if not any(target for _, target in targets):
        return
    lately = select(func.count()).select_from(Notice).where(
        Notice.flow_id == run.flow_id, Notice.created_at > utcnow() - timedelta(hours=1)
    )
    if (session.scalar(lately) or 0) >= MAX_PER_FLOW:
        _log.warning("notice_dropped", extra={"run": run.id})
        return
    session.add_all(
        Notice(
            run_id=run.id, flow_id=run.flow_id, environment_id=run.environment_id, kind=kind,
            target=target, next_at=utcnow(),
        )
        for kind, target in targets
        if target
    )


def send_due(db: Database, sender: Sender, public_url: str) -> int:
    """Send the notices that are due; returns how many were taken."""
    with db.read() as session:
        ids = list(
            session.scalars(
                select(Notice.id).where(Notice.next_at <= utcnow()).order_by(Notice.next_at)
                .limit(BATCH)
            )
        )
    count = 0
    for notice_id in ids:
        # A run that was changed outside Tacit is logged where it was found, and tells nobody.
        with contextlib.suppress(Tampered):
            count += _send(db, sender, public_url, notice_id)
    return count


def _send(db: Database, sender: Sender, public_url: str, notice_id: str) -> bool:
    with db.begin() as session:
        notice = session.scalar(
            select(Notice).where(Notice.id == notice_id, Notice.next_at <= utcnow())
            .with_for_update(skip_locked=True)
        )
        if notice is None:
            return False
        # Written before it is sent: another scheduler leaves it alone, and a crash tries again.
        last = notice.attempts >= len(BACKOFF)
        wait = BACKOFF[min(notice.attempts, len(BACKOFF) - 1)]
        notice.attempts += 1
        notice.next_at = utcnow() + timedelta(seconds=wait)
        kind, target, body = notice.kind, notice.target, _body(session, notice, public_url)
    error = None
    if body is not None:
        try:
            sender.send(kind, target, body)
        except NotSent as refused:
            error = refused
    with db.begin() as session:
        notice = session.get_one(Notice, notice_id)
        if error is not None and not (error.final or last):
            return False
        notice.next_at = None
        audit.record(
            session, actor=Who("system", None, "scheduler", notice.environment_id),
            action=Action.NOTICE_SEND, outcome="ok" if error is None else "failed",
            flow_id=notice.flow_id, run_id=notice.run_id,
            data={"kind": kind, "attempts": notice.attempts,
                  **({"code": error.code} if error else {})},
        )
    return error is None


def _body(session: Session, notice: Notice, public_url: str) -> dict[str, Any] | None:
    run, flow = session.get(Run, notice.run_id), session.get(Flow, notice.flow_id)
    environment = session.get(Environment, notice.environment_id)
    if run is None or flow is None or environment is None:
        return None
    # A worker may have sent it, so it has to look like a code.
    codes = [
        code
        for problem in run.problems
        if isinstance(problem, dict) and _CODE.fullmatch(code := str(problem.get("code")))
    ]
    return {
        "run_id": run.id, "flow_id": flow.id, "flow": flow.name, "environment": environment.name,
        "state": run.state, "code": codes[0] if codes else None,
        "finished_at": iso(run.finished_at),
        "link": f"{public_url}/runs/{run.id}",
    }


def purge_notices(session: Session) -> None:
    """Forget notices that were sent or given up a week ago."""
    session.execute(
        delete(Notice).where(Notice.next_at.is_(None), Notice.created_at < utcnow() - KEPT)
    )


def keep_sending(db: Database, sender: Sender, public_url: str, stop: threading.Event) -> None:
    """Send what is due each second, beside the scheduler's other work, until ``stop`` is set."""
    while not stop.wait(1.0):
        try:
            send_due(db, sender, public_url)
        except (OSError, SQLAlchemyError, Tampered) as error:
            _log.warning("notices_failed", extra={"error": type(error).__name__})
