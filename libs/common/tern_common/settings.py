"""Settings that every service shares: addresses, secrets and sizes, read once from `TERN_*` variables.

Product numbers (grace, caps, windows) are policy, not settings. Only a service's `__main__` reads these.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from tern_common.errors import Misconfigured
from tern_common.kafka import KafkaSecurity

PREFIX = "TERN_"

Workers = Annotated[
    int,
    Field(
        ge=1, le=64, description="Processes that share the port, at most one for each core. Above 1 it must be fixed."
    ),
]
"""In how many processes a service runs: its own setting, named `<service>_workers`."""
_WORKERS = "_workers"

S = TypeVar("S", bound=BaseSettings)


class ServiceSettings(BaseSettings):
    """What every service needs. A service adds its own fields; together they stay at fifteen or fewer."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", hide_input_in_errors=True)

    database_url: SecretStr = Field(description="PostgreSQL URL of this service's own role.")
    kafka_bootstrap: str = Field(description="host:port of one or more brokers, comma-separated.")
    kafka_security: KafkaSecurity | None = Field(
        None,
        description='TLS and SASL as JSON, such as {"protocol": "SASL_SSL", "username": "…", "password": "…"}; '
        "also `mechanism` and `ca_file`. Without it: PLAINTEXT.",
    )
    http_host: str = Field("127.0.0.1", description="Address to listen on.")
    http_port: int = Field(8080, ge=0, le=65535, description="Port to listen on; 0 takes a free one and logs it.")
    deployment: Literal["development", "production"] = Field(
        "production", description="`development` allows what production must not have, such as a virtual clock."
    )
    clock_file: Path | None = Field(None, description="File of the virtual clock's offset. Never in production.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged.")
    db_pool_size: int = Field(8, ge=1, le=200, description="Most connections to PostgreSQL, of each process.")
    policy_file: Path | None = Field(None, description="policy.yaml to use; without it, the one the service ships.")

    @property
    def http_address(self) -> tuple[str, int]:
        """Host and port to listen on."""
        return self.http_host, self.http_port

    @model_validator(mode="after")
    def _workers_share_a_port(self) -> Self:
        for name, count in _workers(self).items():
            if count > 1 and self.http_port == 0:
                raise ValueError(f"{PREFIX}{name.upper()}: several need a TERN_HTTP_PORT other than 0")
        return self

    @model_validator(mode="after")
    def _time_is_real_in_production(self) -> Self:
        if self.clock_file and self.deployment == "production":
            raise ValueError("TERN_CLOCK_FILE: a virtual clock needs TERN_DEPLOYMENT=development")
        return self


class TroubleSettings(BaseSettings):
    """What every process reads for itself, so that it can be made to die where that hurts most (failpoints.py)."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", hide_input_in_errors=True)

    deployment: Literal["development", "production"] = "production"
    failpoints: Path | None = Field(None, description="Folder in which failpoints are armed. Never in production.")

    @model_validator(mode="after")
    def _nobody_is_killed_in_production(self) -> Self:
        if self.failpoints and self.deployment == "production":
            raise ValueError("TERN_FAILPOINTS: dying on purpose needs TERN_DEPLOYMENT=development")
        return self


class PipelineSettings(ServiceSettings):
    """For services that events pass through: they know identifiers by one keyed hash, and claim safe time."""

    progress_interval_ms: int = Field(500, ge=10, le=60_000, description="Pause between two safe-time claims.")
    hash_key: SecretStr = Field(
        min_length=16, max_length=64, description="Key of the identifiers' hash; never changes."
    )


def crew(settings: ServiceSettings) -> tuple[int, tuple[str, int]]:
    """In how many processes the service runs, and where they all listen."""
    return max(_workers(settings).values(), default=1), settings.http_address


def _workers(settings: ServiceSettings) -> dict[str, int]:
    return {name: count for name, count in settings if name.endswith(_WORKERS)}


def read_settings(model: type[S]) -> S:
    """The settings from the environment. Raises `Misconfigured` naming every wrong variable, and no value."""
    try:
        return model()
    except ValidationError as wrong:
        prefix = str(model.model_config.get("env_prefix", ""))
        raise Misconfigured(
            "; ".join(_sentence(prefix, error) for error in wrong.errors(include_input=False))
        ) from None


def _sentence(prefix: str, error: object) -> str:
    assert isinstance(error, dict)
    name = ".".join(str(part) for part in error["loc"])
    what = "is not set" if error["type"] == "missing" else str(error["msg"])
    return f"{(prefix + name).upper()}: {what}" if name else what
