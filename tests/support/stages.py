"""What each component needs around it to run: servers, files, settings, and ways to fail and hang.

The contract suite runs every example of every component here. A component that works on what is
wired in, and on nothing else, needs no stage; one that has an address typed into ``url`` gets the
service that tells back. All others have an entry in :data:`STAGES`.
"""

from __future__ import annotations

import json
import secrets
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.components.declaration import Component
from app.providers.destinations import read_endpoints
from app.providers.egress import EgressGuard, EgressPolicy
from tests.support.blabbing import blabbing
from tests.support.http_servers import Authority, answer_json, reply, serving
from tests.support.mail_servers import mail_server
from tests.support.managers import CREDENTIALS, aws_manager, vault_manager
from tests.support.sql_server import PASSWORD, QUOTED, serving_database


def canary() -> str:
    """Return a value that is found wherever it stands."""
    return f"CANARY-{secrets.token_hex(12)}"


@dataclass
class Way:
    """Another way to set a node up than its example's.

    :param example: which example it begins with; ``config``, ``wires`` and ``secrets`` (values, by
        input) lie over that one's.
    """

    config: Mapping[str, Any] = field(default_factory=dict)
    wires: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    example: int = 0


@dataclass
class Stage:
    """The surroundings of one component.

    :param config: lies over the settings of every example.
    :param secrets: values by input; a canary for any other.
    :param hunted: canaries beside those that are wired in.
    :param failing: how to make it fail, by the code that it declares.
    :param slow: how to make it hang, where it can.
    """

    config: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    hunted: tuple[str, ...] = ()
    machine: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    guard: EgressGuard = field(default_factory=EgressGuard)
    failing: Mapping[str, Way] = field(default_factory=dict)
    slow: Way | None = None


