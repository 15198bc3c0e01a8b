"""Where the story is played: on a platform started for it, or on one that stands already and says so in a run file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tern_common.errors import Misconfigured
from tern_local.platform import Platform
from tern_local.services import NAMES


@dataclass(frozen=True)
class Venue:
    """Doors and keys of a platform on a virtual clock. `services`: name → address."""

    services: Mapping[str, str]
    kafka: str
    write_key: str
    api_token: str
    clock_file: Path


def of_platform(platform: Platform) -> Venue:
    """One that this process runs."""
    return Venue(
        platform.services,
        platform.kafka,
        platform.write_keys["server"],
        platform.api_token,
        platform.folder / "clock",
    )


def of_run_file(path: Path) -> Venue:
    """One that somebody else runs; the file `clock` lies beside its run file. Raises `Misconfigured`."""
    try:
        facts = json.loads(path.read_text("utf-8"))
        services = {name: str(facts[name]) for name in NAMES}
        return Venue(services, facts["kafka"], facts["write_keys"]["server"], facts["api_token"], path.parent / "clock")
    except (OSError, ValueError, KeyError, TypeError):
        raise Misconfigured(f"{path} is no readable run file: is the platform running?") from None
