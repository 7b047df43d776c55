"""File Read and File Write: what they do, and every way out of their folders that is shut."""

from __future__ import annotations

import base64
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from app.components.folders import Folder, find_folder, granted, is_grant, read_folders
from app.components.registry import registry
from app.errors import ConfigError
from app.sdk import testing

READ = registry().get("file.read")
WRITE = registry().get("file.write")
CANARY = "CANARY-file-77c1e0b2"


@pytest.fixture
def box(tmp_path: Path) -> Path:
    """A listed folder, its neighbour with a file that nobody may read, and a scratch folder."""
    for name in ("box", "box-not", "outside", "scratch"):
        (tmp_path / name).mkdir()
    (tmp_path / "outside" / "hidden").write_text(CANARY)
    (tmp_path / "box-not" / "hidden").write_text(CANARY)
    return tmp_path / "box"


def run(component: Any, box: Path, *, writable: bool = True, **config: Any) -> testing.Result:
    wires = {name: config.pop(name) for name in ("path", "content") if name in config}
    return testing.run(component, config, wires=wires, folders=[Folder(str(box), box, writable)],
                       scratch=box.parent / "scratch")


def code(result: testing.Result) -> str:
    assert result.error is not None, result.outputs
    assert CANARY not in result.error.message
    return result.error.code


def test_a_path_is_cut_beside_no_secret(box: Path) -> None:
    """Masked afterwards, the beginning of a value that the cut goes through would stay."""
    path = f"/{'x' * 195}{CANARY}"
    result = testing.run(READ, {}, wires={"path": path}, secrets={"other": CANARY})
    assert result.error is not None
    assert "CAN" not in result.error.message


def test_read_text_and_bytes(box: Path) -> None:
    (box / "sub").mkdir()
    (box / "sub" / "a.txt").write_bytes("\ufeffgrüße\n".encode())
    os.utime(box / "sub" / "a.txt", (0, 1_700_000_000))
    path = f"{box}/sub/a.txt"
    result = run(READ, box, path=path, writable=False)
    assert result.outputs == {
        "content": "grüße\n", "size": 11, "modified": "2023-11-14T22:13:20+00:00"}
    (box / "b").write_bytes(b"\xff\0")
    assert run(READ, box, path=f"{box}/b", encoding="base64").outputs["content"] == "/wA="
    assert code(run(READ, box, path=f"{box}/b")) == "file_not_text"
    (box / "big").write_bytes(b"x" * 1025)
    assert code(run(READ, box, path=f"{box}/big", max_kib=1)) == "file_too_large"


def test_write_replaces_whole_adds_and_makes(box: Path) -> None:
    path = f"{box}/new/deep/a.txt"
    assert code(run(WRITE, box, path=path, content="x")) == "file_missing"
    made = run(WRITE, box, path=path, content="grüße", make_folders=True, mode="create")
    assert made.outputs == {"path": path, "size": 7}
    assert code(run(WRITE, box, path=path, content="x", mode="create")) == "file_exists"
    file = Path(path)
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("grüße", 0o600)
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert run(WRITE, box, path=path, content="!", mode="append").outputs["size"] == 8
    before = file.stat().st_ino
    coded = base64.b64encode(b"\xff\0").decode()
    assert run(WRITE, box, path=path, content=coded, encoding="base64").outputs["size"] == 2
    assert file.read_bytes() == b"\xff\0"
    assert file.stat().st_ino != before, "a reader of the old file keeps the old file"
    assert run(WRITE, box, path=f"{box}/fresh", content="a", mode="append").outputs["size"] == 1
    big = "x" * 1020
    assert code(run(WRITE, box, path=path, content=big + "xxxxx", max_kib=1)) == "file_too_large"
    assert code(run(WRITE, box, path=path, content=big + "xxx", max_kib=1, mode="append")) == (
        "file_too_large")
    assert file.read_bytes() == b"\xff\0"
    assert code(run(WRITE, box, path=path, content="?", encoding="base64")) == "content_not_base64"
    assert code(run(WRITE, box, path=path, content="x", writable=False)) == "file_read_only"
    left = [one.name for one in box.rglob("*")]
    assert sorted(left) == ["a.txt", "deep", "fresh", "new"], "nothing of a failure is left"


def test_relative_paths_are_in_the_run_s_own_folder(box: Path) -> None:
    assert run(WRITE, box, path="a/b", content="x", make_folders=True).error is None
    assert (box.parent / "scratch" / "a" / "b").read_text() == "x"
    assert run(READ, box, path="a/b").outputs["content"] == "x"
    assert code(run(READ, box, path="a")) == "file_not_regular"
    assert code(run(WRITE, box, path="a", content="x")) == "file_not_regular"
    assert code(run(READ, box, path="a/b/c")) == "file_linked"


@pytest.mark.parametrize("path", [
    "{box}/../outside/hidden", "{box}/../box-not/hidden", "{box}/a/../../outside/hidden",
    "../outside/hidden", "..", ".", "{box}/.", "{box}/", "{box}/./x", "a//b", "a\0b",
    "{box}/" + "n" * 256,
])
def test_dots_and_broken_paths(box: Path, path: str) -> None:
    for component in (READ, WRITE):
        assert code(run(component, box, path=path.format(box=box))) in (
            "file_path_not_valid", "file_not_allowed")


@pytest.mark.parametrize("path", [
    "/etc/passwd", "{box}", "{box}-not/hidden", "{up}/outside/hidden", "/{box}/x", "/",
    "/proc/self/environ", "/proc/self/fd/0", "/dev/stdin",
])
def test_what_is_not_listed(box: Path, path: str) -> None:
    for component in (READ, WRITE):
        result = run(component, box, path=path.format(box=box, up=box.parent))
        assert code(result) == "file_not_allowed"


