"""Flows, runs and workers of an installation, made and driven through the services."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.accounts.actor import Actor
from app.accounts.scopes import ALL_SCOPES, Role, Scope
from app.accounts.service import scopes_of
from app.factory import create_runtime_app
from app.flows.service import FlowView, create_flow
from app.flows.settings import FlowSettings
from app.ids import new_id
from app.runs.enrolment import make_key
from app.runs.service import RunView, get_run, start_run
from app.runs.workers import enroll_local
from app.vault.service import NewSecret, SecretView, create_secret, delete_secret, rotate_secret
from tests.support.installation import Installation, canary
from tests.support.signing import claims_of, public_text, read_private_key, sign

RUNTIME = "https://localhost:8444"


def fetching(*names: str, **config: Any) -> dict[str, Any]:
    """Return the graph of a flow that fetches secrets and logs a line: nodes ``n0``, ``n1``, …"""
    nodes: list[dict[str, Any]] = [
        {"id": f"n{number}", "component": "secret.fetch", "label": name, "position": [0, 0],
         "config": {"secretName": name, **config}}
        for number, name in enumerate(names)
    ]
    log = {"id": "log", "component": "output.log", "label": "Log", "position": [0, 0],
           "config": {"message": "hello"}}
    return {"schema": 1, "nodes": [*nodes, log], "edges": []}


@dataclass
class SigningWorker:
    """An enrolled worker: holds the private key, as its parent process would."""

    id: str
    key_id: str
    name: str
    key: Ed25519PrivateKey

    @classmethod
    def enrol(
        cls, installation: Installation, name: str = "bench", environment_id: str | None = None
    ) -> SigningWorker:
        """Enrol a worker, by default in the default environment."""
        with installation.services.db.begin() as session:
            if environment_id is None:
                document = enroll_local(session, name)
            else:
                document = make_key(session, installation.operator(environment_id), name)
        return cls(
            document["worker_id"], document["key_id"], name,
            read_private_key(document["private_key"]),
        )

    def token(self, audience: str = "tacit:worker", **changes: Any) -> str:
        """Sign a token with the enrolled key; any claim can be changed."""
        claims = claims_of(self.key_id, self.id, audience, **changes)
        return sign(self.key, self.key_id, claims)

    def ticket(self, run_id: str, key: Ed25519PrivateKey, **changes: Any) -> str:
        """Sign a claim ticket for a run's key."""
        more = {"run": run_id, "pub": public_text(key), **changes}
        return self.token("tacit:claim", **more)


@dataclass
class HeldRun:
    """A claimed run: its key and the plan that the claim was answered with."""

    worker: SigningWorker
    key: Ed25519PrivateKey
    plan: dict[str, Any]

    @property
    def id(self) -> str:
        return str(self.plan["run"])

    def token(self, audience: str = "tacit:run", **changes: Any) -> str:
        """Sign a token with the run's key; any claim can be changed."""
        kid = self.plan["kid"]
        more = {
            "iss": kid, "sub": self.worker.id, "aud": audience, "run": self.id,
            "claim": self.plan["claim"], **changes,
        }
        claims = claims_of(more.pop("iss"), more.pop("sub"), more.pop("aud"), **more)
        return sign(self.key, kid, claims)

    def value_token(self, grant: dict[str, Any] | None = None, **changes: Any) -> str:
        """Sign a value token for a grant, by default the first one."""
        granted = grant or self.plan["grants"][0]
        more = {
            "node": granted["node"], "attempt": 1, "item": None, "purpose": "use",
            "secret": granted["secret_id"], "version": granted["version"], **changes,
        }
        return self.token("tacit:secret-value", **more)


