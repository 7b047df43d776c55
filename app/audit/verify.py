"""Verifying the audit: which event was edited, inserted, deleted, moved, or cut off.

What is promised exactly, and what is not: SECURITY.md, section 7.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.audit.events import FIRST_LINK
from app.audit.models import AuditAnchor, AuditChain, AuditEvent
from app.audit.reading import as_fields
from app.errors import Invalid
from app.ids import iso, utcnow
from app.keys.seals import Seals


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a chain that does not hold.

    :ivar seq: the event at fault, or the first one that is missing.
    :ivar kind: ``edited``, ``missing``, ``cut``, ``head`` or ``rolled_back``.
    """

    chain: str
    seq: int
    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome: how many events were checked, and what does not hold."""

    events: int
    chains: int
    findings: list[Finding]


def verify(session: Session, checkpoints: Iterable[Mapping[str, Any]] = ()) -> Verdict:
    """Check every chain against its links and head, and against checkpoints kept elsewhere.

    :param checkpoints: what :func:`read_checkpoints` returns, oldest first.
    """
    heads = {head.name: head for head in session.scalars(select(AuditChain))}
    anchors = {anchor.chain: anchor for anchor in session.scalars(select(AuditAnchor))}
    names = set(session.scalars(select(AuditEvent.chain).distinct())) | set(heads)
    findings: list[Finding] = []
    total = 0
    for name in sorted(names):
        count, found = _verify_chain(session, name, heads.get(name), anchors.get(name))
        total += count
        findings += found
    for checkpoint in checkpoints:
        findings += _compare(session, checkpoint, heads, anchors)
    return Verdict(total, len(names), findings)


def _verify_chain(
    session: Session, name: str, head: AuditChain | None, anchor: AuditAnchor | None
) -> tuple[int, list[Finding]]:
    findings: list[Finding] = []
    seq, link = (anchor.seq, anchor.mac) if anchor else (0, FIRST_LINK)
    count = 0
    for event in _events(session, name):
        count += 1
        if event.seq <= seq:
            findings.append(
                Finding(
                    name, event.seq, "edited",
                    f"Event {event.seq} was put in: the retention purged what came before.",
                )
            )
            continue
        if event.seq != seq + 1:
            findings.append(_missing(name, seq + 1, event.seq - 1))
        elif not _holds(session, link, event):
            findings.append(
                Finding(
                    name, event.seq, "edited",
                    f"Event {event.seq} ({event.action}, {iso(event.at)}) was edited, put in or "
                    "moved.",
                )
            )
        seq, link = event.seq, event.mac
    if head is None or head.seq > seq:
        until = head.seq if head else seq
        findings.append(
            Finding(name, seq + 1, "cut", f"Events {seq + 1} to {until} were cut off the end.")
        )
    elif head.seq < seq or not hmac.compare_digest(head.mac, link):
        findings.append(
            Finding(name, seq, "head", "The chain's head was changed: it isn't the last event's.")
        )
    return count, findings


def _events(session: Session, name: str) -> Iterator[AuditEvent]:
    query = select(AuditEvent).where(AuditEvent.chain == name).order_by(AuditEvent.seq)
    yield from session.scalars(query.execution_options(yield_per=1000))


def _holds(session: Session, link: bytes, event: AuditEvent) -> bool:
    seals: Seals = session.info["seals"]
    try:
        expected = seals.mac_audit(link, as_fields(event), event.key_id)
    except KeyError:
        return False
    return hmac.compare_digest(expected, event.mac)


def _missing(name: str, first: int, last: int) -> Finding:
    what = f"Event {first} is" if first == last else f"Events {first} to {last} are"
    return Finding(name, first, "missing", f"{what} missing: deleted, or moved elsewhere.")


def make_checkpoint(session: Session) -> dict[str, Any]:
    """Return the heads of all chains, signed; keep it on another host for the promise to hold."""
    seals: Seals = session.info["seals"]
    body: dict[str, Any] = {
        "format": "tacit.audit.checkpoint",
        "version": 1,
        "at": iso(utcnow()),
        "chains": {
            head.name: {"seq": head.seq, "mac": head.mac.hex()}
            for head in session.scalars(select(AuditChain).order_by(AuditChain.name))
        },
    }
    return {**body, "signature": seals.sign_checkpoint(_canonical(body))}


def read_checkpoints(lines: Iterable[str], seals: Seals) -> list[dict[str, Any]]:
    """Read checkpoints, one JSON object a line, and check their signatures.

    :raises Invalid: ``checkpoint_invalid``, with the line's number.
    """
    found = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            checkpoint = json.loads(line)
            signature = checkpoint.pop("signature")
            chains = checkpoint["chains"]
            good = seals.checkpoint_is_signed(_canonical(checkpoint), signature)
        except (ValueError, KeyError, TypeError, AttributeError):
            good, chains = False, None
        if not good or not isinstance(chains, dict):
            raise Invalid(
                "checkpoint_invalid",
                f"Line {number} of the checkpoint file is not a checkpoint of this installation, "
                "or it was changed.",
            )
        found.append(checkpoint)
    return found


def _compare(
    session: Session,
    checkpoint: Mapping[str, Any],
    heads: Mapping[str, AuditChain],
    anchors: Mapping[str, AuditAnchor],
) -> Iterator[Finding]:
    for name, kept in checkpoint["chains"].items():
        anchor = anchors.get(name)
        if anchor is not None and kept["seq"] < anchor.seq:
            continue
        mac: bytes | None
        if anchor is not None and kept["seq"] == anchor.seq:
            mac = anchor.mac
        else:
            mac = session.scalar(
                select(AuditEvent.mac).where(
                    AuditEvent.chain == name, AuditEvent.seq == kept["seq"]
                )
            )
        if kept["seq"] and (name not in heads or mac is None or mac.hex() != kept["mac"]):
            yield Finding(
                name, kept["seq"], "rolled_back",
                f"The checkpoint of {checkpoint['at']} saw event {kept['seq']}, which is gone or "
                "different: the database was rolled back, or the chain cut and written anew.",
            )


def _canonical(body: Mapping[str, Any]) -> str:
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
