"""What an operator may declare to be computed. Says what to write where something else is written."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from difflib import get_close_matches
from hashlib import blake2b
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BeforeValidator, Field, field_validator, model_validator

from tern_common.conditions import PATH, TESTS, Comparison, Declared
from tern_common.durations import Duration

Op = Literal["count", "sum", "first", "last", "first_time", "last_time", "most_frequent", "distinct"]
OPS: tuple[Op, ...] = get_args(Op)

NUMBERS = frozenset({"count", "sum", "distinct"})
"""Operators that come to a number, and to 0 where nothing was ever said."""

TIMES = frozenset({"first_time", "last_time"})
NEED_NO_PROPERTY = frozenset({"count", *TIMES})
TAKE_NO_WINDOW = frozenset({"first", *TIMES})

NAME = "^[a-z][a-z0-9_]{0,63}$"
LONGEST_WINDOW = timedelta(days=400)
FINGERPRINT_BYTES = 4

Name = Annotated[str, Field(pattern=NAME)]
Path = Annotated[str, Field(pattern=PATH, max_length=128)]


def did_you_mean(written: str, known: Mapping[str, object] | tuple[str, ...]) -> str:
    """` (did you mean …?)`, or nothing."""
    close = get_close_matches(written, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _where(written: Any) -> Any:
    """A bare value stands for `equals`, a list for `one_of`."""
    if not isinstance(written, dict):
        return written
    return {path: _test(test) for path, test in written.items()}


def _test(written: Any) -> Any:
    if isinstance(written, dict | Where):
        return written
    return {"one_of": written} if isinstance(written, list) else {"equals": written}


def _events(written: Any) -> Any:
    return (written,) if isinstance(written, str) else written


class Where(Comparison):
    """Tests of a property of an event."""

    @model_validator(mode="after")
    def _tests_something(self) -> Self:
        if not self.tests_a_value():
            raise ValueError(f"tests nothing: write a value, or one of {', '.join(TESTS)}, such as {{at_least: 3}}")
        return self


class Computed(Declared):
    """One computed trait: an operator over the events of these names that pass `where`, within a `window` if any.

    `event`: names of track events, or types of others (`page`, `identify`), without case. `property`: where in an
    event's properties the value stands that is summed, counted by, or shown.
    """

    of: Op
    event: Annotated[tuple[str, ...], BeforeValidator(_events), Field(min_length=1, max_length=20)]
    where: Annotated[Mapping[Path, Where], BeforeValidator(_where), Field(max_length=10)] = {}
    property: Path | None = None
    window: Duration | None = None

    @field_validator("of", mode="before")
    @classmethod
    def _is_an_operator(cls, written: object) -> object:
        if written == "time_since":
            raise ValueError(
                "time_since would change with every second: write last_time, and test its age in a class (older_than)"
            )
        if written not in OPS:
            raise ValueError(
                f"{written} is no operator{did_you_mean(str(written), OPS)}: write one of {', '.join(OPS)}"
            )
        return written

    @model_validator(mode="after")
    def _can_be_computed(self) -> Self:
        if self.property is None and self.of not in NEED_NO_PROPERTY:
            raise ValueError(f"{self.of} needs a property: write where in the event its value stands, such as `total`")
        if self.property is not None and self.of in NEED_NO_PROPERTY:
            raise ValueError(f"{self.of} reads no property: leave it out, or test it in `where`")
        return self

    @model_validator(mode="after")
    def _has_a_window_that_can_be_kept(self) -> Self:
        if self.window is None:
            return self
        if self.of in TAKE_NO_WINDOW:
            raise ValueError(f"{self.of} takes no window: write last, or test the age of last_time in a class")
        if not timedelta() < self.window <= LONGEST_WINDOW:
            raise ValueError(
                f"a window is longer than nothing and at most {LONGEST_WINDOW.days}d: write one such as 30d"
            )
        return self

    def key(self, name: str) -> str:
        """What its tally is kept under: another declaration of the same name begins anew."""
        written = self.model_dump_json().encode()
        return f"computed.{name}.{blake2b(written, digest_size=FINGERPRINT_BYTES).hexdigest()}"
