# SPDX-License-Identifier: LGPL-2.1-or-later
"""What it costs to read the counters of 10,000 instances, and who waits for it."""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path

from calls import ROOMY, create_many
from figure import Row, format_ms
from lib.daemon import Vmd
from lib.tap import wait_until

COUNT = 10000
TICK_SECONDS = 5
# So many ticks fall into the time in which it is measured.
TICKS = 6
NEVER_SECONDS = 3600


def read_cpu_ms(vmd: Vmd) -> float:
    """Processor time that vmd had, all its threads together."""
    assert vmd.process is not None
    fields = Path(f"/proc/{vmd.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def measure_cpu(vmd: Vmd) -> float:
    """Milliseconds of processor in which nobody asks for anything."""
    before = read_cpu_ms(vmd)
    time.sleep(TICKS * TICK_SECONDS)
    return read_cpu_ms(vmd) - before


def measure_get(vmd: Vmd) -> float:
    """The 99th percentile of calls one after another, in milliseconds."""
    took = []
    until = time.monotonic() + TICKS * TICK_SECONDS
    with vmd.connect() as connection:
        while time.monotonic() < until:
            begun = time.monotonic()
            connection.call("io.vmctl.Instance.Get", instance="n0-1")
            took.append((time.monotonic() - begun) * 1000)
            time.sleep(0.002)
    return statistics.quantiles(took, n=100)[98]


def start_with(vmd: Vmd, tick_seconds: int) -> None:
    path = vmd.dir / "vmd.conf"
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text(
        "".join(f"tick_seconds={tick_seconds}\n" if line.startswith("tick_seconds=") else line + "\n" for line in lines),
        encoding="utf-8",
    )
    vmd.start()


def measure() -> list[Row]:
    with Vmd(quota=ROOMY, metering={"anchor": "", "tick_seconds": NEVER_SECONDS}) as vmd:
        vmd.import_template()
        create_many(vmd, COUNT)
        wait_until(lambda: not vmd.call("Operation.List", state="running")["operations"], "the creates to end")
        quiet_cpu, quiet_get = measure_cpu(vmd), measure_get(vmd)
        vmd.kill()
        start_with(vmd, TICK_SECONDS)
        busy_cpu, busy_get = measure_cpu(vmd), measure_get(vmd)
    tick = (busy_cpu - quiet_cpu) / TICKS
    return [
        Row("tick over 10,000 instances and its commit, processor time", format_ms(tick), "", tick, 500, unit=" ms"),
        Row(f"`Get` p99 while ticks are taken, every {TICK_SECONDS} s in place of every minute; beside none", format_ms(busy_get),
            format_ms(quiet_get), busy_get / quiet_get, 2),
    ]  # fmt: skip
