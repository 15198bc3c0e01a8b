"""The tracking routes in /openapi.json, which FastAPI cannot describe: to it they are plain ASGI applications."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
_SETTINGS_REFUSALS = {
    401: "The write key is missing, unknown or revoked. Final.",
    403: "The source of the write key takes no events from this page. Browsers cannot read why.",
    405: "The method is not one of this route.",
    429: "Too many events of this write key, or too many refused requests from this address. Wait for `Retry-After`.",
    503: "Kafka or the key store is away, or too much is in flight: send it again after `Retry-After`.",
}
_REFUSALS = {
    400: "The body as a whole is not JSON, not UTF-8, or not a tracking request.",
    **_SETTINGS_REFUSALS,
    408: "The body did not arrive in time.",
    413: "The body, unpacked, is too large or has too many events.",
    415: "The content encoding is not known.",
}
_WITH_RETRY_AFTER = ("429", "503")


def describe(schema: dict[str, Any], paths: Mapping[str, EventType | None], settings: Iterable[str]) -> None:
    """Adds the tracking routes and those that tell SDKs where to send to an OpenAPI document, in place."""
    components = schema.setdefault("components", {})
    components.setdefault("schemas", {}).update(_schemas() | _settings_schemas())
    components.setdefault("securitySchemes", {}).update(_security())
    ours = {path: _path(path, kind) for path, kind in paths.items()} | {path: _settings(path) for path in settings}
    schema["paths"] = ours | schema["paths"]


def _path(path: str, kind: EventType | None) -> dict[str, Any]:
    return {
        "post": {
            "tags": ["tracking"],
            "operationId": f"track{_id(path)}",
            "summary": "Send events of any type." if kind is None else f"Send {kind} events.",
            "description": "One event or a batch on any path. 200 once Kafka has every event that could be taken, and "
            "every other one, with the reason, on the topic of rejected events. Any Content-Type; gzip is welcome.",
            "security": [{"writeKey": []}, {"writeKeyHeader": []}, {"writeKeyQuery": []}, {}],
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": _ref("TrackingRequest"), "example": {"batch": [_EXAMPLE]}}},
            },
            "responses": _responses("Kafka has it.", "Success", _REFUSALS),
        },
        "options": _preflight(path),
    }


def describe_import(schema: dict[str, Any], path: str) -> None:
    """Adds the route that brings in history, in place."""
    schema["components"]["schemas"].update(_import_schemas())
    schema["paths"] = {path: {"post": _import(path), "options": _preflight(path)}} | schema["paths"]


def _import(path: str) -> dict[str, Any]:
    line = {"type": "integer", "minimum": 1, "maximum": 999_999_999_999_999, "default": 1}
    numbers = {
        "first_line": "The number of the body's first line, when it is the rest of a file.",
        "from_line": "Lines before this one are passed over.",
    }
    switches = {
        "dry_run": "Judge, and store nothing.",
        "each_rejected": "Name every rejected line, in a record of its own. Read the answer while you send.",
    }
    why = {
        400: "A number of a line is none, or the body is packed and broken.",
        **{status: why for status, why in _REFUSALS.items() if status not in (400, 413)},
        403: "The write key is a browser's, or its source takes no events from this page.",
        422: "Nearly all lines are rejected: the import was ended.",
        503: "Kafka or the key store is away, or other imports are under way: go on after `Retry-After`.",
    }
    found = _responses("Lines of JSON: progress, and at the end a report that is `done`.", "ImportReport", why)
    records = {"anyOf": [_ref("ImportReport"), _ref("RejectedLine")]}
    found["200"]["content"] = {"application/x-ndjson": {"schema": records}}
    for status in (400, 408, 422, 503):
        found[str(status)]["content"] = {"application/json": {"schema": _ref("ImportRefusal")}}
    return {
        "tags": ["tracking"],
        "operationId": f"track{_id(path)}",
        "summary": "Bring in history.",
        "description": "One event a line, any number of lines, plain or gzipped, with a server key. It goes to the "
        "backfill topic, and keeps its times. All lines up to the last `line` that was told need not be sent again.",
        "parameters": [
            *({"name": name, "in": "query", "schema": line, "description": text} for name, text in numbers.items()),
            *(
                {"name": name, "in": "query", "schema": {"type": "boolean"}, "description": text}
                for name, text in switches.items()
            ),
        ],
        "security": [{"writeKey": []}, {"writeKeyHeader": []}, {"writeKeyQuery": []}],
        "requestBody": {"required": True, "content": {"application/x-ndjson": {"schema": {"type": "string"}}}},
        "responses": found,
    }


def _import_schemas() -> dict[str, Any]:
    count, text = {"type": "integer", "minimum": 0}, {"type": "string"}
    report = {
        "line": {**count, "description": "All lines up to this one are durable, accepted or rejected."},
        "accepted": count,
        "rejected": count,
        "reasons": {"type": "object", "additionalProperties": count},
        "samples": {"type": "array", "items": _object(line=count, reason=text)},
        "done": {"type": "boolean", "description": "Of the last record: whether all lines were read."},
        "dry_run": {"const": True},
        "code": text,
        "message": text,
    }
    return {
        "ImportReport": {"type": "object", "required": ["line", "accepted", "rejected"], "properties": report},
        "RejectedLine": _object(line=count, reason=text),
        "ImportRefusal": {"type": "object", "required": ["code", "message"], "properties": report},
    }


def _settings(path: str) -> dict[str, Any]:
    """Of a route with the key in its path, or without."""
    named = "{write_key}" in path
    key = {"name": "write_key", "in": "path", "required": True, "schema": {"type": "string"}}
    shown: list[dict[str, list[str]]] = [{"writeKey": []}, {"writeKeyHeader": []}, {"writeKeyQuery": []}]
    return {
        "parameters": [key] if named else [],
        "get": {
            "tags": ["tracking"],
            "operationId": f"settings{_id(path)}",
            "summary": "Where analytics.js is to send." if named else "Where RudderStack's SDKs are to send.",
            "security": [] if named else shown,
            "responses": _responses(
                "What the SDK asks for.",
                "SegmentSettings" if named else "RudderSettings",
                _SETTINGS_REFUSALS | {400: "The request names no host."},
            ),
        },
        "options": _preflight(path),
    }


def _preflight(path: str) -> dict[str, Any]:
    return {
        "tags": ["tracking"],
        "operationId": f"preflight{_id(path)}",
        "summary": "What a browser may send.",
        "description": "It is asked without a key, so every page is told that it may send; one that the key's source "
        "does not list is refused when it does. Where the address names the key, it is told at once.",
        "security": [],
        "responses": {"200": {"description": "The allowed methods and headers."}},
    }


def _id(path: str) -> str:
    """Of one path, and no other's."""
    return "".join("_slash" if part == "" else f"_{part.strip('{}')}" for part in path.split("/")[1:])


def _responses(done: str, answer: str, refusals: Mapping[int, str]) -> dict[str, Any]:
    refusal = {"application/json": {"schema": _ref("CodeAndMessage")}}
    refused = {str(status): {"description": why, "content": refusal} for status, why in sorted(refusals.items())}
    for status in _WITH_RETRY_AFTER:
        refused[status]["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    return {"200": {"description": done, "content": {"application/json": {"schema": _ref(answer)}}}, **refused}


def _settings_schemas() -> dict[str, Any]:
    text = {"type": "string"}
    sending = _object(apiKey=text, apiHost=text, protocol={"enum": ["http", "https"]})
    return {
        "SegmentSettings": _object(
            integrations=_object(**{"Segment.io": sending}), metrics=_object(sampleRate={"const": 0})
        ),
        "RudderSettings": _object(
            source=_object(id=text, config={"type": "object"}, destinations={"type": "array", "maxItems": 0})
        ),
    }


def _object(**members: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(members), "properties": members}


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
