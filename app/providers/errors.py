"""Refusals and failures on the way out."""

from __future__ import annotations


class EgressError(Exception):
    """The connection isn't made, or didn't hold.

    :param code: stable snake_case name.
    :param message: a sentence a user can act on. Names hosts and ports, never a URL's query.
    :param retryable: whether trying again may help.
    """

    def __init__(self, code: str, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retryable = retryable


class EgressRefused(EgressError):
    """The guard won't let a run connect there, or the address can't be read."""


class ProviderError(Exception):
    """An external secret manager didn't hand over what it was asked for.

    :param code: stable snake_case name; the ones of Secret Fetch where they mean the same.
    :param message: a sentence a user can act on. Never quotes a value or a credential.
    :param retryable: whether trying again may help.
    """

    code = "provider_failed"
    retryable = False

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.code


class SecretMissing(ProviderError):
    """There is no such secret there, or (``pin_missing``) no such version of it."""

    code = "secret_missing"


class SecretDisabled(ProviderError):
    """It is there and can't be read: it is about to be deleted, or its version was."""

    code = "secret_disabled"


class ProviderDenied(ProviderError):
    """The credentials don't open it."""

    code = "secret_denied"


class CredentialsExpired(ProviderError):
    """The credentials did open it once."""

    code = "credentials_expired"


class ProviderThrottled(ProviderError):
    """Too many requests; later is better."""

    code = "provider_throttled"
    retryable = True


class ProviderUnreachable(ProviderError):
    """It doesn't answer, or answers that it can't for now."""

    code = "provider_unreachable"
    retryable = True
