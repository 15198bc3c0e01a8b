"""Fails when a source file has more than 300 lines: it should become a folder of the same name."""

from __future__ import annotations

import sys
from pathlib import Path

LIMIT = 300
FOLDERS = ("libs", "services", "deploy", "tests", "docs", "examples", ".ci")


def main() -> int:
    """Prints the files that are too long; their number is the answer."""
    root = Path(__file__).parents[1]
    files = sorted(path for folder in FOLDERS for path in (root / folder).rglob("*.py") if ".venv" not in path.parts)
    long = [(path, count) for path in files if (count := len(path.read_text().splitlines())) > LIMIT]
    for path, count in long:
        print(f"{path.relative_to(root)}: {count} lines, at most {LIMIT}")
    return min(len(long), 1)


if __name__ == "__main__":
    sys.exit(main())
