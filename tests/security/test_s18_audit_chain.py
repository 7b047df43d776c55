"""Statement 18 of SECURITY.md: whatever is done to the rows of the audit is located; what honest
writers do never is.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.orm import Session

from app.audit import Action, Who, record
from app.audit.models import AuditChain, AuditEvent
from app.audit.retention import purge_before
from app.audit.verify import Finding, make_checkpoint, read_checkpoints, verify
from app.ids import new_id
from tests.support.rotating import forking, write_events
from tests.support.runs import Workshop

ANY = settings(
    max_examples=50, deadline=None, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
COUNT = 24
CHECKPOINT_AT = 15


class Chain:
    """A chain of events of an environment, with a checkpoint of its middle."""

    def __init__(self, workshop: Workshop) -> None:
        self.db = workshop.installation.services.db
        self.name = workshop.installation.environment(f"e{new_id()}")
        self.checkpoints: list[dict[str, Any]] = []
        for number in range(1, COUNT + 1):
            with self.db.begin() as session:
                record(
                    session, actor=Who("session", new_id(), f"person {number}", self.name),
                    action=list(Action)[number], target=f"thing {number}",
                    outcome="ok" if number % 3 else "denied", secret_id=new_id(),
                    data={"number": number},
                )
            if number == CHECKPOINT_AT:
                with self.db.read() as session:
                    line = json.dumps(make_checkpoint(session))
                    self.checkpoints = read_checkpoints([line], session.info["seals"])

    @contextmanager
    def changed(self) -> Iterator[Session]:
        """Open a transaction in which rows are changed as with SQL; it is rolled back."""
        with contextlib.suppress(_Undo), self.db.begin() as session:
            yield session
            raise _Undo

    def findings(self, session: Session, *, kept: bool = False) -> list[Finding]:
        session.expire_all()
        verdict = verify(session, self.checkpoints if kept else ())
        assert {finding.chain for finding in verdict.findings} <= {self.name}
        return verdict.findings

    def edit(self, session: Session, where: int, **columns: Any) -> None:
        session.execute(
            update(AuditEvent)
            .where(AuditEvent.chain == self.name, AuditEvent.seq == where).values(**columns),
            execution_options={"synchronize_session": False},
        )


class _Undo(Exception):
    pass


@pytest.fixture(scope="module")
def chain(workshop: Workshop) -> Chain:
    """The chain that all tests change and put back."""
    return Chain(workshop)


def test_s18_untouched_it_holds(chain: Chain) -> None:
    with chain.db.read() as session:
        assert verify(session, chain.checkpoints).findings == []


EDITS = {
    "at": lambda row: row.at + timedelta(microseconds=1),
    "environment_id": lambda row: None,
    "actor_kind": lambda row: "token",
    "actor_id": lambda row: new_id(),
    "actor_name": lambda row: row.actor_name + "x",
    "action": lambda row: "freeze",
    "outcome": lambda row: "failed",
    "secret_id": lambda row: None,
    "flow_id": lambda row: new_id(),
    "run_id": lambda row: new_id(),
    "node": lambda row: "n0",
    "target": lambda row: "another thing",
    "request_id": lambda row: "r",
    "address": lambda row: "10.0.0.1",
    "data": lambda row: {**row.data, "more": True},
    "mac": lambda row: bytes([row.mac[0] ^ 1]) + row.mac[1:],
    "key_id": lambda row: "0" * 16,
    "id": lambda row: new_id(),
}


def test_s18_every_column_has_an_edit() -> None:
    columns = {column.name for column in AuditEvent.__table__.columns}
    assert columns - {"chain", "seq"} == set(EDITS)


@ANY
@given(seq=st.integers(1, COUNT), column=st.sampled_from(sorted(EDITS)))
def test_s18_any_edited_row(chain: Chain, seq: int, column: str) -> None:
    with chain.changed() as session:
        row = session.scalars(
            select(AuditEvent).where(AuditEvent.chain == chain.name, AuditEvent.seq == seq)
        ).one()
        chain.edit(session, seq, **{column: EDITS[column](row)})
        found = chain.findings(session)
        assert found[0].seq == seq
        # A link that was changed breaks the next row's too, or the head's.
        assert found[0].kind in (("edited", "head") if column == "mac" else ("edited",))
        assert len(found) == (2 if column == "mac" else 1)


@ANY
@given(first=st.integers(1, COUNT - 1), count=st.integers(1, 5))
def test_s18_any_deleted_rows(chain: Chain, first: int, count: int) -> None:
    last = min(first + count - 1, COUNT - 1)
    with chain.changed() as session:
        session.execute(
            delete(AuditEvent)
            .where(AuditEvent.chain == chain.name, AuditEvent.seq.between(first, last))
        )
        (found,) = chain.findings(session)
        assert (found.kind, found.seq) == ("missing", first)


@ANY
@given(first=st.integers(1, COUNT), second=st.integers(1, COUNT))
def test_s18_any_rows_in_another_order(chain: Chain, first: int, second: int) -> None:
    assume(first != second)
    with chain.changed() as session:
        chain.edit(session, first, seq=0)
        chain.edit(session, second, seq=first)
        chain.edit(session, 0, seq=second)
        found = chain.findings(session)
        assert {first, second} <= {finding.seq for finding in found}
        assert found[0].seq == min(first, second)


@ANY
@given(seq=st.integers(0, COUNT + 1), source=st.integers(1, COUNT))
def test_s18_any_inserted_row(chain: Chain, seq: int, source: int) -> None:
    """A copy of a true one, put between two others, which move on, or before the first."""
    with chain.changed() as session:
        row = session.scalars(
            select(AuditEvent).where(AuditEvent.chain == chain.name, AuditEvent.seq == source)
        ).one()
        columns = {column.name: getattr(row, column.name) for column in row.__table__.columns}
        for later in range(COUNT, max(seq, 1) - 1, -1):
            if seq:
                chain.edit(session, later, seq=later + 1)
        session.execute(insert(AuditEvent), {**columns, "id": new_id(), "seq": seq})
        if seq:
            session.execute(
                update(AuditChain).where(AuditChain.name == chain.name)
                .values(seq=COUNT + 1)
            )
        assert chain.findings(session)[0].seq == seq


@ANY
@given(last=st.integers(0, COUNT - 1), head=st.booleans())
def test_s18_cut_off_the_end(chain: Chain, last: int, head: bool) -> None:
    """With the head left alone it shows by itself; with the head changed to fit, a checkpoint
    that saw what is gone shows it.
    """
    with chain.changed() as session:
        session.execute(
            delete(AuditEvent).where(AuditEvent.chain == chain.name, AuditEvent.seq > last)
        )
        if not head:
            (found,) = chain.findings(session)
            assert (found.kind, found.seq) == ("cut", last + 1)
            return
        mac = session.scalar(
            select(AuditEvent.mac).where(AuditEvent.chain == chain.name, AuditEvent.seq == last)
        )
        session.execute(
            update(AuditChain).where(AuditChain.name == chain.name)
            .values(seq=last, mac=mac or b"\0" * 32)
        )
        # What is not promised without one: SECURITY.md, section 7.
        assert chain.findings(session) == []
        found_ = chain.findings(session, kept=True)
        if last < CHECKPOINT_AT:
            assert [(one.kind, one.seq) for one in found_] == [("rolled_back", CHECKPOINT_AT)]
        else:
            assert found_ == []


def test_s18_a_whole_chain_gone(chain: Chain) -> None:
    with chain.changed() as session:
        session.execute(delete(AuditEvent).where(AuditEvent.chain == chain.name))
        session.execute(delete(AuditChain).where(AuditChain.name == chain.name))
        found = chain.findings(session, kept=True)
        assert [(one.kind, one.seq) for one in found] == [("rolled_back", CHECKPOINT_AT)]


@pytest.mark.parametrize("through", [4, CHECKPOINT_AT, 20])
def test_s18_after_the_retention(chain: Chain, through: int) -> None:
    """What was purged is not missed; everything after it is checked as ever, and a row that
    comes back is named.
    """
    with chain.changed() as session:
        rows = session.scalars(
            select(AuditEvent).where(AuditEvent.chain == chain.name).order_by(AuditEvent.seq)
        ).all()
        first = rows[0]
        columns = {column.name: getattr(first, column.name) for column in first.__table__.columns}
        who = Who("system", None, "scheduler", chain.name)
        assert purge_before(session, who, chain.name, rows[through].at) == through
        session.info["audit_pending"].clear()
        session.flush()
        assert chain.findings(session, kept=True) == []
        savepoint = session.begin_nested()
        chain.edit(session, through + 2, actor_name="somebody else")
        assert [one.seq for one in chain.findings(session)] == [through + 2]
        savepoint.rollback()
        session.execute(insert(AuditEvent), columns)
        assert [one.seq for one in chain.findings(session)] == [1]


WRITING = 8.0


def test_s18_twenty_writers_and_no_false_alarm(workshop: Workshop) -> None:
    """Four processes with five threads each, while the chains are verified all the time."""
    installation = workshop.installation
    db = installation.services.db
    context = forking()
    environment = installation.environment(f"e{new_id()}")
    processes = [
        context.Process(
            target=write_events, args=(installation.config.home, environment, 5, WRITING)
        )
        for _ in range(4)
    ]
    for process in processes:
        process.start()
    looks = 0
    while any(process.is_alive() for process in processes):
        with db.read() as session:
            line = json.dumps(make_checkpoint(session))
        with db.read() as session:
            checkpoints = read_checkpoints([line], session.info["seals"])
            assert verify(session, checkpoints).findings == []
        looks += 1
        time.sleep(0.05)
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert looks > 1
    with db.read() as session:
        assert verify(session).findings == []
        rows = session.execute(
            select(func.count(), func.max(AuditEvent.seq), func.min(AuditEvent.seq))
            .where(AuditEvent.chain == environment)
        ).one()
        names = session.scalars(
            select(AuditEvent.actor_name).where(AuditEvent.chain == environment).distinct()
        ).all()
    assert rows[0] == rows[1] > 20
    assert rows[2] == 1
    assert len(names) == 5
    with db.begin() as session:
        # Nothing waits outside of the chain, unsealed.
        assert session.scalar(text("select count(*) from audit_events where mac is null")) == 0
