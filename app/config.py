"""One frozen object with every setting, read once from the environment.

``SETTINGS`` names each variable with its default and a help line; the reference in
``docs/settings.md`` is compared with it by a test.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from app.elsewhere import database_url, queue_url
from app.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting: environment variable, default as a user would write it, and help."""

    name: str
    default: str
    help: str


SETTINGS: tuple[Setting, ...] = (
    Setting("TACIT_HOME", "~/.local/share/tacit", "Where the data lives."),
    Setting("TACIT_HOST", "localhost", "Host name of the listeners, as users type it."),
    Setting("TACIT_BIND", "127.0.0.1", "Address that the listeners bind to."),
    Setting("TACIT_PORT", "8443", "Port of the web listener."),
    Setting("TACIT_RUNTIME_PORT", "8444", "Port of the runtime listener, for workers."),
    Setting("TACIT_LIVE_PORT", "8445", "Port of the live listener (server-sent events)."),
    Setting("TACIT_LIVE_RECHECK", "15",
            "Seconds after which a live stream checks again that it may go on: 1 to 15."),
    Setting("TACIT_DATABASE_URL", "sqlite in TACIT_HOME/tacit.db",
            "SQLAlchemy URL. PostgreSQL on another host is reached with sslmode=verify-full."),
    Setting("TACIT_REDIS_URL", "the embedded server's socket",
            "Queue and pub/sub. On another host it needs TLS (rediss://) and a password."),
    Setting("TACIT_RUNTIME_URL", "https://TACIT_HOST:TACIT_RUNTIME_PORT",
            "Where workers reach the runtime listener."),
    Setting("TACIT_CA", "TACIT_HOME/tls/ca.pem", "CA that vouches for the listeners."),
    Setting("TACIT_MASTER_KEY_FILE", "TACIT_HOME/keys/master.key",
            "The key file of the default key provider: 32 bytes, mode 0400 or 0600."),
    Setting("TACIT_KEY_PROVIDER", "keyfile",
            "Where new master keys come from: keyfile, variable, passphrase, aws-kms or transit."),
    Setting("TACIT_MASTER_KEY", "",
            "Master keys of the provider variable: 32 bytes in base64; several by commas."),
    Setting("TACIT_PASSPHRASE", "", "Passphrase of the provider passphrase."),
    Setting("TACIT_PASSPHRASE_FILE", "",
            "File with a passphrase a line, mode 0400 or 0600; instead of TACIT_PASSPHRASE."),
    Setting("TACIT_KMS_KEY", "", "Key of AWS KMS: its id, ARN or alias."),
    Setting("TACIT_KMS_ENDPOINT", "AWS's own", "Another address of AWS KMS."),
    Setting("TACIT_TRANSIT_URL", "", "Address of Vault or OpenBao, for the provider transit."),
    Setting("TACIT_TRANSIT_KEY", "", "The transit key's name, of type aes256-gcm96."),
    Setting("TACIT_TRANSIT_MOUNT", "transit", "Where the transit engine is mounted."),
    Setting("TACIT_TRANSIT_TOKEN_FILE", "",
            "File with Vault's token, mode 0400 or 0600; read anew for each call."),
    Setting("TACIT_TRANSIT_CA", "the system's", "CA that vouches for TACIT_TRANSIT_URL."),
    Setting("TACIT_TRUSTED_PROXIES", "", "Addresses of proxies that end TLS, by commas."),
    Setting("TACIT_ADMIN_EMAIL", "", "First administrator, made at the first start."),
    Setting("TACIT_ADMIN_PASSWORD", "", "Password of the first administrator."),
    Setting("TACIT_AUDIT_CHECKPOINTS", "TACIT_HOME/audit/checkpoints.jsonl",
            "File that signed checkpoints of the audit are appended to, at most one a minute."),
    Setting("TACIT_AUDIT_DAYS", "0", "Days that events of the audit are kept; 0 keeps all."),
    Setting("TACIT_SMTP_URL", "",
            "Mail server for notices of failed runs: smtp://USER:PASSWORD@HOST:587?from=ADDRESS "
            "(STARTTLS, but to this machine) or smtps://…"),
    Setting("TACIT_OTLP_ENDPOINT", "",
            "Where the runtime sends traces of ended runs by OTLP/HTTP: https://host:4318, or "
            "plain http to this machine."),
    Setting("TACIT_ALLOWED_ENDPOINTS", "",
            "Workers: URLs by commas that nodes may name as a manager's own endpoint; compared by "
            "scheme, host, port and path segments. They may stand in private networks."),
    Setting("TACIT_FILE_ROOTS", "",
            "Workers: folders by commas that runs may read, and write with :rw at the end "
            "(/srv/inbox,/srv/reports:rw), where the environment grants folder:/path."),
    Setting("TACIT_WORKER_SECRETS", "",
            "Workers: env:NAME, file:/path and role:aws, by commas, that this worker hands to "
            "runs of environments that grant them; a name may end with *."),
    Setting("TACIT_LOG_LEVEL", "INFO", "DEBUG, INFO, WARNING or ERROR."),
)


