"""docs/components.md, run: its package is installed, its tests pass, its secret manager works."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from app.components.packages import find_offers
from app.components.registry import BUILTINS, Registry
from tests.support.engine import Surroundings, run_flow
from tests.support.graphs import graph, node, wire
from tests.support.guide import forget_guide, lay_out_guide, write
from tests.support.hunt import Hunt
from tests.support.own_environment import Environment, own_environment
from tests.support.running import telling_echo
from tests.support.stages import canary


@pytest.fixture(scope="module")
def environment() -> Iterator[Environment]:
    with own_environment() as made:
        made.install(write(made.folder / "acme"))
        yield made


def test_the_guide_s_package_installs_and_its_tests_pass(environment: Environment) -> None:
    said = environment.run(str(environment.tacit), "component", "list")
    assert "acme.split  2  acme-tacit 1.0.0" in said
    assert "acme.keeper.fetch  1  acme-tacit 1.0.0" in said
    said = environment.run(str(environment.python), "-m", "pytest", "-q", "-p", "no:cacheprovider",
                           "tests", cwd=environment.folder / "acme")
    assert "7 passed" in said


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """The components with those of the guide, in this process."""
    monkeypatch.syspath_prepend(str(lay_out_guide(tmp_path / "packages")))
    yield Registry(BUILTINS, find_offers())
    forget_guide()


@pytest.fixture
def keeper() -> Iterator[tuple[str, str, str]]:
    """Acme Keeper with one secret: its address, token and the value."""
    token, value = canary(), canary()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            good = self.headers["Authorization"] == f"Bearer {token}" and "/api" in self.path
            self.send_response(200 if good else 403)
            self.end_headers()
            told = value if self.path.startswith("/v1/secrets/api-that-tells") else 7
            self.wfile.write(json.dumps({"version": told, "value": value}).encode())

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", token, value
    server.shutdown()
    server.server_close()
    thread.join()


def fetching(address: str, url: str, secret: str = "api") -> dict[str, object]:
    return graph(
        node("token", "secret.fetch", secretName="keeper"),
        node("keep", "acme.keeper.fetch", address=address, secret=secret),
        node("call", "http.request", url=url),
        wire("token.value", "keep.credentials"), wire("keep.value", "call.bearer_token"),
    )


def test_its_secret_manager_is_like_those_that_come_with_tacit(
    registry: Registry, keeper: tuple[str, str, str], tmp_path: Path
) -> None:
    address, token, value = keeper
    around = Surroundings({"keeper": token})
    with telling_echo() as echo:
        ran = run_flow(fetching(address, echo.url), around, tmp_path, components=registry)
        assert ran.outcome.state == "succeeded", ran.events
        assert echo.authorizations == [f"Bearer {value}"]
        hunt = Hunt({"token": token, "value": value})
        hunt.object("told", ran.told)
        assert hunt.hits == []
        told = [(one["node"], one["purpose"], one.get("version")) for one in ran.accesses]
        assert told == [("keep", "check", "7"), ("keep", "use", "7")]
        # The check rejects the run before anything is called.
        ran = run_flow(fetching(address, echo.url, "none"), around, tmp_path, components=registry)
        assert ran.outcome.state == "rejected"
        assert (ran.problem("keep") or {})["code"] == "secret_denied"
        assert len(echo.authorizations) == 1


def test_a_version_that_is_the_value_is_told_nobody(
    registry: Registry, keeper: tuple[str, str, str], tmp_path: Path
) -> None:
    address, token, value = keeper
    with telling_echo() as echo:
        ran = run_flow(
            fetching(address, echo.url, "api-that-tells"), Surroundings({"keeper": token}),
            tmp_path, components=registry,
        )
        assert echo.authorizations == [f"Bearer {value}"]
    hunt = Hunt({"token": token, "value": value})
    hunt.object("told", ran.told)
    hunt.object("accesses", ran.accesses)
    assert hunt.hits == []
    assert [(one["purpose"], one.get("version")) for one in ran.accesses] == [
        ("check", "7"), ("use", None)
    ]
