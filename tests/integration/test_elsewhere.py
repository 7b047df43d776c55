"""Database and queue on another host: verified TLS, or no start; this machine stays as it is."""

from __future__ import annotations

import psycopg
import pytest

from app.config import Config
from app.elsewhere import database_url, queue_url
from app.errors import ConfigError
from tests.support.database import Server


@pytest.mark.parametrize("url", [
    "sqlite:////srv/tacit/tacit.db",
    "postgresql:///tacit",
    "postgresql://tacit@localhost/tacit",
    "postgresql+psycopg://tacit:CANARY-7c@[::1]:5433/tacit",
    "postgresql://tacit@127.0.0.3/tacit?sslmode=disable",
    "postgresql://tacit@/tacit?host=/run/postgresql",
    "postgresql://tacit@%2Frun%2Fpostgresql/tacit",
])
def test_a_database_on_this_machine_is_taken_as_it_is(url: str) -> None:
    assert database_url(url) == url


@pytest.mark.parametrize(("url", "verified"), [
    ("postgresql://tacit:p%40ss@db.example.com:5433/tacit",
     "postgresql://tacit:p%40ss@db.example.com:5433/tacit?sslrootcert=system&sslmode=verify-full"),
    ("postgresql://db.example.com/tacit?sslmode=verify-full&sslrootcert=/etc/ca.pem",
     "postgresql://db.example.com/tacit?sslrootcert=%2Fetc%2Fca.pem&sslmode=verify-full"),
    # One name of several is enough to leave this machine, and so is an address beside the name.
    ("postgresql://localhost,db.example.com/tacit",
     "postgresql://localhost,db.example.com/tacit?sslrootcert=system&sslmode=verify-full"),
    ("postgresql://localhost/tacit?hostaddr=10.0.0.1",
     "postgresql://localhost/tacit?sslrootcert=system&hostaddr=10.0.0.1&sslmode=verify-full"),
    ("postgresql:///tacit?host=db.example.com",
     "postgresql:///tacit?sslrootcert=system&host=db.example.com&sslmode=verify-full"),
    # What a service file names isn't known here.
    ("postgresql:///tacit?service=there",
     "postgresql:///tacit?sslrootcert=system&service=there&sslmode=verify-full"),
])
def test_a_database_elsewhere_is_verified(url: str, verified: str) -> None:
    assert database_url(url) == verified
    assert database_url(verified) == verified


def test_the_host_of_the_environment_counts_where_the_address_names_none() -> None:
    assert database_url("postgresql:///tacit", "/run/postgresql") == "postgresql:///tacit"
    assert database_url("postgresql:///tacit", "db.example.com").endswith("verify-full")
    config = Config.load({
        "TACIT_DATABASE_URL": "postgresql:///tacit", "PGHOST": "db.example.com",
    })
    assert config.database_url.endswith("sslmode=verify-full")


@pytest.mark.parametrize(
    "mode", ["disable", "allow", "prefer", "require", "verify-ca", "", "VERIFY-FULL"]
)
def test_less_than_verified_is_refused(mode: str) -> None:
    with pytest.raises(ConfigError, match="sslmode=verify-full") as refused:
        Config.load({"TACIT_DATABASE_URL": f"postgresql://u:CANARY-7c@db.example/x?sslmode={mode}"})
    assert refused.value.code == "database_not_safe"
    assert "CANARY" not in str(refused.value)


@pytest.mark.parametrize("url", ["mysql://db/x", "tacit.db", "postgresql+asyncpg://db/x",
                                 "postgresql://[::1/x"])
def test_what_is_no_address_of_a_database(url: str) -> None:
    with pytest.raises(ConfigError, match="TACIT_DATABASE_URL has to be"):
        database_url(url)


def test_a_server_without_tls_gets_no_password() -> None:
    """Seen with a real server: the driver obeys what was added."""
    server = Server("trust")
    try:
        server.start()
        port = server.url.rpartition(":")[2]
        with psycopg.connect(f"{server.url}/postgres"):
            pass
        there = database_url(
            f"postgresql://tacit:CANARY-7c@db.example.com:{port}/postgres?hostaddr=127.0.0.1"
        )
        with pytest.raises(psycopg.OperationalError, match="does not support SSL"):
            psycopg.connect(there)
    finally:
        server.stop()


@pytest.mark.parametrize("url", [
    "unix:///run/tacit/queue.sock", "redis://localhost:6379/0", "redis://127.0.0.1/0",
    "rediss://worker:CANARY-7c@queue.example.com/0",
    "rediss://:CANARY-7c@queue.example/0?ssl_ca_certs=/etc/tacit/ca.pem",
    "rediss://:CANARY-7c@queue.example/0?ssl_cert_reqs=required&ssl_check_hostname=True",
])
def test_a_queue_that_is_taken(url: str) -> None:
    assert queue_url(url) == url
    assert Config.load({"TACIT_REDIS_URL": url}).redis_url == url


@pytest.mark.parametrize(("url", "words"), [
    ("redis://:CANARY-7c@queue.example.com/0", "needs TLS"),
    ("rediss://queue.example.com/0", "needs TLS"),
    ("rediss://:CANARY-7c@queue.example/0?ssl_cert_reqs=none", "ssl_cert_reqs=none"),
    ("rediss://:CANARY-7c@queue.example/0?ssl_cert_reqs=optional", "ssl_cert_reqs=optional"),
    ("rediss://:CANARY-7c@queue.example/0?ssl_check_hostname=false", "ssl_check_hostname=false"),
    ("http://queue.example.com", "has to be a URL"),
    ("redis://[::1", "has to be a URL"),
])
def test_a_queue_that_is_not_taken(url: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as refused:
        Config.load({"TACIT_REDIS_URL": url})
    assert "CANARY" not in str(refused.value)
