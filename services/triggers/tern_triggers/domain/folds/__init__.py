"""What each kind of rule makes of a customer's facts: stories, from which cycles, steps and explanations follow."""

from tern_triggers.domain.folds.telling import Stories, stories

__all__ = ["Stories", "stories"]
