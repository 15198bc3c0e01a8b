"""Becomes another program that ends when its parent does. Run as a script, with the standard library alone.

    python -I -S launch.py PARENT SIGNAL IDENTITY PROGRAM [ARGUMENT ...]

A program of its own, because code between fork and exec is unsafe in a process with threads. PARENT is the process id
that must still be our parent. SIGNAL is what the kernel sends when it ends (Linux only, 0: nothing). IDENTITY says who
to be: `same`, or what PostgreSQL needs instead of root: `namespace` (nobody by name, in a user namespace: nothing is
chowned, what root may read stays readable) or `nobody` (setuid).
"""

from __future__ import annotations

import ctypes
import os
import pwd
import sys
from collections.abc import Callable

_CLONE_NEWUSER = 0x10000000
_PR_SET_PDEATHSIG = 1


def _enter_namespace() -> None:
    """Maps root to nobody for this process and its children. Raises OSError where the kernel forbids it."""
    if sys.platform != "linux" or ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWUSER):
        raise OSError(ctypes.get_errno(), "no user namespaces here")
    nobody = pwd.getpwnam("nobody")
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{nobody.pw_uid} 0 1"),
        ("gid_map", f"{nobody.pw_gid} 0 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def _become_nobody() -> None:
    nobody = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)


IDENTITIES: dict[str, Callable[[], None]] = {
    "same": lambda: None,
    "namespace": _enter_namespace,
    "nobody": _become_nobody,
}


def main(parent: str, signal: str, identity: str, *command: str) -> None:
    """Never returns: it becomes `command`, or ends."""
    IDENTITIES[identity]()
    if sys.platform == "linux" and signal != "0":
        # After the change of identity, which clears it.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal))
    if os.getppid() != int(parent):
        sys.exit("the parent has ended")
    os.execv(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main(*sys.argv[1:])
