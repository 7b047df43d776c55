"""Flows through their services: what is saved, what is refused, what is merely unfinished."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select

from app.accounts.actor import Actor
from app.accounts.scopes import Scope
from app.audit.models import AuditEvent
from app.errors import Denied, Invalid, NotFound, Stale
from app.flows import activation, copying
from app.flows import service as flows
from app.flows.models import Flow
from app.flows.service import FlowView
from app.flows.settings import FlowSettings, read_settings
from app.ids import new_id
from tests.support.runs import Workshop, fetching


@pytest.fixture
def actor(workshop: Workshop) -> Actor:
    """Somebody who may do everything in an environment of the test's own."""
    return workshop.actor(environment_id=workshop.installation.environment(f"e{new_id()}"))


def create(workshop: Workshop, actor: Actor, **fields: Any) -> FlowView:
    """Create a flow."""
    with workshop.installation.services.db.begin() as session:
        return flows.create_flow(session, actor, **{"name": "Daily", **fields})


def save(workshop: Workshop, actor: Actor, flow_id: str, **fields: Any) -> FlowView:
    """Save a draft."""
    with workshop.installation.services.db.begin() as session:
        return flows.save_flow(session, actor, flow_id, **fields)


def get(workshop: Workshop, actor: Actor, flow_id: str) -> FlowView:
    """Show a flow."""
    with workshop.installation.services.db.read() as session:
        return flows.get_flow(session, actor, flow_id)


def node(name: str, component: str, **config: Any) -> dict[str, Any]:
    """Return a node of a graph."""
    return {"id": name, "component": component, "label": name, "position": [0, 0],
            "config": config}


def wire(source: str, target: str, name: str = "e1") -> dict[str, Any]:
    """Return an edge, written as ``node.port`` at both ends."""
    ends = [dict(zip(("node", "port"), end.split(".", 1), strict=True)) for end in (source, target)]
    return {"id": name, "source": ends[0], "target": ends[1]}


def graph(nodes: list[dict[str, Any]], *edges: dict[str, Any]) -> dict[str, Any]:
    """Return a graph document."""
    return {"schema": 1, "nodes": nodes, "edges": list(edges)}


def actions(workshop: Workshop, actor: Actor) -> list[str]:
    """Return the audit of the test's environment."""
    with workshop.installation.services.db.read() as session:
        query = select(AuditEvent.action).where(AuditEvent.environment_id == actor.environment_id)
        return list(session.scalars(query.order_by(AuditEvent.seq)))


