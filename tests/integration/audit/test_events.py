"""The audit: each deed one event in its own transaction, in chains without a gap."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app import audit
from app.accounts.scopes import Scope
from app.audit import Action, AuditNote, Who
from app.audit.events import INSTALLATION
from app.audit.models import AuditChain, AuditEvent
from app.audit.reading import AuditFilter, list_events
from app.db import Database
from app.errors import Denied, Invalid
from app.http.work import unit_of_work
from app.ids import iso, new_id
from app.keys.seals import Seals
from app.paging import Page, encode_cursor
from app.vault import NewSecret
from app.vault import service as secrets
from tests.support.database import audit_refusing
from tests.support.installation import canary
from tests.support.runs import Workshop


@pytest.fixture
def db(workshop: Workshop) -> Database:
    """The module's database."""
    return workshop.installation.services.db


@pytest.fixture
def who(workshop: Workshop) -> Who:
    """Somebody in an environment of the test's own."""
    place = workshop.installation.environment(f"e{new_id()}")
    return Who("session", workshop.user_id, workshop.email, place, "request-1", "127.0.0.1")


def written(db: Database, chain: str | None) -> list[AuditEvent]:
    """Return a chain's events in order."""
    with db.read() as session:
        query = select(AuditEvent).where(AuditEvent.chain == chain).order_by(AuditEvent.seq)
        return list(session.scalars(query))


def recompute(db: Database, chain: str) -> None:
    """Go over a chain by hand: numbers without a gap, each link over the one before, the head."""
    seals = _seals(db)
    link, seq = b"\0" * 32, 0
    for event in written(db, chain):
        seq += 1
        assert event.seq == seq
        fields = {
            column.name: getattr(event, column.name)
            for column in AuditEvent.__table__.columns
            if column.name != "mac"
        }
        link = seals.mac_audit(link, {**fields, "at": iso(event.at)})
        assert event.mac == link, f"event {seq} of {chain}"
    with db.read() as session:
        head = session.get_one(AuditChain, chain)
        assert (head.seq, head.mac, head.key_id) == (seq, link, seals.audit_key_id)


def _seals(db: Database) -> Seals:
    with db.read() as session:
        seals: Seals = session.info["seals"]
        return seals


def test_an_event_says_who_did_what(db: Database, who: Who) -> None:
    with db.begin() as session:
        audit.record(
            session, actor=who, action=Action.SECRET_READ, secret_id="s", flow_id="f", run_id="r",
            node="n", target="t", data={"a": [1, None, "ä"]},
        )
    (event,) = written(db, who.environment_id)
    assert (event.actor_kind, event.actor_id, event.actor_name) == ("session", who.id, who.name)
    assert (event.action, event.outcome) == ("secret.read", "ok")
    assert (event.secret_id, event.flow_id, event.run_id, event.node, event.target) == (
        "s", "f", "r", "n", "t"
    )
    assert (event.request_id, event.address) == ("request-1", "127.0.0.1")
    assert event.data == {"a": [1, None, "ä"]}
    assert event.at.tzinfo is not None
    assert event.environment_id == event.chain == who.environment_id
    recompute(db, event.chain)


def test_a_deed_that_fails_leaves_no_event(db: Database, who: Who) -> None:
    class Failed(Exception):
        pass

    def deed(session: Session) -> None:
        audit.record(session, actor=who, action=Action.SECRET_CREATE)
        raise Failed

    with pytest.raises(Failed), db.begin() as session:
        deed(session)
    assert written(db, who.environment_id) == []
    with db.begin() as session:
        audit.record(session, actor=who, action=Action.SECRET_CREATE)
    assert [event.seq for event in written(db, who.environment_id)] == [1]


def test_an_event_that_can_not_be_written_undoes_the_deed(workshop: Workshop) -> None:
    db = workshop.installation.services.db
    vault = workshop.installation.services.vault
    actor = workshop.actor(environment_id=workshop.installation.environment(f"e{new_id()}"))
    assert vault is not None
    with audit_refusing(workshop.installation.config):
        with pytest.raises(Exception, match="disk full"), db.begin() as session:
            secrets.create_secret(session, actor, vault, NewSecret(name="one", value=canary()))
    with db.read() as session:
        assert secrets.list_secrets(session, actor).items == []


