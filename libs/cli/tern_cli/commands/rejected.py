"""`tern rejected`: what no service could take, by reason; and sending it again, mended. Through ingest's door."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from tern_cli.platform import Session
from tern_cli.printing import show_json, show_lines, show_rows
from tern_common.errors import Misconfigured

app = typer.Typer(no_args_is_help=True, help="Events that were refused: why, and sent again when it is mended.")

_COLUMNS = ("count", "reason", "source", "service", "place", "first_at", "last_at")
_NAME = ("reason", "source", "service", "place")

Source = Annotated[str | None, typer.Option(help="Only of this source, by its id.")]
Reason = Annotated[str | None, typer.Option(help="Only with this reason, such as timestamp-unreadable.")]
Service = Annotated[str | None, typer.Option(help="Only what this service rejected.")]
Place = Annotated[str | None, typer.Option(help="Only of a path (/v1/batch), a topic, or one place that `list` shows.")]
Since = Annotated[str | None, typer.Option(help="Only rejected from then on, such as 2026-01-31T00:00:00Z.")]
Steps = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="STEP",
        help='A step of mending: "rename A B", "default A VALUE", "date A FORMAT [ZONE]", '
        '"type A text|number|boolean", "remove A". Fields are named from the top: properties.price.',
    ),
]
File = Annotated[Path | None, typer.Option(help="Such steps, a line each.", exists=True, dir_okay=False)]


@app.command("list")
def list_(  # noqa: PLR0913 - options, given by name
    context: typer.Context,
    source: Source = None,
    reason: Reason = None,
    service: Service = None,
    place: Place = None,
    since: Since = None,
    samples: Annotated[int, typer.Option(min=0, max=10, help="Events shown of each group.")] = 1,
) -> None:
    """Show what was rejected, by reason, source, service and place. Samples are masked without pii:read."""
    session: Session = context.obj
    asked = {**_filter(source, reason, service, place, since), "samples": samples}
    groups: dict[tuple[Any, ...], dict[str, Any]] = {}

    def page_from(cursor: str | None) -> Any:
        params = asked if cursor is None else {**asked, "cursor": cursor}
        return session.ask("ingest", "GET", "/v1/rejected", params=params)

    for page in _pages(page_from):
        for group in page["groups"]:
            name = tuple(group[part] for part in _NAME)
            groups[name] = _together(groups[name], group, samples) if name in groups else group
    found = sorted(groups.values(), key=lambda group: -int(group["count"]))
    if session.as_json:
        show_json({"groups": found})
        return
    show_rows(found, _COLUMNS)
    show_lines(f"{group['reason']} at {one['place']}: {one['text']}" for group in found for one in group["samples"])


@app.command()
def replay(  # noqa: PLR0913 - options, given by name
    context: typer.Context,
    source: Source = None,
    reason: Reason = None,
    service: Service = None,
    place: Place = None,
    since: Since = None,
    steps: Steps = None,
    mapping: File = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would become of each, and send nothing.")
    ] = False,
) -> None:
    """Send rejected events again, mended. Safe to run twice: each counts once."""
    session: Session = context.obj
    order = {
        "where": _filter(source, reason, service, place, since),
        "mapping": [*_read(mapping), *(steps or [])],
        "dry_run": dry_run,
    }
    accepted, refused, samples = 0, Counter[str](), dict[str, dict[str, Any]]()

    def page_from(cursor: str | None) -> Any:
        return session.ask("ingest", "POST", "/v1/rejected/replay", json={**order, "cursor": cursor})

    for page in _pages(page_from):
        accepted += page["accepted"]
        refused.update(page["refused"])
        samples = {**{one["outcome"]: one for one in page["samples"]}, **samples}
    if session.as_json:
        told = {"accepted": accepted, "refused": dict(refused), "samples": list(samples.values()), "dry_run": dry_run}
        show_json(told)
        return
    show_lines([f"{accepted} would be accepted" if dry_run else f"{accepted} sent again"])
    show_lines(f"{count} {'would be ' if dry_run else ''}refused: {why}" for why, count in refused.most_common())
    if dry_run:
        show_lines(f"{one['outcome']}, {one['at']}: {one['mended']}" for one in samples.values())


def _filter(
    source: str | None, reason: str | None, service: str | None, place: str | None, since: str | None
) -> dict[str, str]:
    asked = {"source": source, "reason": reason, "service": service, "place": place, "since": since}
    return {name: said for name, said in asked.items() if said is not None}


def _read(file: Path | None) -> list[str]:
    """The steps of a file; lines without one are kept, so that a bad step's number is its line's."""
    try:
        return [] if file is None else file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise Misconfigured(f"{file}: cannot be read as UTF-8 text") from None


def _pages(ask: Callable[[str | None], Any]) -> Iterator[Any]:
    """One page after the other, each asked for with the cursor of the one before."""
    cursor: str | None = None
    while True:
        page = ask(cursor)
        yield page
        cursor = page["next"]
        if cursor is None:
            return


def _together(one: Mapping[str, Any], other: Mapping[str, Any], samples: int) -> dict[str, Any]:
    """The same group of two pages. Times are of one form, so that they compare as texts."""
    firsts = [at for at in (one["first_at"], other["first_at"]) if at]
    lasts = [at for at in (one["last_at"], other["last_at"]) if at]
    return {
        **one,
        "count": one["count"] + other["count"],
        "first_at": min(firsts, default=None),
        "last_at": max(lasts, default=None),
        "samples": [*one["samples"], *other["samples"]][:samples],
    }
