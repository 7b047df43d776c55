"""Servers that the connectors' tests call."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.http_servers import Authority, Server, serving


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as found:
        yield found


@pytest.fixture
def other() -> Iterator[Server]:
    with serving() as found:
        yield found


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.make(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def tls(authority: Authority) -> Iterator[Server]:
    with serving(authority.server_context()) as found:
        yield found
