"""Sessions, people, workers, master keys and the freeze, through their pages."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from app.accounts.models import LoginSession
from app.accounts.scopes import Role
from app.ids import utcnow
from app.runs import enrolment
from app.runs.models import Worker
from app.runs.workers import mark_seen
from tests.integration.web.conftest import Person, field_error
from tests.support.installation import PASSWORD, Installation, canary

SECTIONS = {
    "/settings/people": (Role.ADMIN,),
    "/settings/workers": (Role.ADMIN,),
    "/settings/keys": (Role.ADMIN,),
    "/settings/sessions": tuple(Role),
    "/settings/freeze": tuple(Role),
}


def _let_time_pass(installation: Installation) -> None:
    """Make every typed password too old for the deeds that need it fresh."""
    with installation.services.db.begin() as session:
        for row in session.query(LoginSession):
            row.authenticated_at = utcnow() - timedelta(hours=1)


@pytest.mark.parametrize("path", SECTIONS)
@pytest.mark.parametrize("role", [Role.VIEWER, Role.SECRET_MANAGER, Role.ADMIN])
def test_sections_open_to_whom_they_are_for(
    installation: Installation, path: str, role: Role
) -> None:
    person = Person(installation.signed_in(role))
    answer = person.get(path)
    allowed = role in SECTIONS[path]
    assert answer.status_code == (200 if allowed else 403)
    assert (f'href="{path}"' in person.get("/settings").text) is allowed
    assert not re.search(r"\sstyle=|<script(?![^>]* src=)", answer.text)


def test_sessions_are_listed_and_ended(installation: Installation) -> None:
    _, email = installation.person(Role.VIEWER)
    here, there = Person(installation.browser()), Person(installation.browser())
    here.browser.sign_in(email)
    there.browser.sign_in(email)
    page = here.get("/settings/sessions").text
    assert page.count("This browser") == 1
    ends = re.findall(r'action="(/settings/sessions/[^"]+/revoke)"', page)
    assert len(ends) == 1
    stranger = Person(installation.signed_in(Role.ADMIN))
    assert stranger.post(ends[0]).status_code == 404
    assert here.post(ends[0]).status_code == 303
    assert there.get("/settings").status_code == 302
    assert here.get("/settings").status_code == 200


def test_a_person_is_made_given_a_role_and_shut_out(
    installation: Installation, admin: Person
) -> None:
    weak = admin.post("/settings/people", email="new@example.com", password="short", role="viewer")
    assert weak.status_code == 422
    assert "at least" in field_error(weak.text, "password")
    assert 'value="short"' not in weak.text
    made = admin.post(
        "/settings/people", email="new@example.com", password=PASSWORD, role="viewer", where="here"
    )
    assert made.status_code == 303
    path = made.headers["Location"]
    assert "new@example.com" in admin.get("/settings/people", htmx=True).text
    newcomer = Person(installation.browser())
    assert newcomer.browser.sign_in("new@example.com").status_code == 303
    assert admin.post(f"{path}/roles", role="author", where="here").status_code == 303
    assert newcomer.get("/").status_code == 302, "their session ended with the change"
    page = admin.get(path).text
    takes = re.findall(r'action="(/settings/people/[^"]+/revoke)"', page)
    assert len(takes) == 2
    assert admin.post(takes[0]).status_code == 303
    assert admin.post(f"{path}/disable").status_code == 303
    assert newcomer.browser.sign_in("new@example.com").status_code == 401
    assert "Shut out" in admin.get("/settings/people").text
    assert admin.post(f"{path}/enable").status_code == 303
    assert admin.post(f"{path}/password", password="other words 12").status_code == 303
    assert newcomer.browser.sign_in("new@example.com", "other words 12").status_code == 303


def test_the_last_administrator_stays(admin: Person) -> None:
    page = admin.get("/settings/people").text
    mine = re.search(r'href="(/settings/people/[^"]+)">person1@', page)
    assert mine
    take = re.search(r'action="(/settings/people/[^"]+/revoke)"', admin.get(mine.group(1)).text)
    assert take
    refused = admin.post(take.group(1))
    assert refused.status_code == 409
    assert "last administrator" in refused.text


def test_deeds_that_need_the_password_again_ask_for_it_first(
    installation: Installation, admin: Person
) -> None:
    _let_time_pass(installation)
    page = admin.get("/settings/workers").text
    assert "needs your password" in page
    assert "Make a one-time code" not in page
    refused = admin.post("/settings/workers", name="worker-7")
    assert refused.status_code == 403
    assert "tcw_" not in refused.text
    wrong = admin.post("/settings/confirm", confirm_password="no", next="/settings/workers")
    assert wrong.status_code == 401
    assert "match" in field_error(wrong.text, "confirm_password")
    away = admin.post("/settings/confirm", confirm_password=PASSWORD, next="//evil.example")
    assert away.headers["Location"].startswith("/settings")
    good = admin.post("/settings/confirm", confirm_password=PASSWORD, next="/settings/workers")
    assert good.headers["Location"] == "/settings/workers"
    assert "Make a one-time code" in admin.get("/settings/workers").text


def test_an_enrolment_code_is_shown_once_and_workers_are_revoked(
    installation: Installation, admin: Person
) -> None:
    unnamed = admin.post("/settings/workers", name=" ")
    assert unnamed.status_code == 422
    assert "1 to 100" in field_error(unnamed.text, "name")
    made = admin.post("/settings/workers", name="worker-9")
    assert made.status_code == 201
    code = re.search(r'value="(tcw_[^"]+)"', made.text)
    assert code
    page = admin.get("/settings/workers").text
    assert code.group(1) not in page
    assert "its code was not used" in page
    with installation.services.db.begin() as session:
        key = enrolment.make_key(session, installation.operator(), "worker-9")
    with installation.services.db.begin() as session:
        confinement = {"uid": 65534, "landlock": 0, "no_new_privs": True, "undumpable": True}
        mark_seen(
            session, session.get_one(Worker, key["worker_id"]),
            {"version": "0.1.0", "confinement": confinement},
        )
    page = admin.get("/settings/workers").text
    assert "Here" in page
    assert "no Landlock" in page
    assert "user 65534" in page
    assert key["private_key"] not in page
    assert admin.post(f"/settings/workers/keys/{key['key_id']}/revoke").status_code == 303
    assert admin.post(f"/settings/workers/{key['worker_id']}/revoke").status_code == 303
    assert "Revoke worker" not in admin.get("/settings/workers").text


def test_master_keys_are_shown_with_their_counts_and_nothing_to_press(admin: Person) -> None:
    value = canary()
    admin.new_secret("counted", value)
    page = admin.get("/settings/keys").text
    assert "1 value wrapped" in page
    assert "Active" in page
    assert "<form" not in page.partition("page-body")[2].partition('id="toasts"')[0]
    assert value not in page


def test_a_freeze_needs_a_reason_and_stands_on_every_page(
    installation: Installation, admin: Person
) -> None:
    viewer = Person(installation.signed_in(Role.VIEWER))
    assert "<form" not in viewer.get("/settings/freeze").text.partition("page-body")[2]
    assert viewer.post("/settings/freeze", deed="freeze", reason="x").status_code == 403
    blank = admin.post("/settings/freeze", deed="freeze", reason="  ")
    assert blank.status_code == 422
    assert "Say why" in field_error(blank.text, "reason")
    reason = "A token <b>leaked</b>"
    assert admin.post("/settings/freeze", deed="freeze", reason=reason).status_code == 303
    flow_id = admin.new_flow("Any")
    for path in ("/", "/secrets", "/runs", f"/flows/{flow_id}", "/settings/freeze"):
        page = admin.get(path).text
        assert 'class="frozen"' in page, path
        assert "A token &lt;b&gt;leaked" in page, path
    assert 'class="frozen"' in viewer.get("/").text
    assert "An administrator of this environment can lift it" in viewer.get(
        "/settings/freeze"
    ).text
    everywhere = admin.post(
        "/settings/freeze", deed="freeze", where="everywhere", reason="Everything"
    )
    assert everywhere.status_code == 303
    for where in ("here", "everywhere"):
        assert admin.post("/settings/freeze", deed="unfreeze", where=where).status_code == 303
    assert 'class="frozen"' not in admin.get("/").text


@pytest.mark.parametrize(
    "path", ["/settings/people", "/settings/workers", "/settings/freeze", "/settings/confirm"]
)
def test_forms_without_their_token_are_refused(admin: Person, path: str) -> None:
    bare = admin.browser.send("POST", path, data={"name": "x", "reason": "x"})
    assert bare.status_code == 403
    assert "csrf_failed" in bare.text
