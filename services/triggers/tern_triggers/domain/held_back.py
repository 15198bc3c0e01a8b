"""What becomes of a letter that was held back: the world went on since it was decided (triggers.md §4.5.2).

Exits are not asked here: whoever brings one takes back what nobody has seen. Caps and frequency are not either: the
trigger has its slot.
"""

from __future__ import annotations

from datetime import datetime

from tern_triggers.domain.arbiter.hours import quiet_until
from tern_triggers.domain.arbiter.profile_says import is_met
from tern_triggers.domain.arbiter.reach import granted
from tern_triggers.domain.decisions import Decision, Why
from tern_triggers.domain.policy import Policy
from tern_triggers.domain.rules import Rule
from tern_triggers.domain.view import View
from tern_triggers.domain.zones import zone_of


def asked_again(decision: Decision, rule: Rule, view: View, policy: Policy, now: datetime) -> Why | datetime | None:
    """Why it must not go any more, or until when it has to wait; None: it may go.

    It names all its channels, so all of them have to be granted still, and none may be quiet: a delay must not carry a
    contact into the night.
    """
    if now > decision.expires:
        return Why.EXPIRED
    if view.shared or any(voice.shared for voice in view.voices):
        return Why.SHARED
    return _contact(decision, rule, view, policy, now) if decision.act == "contact" else None


def _contact(decision: Decision, rule: Rule, view: View, policy: Policy, now: datetime) -> Why | datetime | None:
    if not all(granted(rule.purpose, channel, view) for channel in decision.channels):
        return Why.NO_CONSENT
    listed, quiet = policy.arbiter.do_not_contact, policy.arbiter.quiet
    if listed is not None and is_met(listed, view):
        return Why.DO_NOT_CONTACT
    end = quiet_until(now, quiet, zone_of(view, policy)) if set(decision.channels) & set(quiet.channels) else None
    return Why.QUIET if end is not None and end > decision.expires else end
