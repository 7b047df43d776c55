"""A flow's settings: how many of its runs at once, how long, and what happens when one goes wrong.

Pure: shared by the server, bundles and the worker. They are part of a version's content hash, so
a version runs as it was activated. Stored is only what differs from the defaults: a setting that
a later release adds changes no hash, and its default has to be what happened before it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from app.components.problems import Problem, and_more
from app.errors import Invalid

MAX_LIMIT: Final = 1000
MAX_TIMEOUT: Final = 24 * 3600
DEFAULT_TIMEOUT: Final = 3600
#: A run that its workers lose this often is not given to another one.
MAX_CLAIMS: Final = 3

_EMAIL = re.compile(r"[^\s@<>,;:\"()\[\]\\]{1,64}@[A-Za-z0-9.-]{1,190}", re.ASCII)

_SHAPE: Final = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


def _check_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        port_is_number = parts.port is None or parts.port > 0
    except ValueError:
        parts, port_is_number = urlsplit(""), False
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or not port_is_number
        or "@" in parts.netloc
        or not url.isprintable()
        or " " in url
    ):
        raise ValueError("must be an http or https address without a user name or password in it")
    return url


def _check_email(address: str) -> str:
    if not _EMAIL.fullmatch(address):
        raise ValueError("must be one plain email address, like name@example.com")
    return address


class Concurrency(BaseModel):
    """How many runs of the flow go on at the same time.

    :ivar limit: None for as many as there are.
    :ivar policy: what becomes of a run that comes when the limit is reached: it waits, ends as
        ``skipped``, or the oldest ones are cancelled for it.
    """

    model_config = _SHAPE

    limit: int | None = Field(
        default=None, ge=1, le=MAX_LIMIT,
        description="Most runs at the same time; null for no limit.",
    )
    policy: Literal["queue", "skip", "cancel_older"] = Field(
        default="queue", description="What becomes of a run that comes when the limit is reached."
    )


class NotifyOnFailure(BaseModel):
    """Who is told when a run fails or is rejected: never a value, only which run and why."""

    model_config = _SHAPE

    webhook_url: Annotated[str, AfterValidator(_check_url)] | None = Field(
        default=None, max_length=2000, description="Gets a POST with the run's id, state and code."
    )
    email: Annotated[str, AfterValidator(_check_email)] | None = Field(
        default=None, max_length=254, description="Gets an email that says the same."
    )


class FlowSettings(BaseModel):
    """What a flow's author decides about its runs."""

    model_config = _SHAPE

    concurrency: Concurrency = Field(default_factory=Concurrency)
    timeout_seconds: int = Field(
        default=DEFAULT_TIMEOUT, ge=1, le=MAX_TIMEOUT, description="How long a run may take."
    )
    on_prevented_leak: Literal["mask", "fail_node"] = Field(
        default="mask", description="Whether a node whose output held a secret, masked, fails too."
    )
    notify_on_failure: NotifyOnFailure = Field(default_factory=NotifyOnFailure)
    on_worker_lost: Literal["fail", "requeue"] = Field(
        default="fail",
        description="What becomes of a run whose worker is lost: `requeue` runs its nodes again.",
    )

    def to_json(self) -> dict[str, Any]:
        """Return what is stored and hashed: only what differs from the defaults."""
        return self.model_dump(exclude_defaults=True)

    def portable(self) -> FlowSettings:
        """Return what goes along into a bundle: whom to tell belongs to the place, not the flow."""
        return self.model_copy(update={"notify_on_failure": NotifyOnFailure()})


def read_settings(document: object) -> FlowSettings:
    """Read settings as a person, a program or a bundle gave them; what is left out is default.

    :raises Invalid: ``settings_invalid``, with one problem for each field; quotes nothing.
    """
    if not isinstance(document, Mapping):
        raise Invalid("settings_invalid", "A flow's settings are a JSON object.", field="settings")
    try:
        return FlowSettings.model_validate(dict(document))
    except ValidationError as error:
        found = error.errors(include_input=False, include_context=False, include_url=False)
        problems = [_problem(one["loc"], one["type"], one["msg"]) for one in found[:50]]
    raise Invalid(
        "settings_invalid",
        f"The settings can't be taken. {problems[0].message}{and_more(problems)}",
        field="settings", problems=[problem.to_json() for problem in problems],
    )


def find_settings(document: object) -> FlowSettings:
    """Read stored settings; what was changed outside Tacit counts as the defaults.

    For what is decided before a version's hash is compared.
    """
    try:
        return read_settings(document)
    except Invalid:
        return FlowSettings()


def _problem(place: tuple[int | str, ...], kind: str, words: str) -> Problem:
    name = ".".join(str(part)[:64] for part in place)
    if kind == "extra_forbidden":
        message = f"There is no setting “{name}”; leave it out."
    else:
        message = f"{name}: {words.removeprefix('Value error, ')}."
    return Problem("setting_invalid", "error", message, field=f"settings.{name}")
