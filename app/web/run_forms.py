"""Starting a run from a page: the form of its inputs, for a new run and for one done again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flask import flash, render_template, request, url_for
from werkzeug.wrappers import Response

from app.accounts import service as accounts
from app.components.builtins.trigger_manual import RunInput
from app.errors import Denied, Invalid, NotFound, Throttled
from app.http.services import services
from app.runs import service
from app.runs.asking import Asked, ask
from app.runs.states import RunState
from app.web.forms import Errors, FieldError
from app.web.hx import go
from app.web.pages import pages
from app.web.work import work

FREE = "json"
"""The field that stands for all inputs where the flow declares none."""


@pages.get("/flows/<flow_id>/run")
def run_form(flow_id: str) -> str:
    """Ask for a run's inputs."""
    with work(read=True) as (session, actor):
        asked = ask(session, actor, flow_id)
    return _form(asked, {one.name: one.default for one in asked.inputs})


@pages.post("/flows/<flow_id>/run")
def start_run(flow_id: str) -> Response | tuple[str, int]:
    """Start a run with the form's inputs."""
    with work(read=True) as (session, actor):
        asked = ask(session, actor, flow_id)
    return _start(asked, None)


@pages.get("/runs/<run_id>/again")
def run_again_form(run_id: str) -> str:
    """Ask for the inputs of a run that is done again, filled in with those it had."""
    asked, before = _asked_again(run_id)
    return _form(asked, before.inputs, again=run_id)


@pages.post("/runs/<run_id>/again/edited")
def run_again_edited(run_id: str) -> Response | tuple[str, int]:
    """Run a flow again with the form's inputs."""
    asked, _ = _asked_again(run_id)
    return _start(asked, run_id)


@pages.post("/runs/<run_id>/again")
def run_again(run_id: str) -> Response:
    """Run a flow again with the inputs of a run."""
    try:
        with work() as (session, actor):
            run = service.rerun(session, actor, run_id)
            environment = accounts.get_environment(session, actor.environment_id).name
    except (Invalid, NotFound, Denied, Throttled) as error:
        flash(error.detail, "error")
        return go(url_for("pages.run", run_id=run_id))
    return _go_to(run, environment)


def _asked_again(run_id: str) -> tuple[Asked, service.RunView]:
    with work(read=True) as (session, actor):
        before = service.get_run(session, actor, run_id)
        version = "draft" if before.flow_version is None else None
        return ask(session, actor, before.flow_id, version), before


def _start(asked: Asked, again: str | None) -> Response | tuple[str, int]:
    values, errors = _read(asked.inputs, request.form)
    if not errors:
        try:
            with work() as (session, actor):
                if again is None:
                    run = service.start_run(session, actor, asked.flow_id, inputs=values)
                else:
                    run = service.rerun(session, actor, again, inputs=values)
                environment = accounts.get_environment(session, actor.environment_id).name
            return _go_to(run, environment)
        except (Invalid, Denied, Throttled) as error:
            errors = _errors_of(error, {one.name for one in asked.inputs})
            status = error.status
    else:
        status = 422
    return _form(asked, request.form, errors=errors, again=again, typed=True), status


def _go_to(run: service.RunView, environment: str) -> Response:
    if run.state == RunState.QUEUED:
        services().queue.enqueue(run.id, environment)
    return go(url_for("pages.run", run_id=run.id))


def _read(
    inputs: list[RunInput], form: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, FieldError]]:
    """Read what was typed as the declared types; the server's own check comes after."""
    if not inputs:
        text = form.get(FREE, "").strip()
        try:
            value = json.loads(text) if text else {}
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict):
            return value, {}
        return {}, {FREE: FieldError("The inputs have to be a JSON object: {…}.", "not_json")}
    values: dict[str, Any] = {}
    errors: dict[str, FieldError] = {}
    for one in inputs:
        text = form.get(one.name, "")
        if one.type == "boolean":
            values[one.name] = one.name in form
        elif text.strip() == "":
            continue
        elif one.type in ("number", "json"):
            try:
                values[one.name] = json.loads(text)
            except (ValueError, RecursionError):
                what = "a number" if one.type == "number" else "JSON"
                words = f"{one.label or one.name} has to be {what}."
                errors[one.name] = FieldError(words, "input_invalid")
        else:
            values[one.name] = text
    return values, errors


def _errors_of(error: Invalid | Denied | Throttled, names: set[str]) -> dict[str, FieldError]:
    found: dict[str, FieldError] = {}
    for problem in error.problems:
        name = str(problem.get("field") or "").removeprefix("inputs.")
        found.setdefault(
            name if name in names else "", FieldError(str(problem["message"]), str(problem["code"]))
        )
    return found or {"": FieldError(error.detail, error.code)}


def _form(
    asked: Asked,
    values: Mapping[str, Any],
    *,
    errors: Errors | None = None,
    again: str | None = None,
    typed: bool = False,
) -> str:
    shown = {
        one.name: values.get(one.name) if typed else _typed(one, values.get(one.name))
        for one in asked.inputs
    }
    free = values.get(FREE, "") if typed else json.dumps(values, indent=2, ensure_ascii=False)
    return render_template(
        "runs/form.html", asked=asked, values=shown, errors=errors or {}, again=again,
        free="" if free == "{}" else free,
    )


def _typed(one: RunInput, value: Any) -> Any:
    """Return a value as it would be typed."""
    if value is None or one.type == "boolean":
        return value
    if one.type == "json" or not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return value
