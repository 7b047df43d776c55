"""An installation's home without processes: for what is measured below the listeners."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app import migrate
from app.accounts.actor import Actor, system_actor
from app.accounts.bootstrap import ensure_default_environment
from app.config import Config
from app.factory import open_services
from app.http.services import Services
from app.keys.installation import ensure_keys
from app.keys.seals import Seals


@dataclass(frozen=True, slots=True)
class Home:
    """What the measurements need to know."""

    folder: Path
    config: Config
    services: Services
    seals: Seals
    environment_id: str

    @property
    def actor(self) -> Actor:
        """Someone who may do everything here."""
        return system_actor(self.environment_id)


@contextmanager
def home() -> Iterator[Home]:
    """Make a home with keys, tables and one environment; forget it afterwards."""
    with tempfile.TemporaryDirectory(prefix="tacit-bench-") as folder:
        path = Path(folder) / "home"
        config = Config.load(
            {"TACIT_HOME": str(path), "TACIT_REDIS_URL": "redis://localhost:1/0"}
        )
        ensure_keys(config)
        migrate.upgrade(config)
        services = open_services(config)
        try:
            with services.db.begin() as session:
                environment = ensure_default_environment(session).id
            yield Home(path, config, services, Seals.open(config), environment)
        finally:
            services.close()
