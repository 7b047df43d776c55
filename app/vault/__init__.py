"""How secrets are kept: envelopes, versions, use rules, grants, and the one door to a value."""

from app.vault.policy import NewSecret
from app.vault.vault import Vault

__all__ = ["NewSecret", "Vault"]
