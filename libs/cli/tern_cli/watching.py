"""Events on their way, put together from two doors: ingest tells that one came, identity whose it is.

Either may speak first. Knows no connection and no terminal.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any

from tern_cli.remedies import remedy

Line = Mapping[str, Any]
KEPT = 2_000
_TIME = slice(11, 23)


class Joining:
    """Tells of which shown event a filing is. Of either the last few are remembered."""

    def __init__(self, most: int = KEPT) -> None:
        self._most = most
        self._events: OrderedDict[tuple[Any, Any], Line] = OrderedDict()
        self._filings: OrderedDict[tuple[Any, Any], Line] = OrderedDict()

    def take(self, line: Line) -> Iterator[Line]:
        """What is to be shown now: an event at once, a filing when its event has been shown, once."""
        place = line.get("source_id"), line.get("message_id")
        if line["kind"] == "filed":
            event = self._events.pop(place, None)
            if event is None:
                self._keep(self._filings, place, line)
            else:
                yield _whose(line, event)
            return
        yield line
        if line["kind"] == "accepted":
            filing = self._filings.pop(place, None)
            if filing is None:
                self._keep(self._events, place, line)
            else:
                yield _whose(filing, line)

    def _keep(self, kept: OrderedDict[tuple[Any, Any], Line], place: tuple[Any, Any], line: Line) -> None:
        kept[place] = line
        if len(kept) > self._most:
            kept.popitem(last=False)


def _whose(filing: Line, event: Line) -> Line:
    known = {name: event.get(name) for name in ("source", "type", "name", "user_id", "anonymous_id")}
    return {**filing, **known}


def sentence(line: Line) -> str:
    """A line as people read it."""
    match line["kind"]:
        case "accepted":
            flags = line.get("flags") or ()
            return f"{_head(line)}  accepted{''.join(f', {flag}' for flag in flags)}"
        case "rejected":
            where = "" if line["service"] == "ingest" else f" by {line['service']}"
            return f"{_head(line)}  REJECTED{where}: {line['reason']}. {remedy(line['reason'])}"
        case "filed":
            whom = "nobody: its browser is shared" if line.get("shared") else f"customer {line['customer_id']}"
            return f"{'':12}  {_what(line)}  filed under {whom}"
        case "passed-over":
            return f"{'':12}  {line['records']} records were passed over: this reader is too slow"
        case kind:
            return f"{'':12}  {kind}"


def _head(line: Line) -> str:
    return f"{str(line.get('at') or '')[_TIME].rstrip('Z'):12}  {_what(line)}"


def _what(line: Line) -> str:
    name = f' "{line["name"]}"' if line.get("name") else ""
    who = line.get("user_id") or (f"anonymous {line['anonymous_id']}" if line.get("anonymous_id") else "nobody named")
    return f"{line.get('source') or 'unknown source'}  {line.get('type') or 'no type'}{name}  {who}"
