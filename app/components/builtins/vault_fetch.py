"""``vault.kv.fetch``: one secret of the KV engine of HashiCorp Vault or OpenBao."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

from app.components.context import Context
from app.components.errors import NodeError
from app.components.examples import Example, Failure
from app.components.external import FAILURES, ExternalFetch, read_credentials
from app.components.fields import ComponentConfig, field, output_format_field, time_limit_field
from app.components.ports import Port, PortType

if TYPE_CHECKING:
    from app.providers.egress import Stop
    from app.providers.managers.vault import AppRole, VaultKv


class VaultFetchConfig(ComponentConfig):
    """Which server, which engine, which secret."""

    address: str = field(
        label="Address",
        kind="text",
        help="The server's address. Redirects aren't followed: give the active one.",
        placeholder="https://vault.example.com:8200",
        wirable=False,
        min_length=1,
        max_length=2048,
    )
    path: str = field(
        alias="secretPath",
        label="Secret",
        kind="text",
        help="The secret's path within its mount.",
        placeholder="apps/billing/stripe",
        wirable=False,
        min_length=1,
        max_length=1024,
    )
    mount: str = field(
        "secret",
        label="Mount",
        kind="text",
        help="Where the KV engine is mounted.",
        wirable=False,
        min_length=1,
        max_length=256,
        pattern=r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$",
    )
    engine: Literal["1", "2"] = field(
        "2",
        label="Engine version",
        kind="select",
        choices=(("2", "KV version 2"), ("1", "KV version 1")),
        help="Version 2 keeps versions of its secrets.",
        wirable=False,
    )
    version: int | None = field(
        None,
        label="Version",
        kind="number",
        help="One exact version; the newest when left empty.",
        wirable=False,
        ge=1,
        visible_when=("engine", ("2",)),
    )
    key: str = field(
        "",
        alias="field",
        label="Field",
        kind="text",
        help="The one field to hand over as text. Left empty, the whole secret is handed over.",
        wirable=False,
        max_length=256,
    )
    output_format: Literal["raw", "json"] = output_format_field(
        "JSON hands the secret over with its fields, for Secret Field and for credentials."
    )
    namespace: str = field(
        "",
        label="Namespace",
        kind="text",
        help="Of Vault Enterprise and OpenBao; leave it empty where there are none.",
        wirable=False,
        max_length=256,
        pattern=r"^[A-Za-z0-9_./-]*$",
    )
    auth_mount: str = field(
        "approle",
        alias="authMount",
        label="AppRole mount",
        kind="text",
        help="Where the AppRole method is mounted; for credentials with role_id and secret_id.",
        wirable=False,
        min_length=1,
        max_length=256,
        pattern=r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$",
    )
    ca: str = field(
        "",
        label="CA certificate",
        kind="multiline",
        help="Authorities in PEM that vouch for the server, besides the system's.",
        wirable=False,
        max_length=65_536,
    )
    timeout: float = time_limit_field(20.0, most=120)


class VaultKvFetch(ExternalFetch):
    """Fetches one secret of Vault's or OpenBao's KV engine."""

    name = "vault.kv.fetch"
    title = "Vault KV Fetch"
    help = (
        "Hands a secret of HashiCorp Vault's or OpenBao's KV engine to the nodes it is wired into. "
        "It is checked before any node runs."
    )
    icon = "vault"
    summary = "{mount}/{secretPath}"
    provider = "vault.kv"
    uses = ("network",)
    examples = (
        Example(
            "One field of a secret of KV version 2",
            {"address": "https://vault.example.com:8200", "secretPath": "apps/billing/stripe",
             "field": "key"},
            secrets={"credentials": "vault/approle"},
        ),
    )
    failures = (
        *FAILURES,
        Failure("secret_field_missing", "The secret has no such field. Correct Field."),
        Failure("reference_not_valid", "Its path has an empty step or dots. Write it without."),
        Failure("credentials_not_valid", "The wired secret is no token or AppRole. Store it so."),
        Failure("ca_not_valid", "CA certificate isn't one in PEM. Paste it whole."),
    )
    reference_field = "secretPath"
    version_fields = ("version",)
    Config = VaultFetchConfig
    inputs = (
        Port(
            "credentials",
            PortType.SECRET,
            "Credentials",
            required=True,
            help="A token, or JSON with token, or with role_id and secret_id for AppRole.",
            structured=True,
        ),
    )

    def manager(self, context: Context, stop: Stop) -> VaultKv:
        """Return the engine; opens the credentials for its server alone."""
        from app.providers.destinations import read_url
        from app.providers.managers.vault import Place, VaultKv

        config = context.config
        server = read_url(config.address)
        if server.query:
            raise NodeError("config_invalid", "Address can't have a question mark in it.")
        place = Place(server, config.mount, config.namespace, int(config.engine), config.ca)
        credentials = self._credentials(context, server.origin)
        # A login's token is a secret too, wherever an answer may repeat it.
        return VaultKv(
            context.egress, stop, place, credentials,
            learned=lambda token: context.derive(token, "credentials"),
        )

    def select(self, context: Context, value: str) -> str:
        """Return the one field that the settings name, or everything.

        :raises NodeError: ``secret_field_missing``.
        """
        key = context.config.key
        if not key:
            return value
        found = json.loads(value).get(key)
        if found is None:
            raise NodeError(
                "secret_field_missing",
                f"Secret {context.config.path} has no field {key}. Correct Field in the node.",
            )
        return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)

    def _credentials(self, context: Context, origin: str) -> str | AppRole:
        from app.providers.managers.vault import AppRole

        text = context.reveal("credentials", origin).strip()
        if text.startswith("{"):
            if '"role_id"' not in text:
                text = read_credentials(text, "credentials", "token")["token"]
            else:
                found = read_credentials(text, "credentials", "role_id", "secret_id")
                return AppRole(found["role_id"], found["secret_id"], context.config.auth_mount)
        if not text or not text.isascii() or not text.isprintable():
            raise NodeError(
                "credentials_not_valid",
                "The secret wired into credentials isn't a token. Store a token in one line, or "
                "JSON with role_id and secret_id.",
            )
        return text
