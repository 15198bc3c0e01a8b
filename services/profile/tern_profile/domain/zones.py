"""Time zones by what people say of where they are: a zone's name, a country and a province, a phone number's country.

Facts only, from the IANA time zone database as `tzdata` ships it, and from `regions.csv` for countries whose provinces
differ. Never a guess: what lies in several zones that differ, or is not a place at all (`UTC`, `Etc/…`), is unknown.
"""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib import resources
from typing import NamedTuple
from zoneinfo import ZoneInfo

import phonenumbers

LONGEST_NAME = 64
CACHED = 1 << 14

_YEAR = datetime(2026, 1, 1, 12, tzinfo=UTC)
_DAYS = 366
"""Zones agree when their offsets are the same on every day of a year that no function asks the clock for."""

_NO_PLACE = frozenset(
    ("utc", "uct", "universal", "zulu", "gmt", "gmt0", "gmt+0", "gmt-0", "greenwich", "factory", "est", "mst", "hst")
)

_ALSO_CALLED: Mapping[str, str] = {
    "usa": "US",
    "unitedstatesofamerica": "US",
    "uk": "GB",
    "gbr": "GB",
    "unitedkingdom": "GB",
    "greatbritain": "GB",
    "england": "GB",
    "scotland": "GB",
    "chn": "CN",
    "中国": "CN",
    "peoplesrepublicofchina": "CN",
    "deu": "DE",
    "deutschland": "DE",
    "fra": "FR",
    "espana": "ES",
    "italia": "IT",
    "nederland": "NL",
    "thenetherlands": "NL",
    "polska": "PL",
    "czechia": "CZ",
    "turkiye": "TR",
    "brasil": "BR",
    "russianfederation": "RU",
    "southkorea": "KR",
    "日本": "JP",
    "台湾": "TW",
    "香港": "HK",
    "vietnam": "VN",
}
"""Beside the codes and the names of ISO 3166 that the database itself has."""


class _Places(NamedTuple):
    """`names`: every zone, by its name without case. `countries`: the one zone of a country, where there is one.

    `called`: a country's code by its bare name. `provinces`: (country, bare code or name) → zone.
    """

    names: Mapping[str, str]
    countries: Mapping[str, str]
    called: Mapping[str, str]
    provinces: Mapping[tuple[str, str], str]


def named(said: object) -> str | None:
    """The zone of this name, as the database writes it; None for anything else, also for one that is no place."""
    if not isinstance(said, str) or len(said) > LONGEST_NAME:
        return None
    return _places().names.get(said.strip().casefold())


def of_address(country: str, province: str = "") -> str | None:
    """The zone of a country (a code or a name), or of a province of it where they differ."""
    return _of_address(country[:LONGEST_NAME], province[:LONGEST_NAME])


@lru_cache(maxsize=CACHED)
def _of_address(country: str, province: str) -> str | None:
    places = _places()
    code = places.called.get(_bare(country))
    if code is None:
        return None
    if code in places.countries:
        return places.countries[code]
    bare = _bare(province).removeprefix(code.casefold() + "-")
    rest = places.provinces.get((code, "*")) if bare else None
    return places.provinces.get((code, bare.replace("-", "")), rest)


@lru_cache(maxsize=CACHED)
def of_phone(number: str) -> str | None:
    """The zone of the country that a number in E.164 belongs to, where it has but one."""
    try:
        region = phonenumbers.region_code_for_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return None
    return None if region is None else _places().countries.get(region)


@lru_cache(maxsize=1)
def _places() -> _Places:
    """Read once: it is data, like the code."""
    regions = list(csv.DictReader(_lines(resources.files("tern_profile.domain") / "regions.csv")))
    countries = dict(_agreeing()) | {row["country"]: row["zone"] for row in regions if not row["province"]}
    rows = [row for row in regions if row["province"]]
    by_code = {(row["country"], row["province"].casefold()): row["zone"] for row in rows}
    by_name = {(row["country"], _bare(row["name"]).replace("-", "")): row["zone"] for row in rows if row["name"]}
    return _Places(_names(), countries, _called(), by_name | by_code)


def _names() -> dict[str, str]:
    lines = _lines(resources.files("tzdata") / "zones")
    return {name.casefold(): name for name in lines if _is_place(name.casefold())}


def _is_place(name: str) -> bool:
    return not name.startswith("etc/") and name not in _NO_PLACE


def _called() -> dict[str, str]:
    rows = (line.split("\t") for line in _lines(resources.files("tzdata") / "zoneinfo" / "iso3166.tab"))
    codes = {row[0]: row[1] for row in rows}
    by_name = {_bare(name.partition("(")[0]): code for code, name in codes.items() if "(" not in name}
    return {code.casefold(): code for code in codes} | by_name | dict(_ALSO_CALLED)


def _agreeing() -> Iterator[tuple[str, str]]:
    """Countries all of whose zones agree, with the first of them."""
    zones: dict[str, list[str]] = {}
    for line in _lines(resources.files("tzdata") / "zoneinfo" / "zone.tab"):
        country, _, zone = line.split("\t")[:3]
        zones.setdefault(country, []).append(zone)
    for country, found in zones.items():
        if len(found) == 1 or len({_offsets(zone) for zone in found}) == 1:
            yield country, found[0]


def _offsets(zone: str) -> tuple[timedelta | None, ...]:
    info = ZoneInfo(zone)
    return tuple((_YEAR + timedelta(days=day)).astimezone(info).utcoffset() for day in range(_DAYS))


def _lines(file: resources.abc.Traversable) -> Iterable[str]:
    return (line for line in file.read_text("utf-8").splitlines() if line and not line.startswith("#"))


def _bare(text: str) -> str:
    """Without case, accents, blanks and dots."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in plain if letter == "-" or letter.isalnum())
