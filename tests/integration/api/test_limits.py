"""``/api/v1/limits``."""

from __future__ import annotations

import pytest

from app.accounts.scopes import Role
from tests.support.installation import Installation


def test_limits_are_shown_and_changed(installation: Installation) -> None:
    api = installation.api(installation.token())
    whole = {"queued_runs": 10_000, "running_runs": None, "retention_days": 30}
    assert api.get("/limits").json == whole
    changed = api.call("PATCH", "/limits", json={"running_runs": 4})
    assert (changed.status_code, changed.json) == (200, {**whole, "running_runs": 4})
    again = api.call("PATCH", "/limits", json={"retention_days": 0, "running_runs": None})
    assert again.json == {**whole, "retention_days": 0}
    viewer = installation.api(installation.token("flows:read", role=Role.VIEWER))
    assert viewer.get("/limits").json == again.json
    assert viewer.call("PATCH", "/limits", json={"retention_days": 1}).status_code == 403


@pytest.mark.parametrize(
    "body", [{"queued_runs": 0}, {"queued_runs": None}, {"running_runs": 0},
             {"retention_days": -1}, {"retention_days": 4000}, {"other": 1}]
)
def test_limits_that_cant_be(installation: Installation, body: dict[str, object]) -> None:
    api = installation.api(installation.token())
    assert api.call("PATCH", "/limits", json=body).status_code == 422
