"""Serve one of the listeners with gunicorn, over TLS."""

from __future__ import annotations

import importlib
import resource
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication

from app.cli.children import become_undumpable
from app.cli.quick_server import QuickServer
from app.config import Config
from app.errors import ConfigError
from app.keys.ca import TlsFiles, server_context
from app.log import set_up

THREADS = 32
KEEP_ALIVE = 120
"""Seconds an idle connection is kept: workers and browsers save handshakes."""
LIVE = "create_live_app"
RUNTIME = "create_runtime_app"


def load_factory(name: str) -> Callable[..., Any]:
    """Return a function of :mod:`app.factory` by name.

    The factory stands above the command line and is never imported by it (ARCHITECTURE, "The
    rooms"): it is named, as one would name it to any WSGI server.
    """
    function: Callable[..., Any] = getattr(importlib.import_module("app.factory"), name)
    return function


def serve(factory: str, config: Config, address: str) -> None:
    """Serve until a signal ends it.

    :param factory: ``create_web_app``, ``create_runtime_app`` or ``create_live_app``.
    :param address: ``host:port``, or ``fd://N`` for a socket that is bound already.
    :raises ConfigError: there is no certificate.
    """
    files = TlsFiles.below(config.home)
    if not files.certificate.exists() or not files.key.exists():
        raise ConfigError(
            "certificate_missing",
            f"There is no certificate at {files.certificate}. Put one and its key "
            f"({files.key.name}) there, or have “tacit up” make them.",
        )
    set_up(factory.removeprefix("create_").removesuffix("_app"), config.log_level)
    # The process holds the master key, or at least what opens sessions.
    become_undumpable()
    if factory == RUNTIME:
        QuickServer(
            address, files, lambda: _load(factory, config), threads=THREADS, idle=KEEP_ALIVE
        ).run()
        return
    if factory == LIVE:
        _allow_many_connections()
    _Server(factory, config, address, files).run()


_REQUESTS: dict[str, object] = {
    "worker_class": "gthread",
    "threads": THREADS,
    "keepalive": KEEP_ALIVE,
    "graceful_timeout": 5,
}
_STREAMS: dict[str, object] = {
    "worker_class": "asgi",
    "asgi_lifespan": "on",
    # A connection is one stream; whoever waits for a stream's end waits for nothing.
    "keepalive": 0,
    "graceful_timeout": 1,
}


class _Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with settings given in code; one process, since SQLite has one writer."""

    def __init__(self, factory: str, config: Config, address: str, files: TlsFiles) -> None:
        self._factory = factory
        self._config = config
        self._settings: dict[str, object] = {
            "bind": [address],
            "workers": 1,
            "timeout": 60,
            **(_STREAMS if factory == LIVE else _REQUESTS),
            "loglevel": "warning",
            "errorlog": "-",
            "certfile": str(files.certificate),
            "keyfile": str(files.key),
            "ssl_context": _cached_context(files.certificate, files.key),
            "control_socket_disable": True,
            "worker_tmp_dir": "/dev/shm" if Path("/dev/shm").is_dir() else None,  # noqa: S108
        }
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._settings.items():
            if value is not None:
                self.cfg.set(name, value)

    def load(self) -> Any:
        return _load(self._factory, self._config)


def _load(factory: str, config: Config) -> Any:
    # The server has set its own loggers up meanwhile.
    set_up(factory.removeprefix("create_").removesuffix("_app"), config.log_level)
    return load_factory(factory)(config)


def _allow_many_connections() -> None:
    """Raise the limit on open files as far as one may: each stream holds a socket."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _cached_context(certificate: Path, key: Path) -> Callable[[Any, Any], ssl.SSLContext]:
    """Return gunicorn's hook with one context a process: making one costs 0.8 ms."""
    made: list[ssl.SSLContext] = []

    def ssl_context(_settings: Any, _default: Any) -> ssl.SSLContext:
        if not made:
            made.append(server_context(certificate, key))
        return made[0]

    return ssl_context
