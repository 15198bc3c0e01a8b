"""A small condition tree over what is known of a customer: data, never an expression.

Written as `{path: order_value, at_least: 5000}`, or joined by `all`, `any` and `not`. Paths: `orders`, `order_value`,
`last_order_at`, `computed.<name>`, `traits.<name>`. Ages are of moments: `older_than: 90d`, `newer_than: 30d`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from tern_common import conditions
from tern_common.conditions import TESTS, All, AnyOf, Compare, Not, leaves
from tern_common.durations import Duration
from tern_profile.domain.computed.declaring import TIMES, Computed, did_you_mean

PLAIN_PATHS = ("orders", "order_value", "last_order_at")
COMPUTED, TRAITS = "computed.", "traits."
DEEPEST = 5


class Leaf(Compare):
    """Tests of one path. An age is tested alone: it turns by the passing of time, and not by an event."""

    path: Annotated[str, Field(max_length=200)]
    older_than: Duration | None = None
    newer_than: Duration | None = None

    @field_validator("path")
    @classmethod
    def _is_a_path(cls, written: str) -> str:
        if written in PLAIN_PATHS or any(written.startswith(root) and written != root for root in (COMPUTED, TRAITS)):
            return written
        raise ValueError(
            f"{written} is no path{did_you_mean(written, PLAIN_PATHS)}: write {', '.join(PLAIN_PATHS)}, "
            "computed.<name> or traits.<name>"
        )

    @model_validator(mode="after")
    def _tests_something(self) -> Self:
        ages = [age for age in (self.older_than, self.newer_than) if age is not None]
        if not ages and not self.tests_a_value():
            raise ValueError(f"tests nothing: add one of {', '.join(TESTS)}, older_than or newer_than")
        if ages and (len(ages) > 1 or self.tests_a_value()):
            raise ValueError("an age is tested alone: join it with other tests by `all`")
        if ages and ages[0] <= timedelta():
            raise ValueError("an age is longer than nothing: write one such as 90d")
        return self

    @property
    def age(self) -> timedelta | None:
        """How old, if it is an age that is tested."""
        return self.older_than if self.older_than is not None else self.newer_than


Condition = conditions.Condition[Leaf]


def depth(condition: Condition) -> int:
    """Levels of joins and tests."""
    match condition:
        case All(all=parts) | AnyOf(any=parts):
            return 1 + max(depth(part) for part in parts)
        case Not(not_=part):
            return 1 + depth(part)
        case _:
            return 1


def check(name: str, condition: Condition, computed: Mapping[str, Computed]) -> None:
    """Raises `ValueError` that says what to write, where the condition reads what there is not."""
    if depth(condition) > DEEPEST:
        raise ValueError(f"{name}: joins are at most {DEEPEST} deep: write it flatter")
    for leaf in leaves(condition):
        _check_leaf(name, leaf, computed)


def _check_leaf(name: str, leaf: Leaf, computed: Mapping[str, Computed]) -> None:
    reads = leaf.path.removeprefix(COMPUTED) if leaf.path.startswith(COMPUTED) else None
    if reads is not None and reads not in computed:
        raise ValueError(f"{name}: computed.{reads} is not declared{did_you_mean(reads, computed)}")
    if leaf.age is None:
        return
    if leaf.path != "last_order_at" and (reads is None or computed[reads].of not in TIMES):
        raise ValueError(f"{name}: {leaf.path} has no age: test last_order_at, or a computed first_time or last_time")
