"""The shapes of export and import."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from flask import request
from pydantic import BeforeValidator, ConfigDict, Field

from app.api.bodies import Body, Query, Text
from app.api.shapes import Answer, ProblemOut


def _number(text: object) -> object:
    return int(text) if isinstance(text, str) and text.isascii() and text.isdecimal() else text


Version = Annotated[
    Annotated[int, Field(ge=1, lt=2**31)] | Literal["draft", "active"] | None,
    BeforeValidator(_number),
]


def _all_of(_first: object) -> list[str]:
    """Return every value of the parameter; the framework hands over the first."""
    return request.args.getlist("flow")


class BundleQuery(Query):
    """Which version of a flow to export."""

    version: Version = Field(
        None, description="`active`, `draft` or a number; by default the active one, else the "
        "draft.",
    )


class BundlesQuery(Query):
    """Which flows to export together."""

    flow: Annotated[list[Text], BeforeValidator(_all_of)] = Field(
        min_length=1, max_length=100, description="A flow's id; repeatable."
    )
    version: Literal["draft", "active"] | None = Field(
        None, description="By default of each flow the active version, else the draft."
    )


class BundleOut(Answer):
    """A bundle; its JSON Schema is at `/api/v1/flows/bundle/schema`."""

    format: Literal["tacit.bundle"]
    version: int
    flows: list[dict[str, Any]]
    manifest: dict[str, Any]
    digest: str


class SchemaOut(Answer):
    """A JSON Schema (2020-12)."""

    model_config = ConfigDict(extra="allow")


class Mappings(Body):
    """What is called otherwise here."""

    secrets: dict[Text, Text] = Field(
        default_factory=dict, max_length=2000, description="Name in the bundle: name here."
    )


class FlowsImport(Body):
    """A bundle to import."""

    bundle: dict[str, Any]
    mappings: Mappings = Field(default_factory=Mappings)
    dry_run: bool = Field(False, description="Plan and report, and write nothing.")
    on_conflict: Literal["replace", "new"] = Field(
        "replace", description="What becomes of a flow with the same name: a new draft of it, or "
        "a new flow beside it.",
    )


class UseOut(Answer):
    """A node that names a secret."""

    flow: str
    node: str
    pinned_version: int | None
    format: str


class ImportedSecret(Answer):
    """What a name in the bundle stands for here."""

    name: str
    target: str
    status: Literal["found", "missing", "denied", "disabled", "pin_missing"]
    closest: str | None = Field(None, description="A name like it that exists here.")
    uses: list[UseOut]


class ImportedFlow(Answer):
    """What becomes, or became, of a flow of the bundle."""

    id: str | None
    name: str
    action: Literal["create", "replace", "keep"]
    nodes: int


class ImportProblem(ProblemOut):
    """A finding; `blocks` says what it keeps from happening."""

    flow: str | None = None
    blocks: Literal["import", "activation"] | None = None


class ImportOut(Answer):
    """Everything about an import."""

    applied: bool
    blocked: bool
    secrets: list[ImportedSecret]
    problems: list[ImportProblem]
    flows: list[ImportedFlow]
    mappings: dict[str, dict[str, str]]
