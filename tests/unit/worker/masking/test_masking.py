"""Masking: every form, the union of all matches, any division into chunks."""

from __future__ import annotations

import base64
import html
import itertools
import json
import shlex
import sys
import urllib.parse
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.masking import MASK, WITHHELD, Masker, mask_object, mask_stream, matcher
from worker.masking.controls import strip_controls
from worker.masking.matcher import AhoCorasickLiterals, GrowingLiterals, HyperscanLiterals
from worker.masking.structures import PLACES_MOST, mask_structure

ENGINES = pytest.mark.parametrize(
    "build", [HyperscanLiterals, AhoCorasickLiterals, GrowingLiterals]
)
CONTROLS = (
    "\x1b[31m", "\u200e", "\x00", "\x9b0m", "\r", "\n", "\x1b", "]", "[", "\x1b]0;t\x07", "\r\n",
    "\x0c", "\x0b", "\x85", "\u202e", "\u2066", "\u2069", "\x07", "\x9c", "\x1b\\", "\x90", "\x1bP",
    "\u2028", "\ud800", "\U000e0041", "m", "31", "0;",
)
# What may stand inside a value without hiding it: single characters and whole sequences.
HIDING = (
    "\x1b[31m", "\x1b[0m", "\x9b1m", "\x1b]0;title\x07", "\x1bPq\x1b\\", "\x1b(B", "\x00", "\x0b",
    "\x0c", "\x7f", "\x85", "\u00ad", "\u200b", "\u200e", "\u202e", "\u2066", "\u2069", "\ufeff",
)
fragments = st.sampled_from([
    "ab", "cde", "fgh", "é", "1", "2", "-", "_", " ", "+/", "%", "x9", *CONTROLS,
])
values = st.lists(fragments, min_size=2, max_size=7).map("".join)
divided = st.lists(st.integers(0, 60), max_size=6)
strong = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Cf")), min_size=8, max_size=40
).filter(lambda v: len(set(v.strip())) >= 5 and len(v.strip()) >= 8 and "*" not in v)


def masked(secrets: list[str], text: str) -> str:
    return "".join(mask_stream(secrets, [text]))


def cut(text: str, places: list[int]) -> list[str]:
    edges = [0, *sorted(min(place, len(text)) for place in places), len(text)]
    return [text[a:b] for a, b in itertools.pairwise(edges)]


@given(st.data())
@settings(max_examples=600, deadline=None)
def test_any_division_gives_the_same_as_the_whole(data: st.DataObject) -> None:
    secrets = data.draw(st.lists(values, min_size=1, max_size=4))
    ends = st.sampled_from([part for s in secrets for part in (s, s[1:], s[2:], s[:-1])])
    parts = data.draw(st.lists(st.one_of(fragments, ends), max_size=14))
    text = "".join(parts)
    chunks = data.draw(st.one_of(divided.map(lambda p: cut(text, p)), st.just(list(text))))
    masker = Masker()
    for secret in secrets:
        masker.register(secret)
    whole = masker.mask_text(text)
    stream = masker.stream()
    shown, offsets = "", []
    for piece in [*map(stream.feed, chunks), stream.close()]:
        offsets += [len(shown) + mask.offset for mask in piece.masks]
        shown += piece.text
    assert shown == whole.text
    assert offsets == [mask.offset for mask in whole.masks]
    assert all(shown.startswith(MASK, offset) for offset in offsets)


@given(st.data())
@settings(max_examples=400, deadline=None)
def test_control_characters_anywhere_inside_a_value_do_not_hide_it(data: st.DataObject) -> None:
    value = data.draw(strong)
    hidden = list(value)
    for place in data.draw(st.lists(st.integers(0, len(value) - 1), min_size=1, max_size=4)):
        hidden[place] = data.draw(st.sampled_from(HIDING)) + hidden[place]
    text = f"a {''.join(hidden)} b"
    chunks = data.draw(st.one_of(divided.map(lambda p: cut(text, p)), st.just(list(text))))
    assert "".join(mask_stream([value], chunks)) == f"a {MASK} b"


@given(st.data())
@settings(max_examples=400, deadline=None)
def test_values_with_control_characters_of_their_own_are_gone(data: st.DataObject) -> None:
    core = data.draw(st.text("abcdefgh123", min_size=12, max_size=16).filter(
        lambda text: len(set(text)) >= 5))
    value = "".join(data.draw(st.lists(
        st.sampled_from([core, *HIDING, "\x1b", "\r\n", "\n", "\r", "\x1b[", "\x9b", "\x07"]),
        max_size=5))) + core
    before, after = data.draw(st.sampled_from(CONTROLS)), data.draw(st.sampled_from(CONTROLS))
    text = f"({before}{value}{after})"
    chunks = data.draw(st.one_of(divided.map(lambda p: cut(text, p)), st.just(list(text))))
    shown = "".join(mask_stream([value], chunks))
    assert core not in shown
    assert core[1:] not in shown


