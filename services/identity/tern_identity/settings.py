"""Settings of the identity service."""

from __future__ import annotations

from pydantic import Field, SecretStr

from tern_common.settings import PipelineSettings, Workers


class IdentitySettings(PipelineSettings):
    """Everything the service shares with others, the keys of what it seals, its batch, its epoch and its workers."""

    sealing_keys: SecretStr = Field(
        description="Keys that seal identifiers at rest: name:base64,name:base64; the first seals, all of them open."
    )
    batch_records: int = Field(
        10_000, ge=1, le=20_000, description="Most records that one transaction applies (2000 in profile and triggers)."
    )
    version_epoch: int = Field(
        0, ge=0, lt=1 << 20, description="Raised by one after a restore from backup, so that memberships stay newest."
    )
    identity_workers: Workers = 1
