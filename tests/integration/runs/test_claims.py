"""Starting, checking and ending runs through their services."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, cast

import pytest
from sqlalchemy import Table, select, text, update

from app.accounts.scopes import Role, Scope
from app.audit.models import AuditEvent
from app.errors import Conflict, Denied, Invalid, NotFound
from app.flows.activation import activate_flow, deactivate_flow
from app.flows.models import FlowVersion
from app.flows.service import save_flow
from app.flows.settings import read_settings
from app.ids import new_id
from app.runs.checks import check_flow
from app.runs.models import Run
from app.runs.service import (
    cancel_run,
    get_run,
    list_events,
    list_runs,
    rerun,
    start_run,
)
from app.runs.states import TERMINAL, RunState
from app.vault import service as secrets
from app.vault.models import Grant
from tests.support.runs import Workshop, fetching


def node(name: str, component: str, **config: Any) -> dict[str, Any]:
    """Return a node of a graph."""
    return {"id": name, "component": component, "label": name, "position": [0, 0],
            "config": config}


def test_a_run_waits_for_a_worker(workshop: Workshop) -> None:
    flow = workshop.flow(name="Daily")
    run = workshop.run(flow, inputs={"day": [1, None, "x"]})
    assert (run.state, run.flow_id, run.flow_name, run.flow_version) == (
        "queued", flow.id, "Daily", None
    )
    assert [item.state for item in run.nodes] == ["queued"]
    assert run.inputs == {"day": [1, None, "x"]}
    assert run.trigger == {"kind": "manual", "by": workshop.email}
    assert (run.started_at, run.finished_at, run.problems) == (None, None, [])
    assert workshop.show(run.id) == run
    with workshop.installation.services.db.read() as session:
        (event,) = list_events(session, workshop.actor(), run.id)
    assert (event.seq, event.type, event.data["state"]) == (1, "run", "queued")


def test_a_run_keeps_the_graph_that_it_was_started_with(workshop: Workshop) -> None:
    from app.flows.service import save_flow

    flow = workshop.flow()
    first = workshop.run(flow)
    with workshop.installation.services.db.begin() as session:
        graph = {**flow.graph, "nodes": [*flow.graph["nodes"], node("new", "trigger.manual")]}
        save_flow(session, workshop.actor(), flow.id, graph=graph)
    second = workshop.run(flow)
    assert [item.id for item in workshop.show(first.id).nodes] == ["log"]
    assert [item.id for item in workshop.show(second.id).nodes] == ["log", "new"]
    held = workshop.runtime.claim(workshop.worker, first.id)
    assert [item["id"] for item in held.plan["graph"]["nodes"]] == ["log"]


def test_what_can_not_run_makes_no_run(workshop: Workshop) -> None:
    unknown = workshop.flow({"schema": 1, "nodes": [node("a", "no.such")], "edges": []})
    empty = workshop.flow({"schema": 1, "nodes": [], "edges": []})
    with pytest.raises(Invalid) as caught:
        workshop.run(unknown)
    assert caught.value.code == "flow_has_problems"
    assert caught.value.problems
    with pytest.raises(Invalid) as caught:
        workshop.run(empty)
    assert caught.value.code == "flow_empty"
    with pytest.raises(Invalid) as caught:
        workshop.run(workshop.flow(), inputs={"a": "x" * 300_000})
    assert (caught.value.code, caught.value.field) == ("inputs_too_large", "inputs")
    deep: object = "x"
    for _ in range(200):
        deep = [deep]
    with pytest.raises(Invalid) as caught:
        workshop.run(workshop.flow(), inputs={"a": deep})
    assert (caught.value.code, caught.value.field) == ("inputs_too_deep", "inputs")
    for version in ("active", 1, 99):
        with pytest.raises(NotFound) as missing:
            workshop.run(empty, version=version)
        assert missing.value.code == "flow_version_not_found"
    with workshop.installation.services.db.read() as session:
        for flow in (unknown, empty):
            assert list_runs(session, workshop.actor(), flow_id=flow.id).items == []


def test_scopes_and_environments(workshop: Workshop) -> None:
    db = workshop.installation.services.db
    flow = workshop.flow()
    run = workshop.run(flow)
    reader = workshop.actor(scopes=frozenset({Scope.RUNS_READ, Scope.FLOWS_READ}))
    nobody = workshop.actor(scopes=frozenset(Scope) - {Scope.RUNS_READ, Scope.RUNS_MANAGE})
    elsewhere = workshop.actor(environment_id=workshop.installation.environment(f"e{new_id()}"))
    deeds: list[Callable[..., Any]] = [
        lambda session, actor: start_run(session, actor, flow.id),
        lambda session, actor: cancel_run(session, actor, run.id),
        lambda session, actor: get_run(session, actor, run.id),
        lambda session, actor: list_events(session, actor, run.id),
    ]
    for number, deed in enumerate(deeds):
        with pytest.raises(Denied), db.begin() as session:
            deed(session, nobody)
        with pytest.raises(NotFound), db.begin() as session:
            deed(session, elsewhere)
        if number < 2:
            with pytest.raises(Denied), db.begin() as session:
                deed(session, reader)
    with db.read() as session:
        assert list_runs(session, elsewhere).items == []
        assert get_run(session, reader, run.id).id == run.id


def test_runs_are_listed_newest_first(workshop: Workshop) -> None:
    flow = workshop.flow()
    made = [workshop.run(flow).id for _ in range(5)]
    with workshop.installation.services.db.begin() as session:
        cancel_run(session, workshop.actor(), made[1])

    def ids(**query: Any) -> list[str]:
        found: list[str] = []
        with workshop.installation.services.db.read() as session:
            while True:
                page = list_runs(session, workshop.actor(), flow_id=flow.id, limit=2, **query)
                found += [item.id for item in page.items]
                if page.next_cursor is None:
                    return found
                query["cursor"] = page.next_cursor

    assert ids() == made[::-1]
    assert ids(state="cancelled") == [made[1]]
    assert ids(state="queued") == [made[number] for number in (4, 3, 2, 0)]
    with pytest.raises(Invalid) as caught:
        ids(state="happy")
    assert caught.value.field == "state"


@pytest.fixture
def rejected(workshop: Workshop) -> Callable[..., Any]:
    """Claims a run of a flow and returns what its page shows; no grant may be left."""

    def claim(run_id: str) -> Any:
        held = workshop.runtime.claim(workshop.worker, run_id)
        assert held.plan["state"] == "rejected"
        assert not {"graph", "grants", "kid"} & held.plan.keys()
        with workshop.installation.services.db.read() as session:
            assert session.scalars(select(Grant).where(Grant.run_id == run_id)).all() == []
            found = session.scalars(
                select(AuditEvent).where(AuditEvent.run_id == run_id).order_by(AuditEvent.seq)
            )
            assert [(item.action, item.outcome) for item in found] == [
                ("run.start", "ok"), ("run.claim", "ok"), ("run.reject", "denied")
            ]
        shown = workshop.show(run_id)
        assert (shown.state, shown.finished_at is None) == ("rejected", False)
        return shown

    return claim


def test_a_deleted_secret_rejects_the_run_before_any_node(
    workshop: Workshop, rejected: Callable[..., Any]
) -> None:
    kept, gone = workshop.secret(), workshop.secret(name=f"echo-{new_id()}")
    run = workshop.run(workshop.flow(fetching(kept.name, gone.name)))
    workshop.delete(gone.id)
    shown = rejected(run.id)
    (problem,) = shown.problems
    assert (problem["code"], problem["node"], problem["severity"]) == (
        "secret_missing", "n1", "error"
    )
    assert gone.name in problem["message"]
    assert "re-map" in problem["message"]
    assert problem["remedy"]["action"] == "remap_secret"
    states = {item.id: (item.state, item.started_at) for item in shown.nodes}
    assert states == {"n0": ("skipped", None), "n1": ("rejected", None), "log": ("skipped", None)}
    assert next(item for item in shown.nodes if item.id == "n1").problem == problem
    with workshop.installation.services.db.read() as session:
        events = list_events(session, workshop.actor(), run.id)
    assert [item.seq for item in events] == list(range(1, len(events) + 1))
    assert any(item.node == "n1" and item.text == problem["message"] for item in events)
    # Taken again, it stays what it is.
    assert workshop.runtime.claim(workshop.worker, run.id).plan["state"] == "gone"


def test_every_reason_at_once(workshop: Workshop, rejected: Callable[..., Any]) -> None:
    db, actor = workshop.installation.services.db, workshop.actor()
    disabled, closed, pinned = workshop.secret(), workshop.secret(), workshop.secret()
    with db.begin() as session:
        secrets.disable_version(session, actor, disabled.id, 1)
        secrets.describe_secret(
            session, actor, closed.id, secrets.SecretChange(allowed_flows=[new_id()])
        )
    graph = fetching(f"never-{new_id()}", disabled.name, closed.name)
    graph["nodes"].append(node("n3", "secret.fetch", secretName=pinned.name, version=7))
    shown = rejected(workshop.run(workshop.flow(graph)).id)
    assert {item["node"]: item["code"] for item in shown.problems} == {
        "n0": "secret_missing", "n1": "secret_disabled", "n2": "secret_denied", "n3": "pin_missing",
    }
    for item in shown.problems:
        assert item["message"].endswith(".")
        assert item["remedy"]["label"]


@pytest.mark.parametrize("role", [Role.AUTHOR, Role.VIEWER])
def test_a_person_without_secrets_use_is_denied(
    workshop: Workshop, rejected: Callable[..., Any], role: Role
) -> None:
    """The role at the time of the check counts, whatever it was at the start."""
    user_id, _ = workshop.installation.person(role)
    secret = workshop.secret()
    actor = workshop.actor(user_id=user_id, scopes=frozenset({Scope.RUNS_MANAGE}))
    run = workshop.run(workshop.flow(fetching(secret.name)), actor)
    assert [item["code"] for item in rejected(run.id).problems] == ["secret_denied"]
    # A flow without secrets needs no such permission.
    plain = workshop.run(workshop.flow(), actor)
    assert workshop.runtime.claim(workshop.worker, plain.id).plan["state"] == "running"


def test_the_system_acts_for_nobody(workshop: Workshop, rejected: Callable[..., Any]) -> None:
    secret = workshop.secret()
    run = workshop.run(workshop.flow(fetching(secret.name)), workshop.installation.operator())
    assert [item["code"] for item in rejected(run.id).problems] == ["secret_denied"]


def test_the_version_of_the_check_is_granted(workshop: Workshop) -> None:
    secret = workshop.secret()
    workshop.rotate(secret.id)
    graph = fetching(secret.name)
    graph["nodes"].append(node("n1", "secret.fetch", secretName=secret.name, version=1))
    held = workshop.runtime.claim(workshop.worker, workshop.run(workshop.flow(graph)).id)
    assert [(item["node"], item["version"]) for item in held.plan["grants"]] == [
        ("n0", 2), ("n1", 1)
    ]


def test_a_graph_that_was_changed_in_sql_runs_nowhere(
    workshop: Workshop, rejected: Callable[..., Any]
) -> None:
    """And it doesn't come back for ever: it ends, with a problem that says why."""
    secret = workshop.secret()
    run = workshop.run(workshop.flow(fetching(secret.name)))
    with workshop.installation.services.db.begin() as session:
        version = session.scalars(
            select(FlowVersion).join(Run, Run.flow_version_id == FlowVersion.id)
            .where(Run.id == run.id)
        ).one()
        table = cast(Table, FlowVersion.__table__)
        evil = json.loads(json.dumps(version.graph).replace("hello", "evil"))
        session.execute(update(table).where(table.c.id == version.id).values(graph=evil))
    assert [item["code"] for item in rejected(run.id).problems] == ["row_tampered"]


