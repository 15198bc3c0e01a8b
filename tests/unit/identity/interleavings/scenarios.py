"""Races for the place of a home: what is stored at first, and who does what to it at the same time.

Accounts are 1 and 2, contacts 3 to 9, browsers 11 and up; days count from 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from unit.identity.interleavings.explorer import Explored, Explorer
from unit.identity.interleavings.machine import Program
from unit.identity.interleavings.protocol import Settling
from unit.identity.interleavings.retiring import Filing, Numbered, Retiring
from unit.identity.interleavings.small_graph import Facts, World, drift, settled, version_fell

X, Y, P, E, Q, F = 1, 2, 3, 4, 5, 6
W, V = 11, 12


class Act(NamedTuple):
    """What one transaction does."""

    facts: Facts = Facts()
    unblock: tuple[int, ...] = ()


class Race(NamedTuple):
    """`born`: nodes there are besides those of facts. Each transaction may also crash at any of its steps, except in a
    race that is not to have `crashes`."""

    stored: Facts
    acts: Mapping[str, Act]
    world: World = World(frozenset({X, Y}))
    born: tuple[int, ...] = ()
    crashes: bool = True

    def run(self, protocol: type[Settling] = Settling) -> Explored:
        """All interleavings, under this protocol."""
        return self.between({name: protocol(self.world, act.facts, act.unblock) for name, act in self.acts.items()})

    def between(self, programs: Mapping[str, Program]) -> Explored:
        born = {*self.born, *(node for act in self.acts.values() for node in act.facts.nodes())}
        rows = settled(self.stored, born, self.world)
        judged = Explorer(programs, lambda view: drift(view, self.world), version_fell, crashes=self.crashes)
        return judged.explore(rows)


def _claim(weak: int, strong: int, day: int = 0) -> Facts:
    return Facts(claims=((weak, strong, 1, day),))


def _home(*nodes: int, day: int = 5, home: str = "H") -> Facts:
    return Facts(homes=((home, nodes, day),))


RACES: dict[str, Race] = {
    "a claim and a new home under its browser": Race(
        Facts(homes=(("G", (W,), 5),), claims=((V, X, 1, 0),)),
        {"claim": Act(_claim(W, X)), "home": Act(_home(W))},
    ),
    "a phone goes into quarantine and a new home of a day with it": Race(
        Facts(pairs=((P, E, 1), (X, P, 2)), homes=(("G", (P, E), 4),)),
        {"pair": Act(Facts(pairs=((Y, P, 9),))), "home": Act(_home(P, E))},
        World(frozenset({X, Y}), partners=2),
    ),
    "groups merge and a new home under both": Race(
        Facts(pairs=((X, P, 1), (Q, E, 2)), homes=(("G", (E,), 4),)),
        {"merge": Act(Facts(pairs=((P, E, 3),))), "home": Act(_home(P, E))},
    ),
    "a group splits and a new home under both sides": Race(
        Facts(pairs=((X, P, 1), (P, E, 2)), homes=(("G", (P, E), 4),)),
        {"split": Act(Facts(blocked=(P,))), "home": Act(_home(P, E)), "pair": Act(Facts(pairs=((E, F, 3),)))},
    ),
    "the same home twice": Race(
        Facts(claims=((W, X, 1, 0),)), {"one": Act(_home(W)), "two": Act(_home(W))}, crashes=True
    ),
    "the same home twice, under an account": Race(Facts(), {"one": Act(_home(X)), "two": Act(_home(X))}),
    "two claims and a new home": Race(
        Facts(homes=(("G", (W,), 5),)),
        {"x": Act(_claim(W, X)), "y": Act(_claim(W, Y, 3)), "home": Act(_home(W))},
    ),
    "a core is named anew and its browser gets a new home": Race(
        Facts(pairs=((P, E, 1),), claims=((W, P, 2, 0),), homes=(("G", (W,), 4),)),
        {"login": Act(Facts(pairs=((X, E, 2),))), "home": Act(_home(W))},
    ),
    "a core is named anew while another claims its browser": Race(
        Facts(pairs=((P, E, 1),), claims=((W, P, 2, 1),), homes=(("G", (W,), 4),)),
        {"login": Act(Facts(pairs=((X, E, 2),))), "claim": Act(Facts(claims=((W, Q, 2, 0),))), "home": Act(_home(W))},
    ),
    "an operator blocks and a new home": Race(
        Facts(pairs=((X, P, 1),), claims=((W, P, 2, 0),), homes=(("G", (P, E), 4),)),
        {"block": Act(Facts(blocked=(P,))), "home": Act(Facts(homes=(("H", (P, E), 5), ("I", (W,), 5))))},
    ),
    "an operator's block is undone and a new home": Race(
        Facts(pairs=((X, P, 1), (P, E, 2)), blocked=(P,), homes=(("G", (P, E), 4),)),
        {"undo": Act(unblock=(P,)), "home": Act(_home(P, E)), "pair": Act(Facts(pairs=((E, F, 3),)))},
    ),
    "two blocks are undone at once": Race(
        Facts(pairs=((X, P, 1), (P, E, 2)), blocked=(P, E), homes=(("G", (P, E), 4), ("F", (E,), 4))),
        {"p": Act(unblock=(P,)), "e": Act(unblock=(E,)), "home": Act(_home(P, E))},
    ),
    "a group splits while one that knew its parts comes late": Race(
        Facts(),
        {
            "merge": Act(Facts(pairs=((P, E, 2),))),
            "late": Act(_home(E, F)),
            "split": Act(Facts(blocked=(P,), homes=(("I", (F,), 5),))),
        },
    ),
    "new homes and claims, crosswise": Race(
        Facts(),
        {
            "one": Act(Facts(claims=((V, X, 1, 0),), homes=(("H", (W,), 5),))),
            "two": Act(Facts(claims=((W, Y, 1, 0),), homes=(("I", (V,), 5),))),
        },
    ),
    "two browsers of one home are claimed": Race(
        Facts(homes=(("G", (W, V), 5),)), {"x": Act(_claim(W, X)), "y": Act(_claim(V, Y))}, crashes=True
    ),
    "two browsers of many homes are claimed": Race(
        Facts(homes=(("F", (V, W), 5), ("G", (W, V), 5))), {"x": Act(_claim(W, X)), "y": Act(_claim(V, Y))}
    ),
    "an account is seen on one browser too many, and a new home": Race(
        Facts(homes=(("G", (W,), 5), ("F", (V,), 5))),
        {"one": Act(_claim(W, X)), "two": Act(_claim(V, X)), "home": Act(_home(W))},
        World(frozenset({X, Y}), browsers=1),
    ),
    "two groups merge, a new claim, a new home": Race(
        Facts(pairs=((X, P, 1),), claims=((W, Q, 2, 1),), homes=(("G", (W,), 5),)),
        {"merge": Act(Facts(pairs=((P, Q, 2),))), "claim": Act(_claim(W, Y, 3)), "home": Act(_home(W))},
    ),
    "two merges of three groups": Race(
        Facts(pairs=((X, P, 1),), homes=(("G", (Q,), 5), ("F", (E,), 5))),
        {"p": Act(Facts(pairs=((P, Q, 2),))), "q": Act(Facts(pairs=((Q, E, 3),))), "home": Act(_home(E, Q))},
    ),
}

ACTS: dict[str, Act] = {
    "merge p and q": Act(Facts(pairs=((P, Q, 5),))),
    "merge e and y": Act(Facts(pairs=((Y, E, 6),))),
    "x logs in on w": Act(_claim(W, X)),
    "y logs in on v": Act(_claim(V, Y, 3)),
    "q is seen on w": Act(Facts(claims=((W, Q, 2, 0),))),
    "home of p and e": Act(_home(P, E, home="M")),
    "home of w and v": Act(_home(W, V, home="N")),
    "block p": Act(Facts(blocked=(P,))),
    "unblock q": Act(unblock=(Q,)),
    "p is said with f": Act(Facts(pairs=((P, F, 7),))),
    "homes of w, v and q": Act(Facts(homes=(("K", (W,), 5), ("J", (V,), 5), ("L", (Q, E), 5)))),
    "y logs in on w, and a home of v": Act(Facts(claims=((W, Y, 1, 4),), homes=(("J", (V,), 5),))),
}
"""What may happen to one small shop, any of it at the same time."""


def together(*names: str, crashes: bool = True) -> Race:
    """The race of some of `ACTS`: a shared phone in quarantine, two browsers, homes under all of them."""
    stored = Facts(
        pairs=((X, P, 1), (P, E, 2), (Q, E, 3)),
        claims=((W, P, 2, 1),),
        homes=(("A", (P, E), 4), ("B", (W,), 4), ("C", (V, W), 4), ("D", (Q,), 4)),
        blocked=(Q,),
    )
    world = World(frozenset({X, Y}), partners=3, browsers=1)
    return Race(stored, {name: ACTS[name] for name in names}, world, (F, V), crashes)


def a_browser_retires(
    others: Mapping[str, Facts], retiring: type[Retiring] = Retiring, numbered: type[Numbered] = Numbered
) -> Explored:
    """Browser 11 has an heir from day 3 on, while others file events, all numbered before."""
    stored = Facts(
        pairs=((X, P, 1),), claims=((W, Q, 2, 9), (W, P, 2, 1)), homes=(("G", (W,), 6), ("F", (W,), 2), ("E", (W,), 10))
    )
    race = Race(stored, {}, born=(E,))
    programs: dict[str, Program] = {name: Filing(race.world, facts, numbered) for name, facts in others.items()}
    return race.between({"retire": retiring(race.world, W, V, 3), **programs})
