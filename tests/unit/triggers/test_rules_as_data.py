"""Rules are data: what is written wrong is refused, with words that say what to write."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tern_common.errors import Misconfigured
from tern_triggers.catalogue import digest_of, load_rules
from tern_triggers.domain.agenda import starts
from tern_triggers.domain.policy import Policy
from tern_triggers.domain.rules import RULE as RULES
from tern_triggers.domain.rules import Reads, reads
from unit.triggers.saying import CART, POLICY, RECALL, order, snap

STEP: dict[str, Any] = {"after": "1h", "expires_after": "24h"}
RULE: dict[str, Any] = {
    "rule": "left_cart",
    "kind": "inactivity",
    "family": "cart",
    "key": "cart_id",
    "fold": "cart",
    "purpose": "marketing",
    "channels": ["email"],
    "steps": [STEP],
}
ORDERS = {**RULE, "family": "recall", "fold": "orders", "key": None}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"steps": [{**STEP, "after": "0s"}]}, "absence needs time"),
        ({"steps": [{**STEP, "after": "soon"}]}, "write a duration such as"),
        ({"steps": [{**STEP, "after": 3600}]}, "write a duration such as"),
        ({"steps": [{**STEP, "expires_after": "0s"}]}, "expires at once"),
        ({"steps": [STEP, STEP]}, "must increase"),
        ({"steps": []}, "at least 1 item"),
        ({"family": "carts"}, "write one of cart, browse, recall"),
        ({"channels": ["email", "email"]}, "listed twice"),
        ({"channels": []}, "needs a channel"),
        ({"channels": ["pigeon"]}, "'email', 'push', 'sms' or 'call'"),
        ({"key": None}, "needs `key: cart_id`"),
        ({"fold": "orders"}, "needs no `key`"),
        ({"max_hold": "0s"}, "longer than 0"),
        ({"personal": {"least": "45d", "most": "180d"}}, "for `fold: orders` only"),
        ({"kind": "magic"}, "'inactivity'"),
        ({"rule": "Left Cart"}, "should match pattern"),
        ({"frequency": "0s"}, "longer than 0"),
        ({"frequency": {"every": "7d", "per": "key"}, "key": None, "fold": "browse"}, "needs a `key`"),
        ({"often": "7d"}, "not permitted"),
        ({"steps": [{**STEP, "name": "one"}, {**STEP, "after": "2h", "name": "one"}]}, "have one name"),
        ({"steps": [{**STEP, "incentive": True}]}, "only after a plain step failed"),
        ({"steps": [{**STEP, "due_in": "1h"}]}, "is for `act: task`"),
        ({"steps": [{**STEP, "act": "task", "due_in": "0s"}]}, "nothing is done at once"),
        ({"steps": [{**STEP, "act": "status", "due_in": "1h"}]}, "is for `act: task`"),
        ({"steps": [{**STEP, "act": "task", "hold": True}]}, "reaches nobody: `hold`"),
        ({"steps": [{**STEP, "act": "task", "channels": ["email"]}]}, "reaches nobody: `channels`"),
        ({"steps": [{**STEP, "channels": ["sms", "sms"]}]}, "listed twice"),
        ({"key": None, "fold": "browse", "steps": [{**STEP, "hold": True}]}, "stock is held of a cart"),
        ({"start": {"event": "A b"}}, "either `fold` or `start`"),
        ({"fold": None}, "either `fold` or `start`"),
        ({"reset": {"event": "A b"}}, "a fold has its own"),
        ({"exit": {"event": "A b"}}, "a fold has its own"),
        ({"holdout": "60%"}, "from 0% to 50%"),
        ({"holdout": "a few"}, "such as 5%"),
        ({"conversion": {"event": "Order Completed", "within": "0s"}}, "longer than 0"),
        ({"fold": None, "start": {"event": "A b"}, "exit": {"event": ["a B", "c"]}}, "begins it and ends it"),
        ({"when": {"path": "orders"}}, "tests nothing"),
        ({"when": {"path": "orders", "missing": True, "at_least": 3}}, "passes no other test"),
        ({"when": {"path": "orders", "above": 3, "below": 3}}, "no value of `orders`"),
        ({"when": {"path": "orders", "at_least": 4, "at_most": 3}}, "no value of `orders`"),
        ({"when": {"path": "orders", "above": 3, "at_most": 3}}, "no value of `orders`"),
        ({"when": {"path": "zone", "equals": "a", "not_equals": "A"}}, "no value of `zone`"),
        ({"when": {"path": "zone", "one_of": ["a", "b"], "equals": "c"}}, "no value of `zone`"),
        ({"when": {"all": [{"path": "x", "at_most": 6}, {"path": "x", "at_least": 7}]}}, "no value of `x`"),
        ({"when": {"all": [{"path": "x", "at_most": 6}, {"path": "x", "missing": True}]}}, "missing and something"),
    ],
)
def test_a_wrong_rule_is_refused_with_words_that_help(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        RULES.validate_python({**RULE, **change})


@pytest.mark.parametrize("personal", [{"least": "0s", "most": "9d"}, {"least": "9d", "most": "8d"}])
def test_personal_waits_need_sane_bounds(personal: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="not longer than"):
        RULES.validate_python({**ORDERS, "personal": personal})


SHIPPED = [
    "birthday",
    "browse_abandoned",
    "cart_abandoned",
    "checkout_abandoned",
    "detractor",
    "dormant_login",
    "dwell",
    "first_order",
    "inquiry_stuck",
    "membership_day",
    "recall",
    "repeated_view",
    "same_problem",
    "three_days_running",
]


def test_what_ships_is_this() -> None:
    assert [rule.rule for rule in load_rules()] == SHIPPED
    assert (CART.lane, CART.ignores_history, CART.smallest_offset) == ("live", True, timedelta(hours=1))
    assert (RECALL.lane, RECALL.ignores_history, RECALL.smallest_offset) == ("all", False, timedelta(days=45))


def test_a_rule_that_waits_a_week_or_reads_history_waits_for_all_lanes() -> None:
    assert RULES.validate_python({**RULE, "steps": [{**STEP, "after": "2s"}]}).lane == "live"
    assert RULES.validate_python({**RULE, "steps": [{**STEP, "after": "7d"}]}).lane == "all"
    assert RULES.validate_python({**RULE, "when": {"path": "traits.vip", "equals": True}}).lane == "live"
    assert RULES.validate_python({**RULE, "when": {"path": "orders", "at_least": 3}}).lane == "all"
    assert RULES.validate_python({**ORDERS, "steps": [{**STEP, "after": "2s"}]}).lane == "all"
    assert RULES.validate_python({**ORDERS, "steps": [{**STEP, "after": "7d"}]}).lane == "all"
    assert RULES.validate_python({**ORDERS, "personal": {"least": "1h", "most": "2h"}}).lane == "all"


@pytest.mark.parametrize("share", ["5%", 0.05])
def test_a_share_is_written_in_percent_and_a_number_is_taken_too(share: str | float) -> None:
    rule = RULES.validate_python({**RULE, "holdout": share})
    assert (rule.holdout, rule.model_dump(mode="json")["holdout"]) == (0.05, "5%")


def test_history_may_be_said_against_the_custom_of_the_fold() -> None:
    assert not RULES.validate_python({**RULE, "history": "enrol"}).ignores_history
    assert RULES.validate_python({**ORDERS, "history": "ignore"}).ignores_history


def test_only_what_can_start_a_cycle_asks_for_a_look() -> None:
    assert starts(CART, snap(0, "m1", "tea"))
    assert not starts(CART, snap(0, "m1", "tea", late=True))
    assert not starts(CART, order(0, "o1"))
    assert starts(RECALL, order(0, "o1", late=True))


def test_only_what_rules_read_is_kept() -> None:
    assert reads([CART]).kinds == {"cart", "checkout", "order"}
    assert reads([RECALL]).kinds == {"order", "refund", "cancel"}
    assert reads([]) == Reads(frozenset(), {})


def written(folder: Path, name: str, rule: str, after: str) -> None:
    (folder / name).write_text(
        f"{{rule: {rule}, kind: inactivity, family: cart, key: cart_id, fold: cart, purpose: marketing,"
        f" channels: [email], steps: [{{after: {after}, expires_after: 24h}}]}}"
    )


def test_a_shop_adds_rules_and_replaces_shipped_ones(tmp_path: Path) -> None:
    written(tmp_path, "a.yaml", "cart_abandoned", "2s")
    written(tmp_path, "b.yaml", "quick_cart", "3s")
    found = {rule.rule: rule.steps[0].after.total_seconds() for rule in load_rules(tmp_path)}
    assert (found["cart_abandoned"], found["quick_cart"], found["recall"]) == (2, 3, 90 * 86400)
    assert found.keys() == {*SHIPPED, "quick_cart"}


def test_a_rule_of_one_name_in_two_files_is_refused(tmp_path: Path) -> None:
    written(tmp_path, "a.yaml", "quick_cart", "2s")
    written(tmp_path, "b.yaml", "quick_cart", "3s")
    with pytest.raises(Misconfigured, match=r"b\.yaml: rule quick_cart stands in another file"):
        load_rules(tmp_path)


def test_a_wrong_file_is_named_with_its_field(tmp_path: Path) -> None:
    written(tmp_path, "a.yaml", "quick_cart", "0s")
    with pytest.raises(Misconfigured, match=r"a\.yaml: line 1, column \d+: steps\.0\.after: absence needs time"):
        load_rules(tmp_path)
    with pytest.raises(Misconfigured, match="not a directory"):
        load_rules(tmp_path / "a.yaml")


def test_the_digest_changes_with_whatever_moves_ready_times() -> None:
    same = digest_of([CART], POLICY)
    assert digest_of([CART], Policy(version=2)) == same
    assert digest_of([CART, RECALL], POLICY) != same
    assert digest_of([CART], Policy(version=1, grace=timedelta(minutes=6))) != same


def test_a_slot_takes_time() -> None:
    with pytest.raises(ValidationError, match="longer than 0"):
        Policy.model_validate({"version": 1, "slot": "0s"})


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xff")
    with pytest.raises(Misconfigured, match=r"a\.yaml: is not UTF-8"):
        load_rules(tmp_path)
    (tmp_path / "a.yaml").unlink()
    (tmp_path / "a.yaml").mkdir()
    with pytest.raises(Misconfigured, match=r"a\.yaml: cannot be read"):
        load_rules(tmp_path)
