"""`make chaos`, a short one: whatever is killed while people shop, the result is the oracle's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support.waiting import eventually

SEED = 7
LONGEST_S = 240
TESTS = Path(__file__).parents[1]


def chaos(log: Path, data: Path) -> subprocess.Popen[bytes]:
    """The command, begun."""
    words = [sys.executable, "-m", "chaos", "--minutes", "1", "--seed", str(SEED), "--keep", str(data)]
    with log.open("wb") as output:
        return subprocess.Popen(words, stdout=output, stderr=subprocess.STDOUT, cwd=TESTS)


async def test_whatever_is_killed_while_people_shop_the_result_is_the_oracles(tmp_path: Path) -> None:
    log = tmp_path / "said"
    process = chaos(log, tmp_path / "kept")
    try:
        await eventually(lambda: process.poll() is not None, LONGEST_S, "it has come to rest and is judged")
    finally:
        process.terminate()
        process.wait()
    said = log.read_text()
    assert process.returncode == 0, said
    assert "equal to the oracle" in said
    assert "bound decisions" in said
