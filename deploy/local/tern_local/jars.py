"""Kafka's jars: every file that the lock names, verified by SHA-256, fetched once per machine. Resolves nothing.

The lock holds one `sha256 group:artifact:version` a line. jgo only downloads: its own resolver is never asked, and its
own check (SHA-1, a warning) is not relied upon.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import truststore
from jgo.maven import MavenContext

LOCK = Path(__file__).with_name("kafka-4.4.0.lock")
_TRIES = 4
_TIMEOUT_S = 60
# Fixed, because an AOT cache is bound to its jars' times and silently ignored when they differ.
_MTIME = 1_700_000_000

Say = Callable[[str], None]


class Jar(NamedTuple):
    """One line of the lock."""

    sha256: str
    group: str
    artifact: str
    version: str

    @property
    def file_name(self) -> str:
        return f"{self.artifact}-{self.version}.jar"


def cache_folder() -> Path:
    """Where things are kept that every clone on this machine may use: `$XDG_CACHE_HOME/tern` or `~/.cache/tern`."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "tern"


def read_lock(text: str) -> list[Jar]:
    """The jars of a lock file, in the order of their file names, which is the class path's order."""
    lines = (line.split() for line in text.splitlines() if line and not line.startswith("#"))
    return sorted((Jar(sha256, *place.split(":")) for sha256, place in lines), key=lambda jar: jar.file_name)


def fetch(say: Say, folder: Path | None = None, lock: Path = LOCK) -> list[Path]:
    """The paths of all jars, in class-path order. Downloads (43 MB) what is not there yet. Raises OSError."""
    jars = read_lock(lock.read_text())
    home = folder or cache_folder() / lock.stem
    paths = [home / jar.file_name for jar in jars]
    if all(path.exists() for path in paths):
        return paths
    home.mkdir(parents=True, exist_ok=True)
    with _alone(home / ".lock"):
        missing = [(jar, path) for jar, path in zip(jars, paths, strict=True) if not path.exists()]
        truststore.inject_into_ssl()  # a company's own authorities, as the system knows them
        try:
            for done, (jar, path) in enumerate(missing):
                if done % 10 == 0:
                    say(f"fetching Apache Kafka: {done} of {len(missing)} jars")
                _fetch_one(jar, path)
        finally:
            truststore.extract_from_ssl()
            shutil.rmtree(home / ".partial", ignore_errors=True)
    return paths


def _fetch_one(jar: Jar, path: Path) -> None:
    """Only a verified file ever gets its final name."""
    partial = path.parent / ".partial"  # its own, so that a broken download never spoils ~/.m2
    for tries_left in reversed(range(_TRIES)):
        try:
            context = MavenContext(repo_cache=partial, timeout=_TIMEOUT_S)
            found = Path(context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve())
            verify(found, jar)
        except (OSError, RuntimeError, ValueError):
            shutil.rmtree(partial, ignore_errors=True)  # a truncated file would be taken for a whole one
            if not tries_left:
                raise
            continue
        os.utime(found, (_MTIME, _MTIME))
        found.replace(path)
        return


def verify(path: Path, jar: Jar) -> None:
    """Raises OSError when the file is not the one that was locked."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != jar.sha256:
        raise OSError(f"{jar.group}:{jar.artifact}:{jar.version} has SHA-256 {digest}, the lock says {jar.sha256}")


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process at a time; the others wait and then find the jars."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
