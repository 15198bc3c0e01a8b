"""The numbers of identity, as `policy.yaml` states them, and the two guards that are functions of them alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tern_common.durations import Duration
from tern_common.identifiers import NAMESPACES, Declared, Kind, Namespaces, family
from tern_common.lanes import BackfillPolicy
from tern_identity.domain.ledger import Node
from tern_identity.domain.rulings import SILENCE, Rulings

Guard = Literal["partners", "velocity", "blocked"]
Count = Annotated[int, Field(ge=1, lt=1 << 31)]
Source = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\x00]+$")]
Pattern = Annotated[str, Field(pattern=r"^[a-z*][a-z0-9_*:]*:.+$", max_length=320)]


class DeclaredNamespace(BaseModel):
    """A namespace of a shop's own. `limit`: values per customer, not for weak ones. `sources`: who may state it; none
    named: any."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    limit: Count | None = None
    sources: frozenset[Source] | None = None

    @model_validator(mode="after")
    def _has_the_limit_of_its_kind(self) -> Self:
        if (self.limit is None) != (self.kind == "weak"):
            raise ValueError("a strong or unique namespace has a `limit` of values per customer, a weak one has none")
        if self.kind == "unique" and self.limit != 1:
            raise ValueError("a unique namespace has one value per customer: that is what unique means")
        return self


class Rules(BaseModel):
    """identity.md §3. A change of anything is a new `version`: the graph is a function of the ledger and of these.

    `holdoff` and `backfill` are not about the graph: how long to claim nothing after an outage (triggers.md §2.5), and
    how the backfill lane gives way (§2.4).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Count
    values_per_customer: dict[str, Count]
    namespaces: dict[str, DeclaredNamespace] = {}
    blocklist: tuple[Pattern, ...] = ()
    distrusted: frozenset[Source] = frozenset()
    partners_unique: Count
    partners_other: Count
    new_partners_per_hour: Count
    browsers_per_account: Count
    deferred_above: Count = 1_000
    holdoff: Duration = timedelta(minutes=2)
    backfill: BackfillPolicy = BackfillPolicy()

    @model_validator(mode="after")
    def _every_strong_namespace_has_a_limit(self) -> Self:
        strong = {name for name in NAMESPACES.names() if NAMESPACES[name].kind != "weak"}
        if strong != self.values_per_customer.keys():
            raise ValueError(f"values_per_customer names exactly {sorted(strong)}")
        if any(self.values_per_customer[name] != 1 for name in strong if NAMESPACES[name].kind == "unique"):
            raise ValueError("a unique namespace has one value per customer: that is what unique means")
        self.known.names()
        return self

    @cached_property
    def known(self) -> Namespaces:
        """The namespaces that ship, and those that sources declare."""
        return Namespaces({name: Declared(own.kind, own.sources) for name, own in self.namespaces.items()})

    @cached_property
    def _limits(self) -> dict[str, int]:
        own = {name: declared.limit for name, declared in self.namespaces.items() if declared.limit is not None}
        return {**self.values_per_customer, **own}

    def limit_of(self, namespace: str) -> int:
        """Values of a namespace that one customer may have. One that is declared no more keeps one value."""
        return self._limits.get(family(namespace), 1)

    def blocks(self, namespace: str, value: str) -> bool:
        """Whether a pattern of the operators' blocklist names the value: `namespace:value`, `*` stands for any text."""
        if not self.blocklist:
            return False
        name = f"{namespace}:{value}".casefold()
        return any(fnmatchcase(name, pattern.casefold()) for pattern in self.blocklist)


class Partner(NamedTuple):
    """Who a node was paired with, and since when."""

    namespace: str
    kind: Kind
    since: datetime


def guard_of(partners: Iterable[Partner], rules: Rules) -> Guard | None:
    """Why a strong node is in quarantine, or None, by the first time of each distinct partner.

    A function of the set of a node's own pairs, never of the partition (identity.md §3.1). More partners never lift
    `partners`; an earlier first time may lift `velocity` or bring it about.
    """
    known = list(partners)
    if len(known) <= min(rules.partners_unique, rules.partners_other, rules.new_partners_per_hour):
        return None  # true of nearly all
    for (_, kind), count in Counter((partner.namespace, partner.kind) for partner in known).items():
        if count > (rules.partners_unique if kind == "unique" else rules.partners_other):
            return "partners"
    times, allowed = sorted(partner.since for partner in known), rules.new_partners_per_hour
    hour = timedelta(hours=1)
    if any(times[k + allowed] - times[k] <= hour for k in range(len(times) - allowed)):
        return "velocity"
    return None


def ruled_guard(node_id: int, partners: Iterable[Partner], rules: Rules, rulings: Rulings) -> Guard | None:
    """The same, where an operator's word goes before any count: blocked, or allowed whatever the count."""
    if node_id in rulings.blocked:
        return "blocked"
    return None if node_id in rulings.allowed else guard_of(partners, rules)


def admissible(nodes: Iterable[Node], rules: Rules, rulings: Rulings = SILENCE) -> bool:
    """Whether these may be one customer. Anti-monotone: if a set may, every subset may."""
    members = list(nodes)
    counts = Counter(node.namespace for node in members)
    if any(count > rules.limit_of(name) for name, count in counts.items()):
        return False
    return rulings.may_meet(node.node_id for node in members)


class Breach(NamedTuple):
    """What keeps nodes from being one customer: too many values of a namespace, or a word that keeps two apart."""

    namespace: str | None
    apart: tuple[int, int] | None = None


def breach_of(nodes: Iterable[Node], rules: Rules, rulings: Rulings) -> Breach | None:
    """Why these are not admissible; None when they are. An operator's word goes before a limit."""
    members = list(nodes)
    numbers = {node.node_id for node in members}
    for node_id in sorted(numbers & rulings.cannot.keys()):
        if others := rulings.cannot[node_id] & numbers:
            return Breach(None, (node_id, min(others)))
    for name, count in sorted(Counter(node.namespace for node in members).items()):
        if count > rules.limit_of(name):
            return Breach(name)
    return None
