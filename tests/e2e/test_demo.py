"""`make demo` can be interrupted, or killed, and played again at once."""

from __future__ import annotations

import signal
from pathlib import Path

from support.platform import tern_local
from support.processes import nothing_is_left
from tern_local.demo.claims import CLAIMS

STOPS_S = 20


async def test_the_demo_plays_after_ctrl_c_and_after_kill_9(tmp_path: Path) -> None:
    data = tmp_path / "demo"
    with tern_local(data, "demo", log="interrupted") as demo:
        await demo.says("Kafka and PostgreSQL are up")
        demo.process.send_signal(signal.SIGINT)
        assert await demo.ends(STOPS_S) == 130
    assert "Traceback" not in demo.said()
    await nothing_is_left(data)

    with tern_local(data, "demo", log="killed") as demo:
        await demo.says("pass")  # the first days have
        demo.process.kill()
        assert await demo.ends() == -signal.SIGKILL

    with tern_local(data, "demo", log="played") as demo:
        assert await demo.ends(180) == 0, demo.said()
    assert [claim.says for claim in CLAIMS if claim.says not in demo.said()] == []
    await nothing_is_left(data)
