"""What to do about an event that was rejected: reason → a sentence for whoever wrote the storefront."""

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
}


def remedy(reason: str) -> str:
    """What to do; where to look when there is no word for it."""
    return REMEDIES.get(reason, ELSEWHERE)
