"""Rows of a table as events: which column goes where. Everything that can be wrong with that is said before a row is.

Knows neither files nor HTTP; a row is a list of cells in the order of the heading.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple, get_args

from pydantic import BaseModel, ConfigDict

from tern_common.errors import Misconfigured, Unusable
from tern_common.events import EventType

TYPES: tuple[str, ...] = get_args(EventType)
FIELDS = (
    *("type", "event", "name", "messageId", "userId", "anonymousId", "previousId", "groupId"),
    *("timestamp", "originalTimestamp", "sentAt"),
)
OBJECTS = ("traits", "properties", "context", "integrations")
_TIMES = frozenset({"timestamp", "originalTimestamp", "sentAt"})
_TRUE, _FALSE = frozenset({"true", "yes", "y", "1"}), frozenset({"false", "no", "n", "0"})


class MappingFile(BaseModel):
    """A mapping as YAML: what the options of the same names say."""

    model_config = ConfigDict(extra="forbid")

    type: str | None = None
    event: str | None = None
    timestamp: str | None = None
    columns: dict[str, str] = {}


class Target(NamedTuple):
    """Where a cell goes: a path of names in the event, and what its text is read as."""

    path: tuple[str, ...]
    read: Callable[[str], Any]


def declared(file: MappingFile | None, pairs: Sequence[str], given: Mapping[str, str | None]) -> MappingFile:
    """The file's mapping, with what was said beside it. Raises `Misconfigured` for a pair that is none."""
    said = file or MappingFile()
    columns = {**said.columns, **dict(_pair(text) for text in pairs)}
    known = {name: value for name, value in given.items() if value is not None}
    return said.model_copy(update={**known, "columns": columns})


def _pair(text: str) -> tuple[str, str]:
    column, found, field = text.rpartition("=")
    if not (found and column and field):
        raise Misconfigured(f"--map {text}: write COLUMN=FIELD, such as --map email=traits.email")
    return column, field


class RowMapping:
    """Makes an event of each row. Raises `Misconfigured` unless it can."""

    def __init__(self, heading: Sequence[str], said: MappingFile) -> None:
        self._width = len(heading)
        columns = {**said.columns, **({said.timestamp: "timestamp"} if said.timestamp else {})}
        if not columns:
            raise Misconfigured(
                "a table needs to be told what its columns mean: --map COLUMN=FIELD for each, "
                f"or --mapping FILE; its columns are {_listed(heading)}"
            )
        _check_heading(heading)
        self._targets = {_place(column, heading): _target(column, field) for column, field in columns.items()}
        self._fixed = {name: value for name in ("type", "event") if (value := getattr(said, name))}
        _check([target.path for target in self._targets.values()], self._fixed)

    def event(self, row: Sequence[str]) -> dict[str, Any]:
        """The event of a row; empty cells are left out. Raises `Unusable` with the reason when it can be none."""
        if len(row) != self._width:
            raise Unusable("cells-unlike-heading")
        event: dict[str, Any] = dict(self._fixed)
        for place, target in self._targets.items():
            if cell := row[place].strip():
                _put(event, target.path, target.read(cell))
        return event


def as_line(event: Mapping[str, Any]) -> bytes:
    """JSON, the same whenever the event is, since the line names an event that has no id of its own."""
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def _put(event: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for name in path[:-1]:
        event = event.setdefault(name, {})
    event[path[-1]] = value


def _check_heading(heading: Sequence[str]) -> None:
    twice = sorted({column for column in heading if heading.count(column) > 1})
    if twice:
        raise Misconfigured(f"the file has columns of one name: {_listed(twice)}; rename all but one")


def _place(column: str, heading: Sequence[str]) -> int:
    if column in heading:
        return heading.index(column)
    near = get_close_matches(column, heading, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise Misconfigured(f"the file has no column {column!r}{hint} Its columns are {_listed(heading)}")


def _target(column: str, field: str) -> Target:
    """Of `properties.total:number`."""
    dotted, _, kind = field.partition(":")
    path = tuple(dotted.split("."))
    if kind not in _READERS:
        raise Misconfigured(f"{column}={field}: {kind!r} is no kind; it is one of number, boolean, json, or none: text")
    known = path[0] in OBJECTS if len(path) > 1 else path[0] in FIELDS
    if not known or not all(path):
        raise Misconfigured(f"{column}={field}: {_instead(dotted)}")
    return Target(path, _READERS[kind])


def _instead(dotted: str) -> str:
    name = dotted.rpartition(".")[2]
    near = get_close_matches(dotted, FIELDS, 1)
    hint = f"did you mean {near[0]}? Else " if near else ""
    return (
        f"an event has no field {dotted!r}; {hint}write properties.{name} for what this event says, traits.{name} for "
        f"what is known of the person, or one of {', '.join(FIELDS)}"
    )


def _check(paths: Sequence[tuple[str, ...]], fixed: Mapping[str, str]) -> None:
    for place, path in enumerate(paths):
        for other in paths[place + 1 :]:
            shorter = min(len(path), len(other))
            if path[:shorter] == other[:shorter]:
                raise Misconfigured(f"two columns go to {'.'.join(path)}: map one of them elsewhere")
    tops = {path[0] for path in paths if len(path) == 1}
    doubled = tops & fixed.keys()
    if doubled:
        name = min(doubled)
        raise Misconfigured(f"{name} is said by --{name} and by a column: leave one of them out")
    _check_complete(tops | fixed.keys(), fixed.get("type"))


def _check_complete(said: set[str], kind: str | None) -> None:
    if kind is not None and kind not in TYPES:
        raise Misconfigured(f"--type {kind}: it is one of {', '.join(TYPES)}")
    if "type" not in said:
        raise Misconfigured(f"nothing says what rows are: --type with one of {', '.join(TYPES)}")
    if kind == "track" and "event" not in said:
        raise Misconfigured('nothing says what happened: --event "Order Completed", or --map COLUMN=event')
    if not said & _TIMES:
        raise Misconfigured("nothing says when rows happened: --timestamp COLUMN")


def _text(cell: str) -> str:
    return cell


def _number(cell: str) -> int | float:
    try:
        number = float(cell)
    except ValueError:
        raise Unusable("cell-not-a-number") from None
    if number != number or abs(number) == float("inf"):
        raise Unusable("cell-not-a-number")
    return int(cell) if cell.removeprefix("-").isdecimal() else number


def _boolean(cell: str) -> bool:
    said = cell.lower()
    if said in _TRUE | _FALSE:
        return said in _TRUE
    raise Unusable("cell-not-a-boolean")


def _json(cell: str) -> Any:
    try:
        said = json.loads(cell)
        as_line({"said": said})  # half a character can be read, and not be written
    except (ValueError, RecursionError):
        raise Unusable("cell-not-json") from None
    return said


_READERS: dict[str, Callable[[str], Any]] = {"": _text, "number": _number, "boolean": _boolean, "json": _json}


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(repr(column) for column in columns) or "none"
