"""Export and import of flows: ``/api/v1/flows/…bundle`` and ``/api/v1/flows/import``."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Response

from app.accounts.scopes import Scope
from app.api.blueprint import api, operation, reply
from app.api.shapes_bundles import (
    BundleOut,
    BundleQuery,
    BundlesQuery,
    FlowsImport,
    ImportOut,
    SchemaOut,
)
from app.flows.bundle_schema import bundle_schema
from app.flows.exporting import export_flows as export
from app.flows.importing import import_flows as run_import
from app.http.identity import current_actor
from app.http.services import services
from app.http.work import unit_of_work


@api.get("/flows/<id:flow_id>/bundle")
@operation(scope=Scope.FLOWS_READ, query=BundleQuery, answer=BundleOut, errors=(404, 409))
def export_flow(flow_id: str, query_data: BundleQuery) -> Response:
    """Export a flow as a bundle: canonical JSON, the same for the same version."""
    return _bundle([flow_id], query_data.version)


@api.get("/flows/bundle")
@operation(scope=Scope.FLOWS_READ, query=BundlesQuery, answer=BundleOut, errors=(404, 409))
def export_flows(query_data: BundlesQuery) -> Response:
    """Export several flows as one bundle."""
    return _bundle(query_data.flow, query_data.version)


@api.get("/flows/bundle/schema")
@operation(scope=None, answer=SchemaOut)
def get_bundle_schema() -> Response:
    """Show the JSON Schema of a bundle."""
    return reply(SchemaOut.model_validate(bundle_schema()))


@api.post("/flows/import")
@operation(scope=Scope.FLOWS_MANAGE, body=FlowsImport, answer=ImportOut, errors=(409, 423))
def import_flows(json_data: FlowsImport) -> Response:
    """Import a bundle's flows as drafts, or say with `dry_run` what would become of them."""
    actor = current_actor()
    with unit_of_work(services().db, actor) as session:
        report = run_import(
            session, actor, json_data.bundle, mappings=json_data.mappings.secrets,
            on_conflict=json_data.on_conflict, dry_run=json_data.dry_run,
        )
    return reply(ImportOut.model_validate(report))


def _bundle(flow_ids: Sequence[str], version: int | str | None) -> Response:
    actor = current_actor()
    with unit_of_work(services().db, actor) as session:
        made = export(session, actor, flow_ids, version=version)
    response = Response(made.text, mimetype="application/json")
    response.headers["Content-Disposition"] = f'attachment; filename="{made.filename}"'
    return response
