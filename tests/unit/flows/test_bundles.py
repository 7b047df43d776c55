"""Bundles: what is written, what is read, and what nobody gets in."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.components.registry import registry
from app.errors import TacitError
from app.flows.bundle_reading import read_bundle
from app.flows.bundle_schema import bundle_schema
from app.flows.bundles import BundledFlow, digest_of, map_secrets, references_of, write_bundle
from app.flows.graph import canonical, parse_graph
from app.flows.settings import Concurrency, FlowSettings, NotifyOnFailure
from app.http.requests import read_json_object
from tests.support.bundles import bundle, bundled, hostile_documents, hostile_texts, sealed

PUBLISHED = Path(__file__).parents[3] / "docs" / "bundle-1.schema.json"


def test_a_bundle_says_what_its_flows_need_and_nothing_of_the_place() -> None:
    told = FlowSettings(
        timeout_seconds=60, notify_on_failure=NotifyOnFailure(email="ops@example.com")
    )
    flow = bundled("Daily", "stripe", "mail/key", version=3)
    made = write_bundle(
        [BundledFlow(flow.name, flow.description, flow.graph, told), bundled("A", "stripe")],
        registry(),
    )
    assert [one["name"] for one in made["flows"]] == ["A", "Daily"]
    assert made["flows"][1]["settings"] == {"timeout_seconds": 60}
    assert made["manifest"] == {
        "secrets": [
            {"name": "mail/key", "uses": [
                {"flow": "Daily", "node": "n1", "pinned_version": 3, "format": "raw"}]},
            {"name": "stripe", "uses": [
                {"flow": "A", "node": "n0", "pinned_version": None, "format": "raw"},
                {"flow": "Daily", "node": "n0", "pinned_version": 3, "format": "raw"}]},
        ],
        "components": [
            {"type": "output.log", "version": 1}, {"type": "secret.fetch", "version": 1}],
        "providers": [],
    }
    assert made["digest"] == digest_of(made)
    assert "ops@example.com" not in canonical(made)
    read, findings = read_bundle(json.loads(canonical(made)), registry())
    assert findings == []
    assert read is not None
    assert canonical(write_bundle(read.flows, registry())) == canonical(made)


def test_disabled_nodes_are_listed_too() -> None:
    graph = bundled("Daily", "stripe").graph.to_document()
    graph["nodes"][0]["disabled"] = True
    assert [one.name for one in references_of(parse_graph(graph))] == ["stripe"]


def test_names_are_mapped_once_and_only_where_they_choose_a_secret() -> None:
    mapped = map_secrets(bundled("Daily", "a", "b").graph, {"a": "b", "b": "c", "hello": "x"})
    assert [one.name for one in references_of(mapped)] == ["b", "c"]
    assert mapped.by_id["log"].config["message"] == "hello"


@pytest.mark.parametrize(
    ("document", "code"), [pytest.param(d, c, id=name) for name, d, c in hostile_documents()]
)
def test_hostile_documents_are_refused(document: Any, code: str) -> None:
    read, findings = read_bundle(document, registry())
    assert read is None
    assert code in [one["code"] for one in findings]
    assert len(findings) <= 200
    assert len(json.dumps(findings)) < 200_000


@pytest.mark.parametrize(
    ("raw", "code"), [pytest.param(r, c, id=name) for name, r, c in hostile_texts()]
)
def test_hostile_texts_are_refused(raw: bytes, code: str) -> None:
    began = time.process_time()
    with pytest.raises(TacitError) as refused:
        read_json_object(raw, "The bundle")
    assert refused.value.code == code
    assert time.process_time() - began < 2


_WORST = """
import json, resource, sys
from app.components.registry import registry
from app.flows.bundle_reading import read_bundle
from app.http.requests import read_json_object
from tests.support.bundles import hostile_documents, hostile_texts
from app.errors import TacitError
import time
size = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
what = sys.argv[1]
if what == "edges":
    one = '{"id":"e","source":{"node":"a","port":"b"},"target":{"node":"c","port":"d"}},'
    graph = '{"schema":1,"nodes":[],"edges":[' + (one * 19_000)[:-1] + ']}'