def test_a_new_flow_is_an_empty_draft(workshop: Workshop, actor: Actor) -> None:
    made = create(workshop, actor, name="  Daily  ", description="What it does\non two lines")
    assert (made.name, made.description, made.state) == (
        "Daily", "What it does\non two lines", "draft"
    )
    assert (made.revision, made.active_version, made.problems) == (1, None, [])
    assert made.graph == {"schema": 1, "nodes": [], "edges": []}
    assert get(workshop, actor, made.id) == made
    assert actions(workshop, actor) == ["flow.create"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"name": ""}, "name"), ({"name": " "}, "name"), ({"name": "x" * 201}, "name"),
     ({"name": "a\nb"}, "name"), ({"name": "a\u202eb"}, "name"),
     ({"description": "x" * 2001}, "description"), ({"description": "a\0"}, "description")],
)
def test_names_and_descriptions(
    workshop: Workshop, actor: Actor, fields: dict[str, str], field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        create(workshop, actor, **fields)
    assert caught.value.field == field
    made = create(workshop, actor)
    with pytest.raises(Invalid):
        save(workshop, actor, made.id, graph=made.graph, **fields)
    assert get(workshop, actor, made.id) == made


def test_saving_makes_a_revision_and_the_same_again_none(
    workshop: Workshop, actor: Actor
) -> None:
    made = create(workshop, actor)
    document = graph([node("a", "trigger.manual")])
    saved = save(workshop, actor, made.id, graph=document, name="Nightly")
    assert (saved.revision, saved.name, saved.description) == (2, "Nightly", "")
    assert saved.updated_at > made.updated_at
    assert save(workshop, actor, made.id, graph=document).revision == 2
    assert save(workshop, actor, made.id, graph=document, description="x").revision == 3
    assert get(workshop, actor, made.id).graph["nodes"][0]["id"] == "a"
    assert actions(workshop, actor) == ["flow.create", "flow.save", "flow.save"]


def test_if_match(workshop: Workshop, actor: Actor) -> None:
    made = create(workshop, actor)
    save(workshop, actor, made.id, graph=made.graph, name="two", if_match=1)
    for deed in (
        lambda: save(workshop, actor, made.id, graph=made.graph, name="three", if_match=1),
        lambda: delete(workshop, actor, made.id, if_match=1),
    ):
        with pytest.raises(Stale) as caught:
            deed()
        assert caught.value.code == "flow_changed"
        assert actor.name in caught.value.detail
    assert get(workshop, actor, made.id).name == "two"
    delete(workshop, actor, made.id, if_match=2)


def _nodes(*labels: str) -> dict[str, Any]:
    return {"schema": 1, "edges": [], "nodes": [
        {"id": f"n{at}", "component": "output.log", "label": label, "position": [at * 10, 0],
         "config": {}} for at, label in enumerate(labels)
    ]}


@pytest.mark.parametrize(("steps", "said"), [
    ([{"graph": _nodes("Call", "Log")}], "“Log” was added. It is at revision 2, you had 1."),
    ([{"graph": _nodes()}], "“Call” was taken out. It is at"),
    ([{"graph": _nodes("Ring")}], "“Ring” was changed. It is at"),
    ([{"graph": _nodes("Call", "A", "B"), "name": "two"}],
     "it was renamed, “A” was added and “B” was added. It is at"),
    ([{"graph": _nodes("Call", *"ABCDEF")}],
     "“A” was added, “B” was added, “C” was added and 3 more nodes were changed, added or taken "
     "out. It is at"),
    ([{"graph": _nodes("C" * 200)}], f"“{'C' * 39}…” was changed. It is at"),
    ([{"graph": _nodes("Call"), "description": "x"}, {"graph": _nodes("Call", "Log"),
      "description": "x"}, {"graph": _nodes("Log"), "description": "x"}],
     "of 3 changes the last was that “Log” was changed and “Log” was taken out. It is at revision "
     "4, you had 1."),
])
def test_who_comes_late_is_told_what_changed_and_by_whom(
    workshop: Workshop, actor: Actor, steps: list[dict[str, Any]], said: str
) -> None:
    made = create(workshop, actor, graph=_nodes("Call"))
    for step in steps:
        save(workshop, actor, made.id, **step)
    with pytest.raises(Stale) as caught:
        save(workshop, actor, made.id, graph=_nodes("Mine"), if_match=1)
    assert f"was changed by {actor.name} since you read it: " in caught.value.detail
    assert said in caught.value.detail
    assert len(caught.value.detail) < 600


def test_moving_and_settings_are_said_too(workshop: Workshop, actor: Actor) -> None:
    made = create(workshop, actor, graph=_nodes("Call"))
    moved = _nodes("Call")
    moved["nodes"][0]["position"] = [5, 5]
    save(workshop, actor, made.id, graph=moved)
    with pytest.raises(Stale, match="nodes were moved"):
        delete(workshop, actor, made.id, if_match=1)
    save(workshop, actor, made.id, graph=moved, settings=FlowSettings(timeout_seconds=60))
    with pytest.raises(Stale, match="of 2 changes the last was that the flow's settings"):
        delete(workshop, actor, made.id, if_match=1)


def delete(workshop: Workshop, actor: Actor, flow_id: str, **more: Any) -> None:
    """Delete a flow."""
    with workshop.installation.services.db.begin() as session:
        flows.delete_flow(session, actor, flow_id, **more)


def test_two_saves_on_one_revision(workshop: Workshop, actor: Actor) -> None:
    made = create(workshop, actor)

    def attempt(number: int) -> str:
        try:
            return save(
                workshop, actor, made.id, graph=made.graph, name=f"n{number}", if_match=1
            ).name
        except Stale as error:
            return error.code

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(attempt, range(4)))
    assert answers.count("flow_changed") == 3
    shown = get(workshop, actor, made.id)
    assert (shown.revision, shown.name in answers) == (2, True)


