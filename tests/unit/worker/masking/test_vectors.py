"""What other maskers are tried with, and where they leak: vectors of our own, by their rules.

GitHub's runner masks a value's base64 beside others, its JSON, URL, XML and shell spellings;
Buildkite's agent streams byte by byte; Airflow walks nested data; Jenkins tries shell quotings.
"""

from __future__ import annotations

import base64
import itertools
import json
import urllib.parse
from collections.abc import Callable, Iterator

import pytest

from worker.masking import MASK, Masker, mask_object, mask_stream

VALUE = 'pA$$ w0rd/+=\'"<&>\\ü%'


def masked(text: str, *secrets: str) -> str:
    return "".join(mask_stream(secrets, [text]))


ENCODERS: dict[str, Callable[[str], str]] = {
    "JSON": lambda v: json.dumps(v)[1:-1],
    "JSON, upper": lambda v: json.dumps(v)[1:-1].replace("\\u00fc", "\\u00FC"),
    "JSON, Unicode": lambda v: json.dumps(v, ensure_ascii=False)[1:-1],
    "JSON, all escaped": lambda v: "".join(f"\\u{ord(c):04x}" for c in v),
    "JSON, all escaped, upper": lambda v: "".join(f"\\u{ord(c):04X}" for c in v),
    "URL": lambda v: urllib.parse.quote(v, safe=""),
    "URL, form": lambda v: urllib.parse.quote_plus(v),
    "URL, all escaped": lambda v: "".join(f"%{b:02X}" for b in v.encode()),
    "URL, all escaped, lower": lambda v: "".join(f"%{b:02x}" for b in v.encode()),
    "C": lambda v: "".join(f"\\x{b:02x}" for b in v.encode()),
    "XML": lambda v: v.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
                      .replace("'", "&apos;").replace('"', "&quot;").replace("ü", "&#xFC;"),
    "HTML": lambda v: v.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
                       .replace("'", "&#39;").replace('"', "&quot;").replace("ü", "&#252;"),
    "shell": lambda v: v.replace("'", "'\\''"),
    "SQL": lambda v: v.replace("'", "''"),
    "CSV": lambda v: v.replace('"', '""'),
    "repr": lambda v: repr(v)[1:-1],
    "bytes": lambda v: repr(v.encode())[2:-1],
    "hex": lambda v: v.encode().hex(),
    "HEX": lambda v: v.encode().hex().upper(),
    "UTF-16, as text": lambda v: v.encode("utf-16-be").decode("latin-1"),
}


@pytest.mark.parametrize("name", ENCODERS)
def test_every_spelling(name: str) -> None:
    value = VALUE.replace("ü", "u") if name.startswith("UTF-16") else VALUE
    spelled = ENCODERS[name](value)
    for chunks in ([f"before {spelled} after"], iter(f"before {spelled} after")):
        out = "".join(mask_stream([value], chunks))
        # A backslash that only begins the spelling may stay.
        assert out.replace(f"\\{MASK}", MASK) == f"before {MASK} after"


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize(("before", "after"), list(itertools.product(
    ["", "u:", "us:", "user:"], ["", "!", "!!", "\n"])))
def test_base64_beside_a_user_and_a_line_break(
    encode: Callable[[bytes], bytes], before: str, after: str
) -> None:
    out = masked(encode(f"{before}{VALUE}{after}".encode()).decode(), VALUE)
    assert MASK in out
    # What is left is what the neighbours, not the value, decide.
    assert len(out) <= len(MASK) + 4 * (len(before) + 2) // 3 + 8


OVERLAPS = [
    (["abcdefgh", "abcdefghijkl"], "abcdefghijklm", "***m"),
    (["abcdefghijkl", "efgh1234"], "abcdefgh1234", "abcd***"),
    (["abcdefgh", "fghijklm", "klmnopqr"], "-abcdefghijklmnopqr-", "-***-"),
    (["secret-01", "secret-02"], "secret-01secret-02", "***"),
    (["secret-01", "secret-012"], "secret-0123", "***3"),
    (["aabaabcdef"], "aabaabaabcdef", "aab***"),
    (["password"], "passwordpasswordpasswor", "***passwor"),
]


