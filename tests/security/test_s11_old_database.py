"""Statement 11 of SECURITY.md: an old database file put back fails the verification against a
checkpoint that was kept elsewhere.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from app.audit.checkpoints import CheckpointFile
from tests.support.database import sqlite_only
from tests.support.vaults import Installed
from tests.support.verified import verify

pytestmark = sqlite_only


def put_back(installed: Installed, old: Path) -> None:
    """Put an old database file in the place of the present one."""
    installed.services.db.dispose()
    file = installed.config.home / "tacit.db"
    for beside in file.parent.glob("tacit.db*"):
        beside.unlink()
    shutil.copyfile(old, file)


@pytest.fixture
def installed(tmp_path: Path) -> Installed:
    """An installation with some past, and its old database beside it."""
    made = Installed.make(tmp_path / "home")
    made.store(3)
    made.services.db.dispose()
    assert not list(made.config.home.glob("tacit.db-wal"))
    shutil.copyfile(made.config.home / "tacit.db", tmp_path / "old.db")
    return made


def test_s11_an_old_database_put_back(installed: Installed, tmp_path: Path) -> None:
    installed.store(1)
    printed = installed.tacit("audit", "checkpoint")
    assert printed.returncode == 0
    kept = tmp_path / "elsewhere.jsonl"
    kept.write_text(printed.stdout)
    assert verify(installed, kept)[0] == 0

    put_back(installed, tmp_path / "old.db")
    # By itself it is as good as it was then: only the checkpoint knows better.
    assert verify(installed)[0] == 0
    said = installed.tacit("audit", "verify", "--checkpoint", str(kept))
    assert said.returncode == 1
    assert "rolled_back" in said.stdout
    assert installed.actor.environment_id in said.stdout


def test_s11_an_old_database_that_went_another_way(installed: Installed, tmp_path: Path) -> None:
    """Put back and worked with until it is longer than it was: still another past."""
    kept = tmp_path / "elsewhere.jsonl"
    installed.store(1)
    with installed.services.db.read() as session:
        assert CheckpointFile(kept).append(session)
    put_back(installed, tmp_path / "old.db")
    installed.store(5)
    assert verify(installed)[0] == 0
    code, said = verify(installed, kept)
    assert (code, "rolled_back" in said) == (1, True)


def test_s11_the_checkpoint_file_itself(installed: Installed, tmp_path: Path) -> None:
    """Of many checkpoints each is compared, and one that was changed is no checkpoint."""
    kept = tmp_path / "elsewhere.jsonl"
    checkpoints = CheckpointFile(kept)
    for _ in range(3):
        installed.store(1)
        with installed.services.db.read() as session:
            assert checkpoints.append(session)
            assert not checkpoints.append(session)
    assert kept.stat().st_mode & 0o777 == 0o600
    lines = kept.read_text().splitlines()
    assert len(lines) == 3
    assert verify(installed, kept)[0] == 0
    # Another process goes on in the same file, and writes nothing where nothing happened.
    with installed.services.db.read() as session:
        assert not CheckpointFile(kept).append(session)

    put_back(installed, tmp_path / "old.db")
    code, said = verify(installed, kept)
    assert (code, said.count("rolled_back")) == (1, 3)
    changed = json.loads(lines[0])
    changed["chains"][installed.actor.environment_id]["seq"] = 0
    kept.write_text(json.dumps(changed) + "\n")
    refused = installed.tacit("audit", "verify", "--checkpoint", str(kept))
    assert (refused.returncode, "checkpoint_invalid" in refused.stderr) == (1, True)
