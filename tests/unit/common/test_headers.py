"""Headers of derived records: what is published again is recognised by its id."""

from __future__ import annotations

from tern_common.headers import headers_of


def test_the_same_value_has_the_same_id_and_another_value_another() -> None:
    assert headers_of("claim", b"a") == headers_of("claim", b"a")
    assert headers_of("claim", b"a")[0] != headers_of("claim", b"b")[0]


def test_every_derived_record_says_its_id_schema_and_mode() -> None:
    (name, message_id), *rest = headers_of("profile", b"{}", "replay")
    assert (name, len(message_id)) == ("message-id", 32)
    assert rest == [("schema", b"profile"), ("mode", b"replay")]
