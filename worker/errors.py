"""What can go wrong between a worker and the server."""

from __future__ import annotations


class RuntimeUnreachable(Exception):
    """The runtime listener can't be reached, or its answer can't be read. Trying later may help.

    :param sent: whether the request may have reached the server.
    """

    def __init__(self, message: str, *, sent: bool = False) -> None:
        super().__init__(message)
        self.sent = sent


class RuntimeRefused(Exception):
    """The server answered with a problem.

    :param status: the HTTP status.
    :param code: the problem's stable code.
    :param detail: its sentence for people.
    """

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail


class RunLost(Exception):
    """Another worker holds the run now, or it is over: stop at once and say nothing more."""


class LimitReached(Exception):
    """The run hit one of its limits.

    :param code: stable snake_case name.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
