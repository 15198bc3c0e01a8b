"""What operators do in a random history: words about identifiers and days, and taking them back (identity.md §6)."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Literal, NamedTuple

from hypothesis import strategies as st

from tern_common.identifiers import Identifier
from tern_identity.domain.reading import day_of
from unit.identity.histories import SAYINGS, START, TIGHT, Said

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


def _act(random: Random) -> Act:
    kinds: tuple[Kind, ...] = ("revert", "cannot", "split", "block", "allow", "retire", "retire", "undo", "undo")
    kind, day = random.choice(kinds), TODAY + random.choice([0, 0, 1, 2, 3])
    both = random.sample(STRONG, 2)
    match kind:
        case "undo":
            return Act(kind, back=random.randint(1, 3))
        case "revert":
            return Act(kind, (both[0],), (both[1],), day)
        case "cannot":
            return Act(kind, (both[0],), (random.choice([both[1], both[1], *WEAK]),), day)
        case "split":
            named = sorted(random.sample(STRONG, random.randint(2, 5)), key=STRONG.index)
            side = set(random.sample(named, random.randint(1, len(named) - 1)))
            group = tuple(one for one in named if one in side)
            return Act(kind, group, tuple(one for one in named if one not in side), day)
        case "retire":
            return Act(kind, (random.choice([one for one in (*STRONG, *WEAK) if not is_unique(one)]),), (), day)
        case _:
            return Act(kind, (random.choice([*STRONG, *WEAK] if kind == "block" else STRONG),), (), day)


_random = Random("acts")
ACTS = st.sampled_from([_act(_random) for _ in range(1_000)])

ruled_histories = st.lists(st.one_of(SAYINGS, SAYINGS, SAYINGS, ACTS), min_size=1, max_size=14)
"""Any history with operators in it."""


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
