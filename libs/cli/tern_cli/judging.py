"""What is wrong with a platform on its first day: facts in, findings out, each with what to do about it.

Knows no door: who asks says None for what could not be learned, and that is said, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tern_cli.facts import Facts, Finding, Level, Source
from tern_cli.remedies import refusal, remedy

SKEWED_SHARE, REFUSED_SHARE, REJECTED_SHARE = 0.05, 0.05, 0.01
"""Of what is less than this, nobody need do something today."""
STANDS_STILL_S = 300.0
"""Safe time is a few seconds behind on a platform that is well; what waits for it waits as long."""
_SHOWN = 3
_LIVE = "live"
_CLAIMERS = ("identity", "profile")
_ALL = 1.0
_EXACT = 10_000
"""Shares have four digits: of so many events all are all."""

_CONSENT = "Consent Granted"
_GRANT = (
    f'Send "{_CONSENT}" with its `channel` when a shopper agrees (docs/events.md); `context.consent` is passed on, and '
    "grants nothing."
)
_TAIL = "Send an event while `tern tail` runs, and see whether it comes."


def findings(facts: Facts) -> list[Finding]:
    """The worst first: what is down explains much of what follows."""
    found = [*_services(facts), *_standing(facts), *_safe_time(facts), *_door(facts)]
    if facts.sources is None:
        found.append(
            Finding("unknown", "sources", f"They cannot be known: {facts.why_not}", "Use a token with the role admin.")
        )
    elif not facts.sources:
        found.append(Finding("wrong", "sources", "There is no source.", "Make one: `tern sources create NAME`."))
    consented = any(_grants_consent(source) for source in facts.sources or ())
    for source in facts.sources or ():
        found += [*_keys(source), *_events(source, consented=consented)]
    return found


def _services(facts: Facts) -> Iterator[Finding]:
    for service in facts.services:
        if service.missing is None:
            yield Finding(
                "wrong", service.name, "It does not answer.", "Start it, and read its log: it says why it stops."
            )
        elif service.missing:
            why = "; ".join(f"{name}: {why}" for name, why in service.missing.items())
            yield Finding("wrong", service.name, f"It is not ready ({why}).", "Bring back what is missing.")


def _standing(facts: Facts) -> Iterator[Finding]:
    for service in facts.services:
        for loop in sorted(service.standing):
            what = f"Its loop {loop} stands still: an error meets all it reads next. The live stream goes on."
            do = "Nothing is lost. Its log names the error: deploy the repair, or go back to the release before."
            yield Finding("wrong", service.name, what, do)


def _safe_time(facts: Facts) -> Iterator[Finding]:
    """Of the live lane: history may stand as long as it is brought in."""
    triggers = next((one for one in facts.services if one.name == "triggers"), None)
    if triggers is None or triggers.missing is None:
        return
    if triggers.safe_age_s is None or triggers.claims is None:
        yield Finding("unknown", "safe time", "It cannot be known: triggers does not tell its metrics.")
        return
    unclaimed = [name for name in _CLAIMERS if name not in triggers.claims]
    age_s = triggers.safe_age_s.get(_LIVE)
    if unclaimed:
        said = f"It has not begun: there is no claim of {' and '.join(unclaimed)}. Nothing is decided until there is."
        yield Finding("wrong", "safe time", said, f"See whether {' and '.join(unclaimed)} is up and keeps up.")
    elif age_s is None:
        yield Finding("unknown", "safe time", "It cannot be known: triggers has not looked at it yet.")
    elif age_s > STANDS_STILL_S:
        said = f"It is {age_s:,.0f} s behind: whatever waits for silence is not decided meanwhile."
        yield Finding("wrong", "safe time", said, _who_is_behind(facts))


def _who_is_behind(facts: Facts) -> str:
    away = [one.name for one in facts.services if one.name in _CLAIMERS and (one.missing is None or one.missing)]
    if away:
        return f"The claim of {' and '.join(away)} is missing, which is not well: see above."
    lags = {name: lag for one in facts.services for name, lag in (one.lag or {}).items() if lag > 0}
    if lags:
        behind = ", ".join(f"{name} is {lag:,.0f} records behind" for name, lag in sorted(lags.items()))
        return f"Claims wait for those who read: {behind}."
    return "See the services' logs: nobody says that he is behind."


def _door(facts: Facts) -> Iterator[Finding]:
    """What ingest answered all its callers since it started: of those without a good key it cannot tell whose."""
    ingest = next((one for one in facts.services if one.name == "ingest"), None)
    if ingest is None or ingest.missing is None:
        return
    if ingest.answers is None:
        yield Finding("unknown", "ingest", "Refused requests cannot be known: it does not tell its metrics.")
        return
    asked = sum(ingest.answers.values())
    for status, (what, do) in _REFUSED.items():
        count = ingest.answers.get(status, 0)
        if count and not (status == _OTHER_PAGES and facts.sources):
            level: Level = "wrong" if count >= REFUSED_SHARE * asked else "note"
            yield Finding(level, "ingest", f"{_of(count, asked)} requests since it started {what}", do)


_OTHER_PAGES = 403
"""Whoever is answered so has shown a good key, so that its source tells it where sources are known."""
_REFUSED = {
    401: (
        "showed no write key, or one that is unknown or revoked.",
        "Compare the key in the shop with `tern keys list SOURCE`; a lost one is replaced: `tern keys create SOURCE`.",
    ),
    _OTHER_PAGES: (
        "came from pages that their source does not list.",
        "List the page as browsers spell it: `tern sources pages SOURCE https://shop.example`.",
    ),
    400: ("were no tracking requests as a whole: not JSON, or not UTF-8.", "Let the SDK build the body."),
    413: ("were too large.", "Send smaller batches."),
    429: (
        "came faster than their key may send, or after too many failures.",
        "Raise the key's rate if they are yours: `tern sources rate SOURCE --kind KIND NUMBER`.",
    ),
    503: ("were put off, since something was away or too busy.", "See what is not ready; SDKs send them again."),
}


_MAKE_KEY = "`tern keys create {} --kind server` (or browser)"


def _keys(source: Source) -> Iterator[Finding]:
    if source.keys is None:
        yield _unknown(source, "Its keys")
        return
    live = [key for key in source.keys if key.get("revoked_at") is None]
    if not source.keys:
        yield _wrong(source, "It has no write key.", f"Make one: {_MAKE_KEY.format(source.source_id)}.")
    elif not live:
        do = f"Make one: {_MAKE_KEY.format(source.source_id)}; put it in the shop."
        yield _wrong(source, "All its write keys are revoked.", do)
    browsers = [key for key in live if key.get("kind") == "browser"]
    if browsers and not source.origins:
        yield _wrong(
            source,
            "It has a browser key and lists no pages: with the key, any page may send events as this shop.",
            f"List them: `tern sources pages {source.source_id} https://shop.example`.",
        )
    if any(key.get("trusted") for key in browsers):
        yield _wrong(
            source,
            "It trusts a browser key: anybody who reads the page can join and part customers with it.",
            "Make an untrusted one, put it in the page, and revoke this one.",
        )


def _grants_consent(source: Source) -> bool:
    return source.quality is not None and any(one["event"] == _CONSENT for one in source.quality["known"])


def _events(source: Source, *, consented: bool) -> Iterator[Finding]:
    """`consented`: whether any source grants consent: one of them may do so for all."""
    if source.quality is None:
        yield _unknown(source, "What it sends")
        return
    total = source.quality["total"]
    yield from _refusals(source, source.quality)
    if not total["accepted"] and not total["rejected"]:
        yield _wrong(source, "No event came in these days.", _TAIL)
        return
    yield from _rejections(source, source.quality)
    if total["accepted"]:
        yield from _persons(source, total)
        if not consented:
            what = f'None of its events is a "{_CONSENT}": nobody may be written to, unless consent was imported.'
            yield _wrong(source, what, _GRANT)
        yield from _clocks(source, total)
        yield from _words(source, source.quality)


def _refusals(source: Source, quality: Mapping[str, Any]) -> Iterator[Finding]:
    """Requests of which nothing was taken, under a key of the source."""
    refused, total = quality["refused"], quality["total"]
    asked = total["accepted"] + total["rejected"] + sum(one["count"] for one in refused)
    for one in refused[:_SHOWN]:
        what, do = refusal(one["reason"], source.source_id)
        level: Level = "wrong" if one["count"] >= REFUSED_SHARE * asked else "note"
        yield Finding(level, source.name, f"{one['count']:,} of its requests {what}.", do)


def _rejections(source: Source, quality: Mapping[str, Any]) -> Iterator[Finding]:
    accepted, rejected = quality["total"]["accepted"], quality["total"]["rejected"]
    if rejected and not accepted:
        yield _wrong(source, f"All {rejected} events were rejected: nothing it sends arrives.", "Mend what follows.")
    for one in quality["rejected"][:_SHOWN]:
        said = f"{_of(one['count'], accepted + rejected)} events were rejected as {one['reason']}."
        level: Level = "wrong" if one["count"] >= REJECTED_SHARE * (accepted + rejected) else "note"
        yield Finding(level, source.name, said, f"{remedy(one['reason'])} Sent before: `tern rejected list`.")


def _persons(source: Source, total: Mapping[str, Any]) -> Iterator[Finding]:
    if total["anonymous_share"] == _ALL:
        signed = " Its browsers' logins count only when signed." if source.login_needs_token else ""
        yield _wrong(
            source,
            f"{_all(total['accepted'])} of its events names a user: no one is ever recognised.{signed}",
            "Call `identify(userId, {email})` at every login and order.",
        )


def _clocks(source: Source, total: Mapping[str, Any]) -> Iterator[Finding]:
    share = total["skewed_share"] or 0
    if share >= SKEWED_SHARE:
        yield _wrong(
            source,
            f"{share:.0%} of its events come from clocks that are wrong by more than two minutes.",
            "Set the server's clock (NTP); leave `sentAt` and `timestamp` to the SDK, in UTC.",
        )
    if total["test_share"] == _ALL:
        yield Finding("note", source.name, "All its events are flagged as tests.", "Send one without `context.test`.")
    if total["bot_share"] == _ALL:
        yield Finding("note", source.name, "All its events are flagged as robots'.", "Send one from a real browser.")


def _words(source: Source, quality: Mapping[str, Any]) -> Iterator[Finding]:
    unknown = quality["unknown"]
    if unknown:
        names = ", ".join(f'"{one["event"]}" ({one["count"]})' for one in unknown[:_SHOWN])
        more = f" and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else ""
        level: Level = "note" if quality["known"] else "wrong"
        said = f"Its events {names}{more} have names that no service reads."
        yield Finding(level, source.name, said, "Where they mean a shop's usual event, name it as the taxonomy does.")
    for fault in quality["faults"][:_SHOWN]:
        expected = f"; expected: {fault['expected']}" if fault["expected"] else ""
        where = f'`{fault["property"]}` of "{fault["event"]}"'
        said = f"{where} is {fault['fault']} in {_of(fault['count'], fault['checked'])} events that were looked at"
        level = "wrong" if fault["count"] >= REJECTED_SHARE * fault["checked"] else "note"
        yield Finding(level, source.name, f"{said}{expected}.", _SEE_QUALITY.format(source.source_id))


_SEE_QUALITY = "Send it as expected; all that is off: `tern sources quality {}`."


def _wrong(source: Source, what: str, do: str) -> Finding:
    return Finding("wrong", source.name, what, do)


def _unknown(source: Source, what: str) -> Finding:
    return Finding("unknown", source.name, f"{what} cannot be known: ingest does not tell.")


def _of(count: int, whole: int) -> str:
    return f"{count:,} of {whole:,}"


def _all(count: int) -> str:
    """Shares are rounded: beyond some number of events a few may be otherwise."""
    return f"None of {count:,}" if count < _EXACT else f"Hardly one of {count:,}"
