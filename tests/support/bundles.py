"""Bundles for tests: whole ones, and such as nobody should be able to import."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

from app.components.registry import registry
from app.flows.bundles import BundledFlow, digest_of, write_bundle
from app.flows.graph import parse_graph
from app.flows.settings import FlowSettings
from tests.support.runs import fetching

HTML = "<img src=x onerror=alert(1)><script>alert(1)</script>"
TEMPLATE = "{{ config.items() }}{% for x in y %}${7*7}"


def bundled(name: str = "Daily", *secrets: str, **config: Any) -> BundledFlow:
    """Return a flow of a bundle that fetches secrets."""
    graph = parse_graph(fetching(*secrets, **config))
    return BundledFlow(name, "What it does", graph, FlowSettings())


def bundle(*flows: BundledFlow) -> dict[str, Any]:
    """Return a bundle's document."""
    return write_bundle(flows or [bundled("Daily", "stripe")], registry())


def sealed(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document with the digest that fits it."""
    return {**document, "digest": digest_of(document)}


def hostile_documents() -> Iterator[tuple[str, Any, str]]:
    """Yield bundles that are refused: a name, the document, and a code among the findings."""
    good = bundle()

    def changed(*path: Any, to: Any) -> dict[str, Any]:
        document = copy.deepcopy(good)
        place = document
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = to
        return sealed(document)

    yield "digest of another body", {**good, "digest": "sha256:" + "0" * 64}, "bundle_digest_wrong"
    yield "digest that is none", {**good, "digest": "md5:0"}, "bundle_malformed"
    yield "another format", changed("format", to="zip"), "bundle_malformed"
    yield "a newer version", changed("version", to=2), "bundle_version_newer"
    yield "a version that is a truth", changed("version", to=True), "bundle_malformed"
    yield "no flows", changed("flows", to=[]), "bundle_malformed"
    yield "flows of numbers", changed("flows", to=[1, None]), "bundle_malformed"
    yield "too many flows", changed("flows", to=[{}] * 101), "bundle_too_large"
    yield "a million nodes", changed("flows", 0, "graph", "nodes", to=[0] * 1_000_000), \
        "bundle_too_large"
    yield "too many wires", changed("flows", 0, "graph", "edges", to=[{}] * 20_001), \
        "too_many_edges"
    yield "one more field", {**good, "exported_by": "me"}, "bundle_malformed"
    yield "__proto__ at the top", {**good, "__proto__": {"admin": True}}, "bundle_malformed"
    yield "__proto__ in a flow", changed("flows", 0, "__proto__", to={}), "bundle_malformed"
    yield "__proto__ in a node", changed("flows", 0, "graph", "nodes", 0, "__proto__", to={}), \
        "unknown_field"
    yield "a path as a component", changed(
        "flows", 0, "graph", "nodes", 0, "component", to="../../etc/passwd"), "graph_malformed"
    yield "a module as a component", changed(
        "flows", 0, "graph", "nodes", 0, "component", to="os.system"), "unknown_component"
    yield "a path as a node's id", changed(
        "flows", 0, "graph", "nodes", 0, "id", to="../../x"), "id_not_valid"
    yield "a name of control characters", changed("flows", 0, "name", to="a\x1b[2Jb"), \
        "flow_name_invalid"
    yield "half a character", {**good, "flows": [{**good["flows"][0], "name": "\ud800"}]}, \
        "bundle_malformed"
    yield "a zero character", changed("flows", 0, "description", to="a\0b"), \
        "description_too_long"
    yield "infinity", {**good, "flows": [{**good["flows"][0], "description": float("inf")}]}, \
        "bundle_malformed"
    yield "a manifest that hides a secret", changed("manifest", "secrets", to=[]), \
        "bundle_manifest_wrong"
    yield "a manifest of something else", changed("manifest", to=[]), "bundle_malformed"
    yield "components of something else", changed("manifest", "components", to=[7]), \
        "bundle_malformed"
    yield "a version to come", changed(
        "manifest", "components", 0, "version", to=99), "component_version_unknown"
    yield "somebody else to tell", changed(
        "flows", 0, "settings", to={"notify_on_failure": {"email": "me@example.com"}}), \
        "settings_not_portable"
    yield "settings that are none", changed("flows", 0, "settings", to={"shell": "sh"}), \
        "setting_invalid"
    yield "two of one name", sealed({**good, "flows": good["flows"] * 2}), "bundle_name_twice"
    yield "HTML as a component", changed(
        "flows", 0, "graph", "nodes", 0, "component", to=HTML), "graph_malformed"
    yield "not an object", [good], "bundle_malformed"
    yield "nothing", {}, "bundle_malformed"


def hostile_texts() -> Iterator[tuple[str, bytes, str]]:
    """Yield files that can't be read as a bundle: a name, the bytes, and the refusal's code."""
    good = json.dumps(bundle()).encode()
    yield "UTF-16", good.decode().encode("utf-16"), "malformed_json"
    yield "Latin-1", '{"name": "café"}'.encode("latin-1"), "malformed_json"
    yield "a byte order mark", b"\xef\xbb\xbf" + good, "malformed_json"
    yield "half of it", good[: len(good) // 2], "malformed_json"
    yield "a duplicate key", b'{"format": "tacit.bundle", "format": "tacit.bundle"}', \
        "malformed_json"
    yield "deep lists", b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "malformed_json"
    yield "deep objects", b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "malformed_json"
    yield "NaN", b'{"a": NaN}', "malformed_json"
    yield "an endless number", b'{"a": ' + b"9" * 100_000 + b"}", "malformed_json"
    yield "half a character", b'{"a": "\\ud800"}', "malformed_json"
    yield "eight million commas", b'{"a": [' + b"0," * 4_000_000 + b"0]}", "too_many_values"
    yield "a million objects", b'{"a": [' + b'{"":0},' * 1_000_000 + b"0]}", "too_many_values"
    yield "a list", b"[" + good + b"]", "body_not_object"
    yield "a zip", b"PK\x03\x04" + bytes(1000), "malformed_json"
