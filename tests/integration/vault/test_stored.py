"""What is stored of a value: damaged, moved or wrapped elsewhere, it is refused alike."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from app.errors import Unavailable
from app.keys.sealed import Tampered
from app.vault.models import SecretBlob, SecretVersion
from tests.integration.vault.conftest import Place
from tests.support.installation import canary


def _blob(place: Place, secret_id: str, version: int = 1) -> SecretBlob:
    with place.begin() as session:
        row = session.scalar(
            select(SecretVersion).where(
                SecretVersion.secret_id == secret_id, SecretVersion.number == version
            )
        )
        assert row is not None
        blob = session.get(SecretBlob, row.blob_id)
        assert blob is not None
        return blob


def _refused(place: Place, secret_id: str, version: int = 1) -> None:
    with pytest.raises(Unavailable) as caught:
        place.value(secret_id, version)
    assert caught.value.code == "value_unreadable"
    assert secret_id not in caught.value.detail


def _write(place: Place, blob_id: str, **values: object) -> None:
    with place.begin() as session:
        session.execute(update(SecretBlob).where(SecretBlob.id == blob_id).values(**values))


@pytest.mark.parametrize("column", ["nonce", "ciphertext", "wrapped_dek"])
def test_flipped_bytes(place: Place, column: str) -> None:
    value = canary()
    made = place.create("one", value)
    blob = _blob(place, made.id)
    content = getattr(blob, column)
    for position in range(0, len(content), 5):
        damaged = bytearray(content)
        damaged[position] ^= 0x10
        _write(place, blob.id, **{column: bytes(damaged)})
        _refused(place, made.id)
    _write(place, blob.id, **{column: b""})
    _refused(place, made.id)
    _write(place, blob.id, **{column: content})
    assert place.value(made.id) == value


@pytest.mark.parametrize(
    ("column", "content"), [("format", 2), ("algorithm", "none"), ("kek_id", "kek-0000")]
)
def test_another_format_algorithm_or_key(place: Place, column: str, content: object) -> None:
    made = place.create()
    _write(place, _blob(place, made.id).id, **{column: content})
    _refused(place, made.id)


def test_a_blob_opens_for_its_own_version_and_secret_alone(place: Place) -> None:
    one, two = place.create("one"), place.create("two")
    place.rotate(one.id)
    stored = [_blob(place, one.id), _blob(place, one.id, 2), _blob(place, two.id)]
    names = ("nonce", "ciphertext", "kek_id", "wrapped_dek")
    for target, source in ((0, 1), (1, 0), (0, 2), (2, 0)):
        # The whole content of one row put into another.
        content = {name: getattr(stored[source], name) for name in names}
        _write(place, stored[target].id, **content)
    _refused(place, one.id, 1)
    _refused(place, one.id, 2)
    _refused(place, two.id)


def test_a_version_pointed_at_another_blob(place: Place) -> None:
    one, two = place.create("one"), place.create("two")
    with place.begin() as session:
        session.execute(
            update(SecretVersion)
            .where(SecretVersion.secret_id == one.id)
            .values(blob_id=_blob_id(place, two.id)),
            execution_options={"synchronize_session": False},
        )
    with pytest.raises(Tampered):
        place.value(one.id)


def _blob_id(place: Place, secret_id: str) -> str:
    with place.workshop.installation.services.db.read() as session:
        row = session.get(SecretVersion, (secret_id, 1))
        assert row is not None
        return row.blob_id


def test_a_blob_that_is_gone(place: Place) -> None:
    made = place.create()
    blob = _blob(place, made.id)
    with place.begin() as session:
        session.delete(session.get_one(SecretBlob, blob.id))
    _refused(place, made.id)


def test_an_older_version_made_active_in_sql(place: Place) -> None:
    from app.vault.models import Secret

    made = place.create()
    place.rotate(made.id)
    with place.begin() as session:
        session.execute(
            update(Secret).where(Secret.id == made.id).values(active_version=1),
            execution_options={"synchronize_session": False},
        )
    with pytest.raises(Tampered):
        place.value(made.id)
    with pytest.raises(Tampered):
        place.get(made.id)


def test_reading_a_value_makes_no_revision(place: Place) -> None:
    made = place.create()
    place.value(made.id)
    shown = place.get(made.id)
    assert shown.revision == made.revision
    assert shown.last_accessed_at is not None
