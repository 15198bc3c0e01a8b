"""Settings of the identity service."""

from __future__ import annotations

from pydantic import Field, SecretStr

from tern_common.settings import PipelineSettings, Workers


class IdentitySettings(PipelineSettings):
    """Everything the service shares with others, the keys of what it seals, its epoch and its workers."""

    sealing_keys: SecretStr = Field(
        description="Keys that seal identifiers at rest: name:base64,name:base64; the first seals, all of them open."
    )
    version_epoch: int = Field(
        0, ge=0, lt=1 << 20, description="Raised by one after a restore from backup, so that memberships stay newest."
    )
    identity_workers: Workers = 1
