"""Which classes hold of a customer, since when, and when that can next change although nothing happens.

`since` is a function of the set of events: the moment from which on the condition has held without a break. Orders
count with what is left of them. Where what is kept does not reach back far enough, `since` is too early, and stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from tern_common.conditions import All, AnyOf, Not, Value, leaves, passes
from tern_profile.domain.classes.conditions import COMPUTED, Condition, Leaf
from tern_profile.domain.classes.timeline import EVER, Timeline, Turn, joined, negated, newer, older, timeline
from tern_profile.domain.computed.declaring import NUMBERS, Computed
from tern_profile.domain.computed.history import Step, next_change, runs, steps
from tern_profile.domain.computed.tally import Tally
from tern_profile.domain.orders import NOTHING, Kept


class Seen(NamedTuple):
    """What conditions are asked of. `tallies`: by path, `computed.<name>` and `traits.<name>`; `orders`: newest first.

    `passed`: up to where absence is certain; None: nowhere.
    """

    orders: list[Kept]
    tallies: Mapping[str, Tally]
    computed: Mapping[str, Computed]
    passed: datetime | None


def holding(classes: Mapping[str, Condition], seen: Seen, first_at: datetime | None) -> dict[str, datetime]:
    """Names of the classes that hold → since when. Before all events: since the customer's first."""
    found: dict[str, datetime] = {}
    for name, condition in sorted(classes.items()):
        last = _line(condition, seen)[-1]
        if last.holds and first_at is not None:
            found[name] = first_at if last.at == EVER else last.at
    return found


def next_turn(classes: Mapping[str, Condition], seen: Seen) -> datetime | None:
    """The earliest moment after `passed` at which a value or a class may change by absence alone."""
    return min((*_leaving(seen), *_ageing(classes, seen)), default=None)


def _leaving(seen: Seen) -> Iterator[datetime]:
    for name, declared in seen.computed.items():
        tally = seen.tallies.get(COMPUTED + name)
        if declared.window is not None and tally is not None:
            at = next_change(declared.window, tally, seen.passed)
            if at is not None:
                yield at


def _ageing(classes: Mapping[str, Condition], seen: Seen) -> Iterator[datetime]:
    """Only of the last moment: others have been followed."""
    tested = (leaf for condition in classes.values() for leaf in leaves(condition))
    for leaf in tested:
        moments = _moments(leaf, seen)
        if leaf.age is None or not moments:
            continue
        at = moments[-1] + leaf.age
        if seen.passed is None or at > seen.passed:
            yield at


def _line(condition: Condition, seen: Seen) -> Timeline:
    match condition:
        case All(all=parts):
            return joined([_line(part, seen) for part in parts], all)
        case AnyOf(any=parts):
            return joined([_line(part, seen) for part in parts], any)
        case Not(not_=part):
            return negated(_line(part, seen))
        case _:
            return _tested(condition, seen)


def _tested(leaf: Leaf, seen: Seen) -> Timeline:
    if leaf.older_than is not None:
        return older(_moments(leaf, seen), leaf.older_than, seen.passed)
    if leaf.newer_than is not None:
        return newer(_moments(leaf, seen), leaf.newer_than, seen.passed, _first_moment(leaf, seen))
    found = runs([Step(EVER, _before_all(leaf, seen)), *_steps(leaf.path, seen)])
    return timeline(Turn(at, passes(leaf, value)) for at, value in found)


def _before_all(leaf: Leaf, seen: Seen) -> Value:
    """Nothing is no order, and no count."""
    if leaf.path in ("orders", "order_value"):
        return 0
    declared = seen.computed.get(leaf.path.removeprefix(COMPUTED)) if leaf.path.startswith(COMPUTED) else None
    return 0 if declared is not None and declared.of in NUMBERS else None


def _steps(path: str, seen: Seen) -> list[Step]:
    if path in ("orders", "order_value", "last_order_at"):
        return _order_steps(path, seen.orders)
    tally = seen.tallies.get(path)
    if tally is None:
        return []
    if not path.startswith(COMPUTED):
        return steps("last", None, tally, seen.passed)
    declared = seen.computed[path.removeprefix(COMPUTED)]
    return steps(declared.of, declared.window, tally, seen.passed)


def _order_steps(path: str, orders: list[Kept]) -> list[Step]:
    """What the kept orders came to, one after the other."""
    oldest_first = [one for one in reversed(orders) if one.kept]
    if path == "orders":
        return [Step(one.order.at, number) for number, one in enumerate(oldest_first, 1)]
    if path == "last_order_at":
        return [Step(one.order.at, one.order.at.isoformat()) for one in oldest_first]
    return list(_worth_steps(oldest_first))


def _worth_steps(oldest_first: list[Kept]) -> Iterator[Step]:
    """In the currency that most was worth in at that moment."""
    worth: dict[str, Decimal] = {}
    for one in oldest_first:
        currency = one.order.currency or ""
        worth[currency] = worth.get(currency, NOTHING) + one.net
        yield Step(one.order.at, max(worth.values()))


def _first_moment(leaf: Leaf, seen: Seen) -> datetime | None:
    """Of all, also of those that were not kept one by one."""
    tally = seen.tallies.get(leaf.path)
    return None if tally is None else tally.first


def _moments(leaf: Leaf, seen: Seen) -> list[datetime]:
    """Of what has an age."""
    if leaf.path == "last_order_at":
        return [one.order.at for one in reversed(seen.orders) if one.kept]
    tally = seen.tallies.get(leaf.path)
    return [] if tally is None else [one.at for one in tally.kept]
