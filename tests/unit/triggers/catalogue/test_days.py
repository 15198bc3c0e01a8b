"""The shipped rules about days of the year, each as its sentence says it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
import pytest

from tern_triggers.domain.view import Verdicts
from unit.triggers.catalogue.scene import ANN, BERLIN, Scene

NEW_YEAR = datetime(2026, 1, 1, tzinfo=BERLIN)


def born(date: str, **more: Any) -> Verdicts:
    return msgspec.structs.replace(ANN, traits={"birthday": date, "member_since": date}, **more)


def said(rule: str, profile: Verdicts, until: str = "1000d") -> list[str]:
    """When something was due, in local time."""
    scene = Scene(rule, profile=profile, start=NEW_YEAR)
    scene.until(until)
    return [f"{decision.due.astimezone(BERLIN):%Y-%m-%d %H:%M}" for decision in scene.decisions]


@pytest.mark.parametrize("rule", ["birthday", "membership_day"])
class TestOnceAYear:
    def test_at_nine_in_the_morning_where_the_customer_is(self, rule: str) -> None:
        assert said(rule, born("1990-06-15"), "300d") == ["2026-06-15 09:00"]
        tokyo = said(rule, born("1990-06-15", zone="Asia/Tokyo"), "300d")
        assert tokyo == ["2026-06-15 02:00"]

    def test_every_year(self, rule: str) -> None:
        assert said(rule, born("1990-06-15")) == [f"{year}-06-15 09:00" for year in (2026, 2027, 2028)]

    def test_who_was_born_on_a_leap_day_has_it_on_the_28th_in_other_years(self, rule: str) -> None:
        expected = ["2026-02-28 09:00", "2027-02-28 09:00", "2028-02-29 09:00"]
        assert said(rule, born("1992-02-29")) == expected

    def test_once_a_year_even_if_the_date_is_edited(self, rule: str) -> None:
        scene = Scene(rule, profile=born("1990-06-15"), start=NEW_YEAR)
        scene.until("200d")
        scene.says(traits={"birthday": "1990-09-15", "member_since": "1990-09-15"})
        assert len(scene.until("360d")) == 1

    def test_not_on_the_day_itself_that_begins_it(self, rule: str) -> None:
        assert said(rule, born("2026-06-15")) == ["2027-06-15 09:00", "2028-06-15 09:00"]

    def test_nothing_without_a_date_that_can_be_read(self, rule: str) -> None:
        assert said(rule, born("in summer")) == []
        assert said(rule, ANN) == []
