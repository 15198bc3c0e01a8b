"""A write to a connection that is closed already fails as any broken connection does.

uvloop raises a plain `RuntimeError` there, for which aiokafka is not made (its issue 1038): the task that keeps a
client's metadata would end of it, and whoever asks that client waits for ever. aiokafka offers no place to say so, so
its connection is replaced where it is looked up. Knows no request and no topic.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiokafka import conn
from aiokafka.errors import KafkaConnectionError


class _Connection(conn.AIOKafkaConnection):  # type: ignore[misc]  # aiokafka has no types
    """aiokafka's, but for what becomes of a closed transport."""

    def send(self, *request: Any, **options: Any) -> Any:
        """Raises `KafkaConnectionError`."""
        with self._breaking():
            return super().send(*request, **options)

    def _send_sasl_token(self, *payload: Any, **options: Any) -> Any:
        with self._breaking():
            return super()._send_sasl_token(*payload, **options)

    @contextmanager
    def _breaking(self) -> Iterator[None]:
        """Closes, and says so, unless aiokafka has said it (its errors are `RuntimeError`s too)."""
        try:
            yield
        except RuntimeError as wrong:
            if type(wrong) is not RuntimeError:
                raise
            self.close(reason=conn.CloseReason.CONNECTION_BROKEN)
            raise KafkaConnectionError("the transport is closed") from wrong


def break_when_closed() -> None:
    """From now on for all connections of this process."""
    conn.AIOKafkaConnection = _Connection
