"""Events as the HTTP requests that an SDK would send for them. Knows the wire of the tracking API, and no traffic."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator
from itertools import islice

import msgspec

from tern_common.events import Event

JSON = msgspec.json.Encoder()


def request(path: str, body: bytes, write_key: str) -> bytes:
    """A whole HTTP request."""
    key = b64encode(f"{write_key}:".encode()).decode()
    head = (
        f"POST /v1/{path} HTTP/1.1\r\nhost: shop\r\nauthorization: Basic {key}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def batches(events: Iterable[Event], size: int, write_key: str) -> Iterator[bytes]:
    """`/v1/batch` requests of `size` events each."""
    stream = iter(events)
    while batch := list(islice(stream, size)):
        yield request("batch", JSON.encode({"batch": [_call(event) for event in batch]}), write_key)


def _call(event: Event) -> dict[str, object]:
    said = {
        "type": event.type,
        "event": event.name,
        "messageId": event.message_id,
        "userId": event.user_id,
        "anonymousId": event.anonymous_id,
        "timestamp": event.event_time,
        "context": event.context,
        "traits": event.traits,
        "properties": event.properties,
    }
    return {name: value for name, value in said.items() if value is not None}
