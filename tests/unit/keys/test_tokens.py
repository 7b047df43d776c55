"""Service tokens: every check that a token has to pass, one broken at a time."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Unauthenticated
from app.keys.tokens import (
    LEEWAY,
    MAX_LIFETIME,
    TokenRefused,
    decode_public_key,
    key_id_of,
    new_signing_key,
    verify_token,
)
from tests.support.signing import ABSENT, claims_of, sign

KEY = Ed25519PrivateKey.generate()
PUBLIC = KEY.public_key().public_bytes_raw()
AUDIENCE = "tacit:secret-value"


def check(**changes: Any) -> dict[str, Any]:
    """Verify a token whose claims are right but for the changes."""
    token = sign(KEY, "kid-1", claims_of("kid-1", "worker", AUDIENCE, **{"run": "r", **changes}))
    return dict(verify_token(token, PUBLIC, AUDIENCE, ("run",)))


def refused(**changes: Any) -> str:
    """Return the reason that the audit is given."""
    with pytest.raises(TokenRefused) as caught:
        check(**changes)
    # One public answer, whatever the reason.
    assert (caught.value.code, caught.value.status) == ("token_invalid", 401)
    assert caught.value.reason not in caught.value.detail
    return caught.value.reason


HEADER = {"alg": "EdDSA", "kid": "kid-1", "typ": "JWT"}


def right() -> dict[str, Any]:
    return claims_of("kid-1", "worker", AUDIENCE, run="r")


def written(header: dict[str, Any], claims: dict[str, Any] | str) -> str:
    """Sign any header and text with the right key."""
    texts = json.dumps(header), claims if isinstance(claims, str) else json.dumps(claims)
    signed = ".".join(
        base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode() for text in texts
    )
    signature = base64.urlsafe_b64encode(KEY.sign(signed.encode())).rstrip(b"=").decode()
    return f"{signed}.{signature}"


def refused_text(token: str) -> str:
    with pytest.raises(TokenRefused) as caught:
        verify_token(token, PUBLIC, AUDIENCE, ("run",))
    return caught.value.reason


def now() -> int:
    return int(time.time())


def test_a_good_token() -> None:
    assert verify_token(written(HEADER, right()), PUBLIC, AUDIENCE)["run"] == "r"
    assert check()["run"] == "r"
    assert check(exp=now() + MAX_LIFETIME)["aud"] == AUDIENCE


def test_clocks_may_differ_a_little() -> None:
    assert check(iat=now() - 60 - LEEWAY + 3, nbf=now() - 60, exp=now() - LEEWAY + 3)
    assert check(iat=now() + LEEWAY - 3, nbf=now() + LEEWAY - 3, exp=now() + LEEWAY + 10)


@pytest.mark.parametrize("name", ["iss", "sub", "aud", "iat", "nbf", "exp", "jti", "run"])
def test_every_claim_has_to_be_there(name: str) -> None:
    assert refused(**{name: ABSENT})
    assert refused(**{name: None})


def test_expired() -> None:
    assert refused(iat=now() - 95, nbf=now() - 95, exp=now() - LEEWAY - 5)


def test_not_yet_valid() -> None:
    assert refused(nbf=now() + LEEWAY + 10)
    assert refused(iat=now() + LEEWAY + 10, nbf=now(), exp=now() + LEEWAY + 50)


@pytest.mark.parametrize("lifetime", [MAX_LIFETIME + 1, 3600, 10**9, 10**30])
def test_too_long_lived(lifetime: int) -> None:
    assert refused(exp=now() + lifetime)


def test_a_token_that_ends_before_it_began() -> None:
    assert refused(iat=now() + 5, exp=now() + 5)
    assert refused(iat=now() + 10, exp=now() + 2)


@pytest.mark.parametrize(
    "audience",
    ["tacit:run", "tacit:claim", "tacit:worker", "TACIT:SECRET-VALUE", "tacit:secret-value ", "",
     [AUDIENCE], [AUDIENCE, "other"], 7],
)
def test_wrong_audience(audience: object) -> None:
    assert refused(aud=audience)


@pytest.mark.parametrize("name", ["iat", "nbf", "exp"])
@pytest.mark.parametrize(
    "moment", ["1790000000", "soon", True, [1], {}, float("inf"), float("-inf"), float("nan")]
)
def test_times_are_numbers(name: str, moment: object) -> None:
    assert refused(**{name: moment})


@pytest.mark.parametrize("jti", ["", "short", "x" * 65, 12345678, ["a"], "\ud800" * 9, "a\0" * 5])
def test_a_jti_is_a_short_plain_text(jti: object) -> None:
    assert refused(jti=jti)


@pytest.mark.parametrize(
    "header",
    [{"crit": ["exp"], "exp": 1}, {"b64": False}, {"crit": []}],
    ids=["critical", "unencoded", "empty-critical"],
)
def test_extensions_are_refused(header: dict[str, Any]) -> None:
    assert refused_text(written({"alg": "EdDSA", "kid": "kid-1", **header}, right()))


@pytest.mark.parametrize(
    "payload",
    [
        lambda text: text[:-1] + ', "run": "other"}',
        lambda text: text[:-1] + ', "more": NaN}',
        lambda text: f"[{text}]",
        lambda text: text[:-1],
        lambda text: "[" * 100_000,
        lambda text: "",
    ],
    ids=["a-name-twice", "nan", "a-list", "cut", "deep", "empty"],
)
def test_claims_that_two_readers_could_read_differently(payload: Callable[[str], str]) -> None:
    assert refused_text(written(HEADER, payload(json.dumps(right()))))


@pytest.mark.parametrize(
    "change",
    [
        lambda token: token + "=", lambda token: token + "\n", lambda token: token + ".",
        lambda token: token.replace(".", "..", 1), lambda token: token[:-1] + "é",
        lambda token: token.replace(".", ".\ud800", 1), lambda token: "." + token,
        lambda token: token.rsplit(".", 1)[0] + ".", lambda token: token.rsplit(".", 1)[0],
    ],
)
def test_a_token_is_written_in_one_way(change: Callable[[str], str]) -> None:
    assert refused_text(change(written(HEADER, right())))


@given(st.integers(0, 10_000), st.text(max_size=3), st.integers(0, 3))
def test_what_is_taken_here_pyjwt_takes_too(position: int, inserted: str, cut: int) -> None:
    token = written(HEADER, right())
    position %= len(token)
    token = token[:position] + inserted + token[position + cut :]
    try:
        claims = verify_token(token, PUBLIC, AUDIENCE, ("run",))
    except TokenRefused:
        return
    assert claims == jwt.decode(
        token, KEY.public_key(), algorithms=["EdDSA"], audience=AUDIENCE,
        options={"require": ["iss", "sub", "aud", "iat", "nbf", "exp", "jti", "run"]},
    )


def test_another_key() -> None:
    token = sign(Ed25519PrivateKey.generate(), "kid-1", claims_of("kid-1", "worker", AUDIENCE))
    with pytest.raises(TokenRefused):
        verify_token(token, PUBLIC, AUDIENCE)


@given(st.integers(0, 10_000), st.sampled_from("AaZz09_-"))
def test_a_changed_character_is_refused(position: int, character: str) -> None:
    token = sign(KEY, "kid-1", claims_of("kid-1", "worker", AUDIENCE))
    place = position % len(token)
    changed = token[:place] + character + token[place + 1:]
    if _signed_bytes(changed) == _signed_bytes(token):
        return
    with pytest.raises(Unauthenticated):
        verify_token(changed, PUBLIC, AUDIENCE)


def _signed_bytes(token: str) -> tuple[str, bytes] | None:
    """What the signature covers, and the signature without base64's unused bits."""
    head, _, tail = token.rpartition(".")
    try:
        return head, base64.urlsafe_b64decode(tail + "=" * (-len(tail) % 4))
    except ValueError:
        return None


