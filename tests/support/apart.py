"""Run a coroutine in a thread of its own.

Playwright keeps an event loop running in the main thread of a process that has had a browser, and
``asyncio.run`` refuses to start a second one there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def run_apart(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run to the end and return the outcome."""
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(asyncio.run, coroutine).result()
