"""Passwords: what is taken, and their Argon2id hashes (RFC 9106, through argon2-cffi)."""

from __future__ import annotations

import functools
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.errors import Invalid

SHORTEST = 8
"""Fewest characters of a password (NIST SP 800-63B); logins are limited besides."""

LONGEST = 1024
"""Most characters: hashing must not be a way to burn the server's time."""

_hasher = PasswordHasher()


@functools.cache
def _decoy() -> str:
    """Return a hash that nobody's password has, to spend the same time on unknown accounts."""
    return _hasher.hash("no account has this password")


def check_password_rules(password: str, *, email: str = "") -> None:
    """Refuse a password that can't be taken.

    :raises Invalid: ``password_too_short``, ``password_too_long`` or ``password_too_weak``.
    """
    if len(password) < SHORTEST:
        raise Invalid(
            "password_too_short",
            f"The password needs at least {SHORTEST} characters.",
            field="password",
        )
    if len(password) > LONGEST:
        raise Invalid(
            "password_too_long",
            f"The password may have at most {LONGEST} characters.",
            field="password",
        )
    if len(set(password)) < 4 or (email and password.strip().lower() == email):
        raise Invalid(
            "password_too_weak",
            "This password is too easy to guess: choose one that isn't the email address "
            "or the same few characters repeated.",
            field="password",
        )


def hash_password(password: str) -> str:
    """Return the Argon2id hash, with its parameters and salt, as text."""
    return _hasher.hash(_normal(password))


def verify_password(stored: str | None, password: str) -> bool:
    """Compare a password with a stored hash; None (no such account) costs the same and is False."""
    known = stored is not None
    try:
        _hasher.verify(stored if stored is not None else _decoy(), _normal(password)[:LONGEST])
    except (VerificationError, InvalidHashError):
        return False
    return known


def _normal(password: str) -> str:
    # The same key press gives different code points on different systems.
    return unicodedata.normalize("NFC", password)