def test_events_need_a_transaction_that_writes(db: Database, who: Who) -> None:
    with pytest.raises(RuntimeError), db.read() as session:
        audit.record(session, actor=who, action=Action.SECRET_READ)


def test_what_belongs_to_no_environment_has_a_chain_of_its_own(db: Database) -> None:
    before = len(written(db, INSTALLATION))
    nobody = Who("system", None, "tacit", None)
    with db.begin() as session:
        audit.record(session, actor=nobody, action=Action.LOGIN, outcome="failed")
    events = written(db, INSTALLATION)
    assert len(events) == before + 1
    assert (events[-1].environment_id, events[-1].outcome) == (None, "failed")
    recompute(db, INSTALLATION)


def test_one_transaction_may_write_to_several_chains(
    workshop: Workshop, db: Database, who: Who
) -> None:
    other = Who("session", None, "x", workshop.installation.environment(f"e{new_id()}"))
    with db.begin() as session:
        for actor in (who, other, who, Who("system", None, "tacit", None), other):
            audit.record(session, actor=actor, action=Action.FLOW_SAVE)
    for place in (who.environment_id, other.environment_id):
        assert place is not None
        assert [event.seq for event in written(db, place)] == [1, 2]
        recompute(db, place)
    recompute(db, INSTALLATION)


def test_each_deed_with_a_secret_is_one_event(workshop: Workshop) -> None:
    from app.vault.reveal import reveal_for_token

    db = workshop.installation.services.db
    place = workshop.installation.environment(f"e{new_id()}")
    actor, vault = workshop.actor(environment_id=place), workshop.installation.services.vault
    token = workshop.actor(environment_id=place, token_id=new_id())
    assert vault is not None
    values = [canary() for _ in range(2)]
    with db.begin() as session:
        new = NewSecret(name="one", value=values[0])
        made = secrets.create_secret(session, actor, vault, new)
    deeds: list[tuple[str, Any]] = [
        ("secret.read", lambda session: secrets.get_secret(session, actor, made.id)),
        ("secret.list", lambda session: secrets.list_secrets(session, actor)),
        ("secret.rotate", lambda session: secrets.rotate_secret(
            session, actor, vault, made.id, value=values[1]
        )),
        ("secret.reveal", lambda session: reveal_for_token(session, token, vault, made.id)),
        ("secret.version", lambda session: secrets.disable_version(session, actor, made.id, 1)),
        ("secret.update", lambda session: secrets.describe_secret(
            session, actor, made.id, secrets.SecretChange(description="x")
        )),
        ("secret.delete", lambda session: secrets.delete_secret(session, actor, made.id)),
        ("secret.restore", lambda session: secrets.restore_secret(session, actor, made.id)),
    ]
    for _, deed in deeds:
        with db.begin() as session:
            deed(session)
    events = written(db, place)
    assert [event.action for event in events] == ["secret.create"] + [name for name, _ in deeds]
    assert {event.secret_id for event in events if event.action != "secret.list"} == {made.id}
    assert {event.outcome for event in events} == {"ok"}
    seen = json.dumps([event.data for event in events]) + repr([vars(event) for event in events])
    assert not any(value in seen for value in values)
    recompute(db, place)


def test_a_denial_is_written_though_its_transaction_is_gone(workshop: Workshop) -> None:
    db = workshop.installation.services.db
    place = workshop.installation.environment(f"e{new_id()}")
    actor = workshop.actor(environment_id=place, scopes=frozenset({Scope.FLOWS_READ}))
    with pytest.raises(Denied), unit_of_work(db, actor) as session:
        secrets.list_secrets(session, actor)
    (event,) = written(db, place)
    assert (event.action, event.outcome) == ("access.deny", "denied")
    assert event.data == {"scope": "secrets:read", "code": "scope_missing"}
    assert event.actor_id == workshop.user_id


def test_an_unknown_id_is_a_denial_without_what_was_typed(workshop: Workshop) -> None:
    """An address can hold anything, a pasted value too."""
    from app.errors import NotFound

    db = workshop.installation.services.db
    place = workshop.installation.environment(f"e{new_id()}")
    actor, typed, unknown = workshop.actor(environment_id=place), canary(), new_id()
    for secret_id in (typed, unknown):
        with pytest.raises(NotFound), unit_of_work(db, actor) as session:
            secrets.get_secret(session, actor, secret_id)
    events = written(db, place)
    assert [(event.action, event.outcome) for event in events] == [("secret.read", "denied")] * 2
    assert typed not in repr([vars(event) for event in events])
    assert unknown in repr(vars(events[1]))


