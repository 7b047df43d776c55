"""Statement 13: the same Idempotency-Key and body twice is one secret; another body is 409; what is
stored of a request is a keyed HMAC, and answers hold no value.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from app.accounts import idempotency
from app.accounts.scopes import Role
from app.ids import new_id
from tests.support.database import raw_database
from tests.support.installation import Api, Installation, canary


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation for the module."""
    made = Installation.make(tmp_path_factory.mktemp("once") / "home")
    yield made
    made.services.close()


@pytest.fixture(scope="module")
def api(house: Installation) -> Api:
    """A client that may do everything."""
    return house.api(house.token())


def _post(api: Api, path: str, body: Any, key: str) -> TestResponse:
    return api.post(path, data=json.dumps(body), content_type="application/json",
                    headers={"Idempotency-Key": key})


def _rows(house: Installation) -> list[tuple[Any, ...]]:
    with raw_database(house.config) as raw:
        rows: list[tuple[Any, ...]] = raw.execute("select * from idempotency_keys").fetchall()
        return rows


def test_s13_idempotency(api: Api) -> None:
    key, body = new_id(), {"name": canary(), "value": canary()}
    first = _post(api, "/secrets", body, key)
    again = _post(api, "/secrets", body, key)
    assert first.status_code == again.status_code == 201
    assert first.get_data() == again.get_data()
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    for name in ("ETag", "Location", "Content-Type"):
        assert again.headers[name] == first.headers[name]
    assert len(api.get(f"/secrets?q={body['name']}").json["items"]) == 1

    other = _post(api, "/secrets", {**body, "value": canary()}, key)
    assert other.status_code == 409
    assert other.json["code"] == "idempotency_key_reused"
    elsewhere = _post(api, "/flows", {"name": "f"}, key)
    assert elsewhere.json["code"] == "idempotency_key_reused"
    for answer in (first, again, other):
        assert body["value"] not in answer.get_data(as_text=True)


def test_s13_each_deed_is_done_once(api: Api) -> None:
    secret = api.post("/secrets", json={"name": canary(), "value": canary()}).json
    path = f"/secrets/{secret['id']}"
    api.put(f"{path}/rotate", json={"value": canary()})
    key = new_id()
    answers = [_post(api, f"{path}/versions/1/activate", {}, key) for _ in range(3)]
    assert [answer.json["revision"] for answer in answers] == [3, 3, 3]
    # A repeated answer is the first one, whatever has happened since.
    api.post(f"{path}/versions/2/activate")
    assert _post(api, f"{path}/versions/1/activate", {}, key).json["active_version"] == 1
    assert api.get(path).json["active_version"] == 2


def test_s13_a_refused_request_leaves_its_key_free(api: Api) -> None:
    key, name = new_id(), canary()
    assert _post(api, "/secrets", {"name": name, "value": "abc"}, key).status_code == 422
    assert _post(api, "/secrets", {"name": name, "value": canary()}, key).status_code == 201
    taken = _post(api, "/secrets", {"name": name, "value": canary()}, new_id())
    assert taken.status_code == 409
    assert taken.json["code"] == "secret_name_taken"


def test_s13_keys_belong_to_who_sent_them(house: Installation, api: Api) -> None:
    key, body = new_id(), {"name": "the same"}
    mine = _post(api, "/flows", body, key)
    theirs = _post(house.api(house.token()), "/flows", body, key)
    staging = house.environment(f"e{new_id()[:8]}")
    user, _ = house.person(Role.ADMIN)
    there = _post(house.api(house.token(user_id=user, environment_id=staging)), "/flows", body, key)
    here = _post(house.api(house.token(user_id=user)), "/flows", body, key)
    assert len({answer.json["id"] for answer in (mine, theirs, there, here)}) == 4
    weak = house.api(house.token("flows:read", user_id=user))
    assert _post(weak, "/flows", body, key).status_code == 403


def test_s13_at_the_same_time(house: Installation, api: Api) -> None:
    key, body = new_id(), {"name": canary(), "value": canary()}
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(
            lambda _: _post(house.api(api.token), "/secrets", body, key), range(12)
        ))
    # Who asks between the deed and the keeping of its answer is told that it was done.
    for answer in answers:
        assert answer.status_code == 201 or answer.json["code"] == "idempotency_answer_gone"
    done = [answer for answer in answers if answer.status_code == 201]
    assert len({answer.get_data() for answer in done}) == 1
    assert len([one for one in done if "Idempotency-Replayed" not in one.headers]) == 1
    assert len(api.get(f"/secrets?q={body['name']}").json["items"]) == 1
    assert _post(api, "/secrets", body, key).headers["Idempotency-Replayed"] == "true"


