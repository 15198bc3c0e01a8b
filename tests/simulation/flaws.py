"""Deliberate mistakes, each a thing somebody might do in good faith. What does not notice one proves nothing."""

from __future__ import annotations

from enum import StrEnum


class Flaw(StrEnum):
    """What one part of the platform does wrong."""

    COMMIT_FIRST = "identity commits offsets before its outputs are acknowledged"
    SKIP_REDELIVERED = "identity publishes nothing for what it has filed before"
    NO_PROFILE_HOP = "triggers believe identity alone"
    OWN_POSITIONS = "triggers look at the positions of their own partitions only"
    EARLY_POSITIONS = "triggers move positions when records are read, not when they are applied"
    WALL_CLOCK = "triggers decide by the clock, not by safe time"
    LATE_MOMENT = "identity notes the moment of its claim after it has asked for the ends"
    NOTED_AFTER_SENDING = "an attempt is noted after it was made"
    COMMIT_UNAPPLIED = "triggers commit offsets before their transaction"
    FORGET_NOTHING_FIRED = "an exit that comes late takes nothing back"
    LIVE_ALONE = "rules that read history decide by the live lane alone"
    HISTORY_SPEAKS = "history is read as if it happened now"
    RULE_BY_RULE = "each rule counts its own contacts for the caps"
    QUIET_BY_ROUND = "quiet hours go by the round, not by when it is sent"
    DEFERRED_UNSEEN = "what was put off is judged later by what was known when it was"
    COUNTED_ANEW = "a count forgets what it has told"
    CLASS_UNNOTICED = "news of a profile plans no look"
