"""Secrets through the pages: no answer ever holds a value."""

from __future__ import annotations

import base64

import pytest

from app.accounts.actor import system_actor
from app.accounts.scopes import Role
from app.ids import new_id
from app.vault import service
from tests.integration.web.conftest import Person, field_error
from tests.support.installation import Installation, canary


def test_the_first_visit_says_what_to_do(admin: Person) -> None:
    assert "No secrets in default yet" in admin.get("/secrets").text


def test_a_secret_is_saved_and_no_page_holds_its_value(admin: Person) -> None:
    value = canary()
    secret_id = admin.new_secret(
        "echo_token", value, description="Echoes", tags="payments, live", owner="Ledger"
    )
    pages = [
        admin.get(path).text
        for path in ("/", "/secrets", f"/secrets/{secret_id}", "/audit", "/settings", "/runs")
    ]
    assert "echo_token" in pages[1]
    assert "masked secret" in pages[2]
    for form in (value, base64.b64encode(value.encode()).decode(), value.encode().hex()):
        assert not any(form in page for page in pages)


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"name": "has spaces"}, "name", "letters, digits"),
        ({"value": "   "}, "value", "blank"),
        ({"value": "abc"}, "value", "fewer than 4"),
        ({"value": "x" * 70000}, "value", "64 KiB"),
        ({"tags": ",".join(f"tag{n}" for n in range(200))}, "tags", "tags at most"),
    ],
)
def test_errors_stand_at_their_field_in_the_servers_words(
    admin: Person, fields: dict[str, str], field: str, words: str
) -> None:
    value = canary()
    answer = admin.post("/secrets", **{"name": "good", "value": value, **fields})
    assert answer.status_code == 422
    assert words in field_error(answer.text, field)
    assert f'aria-describedby="{field}-error' in answer.text
    assert value not in answer.text
    assert "x" * 100 not in answer.text


def test_a_name_close_by_is_offered(admin: Person) -> None:
    answer = admin.post("/secrets", name="stripe/web hook", value=canary())
    assert 'data-value="stripe/web-hook"' in answer.text


def test_a_weak_value_may_be_saved_only_after_it_was_refused(admin: Person) -> None:
    assert "allow_weak" not in admin.get("/secrets/new").text
    refused = admin.post("/secrets", name="pin", value="482913")
    assert refused.status_code == 422
    assert 'name="allow_weak"' in refused.text
    assert "482913" not in refused.text
    assert admin.post("/secrets", name="pin", value="482913", allow_weak="1").status_code == 303


def test_a_taken_name_is_a_conflict_at_the_name(admin: Person) -> None:
    admin.new_secret("taken", canary())
    answer = admin.post("/secrets", htmx=True, name="taken", value=canary())
    assert answer.status_code == 409
    assert "already" in field_error(answer.text, "name")
    assert answer.text.lstrip().startswith('<section class="card card--form" id="new-secret"')


def test_htmx_is_sent_on_after_saving(admin: Person) -> None:
    answer = admin.post("/secrets", htmx=True, name="new", value=canary())
    assert answer.status_code == 204
    assert answer.headers["HX-Redirect"].startswith("/secrets/")


def test_search_and_tag_answer_with_the_partial_alone(admin: Person) -> None:
    for name, tags in (("stripe/key", "payments"), ("okta/key", "identity"), ("smtp", "payments")):
        admin.new_secret(name, canary(), tags=tags)
    whole = admin.get("/secrets")
    assert "<html" in whole.text
    found = admin.get("/secrets?q=key", htmx=True).text
    assert "<html" not in found
    assert found.lstrip().startswith('<div id="secret-list"')
    assert "stripe/key" in found
    assert "smtp" not in found
    tagged = admin.get("/secrets?tag=payments", htmx=True).text
    assert "smtp" in tagged
    assert "okta/key" not in tagged
    none = admin.get("/secrets?q=nothing-like-it", htmx=True).text
    assert "Clear filters" in none


