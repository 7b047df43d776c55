"""Rows read by prepared statements, without the ORM: for what is asked at each value.

The ORM's bookkeeping costs three times the query. What it checks on loading is checked here all
the same: a sealed row whose MAC does not hold is refused (see :mod:`app.keys.sealed`).
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, Generic, TypeVar, cast

from sqlalchemy import ColumnElement, Table
from sqlalchemy.orm import DeclarativeBase, Session

from app.keys.sealed import Sealed, check_sealed

M = TypeVar("M", bound=DeclarativeBase)


class _Record(SimpleNamespace):
    """A row's columns as attributes. Written nowhere, so changing one is a mistake."""

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a record is only read; {name} is changed by an UPDATE")


class Reading(Generic[M]):
    """Some columns of a model, to be selected and then read from each row's slice.

    :param model: the mapped class; where it is sealed, all that its MAC covers is read too.
    :param also: columns beside the sealed ones.
    """

    def __init__(self, model: type[M], *also: str) -> None:
        table = cast(Table, model.__table__)
        self._table = table.name
        self._sealed: type[Sealed] | None = None
        if issubclass(model, Sealed):
            self._sealed = model
            also = (
                *model.SEALED, *model.SEALED_ONCE_SET, "mac_key_id", "row_mac", *also,
            )
        self._names = tuple(dict.fromkeys(also))
        self.columns: list[ColumnElement[Any]] = [table.c[name] for name in self._names]
        """What a statement selects; :meth:`read` takes the row from where they begin."""

    def read(self, session: Session, row: Sequence[Any], begin: int = 0) -> M | None:
        """Return the columns as if they were the model; None where an outer join found nothing.

        :param begin: where this reading's columns begin in the row.
        :raises Tampered: the row's MAC does not hold.
        """
        values = row[begin : begin + len(self._names)]
        if all(value is None for value in values):
            return None
        fields = dict(zip(self._names, values, strict=True))
        if self._sealed is not None:
            check_sealed(
                session, self._table, self._sealed.covered(fields), fields["mac_key_id"],
                fields["row_mac"], fields.get("id"),
            )
        return cast(M, _Record(**fields))

    def get(self, session: Session, row: Sequence[Any], begin: int = 0) -> M:
        """Return the columns as if they were the model, where the statement joins the row inside.

        :raises Tampered: the row's MAC does not hold.
        """
        found = self.read(session, row, begin)
        if found is None:
            raise RuntimeError(f"a row of {self._table} without any column")
        return found

    def __len__(self) -> int:
        return len(self._names)
