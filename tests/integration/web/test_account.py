"""Signing in, the first administrator and the theme, through the pages."""

from __future__ import annotations

import pytest

from app.accounts import bootstrap
from tests.integration.web.conftest import Person, field_error
from tests.support.installation import PASSWORD, Installation

PAGES = ("/", "/flows", "/secrets", "/secrets/new", "/runs", "/components", "/settings", "/audit")


@pytest.mark.parametrize("path", PAGES)
def test_pages_ask_for_a_login_and_come_back(installation: Installation, path: str) -> None:
    answer = installation.browser().send("GET", path)
    assert answer.status_code == 302
    assert answer.headers["Location"] == f"/login?next={path}"


def test_htmx_is_sent_to_the_login_as_a_whole_page(installation: Installation) -> None:
    answer = installation.browser().send("GET", "/secrets", headers={"HX-Request": "true"})
    assert answer.status_code == 204
    assert answer.headers["HX-Redirect"] == "/login?next=/secrets"


def test_a_wrong_password_is_told_at_the_field_with_the_tries_left(
    installation: Installation,
) -> None:
    _, email = installation.person()
    answer = installation.browser().sign_in(email, "not the password")
    assert answer.status_code == 401
    assert "4 tries left" in field_error(answer.text, "password")
    assert "not the password" not in answer.text
    assert f'value="{email}"' in answer.text


def test_login_goes_on_to_where_it_was_asked_for_and_nowhere_else(
    installation: Installation,
) -> None:
    _, email = installation.person()
    person = Person(installation.browser())
    person.get("/login")
    answer = person.post("/login", email=email, password=PASSWORD, next="//evil.example")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert person.get("/login?next=/secrets").headers["Location"] == "/secrets"


def test_logging_out_ends_the_session(admin: Person) -> None:
    assert admin.post("/logout").headers["Location"] == "/login"
    assert admin.get("/").status_code == 302


def test_the_set_up_link_makes_the_first_administrator_once(installation: Installation) -> None:
    with installation.services.db.begin() as session:
        token = bootstrap.make_setup_link(session)
    person = Person(installation.browser())
    assert "First administrator" in person.get(f"/setup/{token}").text
    fields = {"email": "ops@example.com", "password": PASSWORD}
    differs = person.post(f"/setup/{token}", password_again="something else", **fields)
    assert differs.status_code == 422
    assert "differ" in field_error(differs.text, "password_again")
    short = {"email": "ops@example.com", "password": "short", "password_again": "short"}
    assert "at least" in field_error(person.post(f"/setup/{token}", **short).text, "password")
    made = person.post(f"/setup/{token}", password_again=PASSWORD, **fields)
    assert (made.status_code, made.headers["Location"]) == (303, "/")
    assert "First steps" in person.get("/").text
    again = Person(installation.browser()).get(f"/setup/{token}")
    assert again.status_code == 404
    assert "no longer works" in again.text


def test_a_form_without_its_token_or_from_elsewhere_is_refused(admin: Person) -> None:
    bare = admin.browser.send("POST", "/flows", data={"name": "x"})
    assert bare.status_code == 403
    assert "csrf_failed" in bare.text
    foreign = admin.browser.send(
        "POST", "/flows", data={"name": "x", "csrf_token": admin.browser.csrf_token()},
        headers={"Origin": "https://evil.example"},
    )
    assert foreign.status_code == 403
    assert "origin_mismatch" in foreign.text


def test_the_theme_is_written_by_the_server(admin: Person) -> None:
    assert "data-theme" not in admin.get("/").text.partition("<head>")[0]
    assert admin.post("/theme", theme="dark", next="/runs").headers["Location"] == "/runs"
    assert '<html lang="en" data-theme="dark">' in admin.get("/").text


def test_a_changed_password_ends_other_sessions_and_keeps_this_one(
    installation: Installation,
) -> None:
    _, email = installation.person()
    here, there = Person(installation.browser()), Person(installation.browser())
    here.browser.sign_in(email)
    there.browser.sign_in(email)
    wrong = here.post("/settings/password", current_password="wrong wrong", password="new words 1")
    assert wrong.status_code == 401
    assert "match" in field_error(wrong.text, "current_password")
    weak = here.post("/settings/password", current_password=PASSWORD, password="short")
    assert weak.status_code == 422
    good = here.post("/settings/password", current_password=PASSWORD, password="new words 12")
    assert good.status_code == 303
    assert here.get("/settings").status_code == 200
    assert there.get("/settings").status_code == 302
    assert installation.browser().sign_in(email, "new words 12").status_code == 303
