"""What operators do in a random history: words about identifiers and days, and taking them back (identity.md §6)."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Literal, NamedTuple

from hypothesis import strategies as st

from tern_common.identifiers import Identifier
from tern_identity.domain.reading import day_of
from unit.identity.histories import LONGEST, POOL, START, TIGHT, Said, saying

Kind = Literal["revert", "cannot", "split", "block", "allow", "retire", "undo"]


class Act(NamedTuple):
    """`group` and `rest`: whom it speaks of, in the eras of that `day`; an `undo` takes back the act so many before."""

    kind: Kind
    group: tuple[Identifier, ...] = ()
    rest: tuple[Identifier, ...] = ()
    day: int = 0
    back: int = 0


Item = Said | Act
"""What a history is made of."""


def sayings_of(history: Sequence[Item]) -> list[Said]:
    return [item for item in history if isinstance(item, Said)]


def is_weak(identifier: Identifier) -> bool:
    return TIGHT.known[identifier.namespace].kind == "weak"


def is_unique(identifier: Identifier) -> bool:
    return TIGHT.known[identifier.namespace].kind == "unique"


TODAY = day_of(START)

STRONG = (
    *(Identifier("user_id", f"user-{k}") for k in (1, 2, 3)),
    Identifier("wechat_unionid", "union-1"),
    Identifier("loyalty_card", "card-1"),
    *(Identifier("phone", f"+861381234567{k}") for k in (1, 2, 3, 4)),
    *(Identifier("email", f"ann{k}@example.com") for k in (1, 2)),
    Identifier("wechat_openid:wx1", "openid-1"),
)
"""In priority order."""

WEAK = (Identifier("device_id", "device-1"), *(Identifier("anonymous_id", f"browser-{k}") for k in (1, 2, 3)))


def _act(random: Random, strong: Sequence[Identifier] = STRONG, weak: Sequence[Identifier] = WEAK) -> Act:
    kinds: tuple[Kind, ...] = ("revert", "cannot", "split", "block", "allow", "retire", "retire", "undo", "undo")
    kind, day = random.choice(kinds), TODAY + random.choice([0, 0, 1, 2, 3])
    both = random.sample(strong, 2)
    match kind:
        case "undo":
            return Act(kind, back=random.randint(1, 3))
        case "revert":
            return Act(kind, (both[0],), (both[1],), day)
        case "cannot":
            return Act(kind, (both[0],), (random.choice([both[1], both[1], *weak]),), day)
        case "split":
            named = sorted(random.sample(strong, random.randint(2, min(5, len(strong)))), key=strong.index)
            side = set(random.sample(named, random.randint(1, len(named) - 1)))
            group = tuple(one for one in named if one in side)
            return Act(kind, group, tuple(one for one in named if one not in side), day)
        case "retire":
            return Act(kind, (random.choice([one for one in (*strong, *weak) if not is_unique(one)]),), (), day)
        case _:
            return Act(kind, (random.choice([*strong, *weak] if kind == "block" else strong),), (), day)


_random = Random("acts")
ACTS = [_act(_random) for _ in range(1_000)]

ITEMS: list[Item] = [*POOL, *ACTS]
"""One in four is an act."""

_FEW = (STRONG[0], STRONG[1], STRONG[5], STRONG[9])


def _narrow(random: Random) -> Said:
    said = saying(random, persons=1)._replace(union=0, card=0, openid=0, other_openid=0, device=0, member=0)
    return said._replace(user=said.user and random.randint(1, 2), browser=said.browser and random.randint(1, 2))


NARROW: list[Item] = [*(_narrow(_random) for _ in range(600)), *(_act(_random, _FEW, WEAK[1:2]) for _ in range(300))]
"""The same of two persons with one phone or two, one e-mail and two browsers: everything meets everything."""

narrow_histories = st.lists(st.sampled_from(NARROW), min_size=5, max_size=14)
ruled_histories = st.one_of(st.lists(st.sampled_from(ITEMS), min_size=5, max_size=14), narrow_histories)
"""Any history with operators in it."""


def long_history(random: Random) -> list[Item]:
    """Many persons, of whom a few share."""
    persons = random.choice([4, 8, 12])
    length = random.randint(20, LONGEST)
    return [_act(random) if random.random() < 0.1 else saying(random, length, persons) for _ in range(length)]


def told_anyhow(history: Sequence[Item], random: Random) -> list[list[Said] | Act]:
    """The same in another way: events in any order, some twice, in batches of any size; operators' acts among them
    anywhere, but in their own order, for each speaks of what those before it left."""
    events = sayings_of(history)
    events += random.choices(events, k=len(events) // 3) if events else []
    random.shuffle(events)
    acts = [item for item in history if isinstance(item, Act)]
    cuts = sorted(random.randint(0, len(events)) for _ in range(len(acts) + random.randint(0, 3)))
    told: list[list[Said] | Act] = []
    gaps = set(random.sample(range(len(cuts)), len(acts)))
    start = 0
    for number, cut in enumerate(cuts):
        told.append(events[start:cut])
        start = cut
        if number in gaps:
            told.append(acts.pop(0))
    told.append(events[start:])
    return [step for step in told if step]


def one_by_one(history: Sequence[Item]) -> list[list[Said] | Act]:
    return [[item] if isinstance(item, Said) else item for item in history]
