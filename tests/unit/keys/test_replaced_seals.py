"""Seal keys that are replaced while processes hold them."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.config import Config, Hidden
from app.errors import ConfigError
from app.keys.keyfiles import create_key_file
from app.keys.resealing import replace_seal_key
from app.keys.seals import Seals, seal_files


@pytest.fixture
def config(tmp_path: Path) -> Config:
    config = Config.load({"TACIT_HOME": str(tmp_path)})
    for path in seal_files(tmp_path):
        create_key_file(path)
    return config


def test_a_running_process_takes_up_the_new_key(config: Config) -> None:
    running = Seals.open(config)
    old_id, old_mac = running.mac_row("rows", {"a": 1})
    new_id = replace_seal_key(config.home, "row-mac")
    assert running.mac_row("rows", {"a": 1})[0] == new_id != old_id
    for seals in (running, Seals.open(config)):
        assert seals.row_is_sealed("rows", {"a": 1}, old_id, old_mac)
        assert sorted(seals.row_key_ids) == sorted([old_id, new_id])
    (config.home / "keys" / f"row-mac-{old_id}.key").unlink()
    assert not Seals.open(config).row_is_sealed("rows", {"a": 1}, old_id, old_mac)


def test_a_row_sealed_by_a_newer_process_is_taken(config: Config) -> None:
    running = Seals.open(config)
    replace_seal_key(config.home, "row-mac")
    key_id, mac = Seals.open(config).mac_row("rows", {"a": 1})
    assert running.row_is_sealed("rows", {"a": 1}, key_id, mac)


def test_links_of_an_older_audit_key_are_checked_with_it(config: Config) -> None:
    seals = Seals.open(config)
    old_id = seals.audit_key_id
    event = {"key_id": old_id, "seq": 1}
    link, signature = seals.mac_audit(b"", event), seals.sign_checkpoint("text")
    new_id = replace_seal_key(config.home, "audit")
    assert seals.audit_key_id == new_id
    assert seals.mac_audit(b"", event) == seals.mac_audit(b"", event, old_id) == link
    assert seals.mac_audit(b"", {**event, "key_id": new_id}) != link
    assert seals.checkpoint_is_signed("text", signature)
    assert not seals.checkpoint_is_signed("texts", signature)
    with pytest.raises(KeyError):
        seals.mac_audit(b"", event, "0" * 16)


def test_an_unsafe_older_key_stops_the_start(config: Config) -> None:
    old_id = Seals.open(config).row_key_id
    replace_seal_key(config.home, "row-mac")
    (config.home / "keys" / f"row-mac-{old_id}.key").chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        Seals.open(config)


def test_hidden_settings_do_not_show_and_can_be_wiped() -> None:
    hidden = Hidden("CANARY-one, CANARY-two\n")
    assert "CANARY" not in f"{hidden!r} {hidden}"
    assert hidden.lines(b",") == [b"CANARY-one", b"CANARY-two"]
    config = Config.load({"TACIT_MASTER_KEY": "CANARY", "TACIT_PASSPHRASE": "CANARY"})
    assert "CANARY" not in repr(config)
    config.keys.wipe()
    assert not config.keys.variable
    assert config.keys.passphrase.lines() == []
