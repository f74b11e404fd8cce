#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Jumps of the wall clock, by libfaketime: no timer moves, and nothing is billed that was not used."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone

from lib import oracle, tap
from lib.daemon import Vmd
from lib.fakeclock import FakeClock
from lib.tap import wait_until
from lib.varlink import Connection

# By how much the two clocks may differ before that is a step.
STEP = 0.1
JUMPS = ["+3600", "-3600", "+864000", "-864000", "+3600", "@1970-01-01 00:00:01", "+0", "@2040-06-01 12:00:00", "+0"]


def billed(rows: list[dict]) -> float:
    """Seconds in all closed segments, by the time that they are billed by."""
    opened = {row["seq"]: row for row in rows if row["kind"] == "opened"}
    closed = [(opened[row["segment"]], row) for row in rows if row["kind"] == "closed"]
    for begun, ended in closed:
        length_ms = ended["boot_ms"] - begun["boot_ms"]
        assert 0 <= ended["to_ms"] - begun["from_ms"] <= length_ms + STEP * 1000, (begun, ended)
    return sum(ended["to_ms"] - begun["from_ms"] for begun, ended in closed) / 1000


def test_no_jump_is_billed_and_no_order_is_lost() -> None:
    with FakeClock() as clock:
        vmd = clock.vmd
        begun = time.monotonic()
        vmd.import_template()
        vmd.create(name="runs")
        for number, jump in enumerate(JUMPS):
            clock.set(jump)
            vmd.create(name=f"vm-{number}")
            vmd.do("Instance.Destroy", instance=f"vm-{number}")
            oracle.check_at_rest(vmd)
        clock.set("+0")
        vmd.do("Instance.Destroy", instance="runs")
        rows = vmd.ledger()
        elapsed = time.monotonic() - begun
        resources = len({(row["resource_kind"], row["resource"]) for row in rows if row["kind"] == "opened"})
        assert billed(rows) <= (elapsed + STEP) * resources
        steps = [row for row in rows if row["kind"] == "clock"]
        assert steps and all(row["to_ms"] - row["from_ms"] > 0 for row in steps), steps
        oracle.check_at_rest(vmd)


def test_a_jump_while_nothing_happens_is_seen_by_the_meter() -> None:
    with FakeClock(meter=True) as clock:
        vmd = clock.vmd
        vmd.import_template()
        begun = time.monotonic()
        vmd.create(name="runs")
        clock.set("+864000")
        wait_until(lambda: any(row["kind"] == "clock" for row in vmd.ledger()), "the step to be seen")
        vmd.do("Instance.Destroy", instance="runs")
        now = datetime.now(timezone.utc)
        window = {"from": stamp(now - timedelta(days=1)), "to": stamp(now + timedelta(days=30))}
        with Connection(vmd.meter_socket) as connection:
            wait_until(lambda: connection.call("io.vmctl.Billing.Usage", **window)["ledger_seq"] == vmd.ledger()[-1]["seq"], "the meter")
            totals = connection.call("io.vmctl.Billing.Usage", **window)["totals"]
        hours = sum(float(total["running_hours"]) for total in totals)
        assert hours * 3600 <= time.monotonic() - begun + STEP, totals


def test_an_entry_of_the_books_right_after_a_jump_bills_nothing() -> None:
    with FakeClock() as clock:
        vmd = clock.vmd
        vmd.import_template()
        vmd.create(name="runs")
        clock.set("+864000")
        vmd.call("Ledger.Note", follows=0, topic="assignment", note='{"card": "c", "from_ms": 0, "discount_ppm": 0}')
        vmd.do("Instance.Destroy", instance="runs")
        billed(vmd.ledger())
        oracle.check_at_rest(vmd)


def test_a_clock_that_is_set_back_takes_no_reading_back_with_it() -> None:
    with FakeClock(metering={"anchor": "", "tick_seconds": 1}) as clock:
        vmd = clock.vmd
        vmd.import_template()
        vmd.create(name="runs")

        def stands_at_a_reading() -> bool:
            """The ledger's time, which stands still, is later than its newest row: the reading has none."""
            clock.set("+0")
            begun = time.monotonic()
            wait_until(lambda: time.monotonic() > begun + 1.5, "a tick")
            clock.set("-3600")
            newest = vmd.ledger()[-1]
            return vmd.call("Ledger.Read", after=newest["seq"])["now_ms"] > newest["at_ms"]

        wait_until(stands_at_a_reading, "a reading")
        vmd.do("Instance.Destroy", instance="runs")
        billed(vmd.ledger())
        oracle.check_at_rest(vmd)


def stamp(time_: datetime) -> str:
    return time_.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def test_a_jump_while_vmd_is_down_is_not_billed() -> None:
    with FakeClock() as clock:
        vmd = clock.vmd
        vmd.import_template()
        vmd.create(name="runs")
        vmd.kill()
        clock.set("+864000")
        clock.start()
        vmd.do("Instance.Destroy", instance="runs")
        billed(vmd.ledger())
        oracle.check_at_rest(vmd)


def test_a_start_with_a_clock_behind_the_ledger_bills_nothing_until_it_has_caught_up() -> None:
    with FakeClock() as clock:
        vmd = clock.vmd
        vmd.import_template()
        begun = time.monotonic()
        vmd.create(name="runs")
        head = vmd.ledger()[-1]
        vmd.kill()
        clock.set("-3600")
        clock.start()
        behind = vmd.call("Ledger.GetHead")["behind_ms"]
        assert 3400000 < behind <= 3600000, behind
        assert "behind the ledger: no time is billed" in vmd.log.read_text()
        # All that happens meanwhile happens at one moment.
        vmd.do("Instance.Pause", instance="runs")
        vmd.do("Instance.Resume", instance="runs")
        vmd.do("Instance.Resize", instance="runs", vcpus=2)
        later = [row["at_ms"] for row in vmd.ledger() if row["seq"] > head["seq"]]
        assert later and set(later) == {head["at_ms"]}, (later, head)
        clock.set("+0")
        wait_until(lambda: "has caught up with the ledger" in vmd.log.read_text(), "the clock to be seen right again")
        assert "behind_ms" not in vmd.call("Ledger.GetHead")
        vmd.do("Instance.Destroy", instance="runs")
        # Its volume and its address count as well.
        assert billed(vmd.ledger()) <= (time.monotonic() - begun + STEP) * 3
        oracle.check_at_rest(vmd)


def test_no_timer_moves_with_the_wall_clock() -> None:
    with FakeClock(script={"agent_ms": 600000}) as clock:
        vmd = clock.vmd
        vmd.import_template()
        vmd.create(name="never-ready")
        wait = {"instance": "never-ready", "until": "ready", "timeout_ms": 700}
        for jump in ("+864000", "-864000"):
            begun = time.monotonic()
            with vmd.connect() as connection:
                connection.send("io.vmctl.Instance.Wait", wait)
                clock.set(jump)
                assert connection.receive_raw()["error"] == "io.vmctl.Deadline"
            assert time.monotonic() - begun >= 0.7
        oracle.check_audit(vmd)


tap.main(globals())
