"""Secret Template, Secret Field, HMAC Sign and Hash, run with the authors' kit."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest
from argon2.low_level import Type, hash_secret_raw

from app.components.binding import find_config_problems
from app.components.ports import PortType
from app.components.registry import registry
from app.components.secret import Secret, expose
from app.sdk import testing

TEMPLATE = registry().get("secret.template")
FIELD = registry().get("secret.field")
HMAC = registry().get("crypto.hmac")
HASH = registry().get("crypto.hash")
CANARY = "CANARY-3b5948925e430e28/+%&\"\\"
KEY = "a key that nobody guesses"


def made(result: testing.Result) -> str:
    """The plaintext of a secret that a component made."""
    assert result.error is None, result.error
    assert result.leaks == ()
    value = result.outputs["value"]
    assert isinstance(value, Secret)
    assert repr(value) == "***"
    return expose(value)


def failed(result: testing.Result) -> tuple[str, str]:
    assert result.error is not None
    assert result.leaks == ()
    assert "CANARY" not in result.error.message
    return result.error.code, result.error.message


# -- Secret Template -------------------------------------------------------------------------


@pytest.mark.parametrize(("template", "text"), [
    ("{{secret}}", CANARY),
    ("a {{ secret }} b {{secret}}", f"a {CANARY} b {CANARY}"),
    ("postgresql://{{user}}:{{secret|url}}@db:{{port}}/x",
     f"postgresql://app:{testing.quote(CANARY, safe='')}@db:5432/x"),
    ('{"password": "{{secret | json}}"}', json.dumps({"password": CANARY})),
    ("{{secret}}{{secret_2}}", f"{CANARY}{{{{user}}}}"),
    ("{ {secret} {{secret}}", f"{{ {{secret}} {CANARY}"),
])
def test_template_fills_once(template: str, text: str) -> None:
    """What a secret or a value holds is never read as a place."""
    config = {"template": template, "values": {"user": "app", "port": 5432}}
    result = testing.run(TEMPLATE, config, secrets={"secret": CANARY, "secret_2": "{{user}}"})
    assert made(result) == text


def test_template_s_secret_goes_where_all_of_its_parts_may() -> None:
    one = testing.make_secret(CANARY, "one", ["api.example", "db.example"])
    two = testing.make_secret(CANARY, "two", ["db.example"])
    result = testing.run(TEMPLATE, {"template": "{{secret}} {{secret_2}}"},
                         secrets={"secret": one, "secret_2": two})
    value = result.outputs["value"]
    assert value.names == "one, two"
    assert value.may_go_to("https://db.example:443")
    assert not value.may_go_to("https://api.example:443")
    assert not value.may_go_to("local")
    # A secret that isn't in the text doesn't bind it.
    alone = testing.run(TEMPLATE, {"template": "{{secret}}"},
                        secrets={"secret": one, "secret_2": two}).outputs["value"]
    assert alone.may_go_to("https://api.example:443")


def test_template_as_json() -> None:
    config = {"template": '{"password": "{{secret|json}}"}', "outputFormat": "json"}
    assert testing.run(TEMPLATE, config, secrets={"secret": CANARY}).outputs["value"].structured
    config["template"] = '{"password": "{{secret}}"}'
    assert failed(testing.run(TEMPLATE, config, secrets={"secret": CANARY}))[0] == "secret_not_json"


def test_template_names_what_is_missing() -> None:
    code, message = failed(testing.run(
        TEMPLATE, {"template": "{{secret}} {{user}}"}, secrets={"secret": CANARY}))
    assert code == "template_value_missing"
    assert "{{user}}" in message
    code, message = failed(testing.run(
        TEMPLATE, {"template": "{{secret}} {{secret_3}}"}, secrets={"secret": CANARY}))
    assert (code, "secret_3" in message) == ("secret_not_wired", True)


def test_each_place_is_an_input() -> None:
    config = {"template": "{{user}}:{{ api.key | url }}@{{host}} {{secret_2}}",
              "values": {"host": "db", "user": "typed"}}
    shape = TEMPLATE.shape(config)
    assert [(one.name, one.required, one.rare) for one in shape.inputs] == [
        ("user", False, False), ("api.key", False, False), ("host", False, False),
        ("secret_2", False, False), ("secret", False, True), ("secret_3", False, True),
        ("secret_4", False, True),
    ]
    assert {one.type for one in shape.inputs} == {PortType.SECRET}
    # A wired secret goes before one of Values; what isn't wired is one of these.
    found = testing.run(TEMPLATE, config, secrets={
        "user": "wired-user", "api.key": CANARY, "secret_2": "another-secret"})
    assert made(found) == f"wired-user:{testing.quote(CANARY, safe='')}@db another-secret"
    code, message = failed(testing.run(TEMPLATE, {"template": "{{password}}"}))
    assert (code, "password" in message) == ("secret_not_wired", True)
    # Names that can't be inputs stay what they were.
    assert [one.name for one in TEMPLATE.shape({"template": "{{start}} {{a b}}"}).inputs] == [
        "secret", "secret_2", "secret_3", "secret_4"]


@pytest.mark.parametrize("template", ["nothing secret", "{{user}}", "{{secret|upper}}"])
def test_template_without_a_secret_is_found_while_it_is_drawn(template: str) -> None:
    problems = find_config_problems(TEMPLATE, {"template": template, "values": {"user": "x"}})
    assert [(one.code, one.field) for one in problems] == [("config_invalid", "template")]


# -- Secret Field ----------------------------------------------------------------------------

DOCUMENT = json.dumps({
    "user": "app", "password": CANARY, "a.b": "dotted", "list": [{"token": CANARY}, "second"],
    "deep": {"pin": 12345678901234567890123, "rate": 1, "none": None, "yes": True},
}).replace('"rate": 1,', '"rate": 1.1000,')


@pytest.mark.parametrize(("path", "text"), [
    ("password", CANARY), ("list.0.token", CANARY), ("list.1", "second"), ("a.b", "dotted"),
    ("deep.pin", "12345678901234567890123"), ("deep.rate", "1.1000"), ("deep.yes", "true"),
])
def test_field_takes_one_leaf_as_it_is_written(path: str, text: str) -> None:
    result = testing.run(FIELD, {"path": path}, secrets={"secret": DOCUMENT})
    assert made(result) == text


def test_field_is_bound_like_the_whole_and_can_be_json() -> None:
    whole = testing.make_secret(DOCUMENT, "whole", ["db.example"]).as_structured()
    value = testing.run(FIELD, {"path": "password"}, secrets={"secret": whole}).outputs["value"]
    assert not value.structured
    assert value.names == "whole"
    assert value.may_go_to("postgresql://db.example:5432")
    assert not value.may_go_to("https://evil.example:443")
    part = testing.run(FIELD, {"path": "list", "outputFormat": "json"}, secrets={"secret": whole})
    assert part.outputs["value"].structured
    assert json.loads(made(part)) == [{"token": CANARY}, "second"]


@pytest.mark.parametrize(("path", "code"), [
    ("nothing", "secret_field_missing"), ("password.x", "secret_field_missing"),
    ("list.2", "secret_field_missing"), ("list.-1", "secret_field_missing"),
    ("deep.none", "secret_field_missing"), ("list.9999999999", "secret_field_missing"),
    ("deep", "secret_field_not_text"), ("list", "secret_field_not_text"),
])
def test_field_names_the_path_and_never_the_content(path: str, code: str) -> None:
    found, message = failed(testing.run(FIELD, {"path": path}, secrets={"secret": DOCUMENT}))
    assert found == code
    assert path in message
    assert not any(key in message for key in ("user", "second", "token", "pin") if key != path)


@pytest.mark.parametrize("text", [CANARY, f'{{"a": "{CANARY}', "[" * 100_000])
def test_field_of_what_is_no_json(text: str) -> None:
    assert failed(testing.run(FIELD, {"path": "a"}, secrets={"secret": text}))[0] == (
        "secret_not_json")


# -- HMAC Sign -------------------------------------------------------------------------------


@pytest.mark.parametrize(("algorithm", "signature"), [
    # RFC 4231, test case 2; RFC 2202 for SHA-1.
    ("sha256", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
    ("sha384", "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e"
               "8e2240ca5e69e2c78b3239ecfab21649"),
    ("sha512", "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
               "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"),
    ("sha1", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
])
def test_hmac_vectors(algorithm: str, signature: str) -> None:
    config = {"message": "what do ya want for nothing?", "algorithm": algorithm}
    result = testing.run(HMAC, config, secrets={"key": "Jefe"})
    assert result.outputs == {"signature": signature}
    assert result.revealed == (("key", "local"),)


def test_hmac_s_keys_and_signatures_in_other_notations() -> None:
    digest = hmac.new(KEY.encode(), "grüße".encode(), hashlib.sha256).digest()
    for key_format, key in (("hex", KEY.encode().hex()), ("base64", testing.base64.b64encode(
            KEY.encode()).decode())):
        result = testing.run(HMAC, {"message": "grüße", "key_format": key_format},
                             secrets={"key": f"{key}\n"})
        assert result.outputs == {"signature": digest.hex()}
        bad = testing.run(HMAC, {"message": "x", "key_format": key_format},
                          secrets={"key": CANARY})
        assert failed(bad)[0] == "key_not_readable"
    base64 = testing.run(HMAC, {"message": "grüße", "encoding": "base64url"}, secrets={"key": KEY})
    assert base64.outputs["signature"] == testing.base64.urlsafe_b64encode(digest).decode().rstrip(
        "=")


# -- Hash ------------------------------------------------------------------------------------

VALUE = "a long random API key: 7f2b"


@pytest.mark.parametrize(("algorithm", "digest"), [
    ("sha256", hashlib.sha256(f"salt{VALUE}".encode())),
    ("sha512", hashlib.sha512(f"salt{VALUE}".encode())),
    ("blake2b", hashlib.blake2b(f"salt{VALUE}".encode())),
])
def test_quick_hashes(algorithm: str, digest: Any) -> None:
    result = testing.run(HASH, {"algorithm": algorithm, "salt": "salt"}, secrets={"secret": VALUE})
    assert result.outputs == {"hash": digest.hexdigest(), "salt": "salt"}
    assert result.leaks == ()


def test_slow_hashes_are_the_well_known_ones() -> None:
    salt, value = b"salted well", b"1234"
    expected = {
        "pbkdf2": hashlib.pbkdf2_hmac("sha256", value, salt, 600_000),
        "scrypt": hashlib.scrypt(value, salt=salt, n=2**15, r=8, p=1, maxmem=2**26, dklen=32),
        "argon2id": hash_secret_raw(value, salt, 3, 65536, 1, 32, Type.ID),
    }
    for algorithm, digest in expected.items():
        config = {"algorithm": algorithm, "salt": salt.decode()}
        result = testing.run(HASH, config, secrets={"secret": value.decode()})
        assert result.outputs == {"hash": digest.hex(), "salt": salt.decode()}
    first, second = (testing.run(HASH, {"algorithm": "scrypt"}, secrets={"secret": VALUE}).outputs
                     for _ in range(2))
    assert len(first["salt"]) == 32
    assert first != second
    short = testing.run(HASH, {"algorithm": "scrypt", "salt": "1234567"}, secrets={"secret": VALUE})
    assert failed(short)[0] == "salt_too_short"


@pytest.mark.parametrize("value", ["1234", "12345678901", "aaaaaaaaaaaaaaaaaaaa", "ababababababab"])
@pytest.mark.parametrize("algorithm", ["sha256", "sha512", "blake2b"])
def test_a_quick_hash_is_no_oracle_for_short_values(value: str, algorithm: str) -> None:
    result = testing.run(HASH, {"algorithm": algorithm, "salt": "x" * 64},
                         secrets={"secret": value})
    assert failed(result)[0] == "secret_too_weak_to_hash"


# -- what all of them promise ----------------------------------------------------------------


@pytest.mark.parametrize(("component", "port", "config"), [
    (HMAC, "key", {"message": "m"}), (HASH, "secret", {}),
])
def test_a_secret_bound_to_hosts_becomes_no_text_without_the_entry_local(
    component: Any, port: str, config: dict[str, Any]
) -> None:
    bound = testing.make_secret(VALUE, allowed_hosts=["api.example"])
    assert failed(testing.run(component, config, secrets={port: bound}))[0] == "secret_host_denied"
    derived = Secret.derived(VALUE, [bound, testing.make_secret("x", allowed_hosts=["local"])])
    assert failed(testing.run(component, config, secrets={port: derived}))[0] == (
        "secret_host_denied")
    local = testing.make_secret(VALUE, allowed_hosts=["api.example", "local"])
    assert testing.run(component, config, secrets={port: local}).error is None


def test_only_declared_components_may_turn_a_secret_into_plain_data() -> None:
    for component in registry():
        takes = any(port.type is PortType.SECRET for port in component.inputs)
        gives = any(port.type not in (PortType.SECRET, PortType.ORDER)
                    for port in component.outputs)
        assert component.opens_secrets is (takes and gives), component.name
