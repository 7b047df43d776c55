"""The key providers, by the names that settings and the table of KEKs use."""

from __future__ import annotations

from app.config import Config
from app.errors import ConfigError
from app.keys.providers.base import Kek, Parameters, Provider
from app.keys.providers.kms import AwsKms
from app.keys.providers.local import KeyFiles, LocalKek, Variable, fingerprint
from app.keys.providers.passphrase import Passphrase
from app.keys.providers.transit import Transit

PROVIDERS: dict[str, Provider] = {
    "keyfile": KeyFiles(),
    "variable": Variable(),
    "passphrase": Passphrase(),
    "aws-kms": AwsKms(),
    "transit": Transit(),
}


def get_provider(name: str) -> Provider:
    """Return a provider by name.

    :raises ConfigError: ``setting_invalid``: there is none of that name.
    """
    if name not in PROVIDERS:
        raise ConfigError(
            "setting_invalid",
            f"There is no key provider “{name}”; TACIT_KEY_PROVIDER is one of "
            f"{', '.join(PROVIDERS)}.",
        )
    return PROVIDERS[name]


def open_kek(config: Config, kek_id: str, provider: str, parameters: Parameters) -> Kek:
    """Open a KEK as its row describes it.

    :raises ConfigError: its key is missing, wrong or unsafe.
    :raises Unavailable: its provider can't be reached.
    """
    return get_provider(provider).open(config, kek_id, parameters)


__all__ = [
    "PROVIDERS", "Kek", "LocalKek", "Parameters", "Provider", "fingerprint", "get_provider",
    "open_kek",
]
