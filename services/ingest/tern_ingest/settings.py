"""Settings of the ingest service."""

from __future__ import annotations

from pydantic import Field, SecretStr

from tern_common.settings import ServiceSettings


class IngestSettings(ServiceSettings):
    """Everything the service shares with others, and the keys of what it seals."""

    sealing_keys: SecretStr = Field(
        description="Keys that seal identifiers and signing keys at rest: name:base64,name:base64; the first seals, "
        "all of them open."
    )
