"""What holds for all tests."""

from __future__ import annotations

from hypothesis import settings

# A busy machine is slow, not wrong: how long one example takes says nothing here.
settings.register_profile("tacit", deadline=None)
settings.load_profile("tacit")
