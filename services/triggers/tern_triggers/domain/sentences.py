"""What decisions and their reasons mean, in plain English. Pure text: never a contact point, never what an event said.

Every code of the contract has its sentence here; `docs/reference/reasons.md` is written from them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from tern_triggers.domain.decisions import Outcome, Why
from tern_triggers.domain.story import Gone

OUTCOMES: Mapping[Outcome, str] = {
    Outcome.FIRED: "All checks passed and the trigger was published, or in shadow would have been.",
    Outcome.HELD_OUT: "All checks passed, but the customer is in the rule's control group, so nothing was published.",
    Outcome.SUPPRESSED: "A check failed for good, so this step is not taken.",
    Outcome.WITHDRAWN: "It was decided, and taken back before anybody could see it.",
    Outcome.ENDED: "A note: the reason was gone before the step was decided.",
}

WHY: Mapping[Why, str] = {
    Why.EXPIRED: "the step had expired before it could be decided",
    Why.SHARED: "the customer is a shared one (a till, a kiosk), so nobody would be reached",
    Why.CONDITION: "a condition of the rule or of its step does not hold",
    Why.NO_CONSENT: "no channel of the step has the customer's consent",
    Why.DO_NOT_CONTACT: "the shop has put the customer on its list of those who are not to be contacted",
    Why.UNREACHABLE: "consent is there, but no channel of the step has a contact point that may be used",
    Why.FREQUENCY: "the rule has spoken to the customer too recently",
    Why.QUIET: "it is quiet hours where the customer is",
    Why.BEST_HOUR: "it waits for the hour at which the customer is usually around",
    Why.STOCK: "the shop was asked to hold the stock and has not answered yet",
    Why.CAPPED: "the customer has had as many contacts as the caps allow",
    Why.HISTORY: "it began before the rule was live: what is just past is caught up with gradually, the rest is left",
    Why.ALREADY: "the same reason has spoken under another part of the customer",
    Why.UNPUBLISHABLE: "no broker takes the record",
}

GONE: Mapping[Gone, str] = {
    Gone.ORDERED: "an order was placed",
    Gone.EMPTIED: "the cart was emptied",
    Gone.CHECKOUT: "the checkout was started",
    Gone.REFUNDED: "the order was refunded in full",
    Gone.CANCELLED: "the order was cancelled",
    Gone.CARTED: "something was put into the cart",
    Gone.CHANGED: "the cart was changed",
    Gone.SEEN: "the customer came back",
    Gone.EXIT: "an event came that ends it by the rule",
    Gone.LEFT: "the customer left the class",
    Gone.ERASED: "the person it was about was erased",
}


def meaning(reason: Why | Gone) -> str:
    """Why, as the end of a sentence."""
    return WHY[reason] if isinstance(reason, Why) else GONE[reason]


def at(moment: datetime) -> str:
    """A moment as people read it, to the second, in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def step_of(step: int, steps: int) -> str:
    """Steps count from 1 for people."""
    return "It" if steps == 1 else f"Step {step + 1} of {steps}"


def heading(rule: str, key: str, mode: str) -> str:
    """What the sentences after it are about."""
    about = f" about {key}" if key else ""
    return f"{rule}{about}{' (in shadow: decides, and publishes nothing)' if mode == 'shadow' else ''}:"


def began(started: datetime, last: datetime, message_id: str) -> str:
    """What started the cycle that is going on."""
    event = f" (event {message_id})" if message_id else ""
    more = f", and the last that counts came on {at(last)}" if last > started else ""
    return f"It began on {at(started)}{event}{more}."


def decided(step: str, outcome: Outcome, reason: Why | Gone | None, when: datetime, due: datetime) -> str:
    """One decision of the log."""
    because = "" if reason is None else f": {meaning(reason)}"
    match outcome:
        case Outcome.FIRED:
            return f"{step} fired on {at(when)}, due since {at(due)}."
        case Outcome.HELD_OUT:
            return (
                f"{step} passed all checks on {at(when)}, and was not published: the customer is in the control group."
            )
        case Outcome.WITHDRAWN:
            return f"{step} was decided on {at(when)}, and withdrawn before anybody could see it{because}."
        case Outcome.SUPPRESSED:
            return f"{step} was not taken on {at(when)}{because}."
        case _:
            return f"{step} was due on {at(due)} and never decided{because}."


def taken_back(retracted: datetime | None, cancelled: datetime | None, released: datetime | None) -> Sequence[str]:
    """What became of a trigger after it fired."""
    said = []
    if retracted is not None:
        said.append(f"It was retracted on {at(retracted)}: its reason had gone before it fired, as an event told late.")
    if cancelled is not None:
        said.append(f"It was cancelled on {at(cancelled)}: its reason has gone since.")
    if released is not None:
        said.append(f"It counts for no cap since {at(released)}: it did not reach the customer.")
    return said


def over(why: Gone, when: datetime, message_id: str) -> str:
    """A cycle that an exit closed."""
    event = f" (event {message_id})" if message_id else ""
    return f"Nothing is going on: {GONE[why]} on {at(when)}{event}."


def waiting(step: str, due: datetime, ready: datetime) -> str:
    """A step that is not due yet, or whose grace runs."""
    return f"{step} falls due on {at(due)}, and is decided when everything up to {at(ready)} is known."


def unsafe(step: str, due: datetime, ready: datetime, safe: datetime | None) -> str:
    """A step whose time has come by the clock alone."""
    stands = "is not known yet" if safe is None else f"stands at {at(safe)}"
    return (
        f"{step} fell due on {at(due)}. It waits until safe time reaches {at(ready)}; that {stands}: an event that "
        "ends it may still be on its way."
    )


def put_off(step: str, until: datetime, why: Why) -> str:
    """A step that was deferred."""
    return f"{step} is put off until {at(until)}: {WHY[why]}. Then everything is checked again."


def imminent(step: str) -> str:
    """A step that nothing holds."""
    return f"{step} is decided at the next look, any moment now."


def forecast(outcome: Outcome | None, reason: Why | None, channels: Sequence[str], until: datetime | None) -> str:
    """What would be decided if nothing changed until then."""
    if outcome is Outcome.FIRED and channels:
        return f"As things stand it will fire by {', else '.join(channels)}, unless another reason speaks first."
    if outcome is Outcome.FIRED:
        return "As things stand it will fire."
    if outcome is Outcome.HELD_OUT:
        return "As things stand it will not be published: the customer is in the rule's control group."
    because = "" if reason is None else f": {WHY[reason]}"
    if outcome is None and until is not None:
        return f"As things stand it will be put off until {at(until)}{because}."
    return f"As things stand it will not be taken{because}."


def expires(when: datetime) -> str:
    """Until when it is worth acting."""
    return f"It expires on {at(when)}."


NOT_THEIRS = "Nothing is going on: what it is about is another customer's, or nothing is left of it."
LATE = "Nothing is going on: what happened came late or from an import, which starts nothing for this rule."
HISTORY = "Nothing is going on: what happened did so before the rule was live."
COMPLETE = "All that this rule does was decided."
PAUSED = "The rule is paused: it decides nothing."
NOT_STARTED: Mapping[str, str] = {
    "inactivity": "Nothing that this customer did has started it.",
    "count": "This customer has not done often enough what it counts.",
    "change": "The customer is not in the class that it is about.",
    "date": "The profile does not say the date that it goes by.",
    "event": "No event of this customer matches it.",
}
NOTHING_LEFT = "Nothing is going on: what led to these decisions is no longer there."
UNKNOWN = "Triggers know nothing of this customer: no event that a rule reads, or it was erased."