@pytest.mark.parametrize("settings", ['{"timeout_seconds": 86400}', "[]", '{"other": 1}'])
def test_settings_that_were_changed_in_sql_run_nowhere(
    workshop: Workshop, rejected: Callable[..., Any], settings: str
) -> None:
    run = workshop.run(workshop.flow())
    with workshop.installation.services.db.begin() as session:
        session.execute(
            text(
                "update flow_versions set settings = :settings "
                "where id = (select flow_version_id from runs where id = :id)"
            ),
            {"id": run.id, "settings": settings},
        )
    assert [item["code"] for item in rejected(run.id).problems] == ["row_tampered"]
    with workshop.installation.services.db.begin() as session:
        # Other drafts with this content would share the snapshot.
        session.execute(text("update flow_versions set settings = '{}'"))


def test_a_run_has_the_time_that_its_flow_gives_it(workshop: Workshop) -> None:
    flow = workshop.flow(settings=read_settings({"timeout_seconds": 90}))
    before = time.time()
    held = workshop.runtime.claim(workshop.worker, workshop.run(flow).id)
    assert 89 < held.plan["deadline_unix"] - before < 120
    assert held.plan["settings"] == {"on_prevented_leak": "mask"}


def test_a_graph_that_is_none_any_more(workshop: Workshop, rejected: Callable[..., Any]) -> None:
    run = workshop.run(workshop.flow())
    with workshop.installation.services.db.begin() as session:
        session.execute(
            text(
                "update flow_versions set graph = '{}' "
                "where id = (select flow_version_id from runs where id = :id)"
            ),
            {"id": run.id},
        )
    assert [item["code"] for item in rejected(run.id).problems] == ["row_tampered"]


