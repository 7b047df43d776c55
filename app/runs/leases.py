"""A claimed run: events, heartbeats, its end; and what happens when the worker falls silent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, delete, select
from sqlalchemy.orm import Session

from app import audit
from app.audit import Action, Who
from app.errors import Conflict, Invalid
from app.flows.models import FlowVersion
from app.flows.rows import read_version
from app.flows.settings import MAX_CLAIMS
from app.ids import is_id, utcnow
from app.keys.records import Reading
from app.keys.sealed import Tampered
from app.keys.tokens import refusal, verify_token
from app.prepared import Prepared
from app.runs.claims import LEASE
from app.runs.events import append_batch, append_own, read_problem
from app.runs.locked import lock_run
from app.runs.models import Run, RunClaim, RunNode, Worker, WorkerKey
from app.runs.notices import note_failure
from app.runs.states import CLAIMED, RunState

_LEFT = Prepared(
    select(RunNode.node).where(RunNode.run_id == bindparam("of"), RunNode.state == "running")
)
_CLAIM, _WORKER, _KEY = Reading(RunClaim), Reading(Worker), Reading(WorkerKey)
_RUN = Reading(Run, "fence", "state", "cancel_requested")
_BY_KID = (
    select(*_CLAIM.columns, *_WORKER.columns, *_KEY.columns)
    .join_from(RunClaim, Worker, Worker.id == RunClaim.worker_id)
    .join(WorkerKey, WorkerKey.id == RunClaim.worker_key_id)
    .where(RunClaim.kid == bindparam("kid"))
)
_SIGNED = Prepared(_BY_KID)
_LOOK = Prepared(
    _BY_KID.add_columns(*_RUN.columns)
    .join(Run, Run.id == RunClaim.run_id)
    .with_for_update(read=True, of=Run)
)
_WORKER_AT = len(_CLAIM)
_KEY_AT = _WORKER_AT + len(_WORKER)
_RUN_AT = _KEY_AT + len(_KEY)

OVERTIME = timedelta(seconds=5)
"""How long after its deadline a run's own process has for ending it in order."""

_ENDS = frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED})


@dataclass(frozen=True, slots=True)
class Held:
    """A run under a verified claim: the run's row is locked."""

    run: Run
    claim: RunClaim
    worker: Worker


def hold_run(
    session: Session, kid: str, token: str, audience: str, run_id: str | None, *required: str
) -> tuple[Held, Mapping[str, Any]]:
    """Check a token signed with a run's key and lock the run; returns the claims too.

    Claim and worker have their sealed columns only (:mod:`app.keys.records`).

    :param run_id: the run that the route names; the value route names none.
    :raises Unauthenticated: the token does not hold, or is another run's.
    """
    row = _SIGNED.row(session, {"kid": kid}) if is_id(kid) else None
    if row is None:
        raise refusal("unknown_kid")
    claim = _CLAIM.get(session, row)
    run = lock_run(session, claim.run_id)
    if run is None:
        raise refusal("unknown_kid")
    held = Held(run, claim, _WORKER.get(session, row, _WORKER_AT))
    key = _KEY.get(session, row, _KEY_AT)
    return held, _verify(held, key, token, audience, run_id, required)


def look_at_run(
    session: Session, kid: str, token: str, audience: str, *required: str
) -> tuple[Held, Mapping[str, Any]]:
    """Check a token as :func:`hold_run` does, of a run that is read and not changed.

    The run's row is locked against a change until the transaction ends. What comes back has the
    sealed columns, and what :func:`require_current` asks for; the rest was not read.

    :raises Unauthenticated: the token does not hold.
    """
    row = _LOOK.row(session, {"kid": kid}) if is_id(kid) else None
    if row is None:
        raise refusal("unknown_kid")
    held = Held(
        _RUN.get(session, row, _RUN_AT), _CLAIM.get(session, row),
        _WORKER.get(session, row, _WORKER_AT),
    )
    key = _KEY.get(session, row, _KEY_AT)
    return held, _verify(held, key, token, audience, None, required)


def _verify(
    held: Held, key: WorkerKey, token: str, audience: str, run_id: str | None,
    required: Sequence[str],
) -> Mapping[str, Any]:
    claim, worker = held.claim, held.worker
    claims = verify_token(token, claim.public_key, audience, ("run", "claim", *required))
    if worker.revoked_at is not None or key.revoked_at is not None:
        raise refusal("revoked_kid")
    if type(claims["claim"]) is not int:
        # In Python true and 1.0 equal 1.
        raise refusal("claims")
    named = (claims["iss"], claims["sub"], claims["run"], claims["claim"])
    if named != (claim.kid, worker.id, claim.run_id, claim.number):
        raise refusal("claims")
    if run_id is not None and run_id != claim.run_id:
        raise refusal("run")
    return claims


