"""Reading a bundle that somebody wrote: everything that is wrong with it, found at once.

Pure, like :mod:`app.flows.bundles`. What comes in is hostile until it was read: sizes are
bounded before anything is built from it, and nothing of it is quoted but names, cut short.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from app.components.problems import Problem, Remedy
from app.components.registry import Registry
from app.errors import Invalid
from app.flows.bundles import (
    FORMAT,
    MAX_EDGES,
    MAX_FLOWS,
    MAX_NODES,
    VERSION,
    Bundle,
    BundledFlow,
    digest_of,
    manifest_of,
)
from app.flows.graph import Graph, parse_graph
from app.flows.settings import FlowSettings, read_settings

MAX_NAME: Final = 200
MAX_DESCRIPTION: Final = 2000
_MAX_FINDINGS: Final = 200

_TOP: Final = frozenset({"format", "version", "flows", "manifest", "digest"})
_FLOW: Final = frozenset({"name", "description", "graph", "settings"})
_MANIFEST: Final = frozenset({"secrets", "components", "providers"})
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

Finding = dict[str, Any]
"""A problem as the API writes it, with ``flow``: the name of the flow in the bundle."""


@dataclass
class _Reader:
    findings: list[Finding] = field(default_factory=list)

    def add(self, code: str, message: str, **where: Any) -> None:
        remedy = where.pop("remedy", None)
        flow = where.pop("flow", None)
        self.put(Problem(code, "error", message, remedy=remedy, **where).to_json(), flow)

    def put(self, problem: Mapping[str, Any], flow: str | None) -> None:
        if len(self.findings) < _MAX_FINDINGS:
            self.findings.append({**problem, "flow": flow})


def read_bundle(document: object, components: Registry) -> tuple[Bundle | None, list[Finding]]:
    """Read a bundle's document.

    :param components: what is installed here; what the bundle needs beyond it is a finding.
    :returns: the bundle, None where anything is wrong with it, and the findings, all of which
        keep it from being imported.
    """
    reader = _Reader()
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        reader.add(
            "bundle_malformed", f"This is no bundle: it has no format “{FORMAT}”.", field="format"
        )
        return None, reader.findings
    if not _check_frame(reader, document):
        return None, reader.findings
    _check_digest(reader, document)
    flows = [_read_flow(reader, raw, number) for number, raw in enumerate(document["flows"], 1)]
    read = [flow for flow in flows if flow is not None]
    _check_names(reader, read)
    versions = _read_versions(reader, document["manifest"])
    _check_components(reader, read, versions, components)
    if len(read) == len(flows) and not reader.findings:
        _check_manifest(reader, document["manifest"], read, versions, components)
    if reader.findings:
        return None, reader.findings
    return Bundle(tuple(read), str(document["digest"])), []


def _check_frame(reader: _Reader, document: dict[str, Any]) -> bool:
    version = document.get("version")
    if type(version) is not int or version < 1:
        reader.add("bundle_malformed", f"The bundle needs version: {VERSION}.", field="version")
        return False
    if version > VERSION:
        reader.add(
            "bundle_version_newer",
            f"The bundle has a newer format than this Tacit reads (version {VERSION}). Update "
            "Tacit here, or export it again with an older one.",
            field="version",
        )
        return False
    if not document.keys() <= _TOP:
        reader.add("bundle_malformed", f"A bundle has {_listed(_TOP)} and nothing else.")
        return False
    flows, manifest = document.get("flows"), document.get("manifest")
    if not isinstance(flows, list) or not flows:
        reader.add("bundle_malformed", "The bundle's flows have to be a list of one or more.",
                   field="flows")
        return False
    if not isinstance(manifest, dict) or manifest.keys() != _MANIFEST:
        reader.add("bundle_malformed", f"The bundle's manifest has {_listed(_MANIFEST)}.",
                   field="manifest")
        return False
    return _check_limits(reader, flows)


def _check_limits(reader: _Reader, flows: list[Any]) -> bool:
    if len(flows) > MAX_FLOWS:
        reader.add("bundle_too_large", f"The bundle has {len(flows):,} flows; the limit is "
                   f"{MAX_FLOWS}. Split it into several.", field="flows")
        return False
    for what, words, limit in (("nodes", "nodes", MAX_NODES), ("edges", "wires", MAX_EDGES)):
        total = sum(_count(flow, what) for flow in flows)
        if total > limit:
            reader.add("bundle_too_large", f"The bundle has {total:,} {words} in all; the limit "
                       f"is {limit:,}. Split it into several.", field="flows")
            return False
    return True


def _count(flow: Any, what: str) -> int:
    graph = flow.get("graph") if isinstance(flow, dict) else None
    found = graph.get(what) if isinstance(graph, dict) else None
    return len(found) if isinstance(found, list) else 0


def _check_digest(reader: _Reader, document: dict[str, Any]) -> None:
    written = document.get("digest")
    if not isinstance(written, str) or not _DIGEST.fullmatch(written):
        reader.add("bundle_malformed", "The bundle needs a digest: sha256: and 64 hex digits.",
                   field="digest")
        return
    try:
        fits = hmac.compare_digest(digest_of(document), written)
    except (ValueError, RecursionError):
        reader.add("bundle_malformed", "The bundle holds a value that JSON can't, half a "
                   "character, or is nested without end.")
        return
    if not fits:
        reader.add(
            "bundle_digest_wrong",
            "The bundle's digest is that of another body: it was changed or cut after its export. "
            "Export it again.",
            field="digest",
        )


def _read_flow(reader: _Reader, raw: Any, number: int) -> BundledFlow | None:
    if not isinstance(raw, dict) or raw.keys() != _FLOW:
        reader.add("bundle_malformed", f"Flow {number} of the bundle has {_listed(_FLOW)}.",
                   field="flows")
        return None
    name, description = raw["name"], raw["description"]
    if not _is_name(name):
        reader.add(
            "flow_name_invalid",
            f"The name of flow {number} has to be 1 to {MAX_NAME} printable characters, without "
            "blanks around it.", field="name",
        )
        return None
    if not _is_description(description):
        reader.add("description_too_long", f"The description of {name} has to be text of at most "
                   f"{MAX_DESCRIPTION} characters.", field="description", flow=name)
        return None
    graph, settings = _read_graph(reader, raw, name), _read_settings(reader, raw, name)
    if graph is None or settings is None:
        return None
    return BundledFlow(name, description, graph, settings)


def _is_name(name: Any) -> bool:
    return (
        isinstance(name, str) and 0 < len(name) <= MAX_NAME
        and name.isprintable() and name == name.strip()
    )


def _is_description(text: Any) -> bool:
    if not isinstance(text, str) or len(text) > MAX_DESCRIPTION or "\0" in text:
        return False
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _read_graph(reader: _Reader, raw: dict[str, Any], name: str) -> Graph | None:
    try:
        return parse_graph(raw["graph"])
    except Invalid as error:
        for problem in error.problems:
            reader.put(problem, name)
        return None


def _read_settings(reader: _Reader, raw: dict[str, Any], name: str) -> FlowSettings | None:
    try:
        settings = read_settings(raw["settings"])
    except Invalid as error:
        for problem in error.problems or ({"code": error.code, "message": error.detail},):
            reader.put({**Problem(error.code, "error", error.detail).to_json(), **problem}, name)
        return None
    if settings != settings.portable():
        # Whoever wrote the file would be told of this place's runs.
        reader.add("settings_not_portable", "A bundle can't say who is told of failed runs; take "
                   "notify_on_failure out of it.", field="settings", flow=name)
        return None
    return settings


def _check_names(reader: _Reader, flows: list[BundledFlow]) -> None:
    names = [flow.name for flow in flows]
    for name in sorted({name for name in names if names.count(name) > 1}):
        reader.add("bundle_name_twice", "Two flows of the bundle have this name, so it can't be "
                   "told which one is meant.", field="name", flow=name)


def _read_versions(reader: _Reader, manifest: dict[str, Any]) -> dict[str, int | None]:
    listed = manifest["components"]
    versions: dict[str, int | None] = {}
    for one in listed if isinstance(listed, list) else [None]:
        pair = one if isinstance(one, dict) and one.keys() == {"type", "version"} else {"type": 0}
        name, version = pair["type"], pair.get("version")
        known = version is None or (type(version) is int and 0 < version < 2**31)
        if not isinstance(name, str) or not known or len(versions) > MAX_NODES:
            reader.add("bundle_malformed", "The manifest's components are a list of {type, "
                       "version}.", field="manifest")
            return {}
        versions[name] = version
    return versions


def _check_components(
    reader: _Reader, flows: list[BundledFlow], versions: dict[str, int | None],
    components: Registry,
) -> None:
    said: set[str] = set()
    for flow in flows:
        for node in flow.graph.nodes:
            if node.component in said:
                continue
            found = components.find(node.component)
            wanted = max(node.version, versions.get(node.component) or 1)
            if found is not None and wanted <= found.version:
                continue
            said.add(node.component)
            if found is None:
                code, message = "unknown_component", (
                    f"Component {node.component} isn't installed here. Install it, then import "
                    "again."
                )
            else:
                code, message = "component_version_unknown", (
                    f"The bundle needs version {wanted} of {node.component}; here it is version "
                    f"{found.version}. Update it, then import again."
                )
            remedy = Remedy("install_component", "Install it", {"component": node.component})
            reader.add(code, message, node=node.id, flow=flow.name, remedy=remedy)


def _check_manifest(
    reader: _Reader, manifest: dict[str, Any], flows: list[BundledFlow],
    versions: dict[str, int | None], components: Registry,
) -> None:
    if manifest != manifest_of(flows, versions.get, components):
        reader.add(
            "bundle_manifest_wrong",
            "The bundle's manifest doesn't say what its flows need. Export it again.",
            field="manifest",
        )


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))
