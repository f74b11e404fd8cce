# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bills of a month: 1,000 tenants with ten instances each.  By the time of the processor that they take."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

from figure import Row
from lib.daemon import program

TENANTS = 1000
INSTANCES = 10
# About what an installation of that size has in a month.
FOCUS_LINES = 1_200_000


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="bench-bill-") as folder:
        command = [program("BILL_SPEED"), str(Path(folder) / "state"), str(TENANTS), str(INSTANCES)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=900)
    figures = json.loads(done.stdout)
    of = f"{TENANTS:,} tenants, {TENANTS * INSTANCES:,} instances"
    rows = [
        Row(f"the bills of a month as {name}, {of}", f"{figures[name]['bytes']:,} bytes", "", figures[name]["cpu_seconds"], 3, unit=" s")
        for name in ("table", "csv", "json", "openmetrics", "ledger")
    ]
    days = figures["days"]
    lines, focus = figures["focus"]["lines"], figures["focus"]["cpu_seconds"] / figures["focus"]["lines"] * FOCUS_LINES
    verified = figures["verify"]["lines"] / figures["verify"]["cpu_seconds"]
    one = figures["tenant"]
    after = figures["metrics_after"]
    return [
        *rows,
        Row(f"the same by day as csv, {of}", f"{days['bytes']:,} bytes", "", days["cpu_seconds"], 15, unit=" s"),
        Row(f"{FOCUS_LINES:,} lines of FOCUS, by day, of {lines:,}", f"{figures['focus']['bytes']:,} bytes", "", focus, 15, unit=" s"),
        Row("usage verify: rows, their chain, segments, uses and the sums of them", f"{figures['rows']:,} rows", "", verified,
            500000, is_floor=True, unit=" a second"),
        Row("the bill of one of these tenants", f"{one['bytes']:,} bytes", "", one["cpu_seconds"] * 1000, 50, unit=" ms"),
        Row(f"the metrics of {INSTANCES} instances, with {(TENANTS - 1) * INSTANCES:,} that are gone", f"{after['bytes']:,} bytes", "",
            after["cpu_seconds"] * 1000, 50, unit=" ms"),
    ]  # fmt: skip
