"""Commands that start processes: everything at once, or one by one."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from pathlib import Path

import click

from app.cli import ports
from app.cli.installed import load_config, take_config

_ADMIN = ("TACIT_ADMIN_EMAIL", "TACIT_ADMIN_PASSWORD")

_port = click.IntRange(0, 65535)


@click.command()
@click.option("--port", type=_port, help="Web listener (8443); 0 takes a free port.")
@click.option("--runtime-port", type=_port, help="Runtime listener (8444), for workers.")
@click.option("--live-port", type=_port, help="Live listener (8445), for server-sent events.")
def up(port: int | None, runtime_port: int | None, live_port: int | None) -> None:
    """Start everything on this machine.

    On the first start this makes TACIT_HOME with the master key, the database, the local CA and
    certificates, and prints a one-time link for the first administrator, or creates the one that
    TACIT_ADMIN_EMAIL and TACIT_ADMIN_PASSWORD name. With --port alone, the other listeners take
    free ports.
    """
    from app.cli.children import take_variable
    from app.cli.prepare import FirstAdmin
    from app.cli.up import Installation

    config = ports.moved(
        take_config(), os.environ, port=port, runtime_port=runtime_port, live_port=live_port
    )
    # Taken out of the environment before there is any child that could inherit them.
    email, password = (take_variable(name) for name in _ADMIN)
    admin = FirstAdmin(email, password) if email and password else None
    Installation(config, admin, _say).run()


@click.command()
@click.option("--port", type=_port, help="Port to serve on (TACIT_PORT, 8443).")
def web(port: int | None) -> None:
    """Serve the pages and the JSON API until a signal ends it."""
    from app.cli.serve import serve

    config = load_config()
    config = replace(config, port=config.port if port is None else port)
    serve("create_web_app", config, f"{_bracketed(config.bind)}:{config.port}")


@click.command()
@click.option("--port", type=_port, help="Port to serve on (TACIT_RUNTIME_PORT, 8444).")
def runtime(port: int | None) -> None:
    """Serve the workers' listener until a signal ends it."""
    from app.cli.serve import serve

    config = load_config()
    config = replace(config, runtime_port=config.runtime_port if port is None else port)
    serve("create_runtime_app", config, f"{_bracketed(config.bind)}:{config.runtime_port}")


@click.command()
@click.option("--port", type=_port, help="Port to serve on (TACIT_LIVE_PORT, 8445).")
def live(port: int | None) -> None:
    """Serve the live streams of runs (server-sent events) until a signal ends it."""
    from app.cli.serve import LIVE, serve

    config = load_config()
    config = replace(config, live_port=config.live_port if port is None else port)
    serve(LIVE, config, f"{_bracketed(config.bind)}:{config.live_port}")


@click.command()
def worker() -> None:
    """Run a worker on this machine, with the TACIT_ settings it needs and nothing else."""
    from app.cli.worker import become_worker, settings_of_a_remote_worker

    settings = settings_of_a_remote_worker(os.environ)
    become_worker(settings, Path(settings.get("TACIT_WORKER_SCRATCH") or Path.cwd()))


@click.command()
def scheduler() -> None:
    """Run triggers, the reaper of dead runs and the purge until a signal ends it."""
    from app.cli.scheduler import run_scheduler

    run_scheduler(load_config())


@click.command()
def migrate() -> None:
    """Bring the database up to date, making the keys and the database on the first call."""
    from app.cli.places import prepare_home
    from app.cli.upgrading import upgrade
    from app.keys import installation

    config = load_config()
    prepare_home(config.home)
    installation.ensure_keys(config)
    upgrade(config)
    click.echo("The database is up to date.")


def _say(line: str) -> None:
    # Nobody may be reading any more; that is no reason to stop.
    with contextlib.suppress(OSError):
        click.echo(line)


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
