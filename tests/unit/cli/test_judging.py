"""What `tern doctor` finds in the facts: each first-day mistake by its name."""

from __future__ import annotations

from typing import Any

import pytest

from tern_cli.facts import Facts, Finding, Service, Source
from tern_cli.judging import STANDS_STILL_S, findings

NUMBERS: dict[str, Any] = {
    "accepted": 100,
    "rejected": 0,
    "late_share": 0.0,
    "bot_share": 0.0,
    "test_share": 0.0,
    "skewed_share": 0.0,
    "anonymous_share": 0.5,
    "sampled": 100,
    "without_consent_share": 0.2,
}
QUALITY: dict[str, Any] = {
    "total": NUMBERS,
    "rejected": [],
    "refused": [],
    "known": [{"event": "Order Completed", "count": 99}, {"event": "Consent Granted", "count": 1}],
    "unknown": [],
    "faults": [],
}
SERVER = {"kind": "server", "trusted": True, "revoked_at": None}
BROWSER = {"kind": "browser", "trusted": False, "revoked_at": None}
WELL = Source("s1", "web shop", ("https://shop.example",), keys=[SERVER, BROWSER], quality=QUALITY)
INGEST = Service("ingest", {}, answers={200: 1_000})
IDENTITY, PROFILE = Service("identity", {}, lag={"identity": 0.0}), Service("profile", {}, lag={})
TRIGGERS = Service("triggers", {}, safe_age_s={"live": 3.0}, claims=frozenset({"identity", "profile"}))
SERVICES = (INGEST, IDENTITY, PROFILE, TRIGGERS)


def of_source(source: Source) -> list[Finding]:
    return findings(Facts(SERVICES, [source]))


def of_quality(**more: Any) -> list[Finding]:
    total = NUMBERS | {name: more.pop(name) for name in list(more) if name in NUMBERS}
    return of_source(WELL._replace(quality=QUALITY | {"total": total} | more))


def of_services(*services: Service) -> list[Finding]:
    named = {one.name: one for one in (*SERVICES, *services)}
    return findings(Facts(list(named.values()), [WELL]))


def only(found: list[Finding], level: str = "wrong") -> Finding:
    (one,) = found
    assert one.level == level
    assert one.what.endswith(".")
    return one


def test_where_all_is_well_nothing_is_found() -> None:
    assert findings(Facts(SERVICES, [WELL])) == []


def test_there_is_no_source() -> None:
    assert "tern sources create" in only(findings(Facts(SERVICES, []))).do


def test_sources_that_may_not_be_seen_are_unknown() -> None:
    one = only(findings(Facts(SERVICES, None, "ingest answers 403.")), "unknown")
    assert "ingest answers 403" in one.what
    assert "admin" in one.do


def test_a_loop_beside_the_live_stream_that_stands_still() -> None:
    one = only(of_services(IDENTITY._replace(standing=frozenset({"identity-backfill"}))))
    assert (one.about, "loop identity-backfill stands still" in one.what) == ("identity", True)
    assert "the release before" in one.do


def test_a_source_without_a_key() -> None:
    assert "no write key" in only(of_source(WELL._replace(keys=[]))).what


def test_a_source_whose_keys_are_all_revoked() -> None:
    assert "revoked" in only(of_source(WELL._replace(keys=[SERVER | {"revoked_at": "2026-01-01"}]))).what


def test_a_browser_key_without_listed_pages() -> None:
    assert "tern sources pages s1" in only(of_source(WELL._replace(origins=()))).do
    assert of_source(WELL._replace(origins=(), keys=[SERVER])) == []


def test_a_browser_key_that_is_trusted() -> None:
    assert "trusts a browser key" in only(of_source(WELL._replace(keys=[BROWSER | {"trusted": True}]))).what


def test_no_events_at_all() -> None:
    one = only(of_quality(accepted=0, anonymous_share=None, sampled=0, without_consent_share=None))
    assert "No event came" in one.what
    assert "tern tail" in one.do


def test_only_rejected_events() -> None:
    reasons = [{"reason": "timestamp-unreadable", "count": 7}]
    total = NUMBERS | {"accepted": 0, "rejected": 7}
    all_of_them, why = of_source(WELL._replace(quality=QUALITY | {"total": total, "rejected": reasons}))
    assert "All 7 events were rejected" in all_of_them.what
    assert "7 of 7" in why.what
    assert "ISO 8601" in why.do


def test_some_rejected_events_with_the_fix() -> None:
    total = NUMBERS | {"rejected": 2}
    quality = QUALITY | {"total": total, "rejected": [{"reason": "type-unknown", "count": 2}]}
    one = only(of_source(WELL._replace(quality=quality)))
    assert "2 of 102 events were rejected as type-unknown" in one.what
    assert "Use one of the types" in one.do


def test_few_rejected_or_ill_formed_events_among_many_good_ones_are_a_note() -> None:
    few = {"total": NUMBERS | {"accepted": 99_999, "rejected": 1}, "rejected": [{"reason": "type-unknown", "count": 1}]}
    only(of_source(WELL._replace(quality=QUALITY | few)), "note")
    fault = {"event": "Order Completed", "property": "total", "fault": "missing", "count": 1, "checked": 900}
    only(of_quality(faults=[fault | {"expected": None}]), "note")


