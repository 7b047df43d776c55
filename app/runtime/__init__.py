"""Which JSON answers workers? ``/runtime/v1`` and the value route, on a listener of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask

if TYPE_CHECKING:
    from app.http.services import Services


def register(app: Flask, services: Services) -> None:
    """Add the routes to the runtime application."""
    from app.runtime import health, meters, metrics, runs, values, workers

    meters.attach(app, meters.Meters(services.config, services.db))
    for module in (health, metrics, workers, runs, values):
        app.register_blueprint(module.routes)
