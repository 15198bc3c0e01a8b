"""The data folder of one local stack: who holds it, which ports it uses, its secrets. Starts nothing."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import socket
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from tern_common.clock import Clock, SystemClock
from tern_common.errors import Misconfigured

HOST = "127.0.0.1"
# How long a process may take to end: a child that was told to, or one whose supervisor was killed.
PATIENCE_S = 20
_SUPERVISOR = "supervisor"
# Below the range from which systems take ports for outgoing connections: those could steal one between two starts.
_PORTS = range(20000, 30000)
_POLL_S = 0.05


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def write_private(path: Path, text: str) -> None:
    """Replaces a file as a whole, readable by its owner alone."""
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
    partial.replace(path)


class Folder:
    """A folder that one supervisor at a time may use. `async with` waits for it, then holds it."""

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        self.path = path.resolve()
        self._clock = clock or SystemClock()
        self._lock = -1

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    async def __aenter__(self) -> Self:
        self.path.mkdir(parents=True, exist_ok=True)
        # Not inherited by any child: it tells supervisors apart. Each child has a lock of its own (`hold`).
        self._lock = await self.hold(_SUPERVISOR, patience_s=12)
        return self

    async def __aexit__(self, *_: object) -> None:
        os.close(self._lock)

    async def hold(self, name: str, patience_s: float) -> int:
        """A file descriptor that holds the lock `name`: whoever inherits it holds it too, until the last one ends.

        So having it proves that no process of an earlier run is left. Raises `Misconfigured` after `patience_s`.
        """
        (self.path / "locks").mkdir(exist_ok=True)
        handle = os.open(self.path / "locks" / name, os.O_RDWR | os.O_CREAT, 0o600)
        deadline = self._clock.monotonic() + patience_s
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if self._clock.monotonic() < deadline:
                    await self._clock.sleep(_POLL_S)
                    continue
                os.close(handle)
                raise Misconfigured(f"{self.path} is in use: its {name} still runs. Stop it first.") from None
            return handle

    def ports(self, names: Sequence[str]) -> dict[str, int]:
        """A port for each name: the one it had last time when that is free, so that addresses survive restarts."""
        file = self / "ports.json"
        kept: dict[str, int] = json.loads(file.read_text()) if file.exists() else {}
        chosen: dict[str, int] = {}
        for name in names:
            taken = {*chosen.values(), *(port for other, port in kept.items() if other != name)}
            chosen[name] = self._port(kept.get(name), taken)
        write_private(file, json.dumps({**kept, **chosen}, indent=1))
        return chosen

    def _port(self, kept: int | None, taken: set[int]) -> int:
        if kept is not None and _is_free(kept):
            return kept
        while True:
            port = secrets.choice(_PORTS)
            if port not in taken and _is_free(port):
                return port

    def secret(self, name: str) -> str:
        """64 random hex digits, drawn once and kept."""
        return self.kept(name) or self.keep(name, secrets.token_hex(32))

    def kept(self, name: str) -> str | None:
        """What was kept under this name."""
        return self._secrets().get(name)

    def keep(self, name: str, text: str) -> str:
        """Keeps a secret; answers it."""
        write_private(self / "secrets.json", json.dumps({**self._secrets(), name: text}, indent=1))
        return text

    def _secrets(self) -> dict[str, str]:
        file = self / "secrets.json"
        return dict(json.loads(file.read_text())) if file.exists() else {}

    async def wipe(self) -> None:
        """Forgets everything but the locks, once nothing is left of an earlier run that would still write here.

        A supervisor that is killed leaves a broker that takes seconds to shut down. Raises `Misconfigured` when a
        process does not end.
        """
        with ExitStack() as held:
            for lock in sorted((self / "locks").iterdir()):
                if lock.name != _SUPERVISOR:
                    held.callback(os.close, await self.hold(lock.name, PATIENCE_S))
            self._forget()

    def _forget(self) -> None:
        for path in self.path.iterdir():
            if path.name == "locks":
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
