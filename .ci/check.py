"""`make check`: every gate, one after the other; prints what failed, and only that."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
MEMBERS = sorted(path.parent for path in ROOT.glob("*/*/pyproject.toml"))

GATES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("format", ("ruff", "format", "--check", ".")),
    ("lint", ("ruff", "check", ".")),
    ("types", ("mypy",)),
    ("architecture", ("lint-imports",)),
    ("file length", ("python", ".ci/file_length.py")),
    ("documents", ("python", "docs/generate.py", "--check")),
    ("references", ("python", ".ci/references.py")),
    ("example of deploy/.env", ("python", "-m", "deploy.env_example", "--check")),
    ("dead code", ("vulture",)),
    *(
        (f"dependencies of {m.relative_to(ROOT)}", ("deptry", "--no-ansi", "--config", f"{m}/pyproject.toml", str(m)))
        for m in MEMBERS
    ),
)


def main() -> int:
    """Runs all gates, so that one failure does not hide the next."""
    failed = 0
    for name, command in GATES:
        start = time.monotonic()
        done = subprocess.run(
            [str(BIN / command[0]), *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False
        )
        print(
            f"  {'ok    ' if done.returncode == 0 else 'FAILED'} {time.monotonic() - start:5.1f} s  {name}", flush=True
        )
        if done.returncode:
            failed += 1
            print(done.stdout + done.stderr, flush=True)
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
