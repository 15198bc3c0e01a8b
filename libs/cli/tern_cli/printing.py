"""How answers are shown: tables and outlines for people, tabs and JSON for programs. Knows no answer's meaning."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TextIO

from rich.console import Console
from rich.table import Table


def show_json(value: Any) -> None:
    """As it came."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def show_lines(lines: Iterable[str], to: TextIO | None = None) -> None:
    """Sentences, a line each; `to` what is not stdout."""
    for line in lines:
        print(_plain(line), file=to)


def show_rows(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """A table on a terminal; otherwise one line a row, columns separated by tabs, without a heading."""
    cells = [[_plain(row.get(column)) for column in columns] for row in rows]
    if not sys.stdout.isatty():
        for line in cells:
            print("\t".join(line))
        return
    table = Table(*(column.replace("_", " ") for column in columns), box=None, header_style="bold")
    for line in cells:
        table.add_row(*line)
    Console().print(table if cells else "none")


def show_outline(value: Any) -> None:
    """Nested values, indented; what is empty is left out."""
    for line in outline(value):
        print(line)


def outline(value: Any, indent: str = "") -> Iterator[str]:
    """The lines of an outline."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _named(f"{indent}{name}:", inner, indent)
    elif isinstance(value, list):
        for inner in value:
            yield from _named(f"{indent}-", inner, indent)
    else:
        yield indent + _plain(value)


def _named(head: str, inner: Any, indent: str) -> Iterator[str]:
    if inner is None or inner in ({}, []):
        return
    if isinstance(inner, Mapping | list):
        yield head
        yield from outline(inner, indent + "  ")
    else:
        yield f"{head} {_plain(inner)}"


def _plain(value: Any) -> str:
    """Control characters would let a stored value play with the terminal."""
    if value is None:
        return ""
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, bool | list | Mapping) else str(value)
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
