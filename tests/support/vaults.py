"""An installation without any listener: keys, database, default environment, and values in it."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from app import migrate
from app.accounts import bootstrap
from app.accounts.actor import Actor, system_actor
from app.config import Config
from app.factory import open_services
from app.http.services import Services
from app.keys.installation import ensure_keys
from app.vault import NewSecret, Vault
from app.vault.models import Secret, SecretVersion
from app.vault.reveal import open_version
from app.vault.service import create_secret, rotate_secret
from tests.support.database import home_variables

TACIT = Path(sys.executable).with_name("tacit")


@dataclass
class Installed:
    """A folder with an installation; its processes are started by whoever needs them."""

    config: Config
    services: Services
    actor: Actor
    settings: dict[str, str]

    @classmethod
    def make(cls, home: Path, **settings: str) -> Installed:
        """Make one, or open what is in ``home``; ``settings`` are environment variables."""
        environment = {
            **home_variables(home), "TACIT_REDIS_URL": "redis://localhost:1/0", **settings
        }
        config = Config.load(environment)
        home.mkdir(mode=0o700, exist_ok=True)
        ensure_keys(config)
        migrate.upgrade(config)
        services = open_services(config)
        with services.db.begin() as session:
            where = bootstrap.ensure_default_environment(session)
        return cls(config, services, system_actor(where.id), environment)

    @property
    def vault(self) -> Vault:
        """The vault of this process."""
        assert self.services.vault is not None
        return self.services.vault

    def store(self, count: int = 1) -> dict[str, str]:
        """Create secrets with canary values; returns the values by secret id."""
        made = {}
        with self.services.db.begin() as session:
            for _ in range(count):
                value = f"CANARY-{secrets.token_hex(12)}"
                new = NewSecret(name=f"s_{secrets.token_hex(8)}", value=value)
                made[create_secret(session, self.actor, self.vault, new).id] = value
        return made

    def replace(self, secret_id: str) -> str:
        """Rotate a secret's value; returns the new one."""
        value = f"CANARY-{secrets.token_hex(12)}"
        with self.services.db.begin() as session:
            rotate_secret(session, self.actor, self.vault, secret_id, value=value)
        return value

    def read(self, *secret_ids: str) -> dict[str, str]:
        """Open the active versions of secrets, deleted or not; returns the values by id."""
        values = {}
        with self.services.db.begin() as session:
            for secret_id in secret_ids:
                secret = session.get_one(Secret, secret_id)
                version = session.get_one(SecretVersion, (secret.id, secret.active_version))
                values[secret_id] = open_version(session, self.vault, secret, version)
        return values

    def reopened(self, **settings: str) -> Installed:
        """Open the same home anew, as another process would."""
        return Installed.make(self.config.home, **{**self.settings, **settings})

    def tacit(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command on it."""
        environment = {"PATH": os.defpath, **self.settings, **more}
        return subprocess.run(
            [TACIT, *arguments], env=environment, capture_output=True, text=True, check=False,
            timeout=120,
        )
