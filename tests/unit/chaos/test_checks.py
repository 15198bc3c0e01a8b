"""What judges `make chaos` finds every fault that it is there to find: each is put into a record that was sound."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec import Raw

from chaos import shop_rules
from chaos.checks import check
from chaos.collecting import identifiers_of
from chaos.deciding import Judge
from chaos.evidence import Call, Evidence, Letter, Made
from chaos.knowing import Household, groups_of
from chaos.watching import Decided, Look
from support.shop import Json
from tern_common.events import Event
from tern_triggers.domain.decisions import Outcome, Why
from tern_triggers.domain.moments import ALWAYS
from tern_triggers.domain.policy import Policy
from tern_triggers.domain.rules import Rule

START = datetime(2026, 3, 2, 10, tzinfo=UTC)
Played = tuple[list[Rule], Policy]


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    folder: Path = tmp_path_factory.mktemp("chaos") / "shop"
    shop_rules.write(folder)
    return shop_rules.rules_of(folder), shop_rules.policy_of(folder)


def call(place: int, happened: float, name: str, acked: float | None = None, **more: object) -> Call:
    """By one person; acknowledged soon, or when it is said."""
    who = {key: str(more.pop(key)) for key in ("user_id", "anonymous_id") if key in more} or {"user_id": "ann"}
    event = Event(
        message_id=f"h1-{place}",
        type="identify" if name == "identify" else "track",
        name=None if name == "identify" else name,
        event_time=at(happened),
        received_at=at(happened),
        source_id="shop",
        traits=Raw(json.dumps(more if name == "identify" else {}).encode()),
        properties=Raw(json.dumps({} if name == "identify" else more).encode()),
        user_id=who.get("user_id"),
        anonymous_id=who.get("anonymous_id"),
    )
    told = at(happened + 0.1 if acked is None else acked)
    return Call(event, told - timedelta(seconds=0.05), told)


def story() -> list[Call]:
    """Ann's cart is left; of the order that she had placed one hears late. Her inquiry is answered by nobody."""
    item: Json = {"product_id": "tea", "quantity": 1, "price": 7}
    return [
        call(0, 0.0, "identify", email="ann@shop.example"),
        call(1, 0.2, "Consent Granted", channel="email"),
        call(2, 1.0, "Product Added", cart_id="c1", **item),
        call(3, 3.0, "Order Completed", 25.0, order_id="o1", cart_id="c1", products=[item]),
        call(4, 1.5, "Inquiry Opened", ticket_id="t1"),
        call(5, 30.0, "identify", user_id="ann", anonymous_id="browser"),
    ]


def sound(played: Played) -> Evidence:
    """What a platform without fault makes of it."""
    rules, policy = played
    calls = story()
    looks = [Look(at(second), at(second), ALWAYS, 0) for second in range(90)]
    judge = Judge(Household(calls, rules), [], policy, Decided(looks))
    made = [_made(one.verdict.rule, judge, place) for place, one in enumerate(judge._by_acks)]
    customers: dict[tuple[str, str], str | None] = {one: f"customer-{group}" for one, group in groups_of(calls).items()}
    counts = Counter(one.event.name or one.event.type for one in calls)
    stored = Counter(one.message_id for one in calls)
    holder = customers["user_id", "ann"]
    assert holder is not None
    letters = list(_letters(made))
    return Evidence(calls, made, letters, customers, stored, {holder: counts}, looks, at(80))


def _made(rule: str, judge: Judge, place: int) -> Made:
    """The order was before the reminders."""
    one = judge._by_acks[place]
    verdict, then = one.verdict, one.slot + timedelta(seconds=0.3)
    refuted = at(25.4) if rule == "chaos_cart" else None
    return Made(
        verdict.trigger_id, rule, verdict.key, verdict.about, verdict.step, verdict.cycle_ref, "customer-0",
        verdict.anchor, verdict.anchor, verdict.due, Outcome.FIRED, None, then, refuted, None,
    )  # fmt: skip


def _letters(made: Sequence[Made]) -> Iterator[Letter]:
    said = [(one.trigger_id, *letter) for one in made for letter in one.letters()]
    for place, (trigger_id, name, kind) in enumerate(said):
        yield Letter(name, kind, trigger_id, "customer-0", ("topic", 0), place, name.encode())


def faults(evidence: Evidence, played: Played) -> list[str]:
    return check(evidence, *played).wrong


def test_a_sound_record_has_no_fault_and_is_bound_and_open(played: Played) -> None:
    found = check(sound(played), *played)
    assert found.wrong == []
    assert found.seen["retracted"] == 2, "both reminders"
    assert found.seen["bound decisions"] >= 4
    assert found.seen["events"] == 6


