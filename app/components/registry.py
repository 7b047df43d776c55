"""Which components there are. Modules are imported when one of theirs is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from app.components.declaration import Component
from app.components.ports import port_rules
from app.errors import NotFound

#: Name of each built-in, and where its class stands. The order is the palette's.
BUILTINS: Final[Mapping[str, str]] = {
    "trigger.manual": "app.components.builtins.trigger_manual:ManualTrigger",
    "trigger.schedule": "app.components.builtins.trigger_schedule:ScheduleTrigger",
    "trigger.webhook": "app.components.builtins.trigger_webhook:WebhookTrigger",
    "secret.fetch": "app.components.builtins.secret_fetch:SecretFetch",
    "aws.secrets_manager.fetch": "app.components.builtins.aws_fetch:AwsSecretsManagerFetch",
    "vault.kv.fetch": "app.components.builtins.vault_fetch:VaultKvFetch",
    "env.fetch": "app.components.builtins.env_fetch:EnvFetch",
    "secret.field": "app.components.builtins.secret_field:SecretField",
    "secret.template": "app.components.builtins.secret_template:SecretTemplate",
    "http.request": "app.components.builtins.http_request:HttpRequest",
    "control.condition": "app.components.builtins.control_condition:Condition",
    "control.merge": "app.components.builtins.control_merge:Merge",
    "control.delay": "app.components.builtins.control_delay:Delay",
    "control.fail": "app.components.builtins.control_fail:Fail",
    "data.set": "app.components.builtins.data_set:Set",
    "data.json_query": "app.components.builtins.data_json_query:JsonQuery",
    "data.template": "app.components.builtins.data_template:Template",
    "text.template": "app.components.builtins.text_template:TextTemplate",
    "crypto.hmac": "app.components.builtins.crypto_hmac:Hmac",
    "crypto.hash": "app.components.builtins.crypto_hash:Hash",
    "output.log": "app.components.builtins.output_log:Log",
}


class Registry:
    """Components by name.

    :param places: ``module:Class`` of each component by its name. Nothing is imported before
        it is asked for: a run loads what its nodes need and no more.
    """

    def __init__(self, places: Mapping[str, str]) -> None:
        self._places = dict(places)
        self._loaded: dict[str, Component] = {}

    def find(self, name: str) -> Component | None:
        """Return the component, or None where none of that name is installed."""
        found = self._loaded.get(name)
        if found is None and name in self._places:
            found = self._loaded[name] = _load(name, self._places[name])
        return found

    def get(self, name: str) -> Component:
        """Return the component.

        :raises NotFound: ``component_not_installed``.
        """
        found = self.find(name)
        if found is None:
            raise NotFound("component_not_installed", f"Component {name} isn't installed here.")
        return found

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[Component]:
        return (self.get(name) for name in self._places)

    def __len__(self) -> int:
        return len(self._places)

    def describe(self) -> dict[str, Any]:
        """Return all declarations and the table of port types: the canvas draws from it."""
        return {
            "items": [component.describe() for component in self],
            "port_rules": port_rules(),
        }


def _load(name: str, place: str) -> Component:
    module, _, attribute = place.partition(":")
    found: type[Component] = getattr(importlib.import_module(module), attribute)
    if found.name != name:
        raise TypeError(f"{place} declares {found.name}, and was registered as {name}")
    return found()


@cache
def registry() -> Registry:
    """Return the components of this installation; the same object every time."""
    return Registry(BUILTINS)