def _encode(part: object) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _refused(token: str) -> None:
    """Both steps of a check are tried: neither may let it through."""
    with pytest.raises(TokenRefused):
        verify_token(token, PUBLIC, AUDIENCE)
    with pytest.raises(TokenRefused):
        key_id_of(token)


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", None, ["EdDSA"], 5])
def test_unsigned_tokens(algorithm: object) -> None:
    claims = claims_of("kid-1", "worker", AUDIENCE)
    _refused(f"{_encode({'alg': algorithm, 'kid': 'kid-1'})}.{_encode(claims)}.")


@pytest.mark.parametrize(
    "secret",
    [PUBLIC, _encode(PUBLIC).encode(), PUBLIC.hex().encode()],
    ids=["raw", "base64url", "hex"],  # the key is another in each process of the tests
)
def test_the_public_key_is_no_hmac_secret(secret: bytes) -> None:
    """The classic confusion: a public key taken as the key of HS256."""
    claims = claims_of("kid-1", "worker", AUDIENCE)
    signed = f"{_encode({'alg': 'HS256', 'kid': 'kid-1'})}.{_encode(claims)}"
    tag = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
    _refused(f"{signed}.{_encode(tag)}")


def test_a_signed_token_that_names_another_algorithm() -> None:
    header, claims = {"alg": "ES256", "kid": "kid-1"}, claims_of("kid-1", "worker", AUDIENCE)
    signed = f"{_encode(header)}.{_encode(claims)}"
    _refused(f"{signed}.{_encode(KEY.sign(signed.encode()))}")


