# SPDX-License-Identifier: LGPL-2.1-or-later
"""Groups and fleets, over a fake host."""

from __future__ import annotations

import json
import statistics
import time

from calls import new_vmd
from figure import Row, format_ms, take_turns, time_command
from lib.daemon import Vmd, program

MEMBERS = 200
AT_ONCE = 500
BATCHES = ("front", "back")
ROUNDS = 5


def time_decision(vmd: Vmd) -> float:
    """Until it is decided and on disk that there are to be all of them; then they go again."""
    with vmd.connect() as connection:
        begun = time.monotonic()
        connection.call("io.vmctl.Group.Scale", group="web", count=MEMBERS)
        took = (time.monotonic() - begun) * 1000
        assert connection.call("io.vmctl.Group.Get", group="web")["group"]["members"] == MEMBERS
    vmd.do("Group.Scale", group="web", count=0)
    return took


def measure_decision() -> Row:
    with new_vmd() as vmd:
        vmd.import_template()
        vmd.do("Group.Create", group="web", max=MEMBERS)
        took = statistics.median(time_decision(vmd) for _ in range(ROUNDS))
    return Row(f"group scale from 0 to {MEMBERS}: decided, and on disk", format_ms(took), "", took, 50, unit=" ms")


def measure_apply() -> Row:
    with new_vmd() as vmd:
        vmd.import_template()
        for name in BATCHES:
            for row in vmd.call("Instance.Create", name=name, count=AT_ONCE, labels={"fleet": "shop"})["instances"]:
                vmd.wait(row["operation"])
        rows = [{"name": f"{name}-{number}"} for name in BATCHES for number in range(1, AT_ONCE + 1)]
        fleet = vmd.dir / "fleet.json"
        fleet.write_text(json.dumps({"fleet": "shop", "instances": rows}))
        command = (program("VMCTL"), "--socket", vmd.socket, "apply", "-f", str(fleet))
        (took,) = take_turns(ROUNDS, lambda: time_command(*command))
    return Row(f"apply of {len(rows):,} instances that are as they should be", format_ms(took), "", took, 500, unit=" ms")


def measure() -> list[Row]:
    return [measure_decision(), measure_apply()]
