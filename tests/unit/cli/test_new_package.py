"""``tacit component new``: what it refuses. (That what it writes works: tests/e2e.)"""

from __future__ import annotations

from pathlib import Path

import pytest

from app.cli.newpackage import write_package
from app.errors import TacitError


@pytest.mark.parametrize(("name", "code"), [
    ("greet", "component_id_invalid"), ("Acme.Greet", "component_id_invalid"),
    ("acme..x", "component_id_invalid"), ("../acme.x", "component_id_invalid"),
    ("acme.class", "component_id_invalid"), ("secret.mine", "component_namespace_reserved"),
    ("http.mine", "component_namespace_reserved"),
])
def test_a_name_that_can_t_be(name: str, code: str, tmp_path: Path) -> None:
    with pytest.raises(TacitError) as caught:
        write_package(name, tmp_path / "new")
    assert caught.value.code == code
    assert not (tmp_path / "new").exists()


def test_a_folder_that_holds_something(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("kept")
    with pytest.raises(TacitError) as caught:
        write_package("acme.greet", tmp_path)
    assert caught.value.code == "folder_not_empty"
    assert [one.name for one in tmp_path.iterdir()] == ["mine"]


def test_words_become_names(tmp_path: Path) -> None:
    written = write_package("my_firm.say_hello", tmp_path / "new")
    assert tmp_path / "new" / "src" / "my_firm_say_hello" / "say_hello.py" in written
    assert "class SayHello(Component)" in written[3].read_text()
