"""Credentials typed into ordinary fields: found when a flow is looked at, never quoted.

Pure. Known formats come from detect-secrets' detectors (docs/adr/0004-credential-detectors.md);
beside them a field whose name says that it holds one, and words of high entropy. A finding names
the node, the field and the kind, never a part of the text.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import import_module
from typing import Any, Final

from app.components.ports import PortType
from app.components.problems import Problem, Remedy
from app.components.registry import Registry
from app.flows.graph import Graph, Node
from app.flows.wires import label_of

CODE: Final = "hardcoded_credential"
MAX_FINDINGS: Final = 50
_MAX_TEXT: Final = 20_000
_SKIPPED: Final = frozenset({"secretName", "version", "outputFormat"})

#: Detectors of one format each; those that guess from whole source files are left out.
_DETECTORS: Final[Mapping[str, str]] = {
    "aws:AWSKeyDetector": "an AWS access key",
    "azure_storage_key:AzureStorageKeyDetector": "an Azure storage key",
    "artifactory:ArtifactoryDetector": "an Artifactory token",
    "basic_auth:BasicAuthDetector": "a password in an address",
    "discord:DiscordBotTokenDetector": "a Discord token",
    "github_token:GitHubTokenDetector": "a GitHub token",
    "jwt:JwtTokenDetector": "a JSON Web Token",
    "mailchimp:MailchimpDetector": "a Mailchimp key",
    "npm:NpmDetector": "an npm token",
    "sendgrid:SendGridDetector": "a SendGrid key",
    "slack:SlackDetector": "a Slack token",
    "square_oauth:SquareOAuthDetector": "a Square token",
    "stripe:StripeDetector": "a Stripe key",
    "twilio:TwilioKeyDetector": "a Twilio key",
}
_TELLING = re.compile(
    r"pass(word|wd|phrase)?$|secret$|token$|api[-_]?key|private[-_]?key|credential|^authorization$"
    r"|^x-api-key$|^cookie$", re.I,
)
_SCHEME = re.compile(r"^(bearer|basic|token)\s+", re.I)
_PLACEHOLDER = re.compile(r"\{\{.*?\}\}|\{[A-Za-z_][\w.]*\}|\$\{[^}]*\}|<[^<>]*>", re.S)
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/=_-])[A-Za-z0-9+/_-]{24,}={0,2}(?![A-Za-z0-9+/=_-])")
_PEM = re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY")
_HEX = re.compile(r"(?<![A-Za-z0-9-])[0-9a-fA-F]{32,}(?![A-Za-z0-9-])")


@dataclass(frozen=True, slots=True)
class Found:
    """A credential in a field, or in a note of the canvas.

    :ivar node: empty for a note, whose id is in ``path``.
    :ivar path: the field and the keys below it, joined by dots.
    :ivar kind: what it looks like, with its article.
    :ivar text: what stands there. For whoever stores it; never shown.
    """

    node: str
    path: tuple[str, ...]
    kind: str
    text: str

    @property
    def field(self) -> str:
        """The place as problems name it."""
        return ".".join(self.path)

    def __repr__(self) -> str:
        return f"Found({self.node!r}, {self.field!r}, {self.kind!r})"


def find_credentials(graph: Graph) -> list[Found]:
    """Return the ordinary fields that look as if they hold a credential, in document order, and
    the notes that do."""
    found = [found for node in graph.nodes for found in credentials_of(node)]
    for note in graph.marks.notes:
        # A name before it, as people write it down, tells as a field's does.
        for line in note.text[:_MAX_TEXT].splitlines():
            name, _, rest = line.rpartition(":") if ":" in line else line.rpartition("=")
            kind = _kind_of(name.strip(), rest.strip() if name else line)
            if kind is not None:
                found.append(Found("", ("notes", note.id), kind, note.text))
                break
    return found[:MAX_FINDINGS]


def credentials_of(node: Node) -> Iterator[Found]:
    """Yield a node's fields that look as if they hold a credential."""
    for path, text in _texts(node.config, ()):
        kind = _kind_of(path[-1], text)
        if kind is not None:
            yield Found(node.id, path, kind, text)


