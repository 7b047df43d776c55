"""Bringing the database up to date, and what of it only the keys can do."""

from __future__ import annotations

from app.cli.serve import load_factory
from app.config import Config


def upgrade(config: Config) -> None:
    """Apply the migrations that the database lacks; seals rows that one of them calls for."""
    from app import migrate
    from app.accounts.rules import SEALED_SINCE, seal_all_rules
    from app.runs.reach import ROWS_SINCE, seal_reach

    applied = migrate.upgrade(config)
    if SEALED_SINCE not in applied:
        return
    services = load_factory("open_services")(config)
    try:
        with services.db.begin() as session:
            if ROWS_SINCE in applied:  # the older of the two: whoever lacked it lacked both
                seal_reach(session)
            seal_all_rules(session)
    finally:
        services.db.dispose()