@pytest.mark.parametrize(("secrets", "text", "expected"), OVERLAPS)
def test_overlaps_in_one_piece_and_byte_by_byte(
    secrets: list[str], text: str, expected: str
) -> None:
    assert masked(text, *secrets) == expected
    assert "".join(mask_stream(secrets, iter(text))) == expected
    for size in (2, 3, 5, 7):
        chunks = [text[at:at + size] for at in range(0, len(text), size)]
        assert "".join(mask_stream(secrets, iter(chunks))) == expected


@pytest.mark.parametrize("spell", [
    lambda v: v, lambda v: "".join(f"\\u{ord(c):04x}" for c in v), repr,
    lambda v: v.encode("utf-16-le").decode("latin-1"),
])
def test_json_in_json_at_any_depth(spell: Callable[[str], str]) -> None:
    for value in ('tok"en-\\01', "plain-token-1", "line-one-long\nline-two-long"):
        text = spell(value)
        for _ in range(6):
            text = json.dumps({"inner": text})
            for chunks in ([text], iter(text), iter([text[at:at + 7]
                                                     for at in range(0, len(text), 7)])):
                out = "".join(mask_stream([value], chunks))
                assert MASK in out
                assert all(part not in out for part in ("tok", "en-", "ken", "01", "lin", "006"))


def test_a_stream_is_passed_on_as_it_comes() -> None:
    asked: list[int] = []

    def source() -> Iterator[str]:
        for number in range(3):
            asked.append(number)
            yield f"line {number}\n"

    stream = mask_stream(["secret-01"], source())
    assert next(stream) == "line 0\n"
    assert asked == [0]


def test_what_is_there_already_is_masked_in_blocks_with_the_same_result() -> None:
    value = "secret-01"
    lines = [f"{n} {value} {value[:n % 9]}\n" for n in range(20_000)]
    assert "".join(mask_stream([value], lines)) == "".join(mask_stream([value], iter(lines)))
    assert "".join(mask_stream([value], list("".join(lines[:999])))) == (
        "".join(lines[:999]).replace(value, MASK)
    )
    assert "".join(mask_stream([value], [])) == ""


@pytest.mark.parametrize("hidden", [
    "sec\x1b[ret-01", "sec\x1b]ret-01", "sec\x1b[1ret-01", "s\x1b[31mec\x1b[ret-01",
    "sec\x1b ret-01", "sec\x1bPret-01", "sec\x9bret-01", "sec\x1b(ret-01", "\x1b[secret-01",
    "secret-01\x1b[", "s\x1b[ecret-01\x1b]", "sec\x1b[0;1ret-01",
])
def test_an_unfinished_sequence_inside_a_value_hides_nothing_of_it(hidden: str) -> None:
    for chunks in ([f"a {hidden} b"], iter(f"a {hidden} b")):
        out = "".join(mask_stream(["secret-01"], chunks))
        assert MASK in out
        assert "ret" not in out
        assert "01" not in out


def test_nested_data_as_airflow_walks_it_and_deeper() -> None:
    value: object = {"conn": {"password": VALUE, VALUE: [VALUE, (VALUE,), {VALUE}]}}
    for _ in range(50):
        value = {"deeper": [value]}
    assert VALUE not in json.dumps(mask_object([VALUE], value), ensure_ascii=False)


@pytest.mark.parametrize(("secret", "shown"), [
    ('{"a": "first-leaf", "a": "second-leaf"}', "first-leaf second-leaf"),
    ('{"n": 1.500000000}', "1.500000000"),
    (json.dumps({"inner": json.dumps({"key": "inner-leaf"})}), "inner-leaf"),
    ("postgres://user:p%40ss-word@db/x", "p%40ss-word p@ss-word"),
    (json.dumps({"url": "amqps://user:pass-word-1@mq"}), "pass-word-1"),
])
def test_what_a_parser_would_lose(secret: str, shown: str) -> None:
    assert set(masked(shown, secret).split()) == {MASK}


def test_a_thousand_secrets_are_told_apart() -> None:
    masker = Masker()
    for number in range(1_000):
        masker.register(f"secret-value-{number:04}", f"s{number}", 1)
    out = masker.mask_text("secret-value-0007, secret-value-0999")
    assert [mask.secret for mask in out.masks] == ["s7", "s999"]
    assert out.text == "***, ***"
