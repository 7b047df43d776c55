"""The hunt finds what is planted, in every form and place: only so a clean one says much."""

from __future__ import annotations

import base64
import gzip
import json
import os
import sqlite3
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from tests.support.hunt import Hunt, forms_of
from tests.support.installation import canary
from tests.support.worker_process import queue_server

AWKWARD = 'CANARY ü/+? "quoted" \\ & <tag>\nsecond line'


def _hunt(value: str) -> Hunt:
    return Hunt({"it": value})


@pytest.mark.parametrize("form", forms_of(AWKWARD))
def test_every_form_is_found(form: str) -> None:
    hunt = _hunt(AWKWARD)
    hunt.search("text", b"before " + forms_of(AWKWARD)[form] + b" after")
    assert form in {hit.form for hit in hunt.hits}


@pytest.mark.parametrize("before", ["", "a", "ab", "abc", "Bearer "])
@pytest.mark.parametrize("after", ["", "!", "!!", "!!!"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_is_found_with_any_neighbours(before: str, after: str, encode: object) -> None:
    value = canary() + "ÿ>?~"
    hunt = _hunt(value)
    assert callable(encode)
    hunt.search("text", encode(f"{before}{value}{after}".encode()))
    assert hunt.hits


def test_what_is_packed_is_opened() -> None:
    value = canary()
    packed = {
        "gzip": gzip.compress(value.encode()),
        "zlib in the middle": b"abc" + zlib.compress(value.encode()) + b"def",
        "base64 of zlib, as RQ keeps results": base64.b64encode(zlib.compress(value.encode())),
        "gzip of JSON of JSON": gzip.compress(
            json.dumps({"inner": json.dumps({"a": "".join(value)})}).encode()
        ),
    }
    for name, data in packed.items():
        hunt = _hunt(value)
        hunt.search("packed", data)
        assert hunt.hits, name


def test_nothing_is_found_where_nothing_is() -> None:
    hunt = _hunt(canary())
    hunt.search("text", f"{canary()} *** {base64.b64encode(canary().encode()).decode()}")
    assert hunt.hits == []
    assert hunt.searched["text"] > 0


def test_a_database_is_read_in_its_pages_its_wal_and_its_cells(tmp_path: Path) -> None:
    value, packed = canary(), canary()
    database = tmp_path / "tacit.db"
    connection = sqlite3.connect(database)
    connection.execute("pragma journal_mode=wal")
    connection.execute("create table notes (text, data)")
    connection.execute(
        "insert into notes values (?, ?)", (f"x{value}", zlib.compress(packed.encode()))
    )
    connection.commit()
    hunt = Hunt({"plain": value, "packed": packed})
    hunt.sqlite(database)
    connection.close()
    assert {("plain", "database rows"), ("packed", "database rows"),
            ("plain", "database file-wal")} <= {(hit.value, hit.place) for hit in hunt.hits}


def test_a_deleted_row_is_still_found_in_the_file(tmp_path: Path) -> None:
    value = canary()
    database = tmp_path / "tacit.db"
    with sqlite3.connect(database) as connection:
        connection.execute("pragma secure_delete=off")
        connection.execute("create table notes (text)")
        connection.execute("insert into notes values (?)", (value,))
        connection.commit()
        connection.execute("delete from notes")
        connection.commit()
    hunt = _hunt(value)
    hunt.sqlite(database)
    assert [hit.place for hit in hunt.hits] == ["database file"]


def test_files_are_searched_by_name_and_content_compressed_ones_too(tmp_path: Path) -> None:
    named, plain, packed = canary(), canary(), canary()
    (tmp_path / f"{named}.log").write_text("nothing")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.log").write_text(f"token={plain}")
    (tmp_path / "deep" / "a.log.1.gz").write_bytes(gzip.compress(packed.encode()))
    hunt = Hunt({"named": named, "plain": plain, "packed": packed})
    hunt.files("logs", tmp_path)
    assert {hit.value for hit in hunt.hits} == {"named", "plain", "packed"}


def test_a_queue_server_is_searched_in_keys_values_dump_and_memory() -> None:
    kinds = ["key", "string", "hash", "list", "set", "zset", "stream", "rq"]
    values = {kind: canary() for kind in kinds}
    gone = canary()
    with queue_server() as (_, client):
        known = client.get_connection_kwargs()
        url = f"unix://{known['username']}:{known['password']}@{known['path']}"
        client.set(f"x:{values['key']}", "1")
        client.set("s", values["string"] * 20)
        client.hset("h", "field", values["hash"])
        client.rpush("l", values["list"])
        client.sadd("set", values["set"])
        client.zadd("z", {values["zset"]: 1})
        client.xadd("st", {"field": values["stream"]})
        client.hset("rq:job:1", "data", zlib.compress(values["rq"].encode()))
        client.set("gone", gone)
        client.delete("gone")
        hunt = Hunt({**values, "gone": gone})
        hunt.valkey(url)
    found = {(hit.value, hit.place) for hit in hunt.hits}
    assert ("key", "valkey keys") in found
    assert {(kind, "valkey values") for kind in kinds[1:]} <= found
    assert {(kind, "valkey RDB") for kind in kinds} <= found
    # Compressed values aside, memory holds them all; a deleted one may stay for a while.
    assert {(kind, "valkey memory") for kind in kinds if kind != "rq"} <= found


def test_arguments_and_environment_of_processes_are_searched() -> None:
    argument, variable = canary(), canary()
    process = subprocess.Popen(
        [sys.executable, "-c", "import time; print(flush=True); time.sleep(60)", argument],
        env={**os.environ, "SOMETHING": variable}, stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout
        process.stdout.readline()
        hunt = Hunt({"argument": argument, "variable": variable})
        hunt.processes([process.pid])
    finally:
        process.kill()
        process.communicate()
    assert {(hit.value, hit.place) for hit in hunt.hits} == {
        ("argument", "process cmdline"), ("variable", "process environ"),
    }


def test_a_browsers_record_is_searched_but_for_the_one_request(tmp_path: Path) -> None:
    value = canary()

    def entry(
        method: str, url: str, *, sent: str = "", got: str = "", coded: bool = False
    ) -> object:
        text = base64.b64encode(got.encode()).decode() if coded else got
        content = {"text": text, **({"encoding": "base64"} if coded else {})}
        return {"request": {"method": method, "url": url, "headers": [],
                            "postData": {"text": sent}},
                "response": {"headers": [], "content": content}}

    record = tmp_path / "browser.har"

    def places(*entries: object) -> set[str]:
        record.write_text(json.dumps({"log": {"entries": entries}}))
        hunt = _hunt(value)
        assert hunt.har(record, spoken="/secrets") == len(entries)
        return {hit.place for hit in hunt.hits}

    assert places(entry("POST", "https://x/secrets", sent=value)) == set()
    assert places(entry("POST", "https://x/secrets", got=value)) == {"responses"}
    assert places(entry("POST", "https://x/secrets", got=value, coded=True)) == {"responses"}
    assert places(entry("POST", "https://x/flows", sent=value)) == {"requests"}
    assert places(entry("GET", f"https://x/?q={value}")) == {"browser URLs"}


def test_the_table_says_how_much_was_looked_at_and_what_was_found() -> None:
    hunt = _hunt(canary())
    hunt.search("logs", "nothing here")
    hunt.search("pages", hunt.values["it"], "/secrets")
    lines = hunt.table().splitlines()
    assert any(line.startswith("logs") and line.split()[1] == "12" for line in lines)
    assert any("it: literal at /secrets" in line for line in lines)
