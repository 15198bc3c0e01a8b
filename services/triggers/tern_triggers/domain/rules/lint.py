"""A rule's text, judged: is it a rule, what is wrong with it and where, and what follows from it. Needs no platform."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pydantic import BaseModel, ValidationError

from tern_common.conditions import All, AnyOf, Compare, Not
from tern_triggers.domain.rules.checks import checks
from tern_triggers.domain.rules.kinds import RULE, Change, Count, Date, Inactivity, OnEvent, Rule
from tern_triggers.domain.rules.parts import Conversion, EventFilter, Frequency, Personal, Step
from tern_triggers.domain.rules.written import Line, Unreadable, Written, read_json, read_yaml
from tern_triggers.domain.rules.wrong import Fields, Finding, findings_of


def _keys(*models: type[BaseModel]) -> tuple[str, ...]:
    return tuple(field.alias or name for model in models for name, field in model.model_fields.items())


_CONDITION = _keys(Compare, All, AnyOf, Not)

_FIELDS = Fields(
    of_kind={
        "inactivity": _keys(Inactivity),
        "count": _keys(Count),
        "change": _keys(Change),
        "date": _keys(Date),
        "event": _keys(OnEvent),
    },
    of_part={
        "steps": _keys(Step),
        "frequency": _keys(Frequency),
        "conversion": _keys(Conversion),
        "personal": _keys(Personal),
        **dict.fromkeys(("of", "start", "reset", "exit"), _keys(EventFilter)),
        **dict.fromkeys(("when", "where", "all", "any", "not"), _CONDITION),
    },
    examples={
        "rule": "rule: cart_abandoned",
        "kind": "kind: inactivity",
        "family": "family: cart",
        "purpose": "purpose: marketing",
        "steps": "steps: [{after: 1h, act: contact, expires_after: 24h}]",
        "expires_after": "expires_after: 24h",
        "of": "of: {event: Survey Answered}",
        "event": "event: Product Viewed",
        "at_least": "at_least: 3",
        "within": "within: 24h",
        "cooldown": "cooldown: 7d",
        "enters": "enters: big_spender",
        "date": "date: traits.birthday",
        "path": "path: score",
        "version": "version: 2",
        "key": "key: product_id",
        "name": "name: first_reminder",
        "every": "every: 7d",
        "least": "least: 45d",
        "most": "most: 180d",
        "priority": "priority: 50",
    },
)


class Placed(NamedTuple):
    """A finding where the text has it."""

    finding: Finding
    line: Line | None

    def __str__(self) -> str:
        at = "" if self.line is None else f"line {self.line.line}, column {self.line.column}: "
        return f"{at}{self.finding.where}: {self.finding.words}"


class Linted(NamedTuple):
    """`rule` is None where an error refuses it."""

    rule: Rule | None
    findings: tuple[Placed, ...]

    @property
    def errors(self) -> list[Placed]:
        """The findings that refuse it."""
        return [one for one in self.findings if one.finding.severity == "error"]


def lint(text: str, *, is_json: bool = False) -> Linted:
    """Judges a rule as it is written, in YAML or JSON."""
    try:
        written = read_json(text) if is_json else read_yaml(text)
    except Unreadable as wrong:
        return Linted(None, (Placed(wrong.finding, wrong.line),))
    return _judged(written)


def _judged(written: Written) -> Linted:
    if not isinstance(written.data, Mapping):
        finding = Finding((), "is no rule: write `rule:`, `kind:` and what else it has, a key a line")
        return Linted(None, (Placed(finding, written.line_of(())),))
    try:
        rule = RULE.validate_python(written.data)
    except ValidationError as wrong:
        return Linted(None, _placed(findings_of(wrong, written.data, _FIELDS), written))
    found = _placed(checks(rule), written)
    return Linted(None if any(one.finding.severity == "error" for one in found) else rule, found)


def _placed(findings: Iterable[Finding], written: Written) -> tuple[Placed, ...]:
    found = [Placed(finding, written.line_of(finding.place)) for finding in findings]
    return tuple(sorted(found, key=lambda one: (one.line or Line(0, 0), one.finding.where)))
