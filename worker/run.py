"""The life of one run in its own process: claim, work, report, end."""

from __future__ import annotations

import contextlib
import logging
import shutil
import threading
import time
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from app.components.errors import NodeCancelled, NodeError
from app.components.folders import Folder, granted
from app.components.problems import Problem
from app.components.registry import Registry, registry
from app.errors import Invalid
from app.flows.graph import Graph, parse_graph
from worker import offspring
from worker.cancellation import RunCancellation
from worker.capture import Capture, describe_exception
from worker.client import RuntimeClient
from worker.context import Grant, RunScope
from worker.engine import Engine, Outcome
from worker.errors import LimitReached, RunLost
from worker.expressions import Expressions
from worker.external import ExternalDoor, Purpose
from worker.limits import find_limit, on_cpu_limit, use_reserve
from worker.masking import MaskedText, Masker
from worker.telemetry import Limits, Telemetry
from worker.tokens import LIFETIME, Signer

if TYPE_CHECKING:
    from app.providers.egress import EgressGuard

CLAIM_PATIENCE: Final = 10.0
VALUE_PATIENCE: Final = 5.0
CHECKED: Final = "Checked: the external secrets are accessible"


@dataclass(frozen=True, slots=True)
class Assignment:
    """What the parent hands over: a run, and the ticket that lets this process claim it."""

    run_id: str
    ticket: str
    worker_id: str


