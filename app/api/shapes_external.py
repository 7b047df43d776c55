"""Shapes of what runs may reach, and of external secrets' uses."""

from __future__ import annotations

from pydantic import Field

from app.api.bodies import Body, Query, Text
from app.api.shapes import Answer


class ReachOut(Answer):
    """What the runs of an environment may reach."""

    allow_private: bool
    worker_secrets: list[str]


class ReachChange(Body):
    """What to change of it."""

    allow_private: bool | None = None
    worker_secrets: list[Text] | None = Field(None, max_length=100)


class ExternalUsesQuery(Query):
    """Which uses to list."""

    provider: Text | None = Field(None, max_length=64)
    reference: Text | None = Field(None, max_length=2048)


class ExternalUseOut(Answer):
    """A node that fetches a secret of an external manager."""

    provider: str
    reference: str
    version: str
    flow_id: str
    flow_name: str
    scope: str
    node: str


class ExternalUseList(Answer):
    """Uses of external secrets."""

    items: list[ExternalUseOut]
    next_cursor: str | None = None


class NodeCheck(Body):
    """The node to check."""

    node: Text = Field(min_length=1, max_length=128)
