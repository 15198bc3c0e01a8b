"""Where the demo's story can be played: what a run file must say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tern_common.errors import Misconfigured
from tern_local.demo.venue import of_run_file

FACTS = {
    **{name: f"http://127.0.0.1/{name}" for name in ("ingest", "identity", "profile", "triggers")},
    "kafka": "127.0.0.1:9092",
    "write_keys": {"server": "wk_s", "browser": "wk_b"},
    "api_token": "tt_1",
}


def test_a_run_file_is_all_that_the_story_needs(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text(json.dumps(FACTS))
    venue = of_run_file(path)
    assert venue.services["triggers"] == "http://127.0.0.1/triggers"
    assert (venue.kafka, venue.write_key, venue.api_token) == ("127.0.0.1:9092", "wk_s", "tt_1")
    assert venue.clock_file == tmp_path / "clock"


@pytest.mark.parametrize("text", [None, "no json", "[]", "{}", json.dumps({**FACTS, "write_keys": {}})])
def test_anything_else_is_told_in_plain_words(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "run.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(Misconfigured, match=r"run\.json is no readable run file"):
        of_run_file(path)
