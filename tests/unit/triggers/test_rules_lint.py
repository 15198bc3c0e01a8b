"""Whoever writes a rule is told the line, and what to write instead."""

from __future__ import annotations

import json
from collections.abc import Iterator
from textwrap import dedent

import pytest

from tern_triggers.domain.rules import RULE
from tern_triggers.domain.rules.lint import Linted, lint
from tern_triggers.domain.rules.telling import tell
from tern_triggers.domain.rules.written import DEEPEST, LONGEST

GOOD = """\
rule: quick_cart
kind: inactivity
family: cart
key: cart_id
fold: cart
purpose: marketing
channels: [email]
steps:
  - {after: 1h, act: contact, expires_after: 24h}
"""
SURVEY = """\
rule: unhappy
kind: event
family: service
purpose: service
of: {event: Survey Answered, where: {path: score, at_most: 6}}
steps:
  - {act: ticket, due_in: 24h, expires_after: 24h}
"""


def changed(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new)


def said(text: str) -> list[str]:
    """What is told, errors and warnings."""
    return [str(one) for one in lint(dedent(text)).findings]


def test_a_good_rule_is_told_nothing() -> None:
    found = lint(GOOD)
    assert (found.rule, found.findings) == (RULE.validate_python(found.rule), ())


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "after: 1h",
            "after: 0s",
            "line 9, column 6: steps.0.after: absence needs time: `after` must be longer than 0",
        ),
        ("channels:", "chanels:", "line 7, column 1: chanels: there is no such key; did you mean `channels`?"),
        ("act: contact", "akt: contact", "line 9, column 17: steps.0.akt: there is no such key; did you mean `act`?"),
        ("family: cart\n", "", "line 1, column 1: family: is missing: write for example `family: cart`"),
        ("kind: inactivity\n", "", "line 1, column 1: the rule: `kind` is missing: write one of inactivity, count,"),
        (
            "inactivity",
            "inactive",
            "`kind` is one of inactivity, count, change, date, event; did you mean `inactivity`?",
        ),
        ("[email]", "[e-mail]", "line 7, column 12: channels.0: write 'email', 'push', 'sms' or 'call'"),
        (
            "quick_cart",
            "Quick",
            "line 1, column 1: rule: cannot be written so: write for example `rule: cart_abandoned`",
        ),
        ("fold: cart", "fold: cart\nfold: cart", "line 6, column 1: the rule: the key `fold` stands twice"),
        ("fold: cart", "on: cart", 'line 5, column 1: the rule: YAML reads the key `on` as true: write "on" in quotes'),
        ("fold: cart", "off: cart", "reads the key `off` as false"),
        ("fold: cart", "~: cart", "reads the key `~` as nothing"),
        ("fold: cart", "1: cart", "reads the key `1` as a number"),
        ("fold: cart", "[a]: cart", "a key is a word"),
        ("fold: cart", "fold: &a cart\nkind: *a", "refers to another part"),
        ("fold: cart", "fold: 2026-01-01", "YAML reads `2026-01-01` as a date: write"),
        ("fold: cart", "fold: 10:30", "YAML reads `10:30` as a number: write"),
        ("fold: cart", "fold: {", "is not YAML"),
        ("fold: cart", "fold: \x00", "is not YAML"),
        ("fold: cart", "fold: " + "[" * (DEEPEST + 1), "nested too deeply"),
        ("fold: cart", "#" * LONGEST, f"longer than {LONGEST}"),
        ("steps:\n", "steps: []\nolds:\n", "line 8, column 1: steps: tuple should have at least 1 item"),
        (
            "purpose: marketing",
            "purpose: marketng",
            "purpose: no consent that Tern knows of is about `marketng`; did you",
        ),
        ("24h}", "5m}", "line 9, column 31: steps.0.expires_after: it has expired before it can be decided"),
        (
            "steps:",
            "when: {path: birthday, missing: false}\nsteps:",
            "nothing at `birthday`; did you mean `traits.birthday`?",
        ),
        (
            "steps:",
            "when: {path: ordres, at_least: 3}\nsteps:",
            "a profile says nothing at `ordres`; did you mean `orders`?",
        ),
        (
            "24h}",
            "24h, when: {path: trait.vip, equals: true}}",
            "a profile says nothing at `trait.vip`; did you mean `traits`?",
        ),
        (
            "steps:",
            "when: {path: segments.x, equals: 1}\nsteps:",
            "There are traits.…, computed.…, classes.…, contacts.…, order_value,",
        ),
        (
            "steps:",
            "when: {all: [{path: orders, at_leest: 3}]}\nsteps:",
            "when.all.0.at_leest: there is no such key; did you mean",
        ),
        (
            "steps:",
            "conversion: {event: Order Complete, within: 7d}\nsteps:",
            "conversion.event: no event `Order Complete` is known",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_line_and_what_to_write(old: str, new: str, words: str) -> None:
    found = lint(changed(GOOD, old, new))
    assert found.rule is None
    assert any(words in str(one) for one in found.errors), [str(one) for one in found.findings]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "Survey Answered",
            "Survey Anwsered",
            "line 5, column 6: of.event: no event `Survey Anwsered` is known; did you mean `Survey Answered`?",
        ),
        ("path: score", "path: scor", "of.where: `scor` looks misspelt; did you mean `score`?"),
        ("kind: event", "kind: event\nkey: surve", "key: `surve` looks misspelt; did you mean `survey`?"),
        (
            "steps:",
            "exit: {event: Survey Answered}\nsteps:",
            "line 6, column 1: exit: the event `survey answered` begins it and ends it",
        ),
    ],
)
def test_a_misspelt_event_or_property_is_an_error_that_names_the_known_one(old: str, new: str, words: str) -> None:
    found = lint(changed(SURVEY, old, new))
    assert [words in str(one) for one in found.errors] == [True], [str(one) for one in found.findings]