@pytest.mark.parametrize(
    "header",
    [{"jku": "https://evil.example/jwks"}, {"jwk": {"kty": "OKP", "crv": "Ed25519"}},
     {"x5u": "https://evil.example"}, {"x5c": ["AAAA"]}],
)
def test_keys_in_the_header_are_ignored(header: dict[str, Any]) -> None:
    claims = claims_of("kid-1", "worker", AUDIENCE)
    evil = Ed25519PrivateKey.generate()
    token = jwt.encode(claims, evil, "EdDSA", headers={"kid": "kid-1", **header})
    with pytest.raises(TokenRefused):
        verify_token(token, PUBLIC, AUDIENCE)


def test_unknown_critical_headers_are_refused() -> None:
    header = {"alg": "EdDSA", "kid": "kid-1", "crit": ["exp2"], "exp2": 1}
    signed = f"{_encode(header)}.{_encode(claims_of('kid-1', 'worker', AUDIENCE))}"
    with pytest.raises(TokenRefused):
        verify_token(f"{signed}.{_encode(KEY.sign(signed.encode()))}", PUBLIC, AUDIENCE)


@pytest.mark.parametrize(
    "kid",
    [None, "", "k" * 65, 7, ["kid-1"], {"a": 1}, "\ud800", "a\0b", "kíd", ABSENT],
    ids=lambda kid: "absent" if kid is ABSENT else ascii(kid)[:20],
)
def test_odd_key_ids(kid: object) -> None:
    header = {"alg": "EdDSA"} if kid is ABSENT else {"alg": "EdDSA", "kid": kid}
    signed = f"{_encode(header)}.{_encode(claims_of('kid-1', 'worker', AUDIENCE))}"
    with pytest.raises(TokenRefused):
        key_id_of(f"{signed}.{_encode(KEY.sign(signed.encode()))}")


@pytest.mark.parametrize("kid", ["../../etc/passwd", "' or 1=1 --", "kid-1"])
def test_a_key_id_only_looks_up(kid: str) -> None:
    assert key_id_of(sign(KEY, kid, claims_of("kid-1", "worker", AUDIENCE))) == kid


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", "a.b.c", "a", "e30.e30.", "bnVsbA.e30.AA", "W10.e30.AA", "\ud800.a.b", "é.é.é",
     "." * 4000, "eyJhbGciOiJFZERTQSJ9", "W1tb" * 900 + ".e30.AA"],
)
def test_what_is_no_token(text: str) -> None:
    _refused(text)


@pytest.mark.parametrize("body", [b"null", b"[]", b"7", b"{", b"", b"\xff", b"[" * 20_000])
def test_signed_nonsense(body: bytes) -> None:
    signed = f"{_encode({'alg': 'EdDSA', 'kid': 'kid-1'})}.{_encode(body)}"
    with pytest.raises(TokenRefused):
        verify_token(f"{signed}.{_encode(KEY.sign(signed.encode()))}", PUBLIC, AUDIENCE)


@pytest.mark.parametrize("raw", [b"", b"k" * 31, b"k" * 33])
def test_a_stored_key_of_the_wrong_size_verifies_nothing(raw: bytes) -> None:
    token = sign(KEY, "kid-1", claims_of("kid-1", "worker", AUDIENCE))
    with pytest.raises(TokenRefused):
        verify_token(token, raw, AUDIENCE)


def test_new_keys() -> None:
    private, public = new_signing_key()
    raw = base64.urlsafe_b64decode(private + "=")
    assert Ed25519PrivateKey.from_private_bytes(raw).public_key().public_bytes_raw() == public
    assert new_signing_key()[1] != public


def test_public_keys_are_read() -> None:
    assert decode_public_key(_encode(PUBLIC)) == PUBLIC
    for text in (None, 7, "", "AAAA", _encode(PUBLIC + b"x"), "é" * 43, "x" * 5000, [1]):
        with pytest.raises(TokenRefused):
            decode_public_key(text)
