"""The worker starts where the server's packages aren't there at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FORBIDDEN = [
    "app.db", "app.vault", "app.accounts", "app.audit", "app.runs", "app.web", "app.api",
    "app.runtime", "app.http", "app.factory", "app.cli", "app.keys",
    "flask", "sqlalchemy", "apiflask", "alembic",
]
MODULES = sorted(
    str(path.relative_to(ROOT).with_suffix("")).replace("/", ".").removesuffix(".__init__")
    for path in (ROOT / "worker").rglob("*.py"))

PROGRAM = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if any(name == one or name.startswith(one + ".") for one in {forbidden!r}):
            raise ImportError("blocked: " + name)
sys.meta_path.insert(0, Blocked())
import {module}
from app.components.registry import registry
list(registry())
"""


@pytest.mark.parametrize("module", MODULES)
def test_a_module_starts_without_the_server(module: str) -> None:
    program = PROGRAM.format(forbidden=FORBIDDEN, module=module)
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module", ["rq", "redis", "httpx", "flask", "sqlalchemy"])
def test_the_zygote_loads_little(module: str) -> None:
    program = f"import sys, worker.zygote; assert {module!r} not in sys.modules"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_only_the_token_signer_imports_cryptography() -> None:
    users = [path.name for path in (ROOT / "worker").rglob("*.py")
             if "cryptography" in path.read_text("utf-8").replace("``cryptography``", "")]
    assert users == ["tokens.py"]
