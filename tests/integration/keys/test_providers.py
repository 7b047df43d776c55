"""Each key provider, as an installation uses it: first start, a new process, a wrong key."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError
from sqlalchemy import select

from app.errors import ConfigError, TacitError, Unavailable
from app.keys.aead import DecryptionFailed, Location
from app.keys.models import KeyEncryptionKey
from tests.support.key_servers import bao, create_kms_key, kms_server, transit_server
from tests.support.vaults import Installed

PLACE = Location("deployment", "environment", "secret", 1, "blob")
ELSEWHERE = Location("deployment", "environment", "secret", 2, "blob")


def new_key() -> str:
    """Return a key as TACIT_MASTER_KEY takes it."""
    return base64.b64encode(os.urandom(32)).decode()


def parameters(installed: Installed) -> dict[str, object]:
    """Return what the database says of the active key."""
    with installed.services.db.read() as session:
        row = session.scalars(
            select(KeyEncryptionKey).where(KeyEncryptionKey.state == "active")
        ).one()
        return row.parameters


def refuses(settings: dict[str, str], home: Path) -> ConfigError:
    """Open an installation with other settings and return why it doesn't start."""
    with pytest.raises(ConfigError) as caught:
        Installed.make(home, **settings)
    return caught.value


def test_variable(tmp_path: Path) -> None:
    key = new_key()
    settings = {"TACIT_KEY_PROVIDER": "variable", "TACIT_MASTER_KEY": key}
    installed = Installed.make(tmp_path / "home", **settings)
    stored = installed.store(2)
    assert not (tmp_path / "home/keys/master.key").exists()
    again = installed.reopened()
    assert again.read(*stored) == stored
    assert key not in repr(installed.config)

    wrong = refuses(settings | {"TACIT_MASTER_KEY": new_key()}, tmp_path / "home")
    assert wrong.code == "key_wrong"
    assert installed.vault.kek.id in wrong.detail
    short = refuses(settings | {"TACIT_MASTER_KEY": "c2hvcnQ="}, tmp_path / "home")
    assert (short.code, "c2hvcnQ" in short.detail) == ("key_wrong_size", False)
    assert refuses({"TACIT_KEY_PROVIDER": "variable"}, tmp_path / "home").code == "key_wrong"

    both = f"{key}, {new_key()}"
    assert "Rewrapped 2" in installed.tacit("keys", "rotate", TACIT_MASTER_KEY=both).stdout
    renewed = installed.reopened(TACIT_MASTER_KEY=both)
    assert renewed.read(*stored) == stored
    assert refuses(settings, tmp_path / "home").code == "key_wrong"


def test_a_process_drops_the_variable(tmp_path: Path) -> None:
    """The environment of the process, as the kernel shows it, holds no key afterwards."""
    program = (
        "from pathlib import Path; from app.cli.installed import load_config; "
        "import os; config = load_config(); "
        "print('TACIT_MASTER_KEY' in os.environ, bool(config.keys.variable), "
        "os.environ['CANARY'] in Path('/proc/self/environ').read_text().replace("
        "'CANARY=' + os.environ['CANARY'], ''))"
    )
    key = new_key()
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True,
        env={"TACIT_HOME": str(tmp_path), "TACIT_MASTER_KEY": key, "CANARY": key},
    )
    assert done.stdout.split() == ["False", "True", "False"]


def test_passphrase(tmp_path: Path) -> None:
    phrases = tmp_path / "phrases"
    phrases.write_text("six random words and one more\n")
    phrases.chmod(0o600)
    settings = {"TACIT_KEY_PROVIDER": "passphrase", "TACIT_PASSPHRASE_FILE": str(phrases)}
    installed = Installed.make(tmp_path / "home", **settings)
    stored = installed.store(2)
    assert set(parameters(installed)) == {"salt", "time", "memory", "lanes"}
    assert installed.reopened().read(*stored) == stored

    phrases.write_text("six random words and one less\n")
    assert refuses(settings, tmp_path / "home").code == "key_wrong"
    phrases.write_text("six random words and one more\nanother phrase, a longer one\n")
    assert "Rewrapped 2" in installed.tacit("keys", "rotate").stdout
    phrases.write_text("another phrase, a longer one\n")
    assert installed.reopened().read(*stored) == stored
    phrases.chmod(0o644)
    assert refuses(settings, tmp_path / "home").code == "key_file_unsafe"


@pytest.mark.parametrize("phrase", ["", "too short"])
def test_passphrase_that_is_none(tmp_path: Path, phrase: str) -> None:
    settings = {"TACIT_KEY_PROVIDER": "passphrase", "TACIT_PASSPHRASE": phrase}
    assert refuses(settings, tmp_path / "home").code in ("key_missing", "passphrase_short")
    assert list((tmp_path / "home").iterdir()) == []


@pytest.fixture(scope="module")
def kms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        with kms_server(tmp_path_factory.mktemp("kms")) as url:
            yield url


