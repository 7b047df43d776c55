"""What a secret may be: each limit at its edge, and no refusal that quotes a value."""

from __future__ import annotations

import json

import pytest

from app.errors import Invalid
from app.vault import policy
from app.vault.policy import NewSecret, check_value
from tests.support.installation import canary


def refused(check: object, *arguments: object, **options: object) -> Invalid:
    with pytest.raises(Invalid) as caught:
        check(*arguments, **options)  # type: ignore[operator]
    return caught.value


def code(value: str, *, allow_weak: bool = False) -> str:
    error = refused(check_value, value, allow_weak=allow_weak)
    assert error.field == "value"
    assert len(value) < 8 or not value.strip() or value.strip() not in error.detail
    return error.code


@pytest.mark.parametrize(
    "name", ["a", "A.b_c-d", "team/prod/db", "0", ".", "..", "a" * 128, "a//b", "stripe.live-key"]
)
def test_names(name: str) -> None:
    assert policy.check_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "a" * 129, "/a", "a/", "/", "a b", " a", "a\n", "a\0", "é", "ａ", "а", "a:b", "a%2fb",
     "a\\b", "a*", "{{x}}", "<b>", "名"],
)
def test_names_that_are_refused(name: str) -> None:
    error = refused(policy.check_name, name)
    assert (error.code, error.field) == ("secret_name_invalid", "name")


@pytest.mark.parametrize("value", ["", " ", "\n\t  ", "\u00a0\u2003", "\r\n"])
def test_blank(value: str) -> None:
    assert code(value, allow_weak=True) == "secret_blank"


@pytest.mark.parametrize("value", ["a", "abc", "  ab1  ", "é1!"])
def test_too_short_to_mask_whatever_is_allowed(value: str) -> None:
    assert code(value, allow_weak=True) == "secret_too_short"
    assert code(value) == "secret_too_short"


@pytest.mark.parametrize(
    "value", ["abcd", "abcdefg", "  abcdefg  ", "aaaaaaaaaaaaaaaa", "abcdabcdabcdabcd", "11112222"]
)
def test_weak_values_are_taken_when_that_is_wanted(value: str) -> None:
    assert code(value) == "secret_too_weak"
    assert check_value(value, allow_weak=True) is True


@pytest.mark.parametrize(
    "value", ["abcdefgh", "abcde" * 2, "pässwört", canary()],
    ids=["8", "repeated", "unicode", "canary"],
)
@pytest.mark.parametrize("allowed", [True, False])
def test_strong_values_stay_strong(value: str, allowed: bool) -> None:
    assert check_value(value, allow_weak=allowed) is False


def test_leaves_and_lines_are_not_judged() -> None:
    assert check_value('{"pin": "12", "user": "root"}', allow_weak=False) is False
    assert check_value("ab\ncdefghij\n1", allow_weak=False) is False


def test_size_counts_bytes() -> None:
    alphabet = "abcdefgh"
    assert check_value(alphabet * (64 * 1024 // 8), allow_weak=False) is False
    assert code(alphabet * (64 * 1024 // 8) + "x") == "secret_too_large"
    assert code("é" * (32 * 1024) + "é") == "secret_too_large"


@pytest.mark.parametrize("value", ["abcdefgh\0", "\0", "abcdefgh\ud800", "\udfff" * 9], ids=ascii)
def test_text_only(value: str) -> None:
    assert code(value) == "secret_not_text"


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r", "\u2028", "\x0b"], ids=ascii)
def test_lines_as_the_masker_counts_them(ending: str) -> None:
    """The masker registers a pattern for each line that ``str.splitlines`` finds."""
    line = "line-of-text"
    assert check_value(ending.join([line] * 200), allow_weak=False) is False
    assert check_value(f"{line}{ending}" * 200, allow_weak=False) is False
    assert code(ending.join([line] * 201)) == "secret_too_many_lines"


def test_json_leaves() -> None:
    assert check_value(json.dumps(list(range(200))), allow_weak=False) is False
    assert code(json.dumps(list(range(201)))) == "secret_too_many_leaves"
    nested = {"a": [{"b": list(range(100))}, {"c": {str(n): n for n in range(101)}}]}
    assert code("  " + json.dumps(nested)) == "secret_too_many_leaves"
    # No JSON, or too deep to be read: one text.
    assert check_value("[1, 2, 3" + ", 4" * 300, allow_weak=False) is False
    assert check_value("[" * 20_000 + "abcdefgh", allow_weak=False) is False


def test_tags() -> None:
    assert policy.check_tags([" a ", "b", "a"]) == ["a", "b"]
    assert policy.check_tags([]) == []
    assert len(policy.check_tags([str(n) for n in range(50)])) == 50
    assert policy.check_tags(["x" * 64, "日本語"]) == ["x" * 64, "日本語"]
    assert refused(policy.check_tags, [str(n) for n in range(51)]).code == "too_many_tags"
    for tag in ("", " ", "x" * 65, "a\nb", "a\0"):
        assert refused(policy.check_tags, [tag]).code == "tag_invalid"


def test_hosts() -> None:
    good = ["api.example.com", "API.example.com:8443", "*.example.com", "local", "[::1]:443",
            "127.0.0.1", "xn--bcher-kva.example"]
    assert policy.check_hosts(good) == [host.lower() for host in good]
    assert policy.check_hosts(None) is None
    assert policy.check_hosts([]) == []
    for host in ("", "https://example.com", "example.com/path", "*", "*.", "a b", "-a.com", "a..b",
                 "exa*mple.com", "example.com:", "user@example.com", "example.com\n.evil.com",
                 "bücher.example"):
        assert refused(policy.check_hosts, [host]).code == "allowed_host_invalid", host
    assert refused(policy.check_hosts, [f"h{n}" for n in range(101)]).field == "allowed_hosts"


def test_texts_and_periods() -> None:
    policy.check_texts("d" * 2000, "o" * 254, 1)
    policy.check_texts("two\nlines", "", 3650)
    assert refused(policy.check_texts, "d" * 2001, "", None).code == "description_too_long"
    assert refused(policy.check_texts, "a\0b", "", None).field == "description"
    assert refused(policy.check_texts, "", "o" * 255, None).code == "owner_invalid"
    assert refused(policy.check_texts, "", "a\nb", None).code == "owner_invalid"
    for period in (0, -1, 3651):
        assert refused(policy.check_texts, "", "", period).code == "rotation_period_invalid"


def test_a_new_secrets_value_stays_out_of_its_repr() -> None:
    value = canary()
    assert value not in repr(NewSecret(name="a", value=value))
    assert value not in str(NewSecret(name="a", value=value))
