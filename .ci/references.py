"""Fails when a document links to what is not there, or names a test that does not exist: promises name their proof."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
_LINK = re.compile(r"\]\((?![a-z]+:|#)(?P<path>[^)#\s]+)[^)]*\)")
_TEST = re.compile(r"(?P<folder>(?:[\w.]+/)+)?(?P<name>\btest_\w+)(?P<end>\.py|…|\*)?")
_DEFINED = re.compile(r"^\s*(?:async )?def (test_\w+)", re.MULTILINE)


def documents() -> list[Path]:
    """Every tracked Markdown file."""
    listed = subprocess.check_output(["git", "ls-files", "-z", "*.md"], cwd=ROOT, text=True)  # noqa: S607
    return [path for name in listed.split("\0") if name and (path := ROOT / name).exists()]


def tests() -> set[str]:
    """Names of test functions, and of test files without their ending."""
    files = list((ROOT / "tests").rglob("test_*.py"))
    return {file.stem for file in files}.union(*(_DEFINED.findall(file.read_text()) for file in files))


def broken(document: Path, known: set[str]) -> Iterator[str]:
    """What a document points at in vain."""
    text = document.read_text()
    for link in _LINK.finditer(text):
        if not (document.parent / link["path"]).exists():
            yield f"links to {link['path']}"
    for test in _TEST.finditer(text):
        name, end = test["name"], test["end"]
        if test["folder"] and end == ".py":
            found = (ROOT / test[0]).exists()
        else:
            found = any(one.startswith(name) for one in known) if end in ("…", "*") else name in known
        if not found:
            yield f"names {test[0]}"


def main() -> int:
    """Prints each reference that leads nowhere."""
    known = tests()
    wrong = [f"{path.relative_to(ROOT)} {fault}" for path in documents() for fault in broken(path, known)]
    print("".join(f"{line}, which is not there\n" for line in wrong), end="")
    return min(len(wrong), 1)


if __name__ == "__main__":
    sys.exit(main())