@contextmanager
def silent() -> Iterator[int]:
    """Listen on a port, take connections and never say a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as listener:
        yield int(listener.getsockname()[1])


@contextmanager
def _calling(field_name: str = "url") -> Iterator[Stage]:
    """For what calls an address: a service that tells back all it is given."""
    with blabbing() as service, silent() as port:
        at = {path: Way({field_name: f"{service.url}/{path}", "timeout": 5})
              for path in ("status/500", "cut", "too-long", "bad-gzip", "redirect-loop")}
        yield Stage(
            {field_name: f"{service.url}/echo"},
            failing={
                "http_status": Way({**at["status/500"].config, "fail_on": "error"}),
                "connection_failed": Way({field_name: "http://127.0.0.1:9/"}),
                "connection_lost": at["cut"],
                "answer_too_large": at["too-long"],
                "answer_not_readable": at["bad-gzip"],
                "too_many_redirects": at["redirect-loop"],
                "host_not_found": Way({field_name: "http://nowhere.invalid/"}),
                "http_timeout": Way({field_name: f"http://127.0.0.1:{port}/", "timeout": 0.3}),
            },
            slow=Way({field_name: f"http://127.0.0.1:{port}/"}),
        )


@contextmanager
def _webhook(_folder: Path) -> Iterator[Stage]:
    with _calling() as stage:
        without = {name: way for name, way in stage.failing.items()
                   if name in ("connection_failed", "http_timeout")}
        url = str(stage.config["url"]).replace("/echo", "/status/500")
        stage.failing = {**without, "http_status": Way({"url": url, "retry_count": 0})}
        yield stage


@contextmanager
def _slack(_folder: Path) -> Iterator[Stage]:
    hook = f"/services/{canary()}"
    with serving() as server, silent() as port:
        server.routes["/api/chat.postMessage"] = lambda handler, _: answer_json(
            handler, {"ok": True, "channel": "C01", "ts": "1.2"})
        server.routes["/gone/chat.postMessage"] = lambda handler, _: answer_json(
            handler, {"ok": False, "error": "channel_not_found"})
        server.routes[hook] = lambda handler, _: reply(handler, b"ok")
        yield Stage(
            {"api_url": server.url("/api/")}, {"webhook_url": server.url(hook)},
            failing={"slack_channel": Way({"api_url": server.url("/gone/")}),
                     "connection_failed": Way({"api_url": "http://127.0.0.1:9/",
                                               "retry_count": 0}),
                     "egress_refused": Way({"api_url": "http://169.254.169.254/"}),
                     "http_timeout": Way({"api_url": f"http://127.0.0.1:{port}/",
                                          "timeout": 0.3, "retry_count": 0})},
            slow=Way({"api_url": f"http://127.0.0.1:{port}/"}),
        )


@contextmanager
def _email(folder: Path) -> Iterator[Stage]:
    authority, password = Authority.make(folder), canary()
    with mail_server(authority.server_context(), password) as box, silent() as port:
        yield Stage(
            {"host": "localhost", "port": box.port, "username": "flow", "ca": authority.pem},
            {"password": password},
            failing={"smtp_denied": Way(secrets={"password": canary()}),
                     "tls_not_trusted": Way({"ca": ""}),
                     "smtp_timeout": Way({"port": port, "timeout": 0.3})},
            slow=Way({"host": "127.0.0.1", "port": port}),
        )


@contextmanager
def _aws(folder: Path) -> Iterator[Stage]:
    value = canary()
    with aws_manager(folder) as (gate, client), silent() as port:
        client.create_secret(Name="prod/api", SecretString=value)
        hung = f"http://127.0.0.1:{port}"
        yield Stage(
            {"endpointUrl": gate.url}, {"credentials": CREDENTIALS}, (value,),
            guard=EgressGuard(EgressPolicy(endpoints=read_endpoints(f"{gate.url},{hung}"))),
            failing={"secret_missing": Way({"secretId": "no/such"}),
                     "endpoint_not_allowed": Way({"endpointUrl": "http://127.0.0.1:9"}),
                     "credentials_not_valid": Way(secrets={"credentials": canary()}),
                     "provider_timeout": Way({"endpointUrl": hung, "timeout": 0.5})},
            slow=Way({"endpointUrl": hung}),
        )


@contextmanager
def _vault(folder: Path) -> Iterator[Stage]:
    value = canary()
    with vault_manager(folder) as bao, silent() as port:
        bao.call("POST", "secret/data/apps/billing/stripe", {"data": {"key": value}})
        token = bao.token('path "secret/*" { capabilities = ["read"] }')
        hung = {"address": f"http://127.0.0.1:{port}"}
        yield Stage(
            {"address": bao.url}, {"credentials": token}, (value, token),
            failing={"secret_missing": Way({"secretPath": "no/such"}),
                     "secret_denied": Way(secrets={"credentials": canary()}),
                     "secret_field_missing": Way({"field": "nothing"}),
                     "provider_unreachable": Way({"address": "http://127.0.0.1:9"}),
                     "provider_timeout": Way({**hung, "timeout": 0.5})},
            slow=Way(hung),
        )


@contextmanager
def _machine(_folder: Path) -> Iterator[Stage]:
    value = canary()
    yield Stage(
        hunted=(value,), machine={"file:/run/secrets/stripe": value},
        failing={"worker_secret_denied": Way({"reference": "env:NOBODY"})},
    )


@contextmanager
def _report(_folder: Path) -> Iterator[Stage]:
    yield Stage(files={"report.txt": "all is well"}, failing=FAILING["file.read"])


@contextmanager
def _database(_folder: Path) -> Iterator[Stage]:
    with serving_database() as server:
        sleeping = {"query": "select pg_sleep(60)", "parameters": {}}
        yield Stage(
            {}, {"address": server.address()}, (PASSWORD,),
            failing={"sql_login_failed": Way(secrets={
                         "address": server.address().replace(QUOTED, canary())}),
                     "connection_failed": Way(secrets={"address": server.address(port=9)}),
                     "host_not_found": Way(
                         secrets={"address": server.address(host="nowhere.invalid")}),
                     "address_not_valid": Way(secrets={"address": f"mysql://{canary()}"}),
                     "sql_failed": Way({"query": "select :city from nothing"}),
                     "sql_timeout": Way({**sleeping, "timeout": 1})},
            slow=Way(sleeping),
        )


STAGES: dict[str, Callable[[Path], AbstractContextManager[Stage]]] = {
    "http.request": lambda _folder: _calling(),
    "http.webhook_post": _webhook,
    "slack.post": _slack,
    "email.send": _email,
    "aws.secrets_manager.fetch": _aws,
    "vault.kv.fetch": _vault,
    "env.fetch": _machine,
    "sql.query": _database,
    "file.read": _report,
}
"""The surroundings of a component, made in a folder of the test's."""

