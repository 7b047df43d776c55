"""Components of installed packages: found, loaded, and reported where they can't be."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.components.packages import find_offers
from app.components.registry import BUILTINS, Registry
from app.sdk import testing
from tests.support.packages import GREET, lay_out


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def made() -> Registry:
    return Registry(BUILTINS, find_offers())


def test_a_package_adds_a_component(place: Path) -> None:
    lay_out(place, "acme-one", {"acme.greet": "acme_one:Greet"})
    registry = made()
    assert "acme.greet" in registry
    assert len(registry) == len(BUILTINS) + 1
    found = registry.get("acme.greet")
    assert testing.run(found, {"who": "you"}).outputs == {"text": "Hello you!"}
    shown = next(one for one in registry.describe()["items"] if one["name"] == "acme.greet")
    assert shown["package"] == {"name": "acme-one", "version": "1.2"}
    assert shown["icon"] == "puzzle", "the pages don't have its icon"
    assert registry.broken() == []


def test_a_run_may_read_where_a_package_s_code_stands(place: Path) -> None:
    lay_out(place, "acme-folder", {"acme.greet": "acme_folder:Greet"})
    registry = made()
    assert registry.folders() == []
    registry.get("acme.greet")
    assert registry.folders() == [place / "acme_folder.py"]


def test_nothing_is_imported_before_it_is_asked_for(place: Path) -> None:
    lay_out(place, "acme-late", {"acme.late": "acme_late:Greet"}, "raise SystemExit('no')")
    registry = made()
    assert registry.find("data.set") is not None
    assert registry._broken == []
    assert registry.find("acme.late") is None
    assert "acme.late" not in registry


BROKEN = {
    "component_import_failed": ("acme.x", "{}:Greet", "import no_such_module_at_all"),
    "component_not_found": ("acme.x", "{}:Missing", GREET),
    "component_not_a_component": ("acme.x", "{}:field", GREET),
    "component_declaration_invalid": ("acme.greet", "{}:Greet", GREET.replace(
        'category = "logic"', 'category = "nonsense"')),
    "component_id_mismatch": ("acme.other", "{}:Greet", GREET),
    "component_id_invalid": ("Greet", "{}:Greet", GREET),
    "component_clash": ("data.set", "{}:Greet", GREET),
    "component_namespace_reserved": ("secret.mine", "{}:Greet", GREET),
    "component_sdk_newer": ("acme.greet", "{}:Greet", GREET.replace(
        '    title =', '    sdk = 99\n    title =')),
    "component_sdk_older": ("acme.greet", "{}:Greet", GREET.replace(
        '    title =', '    sdk = 0\n    title =')),
}


@pytest.mark.parametrize("code", BROKEN)
def test_a_broken_one_is_a_sentence_with_a_code(code: str, place: Path) -> None:
    name, at, source = BROKEN[code]
    package = f"acme-{code.replace('_', '-')}"
    lay_out(place, package, {name: at.format(package.replace("-", "_"))}, source)
    registry = made()
    (broken,) = registry.broken()
    assert broken.code == code
    assert broken.message.startswith(f"{name} of {package} 1.2 ")
    assert broken.message.endswith(".")
    assert len(registry) == len(BUILTINS)
    assert registry.broken() == [broken], "it is told once"


@pytest.mark.parametrize("source", [
    "raise SystemExit('CANARY')", "raise ValueError('CANARY')", "import sys; sys.exit(3)",
    "class", "1 / 0", "raise KeyError('CANARY')",
    GREET + "    @classmethod\n    def describe(cls):\n        raise RuntimeError('CANARY')\n",
])
def test_whatever_a_module_does_is_reported_and_not_quoted(source: str, place: Path) -> None:
    package = f"acme-bad-{abs(hash(source))}"
    lay_out(place, package, {"acme.greet": f"{package.replace('-', '_')}:Greet"}, source)
    (broken,) = made().broken()
    assert broken.code == "component_import_failed"
    assert "CANARY" not in broken.message


def test_a_name_that_two_packages_offer_belongs_to_neither(place: Path) -> None:
    for package in ("acme-first", "acme-second"):
        lay_out(place, package, {"acme.greet": f"{package.replace('-', '_')}:Greet"})
    registry = made()
    assert registry.find("acme.greet") is None
    broken = registry.broken()
    assert [one.origin.package for one in broken] == ["acme-first", "acme-second"]
    assert {one.code for one in broken} == {"component_clash"}
    assert "acme-first 1.2 and acme-second 1.2" in broken[0].message


def test_a_package_that_can_t_be_prepared_stops_nobody(
    place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = GREET + "\n    @classmethod\n    def prepare(cls):\n        raise OSError('CANARY')\n"
    lay_out(place, "acme-slow", {"acme.greet": "acme_slow:Greet"}, source)
    made().prepare()
    assert "acme.greet" in caplog.text
    assert "CANARY" not in caplog.text
