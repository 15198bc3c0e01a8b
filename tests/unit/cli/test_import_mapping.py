"""Rows as events: where cells go, and what is said of a mapping that cannot be."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tern_cli.importing.mapping import MappingFile, RowMapping, as_line, declared
from tern_common.errors import Misconfigured, Unusable

HEADING = ["email", "order_no", "total", "gift", "lines", "created_at"]
PAIRS = ["email=traits.email", "order_no=properties.order_id"]
GIVEN = {"type": "track", "event": "Order Completed", "timestamp": "created_at"}


def mapping(*pairs: str, heading: Sequence[str] = HEADING, **given: str | None) -> RowMapping:
    return RowMapping(heading, declared(None, pairs or PAIRS, {**GIVEN, **given}))


def test_cells_go_where_they_are_told_and_empty_ones_nowhere() -> None:
    row = ["ann@example.com", "o-1", " ", "", "", "2019-01-02"]
    assert mapping().event(row) == {
        "type": "track",
        "event": "Order Completed",
        "traits": {"email": "ann@example.com"},
        "properties": {"order_id": "o-1"},
        "timestamp": "2019-01-02",
    }


def test_cells_are_text_unless_they_are_said_to_be_more() -> None:
    found = mapping(
        "order_no=properties.id",
        "total=properties.total:number",
        "gift=properties.gift:boolean",
        "lines=properties.products:json",
    )
    event = found.event(["", "007", "19.90", "Yes", '[{"product_id": "p"}]', "2019"])
    assert event["properties"] == {"id": "007", "total": 19.9, "gift": True, "products": [{"product_id": "p"}]}
    assert found.event(["", "", "12345678901234567890", "no", "1", "2019"])["properties"] == {
        "total": 12345678901234567890,
        "gift": False,
        "products": 1,
    }


@pytest.mark.parametrize(
    ("cell", "place", "reason"),
    [
        ("19,90", 2, "cell-not-a-number"),
        ("nan", 2, "cell-not-a-number"),
        ("inf", 2, "cell-not-a-number"),
        ("perhaps", 3, "cell-not-a-boolean"),
        ("[", 4, "cell-not-json"),
        ('"\\ud800"', 4, "cell-not-json"),
    ],
)
def test_a_cell_that_is_not_what_it_should_be_makes_its_row_none(cell: str, place: int, reason: str) -> None:
    found = mapping("total=properties.t:number", "gift=properties.g:boolean", "lines=properties.l:json")
    row = [""] * len(HEADING)
    row[place] = cell
    with pytest.raises(Unusable, match=reason):
        found.event(row)


def test_a_row_unlike_the_heading_is_none() -> None:
    with pytest.raises(Unusable, match="cells-unlike-heading"):
        mapping().event(["ann@example.com", "o-1"])


def test_an_event_is_the_same_line_whenever_it_is_made() -> None:
    assert as_line({"type": "track", "event": "Café"}) == '{"type":"track","event":"Café"}'.encode()


def test_what_is_said_beside_a_file_wins() -> None:
    file = MappingFile(type="track", event="Order Completed", columns={"a": "userId", "b": "properties.b"})
    said = declared(file, ["a=anonymousId"], {"type": "page", "event": None})
    assert said == MappingFile(type="page", event="Order Completed", columns={"a": "anonymousId", "b": "properties.b"})


@pytest.mark.parametrize(
    ("pairs", "given", "said"),
    [
        (["emial=traits.email"], {}, "no column 'emial'; did you mean 'email'?"),
        (["street=traits.street"], {}, "no column 'street'"),
        (["order_no=order_id"], {}, "write properties.order_id"),
        (["email=userID"], {}, "did you mean userId?"),
        (["email=traits"], {}, "write properties.traits"),
        (["email=traits."], {}, "no field 'traits.'"),
        (["total=properties.total:money"], {}, "'money' is no kind"),
        (["email"], {}, "write COLUMN=FIELD"),
        (["=userId"], {}, "write COLUMN=FIELD"),
        (["email=userId", "order_no=userId"], {}, "two columns go to userId"),
        (["email=traits.a", "order_no=traits.a.b"], {}, "two columns go to traits.a"),
        (["gift=type"], {}, "type is said by --type and by a column"),
        ([], {"type": None}, "--type with one of track, identify"),
        ([], {"type": "dance"}, "--type dance: it is one of"),
        ([], {"event": None}, "--event"),
        ([], {"timestamp": None}, "--timestamp COLUMN"),
    ],
)
def test_a_mapping_that_cannot_be_says_what_to_write_instead(
    pairs: list[str], given: dict[str, str | None], said: str
) -> None:
    with pytest.raises(Misconfigured) as wrong:
        RowMapping(HEADING, declared(None, pairs or PAIRS, {**GIVEN, **given}))
    assert said in str(wrong.value)


def test_a_table_says_its_columns_when_nobody_says_what_they_mean() -> None:
    with pytest.raises(Misconfigured, match="'email', 'order_no'"):
        RowMapping(HEADING, MappingFile(type="identify"))
    with pytest.raises(Misconfigured, match="columns of one name: 'a'"):
        mapping("a=userId", heading=["a", "b", "a"])
    with pytest.raises(Misconfigured, match="its columns are none"):
        RowMapping([], MappingFile())
