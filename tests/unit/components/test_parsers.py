"""Parse JSON, CSV and YAML: what they read, what they refuse, and that they quote nothing."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from app.components.errors import NodeCancelled
from app.components.registry import registry
from app.sdk import testing

JSON = registry().get("data.parse_json")
CSV = registry().get("data.parse_csv")
YAML = registry().get("data.parse_yaml")
CANARY = "CANARY-parser-5512"


def data(component: Any, text: str, **config: Any) -> Any:
    result = testing.run(component, config, wires={"text": text})
    assert result.error is None, result.error
    return result.outputs["data"]


def failure(component: Any, text: str, **config: Any) -> tuple[str, str]:
    started = time.process_time()
    error = testing.run(component, config, wires={"text": text}).error
    assert error is not None
    assert "CANARY" not in error.message
    assert time.process_time() - started < 20
    return error.code, error.message


@pytest.mark.parametrize("value", [
    None, True, 0, -1.5e300, "", "ü\n\"\\", [], {}, {"a": [1, {"b": None}]}, 2**70,
])
def test_json_is_read_as_it_is(value: Any) -> None:
    assert data(JSON, "\ufeff" + json.dumps(value)) == value
    assert data(JSON, json.dumps(value, ensure_ascii=False, indent=2)) == value


def test_json_lines() -> None:
    assert data(JSON, '{"a": 1}\n\n[2]\r\n"x"\n', form="lines") == [{"a": 1}, [2], "x"]
    assert failure(JSON, f'1\n2\n{{"{CANARY}": }}', form="lines")[1].startswith(
        "The text isn't JSON in line 3, column 24: a value is missing.")


@pytest.mark.parametrize(("text", "words"), [
    ("", "line 1, column 1: a value is missing"),
    (f'{{\n  "{CANARY}" 1}}', "line 2, column 24: a colon is missing"),
    (f'["{CANARY}" "x"]', "column 23: a comma or closing bracket is missing"),
    (f"{{{CANARY}: 1}}", "column 2: a name in double quotes is missing"),
    (f'1 "{CANARY}"', "column 3: something stands after its end"),
    (f'["{CANARY}', "column 2: a text in quotes has no end"),
    (f'["{CANARY}\n"]', "column 21: a text in quotes has a line break"),
    (f'["\\{CANARY}"]', "a backslash stands before something it can't"),
    (f'["{CANARY}", NaN]', "has no place for"), (f'["{CANARY}", -Infinity]', "has no place for"),
    (f'["{CANARY}", "\\ud800"]', "has no place for"), ("9" * 5000, "has no place for"),
])
def test_json_s_failures_name_the_place_and_quote_nothing(text: str, words: str) -> None:
    code, message = failure(JSON, text)
    assert code == "json_not_valid"
    assert words in message


@pytest.mark.parametrize("text", ["[" * 101 + "]" * 101, "[" * 200_000, '{"a":' * 5_000])
def test_json_too_deep(text: str) -> None:
    assert failure(JSON, text)[0] == "json_too_deep"
    assert data(JSON, "[" * 100 + "]" * 100)


def table(text: str, **config: Any) -> Any:
    result = testing.run(CSV, config, wires={"text": text})
    assert result.error is None, result.error
    return result.outputs


def test_csv_values_stay_text() -> None:
    text = "\ufeffid,name,price\r\n007,\"Ada, \"\"A\"\"\nLovelace\",1.10\r\n\r\n8,,=1+1\r\n"
    assert table(text) == {
        "columns": ["id", "name", "price"], "count": 2,
        "rows": [{"id": "007", "name": "Ada, \"A\"\nLovelace", "price": "1.10"},
                 {"id": "8", "name": "", "price": "=1+1"}],
    }
    assert table("a;b\n1;2", delimiter="semicolon", header=False) == {
        "columns": [], "count": 2, "rows": [["a", "b"], ["1", "2"]]}
    assert table("a\tb\n1,2\t3", delimiter="tab")["rows"] == [{"a": "1,2", "b": "3"}]
    assert table("") == {"columns": [], "count": 0, "rows": []}
    assert table("a,b") == {"columns": ["a", "b"], "count": 0, "rows": []}


@pytest.mark.parametrize(("text", "code", "words"), [
    (f"a,b\n{CANARY},2\n{CANARY}\n", "csv_row_uneven", "line 3 has 1 columns, and the first one"),
    (f'a\n"{CANARY}" x\n', "csv_not_valid", "line 2"),
    (f'a\n"{CANARY}\n\n', "csv_not_valid", "line 3"),
    (f"{CANARY},{CANARY}\n", "csv_column_twice", "Column 2"),
    ("a, \n1,2", "csv_column_unnamed", "Column 2"),
    ("a\n" + f"{CANARY}\n" * 6, "csv_too_many_rows", "5 rows"),
    (",".join(f"c{n}" for n in range(1001)), "csv_too_many_columns", "1000"),
    ("x" * 200_000, "csv_not_valid", "128 KiB"),
])
def test_csv_s_failures_name_the_line_and_quote_nothing(text: str, code: str, words: str) -> None:
    found, message = failure(CSV, text, max_rows=5)
    assert found == code
    assert words in message


@pytest.mark.parametrize(("text", "value"), [
    ("", None), ("a: 1\nb: [x, 'y', \"z\"]", {"a": 1, "b": ["x", "y", "z"]}),
    ("no: yes\non: off\n~: ~", {"no": "yes", "on": "off", "~": None}),
    ("[1.0, .5, 1e3, 0x1F, 0o17, 017, 1_000, .inf, .nan, +7]",
     [1.0, 0.5, 1000.0, 31, 15, 17, "1_000", ".inf", ".nan", 7]),
    ("[true, True, 'true', !!str 7, !!float 7, ! 7, null, '']",
     [True, True, "true", "7", 7, "7", None, ""]),
    ("d: 2026-01-02\nt: 12:30:00\nb: !!binary |\n  aGVs\n  bG8=",
     {"d": "2026-01-02", "t": "12:30:00", "b": "aGVsbG8="}),
    ("a: &x {k: 1}\nb: *x\nc: [*x, *x]", {"a": {"k": 1}, "b": {"k": 1}, "c": [{"k": 1}] * 2}),
    ("base: &b {x: 1, y: 1}\nc: &c {y: 2, z: 2}\nd: {y: 3, <<: [*c, *b]}",
     {"base": {"x": 1, "y": 1}, "c": {"y": 2, "z": 2}, "d": {"y": 3, "z": 2, "x": 1}}),
    ("'<<': 1", {"<<": 1}), ("text: |\n  a\n  b\n", {"text": "a\nb\n"}), ("1: a\n1.0: b",
                                                                         {"1": "a", "1.0": "b"}),
])
def test_yaml_is_plain_data(text: str, value: Any) -> None:
    assert data(YAML, text) == value


def test_yaml_documents() -> None:
    assert data(YAML, "a\n---\n&x b\n---\n", documents="all") == ["a", "b", None]
    assert failure(YAML, f"a\n---\n{CANARY}")[0] == "yaml_several_documents"
    assert failure(YAML, "&x b\n---\n*x", documents="all")[0] == "yaml_not_valid"


def test_yaml_s_documents_are_counted_together() -> None:
    repeating = laughs(5)
    assert len(data(YAML, "\n---\n".join([repeating] * 2), documents="all")) == 2
    assert failure(YAML, "\n---\n".join([repeating] * 60), documents="all")[0] == "yaml_too_large"


def test_csv_s_rows_don_t_repeat_long_names_without_end() -> None:
    text = "n" * 100_000 + "\n" + f"{CANARY}\n" * 200
    code, message = failure(CSV, text)
    assert code == "csv_too_large"
    assert "without names" in message
    assert len(table(text, header=False)["rows"]) == 201


def laughs(levels: int) -> str:
    lines = ["l0: &l0 " + CANARY]
    lines += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines)


def merges(levels: int) -> str:
    lines = ["m0: &m0 {" + ", ".join(f"k{n}: {CANARY}" for n in range(100)) + "}"]
    lines += [f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 10)}]}}" for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(("text", "code", "words"), [
    (laughs(9), "yaml_too_large", "4 MiB"), (merges(9), "yaml_too_large", "4 MiB"),
    (f"a: &a ['{CANARY}', *a]", "yaml_alias_recursive", "line 1, column 30"),
    (f"a: &a\n  {CANARY}: *a", "yaml_alias_recursive", "line 2"),
    ("a: &a [&b [*a]]", "yaml_alias_recursive", "line 1"),
    ("[" * 101 + "]" * 101, "yaml_too_deep", "100"), ("- " * 50_000, "yaml_too_deep", "100"),
    ("\n".join(["- &a0 [x]"] + [f"- &a{n} [*a{n - 1}]" for n in range(1, 120)]),
     "yaml_too_deep", "100"),
    (f"!!python/object/apply:os.system ['{CANARY}']", "yaml_tag_not_allowed", "line 1"),
    (f"a: !{CANARY} x", "yaml_tag_not_allowed", "line 1, column 4"),
    ("!!set {a, b}", "yaml_tag_not_allowed", "line 1"), ("!!int x", "yaml_not_valid", "tag"),
    (f"{CANARY}: 1\n{CANARY}: 2", "yaml_key_twice", "line 2, column 1"),
    (f"? [{CANARY}]\n: 1", "yaml_key_not_text", "line 1"),
    (f"a: *{CANARY}", "yaml_not_valid", "line 1, column 4"),
    (f"<<: {CANARY}", "yaml_not_valid", "merges"),
    (f"a: [{CANARY}", "yaml_not_valid", "line"), (f"a: '{CANARY}", "yaml_not_valid", "line"),
    (f"{CANARY}: a: b", "yaml_not_valid", "line 1"), (f"{CANARY}\n@x: y", "yaml_not_valid", "line"),
    ("a\x00b", "yaml_not_valid", "characters"),
])
def test_yaml_s_failures_name_the_place_and_quote_nothing(text: str, code: str, words: str) -> None:
    found, message = failure(YAML, text)
    assert found == code
    assert words in message


@pytest.mark.parametrize(("component", "text", "config"), [
    (JSON, "1\n" * 10_000, {"form": "lines"}), (CSV, "a\n" * 10_000, {}), (YAML, "- a\n" * 9, {}),
])
def test_parsers_stop_when_they_are_told(component: Any, text: str, config: Any) -> None:
    cancelled = testing.LocalCancellation()
    cancelled.cancel()
    with pytest.raises(NodeCancelled):
        testing.run(component, config, wires={"text": text}, cancelled=cancelled)


def test_a_text_over_the_limit_is_refused() -> None:
    for component in (JSON, CSV, YAML):
        assert failure(component, "x" * (4 * 1024 * 1024 + 1))[0] == "config_invalid"