def test_the_fastest_engine_is_built_once_there_is_much_to_search(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    built: list[HyperscanLiterals] = []

    def build(patterns: Sequence[bytes]) -> HyperscanLiterals:
        built.append(HyperscanLiterals(patterns))
        return built[-1]

    monkeypatch.setattr(matcher, "build_fastest", build)
    literals = GrowingLiterals([b"CANARY-one", b"CANARY-two"])
    line = b"a line with CANARY-two in it\n"
    times = 2 * matcher.PAID // len(line)
    for _ in range(times):
        assert literals.find(line) == [(1, 22)]
    assert not built
    for _ in range(9):
        assert literals.find(line) == [(1, 22)]
    assert len(built) == 1
    assert literals._engine is built[0]


def test_without_the_fastest_engine_the_other_one_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(patterns: Sequence[bytes]) -> None:
        raise ImportError("hyperscan")

    monkeypatch.setattr(matcher, "HyperscanLiterals", none)
    literals = GrowingLiterals([b"CANARY-one"])
    many = b"CANARY-one " * matcher.PAID
    assert len(literals.find(many)) == len(literals.find(many)) == matcher.PAID


@given(st.data())
@settings(max_examples=400, deadline=None)
def test_both_engines_and_a_naive_search_agree(data: st.DataObject) -> None:
    secrets = data.draw(st.lists(
        st.text("abcdefgh", min_size=8, max_size=12).filter(lambda v: len(set(v)) > 4),
        min_size=1, max_size=5))
    text = "".join(data.draw(st.lists(
        st.one_of(st.sampled_from(secrets), st.text("abcdefgh ", max_size=5)), max_size=8)))
    outs = []
    for build in (HyperscanLiterals, AhoCorasickLiterals):
        masker = Masker(build)
        for secret in secrets:
            masker.register(secret)
        outs.append(masker.mask_text(text))
    hit = [False] * len(text)
    for secret in secrets:
        for start in range(len(text)):
            if text.startswith(secret, start):
                for i in range(start, start + len(secret)):
                    hit[i] = True
    expected, inside = "", False
    for character, covered in zip(text, hit, strict=True):
        if covered and not inside:
            expected += MASK
        elif not covered:
            expected += character
        inside = covered
    assert outs[0].text == outs[1].text == expected
    assert [mask.offset for mask in outs[0].masks] == [mask.offset for mask in outs[1].masks]
    assert all(outs[0].text[m.offset:].startswith(MASK) for m in outs[0].masks)


@given(strong, st.text(max_size=3), st.text(max_size=3))
@settings(max_examples=300, deadline=None)
def test_no_form_gets_through(value: str, before: str, after: str) -> None:
    data = value.encode()
    spelled = {
        value, value.strip(), json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1],
        json.dumps(json.dumps(value))[3:-3], repr(value)[1:-1], ascii(value)[1:-1],
        repr(data)[2:-1], urllib.parse.quote(value, safe=""), urllib.parse.quote(value),
        urllib.parse.quote_plus(value), urllib.parse.quote(urllib.parse.quote(value, safe="")),
        html.escape(value), html.escape(value, quote=False), data.hex(), data.hex().upper(),
        value.replace("'", "''"), value.replace('"', '""'), shlex.quote(value),
        base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode(),
        base64.b64encode(data).decode().rstrip("="),
        json.dumps(value).replace("<", "\\u003c").replace(">", "\\u003e")
        .replace("&", "\\u0026")[1:-1],
    }
    for form in spelled:
        text = f"{before}{form}{after}"
        out = masked([value], text)
        assert form not in out, form
        # What stands around it may make one control sequence of it all: then nothing is left.
        assert MASK in out or form not in strip_controls(text)


@given(strong, st.binary(max_size=5), st.binary(max_size=5))
def test_base64_of_a_value_beside_others(value: str, before: bytes, after: bytes) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        text = encode(before + value.encode() + after).decode()
        out = masked([value], text)
        # At most the characters that neighbours share may stay.
        assert len(out) - len(MASK) <= (len(before) + len(after)) * 4 // 3 + 4 + 2
        assert MASK in out


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_masking_again_changes_nothing(data: st.DataObject) -> None:
    secrets = data.draw(st.lists(strong, min_size=1, max_size=3))
    text = "".join(data.draw(st.lists(
        st.one_of(st.sampled_from(secrets), st.text(max_size=6)), max_size=6)))
    once = masked(secrets, text)
    assert masked(secrets, once) == once