SECRET = node("s", "secret.fetch", secretName="one")
HTTP = node("h", "http.request", method="GET", url="https://example.com")
LOG = node("l", "output.log")


@pytest.mark.parametrize(
    "document",
    [
        None, [], "graph", {}, {"schema": 2, "nodes": [], "edges": []},
        {"schema": 1, "nodes": "x", "edges": []},
        {"schema": 1, "nodes": [], "edges": [], "more": 1},
        graph([SECRET, SECRET]),
        graph([SECRET, LOG], wire("s.value", "l.message")),
        graph([SECRET, LOG], wire("s.value", "l.data")),
        graph([HTTP, node("t", "text.template")], wire("t.text", "h.bearer_token")),
        graph([SECRET, HTTP], wire("s.value", "nowhere.bearer_token")),
        graph([SECRET, HTTP], wire("s.nothing", "h.bearer_token")),
        graph([SECRET, HTTP], wire("s.value", "h.nothing")),
        graph([SECRET, HTTP], wire("s.value", "h.bearer_token"),
              wire("s.value", "h.bearer_token", "e2")),
        graph([HTTP, LOG], wire("h.body", "l.message"), wire("l.done", "h.start", "e2")),
        graph([LOG], wire("l.done", "l.start")),
    ],
    ids=[
        "nothing", "list", "text", "empty", "newer", "nodes", "field", "duplicate", "into_text",
        "into_any", "text_into_secret", "no_node", "no_output", "no_input", "second_wire",
        "cycle", "self",
    ],
)
def test_an_impossible_graph_saves_nothing(
    workshop: Workshop, actor: Actor, document: Any
) -> None:
    made = create(workshop, actor)
    for deed in (
        lambda: save(workshop, actor, made.id, graph=document, name="other"),
        lambda: create(workshop, actor, graph=document) if document is not None else
        save(workshop, actor, made.id, graph=document),
        lambda: _validate(workshop, actor, document),
    ):
        with pytest.raises(Invalid) as caught:
            deed()
        assert caught.value.status == 422
        assert caught.value.problems
        assert all(item["message"] and item["code"] for item in caught.value.problems)
    assert get(workshop, actor, made.id) == made
    assert actions(workshop, actor) == ["flow.create"]
    with workshop.installation.services.db.read() as session:
        query = select(func.count()).select_from(Flow)
        found = session.scalar(query.where(Flow.environment_id == actor.environment_id))
    assert found == 1


def _validate(workshop: Workshop, actor: Actor, document: Any) -> list[Any]:
    with workshop.installation.services.db.read() as session:
        return flows.validate_graph_for(session, actor, document)


def test_too_many_nodes_or_bytes(workshop: Workshop, actor: Actor) -> None:
    many = graph([node(f"n{number}", "trigger.manual") for number in range(2001)])
    large = graph([node("a", "output.log", message="x" * (2 * 1024 * 1024))])
    for document in (many, large):
        with pytest.raises(Invalid):
            create(workshop, actor, graph=document)
    assert actions(workshop, actor) == []


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (graph([node("a", "no.such_component", anything=1)]), "unknown_component"),
        (graph([node("h", "http.request")]), "required_input_missing"),
        (fetching("never"), "secret_missing"),
        (fetching(""), None),
        (graph([node("s", "secret.fetch", secretName="x" * 300)]), None),
        (graph([node("s", "secret.fetch", secretName="never", version=10**30)]), None),
    ],
    ids=["component", "required", "secret", "no_name", "long_name", "huge_pin"],
)
def test_what_is_unfinished_is_saved_with_its_problems(
    workshop: Workshop, actor: Actor, document: dict[str, Any], code: str | None
) -> None:
    made = create(workshop, actor, graph=document)
    found = get(workshop, actor, made.id)
    assert found.graph == document
    assert found.problems == made.problems == _validate(workshop, actor, document)
    assert any(item.severity == "error" for item in found.problems)
    for item in found.problems:
        assert item.node is not None
        assert item.message.endswith(".")
    if code is not None:
        assert code in {item.code for item in found.problems}


