"""How many runs stand where, over all environments: for the metrics."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.accounts.models import Environment
from app.runs.models import Run
from app.runs.states import RunState

OPEN = (RunState.QUEUED, RunState.CHECKING, RunState.RUNNING)
"""The states of runs that have not ended."""


def count_open_runs(session: Session) -> dict[tuple[str, str], int]:
    """Count the runs that have not ended by environment's name and state, zeros too."""
    named = session.execute(select(Environment.id, Environment.name))
    names = dict(list(named))
    counts = {(name, state.value): 0 for name in sorted(names.values()) for state in OPEN}
    rows = session.execute(
        select(Run.environment_id, Run.state, func.count())
        .where(Run.state.in_(OPEN))
        .group_by(Run.environment_id, Run.state)
    )
    for environment_id, state, count in rows:
        counts[names[environment_id], state] = count
    return counts
