"""`tern triggers explain`: why something fired, why not (yet), and when it is looked at next, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import typer

from tern_cli.commands.triggers.whom import Customer, RuleName, customer_id
from tern_cli.printing import show_json, show_lines

_MARKS = {True: "passed", False: "failed"}


def explain(context: typer.Context, customer: Customer, rule: RuleName = None) -> None:
    """Say where each rule, or one of them, stands with a customer: what was decided, and what would come next."""
    params = {"customer_id": customer_id(context.obj, customer)} | ({"rule": rule} if rule else {})
    answer = context.obj.ask("triggers", "GET", "/v1/decisions/explain", params=params)
    if context.obj.as_json:
        show_json(answer)
    else:
        show_lines(_lines(answer))


def _lines(answer: Mapping[str, Any]) -> Iterator[str]:
    safe = answer["safe_time"]
    yield f"Safe time: {safe['live'] or 'not known yet'} (with history: {safe['all'] or 'not known yet'})."
    for rule in answer["rules"]:
        for thing in rule["things"]:
            yield ""
            head, *sentences = thing["sentences"]
            yield head
            yield from (f"  {sentence}" for sentence in sentences)
            yield from _checks(thing)
        if rule["more"]:
            yield f"  There is more, and older: {rule['more']}."


def _checks(thing: Mapping[str, Any]) -> Iterator[str]:
    if thing["outlook"] is not None:
        said = (f"{one['check']} {_MARKS[one['passed']]}" for one in thing["outlook"]["checks"])
        yield f"  Checks: {', '.join(said)}."
