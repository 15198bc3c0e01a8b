"""A graph in words that do not depend on the order of births: what two of them can be compared by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tern_identity.domain.placing import Customer
from tern_identity.domain.rules import Guard

Whose = frozenset[str] | tuple[str, str]
"""The names of a core; or how a customer without one stands, and the name of its node."""


class Partition(NamedTuple):
    """Strong node → its core; strong node → why it is in quarantine; home → its customer."""

    cores: dict[str, frozenset[str]]
    guards: dict[str, Guard]
    homes: dict[str, Whose]


def in_words(
    names: Mapping[int, str],
    core_of: Mapping[int, int],
    guards: Mapping[int, Guard],
    customers: Mapping[str, Customer],
) -> Partition:
    """`names`: of the nodes that matter; others are left out."""
    members: dict[int, set[str]] = {}
    for node, core in core_of.items():
        if node in names:
            members.setdefault(core, set()).add(names[node])
    cores = {core: frozenset(named) for core, named in members.items()}

    def whose(customer: Customer) -> Whose:
        if customer.standing == "person":
            return cores[customer.node_id]
        return customer.standing, names[customer.node_id]

    return Partition(
        {names[node]: cores[core] for node, core in core_of.items() if node in names},
        {names[node]: guard for node, guard in guards.items() if node in names},
        {home_id: whose(customer) for home_id, customer in customers.items()},
    )
