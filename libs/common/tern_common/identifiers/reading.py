"""Which identifiers an event carries: identity.md §0, docs/events.md.

Pure and tolerant: a client may put anything anywhere. Knows not who they belong to, and not what may be joined.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TypeVar

import msgspec
from msgspec import Raw, Struct, field

from tern_common.events import EMPTY, Event
from tern_common.identifiers.namespaces import NAMESPACES, WECHAT_OPENID, Namespaces, openid_of
from tern_common.identifiers.normalising import Identifier, normalise

MOST_EXTERNAL_IDS = 20
CACHED_NAMES = 1 << 12

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

_SILENT = _Context()

_T = TypeVar("_T")


def identifiers_of(event: Event, namespaces: Namespaces = NAMESPACES) -> list[Identifier]:
    """The valid identifiers of an event, each once. Group traits and other types' `context.traits` say nothing here."""
    return _valid(_stated(event, namespaces))


def says_ids_alone(event: Event) -> bool:
    """Whether `identifiers_of` is `identifiers_among` its ids: true of most events, and quicker to find out."""
    context = _read(_context, event.context, _Context)
    return context.device is EMPTY and context.external_ids is EMPTY and not _contacts_stated(event, context)


def identifiers_among(user_id: str | None, anonymous_id: str | None, previous_id: str | None) -> list[Identifier]:
    """The valid ones of an event's own ids, each once. `previous_id` is that of an alias; other types say none."""
    return _valid(_ids(user_id, anonymous_id, previous_id))


def contacts_of(event: Event) -> list[Identifier]:
    """The e-mail and phone that an event states, valid or suspicious: contact data, even where it identifies nobody."""
    context = _read(_context, event.context, _Context) if event.type == "identify" else _SILENT  # no other is asked
    said = _contacts_stated(event, context)
    stated = ((namespace, normalise(namespace, raw).value) for namespace, raw in said)
    return [Identifier(namespace, value) for namespace, value in stated if value]


def _stated(event: Event, namespaces: Namespaces) -> Iterator[tuple[str, str]]:
    context = _read(_context, event.context, _Context)  # faster than to look whether its bytes name what is read of it
    yield from _ids(event.user_id, event.anonymous_id, event.previous_id if event.type == "alias" else None)
    yield from _contacts_stated(event, context)
    if context.device is not EMPTY and (device := _as_text(_read(_device, context.device, _Device).id)) is not None:
        yield "device_id", device
    if context.external_ids is not EMPTY and event.type != "group":
        yield from _external_ids(event, context, namespaces)


def _valid(stated: Iterable[tuple[str, str]]) -> list[Identifier]:
    found: list[Identifier] = []
    for namespace, raw in stated:
        value, quality = normalise(namespace, raw)
        if quality == "valid" and (identifier := Identifier(namespace, value)) not in found:
            found.append(identifier)
    return found


def _ids(user_id: str | None, anonymous_id: str | None, previous_id: str | None) -> Iterator[tuple[str, str]]:
    if user_id is not None:
        yield "user_id", user_id
    if anonymous_id is not None:
        yield "anonymous_id", anonymous_id
    if previous_id is not None and previous_id != user_id:
        yield "anonymous_id", previous_id


def _contacts_stated(event: Event, context: _Context) -> Sequence[tuple[str, str]]:
    if event.type == "identify":
        return _each(_identified(event, context))
    if event.type == "track" and event.name is not None and _states_contacts(event.name):
        return _each(_read(_contacts, event.properties, _Contacts))
    return ()


@lru_cache(maxsize=CACHED_NAMES)
def _states_contacts(name: str) -> bool:
    return name.strip().casefold() in CONTACT_EVENTS


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
