"""Cron expressions: five fields, in a time zone, right on the days when clocks change.

As Debian's cron does it: what falls into the hour that is skipped runs right after it, what falls
into the hour that comes twice runs once, and wildcards run in both.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

FIELDS = 5


@lru_cache(256)
def find_zone(name: str) -> ZoneInfo | None:
    """Return a time zone by its IANA name; None where there is none of that name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def is_expression(text: str) -> bool:
    """Say whether a text is a cron expression of five fields that ever comes due."""
    if len(text.split()) != FIELDS:
        return False
    try:
        next(CronSim(text, datetime(2026, 1, 1, tzinfo=UTC)))
    except (CronSimError, StopIteration):
        return False
    return True


def times_after(expression: str, zone: str, moment: datetime) -> Iterator[datetime]:
    """Yield the times after a moment at which the expression is due, in UTC.

    :raises ValueError: no such expression or zone.
    """
    return _times(expression, zone, moment, reverse=False)


def latest_times(
    expression: str, zone: str, since: datetime, until: datetime, most: int
) -> list[datetime]:
    """Return the last times from ``since`` to ``until``, both included, oldest first.

    Counted backwards, so that a year of minutes costs no more than a minute.
    """
    found = []
    for moment in islice(_times(expression, zone, until, reverse=True), most + 1):
        if moment < since:
            break
        found.append(moment)
    if is_due(expression, zone, until) and until not in found:
        found.insert(0, until)
    return found[:most][::-1]


def is_due(expression: str, zone: str, moment: datetime) -> bool:
    """Say whether the expression is due at this very minute."""
    if moment.second or moment.microsecond:
        return False
    before = moment.replace(microsecond=0).timestamp() - 1
    return next(times_after(expression, zone, datetime.fromtimestamp(before, UTC))) == moment


def _times(
    expression: str, zone: str, moment: datetime, *, reverse: bool
) -> Iterator[datetime]:
    found = find_zone(zone)
    if found is None:
        raise ValueError("no such time zone")
    try:
        times = CronSim(expression, moment.astimezone(found), reverse=reverse)
    except CronSimError as error:
        raise ValueError("no cron expression") from error
    return (time.astimezone(UTC) for time in times)
