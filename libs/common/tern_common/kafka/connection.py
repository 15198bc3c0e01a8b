"""How Kafka is reached, and what its errors mean. Knows no topic."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from aiokafka.errors import (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnsupportedSaslMechanismError,
)
from aiokafka.helpers import create_ssl_context

from tern_common.clock import Clock
from tern_common.errors import Misconfigured, Transient, Unusable
from tern_common.kafka.breaking import break_when_closed
from tern_common.logs import logger

break_when_closed()

REQUEST_TIMEOUT_MS = 10_000
METADATA_MAX_AGE_MS = 10_000
CLOSE_TIMEOUT_S = 2.0
CANCEL_TIMEOUT_S = 1.0
"""So long more what did not close in time may take to end once it is cancelled; then it is left behind."""

_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)
_FORBIDDEN = (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnsupportedSaslMechanismError,
)


@dataclass(frozen=True)
class KafkaSecurity:
    """TLS and SASL. `ca_file` (PEM) replaces the system's authorities; the user is for the SASL protocols."""

    protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None


@dataclass(frozen=True)
class Connection:
    """What a client of this process needs to reach the brokers. `bootstrap`: `host:port`, comma-separated."""

    bootstrap: str
    client_id: str
    security: KafkaSecurity
    clock: Clock

    def options(self) -> dict[str, Any]:
        """Keyword arguments that all of aiokafka's clients take. Raises `Misconfigured`."""
        options: dict[str, Any] = {
            "bootstrap_servers": [server.strip() for server in self.bootstrap.split(",")],
            "client_id": self.client_id,
            "request_timeout_ms": REQUEST_TIMEOUT_MS,
            "metadata_max_age_ms": METADATA_MAX_AGE_MS,
            "security_protocol": self.security.protocol,
        }
        if self.security.protocol.endswith("SSL"):
            options["ssl_context"] = self._tls()
        if self.security.protocol.startswith("SASL"):
            options["sasl_mechanism"] = self.security.mechanism
            options["sasl_plain_username"] = self.security.username
            options["sasl_plain_password"] = self.security.password
        return options

    def _tls(self) -> object:
        try:
            return create_ssl_context(cafile=self.security.ca_file)
        except OSError as wrong:
            raise Misconfigured("the CA file for Kafka cannot be read: check the setting and the file") from wrong


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turns aiokafka's errors into Tern's. The text of theirs is left out: it may quote what it choked on."""
    try:
        yield
    except _TOO_LARGE as wrong:
        raise Unusable("message-too-large") from wrong
    except _FORBIDDEN as wrong:
        raise Misconfigured(f"kafka refuses to {doing} ({type(wrong).__name__}): check user, password, ACLs") from wrong
    except (KafkaError, OSError) as wrong:
        raise Transient(f"kafka: could not {doing} ({type(wrong).__name__})") from wrong


async def closed(what: str, closing: Awaitable[object]) -> None:
    """Returns when something of aiokafka's is closed, or within a bound: it would wait for a broker that is away.

    What ends it is told, never raised: aiokafka passes the cancellation of a task of its own on, and whoever closes
    would end of it as if he had been cancelled himself. It swallows some too: what goes on is not waited for.
    """
    ending = asyncio.ensure_future(closing)
    ending.add_done_callback(_error_of)
    try:
        in_time, _ = await asyncio.wait((ending,), timeout=CLOSE_TIMEOUT_S)
    finally:
        if not ending.done():
            ending.cancel()
            await asyncio.wait((ending,), timeout=CANCEL_TIMEOUT_S)
    wrong = _error_of(ending) if in_time else TimeoutError()
    if wrong is not None:
        logger.info(f"kafka {what} did not close cleanly", error=type(wrong).__name__)


def _error_of(ended: asyncio.Future[object]) -> BaseException | None:
    """Looked at even where nobody waits any more, or asyncio would warn of it."""
    return asyncio.CancelledError() if ended.cancelled() else ended.exception()