def _nothing(reference: str) -> str:
    raise NodeError("secret_missing", f"This worker has no {reference}.")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a run's process has before it knows its run.

    :param refused: URLs of the installation's own listeners, database and queue.
    :param endpoints: ``TACIT_ALLOWED_ENDPOINTS``.
    :param ask: gets a secret of the worker's machine from the parent.
    :param folders: what the worker lists; the environment grants parts of it.
    :param alone: whether the process ends with the run, so that nobody may print after it.
    """

    client: RuntimeClient
    scratch: Path
    refused: tuple[str, ...] = ()
    endpoints: str = ""
    ask: Callable[[str], str] = _nothing
    log_level: int = logging.INFO
    components: Registry | None = None
    folders: tuple[Folder, ...] = ()
    alone: bool = False


class Run:
    """One claimed run.

    :param plan: the answer to the claim.
    :param capture: not started yet; its masker is the run's.
    :param abandon: ends the process at once, when the run is somebody else's.
    :param notify: tells the parent what it needs to look after this process.
    """

    def __init__(
        self,
        surroundings: Surroundings,
        signer: Signer,
        run_id: str,
        plan: Mapping[str, Any],
        capture: Capture,
        abandon: Callable[[], None],
        notify: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self._around = surroundings
        self._client = surroundings.client
        self._signer = signer
        self._run_id = run_id
        self._plan = plan
        self._notify = notify
        self._claim = plan["claim"]
        self._limit: LimitReached | None = None
        self._token, self._token_until = "", 0.0
        self._token_lock = threading.Lock()
        deadline = plan.get("deadline_unix")
        self._cancellation = RunCancellation(
            None if deadline is None else time.monotonic() + deadline - self._client.now()
        )
        self._masker, self._capture = capture.masker, capture
        self._telemetry = Telemetry(
            self._client, run_id, self._run_token, self._masker,
            first=int(plan.get("next_seq", 1)), limits=Limits.of(plan.get("limits") or {}),
            on_cancel=self._cancel, on_lost=abandon, on_limit=self._stop_at_limit,
            on_pulse=lambda: notify({"pulse": True}),
        )
        self._reach: Mapping[str, Any] = (plan.get("environment") or {}).get("reach") or {}
        self._guard: EgressGuard | None = None
        self._guard_lock = threading.Lock()

    def work(self) -> str:
        """Run the flow and report its end; returns the state that the server recorded.

        :raises RunLost: the run is somebody else's now.
        :raises RuntimeUnreachable: the end couldn't be reported.
        """
        self._telemetry.start()
        on_cpu_limit(self._stop_at_limit)
        self._capture.start(self._captured)
        try:
            outcome = self._execute()
        except BaseException as error:  # a mistake of Tacit's own; the run must not hang on it
            text = describe_exception(self._masker, error)
            self._telemetry.emit("log", text, level="error")
            self._limit = self._limit or find_limit(error)
            outcome = Outcome("failed", Problem(
                self._limit.code, "error", self._limit.message,
            ) if self._limit else Problem(
                "worker_error", "error",
                "The worker stopped on an error of its own. The traceback is in the run's log.",
            ))
        finally:
            if self._around.alone:
                use_reserve()
                offspring.end()  # nor can any of it hold up what is still to be read
            self._capture.stop(silent=self._around.alone)
        if self._cancellation.cancelled:
            self._notify({"finishing": True})  # from here on the parent leaves it its time
        if outcome.state == "rejected":
            return self._telemetry.reject([problem.to_json() for problem in outcome.problems])
        return self._telemetry.finish(
            outcome.state, outcome.problem.to_json() if outcome.problem else None
        )

    def _execute(self) -> Outcome:
        components = self._around.components or registry()
        try:
            graph = parse_graph(self._plan["graph"], components)
        except Invalid as error:
            return Outcome("failed", Problem(error.code, "error", error.detail))
        limit = self._telemetry.limits.output_bytes
        expressions = Expressions(limit)
        grants = [Grant.of(document) for document in self._plan.get("grants", ())]
        scope = RunScope(
            run_id=self._run_id,
            inputs=self._plan.get("inputs") or {},
            grants={grant.node: grant for grant in grants},
            masker=self._masker,
            cancellation=self._cancellation,
            emit=self._telemetry.emit,
            fetch_value=self._fetch_value,
            guard=self._egress,
            scratch=self._around.scratch,
            external=ExternalDoor(
                self._tell_access, self._around.ask,
                tuple(self._reach.get("worker_secrets") or ()),
            ),
            expressions=expressions,
            folders=granted(self._around.folders, self._reach.get("worker_secrets") or ()),
            values=self._plan.get("values") or {},
            leaks_fail=(self._plan.get("settings") or {}).get("on_prevented_leak") == "fail_node",
        )
        try:
            outcome = self._check(graph, components, scope) or Engine(
                graph, components, scope, started=self._plan.get("trigger"), output_bytes=limit
            ).run()
        finally:
            expressions.close()
        if self._limit is not None:
            return Outcome("failed", Problem(self._limit.code, "error", self._limit.message))
        return outcome

    def _check(self, graph: Graph, components: Registry, scope: RunScope) -> Outcome | None:
        """Ask the external managers; returns an end where the run goes no further."""
        if self._plan.get("checking"):
            from worker.checks import PreRunCheck

            try:
                problems = PreRunCheck(graph, components, scope).run()
            except NodeCancelled:
                return Outcome("cancelled")
            if problems:
                return Outcome("rejected", problems=tuple(problems))
            self._telemetry.passed(CHECKED)
        return Outcome("succeeded") if self._plan.get("only_check") else None

    def _captured(self, source: str, level: str, text: MaskedText, node: str | None) -> None:
        self._telemetry.emit("log", text, level=level, data={"source": source}, node=node)

    def _cancel(self) -> None:
        # The parent first: it kills this process, should nothing here be able to stop.
        self._notify({"cancelling": True})
        self._cancellation.cancel()

    def _stop_at_limit(self, limit: LimitReached) -> None:
        self._limit = self._limit or limit
        self._cancellation.cancel()

    def _run_token(self) -> str:
        with self._token_lock:
            now = self._client.now()
            if now > self._token_until:
                claims = {"run": self._run_id, "claim": self._claim}
                self._token = self._signer.sign("tacit:run", claims, now=now)
                self._token_until = now + LIFETIME / 2
            return self._token

    def _tell_access(self, access: Mapping[str, Any]) -> None:
        self._client.call(
            "POST", f"/runtime/v1/runs/{self._run_id}/accesses", token=self._run_token,
            body=access, patience=VALUE_PATIENCE, repeat=False,
        )

    def _fetch_value(self, grant: Grant, attempt: int, purpose: Purpose) -> str:
        claims = {
            "run": self._run_id, "claim": self._claim, "node": grant.node, "attempt": attempt,
            "item": None, "purpose": purpose, "secret": grant.secret_id, "version": grant.version,
        }

        def token() -> str:
            return self._signer.sign("tacit:secret-value", claims, now=self._client.now())

        path = f"/api/v1/secrets/{urllib.parse.quote(grant.secret_id, safe='')}/value"
        answer = self._client.call(
            "GET", f"{path}?version={grant.version}", token=token, patience=VALUE_PATIENCE,
            meanwhile=self._run_token,  # for what is sent next
        )
        return str(answer["value"])

    def _egress(self) -> EgressGuard:
        with self._guard_lock:
            if self._guard is None:
                from app.providers.destinations import read_endpoints
                from app.providers.egress import EgressGuard, EgressPolicy

                self._guard = EgressGuard(EgressPolicy.of(
                    self._around.refused,
                    allow_private=self._reach.get("allow_private", True) is True,
                    endpoints=read_endpoints(self._around.endpoints),
                ))
            return self._guard


def perform(
    surroundings: Surroundings,
    signer: Signer,
    assignment: Assignment,
    notify: Callable[[Mapping[str, Any]], None],
    abandon: Callable[[], None],
) -> str:
    """Claim the run and work on it; returns its state, ``gone`` where there was nothing to do.

    :param notify: tells the parent what it needs to look after this process.
    """
    client = surroundings.client
    capture = Capture(Masker(), level=surroundings.log_level)
    try:
        plan = client.call(
            "POST", "/runtime/v1/claims", token=assignment.ticket, body={},
            patience=CLAIM_PATIENCE, repeat=False, meanwhile=capture.prepare,
        )
        client.learn_time(plan.get("unix"))
        if plan.get("state") != "running":
            return str(plan.get("state"))
        notify({"claimed": plan["claim"], "deadline": plan.get("deadline_unix")})
        signer.key_id, signer.worker_id = str(plan["kid"]), assignment.worker_id
        run = Run(surroundings, signer, assignment.run_id, plan, capture, abandon, notify)
        return run.work()
    except RunLost:
        return "gone"
    finally:
        capture.discard()
        _empty(surroundings.scratch)


def _empty(folder: Path) -> None:
    """Remove what the run left; the zygote does the rest, so a failure here is none of the run."""
    with contextlib.suppress(OSError):
        for left in folder.iterdir():
            if left.is_dir() and not left.is_symlink():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)
