"""What becomes of a line of history: the same as of a tracking call, but told once however often it is imported.

Knows no file and no request; lines come one by one, and what was said of them is counted in bounded memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any, NamedTuple

from tern_common.errors import Unusable
from tern_ingest.domain import calls, tolerant
from tern_ingest.domain.calls import Parsed, Part
from tern_ingest.domain.decisions import Decision, Rejected, Stamp, decide
from tern_ingest.domain.lines import Line
from tern_ingest.domain.policy import Limits
from tern_ingest.domain.scrubbing import may_hold_secrets

_ID_BYTES = 16
_BOM = b"\xef\xbb\xbf"
_ENOUGH_TO_TELL = 1_000
_HOPELESS = 9


class Judged(NamedTuple):
    """A line and its decision; None for a line of nothing but spaces."""

    line: Line
    decision: Decision | None

    @property
    def reason(self) -> str | None:
        """Why the line was rejected; None when it was not."""
        return self.decision.reason if isinstance(self.decision, Rejected) else None


def judge(line: Line, stamp: Stamp, limits: Limits) -> Judged:
    """Decides about one line. `stamp.mode` is `backfill`."""
    text = line.text.removeprefix(_BOM).strip()
    if not text:
        return Judged(line, None)
    marked = stamp._replace(may_hold_secrets=may_hold_secrets(text))
    part = Part(line.text, "line-too-long") if line.cut else _part(text, limits)
    (decision,) = decide(Parsed([part]), marked, _id_of(text, stamp.source_id))
    return Judged(line, decision)


def _part(text: bytes, limits: Limits) -> Part:
    if len(text) > limits.event_bytes:
        return Part(text, "event-too-large")
    try:
        parsed = calls.parse(text, limits) or tolerant.parse(text, limits)
    except Unusable as wrong:
        return Part(text, wrong.reason)
    return parsed.parts[0] if len(parsed.parts) == 1 else Part(text, "line-not-one-event")


def _id_of(text: bytes, source_id: str) -> Iterator[str]:
    """An id that the line has again whenever it is imported again: two equal lines of a source are one event."""
    yield blake2b(source_id.encode() + b"\n" + text, digest_size=_ID_BYTES, person=b"tern-import").hexdigest()


class Tally:
    """What was said of the lines of one import. `samples`: how many lines of each reason are named."""

    def __init__(self, samples: int) -> None:
        self.accepted = self.blank = 0
        self.reasons: Counter[str] = Counter()
        self._samples: dict[str, list[int]] = {}
        self._most = samples

    @property
    def rejected(self) -> int:
        """Lines refused."""
        return self.reasons.total()

    @property
    def hopeless(self) -> bool:
        """Whether going on makes no sense: this is some other file, or its mapping is wrong."""
        useless = self.rejected + self.blank
        return useless >= _ENOUGH_TO_TELL and useless > _HOPELESS * self.accepted

    def add(self, judged: Judged) -> None:
        """Counts a line whose decision was carried out."""
        reason = judged.reason
        if reason is not None:
            self.reasons[reason] += 1
            named = self._samples.setdefault(reason, [])
            if len(named) < self._most:
                named.append(judged.line.number)
        elif judged.decision is None:
            self.blank += 1
        else:
            self.accepted += 1

    def told(self) -> dict[str, Any]:
        """All of it, as the report has it."""
        named = sorted((number, reason) for reason, found in self._samples.items() for number in found)
        samples = [{"line": number, "reason": reason} for number, reason in named]
        return {"reasons": dict(self.reasons.most_common()), "samples": samples}
