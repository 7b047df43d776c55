"""The shapes of versions: of secrets, with their uses and accesses, and of flows."""

from __future__ import annotations

from pydantic import Field, field_validator

from app.api.bodies import Body, Flag, ListQuery, Query, Text
from app.api.shapes import Answer, Moment, SecretOut
from app.flows.settings import FlowSettings


class SecretPatch(Body):
    """What to change of a secret; what isn't there stays as it is."""

    name: Text | None = None
    description: Text | None = None
    tags: list[Text] | None = None
    owner: Text | None = Field(None, description="Null for nobody.")
    rotation_period_days: int | None = Field(None, description="Null for none.")
    allowed_hosts: list[Text] | None = Field(None, description="Null for anywhere.")
    allowed_flows: list[Text] | None = Field(None, description="Null for all flows.")

    @field_validator("name", "description", "tags", mode="after")
    @classmethod
    def _is_there(cls, value: object) -> object:
        if value is None:
            raise ValueError("can't be null; leave it out to keep it")
        return value


class DeletedQuery(Query):
    """Whether a deleted secret counts."""

    deleted: Flag = Field(False, description="Take one that can still be restored, too.")


class SecretQuery(DeletedQuery):
    """Which version of a secret to show."""

    version: int | None = Field(None, ge=1, lt=2**31, description="Show this version, too.")


class SecretDelete(Query):
    """How long a deleted secret can be restored."""

    recovery_days: int = Field(30, description="From 7 to 30.")


class AccessesQuery(ListQuery, DeletedQuery):
    """What the list of accesses takes."""


class VersionOut(Answer):
    """A version of a secret, without its value."""

    number: int
    state: str = Field(description="`enabled`, `disabled` or `destroyed`.")
    active: bool
    format: str = Field(description="What the value looks like, a hint: `pem`, `json`, `aws_key`, "
                        "`github_token`, `jwt`, or empty.")
    expires_at: Moment | None = Field(description="When a JWT says that it ends.")
    created_at: Moment
    created_by: str
    last_accessed_at: Moment | None


class VersionList(Answer):
    """The versions of a secret, newest first."""

    items: list[VersionOut]
    next_cursor: str | None = None


class SecretShown(SecretOut):
    """A secret and, where one was asked for, a version of it."""

    version: VersionOut | None = Field(None, description="Only where `version` was asked for.")


class UseOut(Answer):
    """A node of a flow that uses a secret."""

    flow_id: str
    flow_name: str
    node: str
    scope: str = Field(description="`draft`, or `active` for the flow's active version.")
    pin: int | None = Field(description="The pinned version; null takes the active one.")


class PinOut(Answer):
    """How many flows pin a version."""

    version: int
    flows: int


class UsageOut(Answer):
    """Where a secret is used, and what a rotation changes there."""

    items: list[UseOut]
    follows: int = Field(description="Flows that take a new version at once.")
    pins: list[PinOut]
    summary: str
    next_cursor: str | None = None


class AccessOut(Answer):
    """A value that was granted, used or read, or refused."""

    at: Moment
    action: str
    outcome: str
    actor_kind: str
    actor_name: str
    run_id: str | None
    flow_id: str | None
    node: str | None
    version: int | None
    request_id: str | None


class AccessList(Answer):
    """A page of accesses, newest first."""

    items: list[AccessOut]
    next_cursor: str | None


class FlowActivate(Body):
    """What to say of a new active version."""

    note: Text = Field("", max_length=1000)


class FlowVersionOut(Answer):
    """A version of a flow: what was active once, or is."""

    number: int
    active: bool
    content_hash: str
    settings: FlowSettings
    note: str
    created_at: Moment
    created_by: str


class TriggerOut(Answer):
    """What starts a flow's active version without a person."""

    node: str
    kind: str
    active: bool
    acts_for: str = Field(description="Whoever activated the version; its runs act for them.")
    url: str | None = Field(None, description="Of a webhook: where deliveries go.")
    cron: str | None
    timezone: str | None
    next_times: list[Moment] = Field(description="Of a schedule: when it is due next.")
    last_at: Moment | None
    problem: str | None = Field(description="Why it started no run the last time.")


class TriggerList(Answer):
    """The triggers of a flow."""

    items: list[TriggerOut]
    next_cursor: str | None = None


class FlowVersionList(Answer):
    """The versions of a flow, newest first."""

    items: list[FlowVersionOut]
    next_cursor: str | None = None