def test_problems_follow_the_secrets(workshop: Workshop, actor: Actor) -> None:
    from app.vault import NewSecret
    from app.vault import service as secrets
    from tests.support.installation import canary

    made = create(workshop, actor, graph=fetching("one"))
    assert [item.code for item in made.problems] == ["secret_missing"]
    vault = workshop.installation.services.vault
    assert vault is not None
    with workshop.installation.services.db.begin() as session:
        view = secrets.create_secret(
            session, actor, vault, NewSecret(name="one", value=canary())
        )
    assert get(workshop, actor, made.id).problems == []
    assert get(workshop, actor, made.id).revision == 1
    with workshop.installation.services.db.begin() as session:
        secrets.delete_secret(session, actor, view.id)
    (problem,) = get(workshop, actor, made.id).problems
    assert (problem.code, problem.node, problem.field) == ("secret_missing", "n0", "secretName")
    assert "one" in problem.message


def test_names_are_suggested_only_to_who_may_list_them(
    workshop: Workshop, actor: Actor
) -> None:
    from app.vault import NewSecret
    from app.vault import service as secrets
    from tests.support.installation import canary

    vault = workshop.installation.services.vault
    assert vault is not None
    with workshop.installation.services.db.begin() as session:
        new = NewSecret(name="stripe_live_key", value=canary())
        secrets.create_secret(session, actor, vault, new)
    document = fetching("stripe_live_kay")
    made = create(workshop, actor, graph=document)
    assert "stripe_live_key" in repr(made.problems)
    blind = workshop.actor(
        environment_id=actor.environment_id,
        scopes=frozenset({Scope.FLOWS_READ, Scope.FLOWS_MANAGE}),
    )
    for problems in (
        get(workshop, blind, made.id).problems,
        _validate(workshop, blind, document),
        save(workshop, blind, made.id, graph=document, name="x").problems,
    ):
        assert [item.code for item in problems] == ["secret_missing"]
        assert "stripe_live_key" not in repr(problems)


def test_lists(workshop: Workshop, actor: Actor) -> None:
    made = [create(workshop, actor, name=name) for name in ("b", "a", "b", "C 50%")]

    def ids(**query: Any) -> list[str]:
        found: list[str] = []
        with workshop.installation.services.db.read() as session:
            while True:
                page = flows.list_flows(session, actor, limit=2, **query)
                found += [item.id for item in page.items]
                if page.next_cursor is None:
                    return found
                query["cursor"] = page.next_cursor

    assert ids() == [made[number].id for number in (3, 1, 0, 2)]
    assert ids(q="B") == [made[0].id, made[2].id]
    assert ids(q="%") == [made[3].id]
    assert ids(q="zzz") == []
    with pytest.raises(Invalid):
        ids(cursor="nonsense")


def test_deleted_flows_are_gone(workshop: Workshop, actor: Actor) -> None:
    made = create(workshop, actor)
    delete(workshop, actor, made.id)
    for deed in (get, delete):
        with pytest.raises(NotFound) as caught:
            deed(workshop, actor, made.id)
        assert caught.value.code == "flow_not_found"
    with pytest.raises(NotFound):
        save(workshop, actor, made.id, graph=made.graph)
    with workshop.installation.services.db.read() as session:
        assert flows.list_flows(session, actor).items == []


