# SPDX-License-Identifier: LGPL-2.1-or-later
"""The ledger: how much room a row takes, how quickly rows are checked, and how quickly a meter takes them in from nothing.
By the time of the processor that it takes, not by the clock: the figure is that of one core, whatever else runs."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from figure import Row
from lib.daemon import program

INSTANCES = 10000
HOURS = 10


def run(*arguments: str) -> dict[str, Any]:
    output = subprocess.run(
        [program("LEDGER_SPEED"), *arguments], capture_output=True, text=True, check=True, timeout=900
    ).stdout  # fmt: skip
    figures: dict[str, Any] = json.loads(output)
    return figures


def rate(what: str, figures: dict[str, Any], floor: float) -> Row:
    value = figures["rows"] / figures["cpu_seconds"]
    return Row(what, f"{figures['rows']:,} rows", "", value, floor, is_floor=True, unit=" a second")


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="bench-ledger-") as folder:
        database = str(Path(folder) / "vmd.db")
        made = run("make", database, str(INSTANCES), str(HOURS))
        checked = run("check", database)
        taken = run("take", database, str(Path(folder) / "state"))
    return [
        Row("a row of the ledger on disk, its hash and the index included", f"{made['rows']:,} rows", "",
            made["bytes_per_row"], 130, unit=" bytes"),
        rate("checking the ledger: packing, chain, segments, uses", checked, 500000),
        rate("a meter taking in the ledger from nothing, with its sums", taken, 200000),
    ]  # fmt: skip
