"""``tacit flow`` between two real installations, as a pipeline would use it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from app.cli import tacit
from app.errors import TacitError
from tests.support.bundles import bundle, hostile_texts
from tests.support.database import home_variables
from tests.support.installation import Installation, canary
from tests.support.runs import fetching


@pytest.fixture
def houses(tmp_path: Path) -> Iterator[tuple[Installation, Installation]]:
    """Two installations: dev and prod."""
    made = [Installation.make(tmp_path / name) for name in ("dev", "prod")]
    yield made[0], made[1]
    for one in made:
        one.services.close()


def run(house: Installation, *arguments: str, **more: Any) -> Result:
    """Run a command on the machine of an installation."""
    return CliRunner().invoke(
        tacit, list(arguments), env=home_variables(house.config.home), **more
    )


def refused(result: Result) -> str:
    """Return the code that a command was refused with."""
    assert isinstance(result.exception, TacitError), result.output
    return result.exception.code


def test_from_dev_to_prod(
    houses: tuple[Installation, Installation], tmp_path: Path
) -> None:
    dev, prod = houses
    source = dev.api(dev.token())
    source.post("/flows", json={"name": "Daily", "graph": fetching("stripe", "mail")})
    file, mappings = tmp_path / "daily.json", tmp_path / "mappings.json"
    assert run(dev, "flow", "export", "Daily", "-o", str(file)).exit_code == 0
    assert run(dev, "flow", "export", "Daily").stdout_bytes == file.read_bytes()
    assert "Daily  draft" in run(dev, "flow", "list").output

    target = prod.api(prod.token())
    planned = run(prod, "flow", "import", str(file), "--dry-run")
    assert planned.exit_code == 1
    assert "secret  mail  missing  in Daily.n1" in planned.output
    assert "2 secrets are missing or" in planned.output
    assert target.get("/flows").json["items"] == []

    for name in ("mail", "payments/stripe"):
        target.post("/secrets", json={"name": name, "value": "a value that is long enough"})
    mapped = ("--map", "stripe=payments/stripe")
    ready = run(prod, "flow", "import", str(file), "--dry-run", "--json", *mapped)
    assert ready.exit_code == 0
    answer = json.loads(ready.stdout)
    assert {one["status"] for one in answer["secrets"]} == {"found"}
    mappings.write_text(json.dumps(answer["mappings"]))

    done = run(prod, "flow", "import", str(file), "--mappings", str(mappings))
    assert done.exit_code == 0, done.output
    assert "Imported as drafts." in done.output
    flow = target.get("/flows").json["items"][0]
    assert target.post(f"/flows/{flow['id']}/activate", json={}).status_code == 200
    again = run(prod, "flow", "import", str(file), "--mappings", str(mappings))
    assert "flow    Daily  keep" in again.output
    assert run(prod, "flow", "export", "Daily", "--version", "1").stdout_bytes != b""


def test_a_pretty_bundle_is_the_same_bundle(
    houses: tuple[Installation, Installation], tmp_path: Path
) -> None:
    dev, prod = houses
    dev.api(dev.token()).post("/flows", json={"name": "Daily", "graph": fetching()})
    pretty = run(dev, "flow", "export", "Daily", "--pretty").stdout
    assert len(pretty.splitlines()) > 20
    assert run(prod, "flow", "import", "-", input=pretty).exit_code == 0
    plain = run(dev, "flow", "export", "Daily").stdout_bytes
    assert run(prod, "flow", "export", "Daily").stdout_bytes == plain


def test_what_blocks_exits_with_one_and_writes_nothing(
    houses: tuple[Installation, Installation], tmp_path: Path
) -> None:
    _, prod = houses
    file = tmp_path / "changed.json"
    document = bundle()
    document["flows"][0]["description"] = "changed\x1b[31m"
    file.write_text(json.dumps(document))
    result = run(prod, "flow", "import", str(file))
    assert result.exit_code == 1
    assert "bundle_digest_wrong" in result.output
    assert "Blocked; nothing was written." in result.output
    assert prod.api(prod.token()).get("/flows").json["items"] == []


def test_a_dry_run_finds_what_an_activation_would_refuse(
    houses: tuple[Installation, Installation], tmp_path: Path
) -> None:
    """A pipeline that may promote isn't told so by one whose flow can't go live there."""
    _, prod = houses
    file = tmp_path / "daily.json"
    file.write_text(json.dumps(bundle()))
    api = prod.api(prod.token())
    api.post("/secrets", json={"name": "stripe", "value": canary()})
    tried = ("flow", "import", str(file), "--dry-run")
    assert run(prod, *tried).exit_code == 0
    run(prod, "environment", "policy", "default", "require_allowed_hosts=yes")
    result = run(prod, *tried)
    assert result.exit_code == 1
    assert "allowed_hosts_required  blocks activation  Daily.n0: " in result.output
    assert "Every secret is here; what blocks activation is to be solved first." in result.output
    assert run(prod, *tried[:-1]).exit_code == 0
    flow = api.get("/flows").json["items"][0]["id"]
    told = api.post(f"/flows/{flow}/activate", json={}).json["problems"]
    assert [one["code"] for one in told] == ["allowed_hosts_required"]


def test_refusals(houses: tuple[Installation, Installation], tmp_path: Path) -> None:
    dev, _ = houses
    assert refused(run(dev, "flow", "export", "nope")) == "flow_not_found"
    dev.api(dev.token()).post("/flows", json={"name": "New", "graph": fetching()})
    never = run(dev, "flow", "export", "New", "--version", "active")
    assert refused(never) == "flow_version_not_found"
    assert "has no active version. Activate it first, or export its draft." in str(never.exception)
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.truncate(50_000_000)
    assert refused(run(dev, "flow", "import", str(big))) == "bundle_too_large"
    for name, raw, code in hostile_texts():
        (tmp_path / "hostile").write_bytes(raw)
        found = run(dev, "flow", "import", str(tmp_path / "hostile"))
        if len(raw) > 8 * 1024 * 1024:
            assert refused(found) == "bundle_too_large", name
        else:
            assert refused(found) == code, name
    good = tmp_path / "good"
    good.write_text(json.dumps(bundle()))
    assert refused(run(dev, "flow", "import", str(good), "--map", "x")) == "mapping_invalid"
    assert refused(run(dev, "flow", "import", str(good), "--environment", "x")) == (
        "environment_not_found")