def test_links_are_not_followed(box: Path) -> None:
    outside = box.parent / "outside"
    (box / "file").symlink_to(outside / "hidden")
    (box / "dir").symlink_to(outside)
    (box / "dangling").symlink_to(outside / "fresh")
    (box / "magic").symlink_to("/proc/self/cwd")
    (box / "hard").hardlink_to(outside / "hidden")
    for name in ("file", "dir/hidden", "dangling", "magic/x", "hard", "dir"):
        assert code(run(READ, box, path=f"{box}/{name}")) == "file_linked", name
        assert code(run(WRITE, box, path=f"{box}/{name}", content="x", mode="append")) in (
            "file_linked",), name
    assert code(run(WRITE, box, path=f"{box}/dir/new", content="x", make_folders=True)) == (
        "file_linked")
    # A link in the place of the file is replaced itself; where it led nothing happens.
    assert run(WRITE, box, path=f"{box}/dangling", content="x").error is None
    assert (box / "dangling").read_text() == "x"
    assert sorted(one.name for one in outside.iterdir()) == ["hidden"]
    assert (outside / "hidden").read_text() == CANARY


def test_devices_and_pipes_are_not_opened(box: Path) -> None:
    os.mkfifo(box / "pipe")
    assert code(run(READ, box, path=f"{box}/pipe")) == "file_not_regular"
    assert code(run(WRITE, box, path=f"{box}/pipe", content="x", mode="append")) == (
        "file_not_regular")


def test_a_link_that_comes_and_goes_never_leads_out(box: Path) -> None:
    """Somebody swaps a folder for a link, as fast as they can, while files are read and written."""
    (box / "real").mkdir()
    (box / "real" / "hidden").write_text("harmless")
    (box / "away").symlink_to(box.parent / "outside")
    over = threading.Event()

    def swap() -> None:
        while not over.is_set():
            for target in ("real", "away"):
                os.rename(box / target, box / "way")  # noqa: PTH104 - the fastest there is
                os.rename(box / "way", box / target)  # noqa: PTH104

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        seen = set()
        for _ in range(400):
            read = run(READ, box, path=f"{box}/way/hidden")
            seen.add(read.outputs.get("content") or code(read))
            run(WRITE, box, path=f"{box}/way/new", content="x")
    finally:
        over.set()
        thread.join()
    assert seen <= {"harmless", "file_linked", "file_missing"}
    assert sorted(one.name for one in (box.parent / "outside").iterdir()) == ["hidden"]


def test_a_secret_is_not_written_in_any_form(box: Path) -> None:
    component = type(WRITE)()
    coded = base64.b64encode(CANARY.encode()).decode()
    for content in (CANARY, f"a {coded}", CANARY.encode().hex()):
        for config in ({}, {"encoding": "base64"}):
            given = base64.b64encode(content.encode()).decode() if config else content
            result = testing.run(component, config, granted=CANARY, scratch=box,
                                 wires={"path": "x", "content": given})
            assert code(result) == "file_holds_secret"
    named = testing.run(component, granted=CANARY, wires={"path": f"a-{CANARY}"}, scratch=box)
    assert named.error is not None
    assert named.error.code == "file_holds_secret"
    assert list(box.iterdir()) == []


# -- which folders ---------------------------------------------------------------------------


def test_worker_and_environment_both_have_to_list_a_folder(tmp_path: Path) -> None:
    folders = (Folder("/srv/in", Path("/srv/in")), Folder("/srv/out", Path("/data/out"), True))
    assert granted(folders, ["env:X", "file:/srv/in", "folder:/srv/in"]) == folders[:1]
    assert granted(folders, ["folder:/srv"]) == folders
    assert granted(folders, ["folder:/srv/out/mine", "folder:/srv/inner"]) == (
        Folder("/srv/out/mine", Path("/data/out/mine"), True),)
    assert granted(folders, []) == ()
    assert find_folder(folders, "/srv/in/a/b") == folders[0]
    assert find_folder(folders, "/srv/inner") is None
    assert [text for text in ("folder:/a", "folder:/", "folder:a", "folder:/a/../b", "folder:/a/",
                              "folder:/a*", "file:/a") if is_grant(text)] == [
        "folder:/a", "folder:/", "folder:/a*"]


def test_the_worker_s_list(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    found = read_folders({"TACIT_FILE_ROOTS": f" {tmp_path}/a:rw, {tmp_path}/link:ro ,"})
    assert found == (Folder(f"{tmp_path}/a", tmp_path / "a", True),
                     Folder(f"{tmp_path}/link", tmp_path / "a", False))
    assert read_folders({}) == ()
    for wrong in ("relative", "/a/../b", f"{tmp_path}/missing", f"{tmp_path}/a/"):
        with pytest.raises(ConfigError):
            read_folders({"TACIT_FILE_ROOTS": wrong})


def test_tacit_s_own_folders_are_never_listed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "keys").mkdir(parents=True)
    (tmp_path / "link").symlink_to(home)
    (tmp_path / "home-like").mkdir()
    closed = {"TACIT_FILE_CLOSED": str(tmp_path / "link")}
    for listed in (home, home / "keys", tmp_path, tmp_path / "link", tmp_path / "link" / "keys",
                   Path("/")):
        with pytest.raises(ConfigError) as caught:
            read_folders({"TACIT_FILE_ROOTS": f"{listed}:rw", **closed})
        assert caught.value.code == "file_root_closed"
        with pytest.raises(ConfigError):
            read_folders({"TACIT_FILE_ROOTS": str(listed)}, [home / "keys", home / "worker.json"])
    assert len(read_folders({"TACIT_FILE_ROOTS": f"{tmp_path}/home-like", **closed})) == 1
