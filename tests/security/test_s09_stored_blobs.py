"""Statement 9 of SECURITY.md: a stored blob with any byte changed, or in any other place, is
refused with one answer that says nothing else.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.errors import TacitError
from app.ids import new_id
from app.vault.models import SecretBlob, SecretVersion
from app.vault.reveal import reveal_for_token
from app.vault.service import NewSecret, create_secret, rotate_secret
from tests.support.installation import canary
from tests.support.runs import Workshop

ANY = settings(
    max_examples=80, deadline=None, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
BYTES = ("nonce", "ciphertext", "wrapped_dek")
TEXTS = ("algorithm", "kek_id")
CONTENT = ("format", "algorithm", "nonce", "ciphertext", "kek_id", "wrapped_dek")


class Stored:
    """Two secrets with two versions each, in each of two environments."""

    def __init__(self, workshop: Workshop) -> None:
        installation = workshop.installation
        vault = installation.services.vault
        assert vault is not None
        self.workshop, self.db, self.vault = workshop, installation.services.db, vault
        self.values: dict[tuple[str, str, int], str] = {}
        for environment in (installation.environment_id, installation.environment(new_id())):
            actor = workshop.actor(environment_id=environment)
            for name in ("one", "two"):
                first, second = canary(), canary()
                with self.db.begin() as session:
                    new = NewSecret(name=name, value=first)
                    made = create_secret(session, actor, vault, new).id
                    rotate_secret(session, actor, vault, made, value=second)
                self.values[environment, made, 1] = first
                self.values[environment, made, 2] = second
        self.places = sorted(self.values)

    def blob_id(self, session: Session, place: tuple[str, str, int]) -> str:
        row = session.get_one(SecretVersion, place[1:])
        return row.blob_id

    def content(self, session: Session, place: tuple[str, str, int]) -> dict[str, Any]:
        blob = session.get_one(SecretBlob, self.blob_id(session, place))
        return {name: getattr(blob, name) for name in CONTENT}

    def write(self, session: Session, place: tuple[str, str, int], **content: Any) -> None:
        """Write a blob's columns, as somebody with SQL would."""
        session.execute(
            update(SecretBlob).where(SecretBlob.id == self.blob_id(session, place))
            .values(**content),
            execution_options={"synchronize_session": False},
        )
        session.expire_all()

    def open(self, session: Session, place: tuple[str, str, int]) -> str:
        actor = self.workshop.actor(environment_id=place[0], token_id=new_id())
        return reveal_for_token(session, actor, self.vault, place[1], place[2])

    def refuse(self, place: tuple[str, str, int], **content: Any) -> None:
        """Check that a place opens, but not with this content; nothing of it stays."""
        with self.undone() as session:
            self.write(session, place, **content)
            self.check_refused(session, place)

    def check_refused(self, session: Session, place: tuple[str, str, int]) -> None:
        with pytest.raises(TacitError) as caught:
            self.open(session, place)
        error = caught.value
        assert (error.status, error.code, error.detail) == ANSWER

    @contextmanager
    def undone(self) -> Iterator[Session]:
        """Open a transaction that is rolled back."""
        with contextlib.suppress(_Undo), self.db.begin() as session:
            yield session
            raise _Undo


class _Undo(Exception):
    pass


ANSWER = (
    503, "value_unreadable",
    "The stored value can't be opened. An operator finds out why with “tacit doctor”.",
)


@pytest.fixture(scope="module")
def stored(workshop: Workshop) -> Stored:
    """The stored values."""
    return Stored(workshop)


@ANY
@given(data=st.data())
def test_s09_any_flipped_bit(stored: Stored, data: st.DataObject) -> None:
    place = data.draw(st.sampled_from(stored.places))
    column = data.draw(st.sampled_from(BYTES + TEXTS))
    with stored.db.read() as session:
        content = stored.content(session, place)[column]
    changed = bytearray(content.encode() if isinstance(content, str) else content)
    position = data.draw(st.integers(0, len(changed) - 1))
    # Texts stay texts: the database would refuse what is none.
    changed[position] ^= 1 << data.draw(st.integers(0, 5 if column in TEXTS else 7))
    now = changed.decode("ascii") if column in TEXTS else bytes(changed)
    if column == "algorithm" or now != content:
        stored.refuse(place, **{column: now})


@ANY
@given(data=st.data())
def test_s09_cut_grown_or_replaced(stored: Stored, data: st.DataObject) -> None:
    place = data.draw(st.sampled_from(stored.places))
    column = data.draw(st.sampled_from(BYTES))
    with stored.db.read() as session:
        content = stored.content(session, place)[column]
    changed = data.draw(
        st.integers(0, len(content) - 1).map(lambda end: content[:end])
        | st.binary(min_size=1, max_size=20).map(lambda more: content + more)
        | st.binary(max_size=64).filter(lambda other: other != content)
    )
    stored.refuse(place, **{column: changed})


@pytest.mark.parametrize("number", [0, 2, 255, -1])
def test_s09_another_format(stored: Stored, number: int) -> None:
    stored.refuse(stored.places[0], format=number)


@pytest.mark.parametrize("columns", [CONTENT, BYTES, ("wrapped_dek", "kek_id"), ("ciphertext",)])
def test_s09_moved_to_another_row_version_or_environment(
    stored: Stored, columns: tuple[str, ...]
) -> None:
    with stored.db.read() as session:
        contents = {place: stored.content(session, place) for place in stored.places}
    for target in stored.places:
        for source in stored.places:
            if source != target:
                moved = {name: contents[source][name] for name in columns}
                stored.refuse(target, **moved)


def test_s09_a_version_pointed_at_another_blob_whole(stored: Stored) -> None:
    """With the blob's own columns changed to fit, and the version's row sealed as it stands: what
    a thief of the row-MAC key could do. The value is bound to its blob's id and place.
    """
    target, source = stored.places[0], stored.places[1]
    with stored.undone() as session:
        blob_id = stored.blob_id(session, source)
        session.get_one(SecretVersion, target[1:]).blob_id = blob_id
        session.flush()
        session.execute(
            update(SecretBlob).where(SecretBlob.id == blob_id)
            .values(secret_id=target[1], version=target[2])
        )
        session.expire_all()
        stored.check_refused(session, target)


def test_s09_the_answers_of_both_listeners_say_nothing_else(workshop: Workshop) -> None:
    value = canary()
    held = workshop.claimed(workshop.secret(value))
    secret_id = held.plan["grants"][0]["secret_id"]
    db = workshop.installation.services.db
    with db.begin() as session:
        blob = session.scalars(select(SecretBlob).where(SecretBlob.secret_id == secret_id)).one()
        blob.wrapped_dek = bytes(reversed(blob.wrapped_dek))
    api = workshop.installation.api(workshop.installation.token(user_id=workshop.user_id))
    for answer in (workshop.runtime.value(held), api.get(f"/secrets/{secret_id}")):
        assert (answer.status_code, answer.json["code"], answer.json["detail"]) == ANSWER
        assert answer.json.keys() <= {"type", "title", "status", "code", "detail", "request_id"}
        text = answer.get_data(as_text=True)
        assert value not in text
        assert secret_id not in text


def test_s09_untouched_they_open(stored: Stored) -> None:
    for place, value in stored.values.items():
        with stored.db.begin() as session:
            assert stored.open(session, place) == value
