"""``tacit up`` with its master key in a variable: works, and no process keeps it in sight."""

from __future__ import annotations

import base64
import os
from pathlib import Path

from tests.support.running import tacit_up


def test_no_process_shows_the_variable() -> None:
    key = base64.b64encode(os.urandom(32)).decode()
    with tacit_up(TACIT_KEY_PROVIDER="variable", TACIT_MASTER_KEY=key) as running:
        assert running.ready()
        assert not (running.home / "keys" / "master.key").exists()
        looked_at = 0
        for pid in running.processes():
            for name in ("environ", "cmdline"):
                content = Path(f"/proc/{pid}/{name}").read_bytes()
                assert key.encode() not in content, (pid, name)
            looked_at += 1
        assert looked_at > 5
        assert key not in running.logs()
