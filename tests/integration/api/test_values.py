"""A value over the API: for tokens with the scope, in programs, while nothing is frozen."""

from __future__ import annotations

from typing import Any

import pytest

from app.accounts.freeze import freeze, unfreeze
from app.audit.events import INSTALLATION
from app.audit.models import AuditEvent
from tests.support.installation import Api, Installation, canary


@pytest.fixture
def api(shared: Installation) -> Api:
    """A client that may do everything."""
    return shared.api(shared.token())


def _last_event(installation: Installation) -> AuditEvent:
    from sqlalchemy import select

    with installation.services.db.read() as session:
        query = select(AuditEvent).where(AuditEvent.chain != INSTALLATION)
        return session.scalars(query.order_by(AuditEvent.seq.desc()).limit(1)).one()


def _create(api: Api, value: str) -> str:
    made: Any = api.post("/secrets", json={"name": canary().lower(), "value": value}).json
    return str(made["id"])


@pytest.mark.parametrize(
    "header",
    [{"Cookie": "a=b"}, {"Origin": "https://localhost:8443"}, {"Sec-Fetch-Mode": "cors"},
     {"Access-Control-Request-Method": "GET"}],
    ids=lambda header: next(iter(header)),
)
def test_browsers_are_refused(shared: Installation, api: Api, header: dict[str, str]) -> None:
    value = canary()
    secret_id = _create(api, value)
    # The test client keeps cookies of its own and would put them in the header's place.
    client = shared.app.test_client(use_cookies=False)
    answer = Api(client, api.token).get(f"/secrets/{secret_id}", headers=header)
    assert (answer.status_code, answer.json["code"]) == (403, "browser_refused")
    assert value not in answer.get_data(as_text=True)
    event = _last_event(shared)
    assert (event.action, event.outcome, event.secret_id) == ("secret.reveal", "denied", secret_id)
    # A token that sees no values is none the worse for them.
    reader = shared.token("secrets:read")
    shown = Api(client, reader).get(f"/secrets/{secret_id}", headers=header)
    assert shown.status_code == 200
    assert "value" not in shown.json


def test_nothing_is_handed_out_while_frozen(shared: Installation, api: Api) -> None:
    value = canary()
    secret_id = _create(api, value)
    with shared.services.db.begin() as session:
        freeze(session, shared.operator(), everywhere=True, reason="leak")
    try:
        answer = api.get(f"/secrets/{secret_id}")
    finally:
        with shared.services.db.begin() as session:
            unfreeze(session, shared.operator(), everywhere=True)
    assert (answer.status_code, answer.json["code"]) == (423, "frozen")
    assert value not in answer.get_data(as_text=True)
    assert api.get(f"/secrets/{secret_id}").json["value"] == value


def test_a_value_is_audited_before_it_leaves(shared: Installation, api: Api) -> None:
    secret_id = _create(api, canary())
    assert api.get(f"/secrets/{secret_id}").status_code == 200
    event = _last_event(shared)
    assert (event.action, event.outcome, event.secret_id) == ("secret.reveal", "ok", secret_id)
    assert event.data == {"version": 1}
