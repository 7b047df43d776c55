"""Who may watch, for how long, and what everybody else is told."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from sqlalchemy import text

from app.accounts import service as accounts
from app.accounts.scopes import Role
from app.ids import new_id
from tests.integration.live.conftest import GoingRun, going_run
from tests.support.installation import ORIGIN, Installation
from tests.support.live_process import Live, Watcher


def test_a_stream_needs_a_credential(live: Live, run: GoingRun, token: str) -> None:
    path = f"/runs/{run.id}/events"
    for url, headers in (
        (path, {}),
        (path, {"Origin": ORIGIN}),
        (f"{path}?access_token={token}", {}),
        (f"{path}?token={token}", {"Origin": ORIGIN}),
        (path, {"Cookie": f"__Host-tacit={token}", "Origin": ORIGIN}),
        (path, {"Cookie": f"session={token}", "Origin": ORIGIN}),
        (path, {"Authorization": f"Bearer {token}x"}),
        (path, {"Authorization": f"Token {token}"}),
        (path, {"Authorization": "Bearer"}),
    ):
        with live.open(url, headers) as watcher:
            assert watcher.status == 401, (url, headers)
            assert watcher.answer.headers["Content-Type"] == "application/problem+json"
            body = watcher.body()
            assert body["request_id"] == watcher.answer.headers["X-Request-Id"]
            assert token not in str(body)


@pytest.mark.parametrize(
    "origin",
    [
        None, "null", "https://evil.example", "https://localhost", "https://localhost:8444",
        "http://localhost:8443", "https://LOCALHOST:8443", "https://localhost:8443/",
        "https://localhost:8443.evil.example",
    ],
)
def test_only_pages_of_the_web_listener_use_the_cookie(
    live: Live, installation: Installation, run: GoingRun, origin: str | None
) -> None:
    headers = {"Cookie": f"__Host-tacit={installation.signed_in().cookie()}"}
    if origin is not None:
        headers["Origin"] = origin
    with live.open(f"/runs/{run.id}/events", headers) as watcher:
        assert watcher.status == 403
        assert watcher.body()["code"] == "origin_mismatch"
        assert "Access-Control-Allow-Origin" not in watcher.answer.headers


def test_another_sites_page_is_refused_with_a_token_too(
    live: Live, run: GoingRun, token: str
) -> None:
    headers = {"Authorization": f"Bearer {token}", "Origin": "https://evil.example"}
    with live.open(f"/runs/{run.id}/events", headers) as watcher:
        assert watcher.status == 403


def test_there_is_nothing_else_here(live: Live, run: GoingRun, token: str) -> None:
    bearer = {"Authorization": f"Bearer {token}", "Origin": ORIGIN}
    stream = f"/runs/{run.id}/events"
    for method, path, status in (
        ("OPTIONS", stream, 405), ("POST", stream, 405), ("HEAD", stream, 405),
        ("GET", "/", 404), ("GET", f"/runs/{run.id}", 404), ("GET", f"/{stream}", 404),
        ("GET", f"{stream}/", 404), ("GET", f"/api/v1/runs/{run.id}/events", 404),
        ("GET", f"/api/v1/secrets/{run.id}/value", 404), ("GET", "/login", 404),
        ("GET", f"{stream}?after=-1", 422), ("GET", f"{stream}?after=1e3", 422),
        ("GET", f"{stream}?after=99999999999999999999", 422),
    ):
        with live.open(path, bearer, method=method) as watcher:
            assert watcher.status == status, (method, path)
            assert watcher.answer.headers["Cache-Control"] == "no-store"


def test_another_environments_run_is_an_unknown_one(
    live: Live, installation: Installation, token: str
) -> None:
    other_id = installation.environment("other")
    other = going_run(installation, other_id)
    bodies = []
    for run_id in (other.id, new_id(), "no-id", other.id.upper()):
        with live.watch(run_id, token=token) as watcher:
            assert watcher.status == 404
            bodies.append(watcher.body())
    for body in bodies:
        del body["request_id"]
    assert all(body == bodies[0] for body in bodies)
    with live.watch(other.id, token=installation.token(environment_id=other_id)) as watcher:
        assert watcher.next().id == 1


def test_a_session_names_its_environment(live: Live, installation: Installation) -> None:
    stage_id = installation.environment("stage")
    run = going_run(installation, stage_id)
    _, email = installation.person(Role.VIEWER, environment_id=stage_id)
    browser = installation.browser()
    browser.sign_in(email)
    cookie = browser.cookie() or ""
    with live.watch_as(cookie, run.id, "?environment=stage") as watcher:
        assert watcher.next().id == 1
    with live.watch_as(cookie, run.id, X_Tacit_Environment="stage") as watcher:
        assert watcher.status == 200
    # No role there and no such environment: the same words.
    codes = []
    for query in ("?environment=nowhere", "?environment=other-one"):
        with live.watch_as(cookie, run.id, query) as watcher:
            assert watcher.status == 404
            codes.append(watcher.body()["code"])
    assert codes == ["environment_not_found"] * 2
    with live.watch_as(cookie, run.id) as watcher:
        assert watcher.status == 200, "unnamed, it is the one in which the person has a role"
    with live.watch_as(cookie, run.id, "?environment=default") as watcher:
        assert watcher.status == 404


def test_a_missing_scope_is_named_and_audited(
    live: Live, installation: Installation, run: GoingRun
) -> None:
    with live.watch(run.id, token=installation.token("flows:read")) as watcher:
        assert watcher.status == 403
        body = watcher.body()
    assert body["code"] == "scope_missing"
    assert "runs:read" in body["detail"]
    with installation.services.db.read() as session:
        rows = session.execute(
            text("select action, outcome from audit_events where request_id = :id"),
            {"id": body["request_id"]},
        ).all()
    assert [tuple(row) for row in rows] == [("access.deny", "denied")]


def _closes(watcher: Watcher, within: float = 6.0) -> None:
    """Expect the stream's end, without the event that says that the run is over."""
    began = time.monotonic()
    assert [frame.event for frame in watcher.frames() if frame.event == "end"] == []
    assert time.monotonic() - began < within