FAILING: dict[str, dict[str, Way]] = {
    "secret.field": {
        "secret_not_json": Way(secrets={"secret": canary()}),
        "secret_field_missing": Way({"path": "nothing"}),
        "secret_field_not_text": Way({"path": "list"}),
    },
    "secret.template": {
        "template_value_missing": Way({"template": "{{secret}} {{nothing}}"}),
    },
    "file.read": {
        "file_missing": Way({"path": "nothing.txt"}),
        "file_not_allowed": Way({"path": "/etc/hostname"}),
        "file_path_not_valid": Way({"path": "../x"}),
    },
    "file.write": {
        "file_missing": Way({"path": "no/folder/x"}),
        "file_not_allowed": Way({"path": "/etc/x"}),
        "file_path_not_valid": Way({"path": "../x"}),
    },
    "control.condition": {"not_comparable": Way({"compare_to": "many"})},
    "control.fail": {"failed_on_purpose": Way()},
    "data.set": {"not_an_object": Way(wires={"object": "text"})},
    "data.json_query": {
        "expression_not_valid": Way({"query": "["}),
        "expression_failed": Way({"query": "length(people[0].active)"}),
    },
    "data.parse_json": {"json_not_valid": Way(wires={"text": "{"})},
    "data.parse_csv": {
        "csv_column_twice": Way(wires={"text": "a,a\n1,2\n"}),
        "csv_column_unnamed": Way(wires={"text": "a,\n1,2\n"}),
        "csv_row_uneven": Way(wires={"text": "a,b\n1\n"}),
        "csv_too_many_rows": Way({"max_rows": 1}),
        "csv_not_valid": Way(wires={"text": 'a,b\n"1,2\n'}),
    },
    "data.parse_yaml": {
        "yaml_not_valid": Way(wires={"text": "a: ["}),
        "yaml_several_documents": Way(wires={"text": "a: 1\n---\nb: 2\n"}),
    },
    "data.template": {
        "expression_not_valid": Way({"template": "{% if %}"}),
        "expression_value_missing": Way({"template": "{{ values.a.b.c }}"}),
        "expression_failed": Way({"template": "{{ values[0] / 0 }}"}),
    },
    "text.template": {
        "template_value_missing": Way({"template": "{{nothing}}"}),
        "template_too_long": Way({"template": "{{name}}" * 2000}, wires={
            "values": {"name": "x" * 1000}}),
    },
    "crypto.hmac": {"key_not_readable": Way({"key_format": "hex"})},
    "crypto.hash": {"salt_too_short": Way({"algorithm": "scrypt", "salt": "short"})},
}
"""Ways to fail of components that need no stage."""

SECRETS: dict[str, dict[str, str]] = {
    "secret.field": {"secret": json.dumps({"password": canary(), "list": [1]})},
}
"""Values of secrets that a component takes in a form of its own."""

_LOOP = "{% for a in values %}"
SLOW: dict[str, Way] = {
    "control.delay": Way({"seconds": 60}),
    "data.template": Way({"template": f"{_LOOP * 8}{'{% endfor %}' * 8}"},
                         wires={"values": list(range(200))}),
}
"""Ways to be at work for long, of components that need no stage."""

WAITING = frozenset({
    "http.request", "http.webhook_post", "slack.post", "email.send", "sql.query",
    "aws.secrets_manager.fetch", "vault.kv.fetch", *SLOW,
})
"""Components that can be at work for long, and have a slow way."""

OWN_TESTS: dict[str, str] = {
    "http.request": "tests/integration/components/test_http_*.py",
    "http.webhook_post": "tests/integration/components/test_webhook_post.py",
    "slack.post": "tests/integration/components/test_slack_post.py",
    "email.send": "tests/integration/components/test_email_send.py",
    "aws.secrets_manager.fetch": "tests/integration/components/test_aws_fetch.py",
    "vault.kv.fetch": "tests/integration/components/test_vault_fetch.py",
    "env.fetch": "tests/unit/worker/test_worker_machine.py",
    "secret.template": "tests/unit/components/test_secrets_made_of_secrets.py",
    "crypto.hmac": "tests/unit/components/test_secrets_made_of_secrets.py",
    "crypto.hash": "tests/unit/components/test_secrets_made_of_secrets.py",
    "data.parse_json": "tests/unit/components/test_parsers.py",
    "data.parse_csv": "tests/unit/components/test_parsers.py",
    "data.parse_yaml": "tests/unit/components/test_parsers.py",
    "sql.query": "tests/integration/components/test_sql_query.py",
    "file.read": "tests/unit/components/test_files.py",
    "file.write": "tests/unit/components/test_files.py",
}
"""Where a component's own tests (a pattern) make it fail in further ways, looked over for leaks."""


@contextmanager
def stage_of(component: Component, folder: Path) -> Iterator[Stage]:
    """Make the surroundings of a component."""
    name = component.name
    if name in STAGES:
        with STAGES[name](folder) as stage:
            yield stage
    else:
        yield Stage(
            secrets=SECRETS.get(name, {}), failing=FAILING.get(name, {}), slow=SLOW.get(name)
        )
