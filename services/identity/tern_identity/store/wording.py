"""Acts that are words: revert, keep apart, split, block and allow (identity.md §6), and taking one back.

Each is checked against the graph as it stands under lock, and becomes rulings; what follows from them is settled.
"""

from __future__ import annotations

from collections.abc import Sequence

from tern_common.db import Connection
from tern_common.errors import Refused
from tern_common.identifiers import masked
from tern_common.sealing import Sealer
from tern_identity.domain.rulings import (
    Ruling,
    both,
    word_on,
    words_of_cannot_link,
    words_of_revert,
    words_of_split,
)
from tern_identity.store import controls
from tern_identity.store.acting import Acting, Meaning, Subject, Wish, again
from tern_identity.store.controls import Control, Kind
from tern_identity.store.groups import Locked
from tern_identity.store.merges import Merging, merge_of

_PAIRED = "SELECT EXISTS (SELECT 1 FROM pair WHERE (a, b) = ($1, $2) OR (a, b) = ($2, $1))"


async def revert(acting: Acting, wish: Wish) -> Meaning:
    """The pair that made a merge counts no more, and its two are kept apart."""
    a, b = both(*(await _pair(acting, wish)))
    await _require_new(acting.conn, "revert", [a], [b])
    await acting.lock([a, b])
    return Meaning((a,), (b,), words=tuple(words_of_revert(0, a, b)), again=frozenset((a, b)))


async def _pair(acting: Acting, wish: Wish) -> Merging:
    if wish.merge_id is not None:
        merging = await merge_of(acting.conn, wish.merge_id)
        if merging is None:
            raise Refused(404, "unknown-merge", "No merge that a pair made has this id: tern.identity.v1 tells them.")
        if not await acting.conn.fetchval(_PAIRED, *merging):
            raise Refused(409, "moved-on", "Its pair is of another era by now: name both identifiers, and the day.")
        return merging
    pair = Merging(*(one.node_id for one in await acting.seen((*wish.group, *wish.rest), wish.day)))
    if not await acting.conn.fetchval(_PAIRED, *pair):
        raise Refused(422, "never-paired", "No event says that these two are one person: they can be kept apart.")
    return pair


async def keep_apart(acting: Acting, wish: Wish) -> Meaning:
    """Two that are never one customer; a browser that somebody never holds."""
    subjects = await acting.named((*wish.group, *wish.rest), wish.day)
    if all(one.is_weak for one in subjects):
        raise Refused(422, "two-browsers", "Browsers are never joined with each other: one must name a person.")
    a, b = both(*(one.node_id for one in subjects))
    await _require_new(acting.conn, "cannot-link", [a], [b])
    strong, weak = again(subjects)
    await acting.lock(strong)
    return Meaning((a,), (b,), words=tuple(words_of_cannot_link(0, [a], [b])), again=strong, again_weak=weak)


async def block(acting: Acting, wish: Wish) -> Meaning:
    """A value that joins nobody; a browser that is nobody's."""
    [subject] = await acting.named(wish.group, wish.day)
    return await _about_one(acting, "block", subject)


async def allow(acting: Acting, wish: Wish) -> Meaning:
    """A value whose pairs count, however many they are."""
    [subject] = await acting.named(wish.group, wish.day)
    if subject.is_weak:
        raise Refused(422, "not-counted", "A browser is never in quarantine: there is nothing to allow.")
    if subject.blocked:
        raise Refused(422, "on-blocklist", "The blocklist of the rules names this value: change the rules.")
    return await _about_one(acting, "allow", subject)


async def _about_one(acting: Acting, word: Kind, subject: Subject) -> Meaning:
    opposite: Kind = "allow" if word == "block" else "block"
    await _require_new(acting.conn, word, [subject.node_id])
    if contrary := await controls.in_force(acting.conn, opposite, [subject.node_id]):
        raise Refused(409, "contradicts", f"Control {contrary} says the opposite: undo it first.")
    strong, weak = again([subject])
    await acting.lock(strong)
    words = word_on(0, "block" if word == "block" else "allow", subject.node_id)
    return Meaning((subject.node_id,), words=tuple(words), again=strong, again_weak=weak)


async def split(acting: Acting, wish: Wish) -> Meaning:
    """Two sides of one customer that never meet again, each of which keeps together."""
    named = await acting.seen((*wish.group, *wish.rest), wish.day)
    strong, weak = again(named)
    locked = await acting.lock(strong)
    await _require_one_whole_customer(acting, [one.node_id for one in named], locked)
    group, rest = named[: len(wish.group)], named[len(wish.group) :]
    return Meaning(
        tuple(one.node_id for one in group),
        tuple(one.node_id for one in rest),
        words=tuple(_words_between(group, rest)),
        again=strong,
        again_weak=weak,
    )


def _words_between(group: Sequence[Subject], rest: Sequence[Subject]) -> list[Ruling]:
    (ours, our_weak), (theirs, their_weak) = _kinds(group), _kinds(rest)
    if not (ours and theirs):
        raise Refused(422, "side-of-browsers", "A side must name more than browsers. Keep a browser apart instead.")
    kept_from = [*words_of_cannot_link(0, our_weak, theirs), *words_of_cannot_link(0, their_weak, ours)]
    return [*words_of_split(0, ours, theirs), *kept_from]


def _kinds(side: Sequence[Subject]) -> tuple[list[int], list[int]]:
    return [one.node_id for one in side if not one.is_weak], [one.node_id for one in side if one.is_weak]


async def _require_one_whole_customer(acting: Acting, nodes: Sequence[int], locked: Locked) -> None:
    subjects = await acting.subjects(nodes)
    cores = {one.core for one in subjects}
    if len(cores) != 1:
        raise Refused(409, "not-one-customer", "These are not one customer's: there is nothing to split.")
    members = {node_id for node_id, row in locked.strong.items() if row.core in cores}
    if missing := members - set(nodes):
        unnamed = ", ".join(_masked(one, acting.keys.sealer) for one in await acting.subjects(sorted(missing)))
        raise Refused(422, "not-all-named", f"Put each on a side: {len(missing)} more ({unnamed}).")


def _masked(subject: Subject, sealer: Sealer) -> str:
    value = "" if subject.original is None else masked(sealer.open(subject.original))
    return f"{subject.namespace} {value}"


async def unsay(acting: Acting, control: Control) -> Meaning:
    """What its words named is settled without them."""
    strong, weak = again(await acting.subjects((*control.nodes, *control.rest)))
    await acting.lock(strong)
    return Meaning(again=strong, again_weak=weak)


async def _require_new(conn: Connection, kind: Kind, nodes: Sequence[int], rest: Sequence[int] = ()) -> None:
    if known := await controls.in_force(conn, kind, nodes, rest):
        raise Refused(409, "already-in-force", f"Control {known} says so already.")
