"""Every order in which a few transactions can run, and the first one that ends badly.

States that are equal are visited once; all courses through them are counted. Besides running to its end, a transaction
may crash at any step where the scenario says so.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from unit.identity.interleavings.machine import (
    Answers,
    Base,
    Commit,
    Draw,
    Key,
    Lock,
    Mode,
    Program,
    Read,
    Rollback,
    Row,
    Statement,
    Transaction,
    View,
    Violation,
    Write,
)

Judge = Callable[[View], str | None]
"""What is wrong with rows that are at rest, or None."""
Step = Callable[[View, View], str | None]
"""What is wrong with a commit: the rows before and after it."""


class State(NamedTuple):
    base: Base
    drawn: int
    transactions: tuple[Transaction, ...]

    def at_rest(self) -> bool:
        return all(one.ended for one in self.transactions)


class Move(NamedTuple):
    """`said`: whose step it was, and which; `wrong`: why it must not be."""

    said: str
    state: State
    wrong: str | None = None


@dataclass
class Explored:
    """`schedules`: the orders in which the steps can run. `wrong`: what the shortest bad one leads to; `course`: its
    steps. `ends`: the different states at rest."""

    states: int = 0
    schedules: int = 0
    ends: int = 0
    wrong: str | None = None
    course: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        if self.wrong is None:
            return f"{self.states} states, {self.schedules} schedules, {self.ends} ends: all right"
        return "\n".join([self.wrong, *(f"  {number}. {step}" for number, step in enumerate(self.course, 1))])


class Explorer:
    """All states that are reachable from one, breadth first: so a counterexample is as short as can be."""

    def __init__(self, programs: Mapping[str, Program], judge: Judge, commits: Step, *, crashes: bool = False) -> None:
        self._answers = Answers(programs)
        self._judge, self._commits, self._crashes = judge, commits, crashes

    def explore(self, rows: Mapping[Key, Row]) -> Explored:
        """Stops at the first thing that is wrong."""
        starts = tuple(Transaction(self._answers.start(number)) for number in range(len(self._answers.names)))
        first = State(Base.of(rows), 0, starts)
        came: dict[State, tuple[State, str] | None] = {first: None}
        after: dict[State, list[State]] = {}
        waiting = deque([first])
        while waiting:
            state = waiting.popleft()
            if wrong := self._wrong(state):
                return Explored(len(came), wrong=wrong, course=_course(came, state))
            after[state] = []
            for move in self._moves(state):
                if move.wrong:
                    return Explored(len(came), wrong=move.wrong, course=[*_course(came, state), move.said])
                after[state].append(move.state)
                if move.state not in came:
                    came[move.state] = (state, move.said)
                    waiting.append(move.state)
        return Explored(len(came), _schedules(first, after), sum(state.at_rest() for state in came))

    def _wrong(self, state: State) -> str | None:
        if state.at_rest():
            return self._judge(state.base.rows)
        if any(self._can_step(state, number) for number in range(len(state.transactions))):
            return None
        return "deadlock"

    def _moves(self, state: State) -> Iterator[Move]:
        for number, one in enumerate(state.transactions):
            if one.ended:
                continue
            if self._can_step(state, number):
                yield self._step(state, number)
            if self._crashes:
                yield Move(f"{self._answers.names[number]}: crashes", _with(state, number, one.end("crashed")))

    def _can_step(self, state: State, number: int) -> bool:
        one = state.transactions[number]
        if one.ended:
            return False
        need = _needs(one, self._answers.says(one.said))
        others = (*state.transactions[:number], *state.transactions[number + 1 :])
        return need is None or not any(other.bars(*need) for other in others)

    def _step(self, state: State, number: int) -> Move:
        """One step, and those that nobody else can see or hinder right after it: writes of rows that one holds."""
        statement = self._answers.says(state.transactions[number].said)
        said = f"{self._answers.names[number]}: {_telling(state.transactions[number], statement)}"
        try:
            move = self._one(state, number, said)
            while self._is_private(move.state.transactions[number]):
                move = move._replace(state=self._one(move.state, number, said).state)
        except Violation as error:
            return Move(said, state, str(error))
        return move

    def _is_private(self, one: Transaction) -> bool:
        if one.ended or not isinstance(statement := self._answers.says(one.said), Write):
            return False
        return statement.kind == "set" and all(one.holds(key) for key, _ in statement.rows)

    def _one(self, state: State, number: int, said: str) -> Move:
        one = state.transactions[number]
        match self._answers.says(one.said):
            case Read(_, of):
                return Move(said, _with(state, number, self._told(one, of(_view(state, one)))))
            case Lock() as lock:
                return Move(said, _with(state, number, self._lock(state, one, lock)))
            case Write() as write:
                return Move(said, _with(state, number, self._write(state, one, write)))
            case Draw(count):
                drawn = state._replace(drawn=state.drawn + count)
                return Move(said, _with(drawn, number, self._told(one, state.drawn + 1)))
            case Rollback(also):
                return Move(said, _with(state, number, Transaction(self._answers.again(one.said, also))))
            case Commit():
                base = state.base.with_writes(dict(one.writes))
                wrong = self._commits(state.base.rows, base.rows)
                return Move(said, _with(state._replace(base=base), number, one.end("committed")), wrong)

    def _lock(self, state: State, one: Transaction, lock: Lock) -> Transaction:
        if one.picked is None:  # the statement starts: its view is taken now
            return self._unless_done(state, one._replace(picked=tuple(lock.pick(_view(state, one)))))
        key, *rest = one.picked
        if lock.skip and any(other.bars(key, lock.mode) for other in state.transactions if other is not one):
            return self._unless_done(state, one._replace(picked=tuple(rest)))
        locks = one.locks | {(key, lock.mode)}
        return self._unless_done(state, one._replace(picked=tuple(rest), got=(*one.got, key), locks=locks))

    def _unless_done(self, state: State, one: Transaction) -> Transaction:
        if one.picked:
            return one
        view = _view(state, one)
        return self._told(one, tuple((key, view[key]) for key in one.got if key in view))

    def _write(self, state: State, one: Transaction, write: Write) -> Transaction:
        keys = tuple(key for key, _ in write.rows) if one.picked is None else one.picked
        if not keys:
            return self._told(one, ())
        key, *rest = keys
        exists = key in _view(state, one)
        if exists and write.kind == "new":
            raise Violation(f"unique violation: {key}")
        if not (exists and write.kind == "unless"):
            written = {**dict(one.writes), key: dict(write.rows)[key]}
            one = one._replace(writes=tuple(sorted(written.items(), key=repr)), got=(*one.got, key))
        one = one._replace(picked=tuple(rest), locks=one.locks | {(key, "update")})
        return one if rest else self._told(one, one.got)

    def _told(self, one: Transaction, answer: object) -> Transaction:
        return one._replace(said=self._answers.after(one.said, answer), picked=None, got=())


def _needs(one: Transaction, statement: Statement) -> tuple[Key, Mode] | None:
    """The row that the next step must have."""
    if isinstance(statement, Lock):
        return (one.picked[0], statement.mode) if one.picked and not statement.skip else None
    if isinstance(statement, Write) and statement.rows:
        return (statement.rows[0][0] if one.picked is None else one.picked[0]), "update"
    return None


def _telling(one: Transaction, statement: Statement) -> str:
    need = _needs(one, statement)
    return statement.label if need is None else f"{statement.label} → {need[0]}"


def _with(state: State, number: int, one: Transaction) -> State:
    return state._replace(transactions=(*state.transactions[:number], one, *state.transactions[number + 1 :]))


def _view(state: State, one: Transaction) -> View:
    if not one.writes:
        return state.base.rows
    return {key: row for key, row in {**state.base.rows, **dict(one.writes)}.items() if row is not None}


def _course(came: Mapping[State, tuple[State, str] | None], state: State) -> list[str]:
    steps: list[str] = []
    while (before := came[state]) is not None:
        state, said = before
        steps.append(said)
    return steps[::-1]


def _schedules(first: State, after: Mapping[State, list[State]]) -> int:
    """The number of paths to an end. A step never leads back, except where it begins again: those loops count once."""
    incoming: dict[State, int] = dict.fromkeys(after, 0)
    for states in after.values():
        for state in states:
            incoming[state] += 1
    paths = {first: 1}
    ready, total = [first], 0
    while ready:
        state = ready.pop()
        total += 0 if after[state] else paths[state]
        for following in after[state]:
            paths[following] = paths.get(following, 0) + paths[state]
            incoming[following] -= 1
            if not incoming[following]:
                ready.append(following)
    return total
