"""How a value is written in its namespace, and how good it looks: identity.md §0.

Pure. Never refuses a text by raising; knows nothing of events or of whose a value is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Literal, NamedTuple

import phonenumbers
from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email
from phonenumbers import PhoneNumberType, ValidationResult

Quality = Literal["valid", "suspicious", "invalid"]

DEFAULT_REGION = "CN"
SHORTEST, LONGEST = 3, 256
CACHED_VALUES = 1 << 16

_MASKED_BOTH_ENDS = 6
"""Characters from which on two at both ends do not give the whole away."""


class Identifier(NamedTuple):
    """A normalised value in its namespace."""

    namespace: str
    value: str


class Normalised(NamedTuple):
    """`valid` identifies; `suspicious` is contact data only; `invalid` is neither, and its `value` is empty."""

    value: str
    quality: Quality


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

_QUOTES = "\"'`“”‘’"
_NOTHING_BUT_ZEROS = re.compile(r"[0-]*")
_UNWRITABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_PLAIN_ADDRESS = re.compile(
    r"(?P<local>[A-Za-z0-9]+(?:[._+-][A-Za-z0-9]+)*)"
    r"@(?P<domain>(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63})"
)
_LONGEST_LOCAL, _LONGEST_PLAIN = 64, 200
_SPECIAL_USE = tuple(f".{name}" for name in SPECIAL_USE_DOMAIN_NAMES)
_REPEATED = re.compile(r"(\d)\1{6}")


def is_blocked_word(value: str) -> bool:
    """Whether the text stands for nothing: `null`, `guest`, `[object Object]`, `0000`, … in any case, also quoted."""
    bare = value.strip().strip(_QUOTES).strip().casefold()
    return bare in BLOCKED_WORDS or _NOTHING_BUT_ZEROS.fullmatch(bare) is not None


def normalise(namespace: str, raw: str) -> Normalised:
    """The one way to write a value: of `email` and `phone` as such, of any other namespace as an id. Never raises."""
    value = raw.strip()
    if not SHORTEST <= len(value) <= LONGEST:
        return INVALID
    return _normalise(namespace, value)


@lru_cache(maxsize=CACHED_VALUES)
def _normalise(namespace: str, value: str) -> Normalised:
    if _UNWRITABLE.search(value) or is_blocked_word(value):
        return INVALID
    return _NORMALISERS.get(namespace, _id)(value)


def _id(value: str) -> Normalised:
    return Normalised(value, "valid")


def _email(value: str) -> Normalised:
    address = value.lower() if is_plain_address(value) else _validated(value)
    if address is None:
        return INVALID
    local = address.partition("@")[0].partition("+")[0]
    return Normalised(address, "suspicious" if local in ROLE_MAILBOXES else "valid")


def is_plain_address(value: str) -> bool:
    """Whether an address is valid beyond doubt, and written as it is to be but for case. Most are; the library takes
    forty times as long to say so."""
    found = _PLAIN_ADDRESS.fullmatch(value)
    if found is None or len(value) > _LONGEST_PLAIN or len(found["local"]) > _LONGEST_LOCAL:
        return False
    domain = found["domain"]
    return "--" not in domain and not f".{domain.lower()}".endswith(_SPECIAL_USE)


def _validated(value: str) -> str | None:
    try:
        known = validate_email(unicodedata.normalize("NFKC", value), check_deliverability=False)
    except EmailNotValidError:
        return None
    return known.normalized.lower()


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
    "phone": _phone,
    "email": _email,
}


def masked(value: str) -> str:
    """Enough of an identifier or contact to recognise one's own: `a***@e***.com`, `+8***34`."""
    local, at, domain = value.rpartition("@")
    if not at:
        return f"{value[:2]}***{value[-2:]}" if len(value) >= _MASKED_BOTH_ENDS else f"{value[:1]}***"
    host, dot, rest = domain.rpartition(".")
    return f"{local[:1]}***@{host[:1]}***{dot}{rest}"
