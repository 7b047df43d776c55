"""Finding secrets by a part of their name or description, through an index.

On SQLite a full-text table of trigrams stands beside the secrets (FTS5, `tokenize='trigram'`);
on PostgreSQL a trigram index (`pg_trgm`) serves the same LIKE, where the extension is to be had.
"""

from __future__ import annotations

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    column,
    event,
    or_,
    select,
    table,
    text,
)
from sqlalchemy.orm import Session

from app.paging import like_pattern
from app.vault.models import Secret

SHORTEST = 3
"""A trigram needs three characters; shorter texts are looked for in the list's own order."""

FEW = 5000
"""Up to so many hits are collected and sorted. More are so dense that walking the list in its
order, and stopping at the page's end, is quicker."""

_search = table("secret_search", column("rowid", Integer), column("text"))


def find_hits(session: Session, part: str) -> list[int] | None:
    """Return the ``search_id`` of the secrets whose texts hold ``part``, of any environment.

    :returns: None where there is no index for it, or the hits are too many to be sorted.
    """
    if not _is_sqlite(session) or len(part) < SHORTEST:
        return None
    quoted = '"' + part.replace('"', '""') + '"'
    hits = session.scalars(
        select(_search.c.rowid)
        .where(text("secret_search MATCH :part").bindparams(part=quoted))
        .limit(FEW + 1)
    ).all()
    return None if len(hits) > FEW else list(hits)


def holds(part: str) -> ColumnElement[bool]:
    """Return the condition that a secret's name or description holds ``part``."""
    pattern = like_pattern(part)
    return or_(
        Secret.name.ilike(pattern, escape="\\"), Secret.description.ilike(pattern, escape="\\")
    )


def index_secret(session: Session, secret: Secret, *, known: bool) -> None:
    """Put a secret's texts into the index.

    :param known: the index may hold an older text of it.
    """
    if not _is_sqlite(session):
        return
    if known:
        forget_secret(session, secret)
    session.execute(
        text("INSERT INTO secret_search (rowid, text) VALUES (:rowid, :text)"),
        {"rowid": secret.search_id, "text": f"{secret.name}\n{secret.description}"},
    )


def forget_secret(session: Session, secret: Secret) -> None:
    """Take a secret's texts out of the index."""
    if _is_sqlite(session):
        session.execute(
            text("DELETE FROM secret_search WHERE rowid = :rowid"), {"rowid": secret.search_id}
        )


def create_search_index(connection: Connection) -> None:
    """Make the index beside the tables; for migrations, and for tests that make tables at once."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(
            "CREATE VIRTUAL TABLE secret_search USING fts5(text, tokenize='trigram')"
        )
        return
    available = connection.execute(
        text("SELECT 1 FROM pg_available_extensions WHERE name = 'pg_trgm'")
    ).scalar()
    if available:
        connection.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        for name in ("name", "description"):
            connection.exec_driver_sql(
                f"CREATE INDEX ix_secrets_{name}_trgm ON secrets "
                f"USING gin ({name} gin_trgm_ops)"
            )


def drop_search_index(connection: Connection) -> None:
    """Take the index away again."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("DROP TABLE secret_search")
    else:
        for name in ("name", "description"):
            connection.exec_driver_sql(f"DROP INDEX IF EXISTS ix_secrets_{name}_trgm")


event.listen(Secret.__table__, "after_create", lambda _table, connection, **_: (
    create_search_index(connection)
))


def _is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"
