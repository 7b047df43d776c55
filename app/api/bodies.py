"""Reading input: pydantic models whose refusals name fields and never quote what was sent."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from app.errors import Invalid

_CODES = {"extra_forbidden": "unknown_field", "missing": "field_required"}


def _no_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not hold a NUL character")
    return text


Text = Annotated[str, AfterValidator(_no_nul)]
"""Text that every database can store."""


def _true_or_false(value: object) -> object:
    if value not in ("true", "false", True, False):
        raise ValueError("must be true or false")
    return value in ("true", True)


Flag = Annotated[bool, BeforeValidator(_true_or_false)]
"""Yes or no in a query: ``true`` or ``false``, in no other spelling."""


class Body(BaseModel):
    """A request's body: exact types, and no field that isn't declared."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Self:
        """Read a body.

        :raises Invalid: ``body_invalid`` with one problem for each field.
        """
        try:
            return super().model_validate(obj, **options)
        except ValidationError as error:
            raise refusal(error, "body_invalid", "The body") from None


class Query(BaseModel):
    """A request's query: texts are turned into numbers where numbers are due."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Self:
        """Read a query.

        :raises Invalid: ``query_invalid`` with one problem for each parameter.
        """
        try:
            return super().model_validate(obj, **options)
        except ValidationError as error:
            raise refusal(error, "query_invalid", "The query") from None


class ListQuery(Query):
    """What every list takes."""

    limit: int = Field(50, ge=1, le=200, description="Most items of a page.")
    cursor: Text | None = Field(
        None, max_length=500, description="`next_cursor` of the page before."
    )


def refusal(error: ValidationError, code: str, where: str) -> Invalid:
    """Turn pydantic's findings into a refusal; what was sent is never part of it."""
    problems = []
    details = error.errors(include_url=False, include_context=False, include_input=False)
    for item in details[:50]:
        field = ".".join(str(part)[:64] for part in item["loc"])
        kind = item["type"]
        message = {
            "extra_forbidden": f"There is no field “{field}” here; leave it out.",
            "missing": f"The field “{field}” is required.",
        }.get(kind, f"{field}: {item['msg'].removeprefix('Value error, ')}.")
        problems.append(
            {
                "code": _CODES.get(kind, "field_invalid"),
                "severity": "error",
                "node": None,
                "port": None,
                "field": field,
                "message": message,
                "remedy": None,
            }
        )
    first = problems[0]["message"]
    more = len(details) - 1
    rest = f" (and {more} more, see problems)" if more else ""
    return Invalid(code, f"{where} can't be taken. {first}{rest}", problems=problems)
