"""Rules are data (triggers.md §0): models, filters, and what they read."""

from tern_triggers.domain.rules.every_rule import Base, Lane, Mode
from tern_triggers.domain.rules.kinds import RULE, Change, Count, Date, Fold, Inactivity, OnEvent, Rule
from tern_triggers.domain.rules.parts import (
    Act,
    Channel,
    Condition,
    Conversion,
    EventFilter,
    Frequency,
    Personal,
    Share,
    Step,
    Waits,
    event_key,
)
from tern_triggers.domain.rules.reading import Reads, filters, reads
from tern_triggers.domain.rules.ruleset import Ruleset, begins_alike, ruleset

__all__ = [
    "RULE",
    "Act",
    "Base",
    "Change",
    "Channel",
    "Condition",
    "Conversion",
    "Count",
    "Date",
    "EventFilter",
    "Fold",
    "Frequency",
    "Inactivity",
    "Lane",
    "Mode",
    "OnEvent",
    "Personal",
    "Reads",
    "Rule",
    "Ruleset",
    "Share",
    "Step",
    "Waits",
    "begins_alike",
    "event_key",
    "filters",
    "reads",
    "ruleset",
]
