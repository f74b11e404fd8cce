#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Usage from the ledger, by vmd-meter."""

import os
import signal
import time
from decimal import Decimal

from lib import oracle, tap
from lib.daemon import GIB, MIB, Vmd
from lib.tap import expect, wait_until
from lib.varlink import Connection

# The grid that usage is billed on.
TICK_MS = 36

shared = Vmd(meter=True)


def usage(**parameters: object) -> dict:
    with Connection(shared.meter_socket) as connection:
        return connection.call("io.vmctl.Billing.Usage", **parameters)


def caught_up() -> bool:
    try:
        return usage()["ledger_seq"] == shared.ledger()[-1]["seq"]
    except OSError:
        return False


def wait_for_a_tick() -> None:
    """Until the segment that was opened last has a length that is billed: less than a tick has no line."""
    opened = tick(shared.segments()[-1]["ms"])
    wait_until(lambda: int(time.time() * 1000) // TICK_MS > opened + 1, "a tick to pass")


def test_a_resize_in_the_middle_splits_the_line() -> None:
    shared.create(name="split", vcpus=1, memory_bytes=256 * MIB)
    wait_for_a_tick()
    shared.do("Instance.Resize", instance="split", vcpus=2, memory_bytes=512 * MIB)
    wait_for_a_tick()
    shared.do("Instance.Destroy", instance="split")
    wait_until(caught_up, "the meter to catch up")
    lines = [line for line in usage()["lines"] if line["name"] == "split"]
    assert [(line["vcpus"], line["memory_bytes"]) for line in lines] == [(1, 256 * MIB), (2, 512 * MIB)]
    assert lines[0]["to"] == lines[1]["from"]


def test_the_quantities_are_those_of_the_ledger() -> None:
    instance = shared.create(name="exact", vcpus=4, memory_bytes=2 * GIB, disk_bytes=4 * GIB)
    wait_for_a_tick()
    shared.do("Instance.Stop", instance="exact")
    shared.do("Instance.Destroy", instance="exact")
    wait_until(caught_up, "the meter to catch up")
    rows = shared.segments(instance["id"])
    ticks = {"running": 0, "stopped": 0}
    for begun, ended in zip(rows[::2], rows[1::2]):
        ticks[begun["state"]] += tick(ended["ms"]) - tick(begun["ms"])
    (line,) = [line for line in usage()["lines"] if line["name"] == "exact"]
    hour = Decimal(100000)
    assert Decimal(line["running_hours"]) == ticks["running"] / hour
    assert Decimal(line["vcpu_hours"]) == 4 * ticks["running"] / hour
    assert Decimal(line["memory_gib_hours"]) == 2 * ticks["running"] / hour
    assert Decimal(line["disk_gib_hours"]) == 4 * (ticks["running"] + ticks["stopped"]) / hour


def tick(ms: int) -> int:
    """The billing grid of 36 ms that an instant falls into."""
    return ms // TICK_MS


def test_nothing_is_counted_twice_over_kills_of_both() -> None:
    shared.create(name="killed")
    wait_for_a_tick()
    os.kill(shared.children("vmd-meter")[0], signal.SIGKILL)
    shared.do("Instance.Destroy", instance="killed")
    wait_until(caught_up, "another meter to catch up", 30)
    before = [line for line in usage()["lines"] if line["name"] == "killed"]
    shared.kill()
    shared.start()
    wait_until(caught_up, "the meter to catch up again", 30)
    assert [line for line in usage()["lines"] if line["name"] == "killed"] == before and len(before) == 1


def rows_of(instance: str) -> list[tuple]:
    return [(row["kind"], row["state"], row["vcpus"], row["generation"]) for row in shared.segments(instance)]


def test_every_change_that_is_billed_cuts_the_ledger() -> None:
    instance = shared.create(name="cuts", vcpus=1)["id"]
    for verb, more in (
        ("Pause", {}),
        ("Resume", {}),
        ("Resize", {"vcpus": 2}),
        ("Stop", {}),
        ("Resize", {"vcpus": 3}),
        ("Start", {}),
        ("Restart", {}),
        ("Destroy", {}),
    ):
        shared.do(f"Instance.{verb}", instance="cuts", **more)
    opened = [row[1:] for row in rows_of(instance) if row[0] == "opened"]
    assert opened == [
        ("running", 1, 1),
        ("paused", 1, 1),
        ("running", 1, 1),
        ("running", 2, 1),
        ("stopped", 2, 1),
        ("stopped", 3, 1),
        ("running", 3, 2),
        ("stopped", 3, 2),
        ("running", 3, 3),
    ], opened
    assert instance not in {key for _, key in oracle.check_ledger(shared)}


def test_a_segment_ends_where_the_next_begins() -> None:
    instance = shared.create(name="seamless")["id"]
    for verb in ("Stop", "Start", "Pause", "Resume", "Restart"):
        shared.do(f"Instance.{verb}", instance="seamless")
    shared.do("Instance.Destroy", instance="seamless")
    rows = shared.segments(instance)
    for ended, begun in zip(rows[1:-1:2], rows[2::2]):
        assert (ended["kind"], begun["kind"]) == ("closed", "opened")
        assert (ended["ms"], ended["boot_ms"], ended["boot_id"]) == (begun["ms"], begun["boot_ms"], begun["boot_id"])


def test_what_changes_nothing_cuts_nothing() -> None:
    instance = shared.create(name="same", vcpus=2)["id"]
    before = rows_of(instance)
    shared.do("Instance.Resize", instance="same", vcpus=2)
    shared.kill()
    shared.start()
    assert rows_of(instance) == before
    shared.do("Instance.Destroy", instance="same")


def test_a_create_that_fails_is_not_charged() -> None:
    shared.write_script({"rules": [{"method": "Start", "error": "HostFailed"}]})
    shared.kill()
    shared.start()
    accepted = shared.call("Instance.Create", name="free")["instances"][0]
    assert shared.wait(accepted["operation"])["state"] == "failed"
    shared.write_script({})
    shared.kill()
    shared.start()
    assert rows_of(accepted["instance"]) == []


def test_the_ledger_is_read_on_from_any_row() -> None:
    everything = shared.ledger()
    for index in (0, 1, len(everything) // 2, len(everything)):
        after = everything[index - 1]["seq"] if index else 0
        seen: list[dict] = []
        page = shared.call("Ledger.Read", after=after, limit=3)
        while page["rows"]:
            seen += page["rows"]
            page = shared.call("Ledger.Read", after=page["next"], limit=3)
        assert seen == everything[index:], index


def test_totals_are_the_sums_of_the_lines() -> None:
    for number in range(3):
        shared.create(name=f"sum-{number}")
        shared.do("Instance.Resize", instance=f"sum-{number}", memory_bytes=512 * MIB)
        shared.do("Instance.Destroy", instance=f"sum-{number}")
    wait_until(caught_up, "the meter to catch up")
    reply = usage()
    (total,) = [total for total in reply["totals"] if total["tenant"] == "default"]
    for quantity in ("running_hours", "vcpu_hours", "memory_gib_hours", "disk_gib_hours"):
        assert sum(Decimal(line[quantity]) for line in reply["lines"]) == Decimal(total[quantity]), quantity
    assert total["instances"] == len({line["instance"] for line in reply["lines"]})


def test_bad_windows_are_refused() -> None:
    expect("io.vmctl.InvalidParameter", usage, **{"from": "2026-02-30T00:00:00Z"})
    expect("io.vmctl.InvalidParameter", usage, **{"from": "2026-10-02T00:00:00Z", "to": "2026-10-01T00:00:00Z"})


with shared:
    shared.import_template()
    tap.main(globals())
