"""The numbers of identity, as `policy.yaml` states them, and the two guards that are functions of them alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tern_common.durations import Duration
from tern_common.identifiers import NAMESPACES

Guard = Literal["partners", "velocity"]
Count = Annotated[int, Field(ge=1)]


class Rules(BaseModel):
    """identity.md §3. A change of any number is a new `version`: the graph is a function of the ledger and of these.

    `holdoff` is about time, not about the graph: how long to claim nothing after an outage (triggers.md §2.5).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Count
    values_per_customer: dict[str, Count]
    partners_unique: Count
    partners_other: Count
    new_partners_per_hour: Count
    browsers_per_account: Count
    holdoff: Duration = timedelta(minutes=2)

    @model_validator(mode="after")
    def _every_strong_namespace_has_a_limit(self) -> Self:
        strong = {name for name, namespace in NAMESPACES.items() if namespace.kind != "weak"}
        if strong != self.values_per_customer.keys():
            raise ValueError(f"values_per_customer names exactly {sorted(strong)}")
        if any(self.values_per_customer[name] != 1 for name in strong if NAMESPACES[name].kind == "unique"):
            raise ValueError("a unique namespace has one value per customer: that is what unique means")
        return self


def guard_of(partners: Iterable[tuple[str, datetime]], rules: Rules) -> Guard | None:
    """Why a strong node is in quarantine, or None. `partners`: namespace and first time of each distinct partner.

    A function of the set of a node's own pairs, never of the partition (identity.md §3.1). More partners never lift
    `partners`; an earlier first time may lift `velocity` or bring it about.
    """
    known = list(partners)
    for namespace, count in Counter(namespace for namespace, _ in known).items():
        unique = NAMESPACES[namespace].kind == "unique"
        if count > (rules.partners_unique if unique else rules.partners_other):
            return "partners"
    times, allowed = sorted(time for _, time in known), rules.new_partners_per_hour
    hour = timedelta(hours=1)
    if any(times[k + allowed] - times[k] <= hour for k in range(len(times) - allowed)):
        return "velocity"
    return None


def admissible(namespaces: Iterable[str], rules: Rules) -> bool:
    """Whether nodes of these namespaces may be one customer. Anti-monotone: if a set may, every subset may."""
    return all(count <= rules.values_per_customer[name] for name, count in Counter(namespaces).items())
