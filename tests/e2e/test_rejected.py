"""Rejected is not lost: what was broken is listed, mended and sent again, and nobody can tell afterwards."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from support.names import unique
from support.shop import Json, Shop, filled_cart, order
from support.waiting import eventually
from tern_cli.__main__ import main
from tern_cli.platform import Session

Capture = pytest.CaptureFixture[str]

PERSONS, EVENTS_EACH = 60, 10
STEPS = """\
rename kind type
rename name event
default type track                      # after the renaming: what has none now never had one
date timestamp "%d.%m.%Y %H:%M:%S.%f"
type groupId text
remove context
"""


def _without_type(event: Json) -> Json:
    return {name: said for name, said in event.items() if name != "type"}


def _with_local_time(event: Json) -> Json:
    return {**event, "timestamp": datetime.fromisoformat(event["timestamp"]).strftime("%d.%m.%Y %H:%M:%S.%f")}


def _with_another_name(event: Json) -> Json:
    return {**{name: said for name, said in event.items() if name != "event"}, "name": event["event"]}


BREAKS: Sequence[tuple[str, Callable[[Json], Json]]] = (
    ("type-missing", _without_type),
    ("type-missing", lambda event: {**_without_type(event), "kind": event["type"]}),
    ("timestamp-unreadable", _with_local_time),
    ("event-name-missing", _with_another_name),
    ("group-id-not-text", lambda event: {**event, "groupId": True}),
    ("context-not-an-object", lambda event: {**event, "context": "none"}),
)


def history(shop: Shop, user: str) -> list[Json]:
    """What one person does: a cart, an order, and looks at products."""
    views = [
        shop.event("Product Viewed", user, {"product_id": f"p{number}", "price": number + 0.5}, groupId="true")
        for number in range(EVENTS_EACH - 4)
    ]
    return [*filled_cart(shop, user, f"cart-{user}"), order(shop, user, f"cart-{user}"), *views]


def renamed(events: Sequence[Json], old: str, new: str) -> list[Json]:
    """The same told of somebody else."""
    found = json.loads(json.dumps(events).replace(old, new))
    return [{**event, "messageId": f"{event['messageId']}-{new}"} for event in found]


def broken(events: Sequence[Json]) -> list[Json]:
    """Every hundredth, each in another way; always one that is told of somebody."""
    found = list(events)
    for number, (_, spoil) in enumerate(BREAKS):
        place = number * 100 + 6
        assert found[place]["event"] == "Product Viewed"
        found[place] = spoil(found[place])
    return found


def comparable(profile: Json, mark: str) -> Json:
    """A profile without what is drawn anew for each person."""
    known = {name: said for name, said in profile.items() if name not in ("customer_id", "profile_version")}
    found: Json = json.loads(json.dumps(known).replace(mark, "somebody"))
    return found


async def call(shop: Shop, *arguments: str) -> None:
    """In a thread, as the command waits."""
    session = Session(environment={}, folder=Path("/"))
    code = await asyncio.to_thread(main, ["--run-file", str(shop.run_file), "--json", *arguments], session)
    assert code == 0


async def profiles(shop: Shop, mark: str) -> list[Json]:
    """Of all persons of that name, comparable."""
    found = []
    for number in range(PERSONS):
        profile = await shop.profile("user_id", f"{mark}-{number}")
        assert profile, number
        found.append(comparable(profile, mark))
    return found


async def test_one_percent_of_broken_events_mended_and_replayed_make_the_profiles_of_a_clean_run(
    shop: Shop, tmp_path: Path, capsys: Capture
) -> None:
    clean, mended = unique("clean"), unique("mended")
    begun = (shop.clock.now() - timedelta(seconds=1)).isoformat()
    good = [event for number in range(PERSONS) for event in history(shop, f"{clean}-{number}")]
    await shop.send(good)
    await shop.send(broken(renamed(good, clean, mended)))
    expected = sorted(reason for reason, _ in BREAKS)

    async def listed() -> Json:
        capsys.readouterr()
        await call(shop, "rejected", "list", "--since", begun, "--service", "ingest")
        found: Json = json.loads(capsys.readouterr().out)
        return found

    groups = (await listed())["groups"]
    assert sorted(group["reason"] for group in groups for _ in range(group["count"])) == expected
    assert all(group["samples"][0]["text"] for group in groups)

    mapping = tmp_path / "mend"
    mapping.write_text(STEPS)
    asked = ("rejected", "replay", "--since", begun, "--service", "ingest", "--mapping", str(mapping))
    await call(shop, *asked, "--dry-run")
    assert json.loads(capsys.readouterr().out)["accepted"] == len(BREAKS)
    await shop.settled()
    assert await profiles(shop, mended) != await profiles(shop, clean), "a dry run sends nothing"

    await call(shop, *asked)
    told = json.loads(capsys.readouterr().out)
    assert (told["accepted"], told["refused"]) == (len(BREAKS), {})
    await call(shop, *asked)
    await shop.settled()

    async def alike() -> bool:
        return await profiles(shop, mended) == await profiles(shop, clean)

    await eventually(alike, 30, "the mended run has the profiles of the clean one")
    assert (await listed())["groups"] == groups, "nothing was rejected a second time"
