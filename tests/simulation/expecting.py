"""What each decision should have been, told by the tests' own oracle and by plain arithmetic; none of the folds, rounds
and checks of the service.

Of *what* is known the simulation's tables tell; *that* enough was known is held against what the shop was told
(`all_was_known`). So a decision is right where the oracle makes the same of what was known, and what was known was all
of before its round; and nothing is lost where the oracle, told everything, has nothing left to decide.

Consent is profile's, and no oracle here knows it: what was refused for it is only counted as decided.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from simulation.deciding import Judged, Known
from simulation.identity import customer_id, wire_id
from simulation.knowing import World, acked_before, everything, of_lane
from simulation.loop import START
from simulation.rules import BY_NAME, RULES
from simulation.world import END_S, Ended
from tern_common.events import Event
from tern_triggers.domain.decisions import Decision, Outcome, Why
from tern_triggers.domain.facts import Fact, facts_of
from tern_triggers.domain.rules import ruleset
from tern_triggers.domain.view import Verdicts
from unit.triggers import oracle
from unit.triggers.oracle import Oracle, Verdict, rounded

END = START + timedelta(seconds=END_S)
READS = ruleset(RULES).reads


def expected(ended: Ended) -> None:
    """Raises `AssertionError`."""
    for judged in ended.tables.triggers.judged:
        all_was_known(ended, judged)
        the_oracle_agrees(ended, judged)
        it_is_sent_in_time(judged)
        no_cap_is_exceeded(ended, judged)
        nobody_is_woken(ended, judged)
    what_waits_has_a_reason(ended)
    nothing_is_left_to_decide(ended)


def all_was_known(ended: Ended, judged: Judged) -> None:
    """What was acknowledged before the round, in the lanes that the rule waits for."""
    one = judged.decision
    rule = BY_NAME[one.rule]
    if rule.at_once(one.step) and not _came_later(judged):
        return
    told = {name for event in of_lane(rule, acked_before(ended, one.round)) for name in _names(facts_of_event(event))}
    missing = told - set(_names(judged.known.facts))
    assert not missing, f"{one.rule} was decided at {judged.now} without {sorted(missing)}"


def _came_later(judged: Judged) -> bool:
    """What was put off, or passed over at first, is decided in a round."""
    return judged.safe is not None


def facts_of_event(event: Event) -> Sequence[Fact]:
    """Wherever it is filed."""
    return facts_of(event, "", READS)


def _names(facts: Iterable[Fact]) -> Iterator[tuple[str, str, str]]:
    return (_name(fact) for fact in facts)


def _name(fact: Fact) -> tuple[str, str, str]:
    return fact.kind, fact.key, fact.message_id


def the_oracle_agrees(ended: Ended, judged: Judged) -> None:
    """It is what the oracle decides next of the rule, knowing the same."""
    one = judged.decision
    told = _oracle(ended, [one.rule], judged.known)
    before = len(told.verdicts)
    told.slot(one.round, _world(_as_told(ended, judged.known)))
    found = [verdict for verdict in told.verdicts[before:] if _same(verdict, one)]
    assert found, f"{one.rule} ({one.outcome}) at {judged.now} about {one.key!r}: the oracle decides nothing"
    assert (found[0].anchor, found[0].due) == (one.anchor, one.due), f"{one.rule} is due at {found[0].due}"
    if judged.safe is not None and not BY_NAME[one.rule].at_once(one.step):
        ready = rounded(one.due + ended.policy.grace, ended.policy.slot)
        assert one.round >= ready, f"{one.rule} was decided {ready - one.round} before its round"


def _as_told(ended: Ended, known: Known) -> Known:
    """With the facts as the shop stated them: the tables only tell which are there, and where they are filed."""
    messages = {one.message_id for one in known.facts}
    stated = {_name(fact): fact for message in messages for fact in facts_of_event(ended.acks.events[message])}
    return known._replace(facts=[replace(stated[_name(one)], home_id=one.home_id) for one in known.facts])


def _same(verdict: Verdict, one: Decision) -> bool:
    names = (verdict.rule, verdict.key, verdict.about, verdict.step, verdict.trigger_id, verdict.home_id)
    return names == (one.rule, one.key, one.about, one.step, one.trigger_id, one.home_id)


def _oracle(ended: Ended, names: Iterable[str], known: Known) -> Oracle:
    """Told what was decided before."""
    found = Oracle([BY_NAME[name] for name in names], ended.policy)
    found.verdicts = [_verdict(one) for one in known.decisions if one.outcome is not Outcome.ENDED]
    return found


def _verdict(one: Decision) -> Verdict:
    return Verdict(
        rule=one.rule,
        key=one.key,
        about=one.about,
        step=one.step,
        cycle_ref=one.cycle_ref,
        trigger_id=one.trigger_id,
        home_id=one.home_id,
        anchor=one.anchor,
        due=one.due,
        round=one.round,
        fired=one.outcome is Outcome.FIRED,
    )


def _world(known: Known) -> oracle.World:
    return oracle.World(known.holders, known.facts, known.facts, known.profiles)


def it_is_sent_in_time(judged: Judged) -> None:
    """Fired before it expires, and suppressed as expired only then."""
    one = judged.decision
    expires = one.due + BY_NAME[one.rule].steps[one.step].expires_after
    if one.outcome is Outcome.FIRED:
        assert judged.now <= expires, f"{one.rule} fired {judged.now - expires} after it had expired"
    if one.reason is Why.EXPIRED:
        assert judged.now > expires, f"{one.rule} was given up {expires - judged.now} before it expired"


# -- the arbiter ----------------------------------------------------------------------------------------------------


def no_cap_is_exceeded(ended: Ended, judged: Judged) -> None:
    """No window of a cap holds more contacts than it may, over all rules and all homes that the customer had."""
    one = judged.decision
    full = [cap for cap in ended.policy.arbiter.caps if _contacts(judged, one.round - cap.window) >= cap.contacts]
    if one.outcome is Outcome.FIRED:
        assert not full, f"{one.rule} at {judged.now} is one more than {full[:1]}"
    if one.reason is Why.CAPPED:
        assert full, f"{one.rule} was suppressed by a cap that had room"


def _contacts(judged: Judged, after: datetime) -> int:
    return sum(at > after for at in _rounds(judged.known, judged.decision.home_id))


def _rounds(known: Known, home_id: str) -> list[datetime]:
    """Of the contacts of whoever has the home; what was withdrawn reached nobody."""
    mine = [one for one in known.decisions if known.holders[one.home_id] == known.holders[home_id]]
    return [one.round for one in mine if one.outcome is Outcome.FIRED]


def nobody_is_woken(ended: Ended, judged: Judged) -> None:
    """Nothing is sent in the night, and nothing given up for it by day."""
    one, moment = judged.decision, max(judged.now, judged.decision.round)
    if one.outcome is Outcome.FIRED:
        assert not is_night(ended, moment), f"{one.rule} fired at {moment}, in the night"
    if one.reason is Why.QUIET:
        assert is_night(ended, moment), f"{one.rule} was given up by day"


def is_night(ended: Ended, moment: datetime) -> bool:
    """All customers live in the shop's zone, and no world is played over midnight."""
    quiet = ended.policy.arbiter.quiet
    return bool(quiet.channels) and quiet.begin <= moment.time() < quiet.end


