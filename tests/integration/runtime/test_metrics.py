"""The metrics: how many, never which; each scrape says how things stand now."""

from __future__ import annotations

import math
from datetime import timedelta

from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import update

from app.audit.checkpoints import CheckpointFile
from app.ids import utcnow
from app.vault.models import Secret
from tests.support.runs import RUNTIME, RuntimeClient, Workshop


def scrape(runtime: RuntimeClient) -> dict[tuple[str, ...], float]:
    """Return each sample by its name and its labels' values."""
    answer = runtime.client.get("/metrics", base_url=RUNTIME)
    assert answer.status_code == 200
    assert answer.mimetype == "text/plain"
    assert "Set-Cookie" not in answer.headers
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.get_data(as_text=True))
        for sample in family.samples
    }


def make_due(workshop: Workshop, secret_id: str, days: int) -> None:
    with workshop.installation.services.db.begin() as session:
        session.execute(
            update(Secret)
            .where(Secret.id == secret_id)
            .values(due_at=utcnow() + timedelta(days=days))
        )


def test_due_secrets_by_environment(workshop: Workshop, runtime: RuntimeClient) -> None:
    workshop.installation.environment("quiet")
    before = scrape(runtime)
    secrets = [workshop.secret(rotation_period_days=90) for _ in range(4)]
    for secret, days in zip(secrets, (-3, -1, 2, 30), strict=True):
        make_due(workshop, secret.id, days)
    after = scrape(runtime)

    def change(*sample: str) -> float:
        return after[sample] - before[sample]

    assert change("tacit_secrets_due", "default") == 1
    assert change("tacit_secrets_overdue", "default") == 2
    assert after["tacit_secrets_due", "quiet"] == after["tacit_secrets_overdue", "quiet"] == 0

    workshop.delete(secrets[0].id)
    deleted = scrape(runtime)
    assert deleted["tacit_secrets_overdue", "default"] == after[
        "tacit_secrets_overdue", "default"
    ] - 1


def test_runs_workers_and_events(workshop: Workshop, runtime: RuntimeClient) -> None:
    before = scrape(runtime)
    flow = workshop.flow()
    queued = workshop.run(flow)
    workshop.run(flow)
    runtime.claim(workshop.worker, queued.id)
    after = scrape(runtime)
    assert {
        state: after["tacit_runs", "default", state] - before["tacit_runs", "default", state]
        for state in ("queued", "checking", "running")
    } == {"queued": 1, "checking": 0, "running": 1}
    assert not any(sample[0] == "tacit_runs" and sample[-1] == "succeeded" for sample in after)

    chain = workshop.installation.environment_id
    assert after["tacit_audit_events_total", chain] > before["tacit_audit_events_total", chain]

    runtime.post("/workers/heartbeat", workshop.worker.token(), {"version": "0"})
    assert scrape(runtime)["tacit_workers_live",] == before["tacit_workers_live",] + 1


def test_age_of_the_checkpoint(workshop: Workshop, runtime: RuntimeClient) -> None:
    held = workshop.installation.services
    assert math.isnan(scrape(runtime)["tacit_audit_checkpoint_age_seconds",])
    with held.db.read() as session:
        assert CheckpointFile(held.config.audit_checkpoints).append(session)
    assert 0 <= scrape(runtime)["tacit_audit_checkpoint_age_seconds",] < 60


def test_nothing_is_named(workshop: Workshop, runtime: RuntimeClient) -> None:
    held = workshop.claimed(workshop.secret(name="canary-name", tags=("canary-tag",)))
    make_due(workshop, held.plan["grants"][0]["secret_id"], -1)
    answer = runtime.client.get("/metrics", base_url=RUNTIME)
    text = answer.get_data(as_text=True)
    assert 'tacit_secrets_overdue{environment="default"}' in text
    for named in (
        "canary", held.plan["grants"][0]["secret_id"], held.id, workshop.email,
        workshop.user_id, workshop.worker.id,
    ):
        assert named.lower() not in text.lower()


def test_only_reading(runtime: RuntimeClient) -> None:
    assert runtime.client.post("/metrics", base_url=RUNTIME).status_code == 405
