"""``/api/v1/limits``: how many runs wait and go on in an environment, how long they are kept."""

from __future__ import annotations

from dataclasses import replace

from flask import Response
from pydantic import Field

from app.accounts.limits import get_limits, set_limits
from app.accounts.scopes import Scope
from app.api.blueprint import api, operation, reply
from app.api.bodies import Body
from app.api.shapes import Answer
from app.http.identity import current_actor
from app.http.services import services
from app.http.work import unit_of_work


class LimitsPatch(Body):
    """What to change of an environment's limits; what isn't there stays as it is."""

    queued_runs: int = Field(10_000, description="Most runs that wait; more are refused.")
    running_runs: int | None = Field(None, description="Most runs at once; null for no limit.")
    retention_days: int = Field(30, description="How long runs are kept; 0 for ever.")


class LimitsOut(Answer):
    """The limits of the environment that the credential acts in."""

    queued_runs: int
    running_runs: int | None
    retention_days: int


@api.get("/limits")
@operation(scope=None, answer=LimitsOut)
def show_limits() -> Response:
    """Show the environment's limits of runs."""
    actor = current_actor()
    with unit_of_work(services().db, actor, read=True) as session:
        found = get_limits(session, actor)
    return reply(LimitsOut.model_validate(found))


@api.patch("/limits")
@operation(scope=Scope.ENVIRONMENTS_MANAGE, body=LimitsPatch, answer=LimitsOut)
def change_limits(json_data: LimitsPatch) -> Response:
    """Change the environment's limits of runs."""
    actor = current_actor()
    with unit_of_work(services().db, actor) as session:
        changes = json_data.model_dump(exclude_unset=True)
        found = set_limits(session, actor, replace(get_limits(session, actor), **changes))
    return reply(LimitsOut.model_validate(found))