def test_a_secret_that_was_changed_in_sql(
    workshop: Workshop, rejected: Callable[..., Any]
) -> None:
    secret = workshop.secret(allowed_hosts=["api.example.com"])
    run = workshop.run(workshop.flow(fetching(secret.name)))
    db = workshop.installation.services.db

    def set_hosts(hosts: str) -> None:
        with db.begin() as session:
            session.execute(
                text("update secrets set allowed_hosts = :hosts where id = :id"),
                {"hosts": hosts, "id": secret.id},
            )

    set_hosts('["evil.example.com"]')
    try:
        assert [item["code"] for item in rejected(run.id).problems] == ["row_tampered"]
    finally:
        set_hosts('["api.example.com"]')


def test_a_run_that_was_given_to_another_person_in_sql(workshop: Workshop) -> None:
    run = workshop.run(workshop.flow())
    with workshop.installation.services.db.begin() as session:
        session.execute(
            update(Run).where(Run.id == run.id).values(user_id=new_id()),
            execution_options={"synchronize_session": False},
        )
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    ticket = workshop.worker.ticket(run.id, Ed25519PrivateKey.generate())
    answer = workshop.runtime.post("/claims", ticket)
    assert (answer.status_code, answer.json["code"]) == (503, "row_tampered")
    with workshop.installation.services.db.begin() as session:
        session.execute(text("update runs set user_id = :user where id = :id"),
                        {"user": workshop.user_id, "id": run.id})