def test_the_list_turns_its_order_and_its_pages(
    admin: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.web.secrets._PAGE", 2)
    for name in ("a", "b", "c"):
        admin.new_secret(name, canary())
    first = admin.get("/secrets?sort=-name", htmx=True).text
    assert first.index(">c</a>") < first.index(">b</a>")
    assert 'aria-sort="descending"' in first
    link = first.rpartition('">Next</a>')[0].rpartition('hx-get="')[2].partition('"')[0]
    second = admin.get(link.replace("&amp;", "&"), htmx=True).text
    assert ">a</a>" in second
    assert ">b</a>" not in second
    assert "First page" in second


def test_a_nonsense_cursor_is_a_sentence(admin: Person) -> None:
    answer = admin.get("/secrets?cursor=nonsense", htmx=True)
    assert answer.status_code == 422
    assert answer.headers["HX-Retarget"] == "#toasts"
    assert "cursor" in answer.text


def test_rotating_makes_the_next_version(admin: Person) -> None:
    secret_id = admin.new_secret("rotates", canary())
    value = canary()
    page = admin.get(f"/secrets/{secret_id}").text
    revision = page.partition('name="revision" value="')[2].partition('"')[0]
    answer = admin.post(f"/secrets/{secret_id}/rotate", value=value, revision=revision)
    assert answer.status_code == 303
    page = admin.get(f"/secrets/{secret_id}").text
    assert "Active v2" in page
    assert "Version 1" in page
    assert value not in page
    stale = admin.post(f"/secrets/{secret_id}/rotate", value=canary(), revision=revision)
    assert stale.status_code == 412
    assert "was changed by" in stale.text
    weak = admin.post(f"/secrets/{secret_id}/rotate", htmx=True, value="482913")
    assert weak.status_code == 422
    assert 'name="allow_weak"' in weak.text


def test_deleting_needs_the_name_and_tells_which_flows_name_it(
    admin: Person, installation: Installation
) -> None:
    secret_id = admin.new_secret("going", canary())
    flow_id = admin.new_flow("Uses it")
    node = {
        "id": "fetch", "component": "secret.fetch", "label": "", "position": [0, 0],
        "config": {"secretName": "going", "version": None, "outputFormat": "raw"},
    }
    saved = admin.browser.api(
        "PUT", f"/flows/{flow_id}", headers={"If-Match": '"1"'},
        json={"graph": {"schema": 1, "nodes": [node], "edges": []}},
    )
    assert saved.status_code == 200, saved.text
    assert "Uses it</a>" in admin.get(f"/secrets/{secret_id}").text
    wrong = admin.post(f"/secrets/{secret_id}/delete", confirm="goin")
    assert wrong.status_code == 422
    assert "exactly" in field_error(wrong.text, "confirm")
    assert admin.post(f"/secrets/{secret_id}/delete", confirm="going").status_code == 303
    assert admin.get(f"/secrets/{secret_id}").status_code == 404


def test_a_viewer_sees_names_and_no_buttons(installation: Installation, admin: Person) -> None:
    secret_id = admin.new_secret("seen", canary())
    viewer = Person(installation.signed_in(Role.VIEWER))
    assert "New secret" not in viewer.get("/secrets").text
    page = viewer.get(f"/secrets/{secret_id}").text
    assert 'id="rotate"' not in page
    assert 'id="delete"' not in page
    assert "Audit trail" not in page
    assert viewer.post("/secrets", name="x", value=canary()).status_code == 403
    assert viewer.get("/audit").status_code == 403


def test_what_another_environment_holds_answers_like_what_never_was(
    installation: Installation, admin: Person
) -> None:
    elsewhere = installation.environment("prod")
    vault = installation.services.vault
    assert vault is not None
    with installation.services.db.begin() as session:
        made = service.create_secret(
            session, system_actor(elsewhere), vault, service.NewSecret("elsewhere/key", canary())
        )
    there, never = admin.get(f"/secrets/{made.id}"), admin.get(f"/secrets/{new_id()}")
    assert there.status_code == never.status_code == 404
    assert "elsewhere/key" not in there.text
