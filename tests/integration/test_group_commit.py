"""Works that share a commit: what one does or fails to do is nothing to the others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app import audit
from app.audit import Action, Who
from app.audit.models import AuditEvent
from app.db import Database
from app.groups import GroupCommit
from app.ids import new_id
from tests.support.database import audit_refusing
from tests.support.runs import Workshop


class Failed(Exception):
    """A work's own failure."""


@pytest.fixture
def db(workshop: Workshop) -> Database:
    """The module's database."""
    return workshop.installation.services.db


@pytest.fixture
def who(workshop: Workshop) -> Who:
    """Somebody in an environment of the test's own."""
    return Who("session", None, "x", workshop.installation.environment(f"e{new_id()}"))


def together(db: Database, *works: Callable[[Session], Any]) -> list[Any]:
    """Do works in one commit; returns each one's result or error."""
    group = GroupCommit(db.begin)
    answers: list[Any] = [None] * len(works)

    def call(number: int) -> None:
        try:
            answers[number] = group.run(works[number])
        except BaseException as error:
            answers[number] = error

    threads = [threading.Thread(target=call, args=(number,)) for number in range(len(works))]
    with group._leader:
        for number, thread in enumerate(threads, start=1):
            thread.start()
            while len(group._waiting) < number:
                time.sleep(0.001)
    for thread in threads:
        thread.join(10)
    return answers


def events(db: Database, who: Who) -> list[tuple[int, str | None]]:
    """Return the audit of the test's environment."""
    with db.read() as session:
        query = select(AuditEvent.seq, AuditEvent.target)
        found = session.execute(
            query.where(AuditEvent.environment_id == who.environment_id).order_by(AuditEvent.seq)
        )
        return [(seq, target) for seq, target in found]


def writes(who: Who, name: str, *, fail: bool = False) -> Callable[[Session], str]:
    """Return a work that records an event, and may fail afterwards."""

    def work(session: Session) -> str:
        audit.record(session, actor=who, action=Action.FLOW_SAVE, target=name)
        if fail:
            raise Failed
        return name

    return work


def test_each_gets_its_own_answer(db: Database, who: Who) -> None:
    names = [f"w{number}" for number in range(5)]
    assert together(db, *(writes(who, name) for name in names)) == names
    assert events(db, who) == list(enumerate(names, start=1))


def test_one_that_fails_leaves_nothing_and_harms_nobody(db: Database, who: Who) -> None:
    answers = together(
        db, writes(who, "a"), writes(who, "b", fail=True), writes(who, "c"),
    )
    assert [answers[0], type(answers[1]), answers[2]] == ["a", Failed, "c"]
    assert events(db, who) == [(1, "a"), (2, "c")]
    answers = together(db, writes(who, "d", fail=True), writes(who, "e"))
    assert [type(answers[0]), answers[1]] == [Failed, "e"]
    assert events(db, who)[-1] == (3, "e")


def test_what_a_failed_work_put_in_front_takes_nothing_of_the_others_with_it(
    db: Database, who: Who
) -> None:
    """The list of what is written last holds the audit's own part: it must stay."""

    def in_front(session: Session) -> None:
        session.info["at_commit"].insert(0, lambda _: None)
        raise Failed

    answers = together(db, writes(who, "a"), in_front)
    assert [answers[0], type(answers[1])] == ["a", Failed]
    assert events(db, who) == [(1, "a")]


def test_a_work_that_breaks_a_constraint(db: Database, who: Who) -> None:
    def twice(session: Session) -> None:
        session.execute(text("insert into spent_tokens values ('same-jti', '2026-01-01')"))
        session.execute(text("insert into spent_tokens values ('same-jti', '2026-01-01')"))

    answers = together(db, twice, writes(who, "a"))
    assert "unique" in str(answers[0]).lower()
    assert answers[1] == "a"
    with db.read() as session:
        count = session.execute(
            text("select count(*) from spent_tokens where jti = 'same-jti'")
        ).scalar_one()
    assert count == 0


def test_a_commit_that_fails_is_every_works_failure(
    workshop: Workshop, db: Database, who: Who
) -> None:
    with audit_refusing(workshop.installation.config):
        answers = together(db, writes(who, "a"), writes(who, "b"))
    assert all("disk full" in str(answer) for answer in answers)
    assert events(db, who) == []
    assert together(db, writes(who, "c")) == ["c"]


def test_a_work_alone(db: Database, who: Who) -> None:
    assert together(db, writes(who, "a")) == ["a"]
    assert isinstance(together(db, writes(who, "b", fail=True))[0], Failed)
    assert events(db, who) == [(1, "a")]
