"""The `tern` command: operates a platform through its doors.

Exit codes: 0 done, 1 refused, 2 wrongly called or not set up, 3 something is away and may come back.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from tern_cli.commands import (
    clock,
    doctor,
    identity,
    importing,
    keys,
    reads,
    rejected,
    rules,
    sources,
    tail,
    tokens,
    topics,
    triggers,
)
from tern_cli.platform import Session
from tern_common.errors import Misconfigured, TernError, Transient

app = typer.Typer(
    name="tern",
    help="Operate a Tern platform.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(sources.app, name="sources")
app.add_typer(keys.app, name="keys")
app.add_typer(tokens.app, name="tokens")
app.add_typer(topics.app, name="topics")
app.add_typer(clock.app, name="clock")
app.add_typer(rules.app, name="rules")
app.add_typer(rejected.app, name="rejected")
app.add_typer(identity.app, name="identity")
app.add_typer(triggers.app, name="triggers")
app.command("import")(importing.import_)
for command in (tail.tail, doctor.doctor, reads.policy, reads.decisions, reads.profile, reads.customer):
    app.command()(command)


@app.callback()
def common(
    context: typer.Context,
    run_file: Annotated[
        Path | None, typer.Option(help="run.json of the platform; else $TERN_RUN_FILE, else .local/run.json upwards.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Operate a Tern platform."""
    context.obj = context.obj or Session()
    context.obj.run_file = run_file
    context.obj.as_json = as_json


def main(arguments: Sequence[str] | None = None, session: Session | None = None) -> int:
    """Runs one command; the exit code."""
    try:
        app(args=list(sys.argv[1:] if arguments is None else arguments), obj=session, prog_name="tern")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    except TernError as wrong:
        print(f"tern: {wrong}", file=sys.stderr)
        return _code(wrong)
    return 0


def _code(wrong: TernError) -> int:
    if isinstance(wrong, Transient):
        return 3
    return 2 if isinstance(wrong, Misconfigured) else 1


if __name__ == "__main__":
    sys.exit(main())
