"""Signatures that a service tells back: masked like the secret that they were made from."""

from __future__ import annotations

import base64
import json
import re
import secrets
from pathlib import Path
from typing import Any

import pytest

from tests.support.engine import Ran, Surroundings, run_flow
from tests.support.graphs import graph, node, wire
from tests.support.http_servers import Request, Server, answer_json
from tests.support.hunt import Hunt

KEY = json.dumps({"access_key_id": "AKIAIOSFODNN7EXAMPLE",
                  "secret_access_key": f"CANARY-{secrets.token_hex(12)}"})
SIGNING = f"CANARY-{secrets.token_hex(12)}"


def signed(server: Server, port: str, component: str, folder: Path, **config: Any) -> Ran:
    return run_flow(graph(
        node("key", "secret.fetch", secretName="key"),
        node("call", component, url=server.url("/a"), **config),
        node("log", "output.log"), wire("key.value", f"call.{port}"),
        wire("call.body", "log.data"),
    ), Surroundings({"key": KEY if port == "aws_credentials" else SIGNING}), folder)


def hunted(ran: Ran, signatures: list[str]) -> None:
    assert ran.outcome.state == "succeeded", ran.events
    hunt = Hunt({f"signature {at}": one for at, one in enumerate(signatures)})
    hunt.object("told", ran.told)
    assert hunt.hits == [], hunt.table()


@pytest.mark.parametrize("service", ["execute-api", "s3"])
def test_of_aws(server: Server, tmp_path: Path, service: str) -> None:
    ran = signed(server, "aws_credentials", "http.request", tmp_path,
                 aws_region="eu-west-1", aws_service=service)
    sent = server.seen[0].headers["Authorization"]
    hunted(ran, [sent.rpartition("=")[2]])
    assert "Signature=***" in json.dumps(ran.told)


def test_of_more_pages_than_the_masker_is_told_beforehand(server: Server, tmp_path: Path) -> None:
    def page(handler: Any, request: Request) -> None:
        number = len(server.seen)
        answer_json(handler, {"next": f"/a?page={number}" if number < 68 else None,
                              "items": [request.headers["Authorization"]]})

    server.routes["/a"] = page
    ran = signed(server, "aws_credentials", "http.request", tmp_path, aws_region="eu-west-1",
                 paginate="next_url", page_items="items", page_next="next", max_pages=100)
    assert len(server.seen) == 68
    hunted(ran, [one.headers["Authorization"].rpartition("=")[2] for one in server.seen])


@pytest.mark.parametrize(("part", "name"), [
    ("tacit", "X-Tacit-Signature"), ("body", "X-Hub-Signature-256")])
def test_of_webhooks(server: Server, tmp_path: Path, part: str, name: str) -> None:
    def tell(handler: Any, request: Request) -> None:
        digest = bytes.fromhex(request.headers[name].removeprefix("sha256="))
        answer_json(handler, {"in base64": base64.b64encode(digest).decode(),
                              "all": request.headers})

    server.routes["/a"] = tell
    ran = signed(server, "signing_secret", "http.webhook_post", tmp_path, signed_part=part,
                 payload={"order": 17})
    digest = re.sub("^sha256=", "", server.seen[0].headers[name])
    hunted(ran, [digest, base64.b64encode(bytes.fromhex(digest)).decode()])
    assert "sha256=***" in json.dumps(ran.told)
