"""Makes deploy/.env out of deploy/.env.example with fresh secrets, or adds the secrets that an upgrade brought.

Needs Python's standard library and nothing else, since `make up` must not need more than Docker. Never changes a value
that stands in the file, never prints a secret.
"""

from __future__ import annotations

import argparse
import base64
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
VOLUME = "tern_postgres"
SECRET_BYTES = 32

_SECRET_LINE = re.compile(r"^# secret: (?P<recipe>\S+)\n(?P<name>[A-Z][A-Z0-9_]*)=$", re.MULTILINE)
_SET_LINE = re.compile(r"^(?P<name>[A-Z][A-Z0-9_]*)=(?P<value>.+)$", re.MULTILINE)


def _text() -> str:
    """Letters, digits, `-` and `_` only: it may stand in a URL as it is."""
    return secrets.token_urlsafe(SECRET_BYTES)


def _sealing_key() -> str:
    return "k1:" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


RECIPES: Mapping[str, Callable[[], str]] = {"text": _text, "sealing-key": _sealing_key}


class SecretsLost(Exception):
    """There is a database, and the file with its passwords is gone. The message says what to do."""


class Secret(NamedTuple):
    """A variable that has no default, and the name of how its value is drawn."""

    name: str
    recipe: str


def secrets_of(example: str) -> list[Secret]:
    """The variables that the example leaves empty for a secret."""
    return [Secret(found["name"], found["recipe"]) for found in _SECRET_LINE.finditer(example)]


def names_set(env: str) -> frozenset[str]:
    """The variables that have a value."""
    return frozenset(found["name"] for found in _SET_LINE.finditer(env))


def fresh(example: str) -> str:
    """The example with every secret drawn, and its first paragraph, which is about the example, left out."""
    _about, _, rest = example.partition("\n\n")
    drawn = _SECRET_LINE.sub(lambda found: f"{found['name']}={RECIPES[found['recipe']]()}", rest)
    return "# Drawn for this machine alone. Keep a copy of it beside the backups, but never in them.\n\n" + drawn


def lacking(example: str, env: str) -> list[Secret]:
    """The secrets that the example asks for and the file does not have."""
    return [secret for secret in secrets_of(example) if secret.name not in names_set(env)]


def completed(env: str, wanted: list[Secret]) -> str:
    """The file with these secrets drawn and added at its end."""
    return env.rstrip("\n") + "\n" + "".join(f"{name}={RECIPES[recipe]()}\n" for name, recipe in wanted)


def has_data() -> bool:
    """Whether a database of an earlier platform is there, which only knows the passwords of its own .env."""
    asked = subprocess.run(["docker", "volume", "inspect", VOLUME], capture_output=True, check=False)
    return asked.returncode == 0


def _write(path: Path, text: str) -> None:
    """Whole or not at all, and never readable by others."""
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    partial.replace(path)


def bring_up_to_date(path: Path, example: str, has_data: Callable[[], bool]) -> str:
    """Makes or completes the file; says in one sentence what was done ("" for nothing). Raises `SecretsLost`."""
    if not path.exists():
        if has_data():
            raise SecretsLost(
                f"{path} is missing, but the volume {VOLUME} holds a database that only knows the secrets it had: "
                "put that file back, or forget all data: `make down`, `docker volume rm tern_postgres tern_kafka`"
            )
        _write(path, fresh(example))
        return f"Made {path} with fresh secrets, for your eyes only. Keep a copy: without it a backup is worth little."
    wanted = lacking(example, path.read_text())
    if not wanted:
        return ""
    _write(path, completed(path.read_text(), wanted))
    return f"Added to {path}: {', '.join(secret.name for secret in wanted)}."


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--file", type=Path, default=HERE / ".env")
    path = asked.parse_args().file
    try:
        said = bring_up_to_date(path, (HERE / ".env.example").read_text(), has_data)
    except SecretsLost as wrong:
        print(wrong, file=sys.stderr)
        return 1
    if said:
        print(said)
    return 0


if __name__ == "__main__":
    sys.exit(main())
