"""`tern import`: a file of history into the platform, through ingest's door. Safe to run twice."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import Annotated, TextIO

import typer

from tern_cli.importing.files import Kind, Read, is_table, lines_of
from tern_cli.importing.mapping import MappingFile, declared
from tern_cli.importing.sending import Door, Report, Sending, parts_of
from tern_cli.importing.telling import Progress
from tern_cli.platform import Session
from tern_cli.printing import show_json, show_lines, show_outline
from tern_common.clock import SystemClock
from tern_common.errors import Misconfigured, Refused, TernError
from tern_common.policy import load_policy

_INTERRUPTED = 130


class Format(StrEnum):
    """What a file is, whatever its name says."""

    ndjson = "ndjson"
    csv = "csv"


File = Annotated[Path, typer.Argument(metavar="FILE", help="NDJSON or CSV, plain or .gz.", exists=True, dir_okay=False)]
Pairs = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="COLUMN=FIELD",
        help="Where a column goes: email=properties.email, no=properties.order_id, total=properties.total:number.",
    ),
]


def import_(  # noqa: PLR0913 - options, given by name
    context: typer.Context,
    file: File,
    pairs: Pairs = None,
    mapping: Annotated[
        Path | None, typer.Option(help="The same as YAML: type, event, timestamp, columns.", exists=True)
    ] = None,
    kind: Annotated[str | None, typer.Option("--type", help="What every row is: track, identify, ...")] = None,
    event: Annotated[str | None, typer.Option(help='What every row says happened: "Order Completed".')] = None,
    timestamp: Annotated[str | None, typer.Option(metavar="COLUMN", help="When it happened.")] = None,
    format_: Annotated[Format | None, typer.Option("--format", help="Else as the file's name says.")] = None,
    delimiter: Annotated[str | None, typer.Option(help="Of a table's cells; else as its heading says.")] = None,
    encoding: Annotated[str, typer.Option(help="Of a table.")] = "utf-8-sig",
    from_line: Annotated[int, typer.Option(min=1, help="Go on here: a line of JSON, or a row below the heading.")] = 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would become of it, and store nothing.")] = False,
    rejected: Annotated[
        Path | None, typer.Option(help="Write each rejected line there, as JSON: its number, why, and its text.")
    ] = None,
    patience: Annotated[float, typer.Option(help="Seconds that ingest may be away.")] = 300.0,
) -> None:
    """Bring in history: events as lines of JSON, or rows of a table. Needs a server's write key in TERN_WRITE_KEY."""
    session: Session = context.obj
    said = declared(
        load_policy(mapping, MappingFile) if mapping else None,
        pairs or (),
        {"type": kind, "event": event, "timestamp": timestamp},
    )
    table = format_ == Format.csv if format_ else is_table(file)
    if not table and said != MappingFile():
        raise Misconfigured(f"{file} is read as lines of JSON, which need no mapping: for a table say --format csv")
    lines = lines_of(file, Kind(table, said, delimiter, encoding))
    addresses = session.addresses
    door = Door(addresses["ingest"], addresses["write_key"], patience, SystemClock(), session.transport)
    report = Report(from_line - 1)
    with _opened(rejected, from_line) as kept, Sending(door, report, dry_run, kept) as sending:
        _send(sending, parts_of(lines, from_line), Progress(file.stat().st_size, door.clock))
    _tell(session, report, dry_run)
    raise typer.Exit(1 if report.rejected else 0)


@contextmanager
def _opened(path: Path | None, from_line: int) -> Iterator[TextIO | None]:
    """Written anew, or gone on with where the import is. Raises `Misconfigured`."""
    if path is None:
        yield None
        return
    try:
        file = path.open("a" if from_line > 1 else "w", encoding="utf-8")
    except OSError as wrong:
        raise Misconfigured(f"{path}: {wrong.strerror or wrong}") from None
    with file:
        yield file


def _send(sending: Sending, parts: Iterator[list[Read]], progress: Progress) -> None:
    first = next(parts, None)
    if first is None:
        return
    _look(sending, first)
    with _where_to_go_on(sending.report), progress:
        for part in chain([first], parts):
            sending.send(part)
            progress.show(sending.report)


def _look(sending: Sending, first: list[Read]) -> None:
    """Raises `Refused` when none of the first lines would be accepted: then the file or its mapping is wrong."""
    looked = sending.look(first)
    if looked.rejected and not looked.accepted:
        show_lines(_samples(looked), to=sys.stderr)
        raise Refused(422, "none-accepted", "none of the first lines would be accepted; nothing was sent")


@contextmanager
def _where_to_go_on(report: Report) -> Iterator[None]:
    """Whatever ends an import says how to go on with it."""
    hint = "all lines up to {0} are done with; go on with --from-line {1}"
    try:
        yield
    except KeyboardInterrupt:
        print("tern: interrupted:", hint.format(report.line, report.line + 1), file=sys.stderr)
        raise typer.Exit(_INTERRUPTED) from None
    except TernError:
        show_lines(_samples(report), to=sys.stderr)
        print("tern:", hint.format(report.line, report.line + 1), file=sys.stderr)
        raise


def _samples(report: Report) -> Iterable[str]:
    for sample in report.samples:
        yield f"line {sample['line']}: {sample['reason']}  {sample.get('text', '')}".rstrip()


def _tell(session: Session, report: Report, dry_run: bool) -> None:
    if session.as_json:
        show_json({**report.told(), **({"dry_run": True} if dry_run else {})})
        return
    counts = {"would be accepted" if dry_run else "accepted": report.accepted, "rejected": report.rejected}
    show_outline({**counts, "reasons": dict(report.reasons.most_common())})
    show_lines(_samples(report))
