"""A database that runs one statement of one transaction at a time: READ COMMITTED with row locks, as PostgreSQL does.

A statement sees what is committed when it starts, and its own transaction's writes. One that locks picks its rows from
that view, then takes them one by one in its own order; it waits where another transaction holds one, and returns the
row as it is committed by then. A row that was inserted while it waited is not among those it picked. (PostgreSQL also
asks again whether a row that changed still is one to pick. Here it is: what picks a row never changes in it.) Knows
nothing of identity.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Iterable, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

Key: TypeAlias = tuple[Any, ...]
"""The table's name, then the primary key."""
Row: TypeAlias = Hashable
Rows: TypeAlias = tuple[tuple[Key, Row], ...]
View: TypeAlias = Mapping[Key, Any]
Mode = Literal["update", "share"]

GONE = None
"""Written in place of a row: it is deleted."""


class Read(NamedTuple):
    """SELECT without locks. Answers with what `of` makes of the view."""

    label: str
    of: Callable[[View], Hashable]


class Lock(NamedTuple):
    """SELECT … FOR UPDATE or FOR SHARE: `pick` gives the rows in the order in which they are locked. Answers `Rows`.

    `skip`: SKIP LOCKED, which waits for nobody.
    """

    label: str
    pick: Callable[[View], Iterable[Key]]
    mode: Mode = "update"
    skip: bool = False


class Write(NamedTuple):
    """INSERT, UPDATE or DELETE of rows, in this order; each is locked first.

    A row that must be new is an error where it exists (`new`), or is left alone (`unless`). Answers with the keys that
    were written.
    """

    label: str
    rows: Rows
    kind: Literal["set", "new", "unless"] = "set"


class Draw(NamedTuple):
    """nextval, which no rollback takes back. Answers with the first of `numbers` of them."""

    numbers: int
    label: str = "homes: draw versions (_VERSIONS)"


class Commit(NamedTuple):
    """The end."""

    label: str = "COMMIT"


class Rollback(NamedTuple):
    """Begin again, with this in mind."""

    also: Hashable
    label: str = "ROLLBACK, begin again"


Statement = Read | Lock | Write | Draw | Commit | Rollback
Steps = Generator[Statement, Any, None]
Program = Callable[[Any], Steps]
"""Takes what an earlier attempt told it (None at first)."""


class Violation(Exception):
    """A unique index refused a row: the batch would be lost."""


class Base:
    """Committed rows. Equal contents are one object, so that states compare fast."""

    _known: dict[frozenset[tuple[Key, Row]], Base] = {}  # noqa: RUF012

    def __init__(self, rows: Mapping[Key, Row]) -> None:
        self.rows = dict(rows)

    @classmethod
    def of(cls, rows: Mapping[Key, Row]) -> Base:
        return cls._known.setdefault(frozenset(rows.items()), cls(rows))

    def with_writes(self, writes: Mapping[Key, Row]) -> Base:
        rows = {**self.rows, **writes}
        return Base.of({key: row for key, row in rows.items() if row is not GONE})


class Transaction(NamedTuple):
    """One transaction between two steps. `said`: number of the answers it has had; `picked`: rows still to be locked by
    the statement that it is in, `got`: those it has."""

    said: int
    writes: Rows = ()
    locks: frozenset[tuple[Key, Mode]] = frozenset()
    picked: tuple[Key, ...] | None = None
    got: tuple[Key, ...] = ()
    ended: Literal["", "committed", "crashed"] = ""

    def holds(self, key: Key) -> bool:
        return (key, "update") in self.locks

    def bars(self, key: Key, mode: Mode) -> bool:
        """Whether another transaction must wait for this one."""
        return self.holds(key) or (mode == "update" and (key, "share") in self.locks)

    def end(self, how: Literal["committed", "crashed"]) -> Transaction:
        return Transaction(0, ended=how)


class Answers:
    """What each program says next, given all the answers it has had: programs are run again from their start, once for
    each different course of answers."""

    def __init__(self, programs: Mapping[str, Program]) -> None:
        self.names = list(programs)
        self._programs = list(programs.values())
        self._courses: dict[Hashable, int] = {}
        self._next: list[Statement] = []
        self._of: list[tuple[int, Hashable, tuple[Any, ...]]] = []

    def start(self, program: int, also: Hashable = None) -> int:
        return self._number((program, also, ()))

    def after(self, course: int, answer: Hashable) -> int:
        program, also, answers = self._of[course]
        return self._number((program, also, (*answers, answer)))

    def says(self, course: int) -> Statement:
        return self._next[course]

    def again(self, course: int, also: Hashable) -> int:
        return self.start(self._of[course][0], also)

    def _number(self, course: tuple[int, Hashable, tuple[Any, ...]]) -> int:
        if (known := self._courses.get(course)) is not None:
            return known
        program, also, answers = course
        steps = self._programs[program](also)
        said = next(steps)
        for answer in answers:
            said = steps.send(answer)
        self._courses[course] = len(self._next)
        self._next.append(said)
        self._of.append(course)
        return self._courses[course]
