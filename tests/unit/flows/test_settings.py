"""Settings of flows: what is taken, what is stored, what the hash covers."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from app.errors import Invalid
from app.flows.graph import parse_graph
from app.flows.rows import content_hash
from app.flows.settings import FlowSettings, read_settings

ALL: dict[str, Any] = {
    "concurrency": {"limit": 2, "policy": "skip"},
    "timeout_seconds": 60,
    "on_prevented_leak": "fail_node",
    "notify_on_failure": {"webhook_url": "https://hooks.example/x?y=1", "email": "a.b@example.com"},
    "on_worker_lost": "requeue",
}
GRAPH = {"schema": 1, "nodes": [], "edges": []}


def test_the_defaults_are_what_runs_did_without_settings() -> None:
    settings = read_settings({})
    assert settings == FlowSettings()
    assert settings.concurrency.limit is None
    assert settings.timeout_seconds == 3600
    assert (settings.on_prevented_leak, settings.on_worker_lost) == ("mask", "fail")
    assert settings.to_json() == {}


def test_only_what_differs_is_stored_and_read_back() -> None:
    assert read_settings(ALL).to_json() == ALL
    assert read_settings(read_settings(ALL).to_json()) == read_settings(ALL)
    some = {"concurrency": {"limit": None, "policy": "skip"}, "timeout_seconds": 3600}
    assert read_settings(some).to_json() == {"concurrency": {"policy": "skip"}}


def test_a_bundle_names_nobody_to_tell() -> None:
    carried = read_settings(ALL).portable().to_json()
    assert carried == {key: value for key, value in ALL.items() if key != "notify_on_failure"}


@pytest.mark.parametrize(
    ("document", "fields"),
    [
        ({"timeout_seconds": 0}, ["settings.timeout_seconds"]),
        ({"timeout_seconds": 86_401}, ["settings.timeout_seconds"]),
        ({"timeout_seconds": "60"}, ["settings.timeout_seconds"]),
        ({"timeout_seconds": True}, ["settings.timeout_seconds"]),
        ({"concurrency": {"limit": 0, "policy": "race"}},
         ["settings.concurrency.limit", "settings.concurrency.policy"]),
        ({"concurrency": None}, ["settings.concurrency"]),
        ({"CANARY-name": 1}, ["settings.CANARY-name"]),
        ({"notify_on_failure": {"webhook_url": "ftp://example.com/CANARY-value"}},
         ["settings.notify_on_failure.webhook_url"]),
        ({"notify_on_failure": {"webhook_url": "https://u:CANARY-value@example.com/"}},
         ["settings.notify_on_failure.webhook_url"]),
        ({"notify_on_failure": {"webhook_url": "https://example.com:99999/"}},
         ["settings.notify_on_failure.webhook_url"]),
        ({"notify_on_failure": {"webhook_url": "https://example.com/\nCANARY-value"}},
         ["settings.notify_on_failure.webhook_url"]),
        ({"notify_on_failure": {"email": "a@example.com\r\nBcc: CANARY-value@example.com"}},
         ["settings.notify_on_failure.email"]),
        ({"notify_on_failure": {"email": "a@b@c"}}, ["settings.notify_on_failure.email"]),
        ([], []),
        ("CANARY-value", []),
    ],
)
def test_what_is_refused_names_its_fields_and_quotes_no_value(
    document: Any, fields: list[str]
) -> None:
    with pytest.raises(Invalid) as caught:
        read_settings(document)
    error = caught.value
    assert error.code == "settings_invalid"
    assert [problem["field"] for problem in error.problems] == fields
    assert "CANARY-value" not in str([error.detail, *error.problems])


def test_the_hash_covers_them_and_default_ones_leave_the_graph_its_own() -> None:
    graph = parse_graph(GRAPH)
    plain = content_hash(graph, FlowSettings())
    assert plain == hashlib.sha256(graph.to_json().encode()).hexdigest()
    others = {
        content_hash(graph, read_settings({key: value})) for key, value in ALL.items()
    }
    assert len(others | {plain}) == len(ALL) + 1
