"""The refusals of Tacit: one root, five kinds, and the few finer ones that HTTP tells apart.

An error is a sentence a user can act on (what happened, where, what to do) with a stable
snake_case ``code``. ``app.http.problems`` is the only place that turns one into a response.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class TacitError(Exception):
    """The root of everything that Tacit refuses.

    :param code: stable snake_case name of the refusal, for programs.
    :param detail: the sentence for people. Never holds a submitted secret value.
    :param field: the input field at fault, where there is one.
    :param problems: findings, each a mapping with ``code``, ``message`` and where it stands.
    :param audit: what the denial's audit event should say; written in its own transaction by
        whoever owns the unit of work (see :mod:`app.http.work`).
    """

    status = 500
    title = "Internal error"

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        field: str | None = None,
        problems: Sequence[Mapping[str, Any]] = (),
        audit: object | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.field = field
        self.problems: tuple[Mapping[str, Any], ...] = tuple(problems)
        self.audit = audit


class NotFound(TacitError):
    """The thing does not exist, or belongs to another environment: both answer alike."""

    status = 404
    title = "Not found"


class Denied(TacitError):
    """The caller is known and may not do this."""

    status = 403
    title = "Not allowed"


class Unauthenticated(Denied):
    """No credential, or one that does not hold."""

    status = 401
    title = "Not signed in"


class Locked(Denied):
    """Policy holds the thing shut: frozen, protected, or blocked by use."""

    status = 423
    title = "Locked by policy"


class Invalid(TacitError):
    """The input can't be taken as it is."""

    status = 422
    title = "Not valid"


class Malformed(Invalid):
    """The request can't be read at all."""

    status = 400
    title = "Malformed request"


class TooLarge(Invalid):
    """The input is over a stated limit."""

    status = 413
    title = "Too large"


class UnsupportedMedia(Invalid):
    """The body is of a type that this route doesn't take."""

    status = 415
    title = "Unsupported content type"


class Conflict(TacitError):
    """The input is fine, the present state is not."""

    status = 409
    title = "Conflict"


class Stale(Conflict):
    """``If-Match`` named a revision that is no longer the current one."""

    status = 412
    title = "Changed meanwhile"


class Unavailable(TacitError):
    """Tacit can't do this now; trying later may help."""

    status = 503
    title = "Not available now"


class Throttled(Unavailable):
    """Too many attempts."""

    status = 429
    title = "Too many attempts"


class ConfigError(TacitError):
    """The installation is set up in a way that can't work. Stops a start, never reaches HTTP."""

    title = "Configuration"
