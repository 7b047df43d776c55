"""A hunt for canaries: does a value stand anywhere, in any form, where it must not?

``Hunt.search`` takes the bytes of a place, takes off what lies around them (gzip, zlib, base64,
JSON) and looks for every form of every value. The places know how to empty themselves:
files and folders, an SQLite database with its rows, a Valkey server with its keys, its dump and
its memory, processes with their arguments and environment, a browser's HAR. What can't be read
is counted too: a hunt that saw nothing proves nothing.
"""

from __future__ import annotations

import base64
import json
import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis import Redis
from sqlalchemy import inspect, text

from app.cli.drill.forms import forms_of, layers
from app.config import Config
from app.db import build_engine

_MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) r")


@dataclass(frozen=True, slots=True)
class Hit:
    """A value that was found: which one, in which place and form, and where there."""

    value: str
    place: str
    form: str
    where: str
    around: str = ""


@dataclass
class Hunt:
    """What is hunted, what was found and how much was looked at.

    :param values: the canaries by a name that may be printed.
    """

    values: Mapping[str, str]
    hits: list[Hit] = field(default_factory=list)
    searched: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    shut: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def __post_init__(self) -> None:
        self._forms = [
            (name, form, needle)
            for name, value in self.values.items()
            for form, needle in forms_of(value).items()
        ]

    def search(self, place: str, data: bytes | str, where: str = "") -> None:
        """Search bytes, and what they hold once decoded."""
        raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
        self.searched[place] += len(raw)
        seen: set[tuple[str, str]] = set()
        for path, layer in layers(raw):
            for name, form, needle in self._forms:
                if (name, form) not in seen and needle in layer:
                    seen.add((name, form))
                    shown = f"{form} in {path}" if path else form
                    at = layer.index(needle)
                    around = layer[max(0, at - 60):at] + b"[...]" + layer[at + len(needle):][:40]
                    self.hits.append(Hit(name, place, shown, where, repr(around)))

    def object(self, place: str, value: Any, where: str = "") -> None:
        """Search anything made of texts, bytes, lists and mappings, each text on its own."""
        if isinstance(value, bytes | str):
            self.search(place, value, where)
        elif isinstance(value, Mapping):
            for key, item in value.items():
                self.object(place, key, where)
                self.object(place, item, f"{where}.{key!s:.40}")
        elif isinstance(value, Iterable):
            for item in value:
                self.object(place, item, where)

    # ---- places ----

    def files(self, place: str, folder: Path) -> None:
        """Search every file below a folder, and its name."""
        for file in sorted(folder.rglob("*")):
            self.search(place, str(file.relative_to(folder)), "name")
            if file.is_file() and not file.is_symlink():
                self.search(place, file.read_bytes(), file.name)

    def sqlite(self, database: Path) -> None:
        """Search the pages of a database, its WAL and SHM, and every cell of every table."""
        for suffix in ("", "-wal", "-shm"):
            file = database.with_name(database.name + suffix)
            if file.exists():
                self.search(f"database file{suffix}", file.read_bytes(), file.name)
        connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
        try:
            names = connection.execute("select name from sqlite_schema where type = 'table'")
            for (table,) in names.fetchall():
                for row in connection.execute(f'select * from "{table}"'):  # noqa: S608
                    self.object("database rows", [cell for cell in row if cell is not None], table)
        finally:
            connection.close()

    def database(self, config: Config) -> None:
        """Search the installation's database: its files where it has some, and every cell."""
        if config.is_sqlite:
            self.sqlite(Path(config.database_url.removeprefix("sqlite:///")))
            return
        engine = build_engine(config.database_url)
        try:
            with engine.connect() as connection:
                for table in inspect(connection).get_table_names():
                    for row in connection.execute(text(f'select * from "{table}"')):  # noqa: S608
                        cells = [_plain(cell) for cell in row if cell is not None]
                        self.object("database rows", cells, table)
        finally:
            engine.dispose()

    def valkey(self, url: str) -> None:
        """Search every key and value of a server, its slow log and clients, and a dump of it all.

        The dump is written without compression, read and removed.
        """
        with Redis.from_url(url) as server:
            databases = int(server.config_get("databases")["databases"])
            for number in range(databases):
                with Redis.from_url(url, db=number) as client:
                    for key in client.scan_iter(count=1000):
                        name = f"{number}:{key!r:.60}"
                        self.search("valkey keys", key, name)
                        self.search("valkey DUMP", client.dump(key) or b"", name)
                        self.object("valkey values", _content(client, key), name)
            self.object("valkey slow log", server.slowlog_get(128) or ())
            clients = [list(one.values()) for one in server.client_list()]
            self.object("valkey clients", clients)
            settings = server.config_get("dir", "dbfilename", "rdbcompression")
            server.config_set("rdbcompression", "no")
            server.save()
            server.config_set("rdbcompression", settings["rdbcompression"])
            dump = Path(settings["dir"]) / settings["dbfilename"]
            self.search("valkey RDB", dump.read_bytes(), dump.name)
            dump.unlink()
            self.memory("valkey memory", int(server.info("server")["process_id"]))

    def memory(self, place: str, pid: int) -> None:
        """Search what a process may read of its own memory.

        :raises OSError: it is shut to this user.
        """
        with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
            for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
                found = _MAPPING.match(line)
                if not found or line.endswith(("[vvar]", "[vsyscall]", "[vvar_vclock]")):
                    continue
                begin, end = int(found[1], 16), int(found[2], 16)
                try:
                    memory.seek(begin)
                    piece = _read(memory, end - begin)
                except OSError:
                    self.shut[place] += 1
                    continue
                self._search_plain(place, piece, line.rpartition(" ")[2])

    def _search_plain(self, place: str, data: bytes, where: str) -> None:
        """Search without taking layers off: memory is too large and too wild for that."""
        self.searched[place] += len(data)
        for name, form, needle in self._forms:
            if needle in data:
                self.hits.append(Hit(name, place, form, where))

    def processes(self, pids: Iterable[int]) -> None:
        """Search the arguments and the environment of processes."""
        for pid in pids:
            for name in ("cmdline", "environ"):
                place = f"process {name}"
                try:
                    self.search(place, Path(f"/proc/{pid}/{name}").read_bytes(), str(pid))
                except PermissionError:
                    self.shut[place] += 1
                except (FileNotFoundError, ProcessLookupError):
                    continue

    def har(self, file: Path, *, spoken: str | tuple[str, ...]) -> int:
        """Search all that a browser sent and got; returns the number of answers with a body.

        :param spoken: the endings of the URLs to which values are typed: such a request's body
            is left out, its answer isn't.
        """
        bodies = 0
        for entry in json.loads(file.read_text("utf-8"))["log"]["entries"]:
            request, response = entry["request"], entry["response"]
            url = request["url"]
            self.search("browser URLs", url, url[:80])
            self.object("response headers", response["headers"], url[:80])
            self.object("requests", request["headers"], url[:80])
            if not (request["method"] == "POST" and url.endswith(spoken)):
                self.object("requests", request.get("postData") or {}, url[:80])
            content = response["content"]
            text = content.get("text")
            if text is None:
                continue
            bodies += 1
            coded = content.get("encoding") == "base64"
            self.search("responses", base64.b64decode(text) if coded else text, url[:80])
        return bodies

    # ---- what came out ----

    def table(self) -> str:
        """Return place × bytes × forms × hits as lines to print."""
        forms = len(self._forms)
        lines = [f"{'place':<22}{'bytes':>12}{'forms':>8}{'hits':>6}"]
        for place in sorted({*self.searched, *self.shut}):
            hits = [hit for hit in self.hits if hit.place == place]
            shut = f"   {self.shut[place]} shut" if self.shut.get(place) else ""
            lines.append(
                f"{place:<22}{self.searched.get(place, 0):>12,}{forms:>8}{len(hits):>6}{shut}"
            )
            lines += [
                f"    {hit.value}: {hit.form} at {hit.where}"
                + (f"\n        {hit.around}" if hit.around else "") for hit in hits[:20]
            ]
        return "\n".join(lines)


def _plain(cell: Any) -> bytes | str:
    """Return a cell as bytes, or as the text that the database keeps."""
    if isinstance(cell, bytes | memoryview):
        return bytes(cell)
    return json.dumps(cell, ensure_ascii=False) if isinstance(cell, dict | list) else str(cell)


def _read(memory: Any, size: int) -> bytes:
    parts = []
    while size > 0:
        part = memory.read(min(size, 1 << 24))
        if not part:
            break
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _content(client: Redis, key: bytes) -> Any:
    """Read a key's whole value with the command of its type."""
    kind = str(client.type(key), "ascii")  # type: ignore[arg-type]
    match kind:
        case "string":
            return client.get(key)
        case "hash":
            return client.hgetall(key)
        case "list":
            return client.lrange(key, 0, -1)
        case "set":
            return client.smembers(key)
        case "zset":
            return client.zrange(key, 0, -1)
        case "stream":
            return [fields for _, fields in client.xrange(key) or ()]
        case "none":
            return []
    raise AssertionError(f"a key of unknown type {kind}")
