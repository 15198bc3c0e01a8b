"""The pages that a source lists."""

from __future__ import annotations

import pytest

from tern_ingest.domain import origins

LISTED = ("https://shop.example", "https://*.shop.example", "http://localhost:3000")


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "https://shop.example",
        "https://www.shop.example",
        "https://a.b.shop.example",
        "http://localhost:3000",
    ],
)
def test_a_listed_page_may_send_and_so_may_what_is_no_page(origin: str | None) -> None:
    assert origins.allowed(LISTED, origin)


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "null",
        "http://shop.example",
        "https://shop.example:8443",
        "https://shop.example.evil.example",
        "https://evilshop.example",
        "https://x.evilshop.example",
        "https://evil.example/.shop.example",
        "https://a..shop.example",
        "https://user@www.shop.example",
        "http://localhost:3001",
        "HTTPS://SHOP.EXAMPLE",
    ],
)
def test_any_other_page_may_not(origin: str) -> None:
    assert not origins.allowed(LISTED, origin)
    assert origins.allowed((), origin)


@pytest.mark.parametrize("origin", [*LISTED, "https://xn--bcher-kva.example", "https://1.2.3.4:8080", "https://a-b.c"])
def test_what_a_browser_writes_can_be_listed(origin: str) -> None:
    assert origins.is_spelt_well(origin)


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "*",
        "null",
        "https://",
        "https://*",
        "https://*.",
        "shop.example",
        "https://shop.example/",
        "https://shop.example/page",
        "https://a.*.example",
        "https://Shop.example",
        "https://shop.example:",
        "https://shop.example\n",
        "ftp://shop.example",
        "https://" + "a" * 300,
    ],
)
def test_what_no_browser_writes_cannot(origin: str) -> None:
    assert not origins.is_spelt_well(origin)