def test_an_escape_before_a_sequence_that_a_value_looks_like() -> None:
    # The whole once took both escapes for single characters, the stream the second for a sequence.
    secrets, text = ["abab", "\x1b[31mab"], "\x1b\x1b[31mabab"
    assert masked(secrets, text) == "".join(mask_stream(secrets, list(text))) == MASK
    assert Masker().mask_text("\x1b\x1b[31mx\x00\x1b[0my").text == "xy"


def test_overlapping_values_leave_no_tail() -> None:
    assert masked(["abcdefgh", "efghijklmn"], "x abcdefghijklmn y") == "x *** y"
    assert masked(["abcdefgh", "abcdefgh123"], "abcdefgh12") == "***12"
    assert masked(["abcdefgh", "ijklmnop"], "abcdefghijklmnop") == "***"


@ENGINES
def test_only_what_a_form_could_continue_is_held_back(build: type[HyperscanLiterals]) -> None:
    masker = Masker(build)
    masker.register("-----SECRET-----" + "abcdefgh0123" * 2_000)
    stream = masker.stream()
    assert stream.feed("nothing of it here").text == "nothing of it here"
    assert stream.feed("then -----SEC").text == "then "
    assert stream.feed("OND").text == "-----SECOND"
    assert stream.feed("-----SECRET-----abcdefgh").text == ""
    assert stream.close().text == "-----SECRET-----abcdefgh"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | values | st.just("my-secret-1"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(values, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200)
@given(json_values)
def test_the_quick_look_at_a_structure_finds_what_the_walk_finds(value: object) -> None:
    masker = Masker()
    for secret in ("my-secret-1", "abcdefgh", "12345678", "ab\ncde"):
        masker.register(secret)
    walked = mask_structure(masker.mask_text, value)
    looked = masker.mask_object(value)
    assert (looked.count, looked.masks) == (walked.count, walked.masks)
    assert repr(looked.value) == repr(walked.value)


def test_a_partial_match_is_kept_when_another_attempt_fails() -> None:
    assert "".join(mask_stream(["aabaabcdef"], list("aabaabaabcdef"))) == "aab***"


@pytest.mark.parametrize("text", [
    "sec\x1b[31mret-Value1", "sec\x1b[0mret\u200e-Value1", "s\x00ecret-Value1",
    "secret\u202e-Value1", "secret\x1b]0;title\x07-Value1", "secret\u2066-Val\u2069ue1",
    "secret\x9b1m-Value1", "sec\x7fret-Value1",
])
def test_control_characters_inside_a_value_do_not_hide_it(text: str) -> None:
    assert masked(["secret-Value1"], f"a {text} b") == "a *** b"
    assert "".join(mask_stream(["secret-Value1"], list(f"a {text} b"))) == "a *** b"


def test_a_value_that_looks_like_the_rest_of_a_sequence() -> None:
    # The escape character before it makes a terminal swallow the value's beginning.
    assert masked(["[31mtail-of-it"], "x \x1b[31mtail-of-it y") == "x *** y"


def test_a_value_with_control_characters_of_its_own() -> None:
    value = "one\x1b[31mtwo\x07three-four"
    for shown in (value, repr(value), json.dumps(value)):
        out = masked([value], shown)
        assert "two" not in out
        assert "three" not in out


def test_controls_are_taken_out_and_the_rest_escaped() -> None:
    assert masked([], "a\x1b[1mb\x1b[0m\x07c\u202ed") == "abcd"
    assert masked([], "a\rb\r\nc\td\ud800\u2028") == "a\\rb\r\nc\td\\ud800\\u2028"


@pytest.mark.parametrize(("text", "expected"), [
    ("pin4", "***"), ("a pin4.", "a ***."), ("pin4x", "pin4x"), ("_pin4", "_pin4"),
    ("épin4", "épin4"), ("cGluNA==", "cGluNA=="), ("pin4pin4", "pin4pin4"), ("(pin4)", "(***)"),
])
def test_weak_values_are_masked_as_whole_words(text: str, expected: str) -> None:
    assert masked(["pin4"], text) == expected
    assert "".join(mask_stream(["pin4"], list(text))) == expected


def test_few_distinct_characters_are_weak_too() -> None:
    assert masked(["aaaaaaaabbbb"], "xaaaaaaaabbbb aaaaaaaabbbb") == "xaaaaaaaabbbb ***"


@pytest.mark.parametrize("value", ["", " ", "a", "abc", "  ab "])
def test_too_short_to_mask_is_refused(value: str) -> None:
    assert Masker().register(value) is False
    assert masked([value], "a abc  ab ") == "a abc  ab "


PEM = "-----BEGIN PRIVATE KEY-----\n" + "\n".join(
    base64.b64encode(bytes(range(i, i + 48))).decode() for i in range(0, 144, 48)
) + "\nAQIDBAUGBw\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize("joined", ["\n", "\r\n", " ", "", "\\n"])
def test_a_key_of_many_lines(joined: str) -> None:
    out = masked([PEM], joined.join(PEM.strip().split("\n")))
    assert not any(line in out for line in PEM.split("\n")[1:-2])


def test_each_long_line_counts_and_headers_do_not() -> None:
    for line in PEM.split("\n")[1:-2]:
        assert masked([PEM], f"got {line}!") == "got ***!"
    assert masked([PEM], "-----BEGIN PRIVATE KEY-----") == "-----BEGIN PRIVATE KEY-----"
    assert masked(["a first long line\nshort\nb"], "short; a first long line") == "short; ***"


def test_leaves_of_a_structured_value() -> None:
    value = json.dumps({"user": "bob", "password": "p4ssw0rd!x", "port": 54321987, "on": True,
                        "list": [{"key": "inner-val ue"}], "pin": "9137"})
    out = masked([value], "p4ssw0rd!x 54321987 inner-val%20ue 9137 bob true " + json.dumps(
        json.loads(value)))
    assert out == "*** *** *** *** bob true ***"


def test_structures_of_any_depth_keys_numbers_and_bytes() -> None:
    deep: object = "my-secret-1"
    for _ in range(5_000):
        deep = [deep]
    out = mask_object(["my-secret-1", "12345678"], {
        "my-secret-1": 1, "my-secret-1 ": 2, "n": 12345678, "b": b"my-secret-1", "t": ("a", None),
        "deep": deep, "e": ValueError("my-secret-1"), "f": 1.5,
    })
    for _ in range(5_000):
        out["deep"] = out["deep"][0]
    assert out == {"***": 1, "*** ": 2, "n": "***", "b": "***", "t": ["a", None], "deep": "***",
                   "e": "***", "f": 1.5}
    assert mask_object(["abcdefgh"], {"abcdefgh": 1, "YWJjZGVmZ2g=": 2}) == {"***": 1, "*** (2)": 2}


def test_a_cycle_and_an_object_that_fails_stay_closed() -> None:
    cycle: list[object] = ["my-secret-1"]
    cycle.append(cycle)
    assert mask_object(["my-secret-1"], cycle) == ["***", "<cycle>"]

    class Bad:
        def __str__(self) -> str:
            raise RuntimeError("my-secret-1")

    assert mask_object(["my-secret-1"], {"a": "x", "b": Bad()}) == WITHHELD


def test_a_failing_search_withholds_the_text() -> None:
    class Broken:
        def __init__(self, patterns: object) -> None: ...

        def find(self, data: bytes) -> list[tuple[int, int]]:
            raise MemoryError

    masker = Masker(Broken)
    masker.register("my-secret-1")
    assert masker.mask_text("a my-secret-1").text == WITHHELD
    assert masker.mask_object({"a": "my-secret-1"}).value == {WITHHELD: WITHHELD}
    stream = masker.stream()
    assert stream.feed("a my-secret-1").text == WITHHELD


def test_masks_name_the_secret_and_version() -> None:
    masker = Masker()
    masker.register("first-secret", "one", 3)
    masker.register("second-secret", "two", 1)
    out = masker.mask_text("é first-secret and second-secret")
    assert out.text == "é *** and ***"
    assert [mask.to_json() for mask in out.masks] == [
        {"offset": 2, "secret": "one", "version": 3}, {"offset": 10, "secret": "two", "version": 1}]


def test_masks_in_structures_say_where_they_stand() -> None:
    masker = Masker()
    masker.register("first-secret", "one", 3)
    masker.register("second-secret", "two", 1)
    masker.register("12345678", "number")
    out = masker.mask_object({
        "a": ["x", {"b": "é first-secret second-secret"}], "n": 12345678,
        "first-secret": 1, "first-secret ": {"c": "second-secret"}, "z": ("first-secret",),
    })
    shown = [mask.to_json() for mask in out.masks]
    assert shown == [
        {"path": ["a", 1, "b"], "offset": 2, "secret": "one", "version": 3},
        {"path": ["a", 1, "b"], "offset": 6, "secret": "two", "version": 1},
        {"path": ["n"], "offset": 0, "secret": "number", "version": None},
        {"path": ["***"], "offset": 0, "secret": "one", "version": 3, "key": True},
        {"path": ["*** "], "offset": 0, "secret": "one", "version": 3, "key": True},
        {"path": ["*** ", "c"], "offset": 0, "secret": "two", "version": 1},
        {"path": ["z", 0], "offset": 0, "secret": "one", "version": 3},
    ]
    for mask in out.masks:
        place = out.value
        for key in mask.path[:-1] if mask.key else mask.path:
            place = place[key]
        text = mask.path[-1] if mask.key else place
        assert str(text).startswith(MASK, mask.offset)
    assert masker.mask_object("a first-secret").masks[0].path == ()
    many = masker.mask_object(["first-secret"] * 500)
    assert (many.count, len(many.masks)) == (500, PLACES_MOST)
    assert masker.mask_object("first-secret " * 500).count == 500


def test_values_of_the_largest_size() -> None:
    value = "".join(chr(33 + i * 7 % 90) for i in range(65_536))
    assert masked([value], f"a {value} b") == "a *** b"
    assert masked([value], base64.b64encode(value.encode()).decode()) == "***"
    assert sys.getsizeof(masked([value], value * 3)) < 200


def test_a_value_registered_while_streaming_counts_from_then_on() -> None:
    masker = Masker()
    stream = masker.stream()
    assert stream.feed("late-secret ").text == "late-secret "
    masker.register("late-secret")
    assert stream.feed("late-secret ").text == "*** "


@pytest.mark.parametrize("text", ["a {} b", "a \x1b[31m{} b", "a \x07{} b"])
def test_a_value_that_begins_with_a_backslash_is_gone_whole(text: str) -> None:
    value = "\\00001234"
    assert "".join(mask_stream([value], [text.format(value)])) == f"a {MASK} b"


def test_what_is_clear_is_what_masking_leaves_as_it_is() -> None:
    masker = Masker()
    masker.register("CANARY-clear-value", "s", 1)
    masker.register("4711", "pin", 1)
    clear: list[Any] = [{}, {"a": [1, 2.5, None, True, "x y"]}, {"é": "ü", "n": 48110}]
    for value in clear:
        found = masker.find_clear("nothing", value)
        assert found is not None
        assert json.loads(found[0]) == masker.mask_object(value).value == value
    hidden: list[Any] = [
        {"a": ["CANARY-clear-value"]}, {"CANARY-clear-value": 1}, {"a": 4711}, {"a": "4711"},
        {"a": "CANARY-\u200bclear-value"}, {"a": 'CANARY-clear"-value\n'}, {"a": {1}},
        {"a": b"CANARY-clear-value"}, {"a": float("nan")}, {"a": "\x1b[1m"}, {"a": "\ud800"},
    ]
    for value in hidden:
        assert masker.find_clear("nothing", value) is None
    assert masker.find_clear("a CANARY-clear-value", {}) is None


class _Silent(str):
    """A text that says other things of itself than it holds."""

    __slots__ = ()

    def __str__(self) -> str:
        return "nothing to see"

    def __format__(self, _spec: str) -> str:
        return "nothing to see"

    def encode(self, *_: Any, **__: Any) -> bytes:
        return b"nothing to see"


class _SilentNumber(int):
    def __repr__(self) -> str:
        return "0"


def test_what_a_text_holds_is_masked_whatever_its_class_says() -> None:
    value = "CANARY-of-a-subclass-31"
    masker = Masker()
    masker.register(_Silent(value))
    masker.register("120934857612")
    silent = _Silent(f"a {value} b")
    assert masker.mask_text(silent).text == "a *** b"
    assert masker.find_clear(silent, {}) is None
    assert "".join(mask_stream([value], iter([silent, _Silent(value[:9]), value[9:]]))) == (
        "a *** b***")
    found = masker.mask_object({silent: [silent, _SilentNumber(120934857612), _SilentNumber(5)]})
    assert json.dumps(found.value) == '{"a *** b": ["a *** b", "***", 5]}'
    assert mask_object([], silent) == f"a {value} b"
    wrong: Any = b"bytes are no text"
    assert masker.mask_text(wrong).text == masker.stream().feed(wrong).text == WITHHELD
