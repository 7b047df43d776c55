"""The first page: what to do first, counts, the latest runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import render_template, url_for

from app.accounts.scopes import Scope
from app.flows.names import list_flow_names
from app.runs import service as runs
from app.runs.service import RunView
from app.vault import service as secrets
from app.web.pages import pages
from app.web.work import work

_MOST = 100
_RECENT = 6
_ENDED_BADLY = ("failed", "rejected")


@dataclass(frozen=True, slots=True)
class Stat:
    """A figure of the overview, with where it leads."""

    label: str
    value: str
    note: str
    href: str
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One of the first steps, until all are done."""

    title: str
    text: str
    done: bool
    href: str
    label: str


@pages.get("/")
def overview() -> str:
    """Show where things stand."""
    with work(read=True) as (session, actor):
        may = actor.may
        flow_items = list_flow_names(session, actor, limit=_MOST) if may(Scope.FLOWS_READ) else []
        all_runs = runs.list_runs(session, actor, limit=_MOST) if may(Scope.RUNS_READ) else None
        all_secrets = (
            secrets.list_secrets(session, actor, limit=_MOST) if may(Scope.SECRETS_READ) else None
        )
    run_items = all_runs.items if all_runs else ()
    secret_items = all_secrets.items if all_secrets else ()
    stats = [
        Stat("Flows", _count(flow_items),
             f"{sum(flow.active_version is not None for flow in flow_items)} active",
             url_for("pages.flows")),
        Stat("Runs", _count(run_items), _outcomes(run_items), url_for("pages.runs")),
        Stat("Failed", str(sum(run.state in _ENDED_BADLY for run in run_items)),
             f"of the last {len(run_items)}", url_for("pages.runs", state="failed")),
        Stat("Secrets", _count(secret_items), "values are never shown", url_for("pages.secrets"),
             secret=True),
    ]
    done = bool(secret_items), bool(flow_items), bool(run_items)
    steps = [] if all(done) or not may(Scope.FLOWS_MANAGE) else _steps(*done)
    return render_template(
        "overview/overview.html",
        stats=stats,
        steps=steps,
        runs=run_items[:_RECENT],
    )


def _count(items: Sequence[object]) -> str:
    return f"{_MOST} or more" if len(items) == _MOST else str(len(items))


def _outcomes(items: Sequence[RunView]) -> str:
    going = sum(run.state in ("queued", "checking", "running") for run in items)
    return f"{going} under way" if going else "none under way"


def _steps(has_secret: bool, has_flow: bool, has_run: bool) -> list[Step]:
    return [
        Step("Save a secret", "A token or password that flows may use and nobody can read back.",
             has_secret, url_for("pages.new_secret"), "New secret"),
        Step("Draw a flow", "Manual Trigger, Secret Fetch, HTTP Request, Log: four nodes are "
             "enough to see how a secret travels.", has_flow, url_for("pages.flows") + "#new",
             "New flow"),
        Step("Run it", "Press Run on the canvas. The log shows *** where the value would stand.",
             has_run, url_for("pages.flows"), "Open flows"),
    ]
