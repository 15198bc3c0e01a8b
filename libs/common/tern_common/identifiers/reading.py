"""Which identifiers an event carries: identity.md §0, docs/events.md.

Pure and tolerant: a client may put anything anywhere. Knows not who they belong to, and not what may be joined.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Raw, Struct

from tern_common.events import EMPTY, Event
from tern_common.identifiers.namespaces import NAMESPACES, Namespaces
from tern_common.identifiers.normalising import Identifier, normalise

CONTACT_EVENTS = frozenset(
    {
        "checkout started",
        "checkout step viewed",
        "checkout step completed",
        "payment info entered",
        "order updated",
        "order completed",
        "order refunded",
        "order cancelled",
    }
)


class _Contacts(Struct):
    """The parts of traits or properties that may identify: raw, since a client may put anything there."""

    email: Raw = EMPTY
    phone: Raw = EMPTY


class _Context(Struct):
    traits: Raw = EMPTY


_contacts = msgspec.json.Decoder(_Contacts)
_context = msgspec.json.Decoder(_Context)
_text = msgspec.json.Decoder(str)

_NOTHING = _Contacts()


def identifiers_of(event: Event, namespaces: Namespaces = NAMESPACES) -> list[Identifier]:
    """The valid identifiers of an event, each once. Group traits and other types' `context.traits` say nothing here."""
    found: list[Identifier] = []
    for namespace, raw in _stated(event):
        value, quality = normalise(namespace, raw)
        if (
            quality == "valid"
            and namespaces.admits(namespace, event.source_id)
            and (identifier := Identifier(namespace, value)) not in found
        ):
            found.append(identifier)
    return found


def contacts_of(event: Event) -> list[Identifier]:
    """The e-mail and phone that an event states, valid or suspicious: contact data, even where it identifies nobody."""
    stated = ((namespace, normalise(namespace, raw).value) for namespace, raw in _contacts_stated(event))
    return [Identifier(namespace, value) for namespace, value in stated if value]


def _stated(event: Event) -> Iterator[tuple[str, str]]:
    if event.user_id is not None:
        yield "user_id", event.user_id
    if event.anonymous_id is not None:
        yield "anonymous_id", event.anonymous_id
    if event.type == "alias" and event.previous_id is not None and event.previous_id != event.user_id:
        yield "anonymous_id", event.previous_id
    yield from _contacts_stated(event)


def _contacts_stated(event: Event) -> Iterator[tuple[str, str]]:
    if event.type == "identify":
        yield from _identified(event)
    elif event.type == "track" and event.name is not None and event.name.strip().casefold() in CONTACT_EVENTS:
        yield from _each(_read_contacts(event.properties))


def _identified(event: Event) -> Iterator[tuple[str, str]]:
    """A trait stands in `traits`; some SDKs only repeat it in `context.traits`."""
    own = _read_contacts(event.traits)
    repeated = _read_contacts(_read_context(event.context).traits)
    email = own.email if own.email is not EMPTY else repeated.email
    phone = own.phone if own.phone is not EMPTY else repeated.phone
    yield from _each(_Contacts(email, phone))


def _each(said: _Contacts) -> Iterator[tuple[str, str]]:
    for namespace, raw in (("phone", said.phone), ("email", said.email)):
        text = _as_text(raw)
        if text is not None:
            yield namespace, text


def _as_text(raw: Raw) -> str | None:
    """A JSON string or number as text; anything else says nothing."""
    written = bytes(raw)
    if written[:1] == b'"':
        try:
            return _text.decode(written)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
    return written.decode() if written.isdigit() else None


def _read_contacts(raw: Raw) -> _Contacts:
    if raw == EMPTY:
        return _NOTHING
    try:
        return _contacts.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return _NOTHING


def _read_context(raw: Raw) -> _Context:
    try:
        return _context.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return _Context()
