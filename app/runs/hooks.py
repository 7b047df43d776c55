"""Deliveries to webhooks: counted, checked in the vault, taken once, answered with a run.

Whatever doesn't carry a good signature gets the same answer, whether the address is one or not.
Attempts are counted before anything is decrypted (SECURITY.md, section 7).
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.orm import Session

from app import audit
from app.audit import Action, Who
from app.errors import Conflict, NotFound, TacitError, Throttled, TooLarge
from app.flows.models import Flow, FlowVersion, Trigger
from app.flows.rows import read_version
from app.flows.triggers import read_webhook
from app.ids import new_id, utcnow
from app.runs.models import HookAttempt, HookDelivery
from app.runs.triggering import actor_of, start_triggered
from app.runs.views import RunView
from app.vault import Vault
from app.vault.signing import verify_signature

MAX_BODY: Final = 256 * 1024
WINDOW: Final = timedelta(minutes=1)
TRIES_PER_ADDRESS: Final = 60
TRIES_PER_HOOK: Final = 300
"""Unsigned deliveries within a minute, from one address and to one hook."""

_TAG = re.compile(r"sha256=([0-9a-f]{64})", re.ASCII)
_SECONDS = re.compile(r"[0-9]{1,12}", re.ASCII)


class HookPaused(Throttled):
    """Too many deliveries without a good signature."""

    retry_after = int(WINDOW.total_seconds())


@dataclass(frozen=True, slots=True)
class Delivery:
    """A request to a webhook's address, as it came.

    :ivar hook: the last part of the address.
    :ivar timestamp: ``X-Tacit-Timestamp``: seconds since 1970.
    :ivar signature: ``X-Tacit-Signature``: ``sha256=`` and the HMAC of ``TIMESTAMP.BODY``, in hex.
    """

    hook: str
    body: bytes
    timestamp: str
    signature: str
    address: str
    request_id: str | None


def not_found() -> NotFound:
    """Make the answer to everything that isn't a well-signed delivery to an active webhook."""
    return NotFound(
        "hook_not_found",
        "There is no active webhook at this address, or the delivery isn't signed for it. Look at "
        "the address on the flow's page, the signing secret and the clock of the sender.",
    )


def open_attempt(session: Session, delivery: Delivery) -> str:
    """Count a delivery, whatever it turns out to be; returns the attempt's id.

    :raises HookPaused: ``hook_paused``: too many in the last minute weren't signed.
    """
    now = utcnow()
    session.execute(delete(HookAttempt).where(HookAttempt.at < now - WINDOW))
    hook = _digest(delivery.hook)
    if (
        _count(session, HookAttempt.address == delivery.address) >= TRIES_PER_ADDRESS
        or _count(session, HookAttempt.hook == hook) >= TRIES_PER_HOOK
    ):
        raise HookPaused(
            "hook_paused", "Too many deliveries weren't signed. Wait a minute, then try again."
        )
    row = HookAttempt(id=new_id(), hook=hook, address=delivery.address[:64], at=now)
    session.add(row)
    return row.id


def is_signed(session: Session, vault: Vault, delivery: Delivery) -> bool:
    """Say whether a delivery is fresh and well signed for an active webhook; audited if there is.

    :raises Unavailable: the secret's value can't be opened now.
    """
    trigger = _find(session, delivery.hook)
    tag, sent = _TAG.fullmatch(delivery.signature), _SECONDS.fullmatch(delivery.timestamp)
    if trigger is None or trigger.secret_id is None or tag is None or sent is None:
        return False
    graph, _ = read_version(session.get_one(FlowVersion, trigger.flow_version_id))
    config = read_webhook(graph.by_id[trigger.node])
    if abs(time.time() - int(delivery.timestamp)) > config.tolerance_seconds:
        return False
    try:
        return verify_signature(
            session, vault, _who(trigger, delivery), trigger.secret_id, config.version,
            _message(delivery), bytes.fromhex(tag[1]), flow_id=trigger.flow_id,
        )
    except NotFound:
        return False


def take(
    session: Session, delivery: Delivery, payload: Mapping[str, Any], attempt: str
) -> tuple[RunView, str]:
    """Start the run of a delivery that is signed; returns it and its environment's id.

    :param payload: the body, read.
    :raises Conflict: ``delivery_repeated``, naming the run that it started.
    :raises TooLarge: the body is over the webhook's limit.
    :raises TacitError: as :func:`app.runs.triggering.start_triggered`.
    """
    forget_attempt(session, attempt)
    trigger = _find(session, delivery.hook)
    if trigger is None:
        raise not_found()
    version = session.get_one(FlowVersion, trigger.flow_version_id)
    config = read_webhook(read_version(version)[0].by_id[trigger.node])
    if len(delivery.body) > config.max_kib * 1024:
        raise TooLarge(
            "delivery_too_large", f"The body is over {config.max_kib} KiB, the webhook's limit."
        )
    digest = hashlib.sha256(_message(delivery)).hexdigest()
    before = session.get(HookDelivery, (trigger.id, digest))
    if before is not None:
        raise Conflict(
            "delivery_repeated", f"This delivery was taken already, as run {before.run_id}."
        )
    run = start_triggered(session, trigger, dict(payload))
    sent = datetime.fromtimestamp(int(delivery.timestamp), UTC)
    session.add(
        HookDelivery(
            trigger_id=trigger.id, digest=digest, run_id=run.id,
            expires_at=sent + timedelta(seconds=2 * config.tolerance_seconds),
        )
    )
    trigger.last_at, trigger.problem = utcnow(), None
    return run, trigger.environment_id


def forget_attempt(session: Session, attempt: str) -> None:
    """Don't count a delivery that was signed."""
    session.execute(delete(HookAttempt).where(HookAttempt.id == attempt))


def note_failure(session: Session, delivery: Delivery, error: TacitError) -> None:
    """Say on the flow's page and in the audit why a signed delivery started no run."""
    trigger = _find(session, delivery.hook)
    if trigger is None:
        return
    trigger.problem = error.detail[:1000]
    audit.record(
        session, actor=actor_of(session, trigger).who(), action=Action.TRIGGER_FAIL,
        outcome="denied", flow_id=trigger.flow_id, node=trigger.node, data={"code": error.code},
    )


def purge_hooks(session: Session) -> None:
    """Forget attempts, and deliveries that are refused by their time."""
    now = utcnow()
    session.execute(delete(HookAttempt).where(HookAttempt.at < now - WINDOW))
    session.execute(delete(HookDelivery).where(HookDelivery.expires_at < now))


def _find(session: Session, hook: str) -> Trigger | None:
    if not 16 <= len(hook) <= 64:
        return None
    # The delivery's key is unique; the row is locked so that two equal ones come one by one.
    trigger = session.scalar(
        select(Trigger)
        .join(Flow, Flow.id == Trigger.flow_id)
        .where(
            Trigger.hook == hook, Trigger.kind == "webhook",
            Trigger.flow_version_id.is_not(None), Flow.deleted_at.is_(None),
        )
        .with_for_update(of=Trigger)
    )
    return trigger


def _who(trigger: Trigger, delivery: Delivery) -> Who:
    return Who(
        "system", None, f"webhook for {trigger.acts_for}"[:254], trigger.environment_id,
        delivery.request_id, delivery.address,
    )


def _message(delivery: Delivery) -> bytes:
    return delivery.timestamp.encode() + b"." + delivery.body


def _digest(hook: str) -> str:
    return hashlib.sha256(hook.encode("utf-8", "replace")).hexdigest()


def _count(session: Session, condition: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count()).select_from(HookAttempt).where(condition)) or 0
