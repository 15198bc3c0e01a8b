"""The Python SDKs, as `node/speaking.mjs` runs the others: `python -m e2e.sdks.python_client segment`.

Told on standard input whom to speak to, then what to say, line by line; at the end of the input it flushes and ends.
Standard error is for what an SDK complains of.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import Any

from rudderstack.analytics.client import Client as RudderStack
from segment.analytics.client import Client as Segment

CLIENTS: dict[str, Any] = {"segment": Segment, "rudderstack": RudderStack}


def main(name: str) -> None:
    """Says everything that stands on the standard input."""
    to = json.loads(sys.stdin.readline())
    sdk = CLIENTS[name](to["key"], host=to["url"], gzip=True, upload_size=3, on_error=complain)
    answer()
    for line in sys.stdin:
        for call in json.loads(line):
            say(sdk, call)
        answer()
    sdk.flush()
    sdk.join()


def answer() -> None:
    """Tells the test that it is ready, or that the SDK has the calls."""
    sys.stdout.write("{}\n")
    sys.stdout.flush()


def say(sdk: Any, call: dict[str, Any]) -> None:
    """One call of said.py, as these clients name their parameters."""
    when = {"timestamp": datetime.fromisoformat(call["timestamp"]), "message_id": call["messageId"]}
    who = {"user_id": call.get("userId"), "anonymous_id": call.get("anonymousId")}
    match call["type"]:
        case "identify":
            sdk.identify(**who, **when, traits=call["traits"])
        case "track":
            sdk.track(**who, **when, event=call["event"], properties=call["properties"])
        case "page":
            sdk.page(**who, **when, name=call["name"], properties=call["properties"])
        case "group":
            sdk.group(**who, **when, group_id=call["groupId"], traits=call["traits"])
        case "alias":
            sdk.alias(**when, user_id=call["userId"], previous_id=call["previousId"])


def complain(error: Exception, _: object) -> None:
    """What the clients call when they give up."""
    sys.stderr.write(f"{error!r}\n")


if __name__ == "__main__":
    main(sys.argv[1])
