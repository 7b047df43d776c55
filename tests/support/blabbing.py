"""The leak drill's service, which the tests share: tells back everything, fails in every way."""

from app.cli.drill.service import FAILURES, Blabbing, blabbing

__all__ = ["FAILURES", "Blabbing", "blabbing"]
