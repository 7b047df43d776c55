"""``aws.secrets_manager.fetch`` against moto's server over HTTP."""

from __future__ import annotations

import base64
import json
import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from app.components.registry import registry
from app.components.secret import expose
from app.providers.destinations import read_endpoints
from app.providers.egress import EgressGuard, EgressPolicy
from app.sdk import testing
from tests.support.managers import CREDENTIALS, REGION, Gate, aws_manager

FETCH = registry().get("aws.secrets_manager.fetch")
VALUE = "CANARY-aws-value-0123456789"


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gate, Any]]:
    with aws_manager(tmp_path_factory.mktemp("moto")) as made:
        made[1].create_secret(Name="app/plain", SecretString=VALUE, KmsKeyId="alias/aws/ours")
        made[1].create_secret(
            Name="app/json", SecretString=json.dumps({"user": "u", "password": VALUE})
        )
        made[1].create_secret(Name="app/binary", SecretBinary=b"\x00\xffCANARY-binary")
        yield made


@pytest.fixture(autouse=True)
def _open(manager: tuple[Gate, Any]) -> Iterator[None]:
    gate = manager[0]
    gate.refuse.clear()
    gate.denied.clear()
    gate.seen.clear()
    yield
    gate.hang = False
    gate.held.set()
    gate.held = threading.Event()


def fetch(manager: tuple[Gate, Any], secret: str, **more: Any) -> testing.Result:
    gate = manager[0]
    options = {
        "secrets": {"credentials": CREDENTIALS},
        "egress": EgressGuard(EgressPolicy(endpoints=read_endpoints(gate.url))),
    }
    options |= {name: more.pop(name) for name in ("secrets", "egress", "cancelled", "machine",
                                                  "only_check") if name in more}
    config = {"secretId": secret, "region": REGION, "endpointUrl": gate.url, **more}
    return testing.run(FETCH, config, **options)


def value_of(result: testing.Result) -> str:
    assert result.error is None, result.error.message
    return expose(result.outputs["value"])


def test_a_secret_by_name_and_by_arn(manager: Any) -> None:
    arn = manager[1].describe_secret(SecretId="app/plain")["ARN"]
    assert value_of(fetch(manager, "app/plain")) == VALUE
    assert value_of(fetch(manager, arn, region="")) == VALUE
    assert manager[0].seen.count("GetSecretValue") == 2


def test_the_check_reads_no_value(manager: Any) -> None:
    assert fetch(manager, "app/plain", only_check=True).error is None
    assert manager[0].seen == ["DescribeSecret"]


def test_json_and_binary(manager: Any) -> None:
    found = fetch(manager, "app/json", outputFormat="json")
    assert found.outputs["value"].structured
    assert json.loads(value_of(found))["password"] == VALUE
    assert base64.b64decode(value_of(fetch(manager, "app/binary"))) == b"\x00\xffCANARY-binary"


def test_stages_and_versions(manager: Any) -> None:
    client = manager[1]
    client.create_secret(Name="app/rotated", SecretString="CANARY-first-value")
    first = client.describe_secret(SecretId="app/rotated")["VersionIdsToStages"]
    client.put_secret_value(SecretId="app/rotated", SecretString="CANARY-second-value")
    assert value_of(fetch(manager, "app/rotated")) == "CANARY-second-value"
    stage = {"versionStage": "AWSPREVIOUS"}
    assert value_of(fetch(manager, "app/rotated", **stage)) == "CANARY-first-value"
    exact = {"versionId": next(iter(first))}
    assert value_of(fetch(manager, "app/rotated", **exact)) == "CANARY-first-value"


def test_stages_of_a_rotation(manager: Any) -> None:
    """As a rotation function goes about it: pending, tried, made current, and back again."""
    client = manager[1]
    client.create_secret(Name="app/turning", SecretString="CANARY-turning-old")
    old = next(iter(client.describe_secret(SecretId="app/turning")["VersionIdsToStages"]))
    new = client.put_secret_value(
        SecretId="app/turning", SecretString="CANARY-turning-new", VersionStages=["AWSPENDING"],
    )["VersionId"]
    assert value_of(fetch(manager, "app/turning")) == "CANARY-turning-old"
    pending = {"versionStage": "AWSPENDING"}
    assert value_of(fetch(manager, "app/turning", **pending)) == "CANARY-turning-new"
    client.update_secret_version_stage(
        SecretId="app/turning", VersionStage="AWSCURRENT", MoveToVersionId=new,
        RemoveFromVersionId=old)
    assert value_of(fetch(manager, "app/turning")) == "CANARY-turning-new"
    assert value_of(fetch(manager, "app/turning", versionId=old)) == "CANARY-turning-old"


def test_a_rotation_between_check_and_use_changes_nothing(manager: Any) -> None:
    """The run uses the version that its check found; the next one gets the new value."""
    gate, client = manager
    client.create_secret(Name="app/moving", SecretString="CANARY-moving-old")
    gate.after["DescribeSecret"] = lambda: client.put_secret_value(
        SecretId="app/moving", SecretString="CANARY-moving-new")
    found = fetch(manager, "app/moving")
    assert gate.after == {}
    assert value_of(found) == "CANARY-moving-old"
    assert value_of(fetch(manager, "app/moving")) == "CANARY-moving-new"


def test_throttling_under_every_name(manager: Any) -> None:
    """It is waited out, and a failure of its own kind when it goes on."""
    for code in ("ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded",
                 "SlowDown"):
        manager[0].refuse[:] = [(400, code)]
        assert value_of(fetch(manager, "app/plain")) == VALUE
    manager[0].refuse[:] = [(429, "Whatever")] * 20
    result = fetch(manager, "app/plain")
    assert result.error is not None
    assert (result.error.code, result.error.retryable) == ("provider_throttled", True)


