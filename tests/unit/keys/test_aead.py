"""Envelope encryption: what it is bound to, and that nothing else opens it."""

from __future__ import annotations

import hashlib
import struct

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from app.keys.aead import (
    DecryptionFailed,
    Envelope,
    Location,
    encode_fields,
    seal_payload,
    unwrap_key,
    wrap_key,
)
from app.keys.keyring import Keyring, LocalKek, fingerprint

PLACE = Location("deployment", "environment", "secret", 3, "blob")
KEY = bytes(range(32))
RING = Keyring(LocalKek(fingerprint(KEY), KEY))


def test_fields_are_length_prefixed() -> None:
    assert encode_fields("ab", b"\x00c", "") == b"\0\0\0\x02ab\0\0\0\x02\x00c\0\0\0\0"
    assert encode_fields("é") == b"\0\0\0\x02\xc3\xa9"
    assert encode_fields() == b""


@given(st.lists(st.text(max_size=8), max_size=5), st.lists(st.text(max_size=8), max_size=5))
def test_no_two_field_lists_share_an_encoding(one: list[str], other: list[str]) -> None:
    assert (encode_fields(*one) == encode_fields(*other)) == (one == other)


def test_the_envelope_is_what_the_design_says() -> None:
    """Opened by hand, with the associated data written out: the format may not drift."""
    sealed = RING.seal(PLACE, b"value")

    def data(*fields: bytes) -> bytes:
        return b"".join(struct.pack(">I", len(field)) + field for field in fields)

    where = (b"deployment", b"environment", b"secret", b"3", b"blob")
    dek = AESGCM(KEY).decrypt(
        sealed.wrapped_dek[:12],
        sealed.wrapped_dek[12:],
        data(
            b"tacit/wrap", b"A256GCM", sealed.kek_id.encode(), *where,
            hashlib.sha256(sealed.ciphertext).digest(),
        ),
    )
    assert len(dek) == 32
    payload = data(b"tacit/payload", b"1", b"A256GCM", *where)
    assert AESGCM(dek).decrypt(sealed.nonce, sealed.ciphertext, payload) == b"value"
    assert (sealed.format, sealed.algorithm, len(sealed.nonce)) == (1, "A256GCM", 12)


def test_a_value_sealed_by_an_older_release_still_opens() -> None:
    """A vector that was written down; changing the format breaks it."""
    stored = Envelope(
        1,
        "A256GCM",
        bytes.fromhex("97ee5f1382872fbe84286fa6"),
        bytes.fromhex(
            "f695f53bd2b76c0f46df971b475075b90cd4dc08b802a299105762b41833a16d4117c2"
        ),
        "kek-7324f155e32d71631504",
        bytes.fromhex(
            "c3646d2b3e27964c87ad14e0120873571b2edba91a5f4085ede0db5393c8"
            "5e96c47a7c7deb3db247bb9c71e250f3360469125b6deec0dd349a9c1b89"
        ),
    )
    assert RING.open(PLACE, stored) == b"a value from before"


@given(st.binary(max_size=200))
def test_what_is_sealed_is_opened(plaintext: bytes) -> None:
    sealed = RING.seal(PLACE, plaintext)
    assert plaintext not in sealed.ciphertext or len(plaintext) < 4
    assert RING.open(PLACE, sealed) == plaintext


def test_the_same_value_never_looks_the_same() -> None:
    one, other = RING.seal(PLACE, b"same"), RING.seal(PLACE, b"same")
    assert one.nonce != other.nonce
    assert one.ciphertext != other.ciphertext
    assert one.wrapped_dek[:12] != other.wrapped_dek[:12]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("deployment_id", "other"),
        ("environment_id", "other"),
        ("secret_id", "other"),
        ("version", 4),
        ("blob_id", "other"),
    ],
)
def test_a_value_opens_in_its_place_alone(field: str, value: object) -> None:
    sealed = RING.seal(PLACE, b"value")
    place = {name: getattr(PLACE, name) for name in Location.__slots__}
    with pytest.raises(DecryptionFailed):
        RING.open(Location(**{**place, field: value}), sealed)


def test_fields_of_a_place_do_not_run_into_each_other() -> None:
    sealed = RING.seal(Location("d", "ab", "c", 1, "b"), b"value")
    with pytest.raises(DecryptionFailed):
        RING.open(Location("d", "a", "bc", 1, "b"), sealed)


@given(
    st.sampled_from(["nonce", "ciphertext", "wrapped_dek"]),
    st.integers(0, 10_000),
    st.integers(0, 7),
)
def test_any_flipped_bit_is_refused(field: str, position: int, bit: int) -> None:
    sealed = RING.seal(PLACE, b"a value of some length")
    damaged = bytearray(getattr(sealed, field))
    damaged[position % len(damaged)] ^= 1 << bit
    changed = {name: getattr(sealed, name) for name in Envelope.__slots__}
    with pytest.raises(DecryptionFailed) as caught:
        RING.open(PLACE, Envelope(**{**changed, field: bytes(damaged)}))
    assert not caught.value.args


@given(
    st.sampled_from(["nonce", "ciphertext", "wrapped_dek"]), st.binary(max_size=80)
)
def test_anything_else_in_its_stead_is_refused(field: str, content: bytes) -> None:
    sealed = RING.seal(PLACE, b"value")
    changed = {name: getattr(sealed, name) for name in Envelope.__slots__}
    with pytest.raises(DecryptionFailed):
        RING.open(PLACE, Envelope(**{**changed, field: content}))


@pytest.mark.parametrize(
    ("field", "value"), [("format", 2), ("algorithm", "A128GCM"), ("kek_id", "kek-other")]
)
def test_another_format_algorithm_or_key_is_refused(field: str, value: object) -> None:
    sealed = RING.seal(PLACE, b"value")
    changed = {name: getattr(sealed, name) for name in Envelope.__slots__}
    with pytest.raises(DecryptionFailed):
        RING.open(PLACE, Envelope(**{**changed, field: value}))


def test_a_data_key_is_bound_to_the_ciphertext_that_it_opens() -> None:
    dek = bytes(32)
    _, ciphertext = seal_payload(dek, PLACE, b"value")
    _, other = seal_payload(dek, PLACE, b"other")
    wrapped = wrap_key(KEY, "kek-1", PLACE, ciphertext, dek)
    assert unwrap_key(KEY, "kek-1", PLACE, ciphertext, wrapped) == dek
    for kek_id, against in (("kek-1", other), ("kek-2", ciphertext)):
        with pytest.raises(DecryptionFailed):
            unwrap_key(KEY, kek_id, PLACE, against, wrapped)


def test_a_keyring_opens_what_an_older_key_wrapped() -> None:
    old = LocalKek(fingerprint(bytes(32)), bytes(32))
    sealed = Keyring(old).seal(PLACE, b"value")
    new = LocalKek(fingerprint(KEY), KEY)
    assert Keyring(new, {old.id: old}).open(PLACE, sealed) == b"value"
    with pytest.raises(DecryptionFailed):
        Keyring(new).open(PLACE, sealed)


def test_the_fingerprint_tells_keys_apart_and_shows_nothing() -> None:
    assert fingerprint(KEY) == "kek-7324f155e32d71631504"
    assert fingerprint(KEY) == fingerprint(bytes(range(32)))
    assert fingerprint(bytes(32)) != fingerprint(KEY)
    assert KEY.hex() not in fingerprint(KEY)
    assert KEY.hex() not in repr(LocalKek("kek-1", KEY))
    assert "\\x01" not in repr(LocalKek("kek-1", KEY))
