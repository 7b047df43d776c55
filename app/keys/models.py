"""Tables of the keys: what this installation is, and which KEKs its values are wrapped under."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, Id
from app.ids import utcnow


class Installation(Base):
    """The installation itself: one row, made with the first start."""

    __tablename__ = "installation"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    created_at: Mapped[datetime] = mapped_column(default=utcnow)


class KeyEncryptionKey(Base):
    """A KEK by its fingerprint; the key itself is with its provider, never here.

    ``state`` is ``active`` (wraps new data keys), ``retiring`` (still opens) or ``retired``.
    """

    __tablename__ = "keks"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    provider: Mapped[str] = mapped_column(String(32))
    state: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
