"""Rows that carry a MAC: sealed when they are flushed, refused when they are loaded unsealed.

Without it, whoever can write the database would be handed values (SECURITY.md, section 1).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, ClassVar

from sqlalchemy import LargeBinary, String, event
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Mapped, Mapper, Session, mapped_column, object_session

from app.errors import Unavailable
from app.keys.seals import Seals

_log = logging.getLogger("tacit.keys")


class Tampered(Unavailable):
    """A row's MAC does not hold: it was written by somebody else than Tacit."""

    def __init__(self, table: str) -> None:
        super().__init__(
            "row_tampered",
            f"A row of {table} was changed outside Tacit, so it is not used. An operator finds "
            "it with “tacit doctor”.",
        )


class Sealed:
    """Mixin of models whose rows carry a MAC over the columns that ``SEALED`` lists.

    ``SEALED_ONCE_SET`` lists columns that came after the first rows: they are covered as soon as
    they hold something, so that older rows stay good. Emptied in SQL, such a row is refused.
    """

    SEALED: ClassVar[tuple[str, ...]]
    SEALED_ONCE_SET: ClassVar[tuple[str, ...]] = ()
    __tablename__: str

    mac_key_id: Mapped[str] = mapped_column(String(16))
    row_mac: Mapped[bytes] = mapped_column(LargeBinary(32))

    def sealed_fields(self) -> dict[str, Any]:
        """The columns that the MAC covers, in their fixed order."""
        names = (*self.SEALED, *self.SEALED_ONCE_SET)
        return self.covered({name: getattr(self, name) for name in names})

    @classmethod
    def seal_columns(cls) -> tuple[str, ...]:
        """The columns that checking a row's MAC takes: what it covers, its key's id and itself."""
        return (*cls.SEALED, *cls.SEALED_ONCE_SET, "mac_key_id", "row_mac")

    @classmethod
    def covered(cls, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Pick what the MAC covers out of a row's columns."""
        picked = {name: fields[name] for name in cls.SEALED}
        for name in cls.SEALED_ONCE_SET:
            if fields[name]:
                picked[name] = fields[name]
        return picked


@event.listens_for(Sealed, "before_insert", propagate=True)
@event.listens_for(Sealed, "before_update", propagate=True)
def _seal(mapper: Mapper[Any], _connection: Connection, row: Sealed) -> None:
    session = object_session(row)
    assert session is not None  # noqa: S101 - a flush has a session
    for name in row.SEALED:
        # Defaults are applied while the INSERT runs, which is too late for the MAC.
        default = mapper.columns[name].default
        if getattr(row, name) is None and default is not None:
            value = default.arg(None) if default.is_callable else default.arg  # type: ignore[attr-defined]
            setattr(row, name, value)
    seals: Seals = session.info["seals"]
    row.mac_key_id, row.row_mac = seals.mac_row(row.__tablename__, row.sealed_fields())


@event.listens_for(Sealed, "load", propagate=True)
def _check_loaded(row: Sealed, context: Any) -> None:
    _check(row, context.session)


@event.listens_for(Sealed, "refresh", propagate=True)
def _check_refreshed(row: Sealed, context: Any, _attributes: object) -> None:
    if all(name in row.__dict__ for name in row.seal_columns()):
        _check(row, context.session)


def _check(row: Sealed, session: Any) -> None:
    check_sealed(
        session, row.__tablename__, row.sealed_fields(), row.mac_key_id, row.row_mac,
        getattr(row, "id", None),
    )


def check_sealed(
    session: Session,
    table: str,
    fields: Mapping[str, Any],
    key_id: str | None,
    mac: bytes | None,
    row_id: str | None,
) -> None:
    """Refuse a row that Tacit didn't write.

    :param fields: the columns that the MAC covers, in their fixed order.
    :param row_id: names the row in the log, where it has an id.
    :raises Tampered: the MAC does not hold.
    """
    seals: Seals = session.info["seals"]
    if not seals.row_is_sealed(table, fields, key_id, mac):
        _log.error("row_tampered", extra={"table": table, "row": row_id})
        raise Tampered(table)
