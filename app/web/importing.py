"""Importing a bundle: choose the file, map its secrets, look, import. Nothing is kept between the
steps: each of them sends the file again, and everything is planned anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import flash, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from app.accounts.actor import Actor
from app.accounts.scopes import Scope
from app.errors import Conflict, Invalid, TacitError
from app.flows.bundles import MAX_BYTES
from app.flows.importing import ImportReport, OnConflict, import_flows
from app.http.requests import read_json_object
from app.vault import service as vault_service
from app.vault.service import NewSecret
from app.web.hx import go
from app.web.pages import pages
from app.web.work import vault, work

_MAPPED, _VALUE, _OFFERED = "map:", "value:", "offered:"
_LISTED = 200


@pages.get("/flows/import")
def import_page() -> str:
    """Ask for the file."""
    with work(read=True) as (_, actor):
        actor.require(Scope.FLOWS_MANAGE)
    return render_template("flows/import.html", report=None)


@pages.post("/flows/import/plan")
def plan_import() -> str:
    """Say what would become of the bundle; first create the one secret that was asked for."""
    wrong: TacitError | None = None
    created = request.form.get("create")
    if created:
        try:
            with work() as (session, actor):
                vault_service.create_secret(
                    session, actor, vault(),
                    NewSecret(
                        name=_offered(created),
                        value=request.form.get(_VALUE + created, ""),
                    ),
                )
        except (Invalid, Conflict) as error:
            wrong = error
    return _plan(wrong, created)


@pages.post("/flows/import/apply")
def apply_import() -> Response | str:
    """Import, and go to what came of it."""
    try:
        with work() as (session, actor):
            report = import_flows(
                session, actor, _document(), mappings=_mappings(), on_conflict=_on_conflict()
            )
    except (Invalid, Conflict) as error:
        return _plan(error, None)
    count = len(report.flows)
    what = "1 flow as a draft" if count == 1 else f"{count} flows as drafts"
    flash(f"Imported {what}, triggers off.")
    if count == 1 and report.flows[0].id:
        return go(url_for("pages.flow_versions", flow_id=report.flows[0].id))
    return go(url_for("pages.flows"))


def _plan(wrong: TacitError | None, created: str | None) -> str:
    report: ImportReport | None = None
    names: list[str] = []
    labels: dict[tuple[str, str], str] = {}
    may_create = False
    try:
        document = _document()
        with work() as (session, actor):
            report = import_flows(
                session, actor, document, mappings=_mappings(), on_conflict=_on_conflict(),
                dry_run=True,
            )
            labels = _labels(document) if report.secrets else {}
            names = _names(session, actor)
            may_create = actor.may(Scope.SECRETS_MANAGE)
    except (Invalid, Conflict) as error:
        wrong = wrong or error
    return render_template(
        "flows/_import_plan.html", report=report, wrong=wrong, created=created, names=names,
        may_create=may_create, mappings=_mappings(), on_conflict=_on_conflict(), labels=labels,
        fields={one.name: _field_id(one.name) for one in report.secrets} if report else {},
        typed=[one for one in request.form if one.startswith(_VALUE) and request.form[one]],
    )


def _document() -> Mapping[str, Any]:
    file = request.files.get("file")
    raw = file.stream.read(MAX_BYTES + 1) if file is not None else b""
    if not raw:
        raise Invalid("bundle_missing", "Choose the bundle's file first.", field="file")
    if len(raw) > MAX_BYTES:
        raise Invalid("bundle_too_large", "The bundle is over 8 MiB. Split it.", field="file")
    return read_json_object(raw, "The bundle")


def _mappings() -> dict[str, str]:
    """Return what was mapped; an empty field means the same name."""
    return {
        name.removeprefix(_MAPPED): target.strip()
        for name, target in request.form.items()
        if name.startswith(_MAPPED) and target.strip()
        and target.strip() != name.removeprefix(_MAPPED)
    }


def _offered(created: str) -> str:
    """Return the name that the pressed button offered to create.

    :raises Conflict: ``mapping_changed``: another one was typed since, and which is meant?
    """
    now = _mappings().get(created, created)
    then = request.form.get(_OFFERED + created, now)
    if then != now:
        raise Conflict(
            "mapping_changed",
            f"The name here is {now} now, and the button said {then}, so nothing was created. "
            f"Press it again to create {now}, or change the name back.",
        )
    return now


def _field_id(name: str) -> str:
    """Return a field's id in characters that selectors take; the same in each plan."""
    return f"value-{name.encode(errors='replace').hex()}"


def _labels(document: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """Return what the authors call the nodes, by flow and node, of a bundle that was read."""
    return {
        (flow["name"], node["id"]): node["label"]
        for flow in document["flows"] for node in flow["graph"]["nodes"] if node.get("label")
    }


def _on_conflict() -> OnConflict:
    return "new" if request.form.get("on_conflict") == "new" else "replace"


def _names(session: Session, actor: Actor) -> list[str]:
    if not actor.may(Scope.SECRETS_READ):
        return []
    page = vault_service.list_secrets(session, actor, limit=_LISTED)
    return [one.name for one in page.items]
