"""Which identifiers an event carries: identity.md §0, docs/events.md.

Pure and tolerant: a client may put anything anywhere. Knows not who they belong to, and not what may be joined.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import msgspec
from msgspec import Raw, Struct, field

from tern_common.events import EMPTY, Event
from tern_common.identifiers.namespaces import NAMESPACES, WECHAT_OPENID, Namespaces, openid_of
from tern_common.identifiers.normalising import Identifier, normalise

MOST_EXTERNAL_IDS = 20

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
    device: Raw = EMPTY
    app: Raw = EMPTY
    external_ids: Raw = field(default=EMPTY, name="externalIds")


class _Device(Struct):
    id: Raw = EMPTY


class _App(Struct):
    namespace: Raw = EMPTY


class _External(Struct):
    """An entry of `externalIds`."""

    type: Raw = EMPTY
    id: Raw = EMPTY
    app: Raw = EMPTY


_contacts = msgspec.json.Decoder(_Contacts)
_context = msgspec.json.Decoder(_Context)
_device = msgspec.json.Decoder(_Device)
_app = msgspec.json.Decoder(_App)
_external = msgspec.json.Decoder(_External)
_list = msgspec.json.Decoder(list[Raw])
_text = msgspec.json.Decoder(str)

_T = TypeVar("_T")


def identifiers_of(event: Event, namespaces: Namespaces = NAMESPACES) -> list[Identifier]:
    """The valid identifiers of an event, each once. Group traits and other types' `context.traits` say nothing here."""
    found: list[Identifier] = []
    for namespace, raw in _stated(event, namespaces):
        value, quality = normalise(namespace, raw)
        if quality == "valid" and (identifier := Identifier(namespace, value)) not in found:
            found.append(identifier)
    return found


def contacts_of(event: Event) -> list[Identifier]:
    """The e-mail and phone that an event states, valid or suspicious: contact data, even where it identifies nobody."""
    said = _contacts_stated(event, _read(_context, event.context, _Context))
    stated = ((namespace, normalise(namespace, raw).value) for namespace, raw in said)
    return [Identifier(namespace, value) for namespace, value in stated if value]


def _stated(event: Event, namespaces: Namespaces) -> Iterator[tuple[str, str]]:
    context = _read(_context, event.context, _Context)  # faster than to look whether its bytes name what is read of it
    if event.user_id is not None:
        yield "user_id", event.user_id
    if event.anonymous_id is not None:
        yield "anonymous_id", event.anonymous_id
    if event.type == "alias" and event.previous_id is not None and event.previous_id != event.user_id:
        yield "anonymous_id", event.previous_id
    yield from _contacts_stated(event, context)
    if context.device is not EMPTY and (device := _as_text(_read(_device, context.device, _Device).id)) is not None:
        yield "device_id", device
    if context.external_ids is not EMPTY and event.type != "group":
        yield from _external_ids(event, context, namespaces)


def _contacts_stated(event: Event, context: _Context) -> Sequence[tuple[str, str]]:
    if event.type == "identify":
        return _each(_identified(event, context))
    if event.type == "track" and event.name is not None and event.name.strip().casefold() in CONTACT_EVENTS:
        return _each(_read(_contacts, event.properties, _Contacts))
    return ()


def _identified(event: Event, context: _Context) -> _Contacts:
    """A trait stands in `traits`; some SDKs only repeat it in `context.traits`."""
    own = _read(_contacts, event.traits, _Contacts)
    repeated = _read(_contacts, context.traits, _Contacts)
    email = own.email if own.email is not EMPTY else repeated.email
    phone = own.phone if own.phone is not EMPTY else repeated.phone
    return _Contacts(email, phone)


def _each(said: _Contacts) -> list[tuple[str, str]]:
    named = (("phone", _as_text(said.phone)), ("email", _as_text(said.email)))
    return [(namespace, text) for namespace, text in named if text is not None]


def _external_ids(event: Event, context: _Context, namespaces: Namespaces) -> Iterator[tuple[str, str]]:
    """What else the caller knows the person by. What is no object says nothing, and counts."""
    for raw in _read(_list, context.external_ids, list)[:MOST_EXTERNAL_IDS]:
        entry = _read(_external, raw, _External)
        namespace, said = _namespace_of(entry, context, event.source_id), _as_text(entry.id)
        if said is not None and namespace is not None and namespaces.admits(namespace, event.source_id):
            yield namespace, said


def _namespace_of(entry: _External, context: _Context, source_id: str) -> str | None:
    """An openid means something within its app only: the entry's, else the one that speaks, else the source itself."""
    name = _as_name(entry.type)
    if name != WECHAT_OPENID:
        return name
    speaking = _read(_app, context.app, _App)
    return openid_of(_as_name(entry.app)) or openid_of(_as_name(speaking.namespace)) or openid_of(source_id)


def _as_name(raw: Raw) -> str:
    return (_as_text(raw) or "").strip()


def _as_text(raw: Raw) -> str | None:
    """A JSON string or number as text; anything else says nothing."""
    written = bytes(raw)
    if written[:1] == b'"':
        try:
            return _text.decode(written)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
    return written.decode() if written.isdigit() else None


def _read(decoder: msgspec.json.Decoder[_T], raw: Raw, silent: Callable[[], _T]) -> _T:
    """What is of another form than the decoder's says nothing."""
    if raw is EMPTY:
        return silent()
    try:
        return decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return silent()