Revoke = Callable[[Installation, str, str], None]


def _sign_out(house: Installation, _user: str, cookie: str) -> None:
    with house.services.db.begin() as session:
        accounts.close_session(session, cookie)


def _disable(house: Installation, user_id: str, _cookie: str) -> None:
    with house.services.db.begin() as session:
        accounts.set_disabled(session, house.operator(), user_id, True)


@pytest.mark.parametrize("revoke", [_sign_out, _disable], ids=["signed out", "disabled"])
def test_a_revoked_session_closes_its_streams(
    live: Live, installation: Installation, run: GoingRun, revoke: Revoke
) -> None:
    user_id, email = installation.person(Role.VIEWER)
    browser = installation.browser()
    browser.sign_in(email)
    cookie = browser.cookie() or ""
    with live.watch_as(cookie, run.id) as watcher:
        assert watcher.next().id == 1
        time.sleep(1.3)
        run.happen("while all is well")
        assert watcher.next().id == 2
        revoke(installation, user_id, cookie)
        _closes(watcher)
    with live.watch_as(cookie, run.id) as watcher:
        assert watcher.status == 401


@pytest.mark.parametrize("by_ticket", [False, True], ids=["token", "ticket"])
def test_a_revoked_token_closes_its_streams(
    live: Live, installation: Installation, run: GoingRun, by_ticket: bool
) -> None:
    user_id, _ = installation.person(Role.OPERATOR)
    token = installation.token("runs:read", user_id=user_id)
    if by_ticket:
        location = installation.api(token).get(f"/runs/{run.id}/stream").headers["Location"]
        watcher = live.open(location.removeprefix(installation.config.live_url))
    else:
        watcher = live.watch(run.id, token=token)
    with watcher:
        assert watcher.next().id == 1
        with installation.services.db.begin() as session:
            found = session.execute(
                text("select id from api_tokens where user_id = :id"), {"id": user_id}
            ).scalar_one()
            accounts.revoke_token(session, installation.operator(), found)
        _closes(watcher)
