#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measures, prints a table, and writes docs/performance.md.  Runs within tests/system/private-libvirt: see tools/bench."""

from __future__ import annotations

import argparse
import datetime
import os
import sys
import tempfile
from pathlib import Path
from typing import Callable

sys.path.insert(0, str(Path(__file__).parent.parent / "system"))

import bills  # noqa: E402
import calls  # noqa: E402
import groups  # noqa: E402
import guests  # noqa: E402
import ledgers  # noqa: E402
import tenants  # noqa: E402
import ticks  # noqa: E402
from figure import Row  # noqa: E402

GROUPS: dict[str, Callable[[], list[Row]]] = {
    "create": guests.measure,
    "burst": calls.measure_burst,
    "commands": calls.measure_commands,
    "tenants": tenants.measure,
    "groups": groups.measure,
    "calls": calls.measure_calls,
    "memory": calls.measure_memory,
    "ledger": ledgers.measure,
    "bills": bills.measure,
    "tick": ticks.measure,
}
HEADER = ["what; beside what", "vmctl", "the other", "value", "bound", ""]
INTRO = """# Performance

Made by `tools/bench`; not to be edited. The value is a ratio where there is another side: both ran in turn in one run, and
the figures are medians. The bounds are what we promise ourselves; a run beside other work can miss one. Calls one after
another are measured with client and service on one processor, ours and libvirt's alike: on two, most of the time goes
into waking an idle processor, which a virtual machine does slowly.

"""


def describe_machine() -> str:
    """The class of the machine; neither its name nor its paths."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    release = Path("/etc/os-release").read_text(encoding="utf-8")
    system = next(line for line in release.splitlines() if line.startswith("PRETTY_NAME=")).split("=")[1].strip('"')
    flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    accelerator = "KVM" if " vmx" in flags or " svm" in flags else "TCG"
    kernel = ".".join(os.uname().release.split(".")[:2])
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, {system}, Linux {kernel}, {accelerator}"


def print_table(rows: list[Row]) -> str:
    lines = [HEADER, ["---"] * len(HEADER), *(row.cells for row in rows)]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", metavar="FILE", help="write the table there, if everything was measured")
    parser.add_argument("names", nargs="*", metavar="NAME", help="of " + ", ".join(GROUPS))
    arguments = parser.parse_args()
    names = arguments.names or list(GROUPS)
    unknown = [name for name in names if name not in GROUPS]
    if unknown:
        parser.error(f"there is no {unknown[0]}; there are {', '.join(GROUPS)}")
    # What is called durable has to lie on a disk: the folder for temporary files may be memory.
    tempfile.tempdir = os.environ["PRIVATE_LIBVIRT_DIR"]
    rows: list[Row] = []
    for name in names:
        print(f"== {name}", file=sys.stderr, flush=True)
        rows += GROUPS[name]()
    table = print_table(rows)
    print(table, end="")
    if arguments.write and not arguments.names:
        today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
        page = Path(arguments.write)
        page.parent.mkdir(exist_ok=True)
        page.write_text(f"{INTRO}{today}, on {describe_machine()}.\n\n{table}", encoding="utf-8")
    return 0 if all(row.is_kept for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