def test_cancelling(workshop: Workshop) -> None:
    db = workshop.installation.services.db
    waiting = workshop.run(workshop.flow())
    with db.begin() as session:
        cancel_run(session, workshop.actor(), waiting.id)
    shown = workshop.show(waiting.id)
    assert shown.state == "cancelled"
    assert shown.finished_at is not None
    with pytest.raises(Conflict) as caught, db.begin() as session:
        cancel_run(session, workshop.actor(), waiting.id)
    assert caught.value.code == "run_over"
    assert "cancelled" in caught.value.detail
    held = workshop.claimed()
    with db.begin() as session:
        cancel_run(session, workshop.actor(), held.id)
    shown = workshop.show(held.id)
    assert (shown.state, shown.cancel_requested) == ("running", True)


def test_states() -> None:
    assert {RunState.QUEUED, RunState.CHECKING, RunState.RUNNING} == set(RunState) - TERMINAL


def test_events_come_in_pages(workshop: Workshop) -> None:
    held = workshop.claimed()
    with workshop.installation.services.db.read() as session:
        whole = list_events(session, workshop.actor(), held.id)
        assert list_events(session, workshop.actor(), held.id, after=1, limit=1) == whole[1:2]
        assert list_events(session, workshop.actor(), held.id, after=99) == []
        with pytest.raises(NotFound):
            list_events(session, workshop.actor(), "..")


