"""Lines on their way to `POST /v1/import`, in parts that are each answered: so a broken connection costs one part.

A part is sent again until it is answered, since every line is one event however often it comes. Knows no file.
"""

from __future__ import annotations

import asyncio
import gzip
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Self, TextIO

import httpx

from tern_cli.importing.files import Read
from tern_cli.platform import read_answer
from tern_common.clock import Clock
from tern_common.errors import Refused, Transient

PART_LINES, PART_BYTES = 5_000, 4 * 1024 * 1024
LOOKED_AT = 100
"""Lines that are tried, without storing them, before any is sent."""
_PATH = "/v1/import"
_TIMEOUT = httpx.Timeout(120, connect=10)
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 15.0
_TOO_SLOW, _HOPELESS = 408, 422
_SAMPLES = 5
_SHOWN_BYTES = 160


class Door(NamedTuple):
    """Where lines go, with which write key, and how long it may be away."""

    address: str
    write_key: str
    patience_s: float
    clock: Clock
    transport: httpx.BaseTransport | None = None


class Report:
    """What was said of all lines so far. `line`: all up to this one need not be sent again."""

    def __init__(self, line: int = 0) -> None:
        self.line = line
        self.place = 0
        self.accepted = 0
        self.reasons: Counter[str] = Counter()
        self.samples: list[dict[str, Any]] = []

    @property
    def rejected(self) -> int:
        """Lines refused, here or there."""
        return self.reasons.total()

    def add(self, reasons: Mapping[str, int], samples: Iterable[Mapping[str, Any]], accepted: int = 0) -> None:
        """Of a part. A few samples of each reason are kept."""
        self.accepted += accepted
        self.reasons.update(reasons)
        for sample in samples:
            if sum(known["reason"] == sample["reason"] for known in self.samples) < _SAMPLES:
                self.samples.append(dict(sample))
        self.samples.sort(key=lambda known: int(known["line"]))

    def told(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "line": self.line,
            "accepted": self.accepted,
            "rejected": self.rejected,
            "reasons": dict(self.reasons.most_common()),
            "samples": self.samples,
        }


def parts_of(lines: Iterable[Read], from_line: int) -> Iterator[list[Read]]:
    """Lines in parts, from that line on. A part has at least one line, and few enough to be answered soon."""
    part: list[Read] = []
    size = 0
    for line in lines:
        if line.number < from_line:
            continue
        part.append(line)
        size += len(line.text)
        if len(part) >= PART_LINES or size >= PART_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


class Sending:
    """One file on its way. Used as a context: it keeps the connection. `rejected`: where each rejected line goes."""

    def __init__(self, door: Door, report: Report, dry_run: bool = False, rejected: TextIO | None = None) -> None:
        self._door = door
        self._dry_run = dry_run
        self._rejected = rejected
        self.report = report
        self._http = httpx.Client(
            base_url=door.address, auth=(door.write_key, ""), timeout=_TIMEOUT, transport=door.transport
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def send(self, part: list[Read]) -> None:
        """Returns when the platform has every line of the part, accepted or rejected, and has been counted.

        Raises `Transient` when it stays away, and `Refused`.
        """
        try:
            said = self._answered(part, self._dry_run)
        except Hopeless as wrong:
            self._count([line for line in part if line.number <= wrong.said["line"]], wrong.said)
            raise
        self._count(part, said)

    def look(self, part: list[Read]) -> Report:
        """What would become of the first lines. Nothing is stored or counted."""
        found = Report()
        said = self._answered(part[:LOOKED_AT], dry_run=True)
        _note(found, part[:LOOKED_AT], said)
        return found

    def _count(self, part: list[Read], said: Mapping[str, Any]) -> None:
        _note(self.report, part, said)
        if self._rejected is not None:
            self._rejected.writelines(_kept(part, said["each_rejected"]))
            self._rejected.flush()
        self.report.line, self.report.place = part[-1].number, part[-1].place

    def _answered(self, part: list[Read], dry_run: bool) -> Mapping[str, Any]:
        clock = self._door.clock
        until, pause_s = clock.monotonic() + self._door.patience_s, _FIRST_PAUSE_S
        while True:
            try:
                return self._asked(part, dry_run)
            except (Transient, httpx.TransportError) as wrong:
                if clock.monotonic() >= until:
                    why = str(wrong) or type(wrong).__name__
                    raise Transient(f"ingest does not take lines at {self._door.address}: {why}") from None
            asyncio.run(clock.sleep(pause_s))
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _asked(self, part: list[Read], dry_run: bool) -> Mapping[str, Any]:
        """Rejected lines of the file itself go as empty ones, so that numbers stay the file's."""
        answer = self._http.post(
            _PATH,
            params={"first_line": part[0].number, **self._asks(dry_run)},
            headers={"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"},
            content=gzip.compress(b"\n".join(line.text for line in part), 1),
        )
        *before, said = _records(answer)
        said["each_rejected"] = [record for record in before if "reason" in record]
        if answer.status_code == _TOO_SLOW or (said.get("done") is False and answer.is_success):
            raise Transient("the import was ended")
        if answer.status_code == _HOPELESS and "line" in said:
            raise Hopeless(said)
        read_answer("ingest", httpx.Response(answer.status_code, json=said))
        return said

    def _asks(self, dry_run: bool) -> dict[str, str]:
        asked = {"dry_run": dry_run, "each_rejected": self._rejected is not None}
        return {name: "true" for name, wanted in asked.items() if wanted}


class Hopeless(Refused):
    """Nearly all lines of a part are rejected: `said` tells why."""

    def __init__(self, said: Mapping[str, Any]) -> None:
        super().__init__(_HOPELESS, "mostly-rejected", str(said.get("message")))
        self.said = said


def _records(answer: httpx.Response) -> list[dict[str, Any]]:
    """At least one: the last says what became of all."""
    try:
        found = [json.loads(line) for line in answer.text.strip().splitlines()]
    except ValueError:
        found = []
    if not found or not all(isinstance(record, dict) for record in found):
        raise Transient("ingest's answer is cut off")
    return found


def _note(report: Report, part: list[Read], said: Mapping[str, Any]) -> None:
    mine = [{"line": line.number, "reason": line.reason} for line in part if line.reason]
    report.add(Counter(str(sample["reason"]) for sample in mine), mine)
    report.add(said["reasons"], [_shown(sample, part) for sample in said["samples"]], said["accepted"])


def _kept(part: list[Read], refused: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Each rejected line of a part as JSON, in order: its number, why, and all of it."""
    reasons = {line.number: line.reason for line in part if line.reason}
    reasons |= {record["line"]: record["reason"] for record in refused}
    for line in part:
        if line.number in reasons:
            text = line.text.decode("utf-8", "replace")
            said = {"line": line.number, "reason": reasons[line.number], "text": text}
            yield json.dumps(said, ensure_ascii=False) + "\n"


def _shown(sample: Mapping[str, Any], part: list[Read]) -> dict[str, Any]:
    """With the line's beginning, so that nobody has to look it up."""
    text = part[sample["line"] - part[0].number].text[:_SHOWN_BYTES]
    return {**sample, "text": text.decode("utf-8", "replace")}
