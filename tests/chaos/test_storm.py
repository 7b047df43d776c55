"""Nothing is lost when everything dies: runs go on coming while processes are killed at random.

``make chaos`` is the long form: 500 runs and two minutes, on SQLite and on PostgreSQL.
"""

from __future__ import annotations

import os
import random
import subprocess
import threading
from collections import Counter

from tests.support.chaotic import chaotic
from tests.support.hunt import Hunt
from tests.support.storm import Storm
from tests.support.vaults import TACIT

RUNS = int(os.environ.get("TACIT_CHAOS_RUNS", "60"))
SECONDS = float(os.environ.get("TACIT_CHAOS_SECONDS", "12"))
SEED = int(os.environ.get("TACIT_CHAOS_SEED", "0")) or random.SystemRandom().randrange(1 << 30)
LONG = SECONDS > 60


def test_every_accepted_run_ends_and_none_runs_twice() -> None:
    with chaotic() as held:
        storm = Storm(
            held.running, held.network, random.Random(SEED), lock_seconds=10.0 if LONG else 2.0
        )
        source = threading.Thread(
            target=held.start_many, args=(RUNS, SECONDS, (0.0, 0.05, 0.2, 0.5))
        )
        source.start()
        try:
            storm.blow(SECONDS, (0.3, 2.5) if LONG else (0.2, 0.8))
        finally:
            source.join()
        states = held.settle(120)
        held.check()
        print(f"\nseed {SEED}: struck {dict(storm.struck)}; runs {dict(Counter(states.values()))}; "
              f"{len(held.unsure)} starts whose answer was lost")
        assert len(states) >= len(held.accepted) >= RUNS // 2
        # After the storm everything works again, and the audit is whole.
        key = held.start()
        held.settle(120)
        assert held.state_of(key) == "succeeded"
        verified = _tacit(held.running.environment, "audit", "verify")
        assert verified.returncode == 0, verified.stdout
        hunt = Hunt({"chaos_token": held.secret})
        hunt.database(held.config)
        hunt.files("home", held.running.home)
        hunt.valkey(held.running.facts["redis_url"])
        assert hunt.hits == [], hunt.table()


def _tacit(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [TACIT, *arguments], env=environment, capture_output=True, text=True, check=False,
        timeout=120,
    )
