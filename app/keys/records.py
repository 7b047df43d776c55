"""Rows read and written by prepared statements (:mod:`app.prepared`), without the ORM: for what
each run and each of its values asks for.

The ORM's bookkeeping costs three times the query. What it checks on loading is checked here all
the same: a sealed row whose MAC does not hold is refused (see :mod:`app.keys.sealed`). A row that
is in every column what it was when its MAC was found to hold is not computed again: the same
worker, person and key stand behind all values of a run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, Generic, TypeVar, cast

from sqlalchemy import ColumnElement, Dialect, Table, insert
from sqlalchemy.orm import DeclarativeBase, Session

from app.keys.sealed import Sealed, check_sealed
from app.keys.seals import Seals
from app.prepared import Prepared, Row, converters

M = TypeVar("M", bound=DeclarativeBase)
_MOST_KNOWN = 2048
"""Rows that are remembered as good; then the process begins anew."""


class _Record(SimpleNamespace):
    """A row's columns as attributes. Written nowhere, so changing one is a mistake."""

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a record is only read; {name} is changed by an UPDATE")


class Reading(Generic[M]):
    """Some columns of a model, to be selected and then read from each row's slice.

    :param model: the mapped class; where it is sealed, all that its MAC covers is read too.
    :param also: columns beside the sealed ones.
    :param remember: False where rows are large, or not read twice: nothing is kept of them.
    """

    def __init__(self, model: type[M], *also: str, remember: bool = True) -> None:
        self._remember = remember
        table = cast(Table, model.__table__)
        self._table = table.name
        self._sealed: type[Sealed] | None = None
        if issubclass(model, Sealed):
            self._sealed = model
            also = (*model.seal_columns(), *also)
        self._names = tuple(dict.fromkeys(also))
        self.columns: list[ColumnElement[Any]] = [table.c[name] for name in self._names]
        """What a statement selects; :meth:`read` takes the row from where they begin."""
        self._converters: dict[str, list[tuple[int, Callable[[Any], Any]]]] = {}

    def read(self, session: Session, row: Row, begin: int = 0) -> M | None:
        """Return the columns as if they were the model; None where an outer join found nothing.

        :param row: as the driver has it (:meth:`app.prepared.Prepared.rows`).
        :param begin: where this reading's columns begin in the row.
        :raises Tampered: the row's MAC does not hold.
        """
        raw = row[begin : begin + len(self._names)]
        if raw[0] is None and not any(value is not None for value in raw):
            return None
        if self._sealed is None or not self._remember:
            return self._make(session, raw)
        seals: Seals = session.info["seals"]
        good = seals.known_good
        key = (self._table, self._names, raw)
        try:
            found = good.get(key)
        except TypeError:
            # PostgreSQL's driver has read a JSON column already: nothing to look up by.
            return self._make(session, raw)
        if found is None:
            found = self._make(session, raw)
            if len(good) >= _MOST_KNOWN:
                good.clear()
            good[key] = found
        return cast(M, found)

    def _make(self, session: Session, raw: Row) -> M:
        fields = dict(zip(self._names, raw, strict=True))
        dialect: Dialect = session.info["dialect"]
        convert = self._converters.get(dialect.name)
        if convert is None:
            types = [column.type for column in self.columns]
            convert = self._converters[dialect.name] = converters(types, dialect)
        for place, change in convert:
            fields[self._names[place]] = change(raw[place])
        if self._sealed is not None:
            check_sealed(
                session, self._table, self._sealed.covered(fields), fields["mac_key_id"],
                fields["row_mac"], fields.get("id"),
            )
        return cast(M, _Record(**fields))

    def get(self, session: Session, row: Row, begin: int = 0) -> M:
        """Return the columns as if they were the model, where the statement joins the row inside.

        :raises Tampered: the row's MAC does not hold.
        """
        found = self.read(session, row, begin)
        if found is None:
            raise RuntimeError(f"a row of {self._table} without any column")
        return found

    def find(
        self, session: Session, statement: Prepared, parameters: Mapping[str, Any]
    ) -> M | None:
        """Return the first row of a statement that selects these columns, or None.

        :raises Tampered: the row's MAC does not hold.
        """
        row = statement.row(session, parameters)
        return None if row is None else self.get(session, row)

    def __len__(self) -> int:
        return len(self._names)


class Writing:
    """Inserts sealed rows as a flush of the ORM would, without its bookkeeping.

    :param model: the mapped class; defaults of its columns are not applied.
    """

    def __init__(self, model: type[Sealed]) -> None:
        self._model = model
        self._insert = Prepared(insert(cast(Any, model).__table__))

    def write(self, session: Session, **fields: Any) -> None:
        """Insert one row, sealed.

        :param fields: every column but those of the seal.
        """
        seals: Seals = session.info["seals"]
        key_id, mac = seals.mac_row(self._model.__tablename__, self._model.covered(fields))
        self._insert.write(session, {**fields, "mac_key_id": key_id, "row_mac": mac})
