"""Traits, contact points and orders: what wins, and what is net."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from msgspec import Raw

from tern_common.events import Event
from tern_common.identifiers import contacts_of
from tern_profile.domain import orders
from tern_profile.domain.orders import Kept, Totals
from tern_profile.domain.standing import REMOVED, Standing, contact_points
from unit.profile.saying import ANN, BOB, POLICY, at, event, heard, identify, track


def standing(*said: Event) -> Standing:
    return heard(*said).standing or Standing()


def as_said(traits: dict[str, int]) -> dict[str, Any]:
    """For names that are no words of Python."""
    return dict(traits)


def traits(*said: Event) -> dict[str, bytes]:
    return {name: bytes(trait.value) for name, trait in standing(*said).traits.items()}


class TestTraits:
    def test_the_last_event_time_wins(self) -> None:
        assert traits(identify(2, plan="b"), identify(1, plan="a")) == {"plan": b'"b"'}

    def test_null_removes_and_stays_removed(self) -> None:
        assert traits(identify(2, plan=None), identify(1, plan="a")) == {"plan": bytes(REMOVED)}

    def test_on_a_tie_a_trusted_source_wins(self) -> None:
        said = identify(1, "z", plan="web"), identify(1, "a", trusted=True, plan="shop")
        assert traits(*said) == traits(*reversed(said)) == {"plan": b'"shop"'}

    def test_contact_points_are_no_plain_traits(self) -> None:
        assert traits(identify(1, email=ANN, phone="+4915112345678", plan="a")).keys() == {"plan"}

    def test_some_sdks_only_repeat_traits_in_the_context(self) -> None:
        said = event("m", 1, type="identify", context={"traits": {"plan": "a"}})
        assert traits(said) == {"plan": b'"a"'}

    @pytest.mark.parametrize("context", [b"[]", b'{"traits": 5}', b'{"traits": [', b'{"traits": {"\\ud800": 1}}'])
    def test_ill_formed_traits_say_nothing(self, context: bytes) -> None:
        said = Event(
            message_id="m", type="identify", event_time=at(1), received_at=at(1), source_id="web", context=Raw(context)
        )
        assert heard(said).standing is None

    def test_what_is_too_large_stays_on_the_event(self) -> None:
        said = identify(1, plan="x" * POLICY.trait_bytes, city="Riga", **as_said({"n" * 200: 1}))
        assert traits(said).keys() == {"city"}

    @pytest.mark.parametrize("value", [b"1e999", b"[" * 17 + b"]" * 17, b"[" * 1500 + b"]" * 1500])
    def test_what_not_every_reader_can_read_stays_on_the_event(self, value: bytes) -> None:
        said = Event(
            message_id="m",
            type="identify",
            event_time=at(1),
            received_at=at(1),
            source_id="web",
            traits=Raw(b'{"odd": ' + value + b', "even": [{"a": [1]}]}'),
        )
        assert "odd" not in traits(said)

    def test_keys_without_end_do_not_grow_a_standing_without_end(self) -> None:
        many = as_said({f"t{number}": 1 for number in range(POLICY.traits + 50)})
        assert len(traits(identify(1, **many))) == POLICY.traits


class TestContactPoints:
    def test_one_from_an_untrusted_event_never_replaces_a_trusted_one(self) -> None:
        trusted, typed = identify(1, trusted=True, email=ANN), identify(9, email=BOB)
        assert contact_points(standing(trusted, typed)) == {"email": (ANN, True)}

    def test_a_typed_one_serves_where_there_is_no_other(self) -> None:
        assert contact_points(standing(identify(1, email=BOB), identify(2, email=ANN))) == {"email": (ANN, False)}

    def test_a_vouched_namespace_is_trusted(self) -> None:
        signed = event("m", 1, type="identify", vouched=("email",), traits={"email": ANN, "phone": "+4915112345678"})
        assert contact_points(standing(signed)) == {"email": (ANN, True), "phone": ("+4915112345678", False)}

    def test_an_order_names_a_contact_point(self) -> None:
        assert contact_points(standing(track("Order Completed", 1, order_id="o", email=ANN)))["email"] == (ANN, False)

    def test_a_role_mailbox_is_contact_data_and_junk_is_not(self) -> None:
        assert contacts_of(identify(1, email="info@example.com", phone="none")) == [("email", "info@example.com")]


def kept(*said: Event) -> list[Kept]:
    found = standing(*said)
    return orders.as_kept(found.orders, found.returns)


def totals(*said: Event) -> Totals:
    return orders.totals(kept(*said))


def order(hours: float, order_id: str = "o", **properties: Any) -> Event:
    return track("Order Completed", hours, f"{order_id}@{hours}", order_id=order_id, **properties)


class TestOrders:
    def test_an_order_counts_once_by_its_earliest_statement(self) -> None:
        assert totals(order(2, total=99), order(1, total=10), order(3, total=10)) == (1, {"": Decimal(10)}, at(1))

    def test_a_partial_refund_is_taken_off(self) -> None:
        assert totals(order(1, total=10), track("Order Refunded", 2, order_id="o", total=4)).leading == Decimal(6)

    @pytest.mark.parametrize(
        "undoing",
        [
            [track("Order Refunded", 2, order_id="o")],
            [track("Order Cancelled", 2, order_id="o")],
            [track("Order Refunded", 2, order_id="o", total=4), track("Order Refunded", 3, order_id="o", total=6)],
            [track("Order Refunded", 2, order_id="o", total=-10)],
        ],
    )
    def test_an_order_undone_as_a_whole_is_not_kept(self, undoing: list[Event]) -> None:
        found = totals(order(1, total=10), order(0, "other", total=1), *undoing)
        assert found == (1, {"": Decimal(1)}, at(0))

    def test_a_refund_waits_for_its_order(self) -> None:
        assert kept(track("Order Refunded", 2, order_id="o")) == []

    def test_a_refund_of_an_order_without_a_total_leaves_it_kept(self) -> None:
        found = kept(order(1), track("Order Refunded", 2, order_id="o", total=4))
        assert [(one.kept, one.net) for one in found] == [(True, Decimal(0))]

    def test_prices_stand_in_for_a_total(self) -> None:
        priced = order(1, products=[{"product_id": "p", "price": 2.5, "quantity": 2}])
        half = order(2, "half", products=[{"product_id": "p", "price": 2.5}, {"product_id": "q"}])
        assert [one.order.total for one in kept(priced, half)] == [None, Decimal(5)]

    def test_currencies_are_never_added_up(self) -> None:
        found = totals(order(1, "a", total=10, currency="EUR"), order(2, "b", total=70, currency="CNY"))
        assert found.value == {"CNY": Decimal(70), "EUR": Decimal(10)}
        assert found.leading == Decimal(70)

    def test_no_order_is_worth_nothing(self) -> None:
        assert totals() == (0, {}, None)
        assert totals().leading == 0