# -- what a run was started with ------------------------------------------------------------

ASKING = {
    "schema": 1,
    "nodes": [
        node("start", "trigger.manual", inputs=[
            {"name": "day", "required": True}, {"name": "count", "type": "number", "default": 3},
        ]),
        node("log", "output.log", message="x"),
    ],
    "edges": [],
}


def test_inputs_are_checked_before_there_is_a_run(workshop: Workshop) -> None:
    flow = workshop.flow(ASKING)
    with pytest.raises(Invalid) as caught:
        workshop.run(flow, inputs={"count": "many"})
    assert [problem["field"] for problem in caught.value.problems] == [
        "inputs.day", "inputs.count"
    ]
    run = workshop.run(flow, inputs={"day": "Monday"})
    assert run.inputs == {"day": "Monday", "count": 3}
    held = workshop.runtime.claim(workshop.worker, run.id)
    assert held.plan["inputs"] == {"day": "Monday", "count": 3}


@pytest.mark.parametrize(
    "change", ["inputs = '{\"day\": \"evil\"}'", "\"trigger\" = '{\"kind\": \"manual\"}'",
               "context_hash = null", "context_hash = 'x'"]
)
def test_a_run_whose_inputs_were_changed_in_sql_runs_nowhere(
    workshop: Workshop, change: str
) -> None:
    run = workshop.run(workshop.flow(ASKING), inputs={"day": "Monday"})
    with workshop.installation.services.db.begin() as session:
        session.execute(text(f"update runs set {change} where id = :id"), {"id": run.id})
    answer = workshop.runtime.try_claim(workshop.worker, run.id)
    if "context_hash" in change:
        assert (answer.status_code, answer.json["code"]) == (503, "row_tampered")
    else:
        assert answer.json["state"] == "rejected"
        assert [one["code"] for one in workshop.show(run.id).problems] == ["row_tampered"]


def test_a_run_from_before_the_hash_is_good(workshop: Workshop) -> None:
    """A row of the release before: sealed without the column."""
    run = workshop.run(workshop.flow(ASKING), inputs={"day": "Monday"})
    with workshop.installation.services.db.begin() as session:
        session.get_one(Run, run.id).context_hash = None
    assert workshop.runtime.claim(workshop.worker, run.id).plan["state"] == "running"


def test_again_with_the_same_inputs_and_with_others(workshop: Workshop) -> None:
    flow = workshop.flow(ASKING)
    run = workshop.run(flow, inputs={"day": "Monday"})
    db = workshop.installation.services.db
    with db.begin() as session:
        same = rerun(session, workshop.actor(), run.id)
        other = rerun(session, workshop.actor(), run.id, inputs={"day": "Friday", "count": 0})
        with pytest.raises(Invalid):
            rerun(session, workshop.actor(), run.id, inputs={})
    assert (same.inputs, same.trigger["rerun_of"]) == (run.inputs, run.id)
    assert other.inputs == {"day": "Friday", "count": 0}


