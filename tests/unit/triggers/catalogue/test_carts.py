"""The shipped rules about carts and checkouts, each as its sentence says it."""

from __future__ import annotations

from unit.triggers.catalogue.scene import Scene, cart

TEA, CUP = "tea", "cup"
REMINDERS = ["1h step 0", "1d step 1", "3d step 2"]


def left_cart() -> Scene:
    return Scene("cart_abandoned").at("0s").sees("Cart Updated", **cart(TEA))


def left_checkout() -> Scene:
    return left_both().at("10m").sees("Checkout Started", **cart(TEA))


def left_both() -> Scene:
    return Scene("cart_abandoned", "checkout_abandoned").at("0s").sees("Cart Updated", **cart(TEA))


class TestCartAbandoned:
    def test_reminds_after_an_hour_a_day_and_three_days_and_then_no_more(self) -> None:
        assert left_cart().until("30d") == REMINDERS

    def test_the_wait_begins_at_the_last_change(self) -> None:
        assert left_cart().at("40m").sees("Product Added", cart_id="c1", product_id=CUP).until("2h") == ["1h40m step 0"]

    def test_a_cart_that_is_sent_again_as_it_was_puts_nothing_off(self) -> None:
        assert left_cart().at("40m").sees("Cart Updated", **cart(TEA)).until("2h") == ["1h step 0"]

    def test_changes_put_it_off_for_three_days_at_most(self) -> None:
        busy = left_cart()
        for hours in range(1, 100):
            busy.at(f"{hours * 50}m").sees("Product Added", cart_id="c1", product_id=f"p{hours}")
        assert busy.until("5d")[:1] == ["3d1h step 0"]

    def test_an_order_of_the_cart_ends_it(self) -> None:
        assert left_cart().at("30m").sees("Order Completed", order_id="o1", cart_id="c1").until("30d") == []
        assert left_cart().at("2h").sees("Order Completed", order_id="o1", cart_id="c1").until("30d") == ["1h step 0"]

    def test_an_order_of_a_product_in_it_ends_it_and_of_another_does_not(self) -> None:
        same, other = [{"product_id": TEA}], [{"product_id": CUP}]
        assert left_cart().at("30m").sees("Order Completed", order_id="o1", products=same).until("30d") == []
        assert left_cart().at("30m").sees("Order Completed", order_id="o1", products=other).until("30d") == REMINDERS

    def test_emptying_it_ends_it(self) -> None:
        assert left_cart().at("30m").sees("Cart Updated", cart_id="c1", products=[]).until("30d") == []

    def test_a_checkout_ends_it(self) -> None:
        scene = left_cart().at("30m").sees("Checkout Started", **cart(TEA))
        assert scene.until("30d") == []

    def test_somebody_hears_of_one_cart_in_seven_days(self) -> None:
        scene = left_cart().at("4d").sees("Cart Updated", **cart(CUP, cart_id="c2"))
        assert scene.until("30d") == REMINDERS
        assert scene.suppressed() == [("4d1h step 0", "frequency")]
        later = left_cart().at("8d").sees("Cart Updated", **cart(CUP, cart_id="c2"))
        assert later.until("9d")[3:] == ["8d1h step 0"]

    def test_what_came_too_late_begins_nothing(self) -> None:
        assert Scene("cart_abandoned").sees("Cart Updated", late=True, **cart(TEA)).until("30d") == []

    def test_a_twentieth_is_held_out_and_the_last_reminder_asks_for_the_stock(self) -> None:
        (rule,) = left_cart().rules.rules
        assert (rule.holdout, [step.hold for step in rule.steps]) == (0.05, [False, False, True])


class TestCheckoutAbandoned:
    def test_reminds_after_half_an_hour_and_a_day(self) -> None:
        expected = ["40m checkout_abandoned: step 0", "1d10m checkout_abandoned: step 1"]
        assert left_checkout().until("30d") == expected

    def test_an_order_ends_it(self) -> None:
        assert left_checkout().at("30m").sees("Order Completed", order_id="o1", cart_id="c1").until("30d") == []

    def test_emptying_the_cart_ends_it(self) -> None:
        assert left_checkout().at("30m").sees("Cart Updated", cart_id="c1", products=[]).until("30d") == []

    def test_a_change_of_the_cart_ends_it_and_the_cart_waits_again(self) -> None:
        scene = left_checkout().at("30m").sees("Product Added", cart_id="c1", product_id=CUP)
        assert scene.until("2h") == ["1h30m cart_abandoned: step 0"]
