"""Which components there are. Modules are imported when one of theirs is asked for."""

from __future__ import annotations

import importlib
import logging
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from app.components.declaration import Component
from app.components.icons import shown_icon
from app.components.packages import (
    Broken,
    LoadFailed,
    Offer,
    Origin,
    find_offers,
    load_offer,
    sort_offers,
)
from app.components.ports import port_rules
from app.components.upgrades import Standing
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
    "sql.query": "app.components.builtins.sql_query:SqlQuery",
    "file.read": "app.components.builtins.file_read:FileRead",
    "file.write": "app.components.builtins.file_write:FileWrite",
    "http.webhook_post": "app.components.builtins.http_webhook_post:WebhookPost",
    "slack.post": "app.components.builtins.slack_post:SlackPost",
    "email.send": "app.components.builtins.email_send:EmailSend",
    "control.condition": "app.components.builtins.control_condition:Condition",
    "control.merge": "app.components.builtins.control_merge:Merge",
    "control.delay": "app.components.builtins.control_delay:Delay",
    "control.fail": "app.components.builtins.control_fail:Fail",
    "data.set": "app.components.builtins.data_set:Set",
    "data.json_query": "app.components.builtins.data_json_query:JsonQuery",
    "data.parse_json": "app.components.builtins.data_parse_json:ParseJson",
    "data.parse_csv": "app.components.builtins.data_parse_csv:ParseCsv",
    "data.parse_yaml": "app.components.builtins.data_parse_yaml:ParseYaml",
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
    :param offers: components of installed packages, likewise. One that can't be loaded is as if
        it weren't there, but for :meth:`broken`.
    """

    def __init__(self, places: Mapping[str, str], offers: Iterable[Offer] = ()) -> None:
        self._places = dict(places)
        self._offers, self._broken = sort_offers(offers, self._places)
        self._loaded: dict[str, Component] = {}
        self._older: dict[tuple[str, int], Component | None] = {}
        self._lock = threading.RLock()

    def find(self, name: str, version: int | None = None) -> Component | None:
        """Return the component, or None where none of that name is installed.

        :param version: the one that a node was made with: None too where it doesn't run here.
        """
        found = self._find(name)
        if found is None or version is None or version == found.version:
            return found
        if (name, version) not in self._older:
            older = next((one for one in found.older if one.version == version), None)
            self._older[name, version] = None if older is None else older()
        return self._older[name, version]

    def standing(self, name: str, version: int) -> Standing:
        """Say what the version of a node is here."""
        found = self._find(name)
        if found is None:
            return "missing"
        if version == found.version:
            return "current"
        if version > found.version:
            return "newer"
        return "outdated" if self.find(name, version) is None else "older"

    def _find(self, name: str) -> Component | None:
        found = self._loaded.get(name)
        if found is None and name in self._places:
            found = self._loaded[name] = _load(name, self._places[name])
        if found is None and name in self._offers:
            found = self._load_offer(name)
        return found

    def get(self, name: str) -> Component:
        """Return the component.

        :raises NotFound: ``component_not_installed``.
        """
        found = self.find(name)
        if found is None:
            raise NotFound("component_not_installed", f"Component {name} isn't installed here.")
        return found

    def origin(self, name: str) -> Origin | None:
        """Return the package that a component came with; None for one that comes with Tacit."""
        offer = self._offers.get(name)
        return offer.origin if offer else None

    def broken(self) -> list[Broken]:
        """Return what packages offer and can't be used; loads everything to find out."""
        for name in list(self._offers):
            self.find(name)
        return sorted(self._broken, key=lambda one: (one.name, one.origin.package))

    def folders(self) -> list[Path]:
        """Return where the code of the loaded packages' components stands."""
        found: dict[Path, None] = {}
        for name in self._offers.keys() & self._loaded.keys():
            top = sys.modules.get(self._offers[name].place.partition(":")[0].partition(".")[0])
            for at in getattr(top, "__path__", None) or [getattr(top, "__file__", None) or ""]:
                if at:
                    found[Path(at)] = None
        return list(found)

    def __contains__(self, name: object) -> bool:
        return name in self._places or (isinstance(name, str) and self.find(name) is not None)

    def __iter__(self) -> Iterator[Component]:
        found = (self.find(name) for name in [*self._places, *self._offers])
        return (component for component in found if component is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def prepare(self) -> None:
        """Do once what every run would do again; a package that fails at it does it later."""
        for component in self:
            component.input_ports()
            component.output_ports()
            try:
                component.prepare()
            except Exception as error:
                if component.name in self._places:
                    raise
                logging.getLogger(__name__).warning(
                    "Component %s can't be prepared (%s); its nodes start more slowly",
                    component.name, type(error).__name__,
                )

    def describe(self) -> dict[str, Any]:
        """Return all declarations and the table of port types: the canvas draws from it."""
        return {
            "items": [self.describe_one(component) for component in self],
            "port_rules": port_rules(),
        }

    def describe_one(self, component: Component) -> dict[str, Any]:
        """Return one declaration, with the package that it came with."""
        shown = component.describe()
        origin = self.origin(component.name)
        package = None if origin is None else {"name": origin.package, "version": origin.version}
        drawn = {"icon": shown_icon(component.icon), "package": package}
        older = [{**one.describe(), **drawn} for one in component.older]
        return {**shown, **drawn, **({"older": older} if older else {})}

    def _load_offer(self, name: str) -> Component | None:
        with self._lock:
            if name in self._loaded or name not in self._offers:
                return self._loaded.get(name)
            try:
                self._loaded[name] = load_offer(self._offers[name])
            except LoadFailed as error:
                self._broken.append(error.broken)
                del self._offers[name]
            return self._loaded.get(name)


def _load(name: str, place: str) -> Component:
    module, _, attribute = place.partition(":")
    found: type[Component] = getattr(importlib.import_module(module), attribute)
    if found.name != name:
        raise TypeError(f"{place} declares {found.name}, and was registered as {name}")
    return found()


@cache
def registry() -> Registry:
    """Return the components of this installation; the same object every time."""
    return Registry(BUILTINS, find_offers())
