"""The listeners' ports: taken before anything else starts, so that a clash is said at once."""

from __future__ import annotations

import errno
import socket
from collections.abc import Mapping
from dataclasses import replace

from app.config import Config
from app.errors import ConfigError

WEB = 8443


def moved(
    config: Config,
    environ: Mapping[str, str],
    *,
    port: int | None = None,
    runtime_port: int | None = None,
    live_port: int | None = None,
) -> Config:
    """Return the settings with the ports of the command line.

    A listener that isn't named beside a moved web port gets port 0: any free one. Two
    installations on one machine need one flag then, not three.
    """
    web = config.port if port is None else port

    def other(given: int | None, setting: str, default: int) -> int:
        if given is not None:
            return given
        return default if environ.get(setting) or web == WEB else 0

    return replace(
        config,
        port=web,
        runtime_port=other(runtime_port, "TACIT_RUNTIME_PORT", config.runtime_port),
        live_port=other(live_port, "TACIT_LIVE_PORT", config.live_port),
    )


def bind(address: str, port: int, flag: str) -> socket.socket:
    """Take a port and listen on it.

    Connections wait in the backlog until the process that serves them is up.

    :param flag: the option that moves this listener, for the message.
    :raises ConfigError: ``port_in_use`` or ``port_unusable``.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        variable = "TACIT_" + flag.lstrip("-").replace("-", "_").upper()
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                "port_in_use",
                f"Port {port} on {address} is used by another program. Stop that one, or choose "
                f"another port with {flag} (or {variable}; 0 takes a free one).",
            ) from error
        raise ConfigError(
            "port_unusable",
            f"Port {port} on {address} can't be used: {error.strerror}. Choose another port with "
            f"{flag} (or {variable}), or another address with TACIT_BIND.",
        ) from error
    return listener
