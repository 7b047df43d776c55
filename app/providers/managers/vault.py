"""HashiCorp Vault's and OpenBao's KV engine, version 1 and 2, over plain HTTP.

The few calls that are needed are its documented HTTP API; a client library would bring sessions,
redirects and proxies of its own past the egress guard.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from app.providers.destinations import Target
from app.providers.errors import (
    CredentialsExpired,
    ProviderDenied,
    ProviderError,
    ProviderThrottled,
    ProviderUnreachable,
    SecretDisabled,
    SecretMissing,
)
from app.providers.managers.base import Description, Fetched, exchange

if TYPE_CHECKING:
    from app.providers.egress import EgressGuard, Stop


@dataclass(frozen=True, slots=True)
class AppRole:
    """What an AppRole login needs.

    :param mount: where the auth method is mounted, ``approle`` by default.
    """

    role_id: str = field(repr=False)
    secret_id: str = field(repr=False)
    mount: str = "approle"


@dataclass(frozen=True, slots=True)
class Place:
    """A KV engine: the server, the namespace and the mount.

    :param ca: authorities in PEM that vouch for the server, besides the system's.
    """

    server: Target
    mount: str = "secret"
    namespace: str = ""
    engine: int = 2
    ca: str = ""


class VaultKv:
    """One KV engine under one token.

    :param credentials: a token, or what gets one.
    :param learned: told every token that a login returned, before it is used.
    """

    def __init__(
        self,
        guard: EgressGuard,
        stop: Stop,
        place: Place,
        credentials: str | AppRole,
        learned: Callable[[str], object],
    ) -> None:
        self._guard, self._stop, self._place = guard, stop, place
        self._credentials, self._learned = credentials, learned
        self._name = f"Vault ({place.server.authority})"
        self._token: str | None = credentials if isinstance(credentials, str) else None
        self._tls: ssl.SSLContext | None = _trusting(place.ca) if place.ca else None

    def describe(self, reference: str, version: str = "") -> Description:
        """Return the version that a fetch would return now.

        Version 1 of the engine has no metadata: there it reads the secret, and drops it.
        """
        if self._place.engine == 1:
            self.fetch(reference)
            return Description()
        data = self._read(reference, f"{self._place.mount}/metadata/{_path(reference)}")
        versions = _object(data.get("versions"))
        number = version or str(data.get("current_version") or "")
        found = _object(versions.get(number))
        if not found:
            raise self._no_version(reference, number)
        if found.get("destroyed") or found.get("deletion_time"):
            raise self._deleted(reference, number)
        return Description(number)

    def fetch(self, reference: str, version: str = "") -> Fetched:
        """Return the secret's data as JSON."""
        path = _path(reference)
        if self._place.engine == 1:
            data = self._read(reference, f"{self._place.mount}/{path}")
            return Fetched(_json(data))
        query = f"version={quote(version, safe='')}" if version else ""
        answer = self._read(reference, f"{self._place.mount}/data/{path}", query)
        metadata = _object(answer.get("metadata"))
        number = str(metadata.get("version") or version)
        if answer.get("data") is None:
            raise self._deleted(reference, number)
        if not isinstance(answer["data"], dict):
            raise ProviderError(
                f"{self._name} gave an answer for secret {reference} that isn't one of a KV engine "
                "of version 2. Check Address, Mount and Engine version."
            )
        return Fetched(_json(answer["data"]), number)

    def health(self) -> None:
        """Look the token up."""
        self._read("", "auth/token/lookup-self")

    def _read(self, reference: str, path: str, query: str = "") -> dict[str, Any]:
        status, document = self._send("GET", path, query=query, token=self._signed_in())
        data = document.get("data")
        if status == 200 and isinstance(data, dict):
            return data
        if status == 404 and isinstance(data, dict) and isinstance(data.get("metadata"), dict):
            # A deleted or destroyed version answers so.
            raise self._deleted(reference, str(data["metadata"].get("version") or ""))
        raise self._refusal(status, reference, query)

    def _signed_in(self) -> str:
        role = self._credentials
        if self._token is None and isinstance(role, AppRole):
            body = json.dumps({"role_id": role.role_id, "secret_id": role.secret_id}).encode()
            status, document = self._send("POST", f"auth/{role.mount}/login", content=body)
            token = _object(document.get("auth")).get("client_token")
            if status != 200 or not isinstance(token, str):
                if status in (400, 401, 403):
                    raise CredentialsExpired(
                        f"{self._name} refused the AppRole login: its secret_id has expired or "
                        "was used up, or the role doesn't exist. Store a fresh one."
                    )
                raise self._refusal(status, "", "")
            self._learned(token)
            self._token = token
        return self._token or ""

    def _send(
        self, method: str, path: str, *, query: str = "", token: str | None = None,
        content: bytes | None = None,
    ) -> tuple[int, dict[str, Any]]:
        server = self._place.server
        target = replace(server, path=f"{server.path.rstrip('/')}/v1/{path}", query=query)
        headers = [("Accept", b"application/json"), ("X-Vault-Request", b"true")]
        if self._place.namespace:
            headers.append(("X-Vault-Namespace", self._place.namespace.encode()))
        if token is not None:
            headers.append(("X-Vault-Token", token.encode()))
        if content is not None:
            headers.append(("Content-Type", b"application/json"))
        status, body = exchange(
            self._guard, self._stop, method, target, headers, content, name=self._name,
            tls=self._tls,
        )
        try:
            document = json.loads(body) if body else {}
        except (ValueError, RecursionError):
            document = {}
        return status, document if isinstance(document, dict) else {}

    def _refusal(self, status: int, reference: str, query: str) -> ProviderError:
        if status == 404 and query:
            return self._no_version(reference, query.partition("=")[2])
        if status == 404:
            return SecretMissing(
                f"Secret {reference} is missing in {self._name}, mount {self._place.mount}. "
                "Choose another one in the node's Secret field, or create it there."
            )
        if status in (400, 401, 403):
            return ProviderDenied(
                f"Secret {reference} in {self._name} may not be read with these credentials, or "
                "they have expired. Allow its path in a policy, or wire other credentials."
            )
        if status == 429:
            return ProviderThrottled(
                f"{self._name} is asked too often and refused for now. Run the flow again later."
            )
        if status >= 500:
            sealed = "it is sealed or starting" if status == 503 else str(status)
            return ProviderUnreachable(f"{self._name} can't answer for now ({sealed}).")
        return ProviderError(
            f"{self._name} answered {status} to the request for secret {reference}. "
            "Redirects aren't followed: give the address of the active server."
        )

    def _no_version(self, reference: str, version: str) -> SecretMissing:
        return SecretMissing(
            f"Version {version} of secret {reference} doesn't exist in {self._name}. Choose "
            "another version in the node, or the newest one.",
            code="pin_missing",
        )

    def _deleted(self, reference: str, version: str) -> SecretDisabled:
        return SecretDisabled(
            f"Version {version} of secret {reference} in {self._name} was deleted. Undelete it "
            "there, or choose another version in the node."
        )


def _path(reference: str) -> str:
    """Return a secret's path as a URL has it.

    :raises ProviderError: ``reference_not_valid``.
    """
    steps = reference.strip("/").split("/")
    if not all(step and step not in (".", "..") for step in steps):
        raise ProviderError(
            "The secret's path has an empty step, “.” or “..” in it. Write it such as "
            "apps/billing/stripe.",
            code="reference_not_valid",
        )
    return "/".join(quote(step, safe="") for step in steps)


def _object(value: Any) -> dict[str, Any]:
    """Return what should be an object; an empty one where a server that is no Vault says else."""
    return value if isinstance(value, dict) else {}


def _json(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def _trusting(ca: str) -> ssl.SSLContext:
    """Return TLS settings that trust these authorities alone.

    :raises ProviderError: ``ca_not_valid``.
    """
    try:
        context = ssl.create_default_context(cadata=ca)
    except (ssl.SSLError, ValueError):
        raise ProviderError(
            "CA certificate isn't a certificate in PEM. Paste it whole, with its first and last "
            "line.",
            code="ca_not_valid",
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
