"""Where the value route spends its time: its own code, asked in process, with a clock around it.

One caller, without TLS and sockets, and the clock is the thread's processor time: who else works
on the machine, and how long its disk takes, are other questions.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from werkzeug.test import EnvironBuilder

from app.accounts.actor import Actor
from app.accounts.scopes import ALL_SCOPES, Role
from app.accounts.service import create_user
from app.factory import create_runtime_app
from app.flows.service import create_flow
from app.runs.service import start_run
from app.runs.workers import enroll_local
from app.runtime import values as route
from app.vault.service import NewSecret, create_secret
from bench.home import Home
from bench.values import value_token
from worker.tokens import Signer, load_identity

RUNTIME = "https://localhost:8444"
STEPS = {
    "token check": ("read_token", "look_at_run"),
    "grant and person check": ("require_current", "may_use_unfrozen", "spend"),
    "decrypt": ("open_blob",),
}
"""Names in the route's module by step; audit and commit are what is left of the transaction."""
COMMIT = "audit and commit"
REST = "request and answer"
WARM_UP = 20


class Stopwatch:
    """Adds up seconds by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def around(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``work`` with a clock around it."""

        def timed(*arguments: Any, **named: Any) -> Any:
            began = time.thread_time()
            try:
                return work(*arguments, **named)
            finally:
                self.seconds[name] = (
                    self.seconds.get(name, 0.0) + time.thread_time() - began
                )

        return timed


def measure(place: Home, count: int) -> dict[str, float]:
    """Return milliseconds of a request by step, the mean of ``count`` values."""
    app = create_runtime_app(place.config, place.services)
    claim, signer = _claim(place, app)
    grant = claim["grants"][0]
    path = f"/api/v1/secrets/{grant['secret_id']}/value?version={grant['version']}"
    requests = [
        _request("GET", path, value_token(signer, claim, grant, attempt))
        for attempt in range(1, WARM_UP + count + 1)
    ]
    for request in requests[:WARM_UP]:
        _ask(app, request)
    watch = Stopwatch()
    ask = watch.around("all", _ask)
    with _watched(watch, place):
        for request in requests[WARM_UP:]:
            ask(app, request)
    return _steps(watch.seconds, count)


@contextmanager
def _watched(watch: Stopwatch, place: Home) -> Iterator[None]:
    with ExitStack() as stack:
        for step, names in STEPS.items():
            for name in names:
                timed = watch.around(step, getattr(route, name))
                stack.enter_context(patch.object(route, name, timed))
        hand_out, run = route._hand_out, place.services.db.run
        stack.enter_context(
            patch.object(route, "_hand_out", watch.around("hand out", hand_out))
        )
        stack.enter_context(
            patch.object(place.services.db, "run", watch.around("transaction", run))
        )
        stack.enter_context(
            patch.object(route.audit, "record", watch.around("record", route.audit.record))
        )
        yield


def _steps(seconds: dict[str, float], count: int) -> dict[str, float]:
    taken = {step: seconds[step] for step in STEPS}
    taken[COMMIT] = seconds["transaction"] - seconds["hand out"] + seconds["record"]
    taken[REST] = seconds["all"] - sum(taken.values())
    return {step: took * 1000 / count for step, took in taken.items()}


def _claim(place: Home, app: Any) -> tuple[dict[str, Any], Signer]:
    """Make a person, a secret, a flow and a worker; start a run and claim it."""
    services = place.services
    assert services.vault is not None
    node = {"id": "fetch", "component": "secret.fetch", "label": "Fetch", "position": [0, 0],
            "config": {"secretName": "bench/steps"}}
    with services.db.begin() as session:
        user = create_user(
            session, place.actor, email="bench@example.org", password="a bench's passphrase 7",
            role=Role.ADMIN,
        )
        actor = Actor(
            kind="session", name=user.email, environment_id=place.environment_id,
            scopes=ALL_SCOPES, user_id=user.id,
        )
        create_secret(
            session, actor, services.vault, NewSecret(name="bench/steps", value="s3cret-" * 5)
        )
        graph = {"schema": 1, "nodes": [node], "edges": []}
        flow = create_flow(session, actor, name="bench", graph=graph)
        run = start_run(session, actor, flow.id)
        worker = enroll_local(session, "bench")
    file = place.folder / "worker.json"
    file.touch(0o600)
    file.write_text(json.dumps(worker))
    identity = load_identity(file)
    signer = Signer.generate()
    ticket = identity.signer.sign("tacit:claim", {"run": run.id, "pub": signer.public})
    with patch.object(type(services.queue), "publish"):  # there is no queue here
        claim = json.loads(_ask(app, _request("POST", "/runtime/v1/claims", ticket, {})))
    signer.key_id, signer.worker_id = claim["kid"], identity.worker_id
    return claim, signer


def _request(method: str, path: str, token: str, body: object = None) -> dict[str, Any]:
    builder = EnvironBuilder(
        path, method=method, base_url=RUNTIME, json=body,
        headers={"Authorization": f"Bearer {token}"},
    )
    return builder.get_environ()


def _ask(app: Any, environ: dict[str, Any]) -> bytes:
    said: list[str] = []
    answer = b"".join(app(environ, lambda status, _headers, _error=None: said.append(status)))
    if not said[0].startswith("200"):
        raise RuntimeError(f"the runtime refused: {said[0]} {answer.decode()}")
    return answer
