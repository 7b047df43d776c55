"""Addresses of the database and the queue: what stands on another machine is reached by TLS only.

Values cross these connections encrypted by their own keys, but who listens in, or stands in
between, would see who uses what and could answer for them.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Final
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from app.errors import ConfigError

_QUEUE_SCHEMES: Final = ("redis", "rediss", "unix")
_UNVERIFIED: Final = {"ssl_cert_reqs": ("required",), "ssl_check_hostname": ("true", "yes", "1")}
"""What redis-py reads from a URL, and the only answers that leave the server verified."""


def queue_url(url: str) -> str:
    """Return the queue's URL (``TACIT_REDIS_URL``).

    :raises ConfigError: ``setting_invalid``, no URL of a queue; ``queue_not_safe``, another host
        without verified TLS and a password.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        options = parse_qsl(parts.query)
    except ValueError:
        parts, host, options = urlsplit(""), "", []
    if parts.scheme not in _QUEUE_SCHEMES:
        raise ConfigError(
            "setting_invalid",
            "TACIT_REDIS_URL has to be a URL such as unix:///run/tacit/queue.sock or "
            "rediss://:password@queue.example.com:6379/0.",
        )
    if parts.scheme == "unix" or _near(host):
        return url
    if parts.scheme != "rediss" or not parts.password:
        raise ConfigError(
            "queue_not_safe",
            "TACIT_REDIS_URL names another host: it needs TLS (rediss://) and a password.",
        )
    for name, value in options:
        if value.lower() not in _UNVERIFIED.get(name, (value.lower(),)):
            raise ConfigError(
                "queue_not_safe",
                f"TACIT_REDIS_URL names another host and has {name}={value}: anyone could answer "
                "as the queue. Leave it out; ssl_ca_certs=FILE names a CA of your own.",
            )
    return url


def database_url(url: str, environ_host: str = "") -> str:
    """Return the database's URL (``TACIT_DATABASE_URL``), with verified TLS to another host.

    :param url: SQLAlchemy's form, or PostgreSQL's own.
    :param environ_host: ``PGHOST``, which counts where the URL names no host.
    :raises ConfigError: ``setting_invalid``, neither SQLite nor PostgreSQL; ``database_not_safe``,
        another host with less than ``sslmode=verify-full``.
    """
    if url.startswith("sqlite:"):
        return url
    try:
        parts = urlsplit(url)
        hosts = _database_hosts(parts.netloc.rpartition("@")[2])
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
    except ValueError:
        parts, hosts, options = urlsplit(""), [], {}
    if parts.scheme not in ("postgresql", "postgresql+psycopg"):
        raise ConfigError(
            "setting_invalid",
            "TACIT_DATABASE_URL has to be the URL of an SQLite file, such as "
            "sqlite:////srv/tacit/tacit.db, or of a PostgreSQL database, such as "
            "postgresql://tacit@db.example.com/tacit.",
        )
    named = [*hosts, *(options.get(name, "") for name in ("host", "hostaddr"))]
    if _all_near(named) and (any(named) or _all_near([environ_host])) and "service" not in options:
        return url
    mode = options.get("sslmode")
    if mode not in (None, "verify-full"):
        raise ConfigError(
            "database_not_safe",
            f"TACIT_DATABASE_URL names another host with sslmode={mode}: anyone could answer as "
            "the database. Use sslmode=verify-full, and sslrootcert=FILE for a CA of your own.",
        )
    # A CA file is what its owner chose; without one it is the system's CAs, not libpq's default
    # of a file that seldom is there.
    options = {"sslrootcert": "system", **options, "sslmode": "verify-full"}
    return f"{url.partition('?')[0]}?{urlencode(options)}"


def _database_hosts(text: str) -> list[str]:
    """The hosts of ``host:port,[host]:port``, as libpq takes them."""
    return [unquote(urlsplit(f"//{part}").hostname or "") for part in text.split(",")]


def _all_near(hosts: Iterable[str]) -> bool:
    return all(_near(host) for entry in hosts for host in entry.split(",") if host)


def _near(host: str) -> bool:
    """Whether a host is this machine: a socket's folder, ``localhost`` or a loopback address."""
    if host.startswith(("/", "@")) or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