@dataclass
class RuntimeClient:
    """What a worker sends to the runtime listener; answers are responses of Werkzeug's client.

    :ivar client: Flask's test client.
    """

    client: Any

    def post(self, path: str, token: str | None, body: Any = None, **options: Any) -> Any:
        """Send a POST with a token."""
        return self._send("POST", f"/runtime/v1{path}", token, json=body or {}, **options)

    def try_claim(
        self, worker: SigningWorker, run_id: str, key: Ed25519PrivateKey | None = None
    ) -> Any:
        """Ask for a run, and return the answer whatever it is."""
        return self.post(
            "/claims", worker.ticket(run_id, key or Ed25519PrivateKey.generate())
        )

    def claim(self, worker: SigningWorker, run_id: str) -> HeldRun:
        """Claim a run with a fresh key."""
        key = Ed25519PrivateKey.generate()
        answer = self.try_claim(worker, run_id, key)
        assert answer.status_code == 200, answer.json
        return HeldRun(worker, key, answer.json)

    def value(
        self, held: HeldRun, token: str | None = None, grant: dict[str, Any] | None = None,
        **options: Any,
    ) -> Any:
        """Ask for the value of a grant, by default the first one."""
        granted = grant or held.plan["grants"][0]
        path = f"/api/v1/secrets/{granted['secret_id']}/value?version={granted['version']}"
        return self._send(
            "GET", options.pop("path", path), token or held.value_token(granted), **options
        )

    def _send(self, method: str, path: str, token: str | None, **options: Any) -> Any:
        headers = dict(options.pop("headers", {}))
        if token is not None:
            headers.setdefault("Authorization", f"Bearer {token}")
        return self.client.open(
            path, method=method, base_url=RUNTIME, headers=headers, **options
        )


@dataclass
class Workshop:
    """An installation with a person who may do everything, and a worker."""

    installation: Installation
    user_id: str
    email: str
    worker: SigningWorker
    runtime: RuntimeClient

    @classmethod
    def open(cls, installation: Installation) -> Workshop:
        """Make the person, the worker and the runtime's application."""
        user_id, email = installation.person(Role.ADMIN)
        app = create_runtime_app(installation.config, installation.services)
        return cls(
            installation, user_id, email, SigningWorker.enrol(installation),
            RuntimeClient(app.test_client(use_cookies=False)),
        )

    def actor(
        self, *, user_id: str | None = None, environment_id: str | None = None,
        scopes: frozenset[Scope] | None = None, token_id: str | None = None,
    ) -> Actor:
        """Return a signed-in person, by default the one who may do everything."""
        installation = self.installation
        where = environment_id or installation.environment_id
        if scopes is None and user_id is not None:
            with installation.services.db.read() as session:
                scopes = scopes_of(session, user_id, where)
        return Actor(
            kind="token" if token_id else "session", name=self.email, environment_id=where,
            scopes=ALL_SCOPES if scopes is None else scopes, user_id=user_id or self.user_id,
            token_id=token_id,
        )

    def secret(self, value: str | None = None, **more: Any) -> SecretView:
        """Create a secret with a name of its own."""
        vault = self.installation.services.vault
        assert vault is not None
        new = NewSecret(
            name=more.pop("name", f"secret-{new_id()}"), value=value or canary(), **more
        )
        with self.installation.services.db.begin() as session:
            return create_secret(session, self.actor(), vault, new)

    def rotate(self, secret_id: str, value: str | None = None) -> SecretView:
        """Give a secret another value."""
        vault = self.installation.services.vault
        assert vault is not None
        with self.installation.services.db.begin() as session:
            return rotate_secret(
                session, self.actor(), vault, secret_id, value=value or canary()
            )

    def delete(self, secret_id: str) -> None:
        """Delete a secret."""
        with self.installation.services.db.begin() as session:
            delete_secret(session, self.actor(), secret_id)

    def flow(
        self, graph: dict[str, Any] | None = None, *, name: str = "flow",
        settings: FlowSettings | None = None, actor: Actor | None = None,
    ) -> FlowView:
        """Create a flow."""
        with self.installation.services.db.begin() as session:
            return create_flow(
                session, actor or self.actor(), name=name, graph=graph or fetching(),
                settings=settings,
            )

    def run(self, flow: FlowView | str, actor: Actor | None = None, **more: Any) -> RunView:
        """Start a run of a flow; it waits for a worker."""
        flow_id = flow if isinstance(flow, str) else flow.id
        with self.installation.services.db.begin() as session:
            return start_run(session, actor or self.actor(), flow_id, **more)

    def claimed(self, *secrets: SecretView, actor: Actor | None = None) -> HeldRun:
        """Run a flow that fetches the secrets, and claim the run."""
        flow = self.flow(fetching(*(secret.name for secret in secrets)))
        held = self.runtime.claim(self.worker, self.run(flow, actor).id)
        assert held.plan["state"] == "running", self.show(held.id).problems
        return held

    def show(self, run_id: str) -> RunView:
        """Return a run as its page would show it."""
        with self.installation.services.db.read() as session:
            return get_run(session, self.actor(), run_id)
