"""The shapes of the API: bodies, queries and answers, as the OpenAPI document shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

from app.api.bodies import Body, ListQuery, Query, Text
from app.flows.settings import FlowSettings
from app.ids import iso

Moment = Annotated[datetime, PlainSerializer(iso, return_type=str)]
"""A time in UTC with microseconds and ``Z``."""


class Answer(BaseModel):
    """The base of answers; read from the services' views by attribute."""

    model_config = ConfigDict(from_attributes=True)


class RemedyOut(Answer):
    """The next step that mends a problem."""

    model_config = ConfigDict(from_attributes=True, extra="allow")

    action: str
    label: str


class ProblemOut(Answer):
    """One finding about a flow, a run or an input."""

    model_config = ConfigDict(from_attributes=True, extra="allow")

    code: str
    severity: Literal["error", "warning"] = "error"
    node: str | None = None
    port: str | None = None
    field: str | None = None
    edge: str | None = None
    message: str
    remedy: RemedyOut | None = None


# --- secrets ----------------------------------------------------------------------------------


class SecretCreate(Body):
    """A new secret."""

    name: Text = Field(description="1 to 128 of letters, digits, `.`, `_`, `-` and `/`.")
    value: str = Field(repr=False, description="The value; no answer ever holds it.")
    description: Text = ""
    tags: list[Text] = Field(default_factory=list)
    owner: Text | None = Field(None, description="Who looks after it; by default the creator.")
    allow_weak: bool = Field(
        False, description="Take a value that is too short to mask inside other words."
    )
    rotation_period_days: int | None = None
    allowed_hosts: list[Text] | None = Field(
        None, description="Where it may be sent: `host[:port]` or `*.domain`; null for anywhere."
    )
    allowed_flows: list[Text] | None = Field(
        None, description="Ids of the flows that may use it; null for all."
    )


class SecretRotate(Body):
    """A new value of a secret."""

    value: str = Field(repr=False)
    allow_weak: bool = False


class SecretsQuery(ListQuery):
    """What the list of secrets takes."""

    q: Text | None = Field(None, max_length=200, description="Part of the name or description.")
    tag: Text | None = Field(None, max_length=200)
    sort: Text = Field("name", max_length=40)
    due: Literal["due", "overdue"] | None = Field(
        None, description="Only those to be rotated within 7 days, or those past their time."
    )
    state: Literal["enabled", "deleted"] = Field(
        "enabled", description="`deleted` lists those that can still be restored."
    )


class SecretOut(Answer):
    """A secret without its value."""

    id: str
    name: str
    description: str
    tags: list[str]
    owner: str | None
    state: str
    active_version: int | None
    active_version_state: str = Field(
        description="`enabled`; else flows that follow the active version don't run."
    )
    masked_value: str = "***"
    created_at: Moment
    updated_at: Moment
    last_accessed_at: Moment | None
    rotation_period_days: int | None
    due_at: Moment | None
    allowed_hosts: list[str] | None
    allowed_flows: list[str] | None
    revision: int
    value: str | None = Field(
        None,
        repr=False,
        description="Only in the answer to one secret, for tokens with `secrets:read:value`.",
    )


class SecretList(Answer):
    """A page of secrets."""

    items: list[SecretOut]
    next_cursor: str | None


# --- flows ------------------------------------------------------------------------------------


class FlowCreate(Body):
    """A new flow; without a graph it starts empty."""

    name: Text
    description: Text = ""
    graph: dict[str, Any] | None = None
    settings: FlowSettings | None = None


class FlowSave(Body):
    """A new draft of a flow."""

    graph: dict[str, Any]
    name: Text | None = None
    description: Text | None = None
    settings: FlowSettings | None = Field(
        None, description="All of them together; left out, they stay as they are."
    )


class FlowValidate(Body):
    """A graph to look at; without one, the saved draft is looked at."""

    graph: dict[str, Any] | None = None


class FlowCheck(Body):
    """Which version of a flow to check."""

    version: int | Literal["draft", "active"] | None = Field(
        None, description="By default the active version, else the draft."
    )


class FlowsQuery(ListQuery):
    """What the list of flows takes."""

    q: Text | None = Field(None, max_length=200, description="Part of the name or description.")


class FlowSummary(Answer):
    """A flow in a list."""

    id: str
    name: str
    description: str
    state: str
    revision: int
    active_version: int | None
    problems: list[ProblemOut]
    updated_at: Moment


class FlowOut(FlowSummary):
    """A flow with its draft graph."""

    graph: dict[str, Any]
    settings: FlowSettings


class FlowList(Answer):
    """A page of flows."""

    items: list[FlowSummary]
    next_cursor: str | None


class Findings(Answer):
    """What is unfinished in a graph; an empty list means that it can run."""

    problems: list[ProblemOut]