@pytest.mark.parametrize(
    ("secret", "more", "code"),
    [
        ("app/none", {}, "secret_missing"),
        ("app/plain", {"versionStage": "NOSUCH"}, "pin_missing"),
        ("app/plain", {"versionId": "11111111-2222-3333-4444-555555555555"}, "pin_missing"),
        ("app/plain", {"region": ""}, "region_missing"),
        ("app/plain", {"region": "evil.example/#"}, "region_not_valid"),
        ("app/plain", {"endpointUrl": "http://127.0.0.1:9/"}, "endpoint_not_allowed"),
        ("app/plain", {"versionId": "a", "versionStage": "b"}, "config_invalid"),
    ],
)
def test_what_a_user_can_mend(manager: Any, secret: str, more: Any, code: str) -> None:
    result = fetch(manager, secret, **more)
    assert result.error is not None
    assert result.error.code == code
    assert result.leaks == ()


def test_a_deleted_secret(manager: Any) -> None:
    manager[1].create_secret(Name="app/gone", SecretString=VALUE)
    manager[1].delete_secret(SecretId="app/gone", RecoveryWindowInDays=7)
    result = fetch(manager, "app/gone")
    assert result.error is not None
    assert result.error.code == "secret_disabled"


@pytest.mark.parametrize(
    ("refusal", "code"),
    [
        ((400, "ExpiredTokenException"), "credentials_expired"),
        ((403, "InvalidSignatureException"), "secret_denied"),
        ((400, "UnrecognizedClientException"), "secret_denied"),
        # What AWS answers when the key's policy, or its encryption context, doesn't let it decrypt.
        ((400, "DecryptionFailure"), "secret_denied"),
        ((400, "ThrottlingException"), "provider_throttled"),
        ((500, "InternalServiceError"), "provider_unreachable"),
        ((403, f"{CREDENTIALS} is wrong"), "secret_denied"),
    ],
)
def test_refusals_have_types(manager: Any, refusal: Any, code: str) -> None:
    manager[0].refuse[:] = [refusal] * 20
    result = fetch(manager, "app/plain")
    assert result.error is not None
    assert result.error.code == code
    assert result.error.retryable == (code in ("provider_throttled", "provider_unreachable"))
    assert result.leaks == ()
    # What isn't a code of AWS's isn't repeated, though it could be masked.
    assert "wrong" not in result.error.message


def test_throttling_is_waited_out(manager: Any) -> None:
    manager[0].refuse[:] = [(400, "ThrottlingException")] * 2
    assert value_of(fetch(manager, "app/plain")) == VALUE
    assert len(manager[0].seen) == 4


def test_credentials_that_may_not_describe(manager: Any) -> None:
    manager[0].denied.add("DescribeSecret")
    assert fetch(manager, "app/plain", only_check=True).error is None
    assert manager[0].seen == ["DescribeSecret", "GetSecretValue"]


def test_the_credentials_go_where_they_may(manager: Any) -> None:
    hosts = ["secretsmanager.eu-west-1.amazonaws.com"]
    bound = testing.make_secret(CREDENTIALS, allowed_hosts=hosts)
    result = fetch(manager, "app/plain", secrets={"credentials": bound})
    assert result.error is not None
    assert result.error.code == "secret_host_denied"
    assert manager[0].seen == []


def test_the_guard_stands_in_the_way(manager: Any) -> None:
    endpoints = read_endpoints(manager[0].url)
    closed = EgressPolicy(allow_private=False, endpoints=endpoints)
    assert value_of(fetch(manager, "app/plain", egress=EgressGuard(closed))) == VALUE
    # AWS's own name, pointed at this machine: the guard doesn't go there.
    guard = EgressGuard(EgressPolicy(allow_private=False), resolve=lambda *_: ["127.0.0.1"])
    result = fetch(manager, "app/plain", endpointUrl="", egress=guard)
    assert result.error is not None
    assert result.error.code == "egress_refused"


def test_the_workers_role(manager: Any) -> None:
    result = fetch(manager, "app/plain", secrets={}, machine={"role:aws": CREDENTIALS})
    assert value_of(result) == VALUE
    denied = fetch(manager, "app/plain", secrets={})
    assert denied.error is not None
    assert denied.error.code == "worker_secret_denied"
    assert denied.error.message.startswith("Nothing is wired into credentials.")


@pytest.mark.parametrize("text", ["CANARY-not json at all", '{"access_key_id": "CANARY-key-only"}'])
def test_credentials_that_are_none(manager: Any, text: str) -> None:
    result = fetch(manager, "app/plain", secrets={"credentials": text})
    assert result.error is not None
    assert result.error.code == "credentials_not_valid"
    assert result.leaks == ()


def test_nothing_is_logged_even_at_debug(
    manager: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        assert value_of(fetch(manager, "app/plain")) == VALUE
    assert VALUE not in caplog.text
    assert "CANARY" not in caplog.text


def test_cancelled_within_two_seconds(manager: Any) -> None:
    manager[0].hang = True
    cancelled = testing.LocalCancellation()
    threading.Timer(0.3, cancelled.cancel).start()
    began = time.monotonic()
    with pytest.raises(testing.NodeCancelled):
        fetch(manager, "app/plain", cancelled=cancelled)
    assert time.monotonic() - began < 2.3
