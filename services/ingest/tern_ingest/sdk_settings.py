"""What SDKs of browsers and apps ask before they send: where to send. Without a good answer they send nothing.

analytics.js wants its own integration named, or its events go elsewhere; RudderStack's SDK wants a source without
destinations. Knows no event.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from starlette.types import Receive, Scope, Send

from tern_common.errors import Refused
from tern_ingest import answers, credentials
from tern_ingest.callers import Callers
from tern_ingest.domain.addresses import Reached
from tern_ingest.domain.keys import WriteKey
from tern_ingest.gate import Gate

Said = Callable[[WriteKey, str, Reached | None], dict[str, Any]]
"""Of a key, as it is known and as it was shown, and of what the caller reached. May raise `Refused`."""


class SdkSettings:
    """A GET that answers whoever shows a key: in the path, or where else keys stand."""

    def __init__(self, gate: Gate, callers: Callers, said: Said) -> None:
        self._gate = gate
        self._callers = callers
        self._said = said

    async def __call__(self, scope: Scope, _: Receive, send: Send) -> None:
        head = dict(scope["headers"])
        written = (
            scope["path_params"].get("write_key") or credentials.outside_the_body(head, scope["query_string"]) or ""
        )
        caller = self._callers.of(scope, head)
        if scope["method"] == "OPTIONS":
            echoed = caller.origin if self._gate.may_ask(written, caller.origin) else None
            await answers.preflight(send, head, echoed, answers.READING)
            return
        try:
            if scope["method"] != "GET":
                raise Refused(405, "method-not-allowed", "settings are read with GET")
            key = await self._gate.known(written, caller)
            said = self._said(key, written, self._callers.reached(scope, head))
        except Refused as refused:
            self._gate.blame(caller, refused)
            await answers.refuse(send, caller.origin, refused, answers.READING)
            return
        await answers.say(send, caller.origin, msgspec.json.encode(said))


def segment(_: WriteKey, written: str, reached: Reached | None) -> dict[str, Any]:
    """For analytics.js and the mobile SDKs, under `/v1/projects/{write_key}/settings`."""
    if reached is None:
        raise Refused(400, "host-missing", "the request names no host that events could be sent to")
    sending = {"apiKey": written, "apiHost": f"{reached.host}/v1", "protocol": reached.protocol}
    return {"integrations": {"Segment.io": sending}, "metrics": {"sampleRate": 0}}


def rudder(key: WriteKey, _: str, __: Reached | None) -> dict[str, Any]:
    """For RudderStack's SDKs, under `/sourceConfig/`."""
    return {"source": {"id": key.source_id, "config": {}, "destinations": []}}
