"""KEKs in the transit engine of Vault or OpenBao: wrapped there, the place as associated data.

The key never leaves the server. Each seal and each open is one call.
"""

from __future__ import annotations

import base64
import ssl
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from app.config import Config
from app.errors import ConfigError, Unavailable
from app.keys.aead import DecryptionFailed, Location, wrap_data
from app.keys.keyfiles import read_private_file
from app.keys.providers.base import Kek, Parameters, make_check, new_id, verify_check


@dataclass(frozen=True, slots=True)
class TransitKek:
    """A key of a transit engine.

    :ivar key: its name, and ``mount`` where its engine is.
    """

    id: str
    key: str
    mount: str
    token_file: Path
    client: httpx.Client

    @property
    def file(self) -> None:
        """The key lies in no file."""

    def wrap(self, location: Location, ciphertext: bytes, dek: bytes) -> bytes:
        """Encrypt a data key."""
        answer = self._call("encrypt", location, ciphertext, plaintext=_encode(dek))
        return str(answer["ciphertext"]).encode()

    def unwrap(self, location: Location, ciphertext: bytes, wrapped: bytes) -> bytes:
        """Decrypt a data key."""
        text = wrapped.decode("ascii", "replace")
        answer = self._call("decrypt", location, ciphertext, ciphertext=text)
        return base64.b64decode(answer["plaintext"])

    def describe(self) -> str:
        """Name the key."""
        return f"transit key {self.mount}/{self.key}"

    def health(self) -> None:
        """Encrypt nothing, to see whether the server answers and lets us."""
        self._call("encrypt", Location("health", "", "", 0, ""), b"", plaintext=_encode(b"0"))

    def _call(
        self, operation: str, location: Location, sealed: bytes, **arguments: str
    ) -> dict[str, Any]:
        token = read_private_file(self.token_file, 4096).strip().decode()
        body = {**arguments, "associated_data": _encode(wrap_data(self.id, location, sealed))}
        try:
            answer = self.client.post(
                f"/v1/{self.mount}/{operation}/{self.key}", json=body,
                headers={"X-Vault-Token": token, "X-Vault-Request": "true"},
            )
        except httpx.HTTPError as error:
            raise Unavailable(
                "key_provider_unreachable",
                f"The transit engine can't be reached ({type(error).__name__}), so no value can "
                "be opened or stored. Check TACIT_TRANSIT_URL, TACIT_TRANSIT_CA and the network.",
            ) from None
        if answer.status_code == 200:
            data: dict[str, Any] = answer.json()["data"]
            return data
        if operation == "decrypt" and answer.status_code == 400:
            raise DecryptionFailed
        raise Unavailable(
            "key_provider_refuses",
            f"The transit engine refuses to {operation} with {self.mount}/{self.key} (status "
            f"{answer.status_code}). Check that it is unsealed, that the key exists, and the "
            "token's policy.",
        )


class Transit:
    """Keys of the transit engine that ``TACIT_TRANSIT_URL`` names."""

    def make(self, config: Config, known: Collection[str]) -> tuple[Kek, Parameters]:
        """Take the key that ``TACIT_TRANSIT_KEY`` names."""
        name, mount = config.keys.transit_key, config.keys.transit_mount
        if not name:
            raise ConfigError(
                "key_missing", "TACIT_TRANSIT_KEY is not set: name a key of the transit engine."
            )
        kek = _kek(config, new_id("transit"), name, mount)
        return kek, {"key": name, "mount": mount, "check": make_check(kek)}

    def open(self, config: Config, kek_id: str, parameters: Parameters) -> Kek:
        """Open the key that the parameters name, and try it."""
        kek = _kek(config, kek_id, parameters["key"], parameters["mount"])
        verify_check(kek, parameters["check"])
        return kek


def _kek(config: Config, kek_id: str, name: str, mount: str) -> TransitKek:
    url, token_file = config.keys.transit_url, config.keys.transit_token_file
    if not url or token_file is None:
        raise ConfigError(
            "key_provider_settings",
            f"The master key {kek_id} is with a transit engine: set TACIT_TRANSIT_URL and "
            "TACIT_TRANSIT_TOKEN_FILE.",
        )
    near = httpx.URL(url).host in ("127.0.0.1", "localhost", "::1")
    if not url.startswith("https://") and not near:
        raise ConfigError(
            "key_provider_settings",
            "TACIT_TRANSIT_URL must be https: data keys travel over it.",
        )
    ca = config.keys.transit_ca
    try:
        context = ssl.create_default_context(cafile=str(ca) if ca else None)
    except OSError:
        raise ConfigError(
            "key_provider_settings", f"TACIT_TRANSIT_CA ({ca}) can't be read as a certificate."
        ) from None
    client = httpx.Client(base_url=url, timeout=5.0, verify=context, trust_env=False)
    return TransitKek(kek_id, name, mount, token_file, client)


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()