def test_again_takes_what_was_mended_since(workshop: Workshop) -> None:
    flow = workshop.flow()
    db = workshop.installation.services.db
    draft = workshop.run(flow)
    with db.begin() as session:
        activate_flow(session, workshop.actor(), flow.id)
        active = start_run(session, workshop.actor(), flow.id)
        changed = fetching()
        changed["nodes"][0]["config"]["message"] = "mended"
        save_flow(session, workshop.actor(), flow.id, graph=changed)
        activate_flow(session, workshop.actor(), flow.id)
        again = rerun(session, workshop.actor(), active.id)
        assert (active.flow_version, again.flow_version) == (1, 2)
        of_draft = rerun(session, workshop.actor(), draft.id)
        assert of_draft.flow_version is None
        assert of_draft.graph["nodes"][0]["config"]["message"] == "mended"
        deactivate_flow(session, workshop.actor(), flow.id)
        assert rerun(session, workshop.actor(), again.id).flow_version == 2
        assert rerun(session, workshop.actor(), again.id, version="draft").flow_version is None


def test_again_needs_the_right_to_run_here(workshop: Workshop) -> None:
    run = workshop.run(workshop.flow())
    reader = workshop.actor(scopes=frozenset({Scope.RUNS_READ}))
    stranger = workshop.actor(environment_id=workshop.installation.environment(f"e{new_id()}"))
    with workshop.installation.services.db.begin() as session:
        with pytest.raises(Denied):
            rerun(session, reader, run.id)
        with pytest.raises(NotFound):
            rerun(session, stranger, run.id)


# -- the check on demand --------------------------------------------------------------------


def test_the_check_on_demand_says_what_a_run_would_be_rejected_for(
    workshop: Workshop, rejected: Callable[..., Any]
) -> None:
    gone, kept = workshop.secret(), workshop.secret()
    graph = fetching(gone.name, kept.name)
    graph["nodes"].append(node("n2", "secret.fetch", secretName=kept.name, version=9))
    flow = workshop.flow(graph)
    workshop.delete(gone.id)
    with workshop.installation.services.db.read() as session:
        found = [one.to_json() for one in check_flow(session, workshop.actor(), flow.id)]
        before = list_runs(session, workshop.actor(), flow_id=flow.id).items
    assert [(one["node"], one["code"]) for one in found] == [
        ("n0", "secret_missing"), ("n2", "pin_missing")
    ]
    assert all(one["remedy"] for one in found)
    assert before == []
    assert rejected(workshop.run(flow).id).problems == found


def test_the_check_of_an_active_version_holds_to_its_bindings(workshop: Workshop) -> None:
    secret = workshop.secret()
    flow = workshop.flow(fetching(secret.name))
    db = workshop.installation.services.db
    with db.begin() as session:
        activate_flow(session, workshop.actor(), flow.id)
    user = workshop.actor(scopes=frozenset({Scope.RUNS_MANAGE}))
    with db.read() as session:
        assert check_flow(session, workshop.actor(), flow.id) == []
        (denied,) = check_flow(session, user, flow.id)
        assert denied.code == "secret_denied"
        with pytest.raises(Denied):
            check_flow(session, workshop.actor(scopes=frozenset({Scope.FLOWS_READ})), flow.id)
    workshop.delete(secret.id)
    with db.read() as session:
        assert [p.code for p in check_flow(session, workshop.actor(), flow.id, "active")] == [
            "secret_missing"
        ]


def test_the_check_names_one_problem_a_node_in_the_flows_order(workshop: Workshop) -> None:
    graph = {"schema": 1, "nodes": [
        node("first", "http.request"), node("second", "secret.fetch", secretName="never-was"),
    ], "edges": []}
    flow = workshop.flow(graph)
    empty = workshop.flow({"schema": 1, "nodes": [], "edges": []})
    with workshop.installation.services.db.read() as session:
        found = check_flow(session, workshop.actor(), flow.id)
        assert [problem.node for problem in found] == ["first", "second"]
        assert [p.code for p in check_flow(session, workshop.actor(), empty.id)] == ["flow_empty"]