def test_aws_kms(kms: str, tmp_path: Path) -> None:
    key = create_kms_key(kms)
    settings = {
        "TACIT_KEY_PROVIDER": "aws-kms", "TACIT_KMS_KEY": key, "TACIT_KMS_ENDPOINT": kms,
    }
    installed = Installed.make(tmp_path / "home", **settings)
    stored = installed.store(2)
    assert not (tmp_path / "home/keys/master.key").exists()
    assert installed.reopened().read(*stored) == stored

    kek = installed.vault.kek
    kek.health()
    wrapped = kek.wrap(PLACE, b"ciphertext", b"d" * 32)
    assert kek.unwrap(PLACE, b"ciphertext", wrapped) == b"d" * 32
    for place, ciphertext in ((ELSEWHERE, b"ciphertext"), (PLACE, b"another")):
        with pytest.raises(DecryptionFailed):
            kek.unwrap(place, ciphertext, wrapped)
    # KMS itself refuses it without the context, or with a wrong one.
    client = boto3.client("kms", endpoint_url=kms)
    for context in ({}, {"blob": "blob"}):
        with pytest.raises(ClientError, match="InvalidCiphertext"):
            client.decrypt(KeyId=key, CiphertextBlob=wrapped, EncryptionContext=context)

    unknown = replace(kek, key="00000000-0000-0000-0000-000000000000")  # type: ignore[type-var]
    with pytest.raises(Unavailable) as caught:
        unknown.health()
    assert caught.value.code == "key_provider_refuses"
    away = settings | {"TACIT_KMS_ENDPOINT": "http://127.0.0.1:9"}
    with pytest.raises(TacitError) as gone:
        Installed.make(tmp_path / "home", **away)
    assert gone.value.code == "key_provider_unreachable"


def test_moving_from_a_key_file_to_aws_kms(kms: str, tmp_path: Path) -> None:
    installed = Installed.make(tmp_path / "home")
    stored = installed.store(3)
    aws = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    more = {
        "TACIT_KEY_PROVIDER": "aws-kms", "TACIT_KMS_KEY": create_kms_key(kms),
        "TACIT_KMS_ENDPOINT": kms,
    }
    moved = installed.tacit("keys", "rotate", **aws, **more)
    assert "Rewrapped 3" in moved.stdout, moved.stderr
    installed.config.master_key_file.unlink()
    assert installed.reopened(**more).read(*stored) == stored


@pytest.fixture(scope="module")
def transit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    with transit_server(tmp_path_factory.mktemp("bao")) as found:
        yield found


def test_transit(transit: tuple[str, str], tmp_path: Path) -> None:
    url, root = transit
    bao(url, root, "POST", "transit/keys/tacit", {"type": "aes256-gcm96"})
    bao(url, root, "POST", "transit/keys/other", {"type": "aes256-gcm96"})
    policy = "\n".join(
        f'path "transit/{deed}/tacit" {{ capabilities = ["update"] }}'
        for deed in ("encrypt", "decrypt")
    )
    bao(url, root, "PUT", "sys/policies/acl/tacit", {"policy": policy})
    token = bao(url, root, "POST", "auth/token/create", {"policies": ["tacit"]}).json()
    token_file = tmp_path / "token"
    token_file.write_text(token["auth"]["client_token"] + "\n")
    token_file.chmod(0o600)
    settings = {
        "TACIT_KEY_PROVIDER": "transit", "TACIT_TRANSIT_URL": url,
        "TACIT_TRANSIT_KEY": "tacit", "TACIT_TRANSIT_TOKEN_FILE": str(token_file),
    }
    installed = Installed.make(tmp_path / "home", **settings)
    stored = installed.store(2)
    assert not (tmp_path / "home/keys/master.key").exists()
    assert installed.reopened().read(*stored) == stored

    kek = installed.vault.kek
    kek.health()
    wrapped = kek.wrap(PLACE, b"ciphertext", b"d" * 32)
    assert kek.unwrap(PLACE, b"ciphertext", wrapped) == b"d" * 32
    for place, ciphertext in ((ELSEWHERE, b"ciphertext"), (PLACE, b"another")):
        with pytest.raises(DecryptionFailed):
            kek.unwrap(place, ciphertext, wrapped)
    # The key's own rotation, at the server: what was wrapped before still opens, and a rotation
    # here moves the values to the new version of the key.
    bao(url, root, "POST", "transit/keys/tacit/rotate")
    assert installed.reopened().read(*stored) == stored
    assert "Rewrapped 2" in installed.tacit("keys", "rotate").stdout
    bao(url, root, "POST", "transit/keys/tacit/config", {"min_decryption_version": 2})
    assert installed.reopened().read(*stored) == stored

    token_file.write_text("wrong")
    with pytest.raises(Unavailable) as caught:
        installed.reopened()
    assert caught.value.code == "key_provider_refuses"
    token_file.chmod(0o644)
    assert refuses(settings, tmp_path / "home").code == "key_file_unsafe"


def test_transit_travels_encrypted(tmp_path: Path) -> None:
    settings = {
        "TACIT_KEY_PROVIDER": "transit", "TACIT_TRANSIT_KEY": "tacit",
        "TACIT_TRANSIT_URL": "http://vault.example.org:8200",
        "TACIT_TRANSIT_TOKEN_FILE": str(tmp_path / "token"),
    }
    wrong = refuses(settings, tmp_path / "home")
    assert re.search("must be https", wrong.detail)


def test_unknown_provider(tmp_path: Path) -> None:
    wrong = refuses({"TACIT_KEY_PROVIDER": "cloud"}, tmp_path / "home")
    assert "keyfile, variable, passphrase, aws-kms" in wrong.detail
