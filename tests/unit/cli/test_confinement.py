"""What start-up says about the distance between a run and the master key."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.cli import confinement


@pytest.mark.parametrize(
    ("uid", "closed", "landlock", "words"),
    [
        (0, None, True, None),
        (0, None, False, None),
        (0, Path("/root"), True, "can't enter /root; Landlock alone"),
        (0, Path("/root"), False, "could reach the master key"),
        (1000, None, True, None),
        (1000, None, False, "could reach the master key"),
    ],
    ids=["root", "root-old-kernel", "root-shut", "root-shut-old-kernel", "user", "user-old-kernel"],
)
def test_what_is_missing_is_said(
    monkeypatch: pytest.MonkeyPatch, uid: int, closed: Path | None, landlock: bool,
    words: str | None,
) -> None:
    monkeypatch.setattr("app.cli.confinement.os.geteuid", lambda: uid)
    monkeypatch.setattr(confinement, "shut_out", lambda: closed)
    monkeypatch.setattr(confinement, "has_landlock", lambda: landlock)
    said = confinement.shortcoming()
    if words is None:
        assert said is None
    else:
        assert said is not None
        assert words in said


def test_private_folder_shuts_others_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    monkeypatch.setattr("app.cli.confinement.sys.prefix", str(private))
    assert confinement.shut_out() is not None
