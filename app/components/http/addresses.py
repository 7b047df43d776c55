"""Addresses and tokens of the small connectors: typed, or out of a secret."""

from __future__ import annotations

from app.components.context import Context
from app.components.errors import NodeError
from app.providers.destinations import Target, read_url
from app.providers.errors import EgressRefused


def read_target(context: Context, port: str, typed: str) -> Target:
    """Return where to send: the secret address on ``port``, else the typed one.

    :raises NodeError: ``url_not_wired``, ``secret_not_usable``, ``secret_host_denied``; what
        :func:`read_url` refuses.
    """
    if context.has_secret(port):
        return read_url(context.reveal_address(port))
    if not typed.strip():
        raise NodeError(
            "url_not_wired", f"There is no address to send to. Type URL, or wire a secret into "
            f"{port}."
        )
    try:
        return read_url(typed)
    except EgressRefused as error:
        raise NodeError(error.code, error.message) from None


def open_line(context: Context, port: str, origin: str) -> str:
    """Open a secret that goes into a header, without the line break that it was pasted with.

    :raises NodeError: ``secret_not_usable``, ``secret_host_denied``.
    """
    return as_line(context.reveal(port, origin), port)


def as_line(text: str, port: str) -> str:
    """Return a secret as a header carries it: one line, without white space around it.

    :raises NodeError: ``secret_not_usable``.
    """
    # A pasted token often ends with a line break; what is inside is another matter.
    value = text.strip("\r\n\t ")
    if not value or any(ord(char) < 0x20 or ord(char) == 0x7F for char in value):
        raise NodeError(
            "secret_not_usable",
            f"The secret wired into {port} is empty or has line breaks, so it can't be sent in a "
            "header. Store it as one line.",
        )
    return value
