"""`tern tail`: events live, as they are acknowledged, refused and filed. Through ingest's and identity's doors."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Any

import httpx
import typer

from tern_cli.platform import Addresses, Session, read_answer
from tern_cli.printing import show_lines
from tern_cli.watching import Joining, Line, sentence
from tern_common.clock import SystemClock
from tern_common.errors import Misconfigured, Refused, TernError, Transient

_PATH = "/v1/tail"
_TIMEOUT = httpx.Timeout(15)
"""Of silence: the doors say something every five seconds."""
_PAUSE_S = 2.0


class _Enough(Exception):
    """So many events as were asked for are shown."""


def tail(  # noqa: PLR0913 - options, given by name
    context: typer.Context,
    source: Annotated[str | None, typer.Option(help="Only of this source: its name or id.")] = None,
    rejected: Annotated[bool, typer.Option("--rejected", help="Only events that were not taken.")] = False,
    event: Annotated[str | None, typer.Option(help="Only of this name, or of this type.")] = None,
    user: Annotated[str | None, typer.Option(help="Only of this user id or anonymous id.")] = None,
    count: Annotated[int | None, typer.Option(help="End after so many events.", min=1)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a line of JSON for each.")] = False,
) -> None:
    """Watch events come in: from where, who, accepted or why not, and whose they are. Until Ctrl-C."""
    session: Session = context.obj
    asked = {"source": source, "event": event, "user": user, "rejected": rejected}
    shown = _Showing(count, as_json=as_json or session.as_json)
    with suppress(KeyboardInterrupt, _Enough):
        asyncio.run(_Watching(session, shown.take).run(asked))


class _Showing:
    def __init__(self, count: int | None, *, as_json: bool) -> None:
        self._left = count
        self._as_json = as_json
        self._joining = Joining()

    def take(self, line: Line) -> None:
        """Raises `_Enough`."""
        for one in self._joining.take(line):
            if self._as_json:
                print(json.dumps(one, ensure_ascii=False), flush=True)
            else:
                show_lines([sentence(one)])
                sys.stdout.flush()
        if self._left is not None and line["kind"] in ("accepted", "rejected"):
            self._left -= 1
            if not self._left:
                raise _Enough


class _Watching:
    """Both doors at once. Ingest must answer; without identity events are shown without their customers."""

    def __init__(self, session: Session, take: Callable[[Line], None]) -> None:
        self._session = session
        self._take = take
        self._clock = SystemClock()
        self._last: Addresses | None = None
        self._identity_asked = asyncio.Event()

    async def run(self, asked: dict[str, Any]) -> None:
        """Until it is told to stop. Raises `TernError` when ingest refuses, or never answered."""
        failed: Exception | None = None
        async with asyncio.TaskGroup() as group:
            filings = group.create_task(self._filings(self._source_id(asked["source"])))
            await self._identity_asked.wait()  # what ingest tells of first could be filed before identity is asked
            try:
                await self._events(asked)
            except (TernError, _Enough) as ended:
                failed = ended
            filings.cancel()
        if failed:
            raise failed

    async def _events(self, asked: dict[str, Any]) -> None:
        answered = False

        def take(line: Line) -> None:
            nonlocal answered
            if line["kind"] != "watching":
                self._take(line)
            elif not answered:
                answered = True
                show_lines(["watching: what comes from now on is shown here"], to=sys.stderr)

        while True:
            try:
                await self._follow("ingest", asked, take)
            except Transient as away:
                if not answered:
                    raise
                show_lines([f"{away}; trying again"], to=sys.stderr)
            await self._clock.sleep(_PAUSE_S)

    async def _filings(self, source_id: str | None) -> None:
        def take(line: Line) -> None:
            self._identity_asked.set()
            if line["kind"] == "filed":
                self._take(line)

        said = ""
        while True:
            try:
                await self._follow("identity", {"source_id": source_id}, take)
            except TernError as wrong:
                if str(wrong) != said:
                    show_lines([f"{wrong}; customers are not shown meanwhile"], to=sys.stderr)
                said = str(wrong)
            self._identity_asked.set()
            await self._clock.sleep(_PAUSE_S)

    async def _follow(self, service: str, asked: dict[str, Any], take: Callable[[Line], None]) -> None:
        """One answer, to its end. Raises `Refused` and `Transient`."""
        addresses, transport = self._addresses(), self._session.transport
        headers = {"Authorization": f"Bearer {addresses['api_token']}"}
        try:
            async with (
                httpx.AsyncClient(
                    base_url=addresses[service], headers=headers, timeout=_TIMEOUT, transport=transport
                ) as http,
                http.stream("POST", _PATH, json=asked) as answer,
            ):
                if not answer.is_success:
                    await answer.aread()
                    read_answer(service, answer)
                async for line in answer.aiter_lines():
                    if line:
                        take(json.loads(line))
        except (httpx.TransportError, httpx.InvalidURL):
            raise Transient(f"{service} does not answer at {addresses[service]}") from None

    def _addresses(self) -> Addresses:
        """As its run file says where the platform is; as it said last while the platform is down, and the file gone."""
        try:
            found = self._session.addresses
        except Misconfigured:
            if self._last is None:
                raise
            return self._last
        if self._last is None or found.get("ingest"):
            self._last = found
        return self._last

    def _source_id(self, named: str | None) -> str | None:
        """For identity, which knows sources by their ids. Without the right to see them it is asked for all events."""
        if named is None:
            return None
        try:
            sources = self._session.ask("ingest", "GET", "/v1/sources")["sources"]
        except Refused:
            return None
        return next((one["source_id"] for one in sources if named in (one["source_id"], one["name"])), None)