DRAIN_SECONDS: Final = 30.0
"""How long a run may go on after SIGTERM; then its process is killed and the server told."""


def drain_seconds(text: str) -> float:
    """Return ``TACIT_DRAIN_SECONDS``.

    :raises ConfigError: no number of seconds up to a day.
    """
    try:
        seconds = float(text or DRAIN_SECONDS)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 86_400:
        raise ConfigError(
            "setting_invalid",
            "TACIT_DRAIN_SECONDS has to be a number of seconds from 0 to 86400, such as 30.",
        )
    return seconds


class Hidden:
    """A setting that must not show: masked wherever it is written, and it can be overwritten.

    :param text: what the environment held.
    """

    __slots__ = ("_held",)

    def __init__(self, text: str = "") -> None:
        self._held = bytearray(text.encode())

    def __repr__(self) -> str:
        return "Hidden(***)"

    def __bool__(self) -> bool:
        return bool(self._held)

    def lines(self, separator: bytes = b"\n") -> list[bytes]:
        """The parts of the setting, without the white space around them and empty ones."""
        return [part for line in bytes(self._held).split(separator) if (part := line.strip())]

    def wipe(self) -> None:
        """Overwrite the held bytes, for processes that must not hold them."""
        self._held[:] = bytes(len(self._held))
        self._held.clear()


HIDDEN = ("TACIT_MASTER_KEY", "TACIT_PASSPHRASE", "TACIT_SMTP_URL")
"""Settings that the command line drops from the process's environment once they are read."""


@dataclass(frozen=True, slots=True)
class KeySettings:
    """Where the master key comes from (docs/keys.md).

    Which one opens what is stored stands in the database; this is what opening one needs, and
    ``provider`` is who gives the next one.
    """

    provider: str = "keyfile"
    variable: Hidden = field(default_factory=Hidden)
    passphrase: Hidden = field(default_factory=Hidden)
    passphrase_file: Path | None = None
    kms_key: str = ""
    kms_endpoint: str | None = None
    transit_url: str = ""
    transit_key: str = ""
    transit_mount: str = "transit"
    transit_token_file: Path | None = None
    transit_ca: Path | None = None

    @classmethod
    def load(cls, env: Mapping[str, str]) -> KeySettings:
        """Read the settings; the providers say what is wrong with them, when they are used."""
        return cls(
            provider=env.get("TACIT_KEY_PROVIDER") or "keyfile",
            variable=Hidden(env.get("TACIT_MASTER_KEY", "")),
            passphrase=Hidden(env.get("TACIT_PASSPHRASE", "")),
            passphrase_file=_path(env, "TACIT_PASSPHRASE_FILE"),
            kms_key=env.get("TACIT_KMS_KEY", ""),
            kms_endpoint=env.get("TACIT_KMS_ENDPOINT") or None,
            transit_url=env.get("TACIT_TRANSIT_URL", "").rstrip("/"),
            transit_key=env.get("TACIT_TRANSIT_KEY", ""),
            transit_mount=env.get("TACIT_TRANSIT_MOUNT") or "transit",
            transit_token_file=_path(env, "TACIT_TRANSIT_TOKEN_FILE"),
            transit_ca=_path(env, "TACIT_TRANSIT_CA"),
        )

    def wipe(self) -> None:
        """Forget the settings that are keys, in a process that must not hold them."""
        self.variable.wipe()
        self.passphrase.wipe()


