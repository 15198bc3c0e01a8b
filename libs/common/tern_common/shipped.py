"""Finds what a service ships beside its code: in the package when installed, next to it in a working tree."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from tern_common.errors import Misconfigured


def shipped(package: str, name: str) -> Path:
    """The file or folder `name` of `package`. Raises `Misconfigured` when it ships none."""
    found = shipped_or_none(package, name)
    if found is None:
        raise Misconfigured(f"{package} ships no {name}")
    return found


def shipped_or_none(package: str, name: str) -> Path | None:
    """The same, or None."""
    spec = find_spec(package)
    folders = [Path(place) for place in (spec.submodule_search_locations or ())] if spec else []
    candidates = (place / name for folder in folders for place in (folder, folder.parent))
    return next((candidate for candidate in candidates if candidate.exists()), None)
