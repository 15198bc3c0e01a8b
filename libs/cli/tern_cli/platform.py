"""Where a platform is and how its doors are opened. Knows addresses and answers, no command."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tern_common.errors import Misconfigured, Refused, Transient

SERVICES = ("ingest", "identity", "profile", "triggers")
RUN_FILE = Path(".local", "run.json")
_TIMEOUT_S = 15.0
_TOO_MANY, _SERVER_FAULTS = 429, 500

_VARIABLES = {
    **{service: f"TERN_{service.upper()}_URL" for service in SERVICES},
    "kafka": "TERN_KAFKA_BOOTSTRAP",
    "postgres": "TERN_ADMIN_DATABASE_URL",
    "api_token": "TERN_API_TOKEN",
    "clock_file": "TERN_CLOCK_FILE",
    "write_key": "TERN_WRITE_KEY",
}


@dataclass(frozen=True)
class Addresses:
    """What is known of a platform: name → address, token or file. Asking for what is not known says how to give it."""

    known: Mapping[str, str] = field(repr=False)

    def __getitem__(self, name: str) -> str:
        if not self.known.get(name):
            raise Misconfigured(
                f"the platform's {name} is not known: start one with `make run`, or set {_VARIABLES[name]}"
            )
        return self.known[name]

    def get(self, name: str) -> str | None:
        """The same, or None."""
        return self.known.get(name) or None


def find_addresses(run_file: Path | None, environment: Mapping[str, str], folder: Path) -> Addresses:
    """From `run_file`, else $TERN_RUN_FILE, else `.local/run.json` in the folder or one above; variables win.

    Raises `Misconfigured` for a file that was named and cannot be read.
    """
    named = run_file or (Path(environment["TERN_RUN_FILE"]) if environment.get("TERN_RUN_FILE") else None)
    file = named or next(
        (place / RUN_FILE for place in (folder, *folder.parents) if (place / RUN_FILE).is_file()), None
    )
    found = {**_read(file), "clock_file": str(file.parent / "clock")} if file else {}
    given = {name: environment[variable] for name, variable in _VARIABLES.items() if environment.get(variable)}
    return Addresses({**found, **given})


def _read(file: Path) -> dict[str, str]:
    try:
        facts = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        raise Misconfigured(f"{file} is no readable run file: is the platform running?") from None
    if not isinstance(facts, dict):
        raise Misconfigured(f"{file} is no run file")
    keys = facts.get("write_keys")
    known = {**facts, "write_key": keys.get("server") if isinstance(keys, dict) else None}
    return {name: value for name, value in known.items() if isinstance(value, str)}


@dataclass
class Session:
    """One call of the command: where it runs, and, for tests, through what it speaks HTTP."""

    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    folder: Path = field(default_factory=Path.cwd)
    transport: httpx.MockTransport | None = None
    run_file: Path | None = None
    as_json: bool = False

    @property
    def addresses(self) -> Addresses:
        """Where the platform is."""
        return find_addresses(self.run_file, self.environment, self.folder)

    def ask(self, service: str, method: str, path: str, **sent: Any) -> Any:
        """A service's JSON answer, or None when it has no body. Raises `Refused` or `Transient`."""
        addresses = self.addresses
        with httpx.Client(
            base_url=addresses[service],
            headers={"Authorization": f"Bearer {addresses['api_token']}"},
            timeout=_TIMEOUT_S,
            transport=self.transport,
        ) as http:
            try:
                return read_answer(service, http.request(method, path, **sent))
            except (httpx.TransportError, httpx.InvalidURL):
                raise Transient(f"{service} does not answer at {addresses[service]}") from None


def read_answer(service: str, answer: httpx.Response) -> Any:
    """The JSON of a good answer. Raises what a bad one means, in the service's own words."""
    if answer.is_success:
        return answer.json() if answer.content else None
    code, message = _words(answer)
    if answer.status_code == _TOO_MANY or answer.status_code >= _SERVER_FAULTS:
        raise Transient(f"{service} answers {answer.status_code}: {message}")
    raise Refused(answer.status_code, code, f"{service} answers {answer.status_code}: {message}")


def _words(answer: httpx.Response) -> tuple[str, str]:
    """`code` and text of a problem, or of an SDK's error, or just the phrase."""
    try:
        said = answer.json()
    except ValueError:
        return "unknown", answer.reason_phrase
    if not isinstance(said, dict):
        return "unknown", answer.reason_phrase
    text = str(said.get("detail") or said.get("message") or answer.reason_phrase)
    faults = [f"{fault.get('where')}: {fault.get('why')}" for fault in said.get("errors") or ()]
    return str(said.get("code") or "unknown"), "; ".join((text, *faults))
