"""Dead letters: the records of the topic of rejected events, as whoever mends them needs them.

Knows how a rejected record says why, who and where. Reads no topic.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from tern_common.bus import Headers, Record
from tern_common.rejecting import AT, KEY
from tern_ingest.domain.bounds import TOO_MANY
from tern_ingest.domain.times import read_time

INGEST = "ingest"
IMPORT = "/v1/import"
"""The path whose letters are lines."""
BODY_REASONS = frozenset({"not-json", "not-utf-8", "batch-not-a-list", "too-deep", "too-many-members", TOO_MANY})
"""Why a body as a whole is no tracking request. Of an import's line they say the same of the line."""
TRUSTED, SENT, ADDRESS, ROBOT = "trusted", "sent-at", "address", "robot"
"""Headers of what ingest rejected itself: what it knew of the request beside the event's bytes."""
YES = b"true"
REPLAY_OF = "replay-of"
"""The header of a record that was put back: the letter's place."""


class Letter(NamedTuple):
    """A rejected record. `place`: a path of ingest, or topic/partition/offset; `key` and `headers`: as it came there.

    The rest is what ingest knew of a request that it rejected, whole or a part of it.
    """

    partition: int
    offset: int
    value: bytes
    reason: str
    service: str
    place: str
    source: str | None
    rejected_at: datetime | None
    key: bytes = b""
    headers: Headers = ()
    trusted: bool = False
    sent_at: str | None = None
    address: str | None = None
    robot: bool = False

    @property
    def at(self) -> str:
        """Where the letter itself stands, for as long as it is kept."""
        return f"{self.partition}/{self.offset}"

    @property
    def origin(self) -> str:
        """The path or the topic, without the number of a line or record."""
        return self.place.partition(":")[0] if self.service == INGEST else self.place.partition("/")[0]

    @property
    def is_whole_body(self) -> bool:
        """Whether it is all of a request, and not one of its events."""
        return self.service == INGEST and self.origin != IMPORT and self.reason in BODY_REASONS


def letter(record: Record) -> Letter:
    """What the record says. Headers behind its key's are those that it had before it was rejected."""
    names = [name for name, _ in record.headers]
    end = names.index(KEY) + 1 if KEY in names else len(names)
    said = dict(reversed(record.headers[:end]))
    text = {name: value.decode("utf-8", "replace") for name, value in said.items()}
    return Letter(
        record.partition,
        record.offset,
        record.value,
        text.get("reason", ""),
        text.get("service", ""),
        text.get("place", ""),
        text.get("source"),
        read_time(text.get(AT)),
        said.get(KEY, b""),
        record.headers[end:],
        said.get(TRUSTED) == YES,
        text.get(SENT),
        text.get(ADDRESS),
        said.get(ROBOT) == YES,
    )


class Wanted(NamedTuple):
    """Which letters: those of which all that is named here is true. `place`: a whole one, or its path or topic."""

    source: str | None = None
    reason: str | None = None
    service: str | None = None
    place: str | None = None
    since: datetime | None = None

    def takes(self, one: Letter) -> bool:
        """Whether the letter is one of them. One that does not say when it was rejected is of no known time."""
        if self.since is not None and (one.rejected_at is None or one.rejected_at < self.since):
            return False
        asked = ((self.source, one.source), (self.reason, one.reason), (self.service, one.service))
        return self.place in (None, one.place, one.origin) and all(name in (None, said) for name, said in asked)
