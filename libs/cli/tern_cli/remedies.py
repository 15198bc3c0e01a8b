"""What to do about an event that was rejected and a request that was refused: a sentence for whoever wrote the shop."""

from __future__ import annotations

_TEXT = "Send {} as a text or a number, not as an object, a list or true/false."
_OBJECT = "Send `{}` as an object: {{…}}."
ELSEWHERE = "See `tern rejected list` for samples."

REMEDIES = {
    "event-not-json": "The event is broken JSON: look at what builds the body.",
    "event-not-an-object": "Each event is an object; `batch` is a list of them.",
    "event-too-large": "Send less with it: ids of products instead of all that is known of them.",
    "event-too-deep": "Send flatter properties: objects within objects go too deep.",
    "type-missing": "Say `type`: track, identify, page, screen, group or alias; or post to that type's own path.",
    "type-unknown": "Use one of the types track, identify, page, screen, group and alias.",
    "event-name-missing": "A track call names its event: `event: 'Product Added'`.",
    "event-name-not-text": _TEXT.format("`event`"),
    "name-not-text": _TEXT.format("`name`"),
    "user-id-not-text": _TEXT.format("`userId`"),
    "anonymous-id-not-text": _TEXT.format("`anonymousId`"),
    "previous-id-not-text": _TEXT.format("`previousId`"),
    "group-id-not-text": _TEXT.format("`groupId`"),
    "message-id-not-text": _TEXT.format("`messageId`"),
    "message-id-too-long": "Leave `messageId` to the SDK, or send a shorter one.",
    "timestamp-unreadable": "Send `timestamp` as ISO 8601 (2026-01-31T12:00:00Z) or as a Unix time.",
    "context-not-an-object": _OBJECT.format("context"),
    "traits-not-an-object": _OBJECT.format("traits"),
    "properties-not-an-object": _OBJECT.format("properties"),
    "integrations-not-an-object": _OBJECT.format("integrations"),
    "product-event-untrusted": "Prices and stock are a server's to say: send it with a server key.",
    "not-json": "The whole body is no JSON object: send one event, or {batch: [...]}, and let the SDK build it.",
    "not-utf-8": "The whole body is not UTF-8: encode it before it is sent.",
    "batch-not-a-list": "`batch` is a list of events: {batch: [...]}.",
    "too-deep": "The whole body nests objects and lists too deeply: send flatter properties.",
    "too-many-members": "The body's object has far too many members: its events belong into `batch`.",
    "too-many-events": "Send fewer events in one request.",
}
REFUSALS = {
    "revoked-write-key": ("showed a write key that was revoked", "Put a live one in its place: `tern keys list {}`."),
    "origin-not-allowed": (
        "came from pages that it does not list",
        "List the page as browsers spell it: `tern sources pages {} https://shop.example`.",
    ),
    "too-many-events": (
        "came faster than its keys may send, or with too many events at once",
        "Send smaller batches, or raise the rate if they are yours: `tern sources rate {} --kind KIND NUMBER`.",
    ),
    "server-key-needed": ("brought in history with a browser key", "Import with a server key of the source."),
    "body-too-large": ("were too large", "Send smaller batches."),
    "overloaded": ("were put off, since too much was in flight", "SDKs send them again; else add an instance."),
}
"""Of a source, by code: what happened to requests, and what to do. `{}` stands for its id."""


def remedy(reason: str) -> str:
    """What to do; where to look when there is no word for it."""
    return REMEDIES.get(reason, ELSEWHERE)


def refusal(code: str, source_id: str) -> tuple[str, str]:
    """What happened to a source's requests that were refused so, and what to do."""
    what, do = REFUSALS.get(code, (f"were refused as {code}", "What was answered says why: see the shop's log."))
    return what, do.format(source_id)