@pytest.mark.parametrize(
    ("reason", "what", "do"),
    [
        ("revoked-write-key", "revoked", "tern keys list s1"),
        ("origin-not-allowed", "pages that it does not list", "tern sources pages s1"),
        ("too-many-events", "faster", "tern sources rate s1"),
        ("body-too-slow", "body-too-slow", "log"),
    ],
)
def test_requests_of_a_source_that_were_refused_are_told_with_the_fix(reason: str, what: str, do: str) -> None:
    one = only(of_quality(refused=[{"reason": reason, "count": 50}]))
    assert (one.about, one.what[:19]) == ("web shop", "50 of its requests ")
    assert what in one.what
    assert do in one.do
    assert only(of_quality(refused=[{"reason": reason, "count": 1}]), "note").do == one.do


def test_no_request_of_a_source_arrived_since_its_key_is_revoked() -> None:
    none = NUMBERS | {"accepted": 0}
    refused, nothing = of_quality(total=none, refused=[{"reason": "revoked-write-key", "count": 3}])
    assert ("revoked" in refused.what, nothing.what) == (True, "No event came in these days.")


def test_no_user_is_ever_named() -> None:
    assert "None of 100 of its events names a user" in only(of_quality(anonymous_share=1.0)).what
    assert "Hardly one of 90,000" in only(of_quality(anonymous_share=1.0, accepted=90_000)).what
    quality = QUALITY | {"total": NUMBERS | {"anonymous_share": 1.0}}
    assert "only when signed" in only(of_source(WELL._replace(quality=quality, login_needs_token=True))).what


def test_no_consent_is_ever_granted_by_any_source() -> None:
    """What categories an event's context names is passed on; profile reads the event alone."""
    silent = {"known": [{"event": "Order Completed", "count": 100}]}
    one = only(of_quality(**silent, without_consent_share=0.0))
    assert "nobody may be written to" in one.what
    assert "`context.consent` is passed on, and grants nothing" in one.do
    other = WELL._replace(name="app", quality=QUALITY | silent)
    assert findings(Facts(SERVICES, [WELL, other])) == []


def test_a_clock_that_is_wrong() -> None:
    assert "6% of its events" in only(of_quality(skewed_share=0.06)).what
    assert of_quality(skewed_share=0.01) == []


@pytest.mark.parametrize(("share", "said"), [("test_share", "tests"), ("bot_share", "robots'")])
def test_all_events_are_flagged(share: str, said: str) -> None:
    assert said in only(of_quality(**{share: 1.0}), "note").what


def test_unknown_event_names() -> None:
    names = [{"event": f"Made Up {n}", "count": 5 - n} for n in range(5)]
    beside = only(of_quality(unknown=names), "note")
    assert '"Made Up 0" (5), "Made Up 1" (4), "Made Up 2" (3) and 2 more' in beside.what
    _, alone = of_quality(unknown=names[:1], known=[])
    assert (alone.about, alone.level) == ("web shop", "wrong")


def test_ill_formed_commerce_properties() -> None:
    fault = {"event": "Order Completed", "property": "total", "fault": "ill-formed", "count": 4, "checked": 9}
    one = only(of_quality(faults=[fault | {"expected": "a number"}]))
    assert one.what == (
        '`total` of "Order Completed" is ill-formed in 4 of 9 events that were looked at; expected: a number.'
    )
    assert "tern sources quality s1" in one.do
    assert "expected" not in only(of_quality(faults=[fault | {"expected": None}])).what


def test_what_ingest_does_not_tell_of_a_source_is_unknown() -> None:
    keys, sends = of_source(WELL._replace(keys=None, quality=None))
    assert (keys.level, sends.level) == ("unknown", "unknown")


def test_a_service_that_does_not_answer() -> None:
    assert only(of_services(Service("ingest", None))).about == "ingest"
    assert only(of_services(Service("triggers", None))).about == "triggers"


def test_a_service_that_is_not_ready() -> None:
    one = only(of_services(Service("profile", {"database": "does not answer in time"})))
    assert "database: does not answer in time" in one.what


def test_requests_with_unknown_or_revoked_keys() -> None:
    many = only(of_services(INGEST._replace(answers={200: 10, 401: 90})))
    assert "90 of 100 requests" in many.what
    assert "unknown or revoked" in many.what
    only(of_services(INGEST._replace(answers={200: 1_000, 401: 1})), "note")


def test_requests_from_pages_that_are_not_listed() -> None:
    services = [INGEST._replace(answers={200: 10, 403: 90}), IDENTITY, PROFILE, TRIGGERS]
    assert findings(Facts(services, [WELL])) == []
    of_all, _ = findings(Facts(services, None))
    assert "tern sources pages" in of_all.do


def test_refused_requests_are_unknown_without_metrics() -> None:
    assert only(of_services(INGEST._replace(answers=None)), "unknown").about == "ingest"


def test_safe_time_that_never_began_for_want_of_a_claim() -> None:
    one = only(of_services(TRIGGERS._replace(claims=frozenset({"identity"}), safe_age_s={})))
    assert "no claim of profile" in one.what


def test_safe_time_that_stands_still() -> None:
    still = TRIGGERS._replace(safe_age_s={"live": STANDS_STILL_S + 1, "backfill": 0.0})
    assert "nobody says" in only(of_services(still)).do
    behind = only(of_services(still, IDENTITY._replace(lag={"identity": 12_000.0})))
    assert "identity is 12,000 records behind" in behind.do
    away, stands = of_services(still, Service("identity", None))
    assert away.about == "identity"
    assert "The claim of identity is missing" in stands.do


def test_safe_time_that_nobody_tells_is_unknown() -> None:
    only(of_services(Service("triggers", {})), "unknown")
    only(of_services(TRIGGERS._replace(safe_age_s={})), "unknown")
    assert findings(Facts([INGEST], [WELL])) == []