def what_waits_has_a_reason(ended: Ended) -> None:
    """Put off until the night is over, while it is; or until a contact leaves the window of a cap."""
    caps = ended.policy.arbiter.caps
    for put_off in ended.tables.triggers.put_off:
        one = put_off.deferral
        if one.why is Why.QUIET:
            assert is_night(ended, put_off.now), f"{one.rule} was put off at {put_off.now}, by day"
            assert one.until.time() == ended.policy.arbiter.quiet.end, f"{one.rule} waits until {one.until}"
            continue
        assert one.why is Why.CAPPED, f"{one.rule} waits for {one.why}"
        frees = {at + cap.window for at in _rounds(put_off.known, one.home_id) for cap in caps}
        assert one.until in frees, f"{one.rule} waits until {one.until}, when nothing frees"


# -- nothing is lost --------------------------------------------------------------------------------------------------


def nothing_is_left_to_decide(ended: Ended) -> None:
    """The oracle, told all that the shop was told and all that was decided, has nothing to add."""
    world = everything(ended)
    members = world.identity.graph.members
    holders = {wire_id(home): customer_id(member.customer) for home, member in members.items()}
    known = Known(holders, tuple(world.node.facts.values()), _classes(ended, world), _decided(ended))
    told = _oracle(ended, BY_NAME, known)
    before = len(told.verdicts)
    told.slot(END - timedelta(seconds=10), _world(known))
    left = [(one.rule, one.key, one.about, one.step) for one in told.verdicts[before:]]
    assert not left, f"never decided: {left}"


def _decided(ended: Ended) -> Sequence[Decision]:
    return tuple(ended.tables.triggers.node.decisions.values())


def _classes(ended: Ended, world: World) -> Mapping[str, Verdicts]:
    """Who has bought, since the first order of any of his homes: what profile should say."""
    found: dict[str, datetime] = {}
    for fact in world.node.facts.values():
        if fact.kind == "order":
            holder = world.node.memberships[fact.home_id].customer_id or ""
            found[holder] = min(fact.at, found.get(holder, fact.at))
    return {customer: Verdicts(classes={"buyer": since}) for customer, since in found.items()}
