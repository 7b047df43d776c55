"""Protected environments, as a claim meets them."""

from __future__ import annotations

from app.accounts.environments import change_environment, create_environment
from app.flows.activation import activate_flow
from app.flows.service import create_flow
from app.ids import new_id
from app.runs.service import get_run, start_node, start_run, start_to
from app.vault.service import NewSecret, create_secret
from tests.support.installation import canary
from tests.support.runs import RuntimeClient, SigningWorker, Workshop, fetching


def test_protected_since_it_was_started(workshop: Workshop, runtime: RuntimeClient) -> None:
    """What waited for a worker is asked again when one takes it, whatever kind of run it is."""
    db = workshop.installation.services.db
    vault = workshop.installation.services.vault
    assert vault is not None
    with db.begin() as session:
        made = create_environment(session, workshop.actor(), name=f"p-{new_id()}")
    worker = SigningWorker.enrol(workshop.installation, "there", made.id)
    there = workshop.actor(environment_id=made.id)
    with db.begin() as session:
        create_secret(session, there, vault, NewSecret(name="siem", value=canary()))
        flow = create_flow(session, there, name="f", graph=fetching("siem"))
        waiting = [
            start_run(session, there, flow.id, version="draft"),
            start_node(session, there, flow.id, "n0"), start_to(session, there, flow.id, "n0"),
        ]
        harmless = start_to(session, there, flow.id, "log")
        activate_flow(session, there, flow.id)
        whole = start_run(session, there, flow.id)
        change_environment(session, there, made.id, protected=True)
    for run in waiting:
        assert runtime.claim(worker, run.id).plan["state"] == "rejected"
        with db.read() as session:
            (problem,) = get_run(session, there, run.id).problems
        assert problem["code"] == "environment_protected"
        assert "Activate the flow and run its active version whole" in problem["message"]
    for run in (harmless, whole):
        assert runtime.claim(worker, run.id).plan["state"] == "running"