def test_an_event_of_the_shops_own_is_a_warning_and_one_that_only_looks_misspelt_can_be_said_to_be_its_own() -> None:
    (warning,) = lint(changed(SURVEY, "Survey Answered", "Newsletter Read")).findings
    assert (warning.finding.severity, lint(changed(SURVEY, "Survey Answered", "Newsletter Read")).errors) == (
        "warning",
        [],
    )
    assert "is taken for an event of the shop's own" in str(warning)
    assert said(changed(SURVEY, "event: Survey Answered", "event: Survey Answer, own: true")) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (changed(SURVEY, "steps:", "channels: [email]\nsteps:"), "no step contacts anybody"),
        (changed(SURVEY, "purpose: service", "purpose: winning_back"), "no consent that Tern knows of"),
        (changed(GOOD, "steps:", "wait: safe\nsteps:"), "waits for safe time in any case"),
        (changed(changed(GOOD, "fold: cart", "fold: orders\nmax_hold: 3d"), "key: cart_id\n", ""), "has no effect"),
        (
            changed(SURVEY, "kind: event", "kind: count\nat_least: 3\nwithin: 24h\ncooldown: 1h"),
            "shorter than `within`",
        ),
        (changed(SURVEY, "kind: event", "kind: count\nat_least: 1\nwithin: 1h\ncooldown: 1h"), "one event is enough"),
    ],
)
def test_what_has_no_effect_is_a_warning(text: str, words: str) -> None:
    found = lint(text)
    assert found.rule is not None, [str(one) for one in found.findings]
    assert [words in str(one) for one in found.findings] == [True]


def test_waiting_where_it_would_decide_at_once_is_no_mistake() -> None:
    assert said(changed(SURVEY, "steps:", "wait: safe\nsteps:")) == []


@pytest.mark.parametrize("text", ["", "- a\n", "word"])
def test_what_is_no_mapping_is_no_rule(text: str) -> None:
    (only,) = lint(text).findings
    assert "is no rule" in str(only)


def test_all_mistakes_are_told_at_once_in_the_order_of_the_lines() -> None:
    wrong = changed(changed(GOOD, "family: cart", "family: carts"), "after: 1h", "after: soon")
    assert [line.split(":")[0] for line in said(wrong)] == ["line 3, column 1", "line 9, column 6"]


def test_json_is_read_too_without_lines() -> None:
    written = lint(GOOD).rule
    assert written is not None
    text = written.model_dump_json(exclude_none=True)
    assert lint(text, is_json=True).rule == written
    wrong = {**json.loads(text), "family": "carts"}
    assert said_json(json.dumps(wrong)).startswith("family: no topic for this family")
    assert said_json("{") == "the rule: is not JSON"


def said_json(text: str) -> str:
    (only,) = lint(text, is_json=True).findings
    return str(only)


def linted(text: str) -> Iterator[str]:
    found: Linted = lint(text)
    assert found.rule is not None, [str(one) for one in found.findings]
    told = tell(found.rule)
    yield told.waits_for
    yield told.because
    yield from (step.earliest for step in told.steps)


DATE = """\
rule: many_happy_returns
kind: date
family: lifecycle
purpose: marketing
channels: [email]
date: traits.birthday
at: "10:00"
steps: [{expires_after: 24h}, {after: 2d, expires_after: 24h}]
"""
CHANGE = changed(changed(DATE, "kind: date", "kind: change"), 'date: traits.birthday\nat: "10:00"', "enters: vip")
ORDERS = changed(changed(GOOD, "fold: cart", "fold: orders"), "key: cart_id\n", "")


@pytest.mark.parametrize(
    ("text", "lane", "words"),
    [
        (GOOD, "live", "less than a week, and asks nothing"),
        (GOOD, "live", "1h after it began or was last reset, plus 5m for"),
        (changed(GOOD, "after: 1h", "after: 7d"), "all", "waits for 7d or more"),
        (
            changed(GOOD, "steps:", "when: {path: orders, at_least: 3}\nsteps:"),
            "all",
            "asks for the customer's history",
        ),
        (ORDERS, "all", "`fold: orders` reads the customer's history"),
        (
            changed(ORDERS, "fold:", "personal: {least: 45d, most: 180d}\nfold:"),
            "all",
            "or 45d to 180d where the customer",
        ),
        (CHANGE, "all", "a class sums up the customer's history"),
        (DATE, "live", "10:00 local time of the day, plus 5m"),
        (DATE, "live", "10:00 local time of the day, and 2d, plus 5m"),
        (changed(DATE, "at:", "days_before: 7\nat:"), "live", "of the day, 7 days before"),
        (changed(DATE, "at:", "days_before: -7\nat:"), "live", "of the day, 7 days after"),
        (changed(SURVEY, "steps:", "wait: safe\nsteps:"), "live", "0s after the event, plus 5m"),
        (CHANGE, "all", "2d after entering the class, plus 5m"),
        (SURVEY, "live", "at once, in the transaction that stores its event"),
    ],
)
def test_what_a_rule_waits_for_is_derived_and_told(text: str, lane: str, words: str) -> None:
    told = list(linted(text))
    assert told[0] == lane
    assert any(words in one for one in told), told


def test_what_a_rule_reads_is_told_by_the_names_that_people_know() -> None:
    told = tell(RULE.validate_python(lint(changed(SURVEY, "steps:", "exit: {event: Our Own}\nsteps:")).rule))
    assert told.events == {
        "our own": ("category", "product_id"),
        "Survey Answered": ("category", "product_id", "score"),
    }
    assert tell(RULE.validate_python(lint(GOOD).rule)).facts == ("carts", "checkouts", "orders")
