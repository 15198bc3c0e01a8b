"""Operators' acts, each in one transaction: the control and its words, and all that follows from them (identity.md §6).

An act is refused, or it is done whole; what it meant can be taken back, except an erasure.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple
from uuid import UUID

from tern_common import outbox
from tern_common.bus import Producer
from tern_common.db import Connection, Pool, connection
from tern_common.errors import Refused, Transient
from tern_common.identifiers import Identifier
from tern_identity.store import Keys, Numbers, Step, Store, Work, controls, eras, erasing, wording
from tern_identity.store.acting import Acting, Meaning, Wish, subjects_of
from tern_identity.store.controls import Control, Kind
from tern_identity.store.errors import GroupsMoved, Misread
from tern_identity.store.ruleset import Act, require_live
from tern_identity.store.settling import settle, turned_by

ATTEMPTS = 5

# A value with a hundred thousand partners is nothing that a plan for everybody is good for.
_PLAN_EACH_TIME = "SET LOCAL plan_cache_mode = force_custom_plan"

_ACTS: Mapping[Kind, Callable[[Acting, Wish], Awaitable[Meaning]]] = {
    "revert": wording.revert,
    "split": wording.split,
    "block": wording.block,
    "allow": wording.allow,
    "cannot-link": wording.keep_apart,
    "retire": eras.retire,
    "erase": erasing.erase,
}

_UNDOING: Mapping[Kind, Callable[[Acting, Control], Awaitable[Meaning]]] = {
    "retire": eras.take_back,
    "erase": erasing.refuse_to_undo,
}


class Done(NamedTuple):
    """What came of an act: how many homes and doors have another customer, and from whom to whom."""

    control_id: int
    moved: int
    turned: frozenset[tuple[UUID, UUID]]


class Named(NamedTuple):
    """Whom a control speaks of. `identifier`: none where it was erased. `from_day`: the first of its era."""

    namespace: str
    identifier: Identifier | None
    from_day: int | None


class Audited(NamedTuple):
    """A control, and whom it speaks of, side by side."""

    control: Control
    group: list[Named]
    rest: list[Named]


class Operators:
    """Does what operators ask for, takes it back, and remembers both."""

    def __init__(self, pool: Pool, keys: Keys, store: Store, producer: Producer) -> None:
        self._pool = pool
        self._keys = keys
        self._store = store
        self._producer = producer

    async def act(self, wish: Wish, act: Act) -> Done:
        """Raises `Refused` for what means nothing here, and `Transient` when the graph does not stand still."""

        async def step(conn: Connection, work: Work, numbers: Numbers) -> Done:
            acting = await self._begin(conn, work, numbers)
            meaning = await _ACTS[wish.kind](acting, wish)
            control_id = await controls.add(conn, wish.kind, meaning.nodes, meaning.rest, meaning.day, act)
            await controls.add_words(conn, (word._replace(statement=control_id) for word in meaning.words))
            return await _settled(acting, control_id, meaning)

        return await self._insist(step)

    async def undo(self, control_id: int, act: Act) -> Done:
        """Takes a control back. Raises like `act`."""

        async def step(conn: Connection, work: Work, numbers: Numbers) -> Done:
            acting = await self._begin(conn, work, numbers)
            control = _in_force(await controls.find(conn, control_id))
            meaning = await _UNDOING.get(control.kind, wording.unsay)(acting, control)
            await controls.take_back(conn, control_id, act)
            return await _settled(acting, control_id, meaning)

        return await self._insist(step)

    async def find(self, control_id: int) -> Audited | None:
        """One control; None when there is none of this number."""
        async with connection(self._pool) as conn:
            control = await controls.find(conn, control_id)
            return None if control is None else (await self._audited(conn, [control]))[0]

    async def page(self, before: int | None, kind: Kind | None, limit: int) -> list[Audited]:
        """The newest first; `before`: only those of smaller numbers."""
        async with connection(self._pool) as conn:
            return await self._audited(conn, await controls.page(conn, before, kind, limit))

    async def _begin(self, conn: Connection, work: Work, numbers: Numbers) -> Acting:
        await conn.execute(_PLAN_EACH_TIME)
        await controls.one_at_a_time(conn)
        await require_live(conn, numbers.rules)
        return Acting(conn, work, numbers, self._keys)

    async def _insist(self, step: Step[Done]) -> Done:
        """What is to be told is told at once where that can be; else with the next events."""
        for _ in range(ATTEMPTS):
            try:
                done = await self._store.perform(step)
            except Misread as wrong:
                if wrong.erased:
                    raise Refused(410, "gone", "An identifier that is named here was erased.") from None
                await self._store.refresh()
            except GroupsMoved:
                continue
            else:
                with suppress(Transient):
                    await outbox.drain(self._pool, self._producer)
                return done
        raise Transient("the graph moves faster than it can be locked")

    async def _audited(self, conn: Connection, found: list[Control]) -> list[Audited]:
        numbers = sorted({node_id for control in found for node_id in (*control.nodes, *control.rest)})
        named: dict[int, Named] = {}
        for one in await subjects_of(conn, numbers):
            value = None if one.original is None else self._keys.sealer.open(one.original)
            identifier = None if value is None else Identifier(one.namespace, value)
            named[one.node_id] = Named(one.namespace, identifier, one.from_day)
        return [
            Audited(
                control, [named[node_id] for node_id in control.nodes], [named[node_id] for node_id in control.rest]
            )
            for control in found
        ]


async def _settled(acting: Acting, control_id: int, meaning: Meaning) -> Done:
    cause: dict[str, str | int] = {"kind": "control", "control": control_id}
    await erasing.tell(acting.conn, meaning.gone, cause)
    work = replace(
        acting.work,
        again=acting.work.again | meaning.again,
        again_weak=acting.work.again_weak | meaning.again_weak,
        because=cause,
    )
    settled = await settle(acting.conn, work, acting.numbers)
    return Done(control_id, settled.moved + len(meaning.gone), settled.turned | turned_by(meaning.gone))


def _in_force(control: Control | None) -> Control:
    if control is None:
        raise Refused(404, "unknown-control", "There is no control of this number.")
    if control.undone is not None:
        raise Refused(409, "already-undone", "This control was taken back already.")
    return control
