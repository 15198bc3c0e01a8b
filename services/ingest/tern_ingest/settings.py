"""Settings of the ingest service."""

from __future__ import annotations

from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator

from tern_common.settings import ServiceSettings
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

    ingest_workers: int = Field(
        1,
        ge=1,
        le=64,
        description="Processes that share the port, at most one for each core. Above 1 it must be fixed.",
    )

    @model_validator(mode="after")
    def _workers_share_a_port(self) -> Self:
        if self.ingest_workers > 1 and self.http_port == 0:
            raise ValueError("TERN_INGEST_WORKERS: several need a TERN_HTTP_PORT other than 0")
        return self

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, said: str) -> str:
        networks(said)
        return said
