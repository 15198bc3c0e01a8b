"""`make lock`: renews every requirements/*.lock from its *.in. The locks name no host and hold for every platform."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
OPTIONS = (
    "--universal",
    "--python-version=3.11",
    "--generate-hashes",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--custom-compile-command=make lock",
    "--upgrade",
    "--quiet",
)


def main() -> int:
    """The status of the first that fails."""
    for source in sorted((ROOT / "requirements").glob("*.in")):
        name, lock = source.relative_to(ROOT), source.with_suffix(".lock").relative_to(ROOT)
        print(f"  · {lock}", flush=True)
        command = [str(Path(sys.executable).parent / "uv"), "pip", "compile", *OPTIONS, str(name)]
        status = subprocess.call([*command, "--output-file", str(lock)], cwd=ROOT)
        if status:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