def test_scopes_and_environments(workshop: Workshop, actor: Actor) -> None:
    made = create(workshop, actor)
    where = actor.environment_id
    reader = workshop.actor(environment_id=where, scopes=frozenset({Scope.FLOWS_READ}))
    nobody = workshop.actor(
        environment_id=where, scopes=frozenset(Scope) - {Scope.FLOWS_READ, Scope.FLOWS_MANAGE}
    )
    stranger = workshop.actor(environment_id=workshop.installation.environment(f"e{new_id()}"))
    for who in (reader, nobody):
        for deed in (
            lambda who=who: create(workshop, who),
            lambda who=who: save(workshop, who, made.id, graph=made.graph, name="x"),
            lambda who=who: delete(workshop, who, made.id),
        ):
            with pytest.raises(Denied) as denied:
                deed()
            assert "flows:manage" in denied.value.detail
    with pytest.raises(Denied):
        get(workshop, nobody, made.id)
    assert get(workshop, reader, made.id) == made
    answers = []
    for flow_id in (made.id, new_id(), "..", "x" * 500):
        with pytest.raises(NotFound) as missing:
            get(workshop, stranger, flow_id)
        answers.append((missing.value.code, missing.value.detail))
    assert len(set(answers)) == 1


def test_settings_make_a_revision_and_stay_until_others_come(
    workshop: Workshop, actor: Actor
) -> None:
    short = read_settings({"timeout_seconds": 60})
    made = create(workshop, actor, settings=short)
    assert made.settings == short
    assert save(workshop, actor, made.id, graph=made.graph).revision == 1
    assert save(workshop, actor, made.id, graph=made.graph, name="x").settings == short
    saved = save(workshop, actor, made.id, graph=made.graph, settings=FlowSettings())
    assert (saved.revision, saved.settings) == (3, FlowSettings())


def test_a_version_keeps_the_settings_it_was_activated_with(
    workshop: Workshop, actor: Actor
) -> None:
    short = read_settings({"timeout_seconds": 60, "concurrency": {"limit": 1}})
    made = create(workshop, actor, graph=graph([node("a", "trigger.manual")]), settings=short)
    db = workshop.installation.services.db
    with db.begin() as session:
        activation.activate_flow(session, actor, made.id)
    save(workshop, actor, made.id, graph=made.graph, settings=FlowSettings())
    with db.read() as session:
        (version,) = activation.list_flow_versions(session, actor, made.id)
    assert version.settings == short
    with db.begin() as session:
        draft = flows.version_to_run(session, actor, made.id, "draft")[1]
        assert (draft.settings, draft.content_hash != version.content_hash) == ({}, True)


def test_equal_drafts_share_one_snapshot(workshop: Workshop, actor: Actor) -> None:
    from app.flows.models import FlowVersion

    made = create(workshop, actor, graph=graph([node("a", "trigger.manual")]))
    db = workshop.installation.services.db
    ids = []
    for _ in range(2):
        with db.begin() as session:
            ids.append(flows.version_to_run(session, actor, made.id, None)[1].id)
    assert ids[0] == ids[1]
    save(workshop, actor, made.id, graph=graph([node("b", "trigger.manual")]))
    with db.begin() as session:
        other = flows.version_to_run(session, actor, made.id, "draft")[1]
        assert other.id != ids[0]
        assert session.get_one(FlowVersion, ids[0]).graph["nodes"][0]["id"] == "a"


def test_a_duplicate_is_a_draft_with_the_same_secrets_by_name(
    workshop: Workshop, actor: Actor
) -> None:
    wanted = FlowSettings(timeout_seconds=60)
    flow = create(workshop, actor, graph=fetching("stripe/live"), settings=wanted,
                  description="Every night")
    with workshop.installation.services.db.begin() as session:
        first = copying.duplicate_flow(session, actor, flow.id)
        second = copying.duplicate_flow(session, actor, flow.id)
    assert [first.name, second.name] == ["Daily copy", "Daily copy 2"]
    assert (first.graph, first.settings, first.description) == (flow.graph, wanted, "Every night")
    assert (first.state, first.active_version) == ("draft", None)
    long = create(workshop, actor, name="n" * 200)
    with workshop.installation.services.db.begin() as session:
        assert copying.duplicate_flow(session, actor, long.id).name.endswith("n copy")
    reader = replace(actor, scopes=frozenset({Scope.FLOWS_READ}))
    with workshop.installation.services.db.begin() as session, pytest.raises(Denied):
        copying.duplicate_flow(session, reader, flow.id)
