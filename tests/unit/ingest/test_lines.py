"""Lines out of bytes: the same however they are cut, and never more in memory than a line may be."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tern_common.errors import Unusable
from tern_ingest.domain.lines import Line, Splitting, Unpacking

Pack = Callable[[bytes], bytes]
PACKS: list[Pack] = [
    bytes,
    gzip.compress,
    zlib.compress,
    lambda data: gzip.compress(data[:7]) + gzip.compress(data[7:]),
]

texts = st.lists(st.sampled_from([b"a", b"{}", b"\n", b"\r", b" ", "\u00e9".encode(), b"0" * 9]), max_size=40).map(
    b"".join
)
cuts = st.lists(st.integers(0, 200), max_size=12)


def cut(data: bytes, at: Iterable[int]) -> list[bytes]:
    """The same bytes in pieces, some of them empty."""
    places = [0, *sorted(min(place, len(data)) for place in at), len(data)]
    return [data[start:end] for start, end in pairwise(places)]


def lines_of(pieces: Iterable[bytes], longest: int, first: int = 1) -> list[Line]:
    unpacking, splitting = Unpacking(), Splitting(longest, first)
    found = [line for piece in pieces for text in unpacking.feed(piece) for line in splitting.feed(text)]
    unpacking.end()
    return [*found, *splitting.end()]


def as_they_are(data: bytes, longest: int) -> list[Line]:
    """The model: all at once."""
    texts = data.split(b"\n")
    whole = texts if texts[-1] else texts[:-1]
    return [Line(place + 1, text[:longest], len(text) > longest) for place, text in enumerate(whole)]


@given(texts, cuts, st.sampled_from(PACKS), st.integers(1, 12))
def test_any_chunking_of_any_packing_gives_the_same_lines(data: bytes, at: list[int], pack: Pack, longest: int) -> None:
    plain = b"{" + data  # the first byte tells what it is packed as
    assert lines_of(cut(pack(plain), at), longest) == as_they_are(plain, longest)


def test_a_member_of_nothing_is_passed_over() -> None:
    packed = gzip.compress(b"{}\n") + gzip.compress(b"") + gzip.compress(b"[]")
    assert lines_of([packed], 9) == [Line(1, b"{}"), Line(2, b"[]")]


def test_numbers_go_on_from_where_the_file_was_left() -> None:
    assert [line.number for line in lines_of([b"a\n\nb"], 9, first=7_000_001)] == [7_000_001, 7_000_002, 7_000_003]


def test_nothing_has_no_lines() -> None:
    assert lines_of([b"", b""], 9) == []


def test_an_endless_line_is_kept_no_longer_than_it_may_be() -> None:
    splitting = Splitting(100)
    for _ in range(1_000):
        assert list(splitting.feed(b"x" * 1_000)) == []
        assert len(splitting._rest) == 100
    assert list(splitting.feed(b"\n{}\n")) == [Line(1, b"x" * 100, cut=True), Line(2, b"{}")]


def test_a_bomb_unpacks_a_little_at_a_time() -> None:
    bomb = gzip.compress(bytes(20_000_000))
    sizes = [len(text) for text in Unpacking().feed(bomb)]
    assert (sum(sizes), max(sizes)) == (20_000_000, 64 * 1024)


def test_what_is_cut_off_or_broken_says_so() -> None:
    packed = gzip.compress(b"{}\n" * 1_000)
    cut_off = Unpacking()
    assert b"".join(cut_off.feed(packed[:-9])).startswith(b"{}\n")
    with pytest.raises(Unusable, match="gzip-cut-off"):
        cut_off.end()
    with pytest.raises(Unusable, match="not-gzip"):
        list(Unpacking().feed(packed + b"trailing"))
    with pytest.raises(Unusable, match="not-gzip"):
        list(Unpacking().feed(b"xml is none"))
