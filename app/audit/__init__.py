"""Who did what: events, each written in the transaction of its deed, in HMAC chains."""

from app.audit.actions import Action
from app.audit.events import AuditNote, Who, record, record_note

__all__ = ["Action", "AuditNote", "Who", "record", "record_note"]