@dataclass(frozen=True, slots=True)
class Config:
    """Every setting of an installation, in its final type.

    Made by :meth:`load`; tests may use :func:`dataclasses.replace`.
    """

    home: Path
    host: str
    bind: str
    port: int
    runtime_port: int
    live_port: int
    live_recheck: int
    database_url: str
    redis_url: str
    runtime_url: str
    ca_file: Path
    master_key_file: Path
    keys: KeySettings
    trusted_proxies: tuple[str, ...]
    audit_checkpoints: Path
    audit_days: int
    log_level: str
    otlp_endpoint: str
    smtp: Hidden

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None) -> Config:
        """Read the settings.

        :raises ConfigError: a setting has a value that can't be used; says which and why.
        """
        env = os.environ if environ is None else environ
        home = Path(env.get("TACIT_HOME") or "~/.local/share/tacit").expanduser().absolute()
        host = env.get("TACIT_HOST") or "localhost"
        runtime_port = _port(env, "TACIT_RUNTIME_PORT", 8444)
        return cls(
            home=home,
            host=host,
            bind=env.get("TACIT_BIND") or "127.0.0.1",
            port=_port(env, "TACIT_PORT", 8443),
            runtime_port=runtime_port,
            live_port=_port(env, "TACIT_LIVE_PORT", 8445),
            live_recheck=_live_recheck(env),
            database_url=database_url(
                env.get("TACIT_DATABASE_URL") or f"sqlite:///{home / 'tacit.db'}",
                env.get("PGHOST", ""),
            ),
            redis_url=queue_url(env["TACIT_REDIS_URL"]) if env.get("TACIT_REDIS_URL") else "",
            runtime_url=env.get("TACIT_RUNTIME_URL") or f"https://{host}:{runtime_port}",
            ca_file=Path(env.get("TACIT_CA") or home / "tls" / "ca.pem"),
            master_key_file=Path(
                env.get("TACIT_MASTER_KEY_FILE") or home / "keys" / "master.key"
            ),
            keys=KeySettings.load(env),
            trusted_proxies=tuple(
                part.strip()
                for part in env.get("TACIT_TRUSTED_PROXIES", "").split(",")
                if part.strip()
            ),
            audit_checkpoints=_path(env, "TACIT_AUDIT_CHECKPOINTS")
            or home / "audit" / "checkpoints.jsonl",
            audit_days=_audit_days(env),
            log_level=(env.get("TACIT_LOG_LEVEL") or "INFO").upper(),
            otlp_endpoint=_otlp(env),
            smtp=Hidden(env.get("TACIT_SMTP_URL", "")),
        )

    @property
    def public_url(self) -> str:
        """The origin of the web listener, as browsers send it in ``Origin``."""
        return f"https://{self.host}" if self.port == 443 else f"https://{self.host}:{self.port}"

    @property
    def live_url(self) -> str:
        """The origin of the live listener."""
        return f"https://{self.host}:{self.live_port}"

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is the embedded one."""
        return self.database_url.startswith("sqlite")


def _otlp(env: Mapping[str, str]) -> str:
    address = env.get("TACIT_OTLP_ENDPOINT") or ""
    parts = urlsplit(address)
    near = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if address and not (
        parts.hostname and not parts.username
        and (parts.scheme == "https" or (parts.scheme == "http" and near))
    ):
        raise ConfigError(
            "setting_invalid",
            "TACIT_OTLP_ENDPOINT has to be an https address such as https://otel.example.com:4318. "
            "Plain http is for this machine only.",
        )
    return address


def _live_recheck(env: Mapping[str, str]) -> int:
    text = env.get("TACIT_LIVE_RECHECK") or "15"
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 15:
        raise ConfigError(
            "setting_invalid",
            f"TACIT_LIVE_RECHECK is “{text}”; set it to 1 to 15 seconds. A revoked person may "
            "go on watching a run for so long.",
        )
    return int(text)


def _audit_days(env: Mapping[str, str]) -> int:
    text = env.get("TACIT_AUDIT_DAYS") or "0"
    if not text.isascii() or not text.isdigit() or int(text) > 36500:
        raise ConfigError(
            "setting_invalid",
            f"TACIT_AUDIT_DAYS is “{text}”; set it to a number of days, or 0 to keep all events.",
        )
    return int(text)


def _path(env: Mapping[str, str], name: str) -> Path | None:
    return Path(env[name]).expanduser().absolute() if env.get(name) else None


def _port(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise ConfigError(
            "setting_invalid", f"{name} is “{text}”; set it to a port from 1 to 65535."
        )
    return int(text)
