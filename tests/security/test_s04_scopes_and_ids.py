"""Statement 4: scope names that only look alike grant nothing, nobody grants what they lack, and
ids are ids.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app.accounts import service as accounts
from app.accounts.actor import Actor
from app.accounts.credentials import _named
from app.accounts.scopes import ALL_SCOPES, ROLE_SCOPES, Role, Scope, parse_role, parse_scopes
from app.errors import Denied, Invalid
from app.ids import new_id, utcnow
from tests.support.api_table import TABLE
from tests.support.installation import Browser, Installation

NAMES = {scope.value for scope in Scope}
LOOKALIKE = {"a": "а", "e": "е", "s": "ѕ", "c": "с", "o": "о", "r": "г", ":": "："}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation for the module."""
    made = Installation.make(tmp_path_factory.mktemp("scopes") / "home")
    yield made
    made.services.close()


@pytest.fixture(scope="module")
def admin(house: Installation) -> Browser:
    """A signed-in administrator."""
    return house.signed_in()


def _disguised(name: str) -> st.SearchStrategy[str]:
    """Return the name in spellings that people would read as the same."""
    letters = [
        st.sampled_from(sorted({letter, letter.upper(), LOOKALIKE.get(letter, letter)}))
        for letter in name
    ]
    blanks = st.sampled_from(["", " ", "\t", "\n", "\u200b", "\u00a0", "\0", "\u202e", "*", "%"])
    return st.builds(lambda before, parts, after: before + "".join(parts) + after,
                     blanks, st.tuples(*letters), blanks)


disguised = st.sampled_from(sorted(NAMES)).flatmap(_disguised)


@given(text=st.one_of(disguised, st.text(max_size=40)).filter(lambda text: text not in NAMES))
@example(text="SECRETS:READ")
@example(text=" secrets:read")
@example(text="secrets:*")
@example(text="")
def test_s04_scope_lookalikes_grant_nothing(text: str) -> None:
    with pytest.raises(Invalid):
        parse_scopes([text])
    # A row with such a name, however it came there, opens nothing either.
    assert _named([text]) == frozenset()


@given(text=st.one_of(
    st.text(max_size=20), *(_disguised(role.value) for role in Role)
).filter(lambda text: text not in set(Role)))
def test_s04_role_lookalikes_are_no_roles(text: str) -> None:
    with pytest.raises(Invalid):
        parse_role(text)


@settings(max_examples=15, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=disguised.filter(lambda text: text not in NAMES))
def test_s04_no_token_is_made_of_lookalikes(
    house: Installation, admin: Browser, text: str
) -> None:
    answer = admin.api("POST", "/tokens", json={"name": "t", "scopes": ["flows:read", text]})
    assert answer.status_code == 422, answer.json
    assert admin.api("GET", "/tokens").json["items"] == []


@settings(max_examples=60, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    giver=st.sets(st.sampled_from(list(Scope))),
    kind=st.sampled_from(["session", "token"]),
    role=st.sampled_from(list(Role)),
    everywhere=st.booleans(),
)
def test_s04_nobody_grants_what_they_lack(
    house: Installation, giver: set[Scope], kind: Any, role: Role, everywhere: bool
) -> None:
    actor = Actor(
        kind=kind, name="giver", environment_id=house.environment_id, scopes=frozenset(giver),
        user_id=new_id(), authenticated_at=utcnow(),
    )
    may = Scope.USERS_MANAGE in giver and ROLE_SCOPES[role] <= giver and not everywhere
    where = None if everywhere else house.environment_id
    refused = None
    try:
        with house.services.db.begin() as session:
            user = accounts.create_user(
                session, house.operator(), email=f"{new_id()}@example.com", password=new_id(),
            )
            accounts.grant_role(
                session, actor, user_id=user.id, role=role, environment_id=where
            )
            held = accounts.scopes_of(session, user.id, house.environment_id)
            raise _Undo
    except _Undo:
        assert held <= giver
    except Denied as error:
        refused = error.code
    assert (refused is None) is may
    assert refused in (None, "scope_missing", "grant_exceeds_own")


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMIN])
def test_s04_no_token_exceeds_its_maker(house: Installation, role: Role) -> None:
    browser = house.signed_in(role)
    for scope in Scope:
        answer = browser.api("POST", "/tokens", json={"name": "t", "scopes": [scope.value]})
        wanted = 201 if scope in ROLE_SCOPES[role] else 403
        assert answer.status_code == wanted, (role, scope, answer.json)
    both = browser.api("POST", "/tokens", json={"name": "t", "scopes": sorted(ALL_SCOPES)})
    assert both.json["code"] == "grant_exceeds_own"


