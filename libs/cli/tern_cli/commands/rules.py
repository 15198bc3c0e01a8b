"""`tern rules`: what triggers decides by. Through its door; `lint` needs no platform, only the files."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import typer

from tern_cli.platform import Session
from tern_cli.printing import show_json, show_outline, show_rows
from tern_common.errors import Misconfigured
from tern_triggers.domain.rules.lint import Linted, Placed, lint
from tern_triggers.domain.rules.telling import Told, tell

app = typer.Typer(no_args_is_help=True, help="Rules: what should happen, and when.")

Name = Annotated[str, typer.Argument(metavar="RULE", help="Name of the rule, as `tern rules list` shows it.")]
File = Annotated[Path, typer.Argument(metavar="FILE", help="A rule, in YAML.", exists=True, dir_okay=False)]
Paths = Annotated[list[Path], typer.Argument(metavar="FILE|FOLDER...", help="Rules, or folders of them.", exists=True)]
Why = Annotated[str, typer.Option("--why", help="Why; kept for ever beside who and when.")]
Seen = Annotated[
    str | None, typer.Option("--seen", help="Refuse unless this is still its state: the tag that `show` names.")
]


class Checked(NamedTuple):
    """A file and what was found in it."""

    path: Path
    found: Linted


@app.command("list")
def list_(
    context: typer.Context,
    retired: Annotated[bool, typer.Option("--retired", help="Also those that were ended.")] = False,
) -> None:
    """Show all rules, and which safe time each waits for."""
    session: Session = context.obj
    found = session.ask("triggers", "GET", "/v1/rules", params={"retired": retired})
    if session.as_json:
        show_json(found)
        return
    rows = [
        {**rule, "waits_for": found["waits_for"][rule["rule"]], "since": found["since"][rule["rule"]]}
        for rule in found["rules"]
    ]
    show_rows(rows, ("rule", "version", "kind", "family", "mode", "waits_for", "priority", "since"))


@app.command()
def show(context: typer.Context, rule: Name) -> None:
    """Show a rule as it stands, and what follows from it."""
    session: Session = context.obj
    found = session.ask("triggers", "GET", f"/v1/rules/{rule}")
    show_json(found) if session.as_json else show_outline(found)


@app.command()
def history(context: typer.Context, rule: Name) -> None:
    """Show who changed a rule, when and why."""
    session: Session = context.obj
    found = session.ask("triggers", "GET", f"/v1/rules/{rule}/audit")
    if session.as_json:
        show_json(found)
    else:
        show_rows(found["history"], ("at", "version", "act", "by", "reason"))


@app.command()
def put(context: typer.Context, file: File, why: Why, seen: Seen = None) -> None:
    """Make a rule of a file, or a new version of one. A new rule begins in shadow; an edited one keeps its mode."""
    session: Session = context.obj
    checked = _check(file)
    if checked.found.rule is None:
        _tell([checked], sys.stderr)
        raise typer.Exit(1)
    name = checked.found.rule.rule
    tag = seen or _tag(session, name)
    _show(
        session,
        session.ask(
            "triggers",
            "PUT",
            f"/v1/rules/{name}",
            params={"reason": why},
            content=file.read_bytes(),
            headers={"Content-Type": "application/yaml", **_match(tag)},
        ),
    )


@app.command()
def mode(
    context: typer.Context,
    rule: Name,
    wanted: Annotated[Literal["live", "shadow", "paused"], typer.Argument(metavar="live|shadow|paused")],
    why: Why,
    seen: Seen = None,
) -> None:
    """Let a rule decide, decide in shadow (log everything, publish nothing), or not at all."""
    session: Session = context.obj
    body = {"mode": wanted, "reason": why}
    _show(session, session.ask("triggers", "POST", f"/v1/rules/{rule}/mode", json=body, headers=_match(seen)))


@app.command()
def retire(context: typer.Context, rule: Name, why: Why, seen: Seen = None) -> None:
    """End a rule. What it decided stays in the log; `put` brings it back, in shadow."""
    session: Session = context.obj
    _show(session, session.ask("triggers", "DELETE", f"/v1/rules/{rule}", params={"reason": why}, headers=_match(seen)))


@app.command("lint")
def lint_(
    context: typer.Context,
    paths: Paths,
    strict: Annotated[bool, typer.Option("--strict", help="Let warnings fail too.")] = False,
) -> None:
    """Check rules, and tell what follows from them. Exit code 1 when one is refused."""
    session: Session = context.obj
    checked = [_check(path) for path in _files(paths)]
    if session.as_json:
        show_json([_as_json(one) for one in checked])
    else:
        _tell(checked, sys.stdout)
    told = [finding for one in checked for finding in (one.found.findings if strict else one.found.errors)]
    if told or _twice(checked):
        raise typer.Exit(1)


def _files(paths: Iterable[Path]) -> list[Path]:
    found = [file for path in paths for file in (sorted(path.glob("*.yaml")) if path.is_dir() else [path])]
    if not found:
        raise Misconfigured("there is no rule to check: rules are files that end in .yaml")
    return found


def _check(path: Path) -> Checked:
    try:
        return Checked(path, lint(path.read_text("utf-8")))
    except (OSError, UnicodeDecodeError):
        raise Misconfigured(f"{path}: cannot be read as UTF-8 text") from None


def _twice(checked: Iterable[Checked]) -> list[str]:
    """Names that two files of one folder have."""
    names = [(one.path.parent, one.found.rule.rule) for one in checked if one.found.rule is not None]
    return sorted({name for folder, name in names if names.count((folder, name)) > 1})


def _tell(checked: list[Checked], to: Any) -> None:
    for one in checked:
        for placed in one.found.findings:
            print(_line(one.path, placed), file=to)
        if one.found.rule is not None:
            print(f"{one.path}: {one.found.rule.rule}, version {one.found.rule.version}", file=to)
            for line in _facts(tell(one.found.rule)):
                print(f"  {line}", file=to)
    for name in _twice(checked):
        print(f"error: rule {name} stands in two files of one folder", file=to)


def _line(path: Path, placed: Placed) -> str:
    place = "" if placed.line is None else f":{placed.line.line}:{placed.line.column}"
    return f"{path}{place}: {placed.finding.severity}: {placed.finding.where}: {placed.finding.words}"


def _facts(told: Told) -> Iterable[str]:
    lanes = {"live": "the live lane", "all": "all lanes"}
    yield f"waits for {lanes[told.waits_for]}: {told.because}"
    for step in told.steps:
        yield f"{step.name}: {step.earliest}"
    events = (f"{name} ({', '.join(kept)})" if kept else name for name, kept in told.events.items())
    reads = ", ".join([*told.facts, *events])
    yield f"reads {reads or 'nothing of the stream: it goes by the profile'}"


def _as_json(one: Checked) -> dict[str, Any]:
    rule = one.found.rule
    findings = [
        {
            "severity": placed.finding.severity,
            "line": placed.line.line if placed.line else None,
            "column": placed.line.column if placed.line else None,
            "where": placed.finding.where,
            "why": placed.finding.words,
        }
        for placed in one.found.findings
    ]
    told = None if rule is None else tell(rule)
    return {
        "file": str(one.path),
        "rule": None if rule is None else rule.rule,
        "findings": findings,
        "told": None if told is None else {**told._asdict(), "steps": [step._asdict() for step in told.steps]},
    }


def _tag(session: Session, name: str) -> str | None:
    """The state that the rule is in now; none where there is no such rule."""
    found = session.ask("triggers", "GET", "/v1/rules", params={"retired": True})
    tags: Mapping[str, str] = found["tags"]
    return tags.get(name)


def _match(tag: str | None) -> dict[str, str]:
    return {} if tag is None else {"If-Match": f'"{tag}"'}


def _show(session: Session, done: Any) -> None:
    if session.as_json:
        show_json(done)
    else:
        told = done["rule"]
        print(f"{told['rule']}: version {done['version']}, {done['mode']} since {done['since']}")
