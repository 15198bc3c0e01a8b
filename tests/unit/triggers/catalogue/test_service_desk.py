"""The shipped rules about surveys and tickets, each as its sentence says it."""

from __future__ import annotations

from typing import Any

import pytest

from unit.triggers.catalogue.scene import Scene


def unhappy(score: object = 4, **more: Any) -> Scene:
    return Scene("detractor").at("0s").sees("Survey Answered", survey="nps", score=score, **more)


class TestDetractor:
    def test_a_ticket_at_once_due_in_a_day_and_after_twenty_hours_it_escalates(self) -> None:
        scene = unhappy()
        assert scene.until("0s") == ["0s ticket"]
        assert scene.until("30d") == ["0s ticket", "20h escalate"]
        assert [decision.act for decision in scene.decisions] == ["ticket", "task"]
        (rule,) = scene.rules.rules
        assert str(rule.steps[0].due_in) == "1 day, 0:00:00"

    @pytest.mark.parametrize(("score", "tickets"), [(0, 1), (6, 1), ("6", 1), (7, 0), (10, 0), (None, 0), ("bad", 0)])
    def test_six_or_less_is_unhappy(self, score: object, tickets: int) -> None:
        assert len(unhappy(score).until("0s")) == tickets

    def test_another_survey_has_another_scale(self) -> None:
        assert Scene("detractor").sees("Survey Answered", survey="csat", score=4).until("9d") == []
        assert Scene("detractor").sees("Survey Answered", score=4).until("1h") == ["0s ticket"]

    def test_solved_it_does_not_escalate(self) -> None:
        assert unhappy().at("19h").sees("Ticket Solved", ticket_id="t1").until("30d") == ["0s ticket"]

    def test_each_answer_is_a_reason_of_its_own(self) -> None:
        scene = unhappy().at("1h").sees("Survey Answered", survey="nps", score=2)
        assert scene.until("2h") == ["0s ticket", "1h ticket"]


class TestInquiryStuck:
    def opened(self) -> Scene:
        return Scene("inquiry_stuck").sees("Ticket Opened", ticket_id="t1", topic="delivery")

    def test_after_two_days_of_silence_somebody_takes_it_up(self) -> None:
        assert self.opened().until("30d") == ["2d take_up"]

    def test_each_reply_restarts_the_wait(self) -> None:
        scene = self.opened().at("1d").sees("Ticket Replied", ticket_id="t1")
        assert scene.at("40h").sees("Ticket Replied", ticket_id="t2").until("30d") == ["3d take_up"]

    def test_solved_it_is_over(self) -> None:
        assert self.opened().at("1d").sees("Ticket Solved", ticket_id="t1").until("30d") == []
        assert self.opened().at("1d").sees("Ticket Solved", ticket_id="t2").until("30d") == ["2d take_up"]

    def test_a_desk_may_say_support_ticket(self) -> None:
        opened = Scene("inquiry_stuck").sees("Support Ticket Opened", ticket_id="t1", topic="delivery")
        replied = opened.at("1d").sees("Support Ticket Replied", ticket_id="t1")
        closed = replied.at("2d").sees("Support Ticket Closed", ticket_id="t1")
        assert closed.at("5d").sees("Support Ticket Reopened", ticket_id="t1").until("30d") == ["7d take_up"]

    def test_opened_again_it_waits_again(self) -> None:
        scene = self.opened().at("1d").sees("Ticket Solved", ticket_id="t1")
        assert scene.at("5d").sees("Ticket Opened", ticket_id="t1").until("30d") == ["7d take_up"]


class TestSameProblem:
    def problems(self, *moments: str, topic: str = "delivery") -> Scene:
        scene = Scene("same_problem")
        for number, moment in enumerate(moments):
            scene.at(moment).sees("Ticket Opened", ticket_id=f"t{number}", topic=topic)
        return scene

    def test_the_third_time_in_ninety_days_gets_a_ticket_at_once(self) -> None:
        assert self.problems("0s", "10d").until("11d") == []
        assert self.problems("0s", "10d", "89d").until("89d") == ["89d find_cause"]
        assert self.problems("0s", "10d", "91d").until("92d") == []

    def test_other_problems_are_not_counted_with_it(self) -> None:
        scene = self.problems("0s", "10d")
        assert scene.at("20d").sees("Ticket Opened", ticket_id="t9", topic="billing").until("21d") == []

    def test_the_fourth_time_says_nothing_new(self) -> None:
        assert self.problems("0s", "1d", "2d", "3d").until("4d") == ["2d find_cause"]
