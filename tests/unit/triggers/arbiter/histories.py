"""Random customers over weeks in which clocks are moved: rules of several kinds and modes, candidates that come late,
merges, lag. Each life is lived by the arbiter, and held against its promises by code that shares nothing with it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from tern_triggers.domain.decisions import Decision, Outcome
from tern_triggers.domain.moments import round_up
from tern_triggers.domain.rounds import Decided, Safe, after, decide, decide_at_once, next_looks, rank, standing
from tern_triggers.domain.rules import Rule, ruleset
from tern_triggers.domain.story import Story
from tern_triggers.domain.view import Responses, Verdicts, View
from unit.triggers.arbiter.cases import ANN_SAYS, POLICY, before, rule, story
from unit.triggers.saying import ANN, HOME, OTHER, at

ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", None)
SPRING, AUTUMN = 0, 330_000
"""Minutes after `START`: the three weeks after either hold a change of clocks in each zone that has one."""

WEEKS = 21 * 1440
LAG = timedelta(minutes=10)
_DELAYS = [timedelta(), timedelta(seconds=20), timedelta(minutes=8), timedelta(minutes=25), timedelta(hours=30)]
"""How late a planned look comes: the last of them is an outage, and rare."""

CHANNELS = ("email", "push", "sms", "call")

RULES: Sequence[Rule] = (
    rule("mails", channels=["email", "sms"], frequency="7d", steps=[{}, {"after": "24h"}]),
    rule("texts", channels=["sms"], steps=[{"after": "2h", "expires_after": "3d", "best_hour": True}]),
    rule("pushes", channels=["push", "email"], priority=70, holdout="50%", steps=[{"expires_after": "12h"}]),
    rule("ghost", channels=["sms", "email"], mode="shadow", frequency="2d", steps=[{"expires_after": "2d"}]),
    rule("human", channels=[], steps=[{"act": "task", "after": "3h"}]),
    rule("says_now", kind="event", of={"event": "Said"}, steps=[{"after": "0s", "expires_after": "6h"}]),
)
CHOSEN = ruleset(RULES)


class Known(NamedTuple):
    """A story, and when it comes to be known."""

    at: datetime
    rule: str
    story: Story


class Made(NamedTuple):
    """A decision, and what had been decided before it about the homes that the customer had then."""

    decision: Decision
    earlier: list[Decision]


class Life:
    """One seed is one life, always the same. `shuffled`: everything that has no order is given in another one."""

    def __init__(self, seed: int, shuffled: int = 0) -> None:
        rnd = random.Random(seed)
        self._order = random.Random(shuffled)
        self._shuffled = bool(shuffled)
        self._begin = rnd.choice((SPRING, AUTUMN))
        self.profile = _profile(rnd)
        coming = {known.story.key: known for known in (self._known(rnd) for _ in range(rnd.randrange(2, 14)))}
        self._coming = sorted(coming.values(), key=lambda known: (known.at, known.story.key))
        self._merge_at = at(self._begin + rnd.randrange(WEEKS)) if rnd.random() < 0.4 else None
        self._theirs = [self._other(rnd, n) for n in range(rnd.randrange(1, 5))]
        self._lags = rnd
        self.made: list[Made] = []
        self.waits: list[tuple[datetime, Decided]] = []
        self.view = View(customer_id=ANN, homes=frozenset({HOME}), profile=self.profile, responses=_responses(rnd))
        self._told: dict[str, list[Story]] = {one.rule: [] for one in RULES}

    def _known(self, rnd: random.Random) -> Known:
        chosen = rnd.choice(RULES).rule
        minutes = self._begin + rnd.randrange(WEEKS)
        delay = rnd.choice((0, 0, 0, rnd.randrange(2000)))
        key = f"{chosen}-{rnd.randrange(10_000)}"
        return Known(at(minutes + delay), chosen, story(key, minutes, value=rnd.randrange(3)))

    def _other(self, rnd: random.Random, number: int) -> Decision:
        minutes = self._begin + rnd.randrange(WEEKS)
        channels = tuple(rnd.sample(CHANNELS, 2))
        return before(
            minutes, key=str(number), name=rnd.choice(("mails", "elsewhere")), home_id=OTHER, channels=channels
        )

    def live(self) -> Life:
        """From one planned look to the next, with lag, until nothing is left to wait for."""
        for _ in range(400):
            when = self._next()
            if when is None:
                return self
            safe = when + self._lags.choices(_DELAYS, (10, 10, 5, 4, 1))[0]
            self._look(safe, safe + self._lags.choice((timedelta(), timedelta(seconds=3), LAG)))
        raise AssertionError("it never ends")

    def _next(self) -> datetime | None:
        looks = next_looks(standing(CHOSEN, self._told, self.view), POLICY)
        moments = [looks.live, looks.all, self._merge_at, *(known.at for known in self._coming[:1])]
        return min((moment for moment in moments if moment is not None), default=None)

    def _look(self, safe: datetime, now: datetime) -> None:
        if self._merge_at is not None and self._merge_at <= now:
            self._merge_at = None
            earlier = [*self.view.decisions, *(one for one in self._theirs if one.round <= now)]
            self.view = replace(self.view, decisions=earlier, homes=frozenset({HOME, OTHER}))
        while self._coming and self._coming[0].at <= now:
            known = self._coming.pop(0)
            self._told[known.rule].append(known.story)
        told, view = self._told, self.view
        if self._shuffled:
            told = {name: self._order.sample(found, len(found)) for name, found in told.items()}
            view = replace(view, decisions=self._order.sample(list(view.decisions), len(view.decisions)))
        self._note(decide_at_once(CHOSEN, told, view, POLICY, now), now)
        view = replace(self.view, decisions=list(self.view.decisions))
        self._note(decide(CHOSEN, told, view, POLICY, Safe(safe, safe), now), safe)

    def _note(self, found: Decided, when: datetime) -> None:
        earlier = [one for one in self.view.decisions if one.home_id in self.view.homes]
        for ruling in found.rulings:
            self.made.append(Made(ruling.decision, list(earlier)))
            earlier.append(ruling.decision)
        self.waits.append((when, found))
        self.view = after(self.view, found)
        left = standing(CHOSEN, self._told, self.view)
        assert sorted(found.left, key=rank) == sorted(left, key=rank), "what is left is what would be found again"

    @property
    def decided(self) -> list[Decision]:
        """All that was decided in this life."""
        return [made.decision for made in self.made]


def _profile(rnd: random.Random) -> Verdicts:
    granted = {channel: rnd.random() < 0.85 for channel in CHANNELS}
    hours = tuple(rnd.randrange(5) for _ in range(24)) if rnd.random() < 0.5 else ()
    enough: dict[str, str | int | float | bool] = (
        {} if rnd.random() < 0.7 else {"max_contacts_per_week": rnd.randrange(3)}
    )
    return replace(
        ANN_SAYS,
        consent={"marketing": granted},
        zone=rnd.choice(ZONES),
        active_hours=hours,
        preferred_channels=tuple(rnd.sample(CHANNELS, rnd.randrange(3))),
        traits=enough,
    )


def _responses(rnd: random.Random) -> dict[str, Responses]:
    return {channel: Responses(10, rnd.randrange(10)) for channel in CHANNELS if rnd.random() < 0.5}


# The promises, by code that knows nothing of how they are kept.


def promises(life: Life) -> None:
    """Raises AssertionError where one is broken."""
    live = [made for made in life.made if made.decision.mode == "live" and made.decision.outcome is Outcome.FIRED]
    for made in live:
        if made.decision.act == "contact":
            _caps_hold(made, life.profile)
            _is_heard(made.decision, life.profile)
        _was_worth_it(made.decision)
        _not_too_often(made)
    _shadows_are_apart(life)
    _arms_do_not_mix(life)
    _waits_are_ahead(life)
    ids = [one.trigger_id for one in life.decided]
    assert len(ids) == len(set(ids)), "decided twice"


def _slots(earlier: Sequence[Decision], channel: str | None = None) -> list[Decision]:
    return [
        one
        for one in earlier
        if one.mode == "live"
        and one.outcome is Outcome.FIRED
        and one.act == "contact"
        and (channel is None or one.channels[0] == channel)
    ]


def _caps_hold(made: Made, profile: Verdicts) -> None:
    """Also by the clock, but for what a round may be late: its tolerance, and lag."""
    decision, slack = made.decision, timedelta(minutes=10) + LAG + timedelta(minutes=1)
    limits = [(1, 1, None), (3, 7, None)]
    if "max_contacts_per_week" in profile.traits:
        limits.append((int(profile.traits["max_contacts_per_week"]), 7, None))
    if decision.channels[0] == "sms":
        limits.append((1, 7, "sms"))  # type: ignore[arg-type]
    for contacts, days, channel in limits:
        window, slots = timedelta(days=days), _slots(made.earlier, channel)
        assert sum(one.round > decision.round - window for one in slots) < contacts, "a cap by rounds"
        near = sum(one.decided_at > decision.decided_at - window + slack for one in slots)
        assert near < contacts, "a cap by the clock"


def _is_heard(decision: Decision, profile: Verdicts) -> None:
    zone = ZoneInfo(profile.zone or "Europe/Berlin")
    shown = max(decision.round, decision.decided_at).astimezone(zone)
    night = shown.hour >= 21 or shown.hour < 9
    assert decision.channels, "by no channel"
    for channel in decision.channels:
        assert profile.consent["marketing"][channel], "without consent"
        assert channel == "email" or not night, "in quiet hours"


def _was_worth_it(decision: Decision) -> None:
    assert decision.decided_at <= decision.expires, "after its expiry"


def _not_too_often(made: Made) -> None:
    decision = made.decision
    if decision.rule == "mails" and decision.step == 0:
        same = [one for one in made.earlier if (one.rule, one.step, one.mode) == ("mails", 0, "live")]
        fired = [one for one in same if one.outcome is Outcome.FIRED]
        assert all(abs(one.round - decision.round) >= timedelta(days=7) for one in fired), "too often"


def _shadows_are_apart(life: Life) -> None:
    for decision in life.decided:
        assert (decision.mode == "shadow") == (decision.rule == "ghost")
        assert not (decision.mode == "shadow" and decision.outcome is Outcome.FIRED and _night_text(decision, life))


def _night_text(decision: Decision, life: Life) -> bool:
    shown = max(decision.round, decision.decided_at).astimezone(ZoneInfo(life.profile.zone or "Europe/Berlin"))
    return "sms" in decision.channels and (shown.hour >= 21 or shown.hour < 9)


def _arms_do_not_mix(life: Life) -> None:
    sides = {one.outcome for one in life.decided if one.rule == "pushes" and one.outcome is not Outcome.SUPPRESSED}
    assert len(sides) < 2, "treated and held out"
    others = {one.rule for one in life.decided if one.outcome is Outcome.HELD_OUT}
    assert others <= {"pushes"}


def _waits_are_ahead(life: Life) -> None:
    for when, found in life.waits:
        for deferral in found.deferrals:
            assert round_up(deferral.until, POLICY.slot) > when, "a wait that is over already"
