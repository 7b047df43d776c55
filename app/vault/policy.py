"""What a secret may be: names, values, tags. Refusals never quote a value."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from app.errors import Invalid

MAX_VALUE_BYTES = 64 * 1024
MAX_LINES = 200
MAX_LEAVES = 200
MAX_TAGS = 50
MAX_TAG = 64
MAX_DESCRIPTION = 2000
MAX_OWNER = 254
MAX_RULES = 100
MAX_PERIOD_DAYS = 3650

_NAME = re.compile(r"[A-Za-z0-9._\-/]{1,128}", re.ASCII)
_HOST = re.compile(
    r"(\*\.)?[a-z0-9]([a-z0-9\-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9\-]*[a-z0-9])?)*(:[0-9]{1,5})?"
    r"|\[[0-9a-f:.]+\](:[0-9]{1,5})?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class NewSecret:
    """What a new secret is made of. The value stays out of the repr."""

    name: str
    value: str = field(repr=False)
    description: str = ""
    tags: Sequence[str] = ()
    owner: str | None = None
    allow_weak: bool = False
    rotation_period_days: int | None = None
    allowed_hosts: Sequence[str] | None = None
    allowed_flows: Sequence[str] | None = None


def check_name(name: str) -> str:
    """Return the name.

    :raises Invalid: ``secret_name_invalid``.
    """
    if not _NAME.fullmatch(name) or name.startswith("/") or name.endswith("/"):
        raise Invalid(
            "secret_name_invalid",
            "A secret's name has 1 to 128 of letters, digits, “.”, “_”, “-” and “/”, and doesn't "
            "start or end with “/”.",
            field="name",
        )
    return name


def check_value(value: str, *, allow_weak: bool) -> bool:
    """Refuse a value that can't be kept or masked; say whether it is a weak one.

    :returns: True where the value is so short or simple that it is masked as a whole word only.
    :raises Invalid: ``secret_blank``, ``secret_too_short``, ``secret_too_weak``,
        ``secret_too_large``, ``secret_too_many_lines``, ``secret_too_many_leaves`` or
        ``secret_not_text``.
    """
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        size = -1
    if size < 0 or "\0" in value:
        raise _refuse("secret_not_text", "The value must be UTF-8 text without NUL characters.")
    if size > MAX_VALUE_BYTES:
        raise _refuse("secret_too_large", "The value is over 64 KiB, the most that is kept.")
    if not value.strip():
        raise _refuse("secret_blank", "The value is blank. Enter the secret's value.")
    if len(value.strip()) < 4:
        raise _refuse(
            "secret_too_short",
            "The value has fewer than 4 characters. Masking it would blot out ordinary text; "
            "use a longer one.",
        )
    # As the masker counts them, which registers each line.
    if len(value.splitlines()) > MAX_LINES:
        raise _refuse("secret_too_many_lines", f"The value has more than {MAX_LINES} lines.")
    if _leaves(value) > MAX_LEAVES:
        raise _refuse(
            "secret_too_many_leaves",
            f"The value is JSON with more than {MAX_LEAVES} values in it. Store it as several "
            "secrets.",
        )
    weak = len(value.strip()) < 8 or len(set(value.strip())) < 5
    if weak and not allow_weak:
        raise _refuse(
            "secret_too_weak",
            "The value has fewer than 8 characters, or fewer than 5 different ones, so it can "
            "only be masked where it stands as a whole word. Use a stronger value, or allow this "
            "one with allow_weak.",
        )
    return weak


def check_tags(tags: Sequence[str]) -> list[str]:
    """Return the tags, each once, in the order given.

    :raises Invalid: ``too_many_tags`` or ``tag_invalid``.
    """
    found = list(dict.fromkeys(tag.strip() for tag in tags))
    if len(found) > MAX_TAGS:
        raise Invalid(
            "too_many_tags",
            f"A secret has {MAX_TAGS} tags at most; these are {len(found)}.",
            field="tags",
        )
    if any(not tag or len(tag) > MAX_TAG or not tag.isprintable() for tag in found):
        raise Invalid(
            "tag_invalid", f"A tag has 1 to {MAX_TAG} printable characters.", field="tags"
        )
    return found


def check_texts(description: str, owner: str, period: int | None) -> None:
    """Refuse a description, owner or rotation period that is out of its bounds.

    :raises Invalid: ``description_too_long``, ``owner_invalid`` or ``rotation_period_invalid``.
    """
    if len(description) > MAX_DESCRIPTION or "\0" in description:
        raise Invalid(
            "description_too_long",
            f"The description has {MAX_DESCRIPTION} characters at most.",
            field="description",
        )
    if len(owner) > MAX_OWNER or not owner.isprintable():
        raise Invalid(
            "owner_invalid", f"The owner has {MAX_OWNER} printable characters at most.",
            field="owner",
        )
    if period is not None and not 1 <= period <= MAX_PERIOD_DAYS:
        raise Invalid(
            "rotation_period_invalid",
            f"The rotation period is from 1 to {MAX_PERIOD_DAYS} days.",
            field="rotation_period_days",
        )


def check_hosts(hosts: Sequence[str] | None) -> list[str] | None:
    """Return the hosts in lower case.

    :raises Invalid: ``allowed_host_invalid``.
    """
    if hosts is None:
        return None
    found = list(dict.fromkeys(host.strip().lower() for host in hosts))
    if len(found) > MAX_RULES or any(not _HOST.fullmatch(host) for host in found):
        raise Invalid(
            "allowed_host_invalid",
            f"Allowed hosts are up to {MAX_RULES} of “host”, “host:port”, “*.domain” or “local”.",
            field="allowed_hosts",
        )
    return found


def _refuse(code: str, detail: str) -> Invalid:
    return Invalid(code, detail, field="value")


def _leaves(value: str) -> int:
    """Count the leaves of a JSON object or list; anything else has one."""
    if not value.lstrip().startswith(("{", "[")):
        return 1
    try:
        pending: list[Any] = [json.loads(value)]
    except (ValueError, RecursionError):
        return 1
    count = 0
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            pending += item.values()
        elif isinstance(item, list):
            pending += item
        else:
            count += 1
    return count
