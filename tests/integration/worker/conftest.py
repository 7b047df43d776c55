"""A real worker over a real queue; the server's side stands in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.http_echo import EchoServer, echo_server
from tests.support.runtime_standin import RuntimeStandin, runtime_standin
from tests.support.worker_process import WorkerProcess, queue_server


@pytest.fixture(scope="module")
def echo() -> Iterator[EchoServer]:
    with echo_server() as server:
        yield server


@pytest.fixture(scope="module")
def standin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RuntimeStandin]:
    with runtime_standin(tmp_path_factory.mktemp("runtime")) as server:
        yield server


@pytest.fixture(scope="module")
def worker(
    standin: RuntimeStandin, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WorkerProcess]:
    with queue_server() as (url, redis):
        worker = WorkerProcess(standin, url, redis, tmp_path_factory.mktemp("worker"))
        worker.start()
        try:
            yield worker
        finally:
            worker.stop()
