"""Conditions read one way wherever they are written: exactly, without case, and absence is no value."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from tern_common.conditions import (
    All,
    AnyOf,
    Compare,
    Comparison,
    Condition,
    Not,
    Value,
    holds,
    leaves,
    passes,
    paths,
    value_of,
)

CONDITION: TypeAdapter[Condition[Compare]] = TypeAdapter(Condition[Compare])
BOUNDS = ("above", "at_least", "below", "at_most")
NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15, places=6)


def read(**written: Any) -> Comparison:
    return Comparison.model_validate(written)


@pytest.mark.parametrize(
    ("test", "passing", "failing"),
    [
        (read(equals=3), ["3", 3.0, " 3.00 ", Decimal("3.000000")], [Decimal("3.00001"), "three", True, None, 3.00001]),
        (read(equals="Gold"), [" gold", "GOLD"], ["silver", None, 1]),
        (read(equals=True), [True], [1, "true", False, None]),
        (read(not_equals="gold"), ["silver", 7, False], ["Gold ", None]),
        (read(one_of=["a", 2]), ["A", "2.0", 2], ["b", None]),
        (read(above=2), ["2.000000001", 10**13], [2, "two", True, None, float("inf"), float("nan")]),
        (read(at_least=10**12), [10**12, Decimal(10) ** 20], [10**12 - 1, "999999999999.99999"]),
        (read(above=1, below=3), [2], [1, 3]),
        (read(at_least=1, at_most=1), [1, "1.0"], ["1.00001", 0]),
        (read(missing=True), [None], ["", 0, False]),
        (read(missing=False), ["", 0, False], [None]),
    ],
)
def test_a_value_passes_or_not(test: Comparison, passing: list[Value], failing: list[Value]) -> None:
    assert [value for value in passing if not passes(test, value)] == []
    assert [value for value in failing if passes(test, value)] == []


@given(st.dictionaries(st.sampled_from(BOUNDS), NUMBERS, min_size=1), NUMBERS)
def test_bounds_compare_all_digits(bounds: dict[str, Decimal], value: Decimal) -> None:
    is_so = {"above": value.__gt__, "at_least": value.__ge__, "below": value.__lt__, "at_most": value.__le__}
    expected = all(is_so[name](bound) for name, bound in bounds.items())
    try:
        test = read(**bounds)
    except ValidationError:
        assert not expected, "a test that something passes was refused"
    else:
        assert [passes(test, one) for one in (value, str(value))] == [expected] * 2


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (3, Decimal(3)),
        (0.1, Decimal("0.1")),
        (Decimal("1.23456"), Decimal("1.23456")),
        ("3", "3"),
        (True, True),
        (None, None),
        (float("nan"), None),
        ([3], None),
        ({"a": 1}, None),
    ],
)
def test_a_json_scalar_becomes_an_exact_value(raw: object, value: object) -> None:
    found = value_of(raw)
    assert (type(found), found) == (type(value), value)


def test_a_tree_holds_as_its_words_say() -> None:
    tree = CONDITION.validate_python(
        {
            "all": [
                {"path": "a", "equals": 1},
                {"any": [{"path": "b", "above": 2}, {"not": {"path": "c", "equals": "x"}}]},
            ]
        }
    )
    truths = {
        (1, 3, "x"): True,
        (1, 2, "x"): False,
        (1, None, None): True,
        (2, 3, "y"): False,
    }
    assert {said: holds(tree, dict(zip("abc", said, strict=True)).get) for said in truths} == truths
    assert [leaf.path for leaf in leaves(tree)] == list(paths(tree)) == ["a", "b", "c"]
    assert list(paths(None)) == []


def test_what_is_read_is_written_back_as_it_was() -> None:
    written = {"all": [{"path": "a", "one_of": ["x", 2]}, {"not": {"any": [{"path": "b", "missing": True}]}}]}
    tree = CONDITION.validate_python(written)
    assert CONDITION.dump_python(tree, mode="json", exclude_none=True) == written
    assert CONDITION.validate_python(tree) == tree


def test_a_tree_is_made_of_trees() -> None:
    one, written = Compare(path="a", equals=1), {"path": "a", "equals": 1}
    joined = AnyOf[Compare](any=(Not[Compare].model_validate({"not": All[Compare](all=(one,))}), one))
    assert CONDITION.validate_python(joined) == CONDITION.validate_python(
        {"any": [{"not": {"all": [written]}}, written]}
    )


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({"path": "a"}, "tests nothing: add one of equals"),
        ({"path": "a", "equal": 1}, "Extra inputs"),
        ({"path": "a b.", "equals": 1}, "pattern"),
        ({"path": "a", "one_of": []}, "at least 1 item"),
        ({"path": "a", "missing": True, "equals": 1}, "passes no other test: split it"),
        ({"path": "a", "at_least": 4, "below": 4}, "no value of `a` passes all"),
        ({"path": "a", "equals": "x", "one_of": ["y"]}, "no value of `a` passes all"),
        ({"path": "a", "equals": "x", "above": 1}, "no value of `a` passes all"),
        ({"all": []}, "at least 1 item"),
        ({"all": [{"path": "a", "above": 4}, {"path": "a", "equals": 4}]}, "no value of `a` passes all"),
        ({"all": [{"path": "a", "missing": True}, {"path": "a", "equals": 4}]}, "cannot be missing and something"),
        ({"not": {"any": [{"all": [{"path": "a", "above": "x"}]}]}}, "valid decimal"),
        ({"all": [{"path": "a", "above": 1}], "any": []}, "Extra inputs"),
    ],
)
def test_what_cannot_be_right_is_refused_with_words_that_help(written: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        CONDITION.validate_python(written)


def test_a_test_of_a_property_without_a_path_says_so() -> None:
    with pytest.raises(ValidationError, match="no value of the property passes all"):
        read(above=4, below=4)
