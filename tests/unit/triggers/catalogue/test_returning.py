"""The shipped rules about those who stay away, and about the first order, each as its sentence says it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from unit.triggers.catalogue.scene import ANN, Scene

GOOD = msgspec.structs.replace(ANN, order_value=Decimal(1500))


def order(scene: Scene, moment: str, order_id: str = "o1", **more: Any) -> Scene:
    return scene.at(moment).sees("Order Completed", order_id=order_id, total=50, **more)


class TestRecall:
    def test_ninety_days_after_the_last_order_comes_the_first_word_and_the_rest_until_the_customer_is_lost(
        self,
    ) -> None:
        assert order(Scene("recall"), "0s").until("300d") == [
            "90d miss_you",
            "97d short_word",
            "120d lost",
            "120d1h exit_survey",
        ]

    def test_whoever_is_worth_it_is_called_after_a_fortnight(self) -> None:
        assert "104d call" in order(Scene("recall", profile=GOOD), "0s").until("300d")
        plain = order(Scene("recall"), "0s")
        plain.until("300d")
        assert plain.suppressed() == [("104d call", "condition-unmet")]

    def test_who_has_a_rhythm_is_missed_after_twice_the_usual_gap(self) -> None:
        scene = Scene("recall")
        for number in range(3):
            order(scene, f"{number * 30}d", f"o{number}")
        assert scene.until("60d") == []
        assert scene.until("130d")[:1] == ["120d miss_you"]

    def test_the_rhythm_counts_between_45_and_180_days(self) -> None:
        often, seldom = Scene("recall"), Scene("recall")
        for number in range(3):
            order(often, f"{number * 2}d", f"o{number}")
        assert often.until("50d") == ["49d miss_you"]
        for number in range(3):
            order(seldom, f"{number * 85}d", f"o{number}")
        assert seldom.until("341d")[-1:] == ["340d miss_you"]

    def test_any_order_ends_it_and_begins_the_next_wait(self) -> None:
        scene = order(order(Scene("recall"), "0s"), "95d", "o2")
        assert scene.until("184d") == ["90d miss_you"]
        assert scene.until("186d") == ["90d miss_you", "185d miss_you"]

    def test_a_refund_begins_the_wait_anew_while_an_older_order_is_kept(self) -> None:
        scene = order(order(Scene("recall"), "0s"), "10d", "o2")
        scene.at("20d").sees("Order Refunded", order_id="o2")
        assert scene.until("109d") == []
        assert scene.until("111d") == ["110d miss_you"]
        alone = order(Scene("recall"), "0s").at("20d").sees("Order Refunded", order_id="o1")
        assert alone.until("300d") == []

    def test_a_tenth_is_held_out_and_history_is_taken_up(self) -> None:
        (rule,) = Scene("recall").rules.rules
        assert (rule.holdout, rule.ignores_history) == (0.1, False)


class TestDormantLogin:
    def test_six_months_without_a_sign_get_one_word(self) -> None:
        assert Scene("dormant_login").sees("Signed In").until("300d") == ["183d step 0"]

    def test_whatever_he_does_ends_the_wait(self) -> None:
        scene = Scene("dormant_login").sees("Signed In").at("100d").sees("Product Viewed", product_id="tea")
        assert scene.until("282d") == []
        assert scene.until("284d") == ["283d step 0"]

    def test_nobody_knows_whose_an_unknown_browser_is(self) -> None:
        assert Scene("dormant_login").sees("Product Viewed", user=None).until("300d") == []


class TestFirstOrder:
    def test_a_day_after_the_first_order_comes_a_welcome(self) -> None:
        assert order(Scene("first_order"), "0s").until("30d") == ["1d step 0"]

    def test_its_refund_or_cancellation_ends_it(self) -> None:
        for name in ("Order Refunded", "Order Cancelled"):
            assert order(Scene("first_order"), "0s").at("5h").sees(name, order_id="o1").until("30d") == []

    def test_a_second_order_ends_it(self) -> None:
        assert order(order(Scene("first_order"), "0s"), "5h", "o2").until("30d") == []

    def test_it_is_said_once_in_a_life(self) -> None:
        assert order(order(Scene("first_order"), "0s"), "10d", "o2").until("30d") == ["1d step 0"]
