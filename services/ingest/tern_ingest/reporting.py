"""`GET /v1/sources/{id}/quality`: what a source sends, and what is wrong with it. Numbers and the shop's own words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel

from tern_common.auth import require
from tern_common.clock import Clock
from tern_ingest.domain.tallies import Counts, Key, What
from tern_ingest.domain.taxonomy import Vocabulary
from tern_ingest.quality_store import QualityStore

LONGEST_DAYS = 90

SourceId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
Days = Annotated[int, Query(ge=1, le=LONGEST_DAYS, description="So many days, the last of them today, in UTC.")]
Share = float | None
"""From 0 to 1; null where there was nothing to take a share of."""


class Numbers(BaseModel):
    """What came, as it was received. Shares are of `accepted`, but `without_consent_share`: that is of `sampled`.

    `late`: more than four hours after it happened. `skewed`: from a clock that is wrong by more than two minutes.
    `anonymous`: without a user id. `without_consent`: without `context.consent.categoryPreferences`.
    """

    accepted: int
    rejected: int
    late_share: Share
    bot_share: Share
    test_share: Share
    skewed_share: Share
    anonymous_share: Share
    sampled: int
    without_consent_share: Share


class DayNumbers(Numbers):
    """The same of one day, in UTC."""

    day: date


class Reason(BaseModel):
    """Rejected events by why."""

    reason: str
    count: int


class Refusal(BaseModel):
    """Requests that were refused by why: their events did not come, and are nowhere."""

    reason: str
    count: int


class Named(BaseModel):
    """Track events of a name. `other` stands for names that are not kept: unknown ones beyond so many of a day
    (`counting.unknown_names` of the policy), longer than 64 characters, with an @ or more than five digits."""

    event: str
    count: int


class FaultNumbers(BaseModel):
    """Events whose property is missing or ill-formed: `count` of the `checked` ones of that name in the sample."""

    event: str
    property: str
    fault: str
    expected: str | None
    count: int
    checked: int


class SourceQuality(BaseModel):
    """All of it, the most frequent first. `sampled`, `without_consent_share` and `faults` are of a sample: of each
    few seconds (`counting.every_s` of the policy) the first events, at most `counting.sample_of_source` of a source and
    `counting.sample` of all. All else is exact, but for the seconds that a killed process had not stored."""

    source_id: str
    since: date
    until: date
    total: Numbers
    days: list[DayNumbers]
    rejected: list[Reason]
    refused: list[Refusal]
    known: list[Named]
    unknown: list[Named]
    faults: list[FaultNumbers]


def quality_router(store: QualityStore, vocabulary: Vocabulary, clock: Clock) -> APIRouter:
    """The numbers are a few seconds old."""
    router = APIRouter(prefix="/v1", tags=["sources and keys"], dependencies=[Depends(require("read"))])

    @router.get("/sources/{source_id}/quality")
    async def source_quality(source_id: SourceId, days: Days = 7) -> SourceQuality:
        """What a source sent in the last days, how much of it was late, rejected or a robot's, and what is wrong."""
        until = clock.now().date()
        since = until - timedelta(days=days - 1)
        return quality_of(source_id, (since, until), await store.counts(source_id, since, until), vocabulary)

    return router


def quality_of(source_id: str, span: tuple[date, date], counts: Counts, vocabulary: Vocabulary) -> SourceQuality:
    """The answer that follows from the numbers."""
    days = sorted({key.day for key in counts})
    return SourceQuality(
        source_id=source_id,
        since=span[0],
        until=span[1],
        total=Numbers.model_validate(_numbers(counts)),
        days=[DayNumbers.model_validate({"day": day, **_numbers(_of_day(counts, day))}) for day in days],
        rejected=[Reason(reason=key.how, count=count) for key, count in _ranked(counts, "rejected")],
        refused=[Refusal(reason=key.how, count=count) for key, count in _ranked(counts, "refused")],
        known=[Named(event=key.name, count=count) for key, count in _ranked(counts, "named")],
        unknown=[Named(event=key.name, count=count) for key, count in _ranked(counts, "unknown")],
        faults=list(_faults(counts, vocabulary)),
    )


def _of_day(counts: Counts, day: date) -> Counts:
    return {key: count for key, count in counts.items() if key.day == day}


def _numbers(counts: Counts) -> dict[str, int | Share]:
    accepted, sampled = _sum(counts, "accepted"), _sum(counts, "sampled")
    shares: Iterable[What] = ("late", "bot", "test", "skewed", "anonymous")
    return {
        "accepted": accepted,
        "rejected": _sum(counts, "rejected"),
        **{f"{what}_share": _share(_sum(counts, what), accepted) for what in shares},
        "sampled": sampled,
        "without_consent_share": _share(_sum(counts, "without-consent"), sampled),
    }


def _sum(counts: Counts, what: What) -> int:
    return sum(count for key, count in counts.items() if key.what == what)


def _share(part: int, whole: int) -> Share:
    return round(part / whole, 4) if whole else None


def _ranked(counts: Counts, what: What) -> list[tuple[Key, int]]:
    """Over all days, the most frequent first."""
    found: Counts = {}
    for key, count in counts.items():
        if key.what == what:
            whole = key._replace(day=date.min)
            found[whole] = found.get(whole, 0) + count
    return sorted(found.items(), key=lambda one: (-one[1], one[0]))


def _faults(counts: Counts, vocabulary: Vocabulary) -> Iterator[FaultNumbers]:
    checked = {key.name: count for key, count in _ranked(counts, "checked")}
    for key, count in _ranked(counts, "fault"):
        yield FaultNumbers(
            event=key.name,
            property=key.about,
            fault=key.how,
            expected=vocabulary.expected(key.name, key.about),
            count=count,
            checked=checked.get(key.name, 0),
        )
