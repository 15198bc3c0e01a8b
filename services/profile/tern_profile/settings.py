"""Settings of the profile service."""

from __future__ import annotations

from pydantic import Field

from tern_common.settings import KeyedSettings


class ProfileSettings(KeyedSettings):
    """Everything the service shares with others, and its batch."""

    batch_records: int = Field(2000, ge=1, le=20_000, description="Most records that one transaction applies.")
