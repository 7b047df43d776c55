"""Looking for rows that somebody else than Tacit wrote, before anybody asks for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Table, select
from sqlalchemy.orm import Session

from app.keys.resealing import sealed_models
from app.keys.seals import Seals

BATCH = 1_000


@dataclass(frozen=True, slots=True)
class Tampering:
    """A row whose seal does not hold.

    :param key: its primary key, as text.
    """

    table: str
    key: str


def find_tampered(session: Session) -> Iterator[Tampering]:
    """Check the seal of every sealed row; yields those that would be refused when they are read.

    A row that was deleted, or put back whole as it once was, is for the audit to find
    (:mod:`app.audit.verify`).
    """
    seals: Seals = session.info["seals"]
    for model in sealed_models():
        table = cast(Table, cast(Any, model).__table__)
        primary = [column.name for column in table.primary_key]
        names = dict.fromkeys((*primary, *model.seal_columns()))
        query = select(*(table.c[name] for name in names)).execution_options(yield_per=BATCH)
        for row in session.execute(query).mappings():
            covered = model.covered({name: row[name] for name in names})
            if not seals.row_is_sealed(table.name, covered, row["mac_key_id"], row["row_mac"]):
                yield Tampering(table.name, " ".join(str(row[name]) for name in primary))