def changed(evidence: Evidence, rule: str, step: int, **news: object) -> Evidence:
    """One decision is another one; Kafka says the same."""
    made = [one._replace(**news) if (one.rule, one.step) == (rule, step) else one for one in evidence.made]  # type: ignore[arg-type]
    return replace(evidence, made=made, letters=list(_letters(made)))


def without(evidence: Evidence, rule: str, step: int) -> Evidence:
    made = [one for one in evidence.made if (one.rule, one.step) != (rule, step)]
    return replace(evidence, made=made, letters=list(_letters(made)))


def _again_elsewhere(evidence: Evidence) -> Evidence:
    first = evidence.letters[0]
    return replace(evidence, letters=[*evidence.letters, first._replace(offset=99, value=b"something else")])


def _revoked_first(evidence: Evidence) -> Evidence:
    letters = [one._replace(offset=-1) if "/" in one.id else one for one in evidence.letters]
    return replace(evidence, letters=letters)


def _twice(evidence: Evidence) -> Evidence:
    one = next(one for one in evidence.made if one.rule == "chaos_inquiry")
    made = [*evidence.made, one._replace(trigger_id="another", cycle_ref="h1-4")]
    return replace(evidence, made=made, letters=list(_letters(made)))


BROKEN: dict[str, Callable[[Evidence], Evidence]] = {
    "an event is lost before Kafka": lambda e: replace(e, unsaid=["h1-2"]),
    "an event is not stored": lambda e: replace(e, stored=e.stored - Counter(["h1-2"])),
    "an event is stored twice": lambda e: replace(e, stored=e.stored + Counter(["h1-2"])),
    "an event counts twice": lambda e: replace(e, counts={c: {**n, "Product Added": 2} for c, n in e.counts.items()}),
    "a link is lost": lambda e: replace(e, customers={**e.customers, ("anonymous_id", "browser"): "customer-9"}),
    "an identifier is lost": lambda e: replace(e, customers={**e.customers, ("anonymous_id", "browser"): None}),
    "a trigger is not published": lambda e: replace(e, letters=e.letters[1:]),
    "a retraction is not published": lambda e: replace(e, letters=[one for one in e.letters if "/" not in one.id]),
    "a trigger is published in two ways": _again_elsewhere,
    "a retraction overtakes its trigger": _revoked_first,
    "a bound decision is missing": lambda e: without(e, "chaos_inquiry", 0),
    "a last step is missing": lambda e: without(e, "chaos_inquiry", 1),
    "a reason speaks twice": _twice,
    "it fired before it was due": lambda e: changed(e, "chaos_inquiry", 0, decided_at=at(2)),
    "consent was overlooked": lambda e: changed(e, "chaos_cart", 0, outcome=Outcome.SUPPRESSED, reason=Why.NO_CONSENT),
    "it was held back for no reason": lambda e: changed(
        e, "chaos_inquiry", 0, outcome=Outcome.SUPPRESSED, reason=Why.CAPPED
    ),
    "what was refuted is not retracted": lambda e: changed(e, "chaos_cart", 0, retracted_at=None),
    "what stands is retracted": lambda e: changed(e, "chaos_inquiry", 0, retracted_at=at(26)),
    "what stands is cancelled": lambda e: changed(e, "chaos_inquiry", 0, cancelled_at=at(26)),
    "what stands is withdrawn": lambda e: changed(e, "chaos_inquiry", 0, outcome=Outcome.WITHDRAWN),
    "it fired although the order was known": lambda e: replace(
        e, calls=[one._replace(sent=at(3.1), acked=at(3.2)) if one.message_id == "h1-3" else one for one in e.calls]
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_each_fault_is_found(played: Played, fault: str) -> None:
    assert faults(BROKEN[fault](sound(played)), played), fault


def test_an_event_on_its_way_at_the_decision_may_be_heeded_or_not(played: Played) -> None:
    """The order came a moment after the round: a platform that had not heard of it is right, and one that had."""
    evidence = sound(played)
    calls = [one._replace(sent=at(7.1), acked=at(7.2)) if one.message_id == "h1-3" else one for one in evidence.calls]
    late = replace(evidence, calls=calls)
    heeded = without(without(late, "chaos_cart", 0), "chaos_cart", 1)
    unheard = without(late, "chaos_cart", 1)
    assert faults(heeded, played) == []
    assert faults(unheard, played) == []


def test_who_says_two_names_is_one_customer() -> None:
    assert identifiers_of(story()[0].event) == [("user_id", "ann"), ("email", "ann@shop.example")]
