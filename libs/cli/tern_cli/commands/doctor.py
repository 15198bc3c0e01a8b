"""`tern doctor`: first-day mistakes, each with what to do. Asks the services' doors, and judges nothing itself."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, NamedTuple

import httpx
import typer

from tern_cli.facts import Facts, Finding, Service, Source
from tern_cli.judging import findings
from tern_cli.platform import SERVICES, Session
from tern_cli.printing import show_json, show_lines
from tern_common.errors import Misconfigured, Refused, TernError, Transient

_NOT_READY = 503
_TIMEOUT_S = 5.0
_SAMPLE = re.compile(r"^(?P<name>\w+)(?:\{(?P<labels>.*)\})? (?P<value>\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_OPERATORS = ("/v1/sources", "/v1/keys", "/v1/user-keys", "/v1/rejected", "/v1/tail", "/v1/policy", "/v1/clock")
_SENDING = ("/v1/", "/api/s/", "/beacon/")
_LIVE = "live"


class _Sample(NamedTuple):
    name: str
    labels: Mapping[str, str]
    value: float


def doctor(
    context: typer.Context,
    source: Annotated[str | None, typer.Option(help="Only this source: its name or id.")] = None,
    days: Annotated[int, typer.Option(help="So many days, the last of them today, in UTC.", min=1, max=90)] = 7,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what is set up wrongly and what to do about it. Exits with 0 when all is well, with 1 when not."""
    session: Session = context.obj
    found = findings(_facts(session, source, days))
    well = not any(one.level == "wrong" for one in found)
    if as_json or session.as_json:
        show_json({"well": well, "findings": [one._asdict() for one in found]})
    else:
        show_lines(_told(found, well=well))
    if not well:
        raise typer.Exit(1)


def _told(found: list[Finding], *, well: bool) -> Iterator[str]:
    marks = {"wrong": "WRONG  ", "note": "note   ", "unknown": "unknown"}
    for one in found:
        yield f"{marks[one.level]}  {one.about}: {one.what}"
        if one.do:
            yield f"{'':9}{one.do}"
    if well:
        yield "Nothing needs doing." if not found else "Nothing needs doing, as far as is known."


def _facts(session: Session, wanted: str | None, days: int) -> Facts:
    services = [_service(session, name) for name in SERVICES if session.addresses.get(name)]
    if not services:
        raise Misconfigured("no service's address is known: start a platform with `make run`, or name its run file")
    try:
        listed = session.ask("ingest", "GET", "/v1/sources")["sources"]
    except (Refused, Transient, Misconfigured) as wrong:
        return Facts(services, None, f"{wrong}.")
    asked = [one for one in listed if wanted in (None, one["source_id"], one["name"])]
    if wanted and not asked:
        raise Refused(404, "unknown-source", f"there is no source {wanted!r}: see `tern sources list`")
    return Facts(services, [_source(session, one, days) for one in asked])


def _source(session: Session, said: Mapping[str, Any], days: int) -> Source:
    path = f"/v1/sources/{said['source_id']}"
    keys = _answer(session, f"{path}/keys")
    return Source(
        source_id=said["source_id"],
        name=said["name"],
        origins=said["origins"],
        login_needs_token=said["login_needs_token"],
        keys=keys and keys["keys"],
        quality=_answer(session, f"{path}/quality", days=days),
    )


def _answer(session: Session, path: str, **params: int) -> Any:
    """None where there is no answer."""
    try:
        return session.ask("ingest", "GET", path, params=params)
    except TernError:
        return None


def _service(session: Session, name: str) -> Service:
    with httpx.Client(base_url=session.addresses[name], timeout=_TIMEOUT_S, transport=session.transport) as http:
        try:
            missing = _missing(http.get("/ready"))
            metrics = http.get("/metrics")
        except (httpx.TransportError, httpx.InvalidURL):
            return Service(name, None)
    if not metrics.is_success:
        return Service(name, missing)
    samples = list(_samples(metrics.text))
    return Service(
        name,
        missing,
        answers=_answers(samples),
        safe_age_s={
            one.labels["lane"]: one.value for one in samples if one.name == "tern_triggers_safe_time_age_seconds"
        },
        claims=frozenset(
            one.labels["claimer"]
            for one in samples
            if one.name == "tern_claim_age_seconds" and one.labels["lane"] == _LIVE
        ),
        lag={one.labels["loop"]: one.value for one in samples if one.name == "tern_consumer_lag_records"},
        standing=frozenset(one.labels["loop"] for one in samples if one.name == "tern_loop_stands_still" and one.value),
    )


def _missing(answer: httpx.Response) -> Mapping[str, str] | None:
    """What `/ready` misses. An answer that is none of its own is none."""
    if answer.is_success:
        return {}
    try:
        said = answer.json()
    except ValueError:
        return None
    missing = said.get("missing") if isinstance(said, dict) and answer.status_code == _NOT_READY else None
    return missing if isinstance(missing, dict) and missing else {"ready": f"answers {answer.status_code}"}


def _samples(text: str) -> Iterator[_Sample]:
    """Of Prometheus' text format."""
    for found in _SAMPLE.finditer(text):
        yield _Sample(found["name"], dict(_LABEL.findall(found["labels"] or "")), float(found["value"]))


def _answers(samples: list[_Sample]) -> Mapping[int, int]:
    """Of the routes that take events: status → how many requests."""
    counts: Counter[int] = Counter()
    for one in samples:
        route = one.labels.get("route", "")
        sends = route.startswith(_SENDING) and not route.startswith(_OPERATORS)
        if one.name == "tern_http_requests_total" and one.labels.get("method") == "POST" and sends:
            counts[int(one.labels["status"])] += int(one.value)
    return counts
