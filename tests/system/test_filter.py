#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The units' filters of system calls against what the programs call.  Not under sanitizers, which strace hinders."""

import re
import shutil
import signal
import subprocess

from lib import oracle, tap
from lib.daemon import MIB, Vmd
from lib.tap import wait_until
from lib.varlink import Connection


def expand(names: list[str], sets: dict[str, list[str]]) -> set[str]:
    calls: set[str] = set()
    for name in names:
        calls |= expand(sets[name], sets) if name.startswith("@") else {name}
    return calls


def read_filter(unit: str) -> set[str]:
    """The system calls that a unit's filter lets pass."""
    sets: dict[str, list[str]] = {}
    listing = subprocess.run(["systemd-analyze", "syscall-filter"], capture_output=True, text=True, check=True)
    for line in listing.stdout.splitlines():
        if line.startswith("@"):
            current = sets.setdefault(line.strip(), [])
        elif line.startswith("    ") and not line.strip().startswith("#"):
            current.append(line.strip())
    allowed: set[str] = set()
    for value in re.findall(r"(?m)^SystemCallFilter=(.*)$", (tap.ROOT / "data" / unit).read_text()):
        names = expand(value.removeprefix("~").split(), sets)
        allowed = allowed - names if value.startswith("~") else allowed | names
    return allowed


def test_the_units_filters_let_pass_all_that_the_programs_call() -> None:
    """What vmd, vmd-meter and a fake worker call in a life; the three units have one filter."""
    if shutil.which("systemd-analyze") is None or shutil.which("strace") is None:
        raise tap.Skipped("systemd-analyze and strace are needed")
    vmd = Vmd(meter=True)
    trace = vmd.dir / "trace"
    try:
        vmd.start(under=("strace", "-D", "-f", "-qq", "-o", str(trace)))
        vmd.import_template()
        vmd.create(name="one")
        vmd.do("Instance.Resize", instance="one", memory_bytes=512 * MIB)
        vmd.do("Instance.Stop", instance="one")
        vmd.call("GetInfo")
        with Connection(vmd.meter_socket) as connection:
            wait_until(lambda: connection.call("io.vmctl.Billing.Usage")["ledger_seq"] > 0, "usage")
        oracle.check_at_rest(vmd)
        assert vmd.kill(signal.SIGTERM) == 0
        calls = set(re.findall(r"(?m)^\d+ +(\w+)\(", trace.read_text()))
    finally:
        vmd.__exit__(None)
    assert {"fdatasync", "accept4", "execve", "eventfd2"} <= calls, calls
    for unit in ("vmd.service.in", "vmd-meter.service.in", "vmd-host@.service.in"):
        # Root's SQLite gives its files to their folder's owner, and sockets of our own get their group.
        refused = calls - read_filter(unit) - {"chown", "fchown"}
        assert refused == set(), (unit, refused)


if __name__ == "__main__":
    tap.main(globals())
