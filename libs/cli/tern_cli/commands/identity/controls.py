"""`tern identity revert`, `split`, `keep-apart`, `block`, `allow`, `retire`, `erase`; `controls` and `undo`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

from tern_cli.commands.identity.words import Why, identifier
from tern_cli.platform import Session
from tern_cli.printing import show_json, show_rows

ERASED_FOR_GOOD = (
    "All events that name this identifier lose it, what was filed under it is deleted in every service, and nothing "
    "brings it back."
)

_DAYS = ["%Y-%m-%d"]

One = Annotated[str, typer.Argument(help="An identifier, such as email:ann@example.com.")]
Other = Annotated[str, typer.Argument(help="Another one.")]
Day = Annotated[
    datetime | None, typer.Option(formats=_DAYS, help="The day on which the identifiers are meant; else today.")
]


class Kind(StrEnum):
    """What controls do."""

    REVERT = "revert"
    SPLIT = "split"
    CANNOT_LINK = "cannot-link"
    BLOCK = "block"
    ALLOW = "allow"
    RETIRE = "retire"
    ERASE = "erase"


def revert(
    context: typer.Context,
    merge: Annotated[str, typer.Argument(help="A merge_id, as tern.identity.v1 tells it; or an identifier.")],
    why: Why,
    other: Annotated[str | None, typer.Argument(help="The other identifier of the pair, if the first is one.")] = None,
    day: Day = None,
) -> None:
    """Take back a merge: the pair that made it counts no more, even if it is said again."""
    named = {"merge_id": merge} if other is None else {"a": identifier(merge), "b": identifier(other)}
    _act(context, "revert", why, day=_date(day), **named)


def split(
    context: typer.Context,
    group: Annotated[list[str], typer.Argument(help="The identifiers of one side.")],
    rest: Annotated[list[str], typer.Option(help="An identifier of the other side; as often as there are.")],
    why: Why,
    day: Day = None,
) -> None:
    """Part a customer into two that never meet again. Every identifier but browsers is on one side."""
    sides = {"group": [identifier(one) for one in group], "rest": [identifier(one) for one in rest]}
    _act(context, "split", why, day=_date(day), **sides)


def keep_apart(context: typer.Context, one: One, other: Other, why: Why, day: Day = None) -> None:
    """Keep two from ever being one customer, or a browser from a person."""
    _act(context, "cannot-link", why, day=_date(day), a=identifier(one), b=identifier(other))


def block(context: typer.Context, one: One, why: Why, day: Day = None) -> None:
    """Put a value into quarantine, so that it joins nobody; a browser is nobody's from now on."""
    _act(context, "block", why, day=_date(day), identifier=identifier(one))


def allow(context: typer.Context, one: One, why: Why, day: Day = None) -> None:
    """Let a value out of quarantine, however many share it."""
    _act(context, "allow", why, day=_date(day), identifier=identifier(one))


def retire(
    context: typer.Context,
    one: One,
    day: Annotated[datetime, typer.Argument(formats=_DAYS, help="The first UTC day of its next owner.")],
    why: Why,
) -> None:
    """Say that from a day on an identifier is another person's: a recycled number, a sold device."""
    _act(context, "retire", why, day=_date(day), identifier=identifier(one))


def erase(
    context: typer.Context,
    one: One,
    why: Why,
    yes: Annotated[bool, typer.Option("--yes", help="Do it, knowing that there is no way back.")] = False,
) -> None:
    """Delete all that was said of an identifier. There is no way back."""
    if not yes:
        raise typer.BadParameter(f"{ERASED_FOR_GOOD} With --yes it is done.", param_hint="--yes")
    _act(context, "erase", why, identifier=identifier(one))


def undo(
    context: typer.Context, control: Annotated[int, typer.Argument(help="Number of the control.")], why: Why
) -> None:
    """Take a control back: customers are as they would be without it."""
    _tell(context, context.obj.ask("identity", "POST", f"/v1/controls/{control}/undo", json={"reason": why}))


def controls(
    context: typer.Context,
    kind: Annotated[Kind | None, typer.Option(help="Only of this kind.")] = None,
    before: Annotated[int | None, typer.Option(help="Go on before this number, which the page before named.")] = None,
) -> None:
    """List what operators did and took back, with who and why, the newest first."""
    session: Session = context.obj
    asked = {"kind": kind.value if kind else None, "before": before}
    params = {name: value for name, value in asked.items() if value is not None}
    page = session.ask("identity", "GET", "/v1/controls", params=params)
    if session.as_json:
        show_json(page)
        return
    rows = [{**row, "whom": _whom(row), "undone_by": (row["undone"] or {}).get("by")} for row in page["controls"]]
    show_rows(rows, ("control_id", "kind", "whom", "day", "by", "reason", "at", "undone_by"))
    if page["next"] is not None:
        print(f"There are more: tern identity controls --before {page['next']}", file=sys.stderr)


def _act(context: typer.Context, kind: str, why: str, **named: Any) -> None:
    """What is None is left out."""
    sent = {name: value for name, value in named.items() if value is not None}
    _tell(context, context.obj.ask("identity", "POST", "/v1/controls", json={"kind": kind, "reason": why, **sent}))


def _tell(context: typer.Context, done: Any) -> None:
    session: Session = context.obj
    if session.as_json:
        show_json(done)
        return
    print(f"control {done['control_id']}: {done['moved']} homes and doors have another customer")
    for turn in done["customers"]:
        print(f"{turn['from']} -> {turn['to']}")


def _whom(row: Any) -> str:
    sides = ([f"{one['namespace']}:{one['value'] or '(erased)'}" for one in row[side]] for side in ("subjects", "rest"))
    return " | ".join(", ".join(side) for side in sides if side)


def _date(day: datetime | None) -> str | None:
    return None if day is None else day.date().isoformat()


ACTS: Mapping[str, Callable[..., None]] = {
    "revert": revert,
    "split": split,
    "keep-apart": keep_apart,
    "block": block,
    "allow": allow,
    "retire": retire,
    "erase": erase,
    "undo": undo,
    "controls": controls,
}
