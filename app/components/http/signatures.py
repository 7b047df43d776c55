"""Signatures of requests: made of a secret, so masked where a service tells them back."""

from __future__ import annotations

from http.client import HTTPMessage
from typing import Final

from app.components.context import Context

_AT_ONCE: Final = 64


class Signatures:
    """What one node signed with the secret on one of its inputs.

    The masker knows the first ones before they are sent. It is built anew for each, so of a
    node that reads a thousand signed pages it learns the later ones where an answer holds them.
    """

    def __init__(self, context: Context, port: str) -> None:
        self._context, self._port = context, port
        self._told = 0
        self._waiting: set[str] = set()

    def made(self, *spellings: str) -> None:
        """Take note of a signature that is about to be sent, in each way that it is written.

        :raises NodeError: the run's masker is full.
        """
        if self._told < _AT_ONCE:
            self._told += 1
            for one in spellings:
                self._context.derive(one, self._port)
        else:
            self._waiting.update(spellings)

    def look_through(self, body: bytes, headers: HTTPMessage) -> None:
        """Have masked what an answer brings back, before anybody sees it."""
        if not self._waiting:
            return
        text = str(headers)
        found = {one for one in self._waiting if one in text or one.encode() in body}
        for one in found:
            self._context.derive(one, self._port)
        self._waiting -= found
