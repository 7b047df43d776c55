"""The audit page's filters, and activating flows from their list."""

from __future__ import annotations

import re
from datetime import timedelta

from app.accounts.scopes import Role
from app.ids import utcnow
from tests.integration.web.conftest import Person
from tests.support.installation import Installation, canary


def _rows(page: str) -> str:
    return page.partition("<tbody>")[2].partition("</tbody>")[0]


def test_events_are_filtered_by_secret_action_and_day(admin: Person) -> None:
    value = canary()
    one = admin.new_secret("one/key", value)
    admin.new_secret("other/key", canary())
    by_name = admin.get("/audit?secret=one/key", htmx=True).text
    assert by_name.lstrip().startswith('<div id="audit-list"')
    assert "secret.create" in by_name
    assert "other/key" not in by_name
    assert _rows(admin.get(f"/audit?secret={one}", htmx=True).text).count("<tr>") >= 1
    assert "No such events" in admin.get("/audit?secret=no/such", htmx=True).text
    only = _rows(admin.get("/audit?action=secret.create", htmx=True).text)
    assert only.count("<tr>") == 2
    today, tomorrow = utcnow().date(), utcnow().date() + timedelta(days=1)
    yesterday = today - timedelta(days=1)
    assert "one/key" in admin.get(f"/audit?since={yesterday}&until={tomorrow}", htmx=True).text
    assert "No such events" in admin.get(f"/audit?since={tomorrow}", htmx=True).text
    assert "No such events" in admin.get("/audit?until=2020-01-01", htmx=True).text
    wrong = admin.get("/audit?since=soon", htmx=True)
    assert wrong.status_code == 422
    assert "date_invalid" in wrong.text
    assert value not in by_name


def test_pages_of_events_keep_their_filters(admin: Person) -> None:
    for number in range(52):
        admin.get(f"/secrets?q={number}")
    first = admin.get("/audit?action=secret.list", htmx=True).text
    link = re.search(r'hx-get="([^"]+cursor=[^"]+)"', first)
    assert link
    following = admin.get(link.group(1).replace("&amp;", "&"), htmx=True).text
    assert _rows(following).count("<tr>") == 2
    assert "action=secret.list" in following


def test_how_to_export_is_said_and_who_may_not_read_is_refused(
    installation: Installation, admin: Person
) -> None:
    assert f"tacit audit export --chain {installation.environment_id}" in admin.get("/audit").text
    viewer = Person(installation.signed_in(Role.VIEWER))
    assert viewer.get("/audit?secret=x").status_code == 403


def test_a_flow_is_activated_and_deactivated_from_the_list(
    installation: Installation, admin: Person
) -> None:
    flow_id = admin.new_flow("Nightly")
    assert "/activate" not in admin.get("/flows").text, "an empty flow can't be activated"
    node = {
        "id": "say", "component": "output.log", "label": "Say", "position": [0, 0],
        "config": {"message": "hello"},
    }
    admin.browser.api(
        "PUT", f"/flows/{flow_id}", headers={"If-Match": '"1"'},
        json={"graph": {"schema": 1, "nodes": [node], "edges": []}},
    )
    assert f"/flows/{flow_id}/activate" in admin.get("/flows").text
    viewer = Person(installation.signed_in(Role.VIEWER))
    assert "/activate" not in viewer.get("/flows").text
    assert viewer.post(f"/flows/{flow_id}/activate").status_code == 403
    admin.post(f"/flows/{flow_id}/activate", revision="1")
    assert "changed" in admin.get("/flows").text, "a draft that moved on is not activated"
    assert admin.post(f"/flows/{flow_id}/activate", revision="2").status_code == 303
    page = admin.get("/flows").text
    assert "Active v1" in page
    assert admin.post(f"/flows/{flow_id}/deactivate").status_code == 303
    assert "no longer active" in admin.get("/flows").text
