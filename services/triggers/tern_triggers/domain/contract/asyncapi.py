"""The AsyncAPI 3 document: every public topic, what stands on it, and who writes it. Derived from the wire models."""

from __future__ import annotations

from typing import Any

from tern_common.topics import BY_NAME
from tern_triggers.domain.contract.schemas import JSON, MESSAGES, Published, components

VERSION = "1.0.0"
"""Of the contract. A field or a code that is added raises the second number."""

_DESCRIPTION = """\
Everything is delivered at least once: drop a CloudEvent `id`, or a record's `message-id` header, that you have seen.
Records of one key keep their order. Inside a version fields and codes are only ever added, and fields only optional:
ignore what you do not know. The headers of each record are `message-id`, `schema` and `mode`."""

_HEADERS = {
    "type": "object",
    "properties": {
        "message-id": {"type": "string", "description": "The same each time a record is published again."},
        "schema": {"type": "string", "description": "What the value is; a CloudEvent's `type`."},
        "mode": {"type": "string", "description": "`live`, `replay` or `backfill`; more may come."},
    },
}


def document() -> dict[str, Any]:
    """The whole of it, as JSON values."""
    topics = sorted({topic for message in MESSAGES for topic in message.topics})
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Tern",
            "version": VERSION,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": JSON,
        "channels": {topic: _channel(topic) for topic in topics},
        "operations": dict(operation for topic in topics for operation in _operations(topic)),
        "components": {
            "messages": {message.name: _message(message) for message in MESSAGES},
            "schemas": components("#/components/schemas/{name}"),
        },
    }


def _of(topic: str) -> list[Published]:
    return [message for message in MESSAGES if topic in message.topics]


def _channel(topic: str) -> dict[str, Any]:
    declared = BY_NAME[topic]
    return {
        "address": topic,
        "description": f"From {declared.from_} to {declared.to}. Key: {declared.key}.",
        "messages": {message.name: {"$ref": f"#/components/messages/{message.name}"} for message in _of(topic)},
        "bindings": {"kafka": {"topic": topic, "partitions": declared.partitions, "bindingVersion": "0.5.0"}},
    }


def _operations(topic: str) -> list[tuple[str, dict[str, Any]]]:
    """`send`: Tern writes it; `receive`: Tern reads what others write."""
    found = []
    for action in ("send", "receive"):
        said = [message for message in _of(topic) if message.direction == action]
        if said:
            operation = {
                "action": action,
                "channel": {"$ref": f"#/channels/{topic}"},
                "messages": [{"$ref": f"#/channels/{topic}/messages/{message.name}"} for message in said],
            }
            found.append((f"{action} {topic}".replace(" ", "-"), operation))
    return found


def _message(message: Published) -> dict[str, Any]:
    return {
        "name": message.name,
        "summary": message.says,
        "contentType": message.content_type,
        "headers": _HEADERS,
        "payload": {"$ref": f"#/components/schemas/{message.name}"},
        "bindings": {"kafka": {"key": {"type": "string"}, "bindingVersion": "0.5.0"}},
    }
