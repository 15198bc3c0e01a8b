"""Which identifiers an event carries, and how each is written: identity.md §0.

Pure. Knows namespaces, their normal form and how good a value looks; not who it belongs to, and not what may be joined.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Literal, NamedTuple

import msgspec
import phonenumbers
from email_validator import EmailNotValidError, validate_email
from msgspec import Raw, Struct
from phonenumbers import PhoneNumberType, ValidationResult

from tern_common.events import EMPTY, Event

Kind = Literal["unique", "strong", "weak"]
Quality = Literal["valid", "suspicious", "invalid"]

DEFAULT_REGION = "CN"
SHORTEST, LONGEST = 3, 256
CACHED_VALUES = 1 << 16

_MASKED_BOTH_ENDS = 6
"""Characters from which on two at both ends do not give the whole away."""


class Namespace(NamedTuple):
    """`unique` names one person, `strong` may be one person's, `weak` is a browser. Priority 1 is the strongest."""

    priority: int
    kind: Kind


class Identifier(NamedTuple):
    """A normalised value in its namespace."""

    namespace: str
    value: str


class Normalised(NamedTuple):
    """`valid` identifies; `suspicious` is contact data only; `invalid` is neither, and its `value` is empty."""

    value: str
    quality: Quality


NAMESPACES: Mapping[str, Namespace] = {
    "user_id": Namespace(1, "unique"),
    "phone": Namespace(4, "strong"),
    "email": Namespace(5, "strong"),
    "anonymous_id": Namespace(8, "weak"),
}

INVALID = Normalised("", "invalid")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


BLOCKED_WORDS = _words(
    "anonymous guest null none nil undefined nan true false id email user test unknown not_authenticated distinct_id -1"
) | {"[object object]", ""}

ROLE_MAILBOXES = _words(
    "abuse accounts admin billing contact customerservice enquiries feedback hello help hostmaster info inquiries "
    "kefu mail mailer-daemon marketing news newsletter no-reply noreply office orders postmaster privacy root "
    "sales security service shop support team webmaster"
)

COMPANY_LINES = frozenset(
    {
        PhoneNumberType.TOLL_FREE,
        PhoneNumberType.PREMIUM_RATE,
        PhoneNumberType.SHARED_COST,
        PhoneNumberType.UAN,
        PhoneNumberType.VOICEMAIL,
        PhoneNumberType.PAGER,
    }
)

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

_QUOTES = "\"'`“”‘’"
_NOTHING_BUT_ZEROS = re.compile(r"[0-]*")
_UNWRITABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_REPEATED = re.compile(r"(\d)\1{6}")


def is_blocked_word(value: str) -> bool:
    """Whether the text stands for nothing: `null`, `guest`, `[object Object]`, `0000`, … in any case, also quoted."""
    bare = value.strip().strip(_QUOTES).strip().casefold()
    return bare in BLOCKED_WORDS or _NOTHING_BUT_ZEROS.fullmatch(bare) is not None


def normalise(namespace: str, raw: str) -> Normalised:
    """The one way to write a value. Never raises for any text; `KeyError` for a namespace that is not known."""
    value = raw.strip()
    if not SHORTEST <= len(value) <= LONGEST:
        return INVALID
    return _normalise(namespace, value)


@lru_cache(maxsize=CACHED_VALUES)
def _normalise(namespace: str, value: str) -> Normalised:
    if _UNWRITABLE.search(value) or is_blocked_word(value):
        return INVALID
    return _NORMALISERS[namespace](value)


def _id(value: str) -> Normalised:
    return Normalised(value, "valid")


def _email(value: str) -> Normalised:
    try:
        known = validate_email(unicodedata.normalize("NFKC", value), check_deliverability=False)
    except EmailNotValidError:
        return INVALID
    address = known.normalized.lower()
    local = address.partition("@")[0].partition("+")[0]
    return Normalised(address, "suspicious" if local in ROLE_MAILBOXES else "valid")


def _phone(value: str) -> Normalised:
    try:
        number = phonenumbers.parse(unicodedata.normalize("NFKC", value), DEFAULT_REGION)
    except phonenumbers.NumberParseException:
        return INVALID
    if _REPEATED.search(str(number.national_number)):
        return INVALID
    line = phonenumbers.number_type(number)
    if line == PhoneNumberType.UNKNOWN and not _possible(number):
        return INVALID
    certain = line != PhoneNumberType.UNKNOWN and line not in COMPANY_LINES and number.extension is None
    written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return Normalised(written, "valid" if certain else "suspicious")


def _possible(number: phonenumbers.PhoneNumber) -> bool:
    """Long enough to be called from abroad: all that a number range newer than the library can show."""
    return phonenumbers.is_possible_number_with_reason(number) == ValidationResult.IS_POSSIBLE


_NORMALISERS: Mapping[str, Callable[[str], Normalised]] = {
    "user_id": _id,
    "phone": _phone,
    "email": _email,
    "anonymous_id": _id,
}


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


def identifiers_of(event: Event) -> list[Identifier]:
    """The valid identifiers of an event, each once. Group traits and other types' `context.traits` say nothing here."""
    found: list[Identifier] = []
    for namespace, raw in _stated(event):
        value, quality = normalise(namespace, raw)
        if quality == "valid" and (identifier := Identifier(namespace, value)) not in found:
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


def masked(value: str) -> str:
    """Enough of an identifier or contact to recognise one's own: `a***@e***.com`, `+8***34`."""
    local, at, domain = value.rpartition("@")
    if not at:
        return f"{value[:2]}***{value[-2:]}" if len(value) >= _MASKED_BOTH_ENDS else f"{value[:1]}***"
    host, dot, rest = domain.rpartition(".")
    return f"{local[:1]}***@{host[:1]}***{dot}{rest}"
