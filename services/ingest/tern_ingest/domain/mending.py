"""A mapping that mends rejected events: a few steps, each on one field, applied in order to the bytes that came.

A step that does not fit an event leaves it as it is: whether an event is good is judged afterwards, and nowhere else.
What no step touches stays the bytes that came. Knows no event's meaning.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, available_timezones

import msgspec
from msgspec import Raw

from tern_common.errors import Unusable
from tern_ingest.domain.calls import MALFORMED

BAD = "bad-mapping"
MOST_STEPS = 100
LONGEST_STEP = 1_000
"""Characters."""

FORMS = {
    "rename": "rename FIELD NEW_NAME",
    "default": "default FIELD VALUE",
    "date": "date FIELD FORMAT [ZONE]",
    "type": "type FIELD text|number|boolean",
    "remove": "remove FIELD",
}
"""The steps: fields are named from the top of the event, such as properties.product_id."""

Path = tuple[str, ...]
Step = Callable[[Raw], Raw]
Change = Callable[[Raw | None], Raw | None]
"""Of one member: its value, None when there is none; and what it is to be, None when it is to go."""

_EMPTY = (b"null", b'""')
_TRUTHS = {"true": b"true", "1": b"true", "yes": b"true", "false": b"false", "0": b"false", "no": b"false"}
_LARGEST_YEAR = 2999
_A_MOMENT = datetime(2004, 10, 30, 23, 58, 59, tzinfo=UTC)

_members = msgspec.json.Decoder(dict[str, Raw])
_value = msgspec.json.Decoder()


class Mapping:
    """Steps in their order. One without steps changes nothing."""

    def __init__(self, steps: Sequence[Step] = ()) -> None:
        self._steps = steps

    def __bool__(self) -> bool:
        return bool(self._steps)

    def mend(self, original: bytes) -> bytes:
        """The event as the steps leave it; what is no JSON object stays as it is."""
        if not self._steps:
            return original
        raw = Raw(original)
        try:
            for step in self._steps:
                raw = step(raw)
        except MALFORMED:
            return original
        return bytes(raw)


def read_mapping(lines: Iterable[str]) -> Mapping:
    """A step a line; empty lines and what follows a `#` count for nothing. Raises `Unusable` naming the line."""
    steps: list[Step] = []
    for number, line in enumerate(lines, 1):
        try:
            words = _words(line)
            if words:
                steps.append(_step(words))
        except ValueError as wrong:
            raise Unusable(BAD, f"step {number}: {wrong}") from None
    if len(steps) > MOST_STEPS:
        raise Unusable(BAD, f"at most {MOST_STEPS} steps")
    return Mapping(steps)


def _words(line: str) -> list[str]:
    if len(line) > LONGEST_STEP:
        raise ValueError(f"at most {LONGEST_STEP} characters")
    try:
        return shlex.split(line, comments=True)
    except ValueError:
        raise ValueError("a quotation mark is not closed") from None


def _step(words: Sequence[str]) -> Step:
    """Raises `ValueError` that says how the step is written."""
    name, *said = words
    makers: dict[str, tuple[Callable[..., Step], int, int]] = {
        "rename": (_rename, 2, 2),
        "default": (_default, 2, 2),
        "date": (_date, 2, 3),
        "type": (_type, 2, 2),
        "remove": (_remove, 1, 1),
    }
    if name not in makers:
        raise ValueError(f"a step is one of {', '.join(FORMS)}")
    make, least, most = makers[name]
    if not least <= len(said) <= most:
        raise ValueError(f"write `{FORMS[name]}`; quote what has spaces in it")
    return make(*said)


def _path(field: str) -> Path:
    path = tuple(field.split("."))
    if not all(path):
        raise ValueError("a field is named from the top of the event, such as properties.price")
    return path


def _rename(old: str, new: str) -> Step:
    """Only where nothing stands under the new name yet."""
    source, target = _path(old), _path(new)
    shorter = min(len(source), len(target))
    if source[:shorter] == target[:shorter]:
        raise ValueError("a field cannot be renamed to itself, nor into itself")

    def step(raw: Raw) -> Raw:
        value = _found(raw, source)
        if value is None or _found(raw, target) is not None:
            return raw
        moved = _changed(raw, target, lambda _: value)
        return raw if moved is raw else _changed(moved, source, lambda _: None)

    return step


def _default(field: str, value: str) -> Step:
    """Where the field is absent, null or an empty text. A value that is JSON is taken for it, any other for a text."""
    path = _path(field)
    try:
        said = msgspec.json.encode(_value.decode(value.encode()))
    except MALFORMED:
        said = msgspec.json.encode(value)
    return lambda raw: _changed(raw, path, lambda old: Raw(said) if old is None or bytes(old) in _EMPTY else old)


def _date(field: str, written: str, zone: str = "UTC") -> Step:
    """A text, or digits, in a format of strptime becomes ISO 8601 in UTC. `zone`: of a format that has none."""
    path = _path(field)
    if zone not in available_timezones():
        raise ValueError("the zone is an IANA name, such as Europe/Berlin")
    try:
        datetime.strptime(_A_MOMENT.strftime(written), written)  # noqa: DTZ007 - only whether it can be read
    except (ValueError, re.error):  # the second where one part stands twice
        raise ValueError("the format is one of strptime, such as %d.%m.%Y %H:%M") from None
    if "%" not in written:
        raise ValueError("the format is one of strptime, such as %d.%m.%Y %H:%M")
    where = ZoneInfo(zone)
    return lambda raw: _changed(raw, path, lambda old: _as_moment(old, written, where))


def _as_moment(old: Raw | None, written: str, zone: ZoneInfo) -> Raw | None:
    text = _text(old)
    if text is None:
        return old
    try:
        moment = datetime.strptime(text.strip(), written)  # noqa: DTZ007 - the zone is added where there is none
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return old
    return Raw(msgspec.json.encode(moment)) if moment.year <= _LARGEST_YEAR else old


def _type(field: str, wanted: str) -> Step:
    path = _path(field)
    kinds: dict[str, Callable[[str], bytes | None]] = {
        "text": msgspec.json.encode,
        "number": _as_number,
        "boolean": lambda text: _TRUTHS.get(text.strip().lower()),
    }
    if wanted not in kinds:
        raise ValueError(f"a type is one of {', '.join(kinds)}")
    convert = kinds[wanted]

    def change(old: Raw | None) -> Raw | None:
        text = _text(old)
        new = None if text is None else convert(text)
        return old if new is None else Raw(new)

    return lambda raw: _changed(raw, path, change)


def _as_number(text: str) -> bytes | None:
    """As it is written, which keeps every digit."""
    try:
        written = text.strip().encode()
        return written if isinstance(_value.decode(written), int | float) and written[:1] not in b"tf" else None
    except MALFORMED:
        return None


def _remove(field: str) -> Step:
    path = _path(field)
    return lambda raw: _changed(raw, path, lambda _: None)


def _text(raw: Raw | None) -> str | None:
    """A text as it is, a number or a truth as it is written; None for anything else."""
    written = b"" if raw is None else bytes(raw).strip()
    if not written or written[:1] in b"{[n":
        return None
    value = _value.decode(written)
    return value if isinstance(value, str) else written.decode()


def _found(raw: Raw, path: Path) -> Raw | None:
    for name in path:
        if not bytes(raw).lstrip().startswith(b"{"):
            return None
        found = _members.decode(raw).get(name)
        if found is None:
            return None
        raw = found
    return raw


def _changed(raw: Raw, path: Path, change: Change) -> Raw:
    """The object with one member changed; itself when the change is none, or something on the way is no object."""
    if not bytes(raw).lstrip().startswith(b"{"):
        return raw
    members = _members.decode(raw)
    name, *rest = path
    old = members.get(name)
    new = _deeper(old, tuple(rest), change) if rest else change(old)
    if new is old:
        return raw
    if new is None:
        del members[name]
    else:
        members[name] = new
    return Raw(msgspec.json.encode(members))


def _deeper(old: Raw | None, rest: Path, change: Change) -> Raw | None:
    """An object on the way is made where there is none, unless nothing comes into it."""
    if old is not None:
        return _changed(old, rest, change)
    nothing = Raw(b"{}")
    made = _changed(nothing, rest, change)
    return None if made is nothing else made
