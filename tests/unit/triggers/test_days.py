"""A day on which somebody was seen is written once, and again only for what is news."""

from __future__ import annotations

import pytest

from tern_triggers.domain import days
from tern_triggers.domain.days import Days
from tern_triggers.domain.facts import Body, Fact
from tern_triggers.domain.news import News
from tern_triggers.domain.rules import Reads
from unit.triggers.saying import HOME, OTHER, at, snap

WANTED = Reads(frozenset({"seen"}), {})


def seen(minute: int, home: str = HOME, day: str = "2026-03-02") -> Fact:
    return Fact(home, "seen", day, "", at(minute), False, Body(first=f"m{minute}"))


def new(known: Days, *facts: Fact, wanted: Reads = WANTED) -> list[Fact]:
    return [fact for news in known.new_only([News(facts=facts)], wanted) for fact in news.facts]


def after(*facts: Fact) -> Days:
    known = Days()
    new(known)
    known.note([News(facts=facts)])
    return known


def test_later_messages_of_a_known_day_are_left_out() -> None:
    assert new(after(seen(5)), seen(6), seen(5), snap(7, "m7", "tea")) == [snap(7, "m7", "tea")]


def test_an_earlier_one_is_news_and_so_are_other_days_and_homes() -> None:
    fresh = [seen(4), seen(9, day="2026-03-03"), seen(9, home=OTHER)]
    assert new(after(seen(5)), *fresh) == fresh


def test_the_earliest_of_what_was_noted_counts() -> None:
    assert new(after(seen(5), seen(3), seen(8)), seen(4)) == []


def test_what_was_not_committed_is_news_again() -> None:
    known = Days()
    assert new(known, seen(5)) == [seen(5)]
    assert new(known, seen(5)) == [seen(5)]


def test_all_is_forgotten_when_rules_read_something_else() -> None:
    known = after(seen(5))
    assert new(known, seen(6), wanted=Reads(frozenset({"seen", "cart"}), {})) == [seen(6)]


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    known = after(*(seen(n, day=str(n)) for n in range(3)))
    monkeypatch.setattr(days, "MOST", 2)
    known.note([])
    assert new(known, seen(0, day="0")) == [seen(0, day="0")]