# --- runs -------------------------------------------------------------------------------------


class RunStart(Body):
    """A run to start."""

    inputs: dict[str, Any] | None = Field(
        None, description="What the flow's Manual Trigger asks for, by name; with `node`, values "
        "of its inputs by name: those left out are taken from the last run.",
    )
    node: Text | None = Field(
        None, max_length=128,
        description="Run this node alone, with what brings it its secrets.",
    )
    to: Text | None = Field(
        None, max_length=128,
        description="Run this node and everything before it; not together with `node`.",
    )
    version: int | Literal["draft", "active"] | None = Field(
        None, description="By default the active version, else the draft."
    )


class RunAgain(Body):
    """A run to do again."""

    inputs: dict[str, Any] | None = Field(None, description="By default those of the run.")
    version: int | Literal["draft", "active"] | None = Field(
        None, description="By default the draft after a run of a draft, else the active version."
    )


class RunWait(Query):
    """Whether the answer waits for the run's end."""

    wait: int = Field(
        0, ge=0, le=60,
        description="Seconds to wait for the run's end: 200 with the run that is over, else 202.",
    )


class RunsQuery(ListQuery):
    """What the list of runs takes."""

    flow_id: Text | None = Field(None, max_length=64)
    state: Text | None = Field(None, max_length=40)


class EventsQuery(Query):
    """Where to go on reading events."""

    after: int = Field(0, ge=0, le=2**53, description="Sequence number of the last event seen.")
    cursor: int | None = Field(None, ge=0, le=2**53, description="The same, as `next_cursor`.")
    limit: int = Field(500, ge=1, le=1000)


class StreamQuery(Query):
    """Where to go on with a stream; `Last-Event-ID` counts instead, where a browser sends it."""

    after: int = Field(0, ge=0, le=2**53, description="Sequence number of the last event seen.")


class NodeOut(Answer):
    """What became of a node in a run."""

    id: str
    state: str
    attempt: int
    started_at: Moment | None
    finished_at: Moment | None
    outputs: dict[str, Any] | None
    output_masks: dict[str, Any] = Field(
        description="By output: which secret stands where in it, as `path`, `offset`, `secret` "
        "and `version`; `key` says that the last key of the path holds it.",
    )
    problem: ProblemOut | None


class RunOut(Answer):
    """A run."""

    id: str
    flow_id: str
    flow_version: int | None
    state: str
    problems: list[ProblemOut]
    created_at: Moment
    started_at: Moment | None
    finished_at: Moment | None
    trigger: Any
    inputs: Any = Field(None, description="Not in lists.")
    nodes: list[NodeOut]


class RunGraph(Answer):
    """The graph that a run executes, frozen when it was started."""

    graph: dict[str, Any]


class RunList(Answer):
    """A page of runs."""

    items: list[RunOut]
    next_cursor: str | None


class EventOut(Answer):
    """Something that happened in a run; its text went through the masker before it came here."""

    seq: int
    at: Moment
    node: str | None
    attempt: int | None
    type: str
    level: str
    text: str
    data: Any
    masks: list[Any]


class EventList(Answer):
    """A page of events."""

    items: list[EventOut]
    next_cursor: str | None


# --- the rest ---------------------------------------------------------------------------------


class ComponentList(Answer):
    """The components of this installation, which ports may be wired, and nodes' policies."""

    items: list[dict[str, Any]]
    port_rules: list[dict[str, Any]]
    node_policies: list[dict[str, Any]]
    next_cursor: str | None = None


class EnvironmentOut(Answer):
    """An environment."""

    id: str
    name: str
    title: str
    protected: bool
    policies: dict[str, Any] = Field(
        default_factory=dict,
        description="What differs from the defaults: `hardcoded_credentials` (`warn`, `refuse`), "
        "`require_allowed_hosts`, `value_reading`.",
    )


class PoliciesIn(Body):
    """Policies to set; those left out stay."""

    hardcoded_credentials: Literal["warn", "refuse"] | None = None
    require_allowed_hosts: bool | None = None
    value_reading: bool | None = None


class EnvironmentCreate(Body):
    """A new environment."""

    name: Text = Field(description="1 to 64 small letters, digits and `-`; it never changes.")
    title: Text = ""
    protected: bool = False
    policies: PoliciesIn = Field(default_factory=PoliciesIn)


class EnvironmentChange(Body):
    """What to change of an environment; what is left out stays."""

    title: Text | None = None
    protected: bool | None = None
    policies: PoliciesIn | None = None


class EnvironmentList(Answer):
    """The environments that the caller has a role in."""

    items: list[EnvironmentOut]
    next_cursor: str | None = None


class Me(Answer):
    """Who the credential stands for, and what it opens here."""

    kind: str
    name: str
    user_id: str | None
    environment: EnvironmentOut
    scopes: list[str]
