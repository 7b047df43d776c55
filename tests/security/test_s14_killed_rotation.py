"""Statement 14 of SECURITY.md for secrets: killed (SIGKILL) at any step of a rotation, a secret has
one active version that opens. The rotation of keys and the rewrap: test_key_rotation.py.
"""

from __future__ import annotations

import signal
from pathlib import Path

from sqlalchemy import select

from app.audit.verify import verify
from app.vault.models import Secret, SecretBlob, SecretVersion
from app.vault.reveal import open_version
from tests.support.installation import canary
from tests.support.rotating import forking, rotate
from tests.support.vaults import Installed

MOST = 80
"""More steps than a rotation has: a bound, should it never end."""


def test_s14_killed_at_each_step_of_a_secrets_rotation(tmp_path: Path) -> None:
    installed = Installed.make(tmp_path / "home")
    ((secret_id, value),) = installed.store().items()
    values = {1: value}
    context = forking()
    killed = kept = 0
    for step in range(1, MOST):
        offered = canary()
        process = context.Process(
            target=rotate,
            args=(installed.config.home, installed.actor.environment_id, secret_id, offered, step),
        )
        process.start()
        process.join(60)
        assert process.exitcode in (0, -signal.SIGKILL)
        with installed.services.db.begin() as session:
            secret = session.get_one(Secret, secret_id)
            newest = max(values)
            if secret.active_version == newest + 1:
                # Committed before the kill: then it is there whole.
                values[newest + 1] = offered
                kept += 1
            assert secret.active_version == secret.latest_version == max(values)
            versions = session.scalars(
                select(SecretVersion).where(SecretVersion.secret_id == secret_id)
            ).all()
            assert {row.number: row.state for row in versions} == dict.fromkeys(values, "enabled")
            opened = {
                row.number: open_version(session, installed.vault, secret, row)
                for row in versions
            }
            assert opened == values
            blobs = session.scalars(select(SecretBlob.id)).all()
            assert len(blobs) == len(values)
        if process.exitcode == 0:
            break
        killed += 1
    # Something was killed before the commit and something after it, and the last one lived.
    assert killed > 5
    assert kept >= 2
    values[max(values) + 1] = installed.replace(secret_id)
    assert installed.read(secret_id)[secret_id] == values[max(values)]
    with installed.services.db.read() as session:
        assert verify(session).findings == []
    installed.services.close()
