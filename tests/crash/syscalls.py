# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which system calls of vmd are made to kill it or to fail, by strace, on the release's own binary."""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from pathlib import Path

from sweep import Bench, Scenario

# What changes something outside of the process.
WRITES = ("pwrite64", "write", "fdatasync", "fsync", "ftruncate", "unlink", "unlinkat", "sendto", "openat", "clone3")
# What a kernel may answer to which calls, once or from then on.
ERRORS = {
    "ENOSPC": ("pwrite64", "ftruncate"),
    "EIO": ("pwrite64", "fdatasync", "pread64"),
    "EMFILE": ("openat", "accept4", "socketpair"),
    "EINTR": ("recvfrom", "sendto", "poll", "epoll_wait"),
}
LASTING = ("ENOSPC", "EIO")
ALL = tuple({*WRITES, *(call for calls in ERRORS.values() for call in calls)})


def count_calls(bench: Bench, scenario: Scenario, calls: tuple[str, ...]) -> dict[str, int]:
    """How often a thread of vmd makes each call in this change, at most."""
    with tempfile.NamedTemporaryFile(prefix="vmctl-strace.") as log:
        bench.run_under(scenario, "strace", "-D", "-f", "-qq", "-o", log.name, "-e", "trace=" + ",".join(calls))
        made = Counter(re.findall(r"^(\d+) +(\w+)\(", Path(log.name).read_text(errors="replace"), re.MULTILINE))
    most: dict[str, int] = {}
    for (_, call), count in made.items():
        most[call] = max(most.get(call, 0), count)
    return most


def kill_points(counts: dict[str, int]) -> list[tuple[str, str, str]]:
    """Call, fault and when, for every call that writes."""
    return [
        (call, "signal=SIGKILL", str(nth)) for call in WRITES for nth in range(1, counts.get(call, 0) + 1)
    ]  # fmt: skip


def error_points(counts: dict[str, int]) -> list[tuple[str, str, str]]:
    """The same for every error of every call, once and, where it may last, from then on."""
    points = []
    for error, calls in ERRORS.items():
        for call in calls:
            for nth in range(1, counts.get(call, 0) + 1):
                points += [(call, f"error={error}", f"{nth}{more}") for more in ("", "+" if error in LASTING else "")]
    return sorted(set(points))


def inject(call: str, what: str, when: str) -> tuple[str, ...]:
    """A prefix that lets this call of vmd, or of a thread or child of it, meet its fault."""
    return ("strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:{what}:when={when}")
