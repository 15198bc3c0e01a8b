"""Remembers which days of which homes are in the database already, so that a visitor's every event does not lock a row.

One fact holds for all messages of a home and day, the earliest of them. What is remembered was committed by this
process, so leaving out a later message of the day changes nothing; who forgets writes once too often.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec.structs import replace

from tern_triggers.domain.facts import Fact, precedence
from tern_triggers.domain.news import News
from tern_triggers.domain.rules import Reads

MOST = 200_000

_Rank = tuple[datetime, bool, bytes]


class Days:
    """Of one process. Erased homes may stand here: nothing about them is ever taken again."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], _Rank] = {}
        self._wanted: Reads | None = None

    def new_only(self, items: Iterable[News], wanted: Reads) -> list[News]:
        """The news without days that are in the database as they are. `wanted`: what rules read; when that changes, all
        is forgotten, since facts that nobody reads are swept away."""
        if wanted != self._wanted:
            self._known.clear()
            self._wanted = wanted
        return [self._without_known(news) for news in items]

    def note(self, items: Iterable[News]) -> None:
        """Call it once the transaction that wrote them is committed."""
        if len(self._known) > MOST:
            self._known.clear()
        for fact in _days_of(items):
            rank, name = precedence(fact), (fact.home_id, fact.key)
            self._known[name] = min(rank, self._known.get(name, rank))

    def _without_known(self, news: News) -> News:
        facts = tuple(fact for fact in news.facts if not self._is_known(fact))
        return news if len(facts) == len(news.facts) else replace(news, facts=facts)

    def _is_known(self, fact: Fact) -> bool:
        if fact.kind != "seen":
            return False
        known = self._known.get((fact.home_id, fact.key))
        return known is not None and known <= precedence(fact)


def _days_of(items: Iterable[News]) -> Sequence[Fact]:
    return [fact for news in items for fact in news.facts if fact.kind == "seen"]
