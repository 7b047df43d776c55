"""A Python environment of a test's own: Tacit as it is here, and what the test installs into it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_UV = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
_COMMAND = """#!{python}
import sys
from app.cli import main
sys.exit(main())
"""


@dataclass(frozen=True)
class Environment:
    """The environment, and a folder beside it for what is worked on."""

    folder: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "env" / "bin" / "python"

    @property
    def tacit(self) -> Path:
        """Its ``tacit``."""
        return self.folder / "env" / "bin" / "tacit"

    def install(self, package: Path) -> None:
        """Install a package from its folder, as ``pip install`` does; nothing is downloaded."""
        self.run(_UV, "pip", "install", "--python", str(self.python), "--no-deps", "--offline",
                 "--no-build-isolation", "--reinstall", str(package))

    def run(self, *command: str, cwd: Path | None = None) -> str:
        """Run a command in it; returns what it printed."""
        done = subprocess.run(
            command, cwd=cwd or self.folder, capture_output=True, text=True, check=False,
            timeout=240, env={"PATH": f"{self.python.parent}:{os.environ['PATH']}",
                              "HOME": str(self.folder)},
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@contextmanager
def own_environment() -> Iterator[Environment]:
    """Make one that other users can enter, as the runs of a worker have to."""
    folder = Path(tempfile.mkdtemp(prefix="tacit-env-"))
    folder.chmod(0o755)
    made = Environment(folder)
    try:
        made.run(sys.executable, "-m", "venv", "--without-pip", str(folder / "env"))
        packages = folder / "env" / "lib" / f"python{sys.version_info.major}." \
            f"{sys.version_info.minor}" / "site-packages"
        (packages / "tacit-of-the-tests.pth").write_text(
            f"{ROOT}\n{sysconfig.get_paths()['purelib']}\n"
        )
        made.tacit.write_text(_COMMAND.format(python=made.python))
        made.tacit.chmod(0o755)
        yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)
