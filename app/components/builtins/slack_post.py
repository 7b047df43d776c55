"""``slack.post``: a message to a Slack channel, by a bot's token or an incoming webhook."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pydantic import JsonValue

from app.components.context import Context
from app.components.declaration import Component
from app.components.errors import NodeError
from app.components.examples import Example, Failure
from app.components.fields import ComponentConfig, field, time_limit_field
from app.components.ports import Port, PortType

if TYPE_CHECKING:
    from app.components.http.posting import Posted
    from app.providers.destinations import Target

_CHANNEL: Final = frozenset(
    {"channel_not_found", "not_in_channel", "is_archived", "channel_is_archived",
     "user_not_found", "restricted_action", "action_prohibited", "no_service", "no_team"}
)  # fmt: skip
_DENIED: Final = frozenset(
    {"invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive",
     "missing_scope", "not_allowed_token_type", "no_permission", "ekm_access_denied",
     "access_denied", "invalid_token", "org_login_required"}
)  # fmt: skip
_BUSY: Final = frozenset({"ratelimited", "rate_limited", "service_unavailable"})
_MESSAGE: Final = frozenset(
    {"msg_too_long", "no_text", "invalid_blocks", "invalid_blocks_format", "invalid_payload",
     "msg_blocks_too_long", "too_many_attachments", "invalid_arguments", "invalid_arg_name",
     "message_limit_exceeded", "cannot_reply_to_message", "thread_not_found",
     "missing_text_or_fallback_or_attachments"}
)  # fmt: skip


class SlackPostConfig(ComponentConfig):
    """The message, and where to."""

    channel: str = field(
        "",
        label="Channel",
        kind="text",
        help="Id or name of the channel, such as C0123456789. An incoming webhook has its own.",
        placeholder="C0123456789",
        max_length=200,
        visible_with="bot_token",
    )
    text: str = field(
        label="Text",
        kind="multiline",
        help="The message, in Slack's mrkdwn. Where there are blocks, what notifications show.",
        placeholder="Deployed *shop* to production",
        min_length=1,
        max_length=40_000,
        note="is what everybody in the channel reads, so it takes no secrets",
    )
    blocks: list[JsonValue] = field(
        [],
        label="Blocks",
        kind="json",
        port_type=PortType.LIST,
        help="Slack's Block Kit, as a list.",
        note="is what everybody in the channel reads, so it takes no secrets",
    )
    thread: str = field(
        "",
        label="Thread",
        kind="text",
        help="ts of the message to answer.",
        max_length=40,
    )
    api_url: str = field(
        "https://slack.com/api/",
        label="Slack's address",
        kind="text",
        help="Another one for GovSlack.",
        max_length=300,
        visible_with="bot_token",
        wirable=False,
    )
    timeout: float = time_limit_field(15.0, most=120, help="Seconds for one try.", wirable=True)
    retry_count: int = field(
        2,
        label="Try again",
        kind="number",
        help="How often to send again what Slack was too busy for; it says how long to wait.",
        ge=0,
        le=10,
    )


class SlackPost(Component):
    """Posts a message to Slack."""

    name = "slack.post"
    title = "Slack Message"
    help = (
        "Posts a message to a Slack channel: with a bot's token (scope chat:write), or to an "
        "incoming webhook, whose address is a secret."
    )
    category = "connect"
    icon = "bell"
    summary = "{channel} {text}"
    opens_secrets = True
    retries = True
    uses = ("network",)
    Config = SlackPostConfig
    inputs = (
        Port(
            "bot_token", PortType.SECRET, "Bot token",
            help="Begins with xoxb-. Goes with Channel.",
        ),
        Port(
            "webhook_url", PortType.SECRET, "Webhook URL",
            help="Address of an incoming webhook, in place of a bot's token.",
        ),
    )
    outputs = (
        Port("channel", PortType.TEXT, "Channel", help="Id of the channel; empty for a webhook."),
        Port("ts", PortType.TEXT, "ts", help="Names the message, to answer it in a thread."),
    )
    examples = (
        Example(
            "Tell a channel with a bot",
            config={"channel": "C0123456789", "text": "Deployed *shop* to production"},
            secrets={"bot_token": "slack/bot"},
        ),
        Example(
            "Tell a channel with its webhook", config={"text": "The nightly import failed."},
            secrets={"webhook_url": "slack/webhook"},
        ),
    )
    failures = (
        Failure("slack_not_wired", "Neither or both of Bot token and Webhook URL are wired."),
        Failure("slack_denied", "Slack doesn't know the token, or it lacks chat:write."),
        Failure("slack_channel", "The channel is missing, archived, or the bot isn't in it."),
        Failure("slack_message", "Slack can't use the message: too long, or blocks are wrong."),
        Failure("slack_busy", "Slack was asked too often, or is down; later is better."),
        Failure("slack_refused", "Slack refused for another reason, which the message names."),
        Failure("http_status", "What answered isn't Slack, or refused without a word."),
        Failure("http_timeout", "Slack didn't answer in time."),
        Failure("secret_not_usable", "The secret is no address, or has line breaks in it."),
        Failure("secret_host_denied", "The secret may not go to Slack's host."),
        Failure("egress_refused", "Runs may not connect there."),
        Failure("connection_failed", "Slack can't be reached."),
    )

    @classmethod
    def prepare(cls) -> None:
        """Load what sends."""
        from app.components.http import posting  # noqa: F401

    def run(self, context: Context) -> Mapping[str, Any]:
        """Post the message.

        :raises NodeError: one of :attr:`failures`.
        """
        from app.components.http.addresses import open_line, read_target
        from app.components.http.credentials import Headers
        from app.components.http.posting import post

        config = context.config
        by_token = context.has_secret("bot_token")
        if by_token is context.has_secret("webhook_url"):
            raise NodeError(
                "slack_not_wired",
                "Wire a secret into bot_token, or one into webhook_url: one of the two.",
            )
        message = {"text": config.text}
        message |= {"blocks": config.blocks} if config.blocks else {}
        message |= {"thread_ts": config.thread} if config.thread else {}
        if by_token:
            if not config.channel.strip():
                raise NodeError("slack_channel", "A bot needs Channel: type its id or wire it.")
            message["channel"] = config.channel.strip()
            base = config.api_url.strip().rstrip("/")
            target = read_target(context, "", f"{base}/chat.postMessage")
        else:
            target = read_target(context, "webhook_url", "")

        def headers() -> Headers:
            found: Headers = [("Content-Type", b"application/json; charset=utf-8")]
            if by_token:
                token = open_line(context, "bot_token", target.origin)
                found.append(("Authorization", b"Bearer " + token.encode()))
            return found

        posted = post(
            context, target, json.dumps(message, ensure_ascii=False).encode(), headers,
            seconds=config.timeout, retry_count=config.retry_count,
            busy=lambda found: _said(found)[0] in _BUSY,
        )
        return _outcome(posted, target, by_token)


def _said(posted: Posted) -> tuple[str, Mapping[str, Any]]:
    """Return Slack's error (empty for none) and its answer; a webhook's is a word."""
    try:
        answer = json.loads(posted.text)
    except (ValueError, RecursionError):
        answer = None
    if isinstance(answer, dict):
        return ("" if answer.get("ok") is True else str(answer.get("error", "?")), answer)
    word = posted.text.strip()
    return ("" if word == "ok" else word[:100] or "?", {})


def _outcome(posted: Posted, target: Target, by_token: bool) -> dict[str, Any]:
    error, answer = _said(posted)
    good = 200 <= posted.status <= 299
    if good and not error and (not by_token or answer):
        found = {name: answer.get(name) for name in ("channel", "ts")}
        return {name: one if isinstance(one, str) else "" for name, one in found.items()}
    # Only words that Slack's documentation has are repeated: anything may answer here.
    if posted.status == 429 or error in _BUSY:
        raise NodeError(
            "slack_busy", "Slack is asked too often, or down for now. Try again later.",
            retryable=True,
        )
    if error in _DENIED:
        raise NodeError(
            "slack_denied",
            f"Slack refused the credentials ({error}). Store a token that is valid and has the "
            "scope chat:write.",
        )
    if error in _CHANNEL:
        raise NodeError(
            "slack_channel",
            f"Slack can't post there ({error}). Correct Channel, or invite the bot into it.",
        )
    if error in _MESSAGE:
        raise NodeError(
            "slack_message", f"Slack can't use the message ({error}). Correct Text or Blocks."
        )
    if not good or not answer:
        from app.components.http.posting import status_error

        raise status_error(target, posted.status)
    raise NodeError(
        "slack_refused", "Slack refused the message for a reason that isn't in Tacit's list. Look "
        "at the bot's settings in Slack."
    )