def test_notes(db: Database, who: Who) -> None:
    note = AuditNote(action=Action.WORKER_DENY, run_id="r", data={"reason": "x", "code": "y"})
    with db.begin() as session:
        audit.record_note(session, actor=who, note=note, code="token_invalid")
    (event,) = written(db, who.environment_id)
    assert (event.outcome, event.run_id) == ("denied", "r")
    assert event.data == {"reason": "x", "code": "token_invalid"}


def test_eight_writers_at_once_leave_no_gap(workshop: Workshop, db: Database, who: Who) -> None:
    other = Who("session", None, "x", workshop.installation.environment(f"e{new_id()}"))

    def write(number: int) -> None:
        for turn in range(5):
            with db.begin() as session:
                for actor in ((who, other) if number % 2 else (other, who)):
                    audit.record(
                        session, actor=actor, action=Action.FLOW_SAVE, data={"n": [number, turn]}
                    )

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    for actor in (who, other):
        assert actor.environment_id is not None
        events = written(db, actor.environment_id)
        assert [event.seq for event in events] == list(range(1, 41))
        assert set(Counter(tuple(event.data["n"]) for event in events).values()) == {1}
        recompute(db, actor.environment_id)


@pytest.mark.parametrize(
    "change",
    ["actor_name = 'somebody'", "outcome = 'ok'", "data = '{}'", "seq = 9", "at = '2020-01-01'",
     "environment_id = null", "secret_id = null", "action = 'secret.read'", "id = 'x'",
     "address = '1.1.1.1'", "request_id = null", "node = 'x'", "target = 'x'", "run_id = null",
     "flow_id = 'x'", "actor_kind = 'system'", "actor_id = null"],
)
def test_any_edited_column_breaks_the_chain(db: Database, who: Who, change: str) -> None:
    for _ in range(3):
        with db.begin() as session:
            audit.record(
                session, actor=who, action=Action.SECRET_USE, outcome="denied", secret_id="s",
                run_id="r", data={"version": 1},
            )
    assert who.environment_id is not None
    recompute(db, who.environment_id)
    with db.begin() as session:
        session.execute(
            text(f"update audit_events set {change} where chain = :chain and seq = 2"),
            {"chain": who.environment_id},
        )
    with pytest.raises(AssertionError):
        recompute(db, who.environment_id)


def test_reading(db: Database, who: Who) -> None:
    for number in range(5):
        with db.begin() as session:
            audit.record(
                session, actor=who, action=Action.SECRET_READ, secret_id=f"s{number % 2}",
                data={"n": number},
            )

    def read(wanted: AuditFilter | None = None, **query: Any) -> Page[AuditEvent]:
        with db.read() as session:
            return list_events(session, who, wanted or AuditFilter(), **query)

    page = read(limit=2)
    assert [item.seq for item in page.items] == [5, 4]
    rest = read(limit=9, cursor=page.next_cursor)
    assert [item.seq for item in rest.items] == [3, 2, 1]
    assert rest.next_cursor is None
    assert [item.data["n"] for item in read(AuditFilter(secret_id="s1")).items] == [3, 1]
    assert read(AuditFilter(action="secret.use")).items == []
    assert len(read(AuditFilter(actor=who.name, outcome="ok")).items) == 5
    moment = page.items[0].at
    assert [item.seq for item in read(AuditFilter(since=moment)).items] == [5]
    assert [item.seq for item in read(AuditFilter(until=moment)).items] == [4, 3, 2, 1]
    assert all(item.chain == INSTALLATION for item in read(installation=True).items)
    with db.read() as session:
        stranger = dataclasses.replace(who, environment_id=new_id())
        assert list_events(session, stranger, AuditFilter()).items == []
    for bad in ({"cursor": "x"}, {"limit": 0}, {"limit": 201}):
        with pytest.raises(Invalid):
            read(**bad)


@pytest.mark.parametrize("position", ["", "-1", "1.5", "²", "٣", "9" * 30, "x"])
def test_a_cursor_that_is_none(db: Database, who: Who, position: str) -> None:
    with db.read() as session, pytest.raises(Invalid) as caught:
        list_events(session, who, AuditFilter(), cursor=encode_cursor(position))
    assert caught.value.code == "cursor_invalid"