def test_s04_a_token_makes_no_tokens_and_grants_here_only(house: Installation) -> None:
    api = house.api(house.token())
    person, _ = house.person(None)
    assert api.post("/tokens", json={"name": "t", "scopes": []}).json["code"] == "session_required"
    for body, status in (({"role": "viewer"}, 201), ({"role": "viewer", "everywhere": True}, 403)):
        answer = api.post(f"/users/{person}/roles", json=body)
        assert answer.status_code == status, answer.json


def test_s04_fresh_passwords(house: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import timedelta

    from app.accounts import fresh

    browser = house.signed_in()
    person, _ = house.person(None)
    monkeypatch.setattr(fresh, "FRESH", timedelta(0))
    for path, body in (
        (f"/users/{person}/roles", {"role": "viewer"}),
        ("/workers", {"name": "w"}),
        ("/tokens", {"name": "t", "scopes": ["secrets:read:value"]}),
        ("/users", {"email": "new@example.com", "password": "correct horse", "role": "viewer"}),
    ):
        answer = browser.api("POST", path, json=body)
        assert answer.json["code"] == "reauthentication_required", (path, answer.json)
    plain = browser.api("POST", "/tokens", json={"name": "t", "scopes": ["secrets:read"]})
    assert plain.status_code == 201


def test_s04_the_last_administrator_stays(tmp_path_factory: pytest.TempPathFactory) -> None:
    house = Installation.make(tmp_path_factory.mktemp("last") / "home")
    try:
        browser = house.signed_in()
        (chief,) = browser.api("GET", "/users").json["items"]
        grant = chief["roles"][0]["id"]
        house.person(Role.ADMIN, environment_id=house.environment_id)
        for method, path in (("POST", f"/users/{chief['id']}/disable"),
                             ("DELETE", f"/users/{chief['id']}/roles/{grant}")):
            answer = browser.api(method, path)
            assert answer.status_code == 409, answer.json
            assert answer.json["code"] == "last_admin"
        second, _ = house.person(Role.ADMIN)
        assert browser.api("POST", f"/users/{second}/disable").status_code == 200
        # Somebody who is shut out doesn't count.
        assert browser.api("POST", f"/users/{chief['id']}/disable").status_code == 409
        assert browser.api("POST", f"/users/{second}/enable").status_code == 200
        assert browser.api("DELETE", f"/users/{chief['id']}/roles/{grant}").status_code == 204
    finally:
        house.services.close()


IDS = [".", "..", "%2e%2e", "..%2f", "%2f", "..%5c", "%00", "a/../b", "*", "%25", " "]


@pytest.mark.parametrize("text", IDS)
def test_s04_ids_are_ids(house: Installation, text: str) -> None:
    token = house.token()
    for route in TABLE:
        if not route.ids or route.session_only:
            continue
        address = route.address(dict.fromkeys(route.ids, text))
        answer = house.api(token).call(route.method, address, **route.options())
        assert answer.status_code in (404, 405), (route.name, text, answer.json)


@settings(max_examples=40, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(min_size=1, max_size=60))
def test_s04_no_text_but_an_id_finds_anything(
    house: Installation, admin: Browser, text: str
) -> None:
    from urllib.parse import quote

    try:
        address = f"/secrets/{quote(text, safe='')}/versions"
    except UnicodeEncodeError:
        return
    assert admin.api("GET", address).status_code == 404


class _Undo(Exception):
    """Rolls a transaction back."""
