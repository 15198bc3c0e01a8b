"""What must be true of every world, however its weather was (triggers.md §11).

Says it from what the shop was told, with facts and folds of the service's own; `expecting` says the rest, with an
oracle that shares neither.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from simulation.deciding import Judged
from simulation.expecting import expected
from simulation.knowing import World, acked_before, everything, of_lane
from simulation.loop import START
from simulation.rules import BY_NAME
from simulation.triggers import STALE_AFTER_S, TriggerTables
from simulation.world import END_S, Ended
from tern_common.topics import REJECTED
from tern_triggers.domain.candidates import candidate_of
from tern_triggers.domain.contract import FIRED, REVOKED
from tern_triggers.domain.decisions import Decision, Outcome
from tern_triggers.domain.endings import Revocation

SOON = timedelta(seconds=5)


def check(ended: Ended) -> None:
    """Raises `AssertionError` that names the seed."""
    try:
        nothing_is_rejected(ended)
        nothing_is_lost(ended)
        safe_time_has_recovered(ended)
        ended.tables.triggers.node.check_agenda()
        no_fire_is_false(ended)
        no_letter_is_old_news(ended)
        one_trigger_between_two_exits(ended)
        what_was_refuted_is_taken_back_once(ended)
        copies_are_equal_and_in_order(ended)
        expected(ended)
    except AssertionError as wrong:
        raise AssertionError(f"seed {ended.seed}: {wrong}") from wrong


def _fired(ended: Ended) -> list[Judged]:
    return [one for one in ended.tables.triggers.judged if one.decision.outcome is Outcome.FIRED]


def nothing_is_rejected(ended: Ended) -> None:
    """All that is sent is sound: whatever is rejected met an error of ours."""
    broker = ended.network.broker
    aside = [record for place in broker.places(REJECTED) for record in broker.partition(place).records]
    assert not aside, f"rejected: {sorted({record.header('reason') or '' for record in aside})}"


def nothing_is_lost(ended: Ended) -> None:
    """Every acknowledged event has its facts in the tables, and every letter has left."""
    world = everything(ended)
    kept = {(fact.kind, fact.key, fact.message_id) for fact in ended.tables.triggers.node.facts.values()}
    missing = {(fact.kind, fact.key, fact.message_id) for fact in world.node.facts.values()} - kept
    assert not missing, f"facts are missing: {sorted(missing)}"
    assert not ended.tables.triggers.outbox, "letters were left behind"


def safe_time_has_recovered(ended: Ended) -> None:
    """Whatever happened, decisions go on."""
    late = START + timedelta(seconds=END_S) - ended.tables.triggers.safe.get("live", START)
    assert late < SOON, f"safe time is {late} behind"


def no_fire_is_false(ended: Ended) -> None:
    """No exit, reset or link that was acknowledged before due + grace was overlooked (G5)."""
    for judged in _fired(ended):
        decision = judged.decision
        rule = BY_NAME[decision.rule]
        if rule.at_once(decision.step):
            continue
        known = of_lane(rule, acked_before(ended, decision.round))
        found = (world := World(known, ended.policy)).story(decision)
        if found is None:
            continue
        story, seen = found
        refusing = {one for event in known if event.name == "Consent Withdrawn" for one in world.homes_of(event)}
        assert not refusing & seen.homes, f"{decision.rule} fired at {judged.now} after consent was withdrawn"
        assert story.gone_until < decision.anchor, f"{decision.rule} fired at {judged.now} after its reason was gone"
        going_on = candidate_of(rule, story, (), ended.tables.triggers.node.rules, seen)
        if going_on is not None and decision.step == 0 and going_on.start.at == decision.started:
            assert going_on.due <= decision.due, f"{decision.rule} fired at {judged.now} though it had to wait longer"


def no_letter_is_old_news(ended: Ended) -> None:
    """What was first tried ten seconds after its decision, was tried after a look at what had come until then.

    Whoever brings an exit takes back what nobody can have seen. A look notes an attempt at what it leases to itself
    (triggers.md §4.5.1); when its process dies, nobody can tell whether it was sent, and what is sent after the lease
    may be a second copy. So it may go though its reason has gone, if that was known when it went: then what revokes it
    stands behind it (§4.5.3). Nobody acts on what has expired, and nothing revokes it.
    """
    tables = ended.tables.triggers
    for judged in _fired(ended):
        patience = judged.now + timedelta(seconds=STALE_AFTER_S)
        attempt = tables.attempts.get(judged.decision.trigger_id)
        tried = judged.now if attempt is None else START + timedelta(seconds=attempt)
        if not patience < tried <= judged.decision.expires:
            continue
        known = of_lane(BY_NAME[judged.decision.rule], acked_before(ended, patience))
        found = World(known, ended.policy).story(judged.decision)
        over = found is not None and found[0].gone_until >= judged.decision.anchor
        told = not over or _revoked_by(tables.node.decisions[judged.decision.row_id], tried)
        assert told, f"{judged.decision.rule} was published late, and its reason had gone"


def _revoked_by(known: Decision, moment: datetime) -> bool:
    return any(noted is not None and noted <= moment for noted in (known.retracted_at, known.cancelled_at))


def one_trigger_between_two_exits(ended: Ended) -> None:
    """A step fires once between two moments at which its reason was gone, whoever has the cart."""
    world = everything(ended)
    stated = [one.decision for one in _fired(ended)]
    for earlier in stated:
        for later in stated:
            if earlier is later or not _alike(earlier, later, world) or earlier.anchor > later.anchor:
                continue
            found = world.story(later)
            between = found is not None and any(earlier.anchor <= one.reach < later.anchor for one in found[0].exits)
            assert between, f"{later.rule} fired twice about {later.key!r} in one cycle"


def _alike(one: Decision, other: Decision, world: World) -> bool:
    if (one.rule, one.key, one.about, one.step) != (other.rule, other.key, other.about, other.step):
        return False
    mine, yours = world.view_of(one.home_id), world.view_of(other.home_id)
    same = mine is not None and yours is not None and mine.customer_id == yours.customer_id
    return bool(one.key) or same


def what_was_refuted_is_taken_back_once(ended: Ended) -> None:
    """An exit of before the firing that came to be known takes the trigger back: unseen, or by one retraction."""
    world = everything(ended)
    for judged in _fired(ended):
        found = world.story(judged.decision)
        if found is None:
            continue
        known = ended.tables.triggers.node.decisions[judged.decision.row_id]
        gone = [one for one in found[0].exits if one.reach >= known.anchor and one.at <= known.decided_at]
        if gone and known.outcome is Outcome.FIRED:
            came = min(ended.acks.at[one.message_id] for one in gone)
            assert known.retracted_at is not None or came > known.expires, f"{known.rule} is refuted and still out"


def copies_are_equal_and_in_order(ended: Ended) -> None:
    """All that was published under one id is the same; a revocation stands behind what it revokes."""
    topics = [topic for topic in ended.network.broker.topics if topic.startswith("tern.triggers.")]
    places = [place for topic in topics for place in ended.network.broker.places(topic)]
    said: dict[str, bytes] = {}
    for place in places:
        seen: set[str] = set()
        for record in ended.network.broker.partition(place).records:
            event = msgspec.json.decode(record.value)
            assert said.setdefault(event["id"], record.value) == record.value, "two triggers have one id"
            seen.add(event["id"])
            if event["type"] in REVOKED.values():
                assert event["data"]["trigger_id"] in seen, "a trigger was revoked before it was published"
    _all_are_out(said, ended.tables.triggers)


def _all_are_out(said: Mapping[str, bytes], tables: TriggerTables) -> None:
    for one in tables.node.decisions.values():
        if one.outcome is Outcome.FIRED and one.mode == "live":
            assert one.trigger_id in said, "a trigger was decided and never published"
            for noted, kind in ((one.retracted_at, Revocation.RETRACTED), (one.cancelled_at, Revocation.CANCELLED)):
                assert noted is None or f"{one.trigger_id}/{kind}" in said, f"{kind} was noted and never published"
        if one.outcome is Outcome.WITHDRAWN:
            assert one.trigger_id not in said, "a withdrawn trigger was published"


def published(ended: Ended) -> Sequence[str]:
    """The ids of all triggers that subscribers saw."""
    topics = [topic for topic in ended.network.broker.topics if topic.startswith("tern.triggers.")]
    records = [
        r for t in topics for p in ended.network.broker.places(t) for r in ended.network.broker.partition(p).records
    ]
    events = [msgspec.json.decode(record.value) for record in records]
    return sorted({event["id"] for event in events if event["type"] == FIRED})
