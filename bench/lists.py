"""Server time of the secrets list, searched, filtered and sorted, in a large environment."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, text

from app.ids import new_id, utcnow
from app.vault.models import Secret, SecretTag
from app.vault.reading import list_secrets
from bench.figures import percentile
from bench.home import Home

WORDS = (
    "stripe github aws prod dev ledger webhook signing api key token smtp mail queue redis "
    "postgres eu us live test billing payroll"
).split()
BATCH = 10_000
QUESTIONS: Mapping[str, Mapping[str, Any]] = {
    "first page": {},
    "search, a common word": {"q": "stripe"},
    "search, a rare one": {"q": "-77"},
    "search, no hit": {"q": "zzzqqq"},
    "tag": {"tag": "aws"},
    "newest first": {"sort": "-created"},
}
"""What is asked of the list."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How long a question took, each time that it was asked.

    :ivar cpu: what of it the process itself was at work; the rest it waited for its turn.
    """

    question: str
    milliseconds: list[float]
    cpu: list[float]

    def share(self, share: float) -> float:
        """Return a percentile in milliseconds."""
        return percentile(self.milliseconds, share)


def measure(place: Home, secrets: int, times: int) -> list[Answer]:
    """Fill the environment and ask each question ``times`` times through the service."""
    populate(place, secrets)
    return [_ask(place, name, arguments, times) for name, arguments in QUESTIONS.items()]


def populate(place: Home, count: int) -> None:
    """Insert secrets in bulk: sealed rows, tags and the search index, but no values."""
    chance = random.Random(1)
    for first in range(0, count, BATCH):
        rows = [_row(place, chance, n) for n in range(first, min(count, first + BATCH))]
        tags = [
            {"secret_id": row["id"], "tag": tag, "environment_id": row["environment_id"],
             "name": row["name"]}
            for row in rows for tag in row["tags"]
        ]
        with place.services.db.begin() as session:
            session.execute(insert(Secret), rows)
            session.execute(insert(SecretTag), tags)
    with place.services.db.begin() as session:
        # As app.vault.search writes it, one secret at a time.
        session.execute(
            text("insert into secret_search(rowid, text) "
                 "select search_id, name || char(10) || description "
                 "from secrets where created_by = 'bench'")
        )


def _row(place: Home, chance: random.Random, number: int) -> dict[str, Any]:
    now = utcnow()
    row: dict[str, Any] = {
        "id": new_id(), "environment_id": place.environment_id,
        "name": f"{'/'.join(chance.sample(WORDS, 3))}-{number}",
        "description": " ".join(chance.sample(WORDS, 6)), "tags": [chance.choice(WORDS)],
        "owner": "bench", "state": "enabled", "active_version": 1, "latest_version": 1,
        "allowed_hosts": None, "allowed_flows": None, "rotation_period_days": None,
        "revision": 1, "created_at": now, "created_by": "bench", "updated_at": now,
        "updated_by": "bench", "rotated_at": now, "last_change": "", "due_at": None,
        "search_id": chance.getrandbits(62), "last_accessed_at": None, "deleted_at": None,
        "purge_at": None,
    }
    sealed = {name: row[name] for name in Secret.SEALED}
    row["mac_key_id"], row["row_mac"] = place.seals.mac_row("secrets", sealed)
    return row


def _ask(place: Home, name: str, arguments: Mapping[str, Any], times: int) -> Answer:
    took, cpu = [], []
    for turn in range(times + 1):
        began, worked = time.perf_counter(), time.process_time()
        with place.services.db.read() as session:
            list_secrets(session, place.actor, **arguments)
        if turn:  # the first one warms up
            took.append((time.perf_counter() - began) * 1000)
            cpu.append((time.process_time() - worked) * 1000)
    return Answer(name, took, cpu)
