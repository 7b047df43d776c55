"""Statement 6 of SECURITY.md: a value token with any one thing wrong is refused and audited."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from app.ids import new_id
from app.runs.enrolment import revoke_key, revoke_worker
from tests.support.events import Watched
from tests.support.installation import canary
from tests.support.runs import HeldRun, SigningWorker, Workshop
from tests.support.signing import ABSENT, claims_of, sign

VALUE = canary()
ANY = settings(
    max_examples=60, deadline=None, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def held(workshop: Workshop) -> HeldRun:
    """A claimed run with one granted secret."""
    return workshop.claimed(workshop.secret(VALUE))


@pytest.fixture(scope="module")
def watched(workshop: Workshop) -> Watched:
    """The audit of the installation."""
    return Watched(workshop.installation.services.db)


def refused(
    workshop: Workshop, held: HeldRun, watched: Watched, token: str, *statuses: int
) -> None:
    """Check that a token gets nothing, and that exactly this is in the audit."""
    watched.new()
    answer = workshop.runtime.value(held, token)
    assert answer.status_code in (statuses or (401,)), answer.json
    assert VALUE not in answer.get_data(as_text=True)
    assert "value" not in answer.json
    (event,) = watched.new()
    assert (event.action, event.outcome) == ("worker.deny", "denied")
    assert event.data["code"] == answer.json["code"]
    # The one answer doesn't say which check it was; the audit does.
    assert answer.status_code != 401 or event.data["reason"]


def at(seconds: float) -> int:
    """Return a time that far from now."""
    return int(time.time() + seconds)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        (lambda: {"iat": at(-200), "nbf": at(-200), "exp": at(-145)}, 401),
        (lambda: {"nbf": at(100), "iat": at(100), "exp": at(150)}, 401),
        (lambda: {"exp": at(3600)}, 401),
        (lambda: {"iat": at(-20), "nbf": at(-20), "exp": at(45)}, 401),
        (lambda: {"exp": 10**30}, 401),
        (lambda: {"aud": "tacit:run"}, 401),
        (lambda: {"aud": ["tacit:secret-value", "tacit:run"]}, 401),
        (lambda: {"run": new_id()}, 401),
        (lambda: {"claim": 2}, 401),
        (lambda: {"node": "n1"}, 403),
        (lambda: {"secret": new_id()}, 401),
        (lambda: {"version": 2}, 401),
        (lambda: {"sub": new_id()}, 401),
        (lambda: {"iss": new_id()}, 401),
        (lambda: {"jti": "short"}, 401),
    ],
    ids=[
        "expired", "not-yet-valid", "too-long-lived", "five-seconds-too-long", "end-of-time",
        "audience", "audiences", "run", "claim", "node", "secret", "version", "worker", "issuer",
        "jti",
    ],
)
def test_s06_each_broken_claim(
    workshop: Workshop, held: HeldRun, watched: Watched,
    changes: Callable[[], dict[str, Any]], status: int,
) -> None:
    refused(workshop, held, watched, held.value_token(**changes()), status)


@pytest.mark.parametrize(
    "claim",
    ["iss", "sub", "aud", "iat", "nbf", "exp", "jti", "run", "claim", "node", "attempt", "item",
     "purpose", "secret", "version"],
)
def test_s06_each_missing_claim(
    workshop: Workshop, held: HeldRun, watched: Watched, claim: str
) -> None:
    refused(workshop, held, watched, held.value_token(**{claim: ABSENT}))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)
BOUND = ("iss", "sub", "aud", "run", "claim", "node", "secret", "version")


@ANY
@given(claim=st.sampled_from(BOUND), content=JSON)
@example(claim="claim", content=True)
@example(claim="claim", content=1.0)
@example(claim="version", content=True)
def test_s06_any_other_content_of_a_bound_claim(
    workshop: Workshop, held: HeldRun, watched: Watched, claim: str, content: Any
) -> None:
    grant = held.plan["grants"][0]
    right = {
        "iss": held.plan["kid"], "sub": held.worker.id, "aud": "tacit:secret-value",
        "run": held.id, "claim": held.plan["claim"], "node": grant["node"],
        "secret": grant["secret_id"], "version": grant["version"],
    }[claim]
    assume(type(content) is not type(right) or content != right)
    refused(workshop, held, watched, held.value_token(**{claim: content}), 401, 403)


def test_s06_another_secret_and_version_that_exist(
    workshop: Workshop, held: HeldRun, watched: Watched
) -> None:
    """Route and token agree; only the grant does not."""
    other = workshop.secret(canary())
    grant = {**held.plan["grants"][0], "secret_id": other.id}
    watched.new()
    answer = workshop.runtime.value(held, held.value_token(grant), grant)
    assert (answer.status_code, answer.json["code"]) == (403, "grant_missing")
    assert [event.action for event in watched.new()] == ["worker.deny"]


def test_s06_unknown_and_revoked_keys(
    workshop: Workshop, held: HeldRun, watched: Watched
) -> None:
    grant = held.plan["grants"][0]
    claims = {
        "run": held.id, "claim": held.plan["claim"], "node": grant["node"], "attempt": 1,
        "item": None, "purpose": "use", "secret": grant["secret_id"], "version": grant["version"],
    }

    def token(key: Ed25519PrivateKey, kid: str) -> str:
        return sign(key, kid, claims_of(kid, held.worker.id, "tacit:secret-value", **claims))

    stranger = Ed25519PrivateKey.generate()
    for wrong in (
        token(stranger, held.plan["kid"]), token(held.key, new_id()), token(stranger, new_id()),
        token(held.worker.key, held.worker.key_id), token(held.worker.key, held.plan["kid"]),
        token(held.key, f"../{held.plan['kid']}"), token(held.key, held.plan["kid"].upper()),
    ):
        refused(workshop, held, watched, wrong)

    worker = SigningWorker.enrol(workshop.installation, f"w-{new_id()}")
    flow_id = workshop.show(held.id).flow_id
    run = workshop.runtime.claim(worker, workshop.run(flow_id).id)
    second = SigningWorker.enrol(workshop.installation, worker.name)
    assert second.id == worker.id
    db = workshop.installation.services.db
    with db.begin() as session:
        revoke_key(session, workshop.actor(), worker.key_id)
    again = workshop.run(flow_id)
    key = Ed25519PrivateKey.generate()
    watched.new()
    answer = workshop.runtime.post("/claims", worker.ticket(again.id, key))
    assert answer.status_code == 401
    assert [event.action for event in watched.new()] == ["worker.deny"]
    # The other key of that worker goes on.
    assert workshop.runtime.claim(second, again.id).plan["state"] == "running"
    with db.begin() as session:
        revoke_worker(session, workshop.actor(), worker.id)
    refused(workshop, run, watched, run.value_token())


def _part(content: object) -> str:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "algorithm",
    ["none", "None", "NONE", "", "HS256", "HS512", "RS256", "ES256", "Ed448", "eddsa", None, 1,
     ["EdDSA"]],
    ids=repr,
)
def test_s06_changed_algorithm(
    workshop: Workshop, held: HeldRun, watched: Watched, algorithm: object
) -> None:
    """Signed with nothing, with the public key as an HMAC key, or with the right signature."""
    _, body, signature = held.value_token().split(".")
    kid = held.plan["kid"]
    head = _part({"alg": algorithm, "kid": kid, "typ": "JWT"})
    public = held.key.public_key().public_bytes_raw()
    hashed = hmac.new(public, f"{head}.{body}".encode(), hashlib.sha256).digest()
    real = held.key.sign(f"{head}.{body}".encode())
    for end in ("", signature, _part(hashed), _part(real)):
        refused(workshop, held, watched, f"{head}.{body}.{end}")
    for more in ({"jwk": {"kty": "OKP"}}, {"crit": ["x"], "x": 1}):
        # The right algorithm, with a header that brings a key or an extension along: the first
        # signature is not over it.
        changed = _part({"alg": "EdDSA", "kid": kid, "typ": "JWT", **more})
        refused(workshop, held, watched, f"{changed}.{body}.{signature}")


@ANY
@given(data=st.data())
def test_s06_any_changed_character(
    workshop: Workshop, held: HeldRun, watched: Watched, data: st.DataObject
) -> None:
    token = held.value_token()
    position = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.sampled_from("ABCDabcd0189-_."))
    changed = token[:position] + letter + token[position + 1 :]
    # The last character of each part may have bits that mean nothing.
    parts = [base64.urlsafe_b64decode(part + "==") for part in token.split(".")]
    try:
        same = [base64.urlsafe_b64decode(part + "==") for part in changed.split(".")] == parts
    except ValueError:
        same = False
    assume(changed != token and not (same and changed.count(".") == 2))
    refused(workshop, held, watched, changed)


def test_s06_the_right_token_is_good_all_the_while(workshop: Workshop) -> None:
    """So it was what was wrong about the others."""
    value = canary()
    held = workshop.claimed(workshop.secret(value))
    assert workshop.runtime.value(held).json["value"] == value
