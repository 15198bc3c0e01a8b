"""What several processes have counted: written on pages that they share, and added up by whoever is asked."""

from __future__ import annotations

from prometheus_client import Counter, Gauge
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from tern_common.board import PAGE_BYTES, Board, Family, Sheet, added, seen_by_each

HANDED = Counter("test_board_handed", "Things handed over.", ["to"])
OPEN = Gauge("test_board_open", "Things that are open.")
QUEUE = seen_by_each(Gauge("test_board_queue", "Things that wait in the one queue.", ["to"]))


def values(text: bytes) -> dict[tuple[str, str], float]:
    families = text_string_to_metric_families(text.decode())
    return {(one.name, one.labels.get("to", "")): one.value for family in families for one in family.samples}


def test_a_page_holds_what_was_written_last() -> None:
    board = Board(2)
    assert board.read(0) == b""
    for content in (b"one", b"two, longer", b"3"):
        board.write(0, content)
        assert board.read(0) == content
    assert board.read(1) == b""


def test_what_does_not_fit_leaves_what_stood_there() -> None:
    board = Board(2)
    board.write(0, b"fits")
    board.write(0, bytes(PAGE_BYTES))
    assert (board.read(0), board.read(1)) == (b"fits", b"")


def test_that_a_page_stands_still_is_said_once() -> None:
    board = Board(1)
    with capture_logs() as said:
        board.write(0, b"fits")
        for _ in range(3):
            board.write(0, bytes(PAGE_BYTES))
    assert [(one["log_level"], one["bytes"]) for one in said] == [("error", PAGE_BYTES)]
    assert said[0]["room"] < PAGE_BYTES / 2


def test_whoever_is_asked_answers_for_all() -> None:
    board = Board(2)
    one, other = Sheet(board, 0), Sheet(board, 1)
    HANDED.labels("north").inc(3)
    OPEN.set(2)
    one.write()
    HANDED.labels("south").inc()
    found = values(other.render())
    assert found["test_board_handed_total", "north"] == 6
    assert found["test_board_handed_total", "south"] == 1
    assert found["test_board_open", ""] == 4


def test_of_what_each_sees_for_itself_the_greatest_counts() -> None:
    board = Board(2)
    one, other = Sheet(board, 0), Sheet(board, 1)
    for sheet, waiting in ((one, 5), (other, 3)):
        QUEUE.labels("east").set(waiting)
        sheet.write()
    assert values(other.render())["test_board_queue", "east"] == 5


def test_who_takes_a_dead_ones_place_goes_on_with_his_counts_but_not_with_his_state() -> None:
    board = Board(1)
    board.write(0, b"")
    HANDED.labels("west").inc(5)
    OPEN.set(7)
    Sheet(board, 0).write()
    found = values(Sheet(board, 0).render())
    assert found["test_board_handed_total", "west"] == 10
    assert found["test_board_open", ""] == 7


def test_what_is_no_amount_is_not_summed() -> None:
    began = Family("b", "", "gauge", [("process_start_time_seconds", (), 5.0), ("python_info", (), 1.0)])
    later = Family("b", "", "gauge", [("process_start_time_seconds", (), 9.0), ("python_info", (), 1.0)])
    assert added([later, began]) == [began]
