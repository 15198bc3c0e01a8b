"""Rules as people write them: YAML or JSON, read so that every finding can name its line. Knows no rule.

YAML has traps of its own; what falls into one is refused in words that name the trap.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping
from typing import Any, NamedTuple

import yaml

from tern_triggers.domain.rules.wrong import Finding, Place

LONGEST = 64 * 1024
"""Characters of a rule."""

DEEPEST = 20


class Line(NamedTuple):
    """Where something stands, both counted from 1."""

    line: int
    column: int


class Written(NamedTuple):
    """`data`: what was written, as plain values. `lines`: where each part of it begins; none where that is unknown."""

    data: object
    lines: Mapping[Place, Line]

    def line_of(self, place: Place) -> Line | None:
        """Where a part begins, or the nearest part around it."""
        around = (self.lines.get(place[:length]) for length in range(len(place), -1, -1))
        return next((line for line in around if line is not None), None)


class Unreadable(Exception):
    """The text is no YAML that a rule may be written in."""

    def __init__(self, words: str, line: Line | None) -> None:
        super().__init__(words)
        self.finding = Finding((), words)
        self.line = line


def read_yaml(text: str) -> Written:
    """Raises `Unreadable`."""
    try:
        _require_plain(text)
        node = yaml.compose(text, yaml.SafeLoader)
        lines: dict[Place, Line] = {}
        return Written(None if node is None else _built(node, (), lines), lines)
    except yaml.MarkedYAMLError as wrong:
        mark = wrong.problem_mark or wrong.context_mark
        raise Unreadable(f"is not YAML: {wrong.problem or wrong.context}", _line(mark)) from None
    except (yaml.YAMLError, ValueError) as wrong:
        raise Unreadable(f"is not YAML: {' '.join(str(wrong).split())}", None) from None


def read_json(text: str) -> Written:
    """The same for JSON, whose writers are programs: no lines. Raises `Unreadable`."""
    try:
        return Written(json.loads(text), {})
    except (ValueError, RecursionError):
        raise Unreadable("is not JSON", None) from None


def _require_plain(text: str) -> None:
    """Before anything is built: no text without end, no references, no depth that could exhaust who reads it."""
    if len(text) > LONGEST:
        raise Unreadable(f"is longer than {LONGEST} characters", None)
    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise Unreadable("refers to another part (`*name`): write that part out", _line(event.start_mark))
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise Unreadable("is nested too deeply", _line(event.start_mark))


def _built(node: yaml.Node, place: Place, lines: dict[Place, Line]) -> Any:
    lines.setdefault(place, _line(node.start_mark))
    match node:
        case yaml.MappingNode():
            return {_key(key, place, lines): _built(value, (*place, key.value), lines) for key, value in node.value}
        case yaml.SequenceNode():
            return [_built(part, (*place, index), lines) for index, part in enumerate(node.value)]
        case _:
            return _scalar(node)


def _key(node: yaml.Node, place: Place, lines: dict[Place, Line]) -> Hashable:
    """A finding about an entry points at its key."""
    line = _line(node.start_mark)
    if not isinstance(node, yaml.ScalarNode):
        raise Unreadable("a key is a word, not a list or a mapping", line)
    key = _scalar(node)
    if not isinstance(key, str):
        raise Unreadable(f'YAML reads the key `{node.value}` as {_named(key)}: write "{node.value}" in quotes', line)
    if (*place, key) in lines:
        raise Unreadable(f"the key `{key}` stands twice", line)
    lines[(*place, key)] = line
    return key


def _scalar(node: yaml.Node) -> Any:
    value = yaml.SafeLoader("").construct_object(node)
    of_sixty = isinstance(value, int | float) and ":" in node.value  # YAML counts hours and minutes together
    if value is None or (isinstance(value, str | bool | int | float) and not of_sixty):
        return value
    raise Unreadable(
        f'YAML reads `{node.value}` as {_named(value)}: write "{node.value}" in quotes', _line(node.start_mark)
    )


def _named(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case None:
            return "nothing"
        case int() | float():
            return "a number"
        case _:
            return f"a {type(value).__name__}"


def _line(mark: Any) -> Line:
    return Line(1, 1) if mark is None else Line(mark.line + 1, mark.column + 1)