def credential_problem(found: Found, graph: Graph, registry: Registry, *, refuse: bool) -> Problem:
    """Return the finding for people, with the step that mends it.

    :param refuse: whether the environment takes no such flow as active.
    """
    if not found.node:
        # Nothing can be wired from a note, and it never runs: it is told of, and in no run's way.
        return Problem(
            CODE, "warning",
            f"A note on the canvas has what looks like {found.kind}. Everybody who can see the "
            "flow reads it there. Store it as a secret and remove it from the note, or mark it if "
            "it is none.",
            field=found.field,
            remedy=Remedy("mark_no_credential", "Not a credential", {"field": found.field}),
        )
    node = graph.by_id[found.node]
    ports = secret_ports(node, registry)
    remedy = Remedy(
        "store_as_secret", "Store as secret and wire it",
        {"target": node.id, "field": found.field, "ports": ports},
    )
    place = found.field[:100]
    return Problem(
        CODE, "error" if refuse else "warning",
        f"{label_of(node, registry)} has what looks like {found.kind} in {place}. Everybody who "
        "can see the flow reads it there, and nothing masks it. Store it as a secret and wire it, "
        "or mark it if it is none.",
        node=node.id, field=found.field, remedy=remedy,
    )


def secret_ports(node: Node, registry: Registry) -> list[str]:
    """Return the inputs of a node that take a secret."""
    component = registry.find(node.component, node.version)
    if component is None:
        return []
    ports = component.shape(node.config).into.values()
    return [port.name for port in ports if port.type is PortType.SECRET]


def _texts(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, str):
        if path and len(value) >= 8:
            yield path, value[:_MAX_TEXT]
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            if path or key not in _SKIPPED:
                yield from _texts(inner, (*path, str(key)[:64]))
    elif isinstance(value, list):
        for number, inner in enumerate(value[:200]):
            yield from _texts(inner, (*path, str(number)))


def _kind_of(name: str, text: str) -> str | None:
    if _TELLING.search(name):
        rest = _PLACEHOLDER.sub("", _SCHEME.sub("", text.strip())).strip()
        if len(rest) >= 8 and len(set(rest)) >= 5 and " " not in rest:
            return "a credential"
    plain = _PLACEHOLDER.sub(" ", text)
    if _PEM.search(plain):
        return "a private key"
    # Many texts are looked at again and again; what is remembered is their digest alone.
    return _remembered(_Text(plain))


class _Text:
    """A text that is remembered by its digest."""

    __slots__ = ("digest", "text")

    def __init__(self, text: str) -> None:
        self.text: str | None = text
        self.digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=20).digest()

    def __hash__(self) -> int:
        return hash(self.digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Text) and other.digest == self.digest


@lru_cache(maxsize=4096)
def _remembered(text: _Text) -> str | None:
    words, text.text = text.text or "", None
    for detector, kind in _detectors():
        for line in words.splitlines():
            if any(True for _ in detector.analyze_string(line)):
                return kind
    return "a random key" if _is_random(words) else None


@cache
def _detectors() -> list[tuple[Any, str]]:
    made = []
    for place, kind in _DETECTORS.items():
        module, _, name = place.partition(":")
        made.append((getattr(import_module(f"detect_secrets.plugins.{module}"), name)(), kind))
    return made


def _is_random(text: str) -> bool:
    if any(_entropy(word) > 3.2 and not word.isdecimal() for word in _HEX.findall(text)):
        return True
    return any(
        _entropy(word) > 4.2
        and any(one.isdigit() for one in word)
        and any(one.isupper() for one in word)
        and any(one.islower() for one in word)
        for word in _BASE64.findall(text)
    )


def _entropy(word: str) -> float:
    """Return Shannon's entropy of a word's characters, in bits a character."""
    return -sum(
        count / len(word) * math.log2(count / len(word)) for count in Counter(word).values()
    )
