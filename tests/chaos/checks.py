"""All that must be true of the evidence, and how much of it there was."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from chaos import revoking
from chaos.deciding import Judge, is_strange
from chaos.evidence import Call, Evidence, Letter, Made
from chaos.knowing import Household, groups_of
from chaos.watching import Decided
from tern_triggers.domain.policy import Policy
from tern_triggers.domain.rules import Rule


@dataclass
class Findings:
    """`wrong`: sentences, of which there should be none. `seen`: how much was compared."""

    wrong: list[str] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)

    def add(self, place: str, faults: Iterable[str]) -> None:
        """Notes faults, with where they are."""
        self.wrong += [f"{place}: {fault}" for fault in faults]


def check(evidence: Evidence, rules: Sequence[Rule], policy: Policy) -> Findings:
    """What is wrong, and how much was looked at."""
    found = Findings()
    found.add("lost", (f"{one} was acknowledged and is not on Kafka" for one in evidence.unsaid))
    found.add("stored", _misstored(evidence))
    found.add("identity", _misjoined(evidence))
    found.add("counts", _miscounted(evidence))
    found.add("kafka", _mispublished(evidence))
    calls, made = _by_household(evidence)
    found.add("decisions", (f"{one.trigger_id} is nobody's" for key in made.keys() - calls.keys() for one in made[key]))
    decided = Decided(evidence.looks)
    for name, said in calls.items():
        household = Household(said, rules)
        _judge(found, name, Judge(household, made.get(name, []), policy, decided), evidence)
        found.add(name, revoking.wrong(household, made.get(name, []), policy))
    _tell(found, evidence)
    return found


def _judge(found: Findings, name: str, judge: Judge, evidence: Evidence) -> None:
    for rule in judge.household.rules:
        bound = judge.is_bound(rule)
        made = sum(one.rule == rule.rule for one in judge.made)
        found.seen["bound decisions" if bound else "open decisions"] += made
        if bound:
            found.add(name, judge.unequal(rule))
    found.add(name, judge.unexplained())
    found.add(name, judge.undone(evidence.rest))
    found.add(name, (f"{one.rule} is {one.outcome} ({one.reason})" for one in judge.made if is_strange(one)))


def _tell(found: Findings, evidence: Evidence) -> None:
    found.seen["events"] = len(evidence.calls)
    found.seen["identifiers"] = len(evidence.customers)
    found.seen["customers"] = len(set(evidence.customers.values()))
    found.seen["records on trigger topics"] = len(evidence.letters)
    found.seen["copies among them"] = len(evidence.letters) - len({letter.id for letter in evidence.letters})
    for one in evidence.made:
        found.seen[one.outcome] += 1
        found.seen["retracted"] += one.retracted_at is not None
        found.seen["cancelled"] += one.cancelled_at is not None


def _by_household(evidence: Evidence) -> tuple[Mapping[str, list[Call]], Mapping[str, list[Made]]]:
    calls: defaultdict[str, list[Call]] = defaultdict(list)
    made: defaultdict[str, list[Made]] = defaultdict(list)
    for call in evidence.calls:
        calls[call.household].append(call)
    for one in sorted(evidence.made, key=lambda one: (one.decided_at, one.step)):
        made[one.cycle_ref.partition("-")[0]].append(one)
    return calls, made


def _misstored(evidence: Evidence) -> Iterable[str]:
    """Each acknowledged event once, and nothing else."""
    for call in evidence.calls:
        if (times := evidence.stored[call.message_id]) != 1:
            yield f"{call.message_id} is stored {times} times"
    strangers = evidence.stored.keys() - {call.message_id for call in evidence.calls} - set(evidence.unsaid)
    yield from (f"{one} was never acknowledged" for one in sorted(strangers))


def _misjoined(evidence: Evidence) -> Iterable[str]:
    """Two identifiers have one customer if, and only if, somebody said so."""
    groups = groups_of(evidence.calls)
    customers_of: defaultdict[int, set[str | None]] = defaultdict(set)
    groups_of_customer: defaultdict[str | None, set[int]] = defaultdict(set)
    for one, group in groups.items():
        customers_of[group].add(evidence.customers.get(one))
        groups_of_customer[evidence.customers.get(one)].add(group)
    for one, group in groups.items():
        customer = evidence.customers.get(one)
        if customer is None:
            yield f"{one} is nobody"
        elif len(customers_of[group]) > 1:
            yield f"{one} is torn from whom it belongs to"
        elif len(groups_of_customer[customer]) > 1:
            yield f"{one} was joined with strangers"


def _miscounted(evidence: Evidence) -> Iterable[str]:
    wanted: defaultdict[str | None, Counter[str]] = defaultdict(Counter)
    for call in evidence.calls:
        who = ("user_id", call.event.user_id) if call.event.user_id else ("anonymous_id", call.event.anonymous_id)
        wanted[evidence.customers.get((who[0], str(who[1])))][call.event.name or call.event.type] += 1
    for customer, counts in evidence.counts.items():
        if dict(counts) != dict(wanted[customer]):
            yield f"{customer} counts {dict(counts)} instead of {dict(wanted[customer])}"


def _mispublished(evidence: Evidence) -> Iterable[str]:
    """Kafka says what the log of decisions says, each once; a revocation stands behind what it revokes."""
    by_id: defaultdict[str, list[Letter]] = defaultdict(list)
    for letter in evidence.letters:
        by_id[letter.id].append(letter)
    wanted = {(one, kind) for made in evidence.made for one, kind in made.letters()}
    got = {(name, letters[0].type) for name, letters in by_id.items()}
    yield from (f"{name} ({kind}) was not published" for name, kind in sorted(wanted - got))
    yield from (f"{name} ({kind}) was published for no reason" for name, kind in sorted(got - wanted))
    for name, letters in by_id.items():
        if len({(letter.value, letter.key, letter.place) for letter in letters}) > 1:
            yield f"{name} was published in two ways"
        fired = min(by_id.get(letters[0].trigger_id, letters), key=lambda letter: letter.offset)
        if fired.place != letters[0].place or min(letter.offset for letter in letters) < fired.offset:
            yield f"{name} stands before what it revokes"
