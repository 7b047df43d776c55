"""AWS Secrets Manager, by botocore, every request of which goes through the egress guard."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from app.providers.destinations import Target, read_url
from app.providers.errors import (
    CredentialsExpired,
    EgressError,
    ProviderDenied,
    ProviderError,
    ProviderThrottled,
    ProviderUnreachable,
    SecretDisabled,
    SecretMissing,
)
from app.providers.managers.base import Description, Fetched

if TYPE_CHECKING:
    from app.providers.egress import EgressGuard, Stop

_ARN = re.compile(r"arn:(aws[a-z-]*):secretsmanager:([a-z0-9-]+):\d{12}:secret:.+")
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d{1,2}")
_SUFFIXES: Final = {"cn": "amazonaws.com.cn"}
_CURRENT: Final = "AWSCURRENT"
#: Prefix of a version that names a stage: ``stage:AWSPREVIOUS``.
STAGE: Final = "stage:"

_EXPIRED: Final = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
_THROTTLED: Final = frozenset(
    {
        "Throttling", "ThrottlingException", "ThrottledException", "TooManyRequestsException",
        "RequestLimitExceeded", "RequestThrottled", "RequestThrottledException", "SlowDown",
        "LimitExceededException", "ProvisionedThroughputExceededException",
    }
)  # fmt: skip
_DENIED: Final = frozenset(
    {
        "AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorized",
        "UnrecognizedClientException", "InvalidClientTokenId", "SignatureDoesNotMatch",
        "InvalidSignatureException", "IncompleteSignature", "MissingAuthenticationToken",
        "MissingAuthenticationTokenException", "AuthFailure", "DecryptionFailure",
        "InvalidAccessKeyId", "OptInRequired",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class AwsCredentials:
    """An access key; the session token belongs to temporary ones."""

    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


def region_of(reference: str, region: str = "") -> str:
    """Return the region of a secret: the one that is given, else its ARN's.

    :raises ProviderError: ``region_missing``, ``region_not_valid``.
    """
    arn = _ARN.fullmatch(reference)
    found = region or (arn[2] if arn else "")
    if not found:
        raise ProviderError(
            "The secret is given by name, so its region has to be given too. Set Region, or write "
            "the secret's ARN.",
            code="region_missing",
        )
    if not _REGION.fullmatch(found):
        raise ProviderError(
            "Region isn't the name of an AWS region. Write one such as eu-west-1.",
            code="region_not_valid",
        )
    return found


def endpoint_of(region: str) -> Target:
    """Return where AWS serves Secrets Manager in a region."""
    suffix = _SUFFIXES.get(region.partition("-")[0], "amazonaws.com")
    return read_url(f"https://secretsmanager.{region}.{suffix}/")


class AwsSecretsManager:
    """One region's Secrets Manager under one access key.

    :param endpoint: where it is; a private endpoint has to be allowed before it gets here.
    """

    def __init__(
        self,
        guard: EgressGuard,
        stop: Stop,
        endpoint: Target,
        region: str,
        credentials: AwsCredentials,
    ) -> None:
        # botocore costs a tenth of a second: only runs that use it pay.
        from app.providers.managers.botocore_client import make_client

        self._place = f"AWS Secrets Manager ({region})"
        self._client = make_client(
            "secretsmanager", guard, stop, endpoint, region, credentials
        )

    def describe(self, reference: str, version: str = "") -> Description:
        """Return the version that a fetch would return now."""
        answer = self._call("describe_secret", reference, SecretId=reference)
        if answer.get("DeletedDate") is not None:
            raise SecretDisabled(
                f"Secret {reference} in {self._place} is scheduled for deletion. Restore it "
                "there, or choose another one in the node's Secret field."
            )
        stages: dict[str, list[str]] = answer.get("VersionIdsToStages") or {}
        if version and not version.startswith(STAGE):
            found = version if version in stages else ""
        else:
            wanted = version.removeprefix(STAGE) or _CURRENT
            found = next((one for one, names in stages.items() if wanted in names), "")
        if not found:
            raise self._no_version(reference, version)
        return Description(found)

    def fetch(self, reference: str, version: str = "") -> Fetched:
        """Return the value; a binary one in base64."""
        more = {}
        if version.startswith(STAGE):
            more["VersionStage"] = version.removeprefix(STAGE)
        elif version:
            more["VersionId"] = version
        answer = self._call(
            "get_secret_value", reference, version=version, SecretId=reference, **more
        )
        text = answer.get("SecretString")
        if text is None:
            text = base64.b64encode(answer.get("SecretBinary", b"")).decode()
        return Fetched(text, str(answer.get("VersionId", "")))

    def health(self) -> None:
        """Ask for a list of one secret's name."""
        self._call("list_secrets", "", MaxResults=1)

    def _call(self, method: str, reference: str, version: str = "", **given: Any) -> dict[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer: dict[str, Any] = getattr(self._client, method)(**given)
        except ClientError as error:
            raise self._refusal(error.response, reference, version) from None
        except EgressError as error:
            if error.retryable:
                raise ProviderUnreachable(error.message) from None
            raise ProviderError(error.message, code=error.code) from None
        except BotoCoreError as error:
            raise ProviderUnreachable(
                f"{self._place} gave an answer that can't be read ({type(error).__name__})."
            ) from None
        return answer

    def _refusal(self, response: dict[str, Any], reference: str, version: str) -> ProviderError:
        # AWS's own message is looked at and never shown: it may repeat what was sent.
        code = str(response.get("Error", {}).get("Code", ""))
        if not (code.isascii() and code.isidentifier() and len(code) <= 60):
            code = ""  # no code of AWS's: it isn't repeated
        message = str(response.get("Error", {}).get("Message", ""))
        status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if code == "ResourceNotFoundException":
            about_version = version and ("version" in message.lower() or "stag" in message.lower())
            if about_version or "secret value" in message:
                return self._no_version(reference, version)
            return SecretMissing(
                f"Secret {reference} is missing in {self._place}. Choose another one in the node's "
                "Secret field, or create it there."
            )
        if code in _EXPIRED:
            return CredentialsExpired(
                f"The credentials for {self._place} have expired. Store fresh ones in the secret "
                "that is wired into credentials."
            )
        if code in _THROTTLED or status == 429:
            return ProviderThrottled(
                f"{self._place} is asked too often and refused for now. Run the flow again later, "
                "or ask AWS for a higher limit."
            )
        if code in _DENIED or status in (401, 403):
            return ProviderDenied(
                f"Secret {reference} in {self._place} may not be read with these credentials "
                f"({code or status}). Allow secretsmanager:GetSecretValue on it, or wire other "
                "credentials."
            )
        if code == "InvalidRequestException" and "delet" in message.lower():
            return SecretDisabled(
                f"Secret {reference} in {self._place} is scheduled for deletion. Restore it "
                "there, or choose another one in the node's Secret field."
            )
        if status >= 500:
            return ProviderUnreachable(f"{self._place} can't answer for now ({status}).")
        return ProviderError(
            f"{self._place} refused the request for secret {reference} "
            f"({code or status}). Check the secret's name and version."
        )

    def _no_version(self, reference: str, version: str) -> SecretMissing:
        wanted = version.removeprefix(STAGE) or _CURRENT
        return SecretMissing(
            f"Version {wanted} of secret {reference} doesn't exist in {self._place}. Choose "
            "another version or stage in the node.",
            code="pin_missing",
        )