elif what == "nodes":
    graph = '{"schema":1,"nodes":[' + ('{"id":"!"},' * 1_999)[:-1] + ']}'
else:
    text = "\U0001f600" * 400_000
    graph = ('{"schema":1,"nodes":[{"id":"a","component":"output.log","config":{"x":"'
        + text + '"}}]}')
flow = '{"name":"f%d","description":"","settings":{},"graph":' + graph + '}'
count = max(1, min(2 if what == 'edges' else 5, 8_000_000 // len(flow.encode())))
raw = ('{"format":"tacit.bundle","version":1,"digest":"sha256:' + "0" * 64 + '","manifest":'
    '{"secrets":[],"components":[],"providers":[]},"flows":['
    + ",".join(flow.replace("%d", str(i)) for i in range(count)) + ']}').encode()
before, began = size(), time.process_time()
try:
    assert read_bundle(read_json_object(raw), registry())[0] is None
except TacitError as refused:
    print(refused.code, file=sys.stderr)
print(json.dumps([len(raw), size() - before, time.process_time() - began]))
"""


@pytest.mark.parametrize("what", ["edges", "nodes", "texts"])
def test_the_worst_that_fits_takes_bounded_memory_and_time(what: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", _WORST, what], capture_output=True, text=True, check=True,
        cwd=PUBLISHED.parents[1],
    )
    size, memory, seconds = json.loads(ran.stdout)
    assert size < 8 * 1024 * 1024
    assert memory < 200, f"{memory} MiB for {size} bytes: {ran.stderr}"
    assert seconds < 2, ran.stderr


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["name", "graph", "nodes", "edges", "__proto__", "settings", "version"])
        | st.text(max_size=8), inner, max_size=4,
    ),
    max_leaves=20,
)


@settings(max_examples=100)
@given(place=st.integers(0, 8), junk=JSON)
def test_junk_anywhere_is_a_finding_never_a_failure(place: int, junk: Any) -> None:
    document = bundle()
    flow = document["flows"][0]
    node = flow["graph"]["nodes"][0]
    targets: list[tuple[Any, Any]] = [
        (document, "flows"), (document, "manifest"), (document, "version"), (flow, "graph"),
        (flow, "name"), (flow, "settings"), (node, "config"), (node, "component"),
        (document["manifest"], "components"),
    ]
    holder, key = targets[place]
    holder[key] = junk
    with contextlib.suppress(ValueError):
        document = sealed(document)
    read, findings = read_bundle(document, registry())
    assert (read is None) == bool(findings)


@settings(max_examples=50)
@given(
    name=st.text(min_size=1, max_size=50).filter(
        lambda text: text.isprintable() and text == text.strip()),
    description=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
                        max_size=50),
    secrets=st.lists(st.from_regex(r"[a-z0-9._-]{1,20}", fullmatch=True), max_size=4),
    config=st.dictionaries(st.sampled_from(["version", "outputFormat", "more"]), JSON, max_size=3),
    timeout=st.integers(1, 86_400),
)
def test_what_is_written_is_read_and_written_again_byte_by_byte(
    name: str, description: str, secrets: list[str], config: dict[str, Any], timeout: int
) -> None:
    try:
        graph = bundled(name, *secrets, **config).graph
    except TacitError:
        return  # No graph that can be saved.
    flow = BundledFlow(
        name, description, graph,
        FlowSettings(timeout_seconds=timeout, concurrency=Concurrency(limit=2)),
    )
    made = write_bundle([flow], registry())
    read, findings = read_bundle(json.loads(canonical(made)), registry())
    assert findings == []
    assert read is not None
    assert canonical(write_bundle(read.flows, registry())) == canonical(made)
    jsonschema.validate(made, bundle_schema(), jsonschema.Draft202012Validator)


def test_the_published_schema_is_the_code_s() -> None:
    schema = bundle_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert json.loads(PUBLISHED.read_text()) == schema, "run scripts/write_docs or make docs"


