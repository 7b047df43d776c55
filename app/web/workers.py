"""Workers: who is enrolled, how confined they run, their keys; enrolling and revoking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import flash, render_template, request, url_for
from werkzeug.wrappers import Response

from app.errors import Denied, Invalid
from app.http.services import services
from app.ids import utcnow
from app.runs import enrolment
from app.runs.workers import LIVE_FOR
from app.web.forms import Errors, FieldError, errors_of
from app.web.hx import go
from app.web.pages import pages
from app.web.sections import is_fresh
from app.web.work import work


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A worker's public key."""

    id: str
    created_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that a worker says of its confinement, and whether it is as it should be."""

    text: str
    good: bool


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """A worker as the page shows it."""

    id: str
    name: str
    created_at: datetime
    last_seen_at: datetime | None
    revoked_at: datetime | None
    live: bool
    version: str
    facts: Sequence[Fact]
    keys: Sequence[KeyRow]


@dataclass(frozen=True, slots=True)
class NewCode:
    """An enrolment code just made: the one time it is shown."""

    name: str
    code: str
    runtime_url: str


@pages.get("/settings/workers")
def workers() -> str:
    """List the environment's workers."""
    return _page()


@pages.post("/settings/workers")
def enrol_worker() -> tuple[str, int]:
    """Make a one-time code and show it with the page that answers this very request."""
    name = request.form.get("name", "")
    try:
        with work() as (session, actor):
            code = enrolment.make_code(session, actor, name)
    except Invalid as error:
        return _page(errors_of(error, "name"), name), error.status
    except Denied as error:
        if error.code != "reauthentication_required":
            raise
        return _page({"": FieldError(error.detail, error.code)}, name), error.status
    return _page(made=NewCode(name.strip(), code, services().config.runtime_url)), 201


@pages.post("/settings/workers/<worker_id>/revoke")
def revoke_worker(worker_id: str) -> Response:
    """Revoke a worker with all its keys."""
    with work() as (session, actor):
        name = enrolment.revoke_worker(session, actor, worker_id).name
    flash(f"{name} is revoked. Its claims and values are refused from now on.")
    return go(url_for("pages.workers"))


@pages.post("/settings/workers/keys/<key_id>/revoke")
def revoke_worker_key(key_id: str) -> Response:
    """Revoke one key of a worker."""
    with work() as (session, actor):
        enrolment.revoke_key(session, actor, key_id)
    flash("The key is revoked.")
    return go(url_for("pages.workers"))


def confinement_facts(reported: Mapping[str, Any]) -> list[Fact]:
    """Put what a worker's heartbeat says of its confinement into words."""
    said = reported.get("confinement")
    if not isinstance(said, Mapping) or not said:
        return []
    landlock, uid = said.get("landlock"), said.get("uid")
    return [
        Fact(f"Landlock {landlock}" if landlock else "no Landlock", bool(landlock)),
        Fact("root" if uid == 0 else f"user {uid}", uid not in (0, None)),
        Fact(
            "no new privileges" if said.get("no_new_privs") else "may gain privileges",
            bool(said.get("no_new_privs")),
        ),
        Fact(
            "memory shut" if said.get("undumpable") else "memory readable",
            bool(said.get("undumpable")),
        ),
    ]


def _page(errors: Errors | None = None, name: str = "", made: NewCode | None = None) -> str:
    now = utcnow()
    with work(read=True) as (session, actor):
        rows = [
            WorkerRow(
                row.id, row.name, row.created_at, row.last_seen_at, row.revoked_at,
                row.revoked_at is None and row.last_seen_at is not None
                and now - row.last_seen_at < LIVE_FOR,
                str(row.reported.get("version") or ""), confinement_facts(row.reported),
                [KeyRow(key.id, key.created_at, key.revoked_at) for key in keys],
            )
            for row, keys in enrolment.list_workers(session, actor)
        ]
    rows.sort(key=lambda row: (row.revoked_at is not None, row.name))
    return render_template(
        "settings/workers.html", workers=rows, made=made, errors=errors or {},
        form={"name": name}, fresh=is_fresh(actor),
    )