def require_current(held: Held) -> None:
    """Refuse a claim that no longer holds the run.

    :raises Conflict: ``claim_lost``: another claim took over, or the run has ended.
    """
    if held.run.fence != held.claim.number or held.run.state not in CLAIMED:
        raise Conflict(
            "claim_lost",
            "This claim no longer holds the run: it has ended, or another worker has it.",
        )


def renew(session: Session, held: Held, events: object = ()) -> int:
    """Renew the lease and store events; returns the newest stored sequence number.

    :raises Conflict: ``claim_lost``.
    :raises Invalid: the events can't be stored.
    """
    require_current(held)
    held.run.lease_expires_at = utcnow() + LEASE
    if events:
        _note_leaks(session, held, append_batch(session, held.run, events))
    return held.run.last_seq


def finish(
    session: Session, held: Held, who: Who, state: object, problem: object, events: object
) -> str:
    """End a run as its worker says; returns the state it ended in.

    Ending it again with the same claim changes nothing.

    :raises Conflict: ``claim_lost``.
    :raises Invalid: ``finish_invalid``, or the events can't be stored.
    """
    run = held.run
    if run.fence == held.claim.number and run.state in _ENDS:
        return run.state
    require_current(held)
    if not isinstance(state, str) or state not in _ENDS:
        raise Invalid("finish_invalid", f"A run ends as one of {', '.join(sorted(_ENDS))}.")
    if isinstance(problem, str):
        # What a worker sends whose masking failed: the run has to end all the same.
        problem = {"code": "problem_withheld", "severity": "error", "message": problem}
    shown = None if problem is None else read_problem(problem)
    _note_leaks(session, held, append_batch(session, run, events or []))
    _end(session, run, RunState(state), shown)
    audit.record(
        session, actor=who, action=Action.RUN_FINISH, run_id=run.id, flow_id=run.flow_id,
        outcome="ok" if state == RunState.SUCCEEDED else "failed", data={"state": state},
    )
    return run.state


def lose_claim(
    session: Session,
    worker: Worker,
    who: Who,
    run_id: str,
    number: int | None,
    reason: str,
    public_key: bytes | None = None,
) -> bool:
    """Fail a run of a worker that says itself that the run's process died.

    :param number: the claim that the process held; None where it died before it knew of one, and
        another claim is left alone.
    :param public_key: the key that was made for that claim. A claim whose answer was lost has run
        nothing, so its run is queued again, whatever its flow says of lost workers.
    :returns: whether the run was still going on.
    """
    claim = _find_claim(session, run_id, number, public_key)
    if claim is None or claim.worker_id != worker.id:
        return False
    run = session.scalars(select(Run).where(Run.id == run_id).with_for_update()).one()
    if run.fence != claim.number:
        return False
    if number is None and _never_began(session, run):
        _queue_again(session, run, who, "it never got the answer to its claim")
        return True
    if not run.cancel_requested and run.deadline is not None and run.deadline < utcnow():
        return time_out(session, run, who)  # its worker ended the process for that
    return lose(session, run, who, reason)


def _find_claim(
    session: Session, run_id: str, number: int | None, public_key: bytes | None
) -> RunClaim | None:
    if not is_id(run_id):
        return None
    if number is not None:
        return session.get(RunClaim, (run_id, number)) if 0 < number < 2**31 else None
    query = select(RunClaim).where(RunClaim.run_id == run_id, RunClaim.public_key == public_key)
    return session.scalar(query) if public_key is not None else None


def _never_began(session: Session, run: Run) -> bool:
    """Say whether a claimed run may be taken again because nothing of it was done."""
    if run.state not in CLAIMED or run.cancel_requested or run.fence >= MAX_CLAIMS:
        return False
    return session.scalar(select(RunNode.node).where(RunNode.run_id == run.id).limit(1)) is None


def look_after(session: Session, worker: Worker, held: object) -> list[str]:
    """Renew the leases of runs whose processes are there and can't speak for themselves: a
    library's code holds up their interpreter.

    :param held: pairs of a run's id and the claim's number, as the worker's parent sent them, who
        would see it if the process died; what isn't such a list is passed over.
    :returns: which of them it has to stop: cancelled, over their time, or not its own any more.
    """
    pairs = [pair for pair in held[:100] if _is_claim(pair)] if isinstance(held, list) else []
    unwanted = []
    for run_id, number in pairs:
        claim = session.get(RunClaim, (run_id, number))
        if claim is None or claim.worker_id != worker.id:
            continue
        run = lock_run(session, run_id)
        if run is None:
            continue
        now = utcnow()
        current = run.fence == number and run.state in CLAIMED
        late = run.deadline is not None and run.deadline + OVERTIME < now
        if not current or run.cancel_requested or late:
            unwanted.append(run_id)
        else:
            run.lease_expires_at = now + LEASE
    return unwanted


def _is_claim(pair: object) -> bool:
    return (
        isinstance(pair, list)
        and len(pair) == 2
        and isinstance(pair[0], str)
        and is_id(pair[0])
        and type(pair[1]) is int
        and 0 < pair[1] < 2**31
    )


