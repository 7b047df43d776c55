"""Playwright with Debian's Chromium."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from playwright.sync_api import expect

# What a page waits for may take longer where other tests share the machine.
expect.set_options(timeout=20_000)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Start the Chromium that is installed, without its background traffic."""
    return {
        **browser_type_launch_args,
        "executable_path": shutil.which("chromium"),
        "args": [
            "--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--no-first-run", "--disable-quic",
        ],
    }


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    """Take the certificate of the test's own server."""
    return {**browser_context_args, "ignore_https_errors": True}
