"""What operators declared, as the service asks for it: what to count of which events, and what can change by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from tern_common.conditions import leaves
from tern_profile.domain.classes.conditions import TRAITS, Condition
from tern_profile.domain.computed.declaring import Computed
from tern_profile.domain.computed.reading import Watched, watched


@dataclass(frozen=True)
class Declarations:
    """Computed traits and classes, by name. All that follows from them is found out once."""

    computed: Mapping[str, Computed] = field(default_factory=dict)
    classes: Mapping[str, Condition] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.computed or self.classes)

    @cached_property
    def watched(self) -> Watched:
        """What is computed of which events."""
        return watched(self.computed)

    @cached_property
    def keys(self) -> Mapping[str, str]:
        """Computed trait → what its tally is kept under."""
        return {name: declared.key(name) for name, declared in self.computed.items()}

    @cached_property
    def traits(self) -> tuple[str, ...]:
        """Traits that classes ask for."""
        paths = {leaf.path for condition in self.classes.values() for leaf in leaves(condition)}
        return tuple(sorted(path.removeprefix(TRAITS) for path in paths if path.startswith(TRAITS)))

    @cached_property
    def timed(self) -> bool:
        """Whether anything can change although nothing happens."""
        ages = any(leaf.age for condition in self.classes.values() for leaf in leaves(condition))
        return ages or any(declared.window for declared in self.computed.values())


NOTHING_DECLARED = Declarations()
