"""Ports of the listeners: who moves what, and what a clash says."""

from __future__ import annotations

import socket

import pytest

from app.cli import ports
from app.config import Config
from app.errors import ConfigError


def _ports(environ: dict[str, str], **given: int) -> tuple[int, int, int]:
    config = ports.moved(Config.load(environ), environ, **given)
    return config.port, config.runtime_port, config.live_port


def test_defaults() -> None:
    assert _ports({}) == (8443, 8444, 8445)


def test_a_moved_web_port_lets_the_others_take_free_ones() -> None:
    assert _ports({}, port=9443) == (9443, 0, 0)
    assert _ports({"TACIT_PORT": "9443"}) == (9443, 0, 0)


def test_named_ports_stay() -> None:
    environ = {"TACIT_RUNTIME_PORT": "9444"}
    assert _ports(environ, port=9443, live_port=9445) == (9443, 9444, 9445)
    assert _ports({}, runtime_port=9000) == (8443, 9000, 8445)


def test_a_port_in_use_names_the_port_and_the_flag() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConfigError) as raised:
            ports.bind("127.0.0.1", port, "--runtime-port")
    assert raised.value.code == "port_in_use"
    for words in (str(port), "--runtime-port", "TACIT_RUNTIME_PORT"):
        assert words in raised.value.detail


def test_an_address_that_is_not_ours_is_said() -> None:
    with pytest.raises(ConfigError) as raised:
        ports.bind("203.0.113.1", 0, "--port")
    assert raised.value.code == "port_unusable"
