"""Makes the virtual environment: the locked packages, Tern's own in place, the local stack's files. Run by `make`.

Standard library only, in a Python that any 3.x can read, so that an old one can say so. Done once: what it did is
remembered by the contents of what it did it from.
"""

import hashlib
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import time

OLDEST = (3, 11)
ABLE = f"import sys, venv, ensurepip; sys.exit(sys.version_info[:2] < {OLDEST})"
ROOT = pathlib.Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCK = ROOT / "requirements" / "dev.lock"
MEMBERS = ("libs/common", "libs/cli", "services/*", "deploy/local")
STAMP = VENV / "tern-setup.txt"


def say(line: str) -> None:
    """One plain line for a person."""
    print("  · " + line, flush=True)


def go_on_in_one_that_can() -> None:
    """Continues in a Python that is new enough and makes environments: this one, or any that is installed; else says
    what to do and ends."""
    if sys.version_info[:2] >= OLDEST and importlib.util.find_spec("ensurepip"):
        return
    names = ("python3", *(f"python3.{minor}" for minor in (13, 12, 11, 14)))
    for python in filter(None, map(shutil.which, names)):
        if subprocess.call([python, "-c", ABLE], stderr=subprocess.DEVNULL) == 0:
            os.execv(python, [python, *sys.argv])  # noqa: S606
    sys.exit(
        f"Tern needs Python {OLDEST[0]}.{OLDEST[1]} or newer with venv; this is {sys.version.split()[0]}.\n"
        "Install one (any way you like; on Debian: python3-venv), then: make PYTHON=/path/to/python3"
    )


def members() -> "list[pathlib.Path]":
    """The folders of Tern's own packages."""
    return sorted(file.parent for pattern in MEMBERS for file in ROOT.glob(pattern + "/pyproject.toml"))


def wanted() -> str:
    """What the environment must be made from: Python, the lock, and the packages' own descriptions."""
    digest = hashlib.sha256()
    for part in (sys.version, str(VENV), *map(str, members())):
        digest.update(part.encode())
    for file in (LOCK, *(folder / "pyproject.toml" for folder in members())):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def is_done(stamp: str) -> bool:
    """Whether an earlier run did all of this."""
    return STAMP.exists() and STAMP.read_text() == stamp and PYTHON.exists()


def pip(*arguments: str) -> None:
    """Runs pip quietly; on failure shows what it said and ends."""
    command = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", *arguments]
    total = sum(1 for line in LOCK.read_text().splitlines() if "==" in line and not line.startswith(" "))
    said, seen = [""], 0
    with subprocess.Popen(command, cwd=str(ROOT), stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        for line in process.stdout or ():
            said.append(line.decode("utf-8", "replace"))
            seen += said[-1].startswith("Collecting")
            if said[-1].startswith("Collecting") and seen % 30 == 0:
                say(f"{min(seen, total)} of {total} packages")
            elif said[-1].startswith("Installing collected"):
                say("unpacking them")
    if process.returncode:
        sys.exit("".join(said[-30:]) + "\npip failed, and said why above. Is the package index within reach?")


def make_environment() -> None:
    """A fresh virtual environment, unless this Python made the one that is there."""
    if PYTHON.exists():
        asked = subprocess.run(  # also a half-made one must not be taken: it has no pip yet
            [str(PYTHON), "-c", "import pip, sys; print(sys.version)"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        if asked.stdout.decode().strip() == sys.version:
            return
    say(f"making .venv with Python {sys.version.split()[0]}")
    subprocess.check_call([sys.executable, "-m", "venv", "--clear", str(VENV)])


def main() -> None:
    """Does whatever is missing."""
    go_on_in_one_that_can()
    stamp = wanted()
    if is_done(stamp):
        return
    start = time.monotonic()
    print("Setting up (once; one to three minutes)", flush=True)
    make_environment()
    say("installing the packages of requirements/dev.lock, each checked by its hash")
    # The lock names all there is to install. Asked for dependencies too, an older pip looks for the newest version of
    # one that is wanted with an extra and locked without it, and refuses that for having no hash.
    pip("install", "--require-hashes", "--no-deps", "-r", str(LOCK))
    editable = [word for folder in members() for word in ("--editable", str(folder))]
    say("installing Tern itself, in place")
    pip("install", "--no-deps", "--no-build-isolation", "--no-index", *editable)
    pip("check")
    subprocess.check_call([str(PYTHON), "-m", "tern_local", "setup"], cwd=str(ROOT))
    STAMP.write_text(stamp)
    say(f"ready after {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nstopped; `make setup` goes on from here")