def test_s13_what_is_shown_once_is_kept_nowhere(house: Installation) -> None:
    browser = house.signed_in()
    for path, body, field in (
        ("/tokens", {"name": "t", "scopes": ["flows:read"]}, "token"),
        ("/workers", {"name": "w"}, "code"),
    ):
        headers = {"Idempotency-Key": new_id()}
        made = browser.api("POST", path, json=body, headers=headers)
        assert made.status_code == 201
        again = browser.api("POST", path, json=body, headers=headers)
        assert again.status_code == 409
        assert again.json["code"] == "idempotency_answer_gone"
        text = str(_rows(house))
        assert made.json[field] not in text
        assert made.json[field] not in again.get_data(as_text=True)
    assert len(browser.api("GET", "/tokens").json["items"]) == 1


def test_s13_the_fingerprint_is_no_oracle(house: Installation, api: Api) -> None:
    """Who reads the database can't try out values: nothing in a row follows from them alone."""
    key, body = new_id(), {"name": canary(), "value": canary()}
    text = json.dumps(body)
    before = _rows(house)
    _post(api, "/secrets", body, key)
    (row,) = [row for row in _rows(house) if row not in before]
    stored = repr(row)
    assert body["value"] not in stored
    for made in ("sha256", "sha1", "md5", "sha512", "blake2b"):
        for tried in (body["value"], text, f"POST/api/v1/secrets{text}"):
            digest = hashlib.new(made, tried.encode())
            assert digest.hexdigest() not in stored
            assert digest.digest() not in [part for part in row if isinstance(part, bytes)]
    # The same request under the same key has another fingerprint in another installation.
    named = idempotency.Named("id", "sent")
    with house.services.db.read() as session:
        seals = session.info["seals"]
    ours = seals.mac_row("idempotency", {"id": named.id, "sent": named.sent})[1]
    theirs = type(seals)(b"r" * 32, b"a" * 32)
    assert theirs.mac_row("idempotency", {"id": named.id, "sent": named.sent})[1] != ours
    # ETags are revisions.
    assert api.post("/secrets", json={"name": canary(), "value": canary()}).headers["ETag"] == '"1"'


def test_s13_keys_end_after_a_day(
    house: Installation, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "LIFETIME", timedelta(seconds=-1))
    key = new_id()
    first, second = (_post(api, "/flows", {"name": "f"}, key) for _ in range(2))
    assert first.status_code == second.status_code == 201
    assert first.json["id"] != second.json["id"]
    monkeypatch.undo()
    kept = len(_rows(house))
    with house.services.db.begin() as session:
        assert idempotency.purge_idempotency_keys(session) == 1
    assert len(_rows(house)) == kept - 1


bodies = st.fixed_dictionaries({"name": st.text(min_size=1, max_size=8)}, optional={
    "description": st.text(max_size=8)
})


@settings(max_examples=40, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=st.lists(st.tuples(st.sampled_from("ab"), bodies), min_size=2, max_size=6))
def test_s13_any_order_of_requests(api: Api, sent: list[tuple[str, dict[str, str]]]) -> None:
    keys = {name: new_id() for name in "ab"}
    done: dict[str, tuple[dict[str, str], bytes]] = {}
    for name, body in sent:
        answer = _post(api, "/flows", body, keys[name])
        if name not in done:
            assert answer.status_code in (201, 422)
            if answer.status_code == 201:
                done[name] = (body, answer.get_data())
        elif done[name][0] == body and json.dumps(done[name][0]) == json.dumps(body):
            assert answer.get_data() == done[name][1]
        else:
            assert answer.status_code == 409


@pytest.mark.parametrize("key", ["", " ", "a b", "é", "x" * 201, "\t"])
def test_s13_keys_that_are_none(api: Api, key: str) -> None:
    answer = _post(api, "/flows", {"name": "f"}, key.encode().decode("latin-1"))
    assert answer.status_code == 422
    assert answer.json["code"] == "idempotency_key_invalid"
