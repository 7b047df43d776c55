"""Refusals and failures on the way out."""

from __future__ import annotations


class EgressError(Exception):
    """The connection isn't made, or didn't hold.

    :param code: stable snake_case name.
    :param message: a sentence a user can act on. Names hosts and ports, never a URL's query.
    :param retryable: whether trying again may help.
    """

    def __init__(self, code: str, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retryable = retryable


class EgressRefused(EgressError):
    """The guard won't let a run connect there, or the address can't be read."""
