"""The shipped rules about looking around, each as its sentence says it."""

from __future__ import annotations

from typing import Any

import pytest

from unit.triggers.catalogue.scene import Scene, cart


def look(scene: Scene, *moments: str, product: str = "tea", category: str = "drinks") -> Scene:
    for moment in moments:
        scene.at(moment).sees("Product Viewed", product_id=product, category=category)
    return scene


class TestBrowseAbandoned:
    def test_reminds_an_hour_after_the_last_view_once(self) -> None:
        assert look(Scene("browse_abandoned"), "0s", "20m").until("13d") == ["1h20m step 0"]

    @pytest.mark.parametrize(
        ("event", "properties"),
        [("Cart Updated", cart("tea")), ("Checkout Started", cart("tea")), ("Order Completed", {"order_id": "o1"})],
    )
    def test_a_cart_a_checkout_or_an_order_ends_it(self, event: str, properties: dict[str, Any]) -> None:
        assert look(Scene("browse_abandoned"), "0s").at("30m").sees(event, **properties).until("3d") == []

    def test_one_in_fourteen_days_for_each_category(self) -> None:
        scene = look(Scene("browse_abandoned"), "0s")
        scene.at("2d").sees("Order Completed", order_id="o1")
        look(scene, "3d")
        scene.at("5d").sees("Order Completed", order_id="o2")
        look(scene, "6d", category="books")
        assert scene.until("9d") == ["1h step 0", "6d1h step 0"]
        assert scene.suppressed() == [("3d1h step 0", "frequency")]


class TestRepeatedView:
    def test_the_third_view_of_a_product_in_a_day_speaks_at_once(self) -> None:
        scene = look(Scene("repeated_view"), "0s", "5h")
        assert scene.until("6h") == []
        assert look(scene, "23h").until("23h") == ["23h step 0"]

    def test_views_of_several_products_or_on_several_days_are_not_counted_together(self) -> None:
        assert look(look(Scene("repeated_view"), "0s", "1h"), "2h", product="cup").until("9d") == []
        assert look(Scene("repeated_view"), "0s", "13h", "26h", "39h").until("9d") == []

    def test_once_in_seven_days_for_each_product(self) -> None:
        scene = look(Scene("repeated_view"), "0s", "1h", "2h", "3h", "2d", "49h", "50h")
        assert scene.until("6d") == ["2h step 0"]
        look(scene, "6d1h", "6d2h", "6d3h", product="cup")
        assert scene.until("7d") == ["2h step 0", "6d3h step 0"]
        assert look(scene, "8d", "8d1h", "8d2h").until("9d")[2:] == ["8d2h step 0"]


class TestThreeDaysRunning:
    def test_the_third_local_day_running_in_a_category_speaks_at_once(self) -> None:
        scene = look(Scene("three_days_running"), "11h", "12h30m")  # 23:00, and 00:30 of the next day
        assert scene.until("30h") == []
        assert look(scene, "37h").until("37h") == ["1d13h step 0"]

    def test_a_day_without_a_view_begins_anew(self) -> None:
        assert look(Scene("three_days_running"), "0s", "1d", "3d", "4d").until("5d") == []

    def test_the_days_are_of_one_category(self) -> None:
        assert look(look(Scene("three_days_running"), "0s", "1d"), "2d", category="books").until("5d") == []

    def test_once_in_thirty_days_for_each_category(self) -> None:
        scene = look(Scene("three_days_running"), "0s", "1d", "2d", "3d", "20d", "21d", "22d")
        assert scene.until("30d") == ["2d step 0"]
        assert look(scene, "33d", "34d", "35d").until("36d") == ["2d step 0", "35d step 0"]


class TestDwell:
    def stay(self, scene: Scene, moment: str, seconds: object, product: str = "tea") -> Scene:
        return scene.at(moment).sees("Page Engaged", product_id=product, seconds=seconds)

    def test_three_minutes_with_a_product_in_a_day_speak_at_once(self) -> None:
        scene = self.stay(self.stay(Scene("dwell"), "0s", 100), "1h", 79)
        assert scene.until("1h") == []
        assert self.stay(scene, "2h", 1).until("2h") == ["2h step 0"]

    def test_seconds_of_several_products_or_days_and_nonsense_are_not_added_up(self) -> None:
        scene = self.stay(self.stay(Scene("dwell"), "0s", 100), "1h", 100, "cup")
        assert self.stay(self.stay(scene, "2h", "long"), "3h", -500).until("4h") == []
        assert self.stay(scene, "25h", 100).until("26h") == []

    def test_once_in_a_day_for_each_product(self) -> None:
        scene = self.stay(self.stay(Scene("dwell"), "0s", 200), "10h", 200)
        assert scene.until("20h") == ["0s step 0"]
        assert self.stay(scene, "2d", 200).until("3d") == ["0s step 0", "2d step 0"]
