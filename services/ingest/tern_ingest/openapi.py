"""The tracking routes in /openapi.json, which FastAPI cannot describe: to it they are plain ASGI applications."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tern_common.events import EventType

_ID = {"type": ["string", "number", "null"]}
_OBJECT = {"type": ["object", "null"], "additionalProperties": True}
_TIME = {"type": ["string", "number", "null"], "description": "ISO 8601, or a Unix time. UTC when it names no zone."}
_EXAMPLE = {
    "type": "track",
    "event": "Product Added",
    "messageId": "c0ffee-1",
    "userId": "u-1",
    "timestamp": "2026-01-01T12:00:00Z",
    "properties": {"product_id": "p-1", "price": 19.9},
}
_REFUSALS = {
    400: "The body as a whole is not JSON, not UTF-8, or not a tracking request.",
    401: "The write key is missing, unknown or revoked. Final.",
    405: "Not a POST.",
    408: "The body did not arrive in time.",
    413: "The body, unpacked, is too large or has too many events.",
    415: "The content encoding is not known.",
    503: "Not stored: Kafka or the key store is away, or too much is in flight. Send it again after `Retry-After`.",
}


def describe(schema: dict[str, Any], paths: Mapping[str, EventType | None]) -> None:
    """Adds the tracking routes to an OpenAPI document, in place."""
    components = schema.setdefault("components", {})
    components.setdefault("schemas", {}).update(_schemas())
    components.setdefault("securitySchemes", {}).update(_security())
    schema["paths"] = {path: _path(path, kind) for path, kind in paths.items()} | schema["paths"]


def _path(path: str, kind: EventType | None) -> dict[str, Any]:
    name = path.rsplit("/", 1)[-1]
    return {
        "post": {
            "tags": ["tracking"],
            "operationId": f"track_{name}",
            "summary": "Send events of any type." if kind is None else f"Send {kind} events.",
            "description": "One event or a batch on any path. 200 once Kafka has every event that could be taken, and "
            "every other one, with the reason, on the topic of rejected events. Any Content-Type; gzip is welcome.",
            "security": [{"writeKey": []}, {"writeKeyHeader": []}, {"writeKeyQuery": []}, {}],
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": _ref("TrackingRequest"), "example": {"batch": [_EXAMPLE]}}},
            },
            "responses": _responses(),
        },
        "options": {
            "tags": ["tracking"],
            "operationId": f"preflight_{name}",
            "summary": "What a browser may send.",
            "security": [],
            "responses": {"200": {"description": "The allowed methods and headers."}},
        },
    }


def _responses() -> dict[str, Any]:
    refusal = {"application/json": {"schema": _ref("CodeAndMessage")}}
    refused = {str(status): {"description": why, "content": refusal} for status, why in _REFUSALS.items()}
    refused["503"]["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    done = {"application/json": {"schema": _ref("Success")}}
    return {"200": {"description": "Kafka has it.", "content": done}, **refused}


def _schemas() -> dict[str, Any]:
    event = {
        "type": "object",
        "additionalProperties": True,
        "description": "A tracking call, as Segment's and RudderStack's SDKs send it.",
        "properties": {
            "type": {"type": ["string", "null"], "description": "Without it, the path's."},
            "messageId": _ID,
            **dict.fromkeys(("userId", "anonymousId", "previousId", "groupId"), _ID),
            "event": {"type": ["string", "number", "null"], "description": "A track call's name."},
            "name": {"type": ["string", "number", "null"], "description": "A page's or screen's name."},
            **dict.fromkeys(("timestamp", "originalTimestamp", "sentAt"), _TIME),
            **dict.fromkeys(("context", "traits", "properties", "integrations"), _OBJECT),
        },
    }
    batch = {
        "type": "object",
        "additionalProperties": True,
        "required": ["batch"],
        "properties": {
            "batch": {"type": "array", "items": _ref("TrackingEvent")},
            "sentAt": _TIME,
            "writeKey": {"type": ["string", "null"]},
        },
    }
    success = {"type": "object", "required": ["success"], "properties": {"success": {"const": True}}}
    either = {"anyOf": [_ref("TrackingEvent"), _ref("TrackingBatch")]}
    return {"TrackingEvent": event, "TrackingBatch": batch, "TrackingRequest": either, "Success": success}


def _security() -> dict[str, Any]:
    return {
        "writeKey": {"type": "http", "scheme": "basic", "description": "The write key as the user name."},
        "writeKeyHeader": {"type": "apiKey", "in": "header", "name": "X-Write-Key"},
        "writeKeyQuery": {"type": "apiKey", "in": "query", "name": "writeKey"},
    }


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}
