"""Tables of the keys: what this installation is, and which KEKs its values are wrapped under."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, Id
from app.ids import utcnow
from app.keys.sealed import Sealed


class Installation(Base):
    """The installation itself: one row, made with the first start."""

    __tablename__ = "installation"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    created_at: Mapped[datetime] = mapped_column(default=utcnow)


class KeyEncryptionKey(Sealed, Base):
    """A KEK by its id; the key itself is with its provider, never here.

    ``state`` is ``staged`` (to be the next active one), ``active`` (wraps new data keys; there
    is one), ``retiring`` (still opens) or ``retired`` (wraps nothing any more).

    :ivar parameters: what the provider needs to open it: salt and cost, or a remote key's name.
    """

    __tablename__ = "keks"
    __table_args__ = (
        Index(
            "uq_keks_active", "state", unique=True,
            sqlite_where=text("state = 'active'"), postgresql_where=text("state = 'active'"),
        ),
    )
    SEALED: ClassVar[tuple[str, ...]] = ("id", "provider", "state", "parameters")

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    provider: Mapped[str] = mapped_column(String(32))
    state: Mapped[str] = mapped_column(String(16))
    parameters: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    changed_at: Mapped[datetime] = mapped_column(default=utcnow)
