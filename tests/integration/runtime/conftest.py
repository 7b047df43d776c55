"""What the tests of the runtime listener share."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app.audit.models import AuditEvent
from tests.support.runs import RuntimeClient, Workshop


@pytest.fixture
def runtime(workshop: Workshop) -> RuntimeClient:
    """A client of the runtime application."""
    return workshop.runtime


@pytest.fixture
def events(workshop: Workshop) -> Callable[[], list[AuditEvent]]:
    """Returns the audit events that were written since the test began."""
    from sqlalchemy import select

    def read() -> list[AuditEvent]:
        with workshop.installation.services.db.read() as session:
            return list(session.scalars(select(AuditEvent).order_by(AuditEvent.id)))

    before = {event.id for event in read()}
    return lambda: [event for event in read() if event.id not in before]
