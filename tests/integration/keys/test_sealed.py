"""Rows that decide who gets what: edited or inserted in SQL, they are refused when read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Column, delete, select, text, update
from sqlalchemy.orm import Session

from app import models
from app.db import Base, UtcDateTime
from app.ids import new_id, utcnow
from app.keys.sealed import Sealed, Tampered
from tests.support.runs import Workshop

SEALED = sorted(
    (mapper.class_ for mapper in Base.registry.mappers if issubclass(mapper.class_, Sealed)),
    key=lambda model: model.__name__,
)


@pytest.fixture
def session(workshop: Workshop) -> Iterator[Session]:
    """A transaction with a row in every sealed table; it is rolled back."""

    with contextlib.suppress(_RolledBack), workshop.installation.services.db.begin() as opened:
        # The rows point at what doesn't exist.
        on_sqlite = opened.get_bind().dialect.name == "sqlite"
        opened.execute(text(
            "pragma defer_foreign_keys=on" if on_sqlite
            else "set local session_replication_role = replica"
        ))
        for model in SEALED:
            opened.execute(delete(model))
            opened.add(model(**{column.name: made(column) for column in _columns(model)}))
        opened.flush()
        opened.expunge_all()
        yield opened
        raise _RolledBack


class _RolledBack(Exception):
    pass


def _columns(model: type[Any]) -> list[Column[Any]]:
    return [
        column for column in model.__table__.columns
        if column.name not in ("row_mac", "mac_key_id")
    ]


def made(column: Column[Any]) -> Any:
    """Make some value that a column can hold."""
    if isinstance(column.type, UtcDateTime):
        return utcnow()
    kind = column.type.python_type
    if kind is str:
        length = getattr(column.type, "length", None) or 8
        return new_id()[:length]
    values: dict[type[Any], Any] = {
        int: 1, bool: False, bytes: b"k" * 32, dict: {"a": 1},
    }
    # Of lists of texts, which the models keep as JSON.
    return values.get(kind, ["a"])


def other(value: Any) -> Any:
    """Return another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, str):
        return value[:-1] + ("0" if value[-1] != "0" else "1")
    if isinstance(value, bytes):
        return bytes([value[0] ^ 1]) + value[1:]
    if isinstance(value, dict | list):
        return ["evil.example.com"]
    return value + timedelta(microseconds=1)


def test_the_tables_of_the_design_are_sealed() -> None:
    assert models.vault
    assert {model.__tablename__ for model in SEALED} >= {
        "secrets", "secret_versions", "grants", "workers", "worker_keys", "role_grants",
        "api_tokens", "users", "runs", "run_claims", "flow_versions",
    }


@pytest.mark.parametrize("model", SEALED, ids=lambda model: model.__name__)
def test_rows_that_services_wrote_are_read(session: Session, model: type[Any]) -> None:
    assert session.scalars(select(model)).all()


@pytest.mark.parametrize("model", SEALED, ids=lambda model: model.__name__)
def test_an_edited_column_is_refused(session: Session, model: type[Any]) -> None:
    row = session.scalars(select(model)).one()
    for column in model.SEALED:
        _refuse_edit(session, model, column, other(getattr(row, column)))
        if model.__table__.columns[column].nullable:
            # A revocation, an expiry or a rule that was taken away.
            _refuse_edit(session, model, column, None)
    assert session.scalars(select(model)).one()


def _refuse_edit(session: Session, model: type[Any], column: str, value: Any) -> None:
    savepoint = session.begin_nested()
    session.execute(
        update(model).values({column: value}), execution_options={"synchronize_session": False}
    )
    session.expunge_all()
    with pytest.raises(Tampered) as caught:
        session.scalars(select(model)).all()
    assert caught.value.code == "row_tampered", column
    savepoint.rollback()


@pytest.mark.parametrize("model", SEALED, ids=lambda model: model.__name__)
def test_an_inserted_row_is_refused(session: Session, model: type[Any]) -> None:
    """A row copied in SQL under another key, its MAC with it."""
    row = session.scalars(select(model)).one()
    values = {column.name: getattr(row, column.name) for column in model.__table__.columns}
    for column in model.__table__.columns:
        # Whatever has to be unique is another text; the rest stays.
        text_of_its_own = isinstance(values[column.name], str) and not column.foreign_keys
        if column.primary_key or column.unique or text_of_its_own:
            values[column.name] = other(values[column.name])
    session.execute(model.__table__.insert(), values)
    session.expunge_all()
    with pytest.raises(Tampered):
        session.scalars(select(model)).all()


def test_a_row_of_another_installation_is_refused(session: Session) -> None:
    session.execute(text("update secrets set row_mac = :zeros"), {"zeros": bytes(32)})
    with pytest.raises(Tampered):
        session.scalars(select(models.vault.Secret)).all()
    session.expunge_all()
    session.execute(text("update workers set mac_key_id = '0000000000000000'"))
    with pytest.raises(Tampered):
        session.scalars(select(models.runs.Worker)).all()


def test_a_refreshed_row_is_checked_too(session: Session) -> None:
    secret = session.scalars(select(models.vault.Secret)).one()
    session.execute(text("update secrets set state = 'disabled'"))
    with pytest.raises(Tampered):
        session.refresh(secret)


def test_what_is_written_through_the_model_is_sealed_anew(session: Session) -> None:
    secret = session.scalars(select(models.vault.Secret)).one()
    before = secret.row_mac
    secret.allowed_hosts = ["other.example.com"]
    session.flush()
    assert secret.row_mac != before
    session.expunge_all()
    assert session.scalars(select(models.vault.Secret)).one().allowed_hosts == [
        "other.example.com"
    ]


def test_the_answer_names_the_table_and_nothing_of_the_row(session: Session) -> None:
    secret = session.scalars(select(models.vault.Secret)).one()
    session.execute(text("update secrets set active_version = 7"))
    session.expunge_all()
    with pytest.raises(Tampered) as caught:
        session.scalars(select(models.vault.Secret)).all()
    assert secret.name not in caught.value.detail
    assert secret.id not in caught.value.detail
    assert caught.value.status == 503
