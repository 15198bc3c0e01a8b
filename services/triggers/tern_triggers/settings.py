"""Settings of the trigger service."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from tern_common.settings import ServiceSettings, Workers


class TriggersSettings(ServiceSettings):
    """Everything the service shares with others, the shop's own rules and its workers."""

    rules_dir: Path | None = Field(
        None, description="Directory of further rules; one replaces the shipped of its name."
    )
    triggers_workers: Workers = 1
