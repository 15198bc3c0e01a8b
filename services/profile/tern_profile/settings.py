"""Settings of the profile service."""

from __future__ import annotations

from pydantic import Field

from tern_common.settings import PipelineSettings, Workers


class ProfileSettings(PipelineSettings):
    """Everything the service shares with others, its epoch and its workers."""

    version_epoch: int = Field(
        0, ge=0, lt=1 << 20, description="Raised by one after a restore from backup, so that records stay newest."
    )
    profile_workers: Workers = 1
