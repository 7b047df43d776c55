"""Secrets through their services: what is kept, what is refused, and never a value out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.accounts.scopes import Scope
from app.errors import Conflict, Denied, Invalid, NotFound, Stale, TacitError
from app.ids import new_id
from app.vault import NewSecret
from app.vault import service as secrets
from app.vault.lookup import resolve
from tests.integration.vault.conftest import Place
from tests.support.database import dump_rows
from tests.support.installation import canary


def test_what_was_created_is_shown_without_its_value(place: Place) -> None:
    value = canary()
    made = place.create(
        "team/db", value, description="The database", tags=["prod", "db", "prod"],
        rotation_period_days=90, allowed_hosts=["API.example.com"], owner="ops@example.com",
    )
    shown = place.get(made.id)
    assert shown == made
    assert (shown.name, shown.description, shown.owner) == (
        "team/db", "The database", "ops@example.com"
    )
    assert (shown.tags, shown.allowed_hosts) == (["prod", "db"], ["api.example.com"])
    assert (shown.state, shown.active_version, shown.versions, shown.revision) == (
        "enabled", 1, 1, 1
    )
    assert shown.due_at == shown.rotated_at + timedelta(days=90)
    assert shown.last_accessed_at is None
    assert shown.masked_value == "***"
    assert place.create("other").owner == place.actor.name
    for seen in (repr(shown), str(dataclasses.asdict(shown)), repr(place.names())):
        assert value not in seen


def test_a_value_is_nowhere_in_the_database_files(place: Place) -> None:
    value = canary()
    made = place.create("one", value)
    rotated = canary()
    place.rotate(made.id, rotated)
    assert place.value(made.id) == rotated
    assert place.value(made.id, 1) == value
    content = dump_rows(place.workshop.installation.config)
    assert value.encode() not in content
    assert rotated.encode() not in content
    assert made.name.encode() in content


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"name": "/bad"}, "secret_name_invalid", "name"),
        ({"value": " "}, "secret_blank", "value"),
        ({"value": "abcd"}, "secret_too_weak", "value"),
        ({"tags": [""]}, "tag_invalid", "tags"),
        ({"tags": [str(n) for n in range(51)]}, "too_many_tags", "tags"),
        ({"allowed_hosts": ["a/b"]}, "allowed_host_invalid", "allowed_hosts"),
        ({"allowed_flows": ["x"]}, "allowed_flow_invalid", "allowed_flows"),
        ({"rotation_period_days": 0}, "rotation_period_invalid", "rotation_period_days"),
        ({"description": "d" * 2001}, "description_too_long", "description"),
        ({"owner": "a\nb"}, "owner_invalid", "owner"),
    ],
)
def test_a_refused_create_leaves_nothing(
    place: Place, fields: dict[str, Any], code: str, field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        place.create(**{"name": "one", **fields})
    assert (caught.value.code, caught.value.field) == (code, field)
    assert place.names() == []
    assert _count(place, "secret_tags") == _count(place, "secrets") == 0


def _count(place: Place, table: str) -> int:
    with place.begin() as session:
        query = text(f"select count(*) from {table} where environment_id = :id")
        return int(session.execute(query, {"id": place.environment_id}).scalar_one())


def test_a_weak_value_is_taken_when_that_is_wanted(place: Place) -> None:
    made = place.create("pin", "abcd", allow_weak=True)
    assert place.value(made.id) == "abcd"
    with pytest.raises(Invalid):
        place.rotate(made.id, "efgh")
    assert place.rotate(made.id, "efgh", allow_weak=True).active_version == 2


def test_names_are_unique_in_their_environment_and_compared_exactly(place: Place) -> None:
    place.create("Token")
    place.create("token")
    with pytest.raises(Conflict) as caught:
        place.create("token")
    assert (caught.value.code, caught.value.field) == ("secret_name_taken", "name")
    elsewhere = place.workshop.installation.environment(f"e{new_id()}")
    actor = place.workshop.actor(environment_id=elsewhere)
    with place.begin() as session:
        new = NewSecret(name="token", value=canary())
        assert secrets.create_secret(session, actor, place.vault, new).name == "token"


def test_two_creates_of_one_name(place: Place) -> None:
    def create(_: int) -> str:
        try:
            return place.create("same").id
        except Conflict as error:
            return error.code

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(create, range(8)))
    assert answers.count("secret_name_taken") == 7
    assert place.names() == ["same"]


def test_lists_search_tags_and_order(place: Place) -> None:
    place.create("alpha", description="Stripe live", tags=["prod"])
    place.create("beta", tags=["prod", "db"])
    place.create("Gamma", description="50%_off\\", tags=["dev"])
    assert place.names() == ["Gamma", "alpha", "beta"]
    assert place.names(sort="-name") == ["beta", "alpha", "Gamma"]
    assert place.names(sort="created") == ["alpha", "beta", "Gamma"]
    assert place.names(sort="-created") == ["Gamma", "beta", "alpha"]
    assert place.names(q="ALP") == ["alpha"]
    assert place.names(q="stripe") == ["alpha"]
    assert place.names(q="a") == ["Gamma", "alpha", "beta"]
    assert place.names(q="%_") == ["Gamma"]
    assert place.names(q="\\") == ["Gamma"]
    assert place.names(q="' or 1=1 --") == []
    assert place.names(tag="prod") == ["alpha", "beta"]
    assert place.names(tag="pro") == []
    assert place.names(tag="prod", q="beta") == ["beta"]
    with pytest.raises(Invalid) as caught:
        place.names(sort="value")
    assert caught.value.field == "sort"
    for limit in (0, 201):
        with pytest.raises(Invalid):
            place.names(limit=limit)


@pytest.mark.parametrize("sort", ["name", "-name", "created", "-created"])
def test_pages_join_up(place: Place, sort: str) -> None:
    for number in range(7):
        place.create(f"s{number}")
    whole = place.names(sort=sort)
    seen: list[str] = []
    cursor = None
    for _ in range(4):
        with place.begin() as session:
            page = secrets.list_secrets(session, place.actor, sort=sort, cursor=cursor, limit=2)
        seen += [item.name for item in page.items]
        cursor = page.next_cursor
        # What comes and goes between two pages neither repeats nor hides the others.
    assert seen == whole
    assert cursor is None


def test_a_cursor_stays_good_while_the_list_changes(place: Place) -> None:
    made = [place.create(f"s{number}") for number in range(4)]
    with place.begin() as session:
        page = secrets.list_secrets(session, place.actor, limit=2)
    place.delete(made[1].id)
    place.create("s0a")
    assert place.names(cursor=page.next_cursor) == ["s2", "s3"]


def test_rotation_keeps_every_version(place: Place) -> None:
    values = [canary() for _ in range(3)]
    made = place.create("one", values[0])
    for value in values[1:]:
        place.rotate(made.id, value)
    shown = place.get(made.id)
    assert (shown.active_version, shown.versions, shown.revision) == (3, 3, 3)
    assert shown.rotated_at > made.rotated_at
    assert [place.value(made.id, number) for number in (1, 2, 3)] == values
    assert place.value(made.id) == values[2]
    with place.begin() as session:
        versions = secrets.list_versions(session, place.actor, made.id)
    assert [(item.number, item.active) for item in versions] == [(3, True), (2, False), (1, False)]
    assert not any(value in repr(versions) for value in values)


def test_a_refused_rotation_changes_nothing(place: Place) -> None:
    value = canary()
    made = place.create("one", value)
    for bad in (" ", "abcd", "x" * 70_000):
        with pytest.raises(Invalid):
            place.rotate(made.id, bad)
    assert place.get(made.id).revision == 1
    assert place.value(made.id) == value


def test_if_match(place: Place) -> None:
    made = place.create()
    assert place.rotate(made.id, if_match=1).revision == 2
    with pytest.raises(Stale) as caught:
        place.rotate(made.id, if_match=1)
    assert caught.value.code == "secret_changed"
    assert place.actor.name in caught.value.detail
    with pytest.raises(Stale):
        place.delete(made.id, if_match=1)
    assert place.get(made.id).active_version == 2
    place.delete(made.id, if_match=2)


def test_two_rotates_on_one_revision(place: Place) -> None:
    made = place.create()

    def rotate(_: int) -> str:
        try:
            return str(place.rotate(made.id, if_match=1).active_version)
        except Stale as error:
            return error.code

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(rotate, range(2))) == ["2", "secret_changed"]
    assert place.get(made.id).versions == 2


def test_fifty_rotates_at_once_keep_every_value_in_order(place: Place) -> None:
    made = place.create()
    values = [canary() for _ in range(50)]
    with ThreadPoolExecutor(10) as pool:
        views = list(pool.map(lambda value: place.rotate(made.id, value), values))
    numbers = [view.active_version for view in views]
    assert sorted(numbers) == list(range(2, 52))
    shown = place.get(made.id)
    assert (shown.active_version, shown.versions, shown.revision) == (51, 51, 51)
    for number, value in list(zip(numbers, values, strict=True))[::7]:
        assert place.value(made.id, number) == value


def test_what_is_deleted_is_gone_and_its_name_reserved(place: Place) -> None:
    made = place.create("one")
    place.delete(made.id)
    assert place.names() == []
    with place.begin() as session:
        assert secrets.find_by_name(session, place.actor, "one") is None
    for deed in (place.get, place.rotate, place.delete, place.value):
        with pytest.raises(NotFound) as caught:
            deed(made.id)
        assert caught.value.code == "secret_not_found"
    with pytest.raises(Conflict) as reserved:
        place.create("one")
    assert (reserved.value.code, reserved.value.field) == ("secret_name_reserved", "name")


def test_another_environments_secret_is_as_one_that_never_was(place: Place) -> None:
    made = place.create("one")
    elsewhere = place.workshop.installation.environment(f"e{new_id()}")
    actor = place.workshop.actor(environment_id=elsewhere)

    def deeds(secret_id: str) -> list[tuple[str, str]]:
        answers = []
        for deed in (secrets.get_secret, secrets.list_versions, secrets.delete_secret):
            with pytest.raises(NotFound) as caught, place.begin() as session:
                deed(session, actor, secret_id)
            answers.append((caught.value.code, caught.value.detail))
        with pytest.raises(NotFound) as caught, place.begin() as session:
            secrets.rotate_secret(session, actor, place.vault, secret_id, value=canary())
        return [*answers, (caught.value.code, caught.value.detail)]

    assert deeds(made.id) == deeds(new_id()) == deeds("..")
    with place.begin() as session:
        assert secrets.list_secrets(session, actor).items == []
        assert secrets.find_by_name(session, actor, "one") is None


def test_scopes(place: Place) -> None:
    made = place.create()
    all_but = frozenset(Scope) - {Scope.SECRETS_READ, Scope.SECRETS_MANAGE}
    nobody = place.may_only(*all_but)
    reader = place.may_only(Scope.SECRETS_READ)
    new = NewSecret(name="two", value=canary())
    reads: list[Callable[..., Any]] = [
        lambda session, actor: secrets.get_secret(session, actor, made.id),
        lambda session, actor: secrets.list_secrets(session, actor),
        lambda session, actor: secrets.find_by_name(session, actor, "one"),
        lambda session, actor: secrets.list_versions(session, actor, made.id),
    ]
    writes: list[Callable[..., Any]] = [
        lambda session, actor: secrets.create_secret(session, actor, place.vault, new),
        lambda session, actor: secrets.rotate_secret(
            session, actor, place.vault, made.id, value=canary()
        ),
        lambda session, actor: secrets.delete_secret(session, actor, made.id),
    ]
    for actor, deeds, scope in (
        (nobody, reads, "secrets:read"), (nobody, writes, "secrets:manage"),
        (reader, writes, "secrets:manage"),
    ):
        for deed in deeds:
            with pytest.raises(Denied) as caught, place.begin() as session:
                deed(session, actor)
            assert caught.value.code == "scope_missing"
            assert scope in caught.value.detail
            assert caught.value.audit is not None
    assert place.names() == ["one"]


def test_a_value_is_for_tokens_with_the_scope_alone(place: Place) -> None:
    from app.vault.reveal import reveal_for_token

    value = canary()
    made = place.create("one", value)
    session_actor = place.actor
    weak_token = dataclasses.replace(
        place.may_only(*(frozenset(Scope) - {Scope.SECRETS_READ_VALUE})), kind="token"
    )
    for actor, code in ((session_actor, "value_needs_token"), (weak_token, "scope_missing")):
        with pytest.raises(Denied) as caught, place.begin() as session:
            reveal_for_token(session, actor, place.vault, made.id)
        assert caught.value.code == code
        assert value not in str(caught.value)
    for version in (0, 2, -1):
        with pytest.raises(NotFound):
            place.value(made.id, version)


def test_names_are_looked_up(place: Place) -> None:
    flow_id = new_id()
    place.create("open")
    made = place.create("closed", allowed_flows=[flow_id])
    place.create("pinned")
    place.delete(place.create("gone").id)
    wanted = [("open", None), ("open", 1), ("open", 2), ("closed", None), ("gone", None),
              ("never", None), ("OPEN", None)]

    def statuses(flow: str | None) -> list[str]:
        with place.begin() as session:
            found = resolve(session, place.environment_id, wanted, flow_id=flow)
        return [found[key].status for key in wanted]

    assert statuses(flow_id) == [
        "found", "found", "pin_missing", "found", "missing", "missing", "missing"
    ]
    assert statuses(None)[3] == statuses(new_id())[3] == "denied"
    with place.begin() as session:
        assert resolve(session, place.environment_id, [], flow_id=None) == {}
        other = resolve(session, new_id(), [("open", None)], flow_id=None)
        assert other["open", None].status == "missing"
        secrets.disable_version(session, place.actor, made.id, 1)
    assert statuses(flow_id)[3] == "disabled"


@pytest.mark.parametrize("pin", [10**30, 2**63, -1, 0])
def test_a_pin_beyond_any_version_is_missing(place: Place, pin: int) -> None:
    place.create("one")
    with place.begin() as session:
        found = resolve(session, place.environment_id, [("one", pin)], flow_id=None)
    assert found["one", pin].status == "pin_missing"


def test_values_survive_byte_for_byte(place: Place) -> None:
    for number, value in enumerate(
        ["pässwörd-日本語-🔑", " spaces kept \n", '{"a": "json text"}', "line\r\nline\ttwo" * 3,
         "x" * 60_000 + "abcdef"]
    ):
        made = place.create(f"s{number}", value, allow_weak=True)
        assert place.value(made.id) == value


def test_every_refusal_can_be_shown(place: Place) -> None:
    """A refusal is a sentence with a code; it never holds what was sent as a value."""
    value = canary()
    deeds: list[Callable[[], Any]] = [
        lambda: place.create("/x", value),
        lambda: place.rotate(new_id(), value),
        lambda: place.create("ok", value, tags=[""]),
    ]
    for deed in deeds:
        with pytest.raises(TacitError) as caught:
            deed()
        assert caught.value.code.islower()
        assert caught.value.detail.endswith(".")
        assert value not in repr(caught.value) + caught.value.detail
