"""What operators write to say what counts: tests of values, and conditions that join them. Data, never expressions.

`comparing`: tests of one value, and how values compare. `joining`: trees of such tests. Both know neither events nor
profiles: who asks brings the values. One reading for rules and for profiles (docs/adr/0023-one-reading-of-numbers.md).
"""

from tern_common.conditions.comparing import TESTS, Comparison, Declared, Scalar, Value, passes, value_of
from tern_common.conditions.joining import PATH, All, AnyOf, Compare, Condition, Not, holds, leaves, paths

__all__ = [
    "PATH",
    "TESTS",
    "All",
    "AnyOf",
    "Compare",
    "Comparison",
    "Condition",
    "Declared",
    "Not",
    "Scalar",
    "Value",
    "holds",
    "leaves",
    "passes",
    "paths",
    "value_of",
]
