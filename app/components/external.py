"""What all components that fetch from an external secret manager share.

A new manager is one module in ``app.providers`` and one subclass of :class:`ExternalFetch`: its
settings, its ports and :meth:`~ExternalFetch.manager`. The pre-run check, the versions that a run
sticks to, retries, masking and the audit are the same for all (docs/components.md).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

from app.components.context import Context
from app.components.deadline import Deadline
from app.components.declaration import Component
from app.components.errors import NodeError
from app.components.examples import Failure
from app.components.ports import Port, PortType
from app.components.problems import Remedy
from app.components.secret import Secret

if TYPE_CHECKING:
    from app.providers.egress import Stop
    from app.providers.errors import ProviderError
    from app.providers.managers.base import SecretManager

VALUE: Final = Port("value", PortType.SECRET, "Value", help="Goes into secret inputs.")
FAILURES: Final[tuple[Failure, ...]] = (
    Failure("secret_missing", "There is no such secret there. Choose another one, or create it."),
    Failure("pin_missing", "The secret has no such version. Choose another one, or the newest."),
    Failure("secret_disabled", "It was deleted there, or its version was. Restore it there."),
    Failure("secret_denied", "The credentials may not read it. Allow it, or wire other ones."),
    Failure("credentials_expired", "The credentials have expired. Store fresh ones."),
    Failure("provider_throttled", "The manager is asked too often, four times. Run it later."),
    Failure("provider_unreachable", "The manager doesn't answer, or can't for now. Run it later."),
    Failure("provider_timeout", "It didn't answer within the time limit. Run it later."),
)
#: What choosing another secret in the node can mend.
_ITS_OWN: Final = frozenset({"secret_missing", "secret_denied", "secret_disabled", "pin_missing"})


class ExternalFetch(Component):
    """Fetches one secret from an external manager.

    Its ``Config`` has a ``timeout`` (:func:`~app.components.fields.time_limit_field`) and, where a
    secret can have several fields, an ``output_format``
    (:func:`~app.components.fields.output_format_field`).
    """

    category = "secret"
    handles_secrets = True
    outputs = (VALUE,)
    #: What every manager can answer; a component adds failures of its own.
    failures: ClassVar[tuple[Failure, ...]] = FAILURES
    #: The setting that names the secret; ``version_fields`` those that choose its version.
    reference_field: ClassVar[str]
    version_fields: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def manager(self, context: Context, stop: Stop) -> SecretManager:
        """Return the manager, with its credentials opened for the place it is at.

        :raises NodeError: the settings can't be used; ``secret_host_denied``.
        """

    def reference(self, context: Context) -> tuple[str, str]:
        """Return the reference and the version that the settings ask for, as the manager takes
        them; an empty version is the newest."""
        return self.external_secret(context.config.model_dump(by_alias=True)) or ("", "")

    def select(self, context: Context, value: str) -> str:
        """Return the part of a fetched value that the settings ask for; all of it by default."""
        return value

    @classmethod
    def external_secret(cls, config: Mapping[str, Any]) -> tuple[str, str] | None:
        """Return what the settings name."""
        named = config.get(cls.reference_field)
        if not isinstance(named, str) or not named:
            return None
        versions = (config.get(field) for field in cls.version_fields)
        return named, next((str(one) for one in versions if one not in (None, "")), "")

    def check(self, context: Context) -> str:
        """Ask the manager whether the secret is there; fetch it where it won't say."""
        reference, version = self.reference(context)
        try:
            return context.describe_external(
                lambda: self._ask(context, lambda one: one.describe(reference, version)).version
            )
        except NodeError as error:
            # Credentials may open a secret and not describe it.
            if error.code != "secret_denied":
                raise
        fetched = self._fetch(context, version)
        return fetched.refs[0].external if fetched.refs else ""

    def run(self, context: Context) -> Mapping[str, Any]:
        """Return the secret, in the version that the check found where there was one."""
        _, version = self.reference(context)
        secret = self._fetch(context, context.checked_version or version)
        if getattr(context.config, "output_format", "raw") == "json":
            secret = secret.as_structured()
        return {"value": secret}

    def _fetch(self, context: Context, version: str) -> Secret:
        reference, _ = self.reference(context)

        def fetch() -> tuple[str, str]:
            found = self._ask(context, lambda one: one.fetch(reference, version))
            return self.select(context, found.value), found.version

        return context.fetch_external(fetch)

    def _ask(self, context: Context, call: Any) -> Any:
        """Call the manager within the node's time, again where that may help.

        :raises NodeError: what the manager refused, under the same code.
        """
        from app.providers.errors import ProviderError
        from app.providers.managers.base import with_retries

        stop = Deadline(
            context.cancelled, context.config.timeout, code="provider_timeout", place=self.title
        )
        try:
            manager = self.manager(context, stop)
            return with_retries(lambda: call(manager), stop, context.cancelled.wait)
        except ProviderError as error:
            raise self._failed(error) from None

    def _failed(self, error: ProviderError) -> NodeError:
        remedy = None
        if error.code in _ITS_OWN:
            remedy = Remedy("edit_field", "Change it in the node", {"field": self.reference_field})
        return NodeError(error.code, error.message, retryable=error.retryable, remedy=remedy)


def read_credentials(text: str, port: str, *needed: str) -> Mapping[str, str]:
    """Read a JSON secret with credentials; quotes nothing of it.

    :raises NodeError: ``credentials_not_valid``.
    """
    import json

    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not all(
        isinstance(found.get(name), str) and found[name] for name in needed
    ):
        raise NodeError(
            "credentials_not_valid",
            f"The secret wired into {port} has to be JSON with {' and '.join(needed)}. Store it "
            "so, or wire another one.",
        )
    return {name: value for name, value in found.items() if isinstance(value, str)}
