"""Run the scheduler: triggers, the reaper of dead runs, lost jobs, the purge."""

from __future__ import annotations

import importlib

from app.cli.serve import load_factory
from app.config import Config
from app.log import set_up


def run_scheduler(config: Config) -> None:
    """Run until a signal ends it; without the master key."""
    set_up("scheduler", config.log_level)
    config.keys.wipe()
    services = load_factory("open_services")(config, with_vault=False)
    post = importlib.import_module("app.runs.sending").Post(config)
    importlib.import_module("app.runs.scheduler").run_forever(
        services, post=post, public_url=config.public_url
    )
