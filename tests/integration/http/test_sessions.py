"""Signing in, the session's cookie and its limits."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from app.accounts import service as accounts
from app.accounts.models import LoginSession, User
from app.accounts.scopes import Role
from app.accounts.tokens import digest
from app.ids import utcnow
from tests.support.database import dump_rows
from tests.support.installation import ORIGIN, PASSWORD, Installation


def test_signing_in_sets_a_host_cookie_and_opens_the_api(installation: Installation) -> None:
    _, email = installation.person(Role.ADMIN)
    browser = installation.browser()
    answer = browser.sign_in(email)
    header = next(
        value for value in answer.headers.getlist("Set-Cookie")
        if value.startswith("__Host-tacit=")
    )
    assert "Secure" in header
    assert "HttpOnly" in header
    assert "SameSite=Lax" in header
    assert "Path=/" in header
    assert "Domain" not in header
    me = browser.api("GET", "/me")
    assert me.status_code == 200
    assert me.json["name"] == email
    assert me.json["kind"] == "session"


def test_the_cookie_is_not_in_the_database(installation: Installation) -> None:
    browser = installation.signed_in()
    token = browser.cookie()
    assert token
    with installation.services.db.read() as session:
        found = accounts.find_session(session, token)
        assert found is not None
        assert found[0].token_hash == digest(token)
    installation.services.close()
    assert token.encode() not in dump_rows(installation.config)


def test_a_login_rotates_the_session(installation: Installation) -> None:
    browser = installation.signed_in()
    first = browser.cookie()
    assert first
    _, email = installation.person(Role.VIEWER)
    browser.sign_in(email)
    assert browser.cookie() != first
    with installation.services.db.read() as session:
        assert accounts.find_session(session, first) is None


def test_signing_out_ends_the_session_on_the_server(installation: Installation) -> None:
    browser = installation.signed_in()
    token = browser.cookie()
    assert token
    answer = browser.send("POST", "/logout", data={"csrf_token": browser.csrf_token()})
    assert answer.status_code == 303
    assert not browser.cookie()
    with installation.services.db.read() as session:
        assert accounts.find_session(session, token) is None


@pytest.mark.parametrize(
    ("field", "age", "alive"),
    [
        ("last_seen_at", timedelta(hours=11, minutes=59), True),
        ("last_seen_at", timedelta(hours=12, seconds=1), False),
        ("created_at", timedelta(days=6, hours=23), True),
        ("created_at", timedelta(days=7, seconds=1), False),
    ],
)
def test_limits_in_time(
    installation: Installation, field: str, age: timedelta, alive: bool
) -> None:
    browser = installation.signed_in()
    token = browser.cookie()
    assert token
    with installation.services.db.begin() as session:
        found = accounts.find_session(session, token)
        assert found is not None
        setattr(found[0], field, utcnow() - age)
    assert browser.api("GET", "/me").status_code == (200 if alive else 401)


def test_a_disabled_person_is_out_at_once(installation: Installation) -> None:
    user_id, email = installation.person(Role.VIEWER)
    browser = installation.browser()
    browser.sign_in(email)
    with installation.services.db.begin() as session:
        accounts.set_disabled(session, installation.operator(), user_id, True)
    assert browser.api("GET", "/me").status_code == 401
    assert browser.sign_in(email).status_code == 401


def test_a_new_password_ends_the_sessions(installation: Installation) -> None:
    user_id, email = installation.person(Role.ADMIN)
    browser = installation.browser()
    browser.sign_in(email)
    with installation.services.db.begin() as session:
        accounts.set_password(session, installation.operator(), user_id, "another good one")
    assert browser.api("GET", "/me").status_code == 401
    assert browser.sign_in(email, "another good one").status_code == 303


def test_a_session_row_written_in_sql_opens_nothing(installation: Installation) -> None:
    victim, _ = installation.person(Role.ADMIN)
    browser = installation.signed_in(Role.VIEWER)
    with installation.services.db.engine.begin() as connection:
        connection.execute(update(LoginSession).values(user_id=victim))
    answer = browser.send("GET", "/api/v1/me")
    assert answer.status_code == 503
    assert answer.json["code"] == "row_tampered"


def test_a_password_hash_written_in_sql_opens_nothing(installation: Installation) -> None:
    _, email = installation.person(Role.ADMIN)
    _, other = installation.person(Role.VIEWER)
    with installation.services.db.engine.begin() as connection:
        known = connection.scalar(select(User.password_hash).where(User.email == other))
        connection.execute(
            update(User).where(User.email == email).values(password_hash=known)
        )
    assert installation.browser().sign_in(email).status_code != 303


def test_the_words_and_the_pause_after_wrong_passwords(installation: Installation) -> None:
    _, email = installation.person(Role.ADMIN)
    for account in (email, "nobody@example.com"):
        browser = installation.browser()
        for left in ("4 tries left", "3 tries left", "2 tries left", "1 try left"):
            page = browser.sign_in(account, "wrong password")
            assert page.status_code == 401
            words = page.get_data(as_text=True)
            assert "That email and password don" in words
            assert f"{left} before a 15 minute pause." in words
        assert browser.sign_in(account, "wrong password").status_code == 401
        paused = browser.sign_in(account, PASSWORD)
        assert paused.status_code == 429
        assert "15 minutes" in paused.get_data(as_text=True)


def test_an_address_is_limited_over_all_accounts(installation: Installation) -> None:
    codes = [
        installation.browser().sign_in(f"nobody{number}@example.com", "wrong").status_code
        for number in range(21)
    ]
    assert codes == [401] * 20 + [429]


def test_a_good_login_forgets_the_failed_ones(installation: Installation) -> None:
    _, email = installation.person(Role.ADMIN)
    browser = installation.browser()
    for _ in range(4):
        browser.sign_in(email, "wrong password")
    assert browser.sign_in(email).status_code == 303
    words = installation.browser().sign_in(email, "wrong password").get_data(as_text=True)
    assert "4 tries left" in words


def test_tries_at_the_same_time_do_not_outrun_the_limit(installation: Installation) -> None:
    _, email = installation.person(Role.ADMIN)

    def attempt(_number: int) -> int:
        return installation.browser().sign_in(email, "wrong password").status_code

    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(attempt, range(12)))
    assert codes.count(401) == 5
    assert codes.count(429) == 7


def test_what_was_typed_as_an_address_is_not_kept(installation: Installation) -> None:
    installation.browser().sign_in("my-Secret-Passw0rd", "x")
    installation.services.close()
    assert b"my-secret-passw0rd" not in dump_rows(installation.config).lower()


def test_environments_of_a_session(installation: Installation) -> None:
    staging = installation.environment("staging")
    _, email = installation.person(Role.VIEWER, environment_id=staging)
    browser = installation.browser()
    browser.sign_in(email)
    answer = browser.api("GET", "/me", headers={"X-Tacit-Environment": "staging"})
    assert answer.json["environment"]["name"] == "staging"
    names = browser.api("GET", "/environments", headers={"X-Tacit-Environment": "staging"})
    assert [item["name"] for item in names.json["items"]] == ["staging"]
    unknown = browser.api("GET", "/me", headers={"X-Tacit-Environment": "nowhere"})
    denied = browser.api("GET", "/me", headers={"X-Tacit-Environment": "default"})
    assert unknown.status_code == denied.status_code == 404
    assert _without_id(unknown.json) == _without_id(denied.json)


def test_reading_needs_no_csrf_token_and_writing_does(installation: Installation) -> None:
    browser = installation.signed_in()
    assert browser.send("GET", "/api/v1/me").status_code == 200
    body = {"name": "a flow"}
    good = browser.csrf_token()
    for headers, code in (
        ({}, "csrf_failed"),
        ({"X-CSRF-Token": "x"}, "csrf_failed"),
        ({"X-CSRF-Token": good, "Origin": "https://evil.example"}, "origin_mismatch"),
        ({"X-CSRF-Token": good, "Origin": "https://localhost:8444"}, "origin_mismatch"),
        ({"X-CSRF-Token": good, "Origin": "http://localhost:8443"}, "origin_mismatch"),
        ({"X-CSRF-Token": good, "Origin": "null"}, "origin_mismatch"),
        ({"X-CSRF-Token": good, "Origin": "null", "Sec-Fetch-Site": "cross-site"},
         "origin_mismatch"),
    ):
        answer = browser.send("POST", "/api/v1/flows", json=body, headers=headers)
        assert answer.status_code == 403
        assert answer.json["code"] == code
    for headers in (
        {"X-CSRF-Token": good},
        {"X-CSRF-Token": good, "Origin": "null", "Sec-Fetch-Site": "same-origin"},
    ):
        answer = browser.send("POST", "/api/v1/flows", json=body, headers=headers)
        assert answer.status_code == 201, answer.json


def test_another_sessions_csrf_token_is_worth_nothing(installation: Installation) -> None:
    browser, other = installation.signed_in(), installation.signed_in()
    answer = browser.api(
        "POST", "/flows", json={"name": "x"}, headers={"X-CSRF-Token": other.csrf_token()}
    )
    assert answer.json["code"] == "csrf_failed"


def test_a_login_needs_its_token_and_origin_too(installation: Installation) -> None:
    _, email = installation.person(Role.ADMIN)
    form = {"email": email, "password": PASSWORD}
    browser = installation.browser()
    assert browser.send("POST", "/login", data=form).status_code == 403
    browser.send("GET", "/login")
    token = browser.csrf_token()
    answer = browser.send(
        "POST", "/login", data={**form, "csrf_token": token},
        headers={"Origin": "https://evil.example"},
    )
    assert answer.status_code == 403
    assert not browser.cookie()
    assert browser.send("POST", "/login", data={**form, "csrf_token": token}).status_code == 303


def test_who_has_the_cookie_of_a_dead_session_can_sign_in(installation: Installation) -> None:
    _, email = installation.person(Role.ADMIN)
    browser = installation.browser()
    browser.client.set_cookie("__Host-tacit", "x" * 43, domain="localhost", secure=True)
    assert browser.sign_in(email).status_code == 303


def test_pages_send_who_is_not_signed_in_to_the_login_and_back(
    installation: Installation,
) -> None:
    answer = installation.browser().send("GET", "/flows?q=a&x=//evil")
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/login?next=/flows%3Fq%3Da%26x%3D//evil"
    partial = installation.browser().send("GET", "/flows", headers={"HX-Request": "true"})
    assert partial.headers["HX-Redirect"] == "/login?next=/flows"


def test_a_bearer_token_opens_no_page(installation: Installation) -> None:
    headers = {"Authorization": f"Bearer {installation.token()}"}
    answer = installation.browser().send("GET", "/flows", headers=headers)
    assert answer.status_code == 302


def _without_id(body: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in body.items() if key != "request_id"}


def test_the_origin_is_the_one_of_the_configuration(installation: Installation) -> None:
    assert installation.config.public_url == ORIGIN
