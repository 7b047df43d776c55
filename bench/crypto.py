"""CPU time of the cryptography of one value: sign, verify, unwrap and decrypt."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable

from app.ids import new_id
from app.keys.tokens import verify_token
from bench.home import Home
from worker.tokens import Signer

AUDIENCE = "tacit:secret-value"


def measure(place: Home, count: int) -> dict[str, float]:
    """Return milliseconds of CPU by step, the mean of ``count`` times."""
    signer = Signer.generate()
    signer.key_id, signer.worker_id = new_id(), new_id()
    public = base64.urlsafe_b64decode(signer.public + "=")
    claims = {
        "run": new_id(), "claim": 1, "node": "fetch", "attempt": 1, "item": None,
        "purpose": "use", "secret": new_id(), "version": 1,
    }
    token = signer.sign(AUDIENCE, claims)

    vault = place.services.vault
    assert vault is not None
    secret = new_id()
    with place.services.db.begin() as session:
        blob = vault.seal(session, place.environment_id, secret, 1, "s" * 32)
    return {
        "sign": _cpu(lambda: signer.sign(AUDIENCE, claims), count),
        "verify": _cpu(lambda: verify_token(token, public, AUDIENCE, tuple(claims)[:2]), count),
        "unwrap and decrypt": _cpu(
            lambda: vault.unseal(place.environment_id, secret, 1, blob), count
        ),
    }


def _cpu(work: Callable[[], object], count: int) -> float:
    for _ in range(min(count, 50)):
        work()
    began = time.process_time()
    for _ in range(count):
        work()
    return (time.process_time() - began) * 1000 / count
