"""Every table, imported once, so that migrations and their tests see all of them."""

from app.accounts import freeze, idempotency
from app.accounts import models as accounts
from app.audit import models as audit
from app.flows import models as flows
from app.keys import models as keys
from app.runs import enrolment
from app.runs import models as runs
from app.vault import models as vault

__all__ = [
    "accounts", "audit", "enrolment", "flows", "freeze", "idempotency", "keys", "runs", "vault",
]
