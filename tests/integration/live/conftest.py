"""Fixtures: an installation, a queue server, ``tacit live`` and runs that go on by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from app.runs.events import append_own
from app.runs.models import Run
from tests.integration.api.test_flows import graph, node
from tests.support.installation import Installation
from tests.support.live_process import Live, live_process
from tests.support.queue_server import queue_server


@dataclass
class GoingRun:
    """A run that no worker takes: the test says what happens in it."""

    installation: Installation
    id: str
    environment_id: str

    def happen(self, *texts: str, notice: bool = True) -> int:
        """Append events, one a text, as the runtime does; returns the last sequence number."""
        services = self.installation.services
        with services.db.begin() as session:
            run = session.get(Run, self.id)
            assert run is not None
            for text in texts:
                append_own(session, run, text, data={"n": len(text)})
            last = run.last_seq
        if notice:
            services.queue.publish(self.id, last)
        return last

    def end(self) -> None:
        """Cancel it, which ends it at once since nobody took it."""
        api = self.installation.api(
            self.installation.token(environment_id=self.environment_id)
        )
        assert api.post(f"/runs/{self.id}/cancel").status_code == 202


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """The listener; streams are checked anew each second. It starts without the master key."""
    folder = tmp_path_factory.mktemp("live")
    with queue_server() as url:
        made = Installation.make(folder / "home", redis_url=url)
        made.config.master_key_file.rename(folder / "master.key.elsewhere")
        with live_process(made, folder) as started:
            yield started
        made.services.close()


@pytest.fixture(scope="module")
def installation(live: Live) -> Installation:
    """The installation that the listener serves."""
    return live.installation


@pytest.fixture(scope="module")
def token(installation: Installation) -> str:
    """An administrator's token."""
    return installation.token()


@pytest.fixture
def run(installation: Installation) -> GoingRun:
    """A run in the default environment."""
    return going_run(installation, installation.environment_id)


def going_run(installation: Installation, environment_id: str) -> GoingRun:
    """Start a run that waits for a worker."""
    api = installation.api(installation.token(environment_id=environment_id))
    document = graph([node("a", "output.log", message="hello")])
    flow = api.post("/flows", json={"name": f"f{id(object())}{environment_id}", "graph": document})
    assert flow.status_code == 201, flow.json
    started = api.post(f"/flows/{flow.json['id']}/runs", json={})
    assert started.status_code == 202, started.json
    return GoingRun(installation, started.json["id"], environment_id)
