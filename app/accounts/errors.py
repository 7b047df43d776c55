"""Refusals of the accounts that carry more than a sentence."""

from __future__ import annotations

from app.errors import Throttled


class LoginPaused(Throttled):
    """Too many failed logins for an account or from an address.

    :param retry_after: seconds until the next try is taken.
    """

    def __init__(self, retry_after: int) -> None:
        minutes = max(1, -(-retry_after // 60))
        unit = "minute" if minutes == 1 else "minutes"
        super().__init__(
            "login_paused",
            f"Too many tries that didn't match. Wait {minutes} {unit}, then try again.",
        )
        self.retry_after = retry_after
