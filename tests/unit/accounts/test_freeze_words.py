"""What those are told who try to run something while it is frozen."""

from __future__ import annotations

import pytest

from app.accounts.freeze import EVERYWHERE, Freeze, frozen


@pytest.mark.parametrize(
    ("reason", "said"),
    [("a leak", "by Kim: a leak. No run"), ("A leak!", "by Kim: A leak! No run"),
     ("No reason given.", "by Kim: No reason given. No run")],
)
def test_the_reason_is_a_sentence_of_its_own(reason: str, said: str) -> None:
    assert said in frozen(Freeze(place=EVERYWHERE, reason=reason, by="Kim")).detail
