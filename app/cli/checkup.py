"""The checks of ``tacit doctor``: each says what it found, and how to mend what is wrong."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from app.cli import readiness
from app.cli.confinement import has_landlock, shortcoming, worker_user
from app.cli.installed import check_installed, load_config
from app.cli.places import Running
from app.cli.prepare import worker_key_file
from app.cli.serve import load_factory
from app.config import Config
from app.errors import TacitError, Unavailable
from app.ids import utcnow
from app.keys.ca import RENEW_BEFORE, TlsFiles, certificate_end

MOST_ROWS = 20
"""Changed rows that are named."""

CLOCK_TOLERANCE = 30.0
"""Seconds that a worker's clock may differ: the leeway of service tokens."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found; ``words`` say how to mend it unless all is well."""

    area: str
    state: Literal["ok", "note", "wrong"]
    words: str


def examine(config: Config | None = None) -> Iterator[Finding]:
    """Run every check; a failing one doesn't keep the next from running."""
    config = config or load_config()
    running = Running.find(config.home)
    checks: tuple[tuple[str, Callable[[], Iterator[Finding]]], ...] = (
        ("home", lambda: _home(config, running)),
        ("key", lambda: _key(config)),
        ("database", lambda: _database(config)),
        ("rows", lambda: _rows(config)),
        ("queue", lambda: _queue(config, running)),
        ("tls", lambda: _tls(config, running)),
        ("clock", lambda: _clock(config, running)),
        ("worker keys", lambda: _worker_keys(config)),
        ("workers", lambda: _workers(config, running)),
        ("confinement", _confinement),
        ("components", _components),
    )
    for area, check in checks:
        try:
            yield from check()
        except TacitError as error:
            yield Finding(area, "wrong", error.detail)
        except Exception as error:
            # Its text may quote what it choked on.
            yield Finding(area, "wrong", f"This could not be checked ({type(error).__name__}).")


def _home(config: Config, running: Running | None) -> Iterator[Finding]:
    check_installed(config)
    mode = stat.S_IMODE(config.home.stat().st_mode)
    if mode & 0o077:
        yield Finding(
            "home", "wrong", f"{config.home} is open to others ({mode:04o}): chmod 700 it."
        )
        return
    free = shutil.disk_usage(config.home).free
    if free < 512 * 1024 * 1024:
        yield Finding(
            "home", "wrong",
            f"Only {free // 1024 // 1024} MiB are free below {config.home}: make room, or values "
            "stop leaving because their use can't be audited.",
        )
        return
    state = f"running as process {running.pid}, {running.url}" if running else "not running"
    yield Finding("home", "ok", f"{config.home}; {state}")


def _key(config: Config) -> Iterator[Finding]:
    services = load_factory("open_services")(config)
    services.db.dispose()
    kek = services.vault.kek
    kek.health()
    yield Finding("key", "ok", f"the {kek.describe()} opens this installation ({kek.id})")
    if config.is_sqlite and kek.file and _same_disk(kek.file, config.home):
        yield Finding(
            "key", "note",
            "The master key lies on the database's disk: who copies the disk has both. Set "
            "TACIT_MASTER_KEY_FILE to a file elsewhere, and keep a copy of it apart from backups.",
        )


def _same_disk(one: Path, other: Path) -> bool:
    return one.stat().st_dev == other.stat().st_dev


def _database(config: Config) -> Iterator[Finding]:
    from sqlalchemy import text

    from app.db import Database, build_engine
    from app.migrate import current_revision, head_revision

    check_installed(config)
    database = Database(build_engine(config.database_url))
    try:
        with database.read() as session:
            session.execute(text("select 1"))
            if config.is_sqlite:
                verdict = session.execute(text("pragma quick_check(1)")).scalar()
                if verdict != "ok":
                    yield Finding(
                        "database", "wrong",
                        f"{config.home / 'tacit.db'} is damaged: restore the last backup.",
                    )
                    return
    finally:
        database.dispose()
    if current_revision(config) == head_revision():
        yield Finding("database", "ok", "answers, and its tables are up to date")
    else:
        yield Finding("database", "wrong", "Its tables are not up to date: run “tacit migrate”.")


