"""Settings of the ingest service."""

from __future__ import annotations

from pydantic import Field, SecretStr, field_validator

from tern_common.settings import ServiceSettings, Workers
from tern_ingest.domain.addresses import networks


class IngestSettings(ServiceSettings):
    """Everything the service shares with others, and the keys of what it seals."""

    sealing_keys: SecretStr = Field(
        description="Keys that seal identifiers and signing keys at rest: name:base64,name:base64; the first seals, "
        "all of them open."
    )
    trusted_proxies: str = Field(
        "",
        description="Networks of the proxies in front, such as 10.0.0.0/8,fd00::/8. Only their X-Forwarded-For, -Proto "
        "and -Host are believed.",
    )
    ingest_workers: Workers = 1

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, said: str) -> str:
        networks(said)
        return said
