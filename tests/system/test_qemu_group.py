#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A group of real guests that follows what their processors do: real libvirt, real QEMU, the template "tiny".  Runs within
tests/system/private-libvirt."""

import json
import os
import re
import subprocess
from typing import Any

from lib import oracle, tap
from lib.daemon import Vmd
from lib.tap import wait_until

TICK_SECONDS = 2
# A target that changes nothing: what is seen is told all the same.
ONLY_LOOK = {"cpu": "100", "tolerance_percent": 100}
EAGER = {"cooldown_out_ms": 0, "cooldown_in_ms": 0, "tolerance_percent": 0}

shared = Vmd(fake=False, import_dir=os.environ.get("VMCTL_IMAGES", ""), metering={"tick_seconds": TICK_SECONDS})


def run_in_guest(name: str, script: str) -> None:
    """Begins a shell script in the guest."""
    request = {"execute": "guest-exec", "arguments": {"path": "/bin/sh", "arg": ["-c", script]}}
    subprocess.run(
        ["virsh", "-q", "qemu-agent-command", shared.get(name)["id"], json.dumps(request)],
        capture_output=True,
        check=True,
        timeout=110,
    )


def group() -> dict[str, Any]:
    return shared.call("Group.Get", group="web")["group"]


def wait_steady(count: int) -> None:
    wait_until(lambda: group()["state"] == "steady" and group()["up"] == count, f"{count} members to be up", 300)


def find_load() -> float | None:
    """What the members' processors do together, in percent of one; None while it is not known."""
    told = re.match(r"cpu ([\d.]+),.* (\d+) up,", shared.call("Group.Plan", group="web")["why"])
    return float(told[1]) * int(told[2]) if told else None


def measure() -> float:
    """The load when it has settled: twice in a row nearly the same."""
    shared.call("Group.Autoscale", group="web", **ONLY_LOOK)
    seen: list[float] = []

    def has_settled() -> bool:
        load = find_load()
        if load is not None and (not seen or load != seen[-1]):
            seen.append(load)
        return len(seen) > 1 and abs(seen[-1] - seen[-2]) < seen[-1] / 10

    wait_until(has_settled, "the load to settle", 300)
    return seen[-1]


def follow(target: float) -> None:
    shared.call("Group.Autoscale", group="web", cpu=f"{target:.3f}", **EAGER)


def test_a_group_of_guests_goes_from_one_to_four_to_two_by_their_load() -> None:
    shared.import_template()
    shared.do("Group.Create", group="web", min=1, max=4, count=1, health="agent", health_grace_ms=300000, health_interval_ms=1000)
    run_in_guest("web-1", "while :; do :; done")
    # One member does the work of more than four.
    follow(min(measure() / 6, 100.0))
    wait_steady(4)
    assert {row["state"] for row in shared.list_all()} == {"running"}
    # And now that of one and a half.
    follow(min(measure() / 1.5, 100.0))
    wait_steady(2)
    assert sorted(row["name"] for row in shared.list_all()) == ["web-1", "web-2"]
    shared.call("Group.Autoscale", group="web", off=True)
    told = [event["detail"] for event in shared.events() if event["kind"] == "group_decision" and event["detail"].startswith("from ")]
    assert all(": cpu " in detail and "needed" in detail for detail in told) and told[0].startswith("from 1 to 4"), told


def test_nothing_is_left_of_a_group_that_is_removed() -> None:
    shared.do("Group.Remove", group="web")
    assert shared.list_all() == []
    oracle.check_at_rest(shared)


with shared:
    tap.main(globals())
