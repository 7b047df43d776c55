"""The published JSON Schema of a bundle, version 1 (docs/bundle-1.schema.json).

What a schema can't say, the reader checks: the digest, the manifest, wires and their types, the
installed components. A later version of the format gets a schema and an address of its own.
"""

from __future__ import annotations

from typing import Any, Final

from app.flows.bundles import FORMAT, MAX_FLOWS, MAX_NODES, VERSION
from app.flows.graph import MAX_EDGES
from app.flows.graph import MAX_NODES as MAX_NODES_OF_A_FLOW
from app.flows.settings import FlowSettings

ID: Final = "urn:tacit:schema:bundle:1"
_ELEMENT: Final = "^[A-Za-z0-9_][A-Za-z0-9_.:-]{0,99}$"


def _object(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


def bundle_schema() -> dict[str, Any]:
    """Return the schema (JSON Schema 2020-12)."""
    element = {"type": "string", "pattern": _ELEMENT}
    end = _object({"node": element, "port": {"type": "string", "minLength": 1, "maxLength": 64}})
    node = _object(
        {"id": element, "component": {"type": "string", "minLength": 1, "maxLength": 100}},
        {
            "label": {"type": "string", "maxLength": 200},
            "position": {
                "type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2,
            },
            "config": {"type": "object"},
            "component_version": {"type": "integer", "minimum": 1},
            "disabled": {"type": "boolean"},
        },
    )
    # Whatever a node may carry later is the graph's business: its own schema number says so.
    node["additionalProperties"] = True
    graph = _object(
        {
            "schema": {"type": "integer", "minimum": 1},
            "nodes": {"type": "array", "items": node, "maxItems": MAX_NODES_OF_A_FLOW},
        },
        {
            "edges": {
                "type": "array", "maxItems": MAX_EDGES,
                "items": _object({"id": element, "source": end, "target": end}),
            }
        },
    )
    settings = FlowSettings.model_json_schema(ref_template="#/$defs/{model}")
    definitions = settings.pop("$defs", {})
    del settings["properties"]["notify_on_failure"]
    definitions.pop("NotifyOnFailure", None)
    name = {"type": "string", "minLength": 1, "maxLength": 200}
    use = _object({
        "flow": name,
        "node": element,
        "pinned_version": {"type": ["integer", "null"]},
        "format": {"enum": ["raw", "json"]},
    })
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ID,
        "title": "Tacit bundle",
        "description": "Flows on their way to another place: names of secrets, never their values.",
        **_object({
            "format": {"const": FORMAT},
            "version": {"const": VERSION},
            "flows": {
                "type": "array", "minItems": 1, "maxItems": MAX_FLOWS,
                "items": _object({
                    "name": name,
                    "description": {"type": "string", "maxLength": 2000},
                    "graph": graph,
                    "settings": settings,
                }),
            },
            "manifest": _object({
                "secrets": {
                    "type": "array",
                    "items": _object({
                        "name": {"type": "string", "minLength": 1},
                        "uses": {"type": "array", "items": use, "minItems": 1},
                    }),
                },
                "components": {
                    "type": "array", "maxItems": MAX_NODES,
                    "items": _object({
                        "type": {"type": "string"},
                        "version": {"type": ["integer", "null"], "minimum": 1},
                    }),
                },
                "providers": {"type": "array", "items": {"type": "string"}},
            }),
            "digest": {
                "type": "string", "pattern": "^sha256:[0-9a-f]{64}$",
                "description": "SHA-256 of everything else as JSON with sorted keys, no white "
                "space, and no characters escaped that needn't be.",
            },
        }),
        "$defs": definitions,
    }
