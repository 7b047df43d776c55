"""The contract of an external secret manager, and its typed errors.

A provider is one class with ``describe``, ``fetch`` and ``health`` (:class:`SecretManager`) and
one component made from :class:`app.sdk.ExternalFetch`, whose ``manager`` returns it. The pre-run
check, retries, masking, the audit and where-used follow from that.
"""

from app.providers.errors import (
    CredentialsExpired,
    ProviderDenied,
    ProviderError,
    ProviderThrottled,
    ProviderUnreachable,
    SecretDisabled,
    SecretMissing,
)
from app.providers.managers.base import Description, Fetched, SecretManager, exchange

__all__ = [
    "CredentialsExpired",
    "Description",
    "Fetched",
    "ProviderDenied",
    "ProviderError",
    "ProviderThrottled",
    "ProviderUnreachable",
    "SecretDisabled",
    "SecretManager",
    "SecretMissing",
    "exchange",
]
