"""Brings the fragments of a batch up to date: combined with what is new, or folded again from the home's events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tern_common.db import Connection
from tern_common.events import decode_event
from tern_profile.domain import fragment
from tern_profile.domain.change import Change, change
from tern_profile.domain.consent import Consent, Key
from tern_profile.domain.fragment import Fragment
from tern_profile.domain.policy import Policy
from tern_profile.domain.reading import SubjectOf, read
from tern_profile.domain.standing import Standing
from tern_profile.domain.statements import Filed, MessageKey
from tern_profile.store import consents, erasing, events, homes
from tern_profile.store.consents import Link
from tern_profile.store.erasing import Suppressed
from tern_profile.store.events import Inserted
from tern_profile.store.homes import Home, Saved
from tern_profile.store.records import Basis


@dataclass(frozen=True)
class Brought:
    """What bringing fragments up to date means for others.

    `public`: homes whose customer's record may have changed. `spoken`: contacts whose consent changed.
    """

    public: set[bytes] = field(default_factory=set)
    spoken: set[bytes] = field(default_factory=set)


async def bring(
    conn: Connection,
    filed: Mapping[MessageKey, Filed],
    inserted: Inserted,
    locked: Mapping[bytes, Home],
    suppressed: Suppressed,
    basis: Basis,
) -> Brought:
    """Writes fragments, and what they (and erased homes) say about named contacts."""
    refolded = {home for home, _ in inserted.lowered}
    changes = _combined(_news(filed, inserted, refolded), locked, basis)
    again = await _refolded(conn, refolded, basis)
    await homes.save(conn, {home: _saved(one) for home, one in changes.items()} | {h: _whole(one) for h, one in again})
    changes.update(again)
    spoken = await _speak(conn, changes, refolded, suppressed, basis.subject_of)
    return Brought({home for home, one in changes.items() if one.public}, spoken)


def _news(filed: Mapping[MessageKey, Filed], inserted: Inserted, refolded: set[bytes]) -> dict[bytes, list[Fragment]]:
    """Home → what is new, where it can be added."""
    news: dict[bytes, list[Fragment]] = {}
    for key, said in filed.items():
        if key in inserted.fresh and said.home not in refolded:
            news.setdefault(said.home, []).append(said.fragment)
    return news


def _combined(news: Mapping[bytes, list[Fragment]], locked: Mapping[bytes, Home], basis: Basis) -> dict[bytes, Change]:
    today = basis.moments.newest_day()
    return {home: _combine(locked[home], added, basis.policy, today) for home, added in news.items()}


def _combine(home: Home, added: list[Fragment], policy: Policy, today: int) -> Change:
    """The standing is read only when something new is said about it, or a day of it is over."""
    days = {one.rhythm.day for one in added}
    old = _loaded(home, None)
    if days != {old.rhythm.day} or any(one.standing is not None for one in added):
        old.standing = fragment.decode_standing(home.standing)
    return change(old, fragment.fold((old, *added), policy), late=days != {today})


def _loaded(home: Home, standing: str | None) -> Fragment:
    activity = fragment.decode_activity(home.activity)
    rhythm = fragment.decode_rhythm(home.rhythm)
    return Fragment(home.first_at, home.last_at, activity, fragment.decode_standing(standing), rhythm)


async def _refolded(conn: Connection, refolded: set[bytes], basis: Basis) -> list[tuple[bytes, Change]]:
    """As if nothing had been known before, so that everything is said again."""
    found = []
    for home in refolded:
        new = Fragment()
        async for raws in events.pages(conn, home):
            parts = (read(decode_event(raw.encode()), basis.subject_of, basis.policy) for raw in raws)
            new = fragment.fold((new, *parts), basis.policy)
        new.standing = new.standing or Standing()
        found.append((home, change(Fragment(), new)._replace(public=True)))
    return found


def _saved(one: Change) -> Saved:
    new = one.fragment
    standing = None if one.standing is None else fragment.encode(one.standing)
    return Saved(new.first_at, new.last_at, fragment.encode(new.activity), fragment.encode(new.rhythm), standing)


def _whole(one: Change) -> Saved:
    saved = _saved(one)
    assert one.fragment.standing is not None
    return saved._replace(standing=fragment.encode(one.fragment.standing))


async def _speak(
    conn: Connection,
    changes: Mapping[bytes, Change],
    refolded: set[bytes],
    suppressed: Suppressed,
    subject_of: SubjectOf,
) -> set[bytes]:
    """Writes consent and links under the subjects' locks; returns the subjects whose consent changed."""
    said: dict[tuple[bytes, Key], Consent] = {
        (home, k): c for home, one in changes.items() for k, c in one.said.items()
    }
    links = {
        Link(bytes.fromhex(subject_of(point.kind, point.value)), home)
        for home, one in changes.items()
        for point in one.reached
    }
    unsaid = await consents.spoken_of(conn, refolded)
    spoken = {bytes.fromhex(key.subject) for _, key in said} | unsaid | suppressed.subjects
    subjects = spoken | {one.subject for one in links}
    if subjects:
        await consents.lock(conn, subjects, links)
        await consents.forget(conn, refolded)
        await consents.say(conn, said)
        await erasing.carry_out(conn, suppressed)
    return spoken
