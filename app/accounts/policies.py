"""What an environment demands of the flows and secrets in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.errors import Invalid


class Policies(BaseModel):
    """The policies of an environment; stored is what differs from the defaults."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    hardcoded_credentials: Literal["warn", "refuse"] = Field(
        default="warn",
        description="Whether a credential typed into an ordinary field keeps a flow from "
        "activation.",
    )
    require_allowed_hosts: bool = Field(
        default=False,
        description="Whether each secret has to say where it may be sent, before an active flow "
        "may use it.",
    )
    value_reading: bool = Field(
        default=True,
        description="Whether tokens with secrets:read:value can read values here.",
    )

    def to_json(self) -> dict[str, Any]:
        """Return what is stored."""
        return self.model_dump(exclude_defaults=True)


def read_policies(stored: Mapping[str, Any] | None) -> Policies:
    """Read policies.

    :raises Invalid: ``policies_invalid``.
    """
    try:
        return Policies.model_validate(dict(stored or {}))
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False, include_url=False)[0]
        name = ".".join(str(part)[:64] for part in first["loc"])
        raise Invalid(
            "policies_invalid", f"The policies can't be taken: {name}: {first['msg']}.",
            field=f"policies.{name}",
        ) from None