def lose(session: Session, run: Run, who: Who, reason: str) -> bool:
    """End a claimed run whose worker is gone; say whether it was still running.

    It fails, or waits for another worker where its flow says so (``on_worker_lost``).
    """
    if run.state not in CLAIMED:
        return False
    if run.cancel_requested:
        # Whoever asked for its end has it: the process is gone, however it went.
        _end(session, run, RunState.CANCELLED, None)
        audit.record(
            session, actor=who, action=Action.RUN_FINISH, run_id=run.id, flow_id=run.flow_id,
            outcome="failed", data={"state": "cancelled"},
        )
        return True
    if _may_go_again(session, run):
        _queue_again(session, run, who, reason)
        return True
    when, then = (
        "while the run was checked", "No node had started: run the flow again."
    ) if run.state == RunState.CHECKING else (
        "while the run was going on", "What its nodes had done until then is done; look at them "
        "before you run the flow again."
    )
    problem = {
        "code": "worker_lost", "severity": "error", "node": None, "port": None, "field": None,
        "edge": None, "message": f"The worker was lost {when} ({reason}). {then}",
        "remedy": {"action": "run_again", "label": "Run again"},
    }
    _end(session, run, RunState.FAILED, problem)
    audit.record(
        session, actor=who, action=Action.RUN_FINISH, run_id=run.id, flow_id=run.flow_id,
        outcome="failed", data={"state": "failed", "code": "worker_lost"},
    )
    return True


def time_out(session: Session, run: Run, who: Who) -> bool:
    """Fail a claimed run that is past its deadline, whatever its worker says of it."""
    if run.state not in CLAIMED:
        return False
    problem = {
        "code": "run_timeout", "severity": "error", "node": None, "port": None, "field": None,
        "edge": None,
        "message": "The run's time was over and its worker didn't end it. Raise the flow's time "
        "limit, or make it do less; and look at the worker.",
        "remedy": {"action": "run_again", "label": "Run again"},
    }
    _end(session, run, RunState.FAILED, problem)
    audit.record(
        session, actor=who, action=Action.RUN_FINISH, run_id=run.id, flow_id=run.flow_id,
        outcome="failed", data={"state": "failed", "code": "run_timeout"},
    )
    return True


def _may_go_again(session: Session, run: Run) -> bool:
    if run.cancel_requested or run.fence >= MAX_CLAIMS:
        return False
    try:
        _, settings = read_version(session.get_one(FlowVersion, run.flow_version_id))
    except Tampered:
        return False
    return settings.on_worker_lost == "requeue"


def _queue_again(session: Session, run: Run, who: Who, reason: str) -> None:
    """Put a run back as it was before its claim; the scheduler makes its job.

    What the lost claim's process still sends is refused, because the run has no claim now.
    """
    run.state = RunState.QUEUED
    run.started_at = run.deadline = run.lease_expires_at = None
    session.execute(delete(RunNode).where(RunNode.run_id == run.id))
    append_own(
        session, run, f"The worker was lost ({reason}); the run is queued again",
        state=RunState.QUEUED, level="warning",
    )
    audit.record(
        session, actor=who, action=Action.RUN_REQUEUE, run_id=run.id, flow_id=run.flow_id,
        data={"claim": run.fence},
    )


def _end(session: Session, run: Run, state: RunState, problem: dict[str, Any] | None) -> None:
    run.state = state
    run.finished_at = utcnow()
    run.lease_expires_at = None
    if problem is not None:
        run.problems = [*run.problems, problem]
    if state == RunState.FAILED:
        note_failure(session, run)
    _end_nodes(session, run, state)
    took = (run.finished_at - run.started_at).total_seconds() if run.started_at else 0.0
    append_own(
        session, run, f"Run {state} after {took:.3f} s", state=state,
        level="error" if state == RunState.FAILED else "info",
        data={"problem": problem} if problem else None,
    )


def _end_nodes(session: Session, run: Run, state: RunState) -> None:
    """Nodes that were running when the run ended have ended with it."""
    ended = "cancelled" if state == RunState.CANCELLED else "failed"
    for (name,) in _LEFT.rows(session, {"of": run.id}):
        node = session.get_one(RunNode, (run.id, name))
        node.state = ended
        node.finished_at = run.finished_at
        append_own(
            session, run, f"Node {name} ended with the run", node=name, data={"state": ended}
        )


def _note_leaks(session: Session, held: Held, events: list[Mapping[str, Any]]) -> None:
    for event in events:
        count = event["data"].get("prevented_leaks")
        if event["type"] == "node" and type(count) is int and count > 0:
            audit.record(
                session,
                actor=Who("worker", held.worker.id, held.worker.name, held.run.environment_id),
                action=Action.LEAK_PREVENT, run_id=held.run.id, flow_id=held.run.flow_id,
                node=event["node"], data={"count": count},
            )


__all__ = [
    "LEASE", "Held", "finish", "hold_run", "look_after", "lose", "lose_claim", "renew",
]
