"""The yardstick: a stock RQ worker whose job decrypts a value and makes one HTTP call.

No flow, no check, no masking, no events, no audit: what a run can't be cheaper than with RQ as it
comes. Imports are loaded in the worker's parent, the fastest that stock RQ can be set up.
"""

from __future__ import annotations

import base64
import http.client
import sys

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from redis import Redis
from rq import Queue, Worker
from rq.serializers import JSONSerializer

QUEUE = "bench:bare"


def seal(value: str) -> dict[str, str]:
    """Return the job's arguments: a value sealed with a key of its own."""
    key, nonce = AESGCM.generate_key(256), b"\0" * 12
    sealed = AESGCM(key).encrypt(nonce, value.encode(), b"bench")
    return {
        "key": base64.b64encode(key).decode(),
        "sealed": base64.b64encode(nonce + sealed).decode(),
    }


def work(port: int, key: str, sealed: str) -> int:
    """Decrypt the value and send it to the echo server; return the answer's status."""
    blob = base64.b64decode(sealed)
    value = AESGCM(base64.b64decode(key)).decrypt(blob[:12], blob[12:], b"bench").decode()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/", headers={"Authorization": f"Bearer {value}"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def queue(redis_url: str) -> Queue:
    """Return the yardstick's queue."""
    return Queue(QUEUE, connection=Redis.from_url(redis_url), serializer=JSONSerializer)


if __name__ == "__main__":
    where = queue(sys.argv[1])
    Worker([where], connection=where.connection, serializer=JSONSerializer).work(
        logging_level="WARNING"
    )