def _rows(config: Config) -> Iterator[Finding]:
    from app.accounts.rules import find_changed_rules
    from app.keys.examining import find_tampered
    from app.runs.reach import find_missing_reach

    services = load_factory("open_services")(config, with_vault=False)
    try:
        with services.db.read() as session:
            found = [
                f"A row of {one.table} ({one.key}) was changed outside Tacit, so it is not used. "
                "Put it back as it was from a backup, or delete it and make it anew."
                for one in islice(find_tampered(session), MOST_ROWS)
            ]
            if not found:
                found += [one.message for one in find_changed_rules(session)]
                found += [one.message for one in find_missing_reach(session)]
    finally:
        services.db.dispose()
    if not found:
        yield Finding("rows", "ok", "what is sealed is as Tacit wrote it")
    for words in found[:MOST_ROWS]:
        yield Finding("rows", "wrong", words)


def _queue(config: Config, running: Running | None) -> Iterator[Finding]:
    if not config.redis_url:
        if running is None:
            yield Finding("queue", "ok", "embedded; starts with “tacit up”")
        return
    import redis

    try:
        client = redis.Redis.from_url(config.redis_url, socket_timeout=3)
        client.ping()
        policy = client.config_get("maxmemory-policy").get("maxmemory-policy", "noeviction")
    except redis.ResponseError:
        policy = "noeviction"
    except redis.RedisError:
        yield Finding(
            "queue", "wrong",
            "The queue's server does not answer: "
            + ("see TACIT_HOME/logs/queue.log." if running else "check TACIT_REDIS_URL."),
        )
        return
    if policy != "noeviction":
        yield Finding(
            "queue", "wrong",
            f"The queue's server may drop jobs (maxmemory-policy {policy}): set it to noeviction.",
        )
        return
    yield Finding("queue", "ok", "answers, and never drops a job")


def _tls(config: Config, running: Running | None) -> Iterator[Finding]:
    files = TlsFiles.below(config.home)
    for key in (files.key, files.ca_key):
        if key.exists() and stat.S_IMODE(key.stat().st_mode) & 0o077:
            yield Finding("tls", "wrong", f"{key} is open to others: chmod 600 it.")
            return
    end = certificate_end(files.certificate)
    left = end - utcnow()
    if left <= timedelta(0):
        yield Finding(
            "tls", "wrong",
            f"The listeners' certificate ended on {end:%Y-%m-%d}: restart “tacit up”, which "
            "renews it.",
        )
        return
    if left < RENEW_BEFORE:
        yield Finding(
            "tls", "note", f"The certificate ends in {left.days} days; “tacit up” renews it."
        )
    if running:
        status, _ = readiness.ask(_as_running(config, running), timeout=5)
        if status != 200:
            yield Finding(
                "tls", "wrong",
                f"{running.url}/readyz answers {status}: the logs in {config.home / 'logs'} say "
                "what is missing.",
            )
            return
    yield Finding("tls", "ok", f"the certificate is good until {end:%Y-%m-%d}")


def _as_running(config: Config, running: Running) -> Config:
    parts = urlsplit(running.url)
    return replace(config, host=parts.hostname or config.host, port=parts.port or 443)


