"""Robots' events and tests are flagged, never dropped, and a customer's telephone is no robot."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Raw

from tern_common.events import EMPTY
from tern_ingest.domain import flags
from tern_ingest.domain.flags import flags_of, is_robot
from tern_ingest.domain.keys import WriteKey
from tern_ingest.domain.vouching import SourceRule
from unit.ingest.door import FrontDoor

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
)
GOOGLE = (
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
)
ROBOTS = [
    GOOGLE,
    "Mozilla/5.0 (X11; Linux x64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/140.0.0.0 Safari/537.36",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)",
    "Mozilla/5.0 (Linux; Android 6.0.1) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36 Chrome-Lighthouse",
    "GoogleOther",
    "facebookexternalhit/1.1",
    "python-requests/2.32",
    "curl/8.0",
]
PEOPLE = [
    CHROME,
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1 Version/18.0 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 13; CUBOT_X50) AppleWebKit/537.36 Chrome/120.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android 12) AppleWebKit/537.36 Chrome/116.0 XWEB/116 MMWEBSDK MicroMessenger/8.0.47 Mobile",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:143.0) Gecko/20100101 Firefox/143.0",
    "Dalvik/2.1.0 (Linux; U; Android 14; Pixel 8)",
    "",
]
TRACK: dict[str, Any] = {"type": "track", "event": "Order Completed", "anonymousId": "a"}


@pytest.mark.parametrize("agent", ROBOTS)
def test_a_robot_that_says_so_is_one(agent: str) -> None:
    assert is_robot(agent)


@pytest.mark.parametrize("agent", PEOPLE)
def test_a_customer_is_no_robot(agent: str) -> None:
    assert not is_robot(agent)


@pytest.mark.parametrize(
    "context",
    [b'{"userAgent": 7, "test": "true"}', b'{"userAgent": null, "test": 1}', b'{"userAgent": "\\ud800"}', b"{}", b"["],
)
def test_what_is_ill_formed_says_nothing(context: bytes) -> None:
    assert flags_of(Raw(context)) == (False, False)
    assert flags_of(EMPTY) == (False, False)


async def test_flagged_events_are_taken_like_any_other(door: FrontDoor) -> None:
    flagged = [{**TRACK, "context": {"userAgent": GOOGLE}}, {**TRACK, "context": {"test": True}}]
    assert (await door.post({"batch": [*flagged, TRACK]})).status_code == 200
    said = [(event.get("bot"), event.get("test"), event["context"]) for event in door.events()]
    assert [flags[:2] for flags in said] == [(True, None), (None, True), (None, None)]
    assert said[0][2]["userAgent"] == GOOGLE


async def test_the_header_counts_for_browsers_alone_and_only_where_the_event_is_silent(door: FrontDoor) -> None:
    robot = {"User-Agent": "python-requests/2.32"}
    await door.post(TRACK, "/v1/track", headers=robot)
    door.store.keys = [as_browser(key) for key in door.store.keys]
    await door.keyring.refresh()
    await door.post(TRACK, "/v1/track", headers=robot)
    await door.post({**TRACK, "context": {"userAgent": CHROME}}, "/v1/track", headers=robot)
    assert [event.get("bot", False) for event in door.events()] == [False, True, False]


def as_browser(key: WriteKey) -> WriteKey:
    return key._replace(kind="browser")


@pytest.mark.parametrize(
    ("email", "found"),
    [("QA@shop.example.com", True), ("x@test.example.com", True), ("ann@example.com", False), (7, False)],
)
async def test_orders_of_declared_testers_are_tests(door: FrontDoor, email: object, found: bool) -> None:
    door.sign(SourceRule(testers=frozenset({"qa@shop.example.com", "@test.example.com"})))
    await door.post({**TRACK, "properties": {"email": email}}, "/v1/track")
    assert door.event().get("test", False) is found


def test_testers_are_addresses_and_domains() -> None:
    assert flags.tester(" QA@Shop.example.com ") == "qa@shop.example.com"
    assert flags.tester("@Shop.example") == "@shop.example"
    assert [flags.tester(wrong) for wrong in ("shop.example", "@", "@shop", "@" + "a." * 200 + "b", "ann", "")] == [
        None
    ] * 6
