"""``tacit environment`` over a real installation."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result

from app.cli import tacit
from app.cli.places import prepare_home
from app.cli.prepare import prepare, worker_key_file
from app.config import Config
from app.errors import TacitError
from tests.support.database import home_variables
from tests.support.installation import Installation


def run(house: Installation, *arguments: str) -> Result:
    """Run a command on the machine of the installation."""
    return CliRunner().invoke(
        tacit, list(arguments), env=home_variables(house.config.home)
    )


def test_environments_from_the_command_line(tmp_path: Path) -> None:
    house = Installation.make(tmp_path / "home")
    try:
        assert "Created prod." in run(house, "environment", "create", "prod", "--protected").output
        run(house, "environment", "rename", "prod", "Production")
        run(house, "environment", "policy", "prod", "hardcoded_credentials=refuse",
            "value_reading=no")
        listed = run(house, "environment", "list").output
        assert "Production  protected  hardcoded_credentials=refuse  value_reading=no" in listed
        assert listed.splitlines()[0].startswith("default  ")
        run(house, "environment", "unprotect", "prod")
        run(house, "environment", "policy", "prod", "value_reading=yes")
        listed = run(house, "environment", "list").output
        assert "Production  hardcoded_credentials=refuse\n" in listed
        run(house, "environment", "protect", "prod")
        assert "protected" in run(house, "environment", "list").output
        for arguments in (("create", "prod"), ("create", "No Good"), ("policy", "prod", "x=y"),
                          ("policy", "prod", "value_reading=perhaps"), ("protect", "nowhere")):
            assert isinstance(run(house, "environment", *arguments).exception, TacitError)
        made = run(house, "worker", "enroll", "w", "--environment", "prod")
        assert made.output.startswith("tce_") or made.exit_code == 0
    finally:
        house.services.close()


def test_each_environment_has_a_local_worker_of_its_own(tmp_path: Path) -> None:
    variables = home_variables(tmp_path / "home", empty=True)
    config = Config.load({**variables, "TACIT_REDIS_URL": "redis://localhost:1/0"})
    prepare_home(config.home)
    assert prepare(config, None).environments == ("default",)

    def tacit_(*arguments: str) -> str:
        return CliRunner().invoke(tacit, list(arguments), env=variables).output

    assert "Created prod." in tacit_("environment", "create", "prod")
    prepared = prepare(config, None)
    assert prepared.error is None
    assert prepared.environments == ("default", "prod")
    keys = set()
    for name in prepared.environments:
        file = worker_key_file(config.home, name)
        assert file.stat().st_mode & 0o777 == 0o600
        key = json.loads(file.read_text())["key_id"]
        assert key in tacit_("worker", "list", "--environment", name)
        keys.add(key)
    assert len(keys) == 2