def _clock(config: Config, running: Running | None) -> Iterator[Finding]:
    newest = max(
        (path.stat().st_mtime for path in config.home.glob("tacit.db*")), default=0.0
    )
    if newest - time.time() > CLOCK_TOLERANCE:
        yield Finding(
            "clock", "wrong",
            "The clock was set back: the database was written in what is now the future. Set the "
            "clock right (timedatectl set-ntp true).",
        )
        return
    if running is None:
        yield Finding("clock", "ok", f"{utcnow():%Y-%m-%d %H:%M:%S} UTC")
        return
    offset = abs(_runtime_time(running.runtime_url, config.ca_file) - time.time())
    if offset > CLOCK_TOLERANCE:
        yield Finding(
            "clock", "wrong",
            f"This machine and the runtime listener differ by {offset:.0f} seconds, more than "
            "service tokens allow: set both clocks right (timedatectl set-ntp true).",
        )
        return
    yield Finding("clock", "ok", f"within {max(offset, 0.1):.1f} s of the runtime listener")


def _runtime_time(url: str, authority: Path) -> float:
    from http.client import HTTPSConnection

    parts = urlsplit(url)
    context = ssl.create_default_context(cafile=str(authority))
    connection = HTTPSConnection(
        parts.hostname or "localhost", parts.port or 443, timeout=5, context=context
    )
    try:
        connection.request("GET", "/ping")
        return float(json.loads(connection.getresponse().read(4096))["unix"])
    except OSError as error:
        raise Unavailable(
            "runtime_silent",
            f"The runtime listener at {url} does not answer: see TACIT_HOME/logs/runtime.log.",
        ) from error
    finally:
        connection.close()


def _worker_keys(config: Config) -> Iterator[Finding]:
    from app.runs import workers

    file = worker_key_file(config.home)
    if not file.exists():
        yield Finding(
            "worker keys", "wrong",
            f"The local worker has no key ({file}): start “tacit up”, which enrols one.",
        )
        return
    found = file.stat()
    if stat.S_IMODE(found.st_mode) & 0o077 or found.st_uid != os.geteuid():
        yield Finding("worker keys", "wrong", f"{file} is open to others: chmod 600 it.")
        return
    key_id = str(json.loads(file.read_text("utf-8")).get("key_id"))
    services = load_factory("open_services")(config, with_vault=False)
    try:
        with services.db.read() as session:
            state = workers.key_state(session, key_id)
    finally:
        services.db.dispose()
    if state == "revoked":
        yield Finding(
            "worker keys", "wrong",
            f"The key of the local worker was revoked. To enrol it anew, remove {file} and start "
            "“tacit up”.",
        )
        return
    if state == "unknown":
        yield Finding(
            "worker keys", "wrong",
            "The key of the local worker isn't of this database: start “tacit up”, which enrols "
            "it anew.",
        )
        return
    yield Finding("worker keys", "ok", "the local worker's key is enrolled")


def _workers(config: Config, running: Running | None) -> Iterator[Finding]:
    if running is None:
        return
    from app.runs import workers

    services = load_factory("open_services")(config, with_vault=False)
    try:
        with services.db.read() as session:
            count = workers.count_live_workers(session)
    finally:
        services.db.dispose()
    if count:
        yield Finding("workers", "ok", f"{count} {'is' if count == 1 else 'are'} there")
        return
    yield Finding(
        "workers", "note",
        "No worker was seen in the last 30 seconds, so runs wait. If “tacit up” has just started, "
        f"look again; else {config.home / 'logs' / 'worker.log'} says why.",
    )


def _confinement() -> Iterator[Finding]:
    concern = shortcoming()
    if concern:
        yield Finding("confinement", "note", concern)
        return
    means = []
    if worker_user():
        means.append("workers run as another user")
    if has_landlock():
        means.append("runs give up access to files (Landlock)")
    yield Finding("confinement", "ok", "; ".join(means))


def _components() -> Iterator[Finding]:
    from app.components.registry import registry

    found = registry()
    broken = found.broken()
    for one in broken:
        yield Finding("components", "wrong", f"{one.message} [{one.code}]")
    packages = {str(origin) for one in found if (origin := found.origin(one.name)) is not None}
    more = f", with {', '.join(sorted(packages))}" if packages else ""
    if not broken:
        yield Finding("components", "ok", f"{len(found)} can be used{more}")
