"""``aws.secrets_manager.fetch``: one secret of AWS Secrets Manager."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from app.components.context import Context
from app.components.errors import NodeError
from app.components.examples import Example, Failure
from app.components.external import FAILURES, ExternalFetch, read_credentials
from app.components.fields import ComponentConfig, field, output_format_field, time_limit_field
from app.components.ports import Port, PortType

if TYPE_CHECKING:
    from app.providers.destinations import Target
    from app.providers.egress import Stop
    from app.providers.managers.aws import AwsSecretsManager

_NEEDED: Final = ("access_key_id", "secret_access_key")


class AwsFetchConfig(ComponentConfig):
    """Which secret, which version, and where."""

    secret_id: str = field(
        alias="secretId",
        label="Secret",
        kind="text",
        help="The secret's ARN or name in AWS.",
        placeholder="arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-AbCdEf",
        wirable=False,
        min_length=1,
        max_length=2048,
    )
    region: str = field(
        "",
        label="Region",
        kind="text",
        help="Taken from the ARN when left empty.",
        placeholder="eu-west-1",
        wirable=False,
        max_length=40,
    )
    version_stage: str = field(
        "",
        alias="versionStage",
        label="Version stage",
        kind="text",
        help="AWSCURRENT when left empty; AWSPREVIOUS is the one before a rotation.",
        placeholder="AWSCURRENT",
        wirable=False,
        max_length=256,
    )
    version_id: str = field(
        "",
        alias="versionId",
        label="Version id",
        kind="text",
        help="One exact version. Leave it empty to follow the stage.",
        wirable=False,
        max_length=64,
    )
    output_format: Literal["raw", "json"] = output_format_field(
        "JSON for secrets with several fields. A binary secret comes in base64."
    )
    endpoint_url: str = field(
        "",
        alias="endpointUrl",
        label="Endpoint URL",
        kind="text",
        help="A VPC endpoint. Workers have to list it in TACIT_ALLOWED_ENDPOINTS.",
        placeholder="https://vpce-0123.secretsmanager.eu-west-1.vpce.amazonaws.com",
        wirable=False,
        max_length=2048,
    )
    timeout: float = time_limit_field(20.0, most=120)


class AwsSecretsManagerFetch(ExternalFetch):
    """Fetches one secret of AWS Secrets Manager."""

    name = "aws.secrets_manager.fetch"
    title = "AWS Secrets Manager Fetch"
    help = (
        "Hands a secret of AWS Secrets Manager to the nodes it is wired into. It is checked before "
        "any node runs. Without credentials it uses the worker's own role, where the environment "
        "grants role:aws."
    )
    icon = "cloud"
    summary = "{secretId}"
    provider = "aws.secrets_manager"
    uses = ("network", "worker_secrets")
    examples = (
        Example(
            "A secret by its name", {"secretId": "prod/api", "region": "eu-west-1"},
            secrets={"credentials": "aws/reader"},
        ),
    )
    failures = (
        *FAILURES,
        Failure("region_missing", "The secret is given by name. Set Region, or write its ARN."),
        Failure("region_not_valid", "Region isn't the name of an AWS region. Correct it."),
        Failure("endpoint_not_allowed", "The workers don't list Endpoint URL. Have it listed."),
        Failure("credentials_not_valid", "The wired secret is no access key in JSON. Store it so."),
    )
    reference_field = "secretId"
    version_fields = ("versionId", "versionStage")
    Config = AwsFetchConfig
    inputs = (
        Port(
            "credentials",
            PortType.SECRET,
            "Credentials",
            help="JSON with access_key_id, secret_access_key and, for temporary ones, "
            "session_token.",
            structured=True,
        ),
    )

    def reference(self, context: Context) -> tuple[str, str]:
        """Return the secret, and the version as the manager takes it.

        :raises NodeError: ``config_invalid``: both a version and a stage are given.
        """
        from app.providers.managers.aws import STAGE

        config = context.config
        if config.version_id and config.version_stage:
            raise NodeError(
                "config_invalid", "Version id and Version stage are both set. Clear one of them."
            )
        stage = STAGE + config.version_stage if config.version_stage else ""
        return config.secret_id, config.version_id or stage

    def manager(self, context: Context, stop: Stop) -> AwsSecretsManager:
        """Return the region's manager; opens the credentials for its endpoint alone."""
        from app.providers.managers.aws import AwsCredentials, AwsSecretsManager, region_of

        config = context.config
        region = region_of(config.secret_id, config.region)
        endpoint = self._endpoint(context, region)
        if context.has_secret("credentials"):
            text = context.reveal("credentials", endpoint.origin)
        else:
            text = self._role(context)
        found = read_credentials(text, "credentials", *_NEEDED)
        credentials = AwsCredentials(
            found["access_key_id"], found["secret_access_key"], found.get("session_token") or None
        )
        return AwsSecretsManager(context.egress, stop, endpoint, region, credentials)

    def _role(self, context: Context) -> str:
        try:
            return context.worker_value("role:aws")
        except NodeError as error:
            # Most often nobody thought of a role: the wire is missing.
            error.message = (
                "Nothing is wired into credentials. Wire a secret there. Otherwise the worker's "
                f"own role is used: {error.message}"
            )
            raise

    def _endpoint(self, context: Context, region: str) -> Target:
        from app.providers.destinations import is_endpoint, read_url
        from app.providers.managers.aws import endpoint_of

        if not context.config.endpoint_url:
            return endpoint_of(region)
        target = read_url(context.config.endpoint_url)
        if not is_endpoint(context.egress.policy.endpoints, target):
            raise NodeError(
                "endpoint_not_allowed",
                f"The endpoint at {target.origin} isn't allowed: scheme, host, port and path have "
                "to be those of one that TACIT_ALLOWED_ENDPOINTS of the workers lists, or below "
                "it. Have it listed there, or leave Endpoint URL empty.",
            )
        return target
