#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is booked of what runs: counters of all kinds of devices, and runs that nobody saw begin or end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
import uuid
from pathlib import Path
from typing import Any

from lib import oracle, tap
from lib.daemon import Vmd
from lib.tap import wait_until
from lib.varlink import VarlinkError

BOOT_ID = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
# What the kernel counts the start of a process in.
CLOCK_TICK_MS = 10


def boot_ms() -> int:
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * 1000)


def wall_ms() -> int:
    return int(time.time() * 1000)


class Metered:
    """A vmd whose fake host tells the counters that it is given, and that reads them when it is asked to."""

    def __init__(self, **settings: Any) -> None:
        self.vmd = Vmd(metering={"anchor": "", "tick_seconds": 1}, **settings)
        self.told: dict[str, dict[str, Any]] = {}
        self.rules: list[dict[str, Any]] = []
        self.pulse = 10**9

    def __enter__(self) -> Metered:
        self.write()
        self.vmd.start()
        self.vmd.import_template()
        self.vmd.create(name="pulse")
        return self

    def __exit__(self, *error: Any) -> None:
        self.vmd.__exit__(*error)

    def write(self) -> None:
        """Hands the script to the host, whole, if that is there."""
        pulse = {"name": "pulse", "raw": {"disk_read_bytes": self.pulse}}
        counters = [pulse, *({"name": name, **told} for name, told in self.told.items())]
        script = {"counters": counters, "rules": self.rules}
        if self.vmd.process is not None:
            self.vmd.change_script(script)
        else:
            self.vmd.write_script(script)

    def tell(self, name: str, raw: dict[str, int] | None = None, **more: Any) -> None:
        """What the instance counts from now on; the rest is 0."""
        zero = {counter: 0 for counter in ("cpu_time", "disk_read_bytes", "disk_write_bytes", "disk_read_ops")}
        zero |= {counter: 0 for counter in ("disk_write_ops", "net_rx_bytes", "net_tx_bytes")}
        self.told[name] = {"raw": zero | (raw or {}), **more}
        self.write()

    def count_beats(self) -> int:
        return sum(1 for row in self.vmd.ledger() if row.get("cause") == "went-back")

    def tick(self) -> None:
        """Until a reading is taken of all that runs: the counter of one instance goes back, which is told in the ledger.  It
        has to have been read before."""
        beats = self.count_beats()

        def has_beaten() -> bool:
            self.pulse -= 1
            self.write()
            deadline = time.monotonic() + 3
            while time.monotonic() < deadline and self.count_beats() == beats:
                time.sleep(0.02)
            return self.count_beats() > beats

        wait_until(has_beaten, "a reading")

    def last_entry(self, instance: str) -> dict[str, Any]:
        entries = [json.loads(line) for line in self.vmd.journal.read_text().splitlines()]
        return [entry for entry in entries if entry["id"] == instance and entry["tenant"] != ".keepsake"][-1]

    def put_behind_its_back(self, instance: str, **entry: Any) -> None:
        """The host shows the instance like this when its worker comes again: it has to be down."""
        with self.vmd.journal.open("a") as journal:
            journal.write(json.dumps(self.last_entry(instance) | entry) + "\n")

    def end_worker(self, meanwhile: Any) -> None:
        """Ends the worker; meanwhile is called once it is gone and before the host is seen again."""
        (worker,) = self.vmd.children("vmd-fakehost")
        os.kill(worker, signal.SIGSTOP)
        meanwhile()
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: self.vmd.host()["state"] != "connected", "the end to be seen")
        self.vmd.wait_for_host()

    def rows(self, instance: str) -> list[dict[str, Any]]:
        """The rows of its segments, usage and gaps."""
        rows = self.vmd.ledger()
        segments = {row["seq"] for row in rows if row["kind"] == "opened" and row["resource"] == instance}
        return [row for row in rows if row.get("segment") in segments]

    def used(self, instance: str, counter: str) -> int:
        return sum(row["quantity"] for row in self.rows(instance) if row["kind"] == "used" and row["counter"] == counter)

    def gaps(self, instance: str) -> list[dict[str, Any]]:
        return [row for row in self.rows(instance) if row["kind"] == "gap"]


def run(begins: bool, at_boot_ms: int, boot_id: str = BOOT_ID) -> dict[str, Any]:
    """A line of libvirt's hook."""
    return {"begins": begins, "boot_id": boot_id, "boot_ms": at_boot_ms, "wall_ms": wall_ms() - boot_ms() + at_boot_ms}


def epoch(start_boot_ms: int, pid: int = 77) -> dict[str, Any]:
    return {"boot_id": BOOT_ID, "pid": pid, "pid_start": start_boot_ms // CLOCK_TICK_MS}


OFF = {"state": "stopped", "agent": False, "addresses": []}


def test_what_was_counted_is_used_once_over_kills_at_any_tick() -> None:
    with Metered() as metered:
        metered.tell("exact", {"disk_write_bytes": 0})
        instance = metered.vmd.create(name="exact")["id"]
        for number in range(1, 7):
            metered.tell("exact", {"disk_write_bytes": 1000 * number, "net_tx_bytes": 7 * number})
            if number % 2:
                metered.tick()
            metered.vmd.kill()
            metered.vmd.start()
        metered.vmd.do("Instance.Stop", instance="exact", force=True)
        assert metered.used(instance, "disk_write_bytes") == 6000
        assert metered.used(instance, "net_tx_bytes") == 42
        assert not [row for row in metered.gaps(instance) if "counter" in row]
        metered.vmd.do("Instance.Destroy", instance="exact")
        oracle.check_at_rest(metered.vmd)


def test_a_device_that_was_unplugged_counts_on_from_zero() -> None:
    with Metered() as metered:
        metered.tell("plug", {"net_rx_bytes": 5000})
        instance = metered.vmd.create(name="plug")["id"]
        metered.tick()
        metered.tell("plug", {"net_rx_bytes": 5000}, without=["nic"])
        metered.tick()
        metered.tell("plug", {"net_rx_bytes": 9000})
        metered.tick()
        # Another one came between two readings: the number is lower, and that is no mistake.
        metered.tell("plug", {"net_rx_bytes": 400}, incarnation="2")
        metered.tick()
        metered.vmd.do("Instance.Stop", instance="plug", force=True)
        assert metered.used(instance, "net_rx_bytes") == 5000 + 9000 + 400
        assert {row["cause"] for row in metered.gaps(instance) if row.get("counter") == "net_rx_bytes"} == {"unplugged"}


def test_what_is_not_told_is_a_gap_and_is_made_up_for() -> None:
    with Metered() as metered:
        metered.tell("quiet", {"disk_read_bytes": 100, "net_tx_bytes": 100})
        instance = metered.vmd.create(name="quiet")["id"]
        metered.tick()
        metered.tell("quiet", {"disk_read_bytes": 200, "net_tx_bytes": 999}, untold=["net_tx_bytes"])
        wait_until(lambda: [row for row in metered.gaps(instance) if row["cause"] == "not-told"], "the gap")
        (gap,) = [row for row in metered.gaps(instance) if row["cause"] == "not-told"][:1]
        assert gap["counter"] == "net_tx_bytes" and gap["device"].startswith("52:54:"), gap
        metered.tell("quiet", {"disk_read_bytes": 300, "net_tx_bytes": 700})
        metered.tick()
        metered.vmd.do("Instance.Stop", instance="quiet", force=True)
        assert metered.used(instance, "net_tx_bytes") == 700 and metered.used(instance, "disk_read_bytes") == 300
        gaps = [row for row in metered.gaps(instance) if row["cause"] == "not-told"]
        (late,) = [row for row in metered.rows(instance) if row["kind"] == "used" and row.get("estimated", 0) > 0]
        assert late["quantity"] == late["estimated"] == 600
        assert late["from_ms"] <= gaps[0]["from_ms"] and gaps[-1]["to_ms"] <= late["to_ms"]


def test_figures_of_a_domain_that_is_off_are_nobodys() -> None:
    with Metered() as metered:
        metered.tell("bogus", {"cpu_time": 10**9})
        instance = metered.vmd.create(name="bogus")["id"]
        metered.tick()
        metered.vmd.do("Instance.Stop", instance="bogus", force=True)
        before = metered.used(instance, "cpu_time")
        metered.tell("bogus", {"cpu_time": 3 * 10**9, "net_rx_bytes": 10**6}, inactive=True)
        metered.tick()
        metered.tick()
        metered.vmd.do("Instance.Destroy", instance="bogus")
        assert before == 10**9 and metered.used(instance, "cpu_time") == before
        assert metered.used(instance, "net_rx_bytes") == 0


def test_a_name_and_a_pid_that_are_used_again_move_nothing() -> None:
    with Metered() as metered:
        metered.tell("name", {"disk_write_bytes": 8000})
        first = metered.vmd.create(name="name")["id"]
        metered.tick()
        metered.vmd.do("Instance.Destroy", instance="name")
        metered.tell("name", {"disk_write_bytes": 50})
        second = metered.vmd.create(name="name")["id"]
        # The same process number, of a process that began later: all that it counts is its own.
        later = boot_ms() + CLOCK_TICK_MS
        pid = metered.last_entry(second)["epoch"]["pid"]
        wait_until(lambda: boot_ms() > later + CLOCK_TICK_MS, "a clock tick to pass")
        metered.tick()
        metered.end_worker(lambda: metered.put_behind_its_back(second, epoch=epoch(later, pid)))
        metered.tick()
        metered.vmd.do("Instance.Stop", instance="name", force=True)
        assert metered.used(first, "disk_write_bytes") == 8000
        assert metered.used(second, "disk_write_bytes") == 100


def test_a_stop_and_a_start_while_vmd_is_down_are_booked_to_the_moment() -> None:
    with Metered() as metered:
        metered.tell("away", {"disk_write_bytes": 100})
        instance = metered.vmd.create(name="away")["id"]
        metered.tick()
        metered.vmd.kill()
        stopped, started = boot_ms(), boot_ms() + 2 * CLOCK_TICK_MS
        wait_until(lambda: boot_ms() > started + CLOCK_TICK_MS, "the time to be over")
        runs = [run(False, stopped), run(True, started)]
        metered.put_behind_its_back(instance, epoch=epoch(started - CLOCK_TICK_MS), runs=runs)
        metered.tell("away", {"disk_write_bytes": 30})
        metered.vmd.start()
        metered.tick()
        segments = metered.vmd.segments(instance)
        assert [(row["kind"], row["state"]) for row in segments] == [
            ("opened", "running"), ("closed", "running"), ("opened", "stopped"), ("closed", "stopped"), ("opened", "running"),
        ]  # fmt: skip
        assert [row["boot_ms"] for row in segments[1:]] == [stopped, stopped, started, started]
        assert not any(row.get("estimated") for row in segments)
        wait_until(lambda: not metered.last_entry(instance)["runs"], "what is booked to be forgotten")
        # What is told again, in whatever order, is no news.
        for again in (runs, runs[::-1], runs + runs):
            metered.end_worker(lambda told=again: metered.put_behind_its_back(instance, runs=told))
        metered.vmd.kill()
        metered.put_behind_its_back(instance, runs=runs)
        metered.vmd.start()
        metered.tick()
        assert metered.vmd.segments(instance) == segments
        metered.vmd.do("Instance.Stop", instance="away", force=True)
        assert metered.used(instance, "disk_write_bytes") == 130
        # From the last reading to the end nobody looked.
        first = segments[0]["seq"]
        (gap,) = [row for row in metered.gaps(instance) if "counter" not in row and row["segment"] == first]
        assert gap["to_ms"] == segments[1]["to_ms"], (gap, segments)
        oracle.check_at_rest(metered.vmd)


def test_a_domain_that_is_seen_on_its_way_out_has_ended() -> None:
    with Metered() as metered:
        instance = metered.vmd.create(name="leaves")["id"]
        metered.tick()
        metered.vmd.kill()
        stopped = boot_ms()
        # The hook has written that it is over, and libvirt still shows the process.
        metered.put_behind_its_back(instance, runs=[run(False, stopped)])
        metered.vmd.start()
        metered.tick()
        ended, off = metered.vmd.segments(instance)[1:]
        assert ended["boot_ms"] == off["boot_ms"] == stopped and off["state"] == "stopped"
        assert metered.vmd.get("leaves")["state"] == "stopped"
        metered.end_worker(lambda: metered.put_behind_its_back(instance, **OFF))
        assert metered.vmd.segments(instance)[1:] == [ended, off]
        oracle.check_at_rest(metered.vmd)


def test_why_a_domain_ended_is_told_also_if_its_end_was_written_down_first() -> None:
    with Metered() as metered:
        instance = metered.vmd.create(name="broken")["id"]
        metered.vmd.kill()
        end = run(False, boot_ms())
        metered.put_behind_its_back(instance, runs=[end])
        metered.vmd.start()
        assert "reason" not in metered.vmd.get("broken")
        crashed = {**OFF, "state": "crashed", "reason": "the guest crashed"}
        metered.end_worker(lambda: metered.put_behind_its_back(instance, **crashed))
        assert metered.vmd.get("broken")["reason"] == "the guest crashed"
        # Nobody asks why somebody stopped it.
        metered.vmd.do("Instance.Start", instance="broken")
        metered.vmd.do("Instance.Stop", instance="broken", force=True)
        cut = {**OFF, "reason": "its power was cut"}
        metered.end_worker(lambda: metered.put_behind_its_back(instance, **cut))
        assert "reason" not in metered.vmd.get("broken")


def test_a_crash_that_is_written_down_is_called_one() -> None:
    with Metered() as metered:
        instance = metered.vmd.create(name="crashes")["id"]
        metered.vmd.kill()
        crashed = {**OFF, "state": "crashed", "reason": "the guest crashed", "runs": [run(False, boot_ms())]}
        metered.put_behind_its_back(instance, **crashed)
        metered.vmd.start()
        assert metered.vmd.get("crashes")["reason"] == "the guest crashed"
        last = metered.vmd.segments(instance)[-1]
        assert (last["state"], last["cause"]) == ("stopped", "crashed"), last


def test_a_run_of_a_domain_on_its_way_out_is_booked_before_it_is_looked_at_again() -> None:
    with Metered() as metered:
        instance = metered.vmd.create(name="brief")["id"]
        metered.vmd.do("Instance.Stop", instance="brief", force=True)
        metered.vmd.kill()
        begun, ended = boot_ms(), boot_ms() + 2 * CLOCK_TICK_MS
        wait_until(lambda: boot_ms() > ended + CLOCK_TICK_MS, "the time to be over")
        # It ran and is over, and libvirt still shows it, without a process.
        leaving = {"state": "running", "epoch": None, "runs": [run(True, begun), run(False, ended)]}
        metered.put_behind_its_back(instance, **leaving)
        metered.rules = [{"method": "Inspect", "delay_ms": 300}]
        metered.write()
        metered.vmd.start()
        wait_until(lambda: not metered.last_entry(instance)["runs"], "what is booked to be forgotten")
        opened = [row for row in metered.vmd.segments(instance) if row["kind"] == "opened"]
        assert [(row["state"], row["boot_ms"]) for row in opened[2:4]] == [("running", begun), ("stopped", ended)], opened


def test_a_begin_that_is_written_down_after_its_process_was_seen_is_no_other_run() -> None:
    with Metered() as metered:
        instance = metered.vmd.create(name="starts")["id"]
        metered.tick()
        metered.vmd.kill()
        stopped, started = boot_ms(), boot_ms() + 2 * CLOCK_TICK_MS
        end, process = run(False, stopped), epoch(started)
        wait_until(lambda: boot_ms() > started + 10 * CLOCK_TICK_MS, "the time to be over")
        metered.put_behind_its_back(instance, epoch=process, runs=[end])
        metered.vmd.start()
        metered.tick()
        segments = metered.vmd.segments(instance)
        assert [row["state"] for row in segments if row["kind"] == "opened"] == ["running", "stopped", "running"]
        late = run(True, started + 5 * CLOCK_TICK_MS)
        metered.end_worker(lambda: metered.put_behind_its_back(instance, epoch=process, runs=[end, late]))
        metered.tick()
        assert metered.vmd.segments(instance) == segments
        oracle.check_at_rest(metered.vmd)


def test_a_domain_whose_end_is_written_down_is_rebuilt_as_stopped() -> None:
    with Metered() as metered:
        instance = metered.vmd.create(name="rests")["id"]
        metered.vmd.do("Instance.Stop", instance="rests", force=True)
        metered.vmd.kill()
        metered.put_behind_its_back(instance, runs=[run(False, boot_ms())])
        shutil.rmtree(metered.vmd.dir / "state")
        assert metered.vmd.rebuild().returncode == 0
        metered.vmd.start()
        assert metered.vmd.get("rests")["state"] == "stopped"


def test_a_process_that_was_replaced_without_a_word_ends_where_it_was_last_seen() -> None:
    with Metered() as metered:
        metered.tell("swap", {"disk_write_bytes": 100})
        instance = metered.vmd.create(name="swap")["id"]
        metered.tick()
        seen_ms = wall_ms()
        metered.vmd.kill()
        started = boot_ms() + 3 * CLOCK_TICK_MS
        wait_until(lambda: boot_ms() > started + CLOCK_TICK_MS, "the time to be over")
        metered.put_behind_its_back(instance, epoch=epoch(started))
        # More than before: the number alone does not tell.
        metered.tell("swap", {"disk_write_bytes": 150})
        metered.vmd.start()
        metered.tick()
        _, ended, stopped, _, begun = metered.vmd.segments(instance)
        assert ended["to_ms"] <= seen_ms and stopped["from_ms"] == ended["to_ms"]
        assert ended["estimated"] == begun["from_ms"] - ended["to_ms"] > 0, (ended, begun)
        assert 0 < begun["boot_ms"] - started // CLOCK_TICK_MS * CLOCK_TICK_MS <= CLOCK_TICK_MS
        metered.vmd.do("Instance.Stop", instance="swap", force=True)
        assert metered.used(instance, "disk_write_bytes") == 250


def test_a_process_that_was_replaced_while_it_was_to_stop_ends_where_it_was_last_seen() -> None:
    with Metered() as metered:
        metered.tell("swap", {"disk_write_bytes": 100})
        instance = metered.vmd.create(name="swap")["id"]
        metered.rules = [{"method": "Shutdown", "deaf": True}]
        metered.tick()
        stop = metered.vmd.call("Instance.Stop", instance="swap")["operation"]
        metered.vmd.kill()
        seen_ms = wall_ms()
        started = boot_ms() + 3 * CLOCK_TICK_MS
        wait_until(lambda: boot_ms() > started + CLOCK_TICK_MS, "the time to be over")
        metered.put_behind_its_back(instance, epoch=epoch(started))
        metered.vmd.start()
        # While the stop is still under way.
        metered.tick()
        metered.vmd.call("Operation.Cancel", operation=stop)
        wait_until(lambda: len(metered.vmd.segments(instance)) == 5, "the other process to be seen")
        _, ended, stopped, _, begun = metered.vmd.segments(instance)
        assert ended["to_ms"] <= seen_ms and stopped["from_ms"] == ended["to_ms"], (ended, seen_ms)
        assert 0 < begun["boot_ms"] - started // CLOCK_TICK_MS * CLOCK_TICK_MS <= CLOCK_TICK_MS
        oracle.check_at_rest(metered.vmd)


def test_a_guest_that_died_while_its_host_was_away_is_not_billed_for_that() -> None:
    with Metered() as metered:
        metered.tell("died", {"disk_write_bytes": 100})
        instance = metered.vmd.create(name="died")["id"]
        metered.tick()
        (worker,) = metered.vmd.children("vmd-fakehost")
        os.kill(worker, signal.SIGSTOP)
        gone_ms = wall_ms()
        metered.put_behind_its_back(instance, **OFF)
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: metered.vmd.get("died")["state"] == "stopped", "the end to be seen")
        _, ended, _ = metered.vmd.segments(instance)
        assert ended["to_ms"] <= gone_ms and ended["to_ms"] + ended["estimated"] >= gone_ms, (ended, gone_ms)
        metered.vmd.do("Instance.Destroy", instance="died")
        oracle.check_at_rest(metered.vmd)


def another_boot(folder: Path) -> tuple[tuple[str, ...], str]:
    """What a vmd has to be started under to find that the machine was booted again, and the id of that boot."""
    boot_id = str(uuid.uuid4())
    file = folder / "boot_id"
    file.write_text(boot_id + "\n", encoding="ascii")
    bind = 'mount --make-rprivate / && mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"'
    return ("unshare", "--mount", "sh", "-c", bind, str(file)), boot_id


def test_another_boot_of_the_machine_ends_all_runs_where_they_were_last_seen() -> None:
    if os.geteuid() != 0:
        raise tap.Skipped("a boot id can be exchanged by root only")
    with Metered() as metered:
        for name in ("off", "autostarted"):
            metered.tell(name, {"disk_write_bytes": 100})
        off, autostarted = (metered.vmd.create(name=name)["id"] for name in ("off", "autostarted"))
        metered.tick()
        seen_ms = wall_ms()
        metered.vmd.kill()
        under, boot_id = another_boot(metered.vmd.dir)
        started = boot_ms() + 2 * CLOCK_TICK_MS
        wait_until(lambda: boot_ms() > started + CLOCK_TICK_MS, "the time to be over")
        metered.put_behind_its_back(off, **OFF)
        metered.put_behind_its_back(autostarted, epoch=epoch(started) | {"boot_id": boot_id})
        metered.tell("autostarted", {"disk_write_bytes": 70})
        metered.vmd.start(under=under)
        wait_until(lambda: metered.vmd.get("off")["state"] == "stopped", "the end to be seen")
        _, ended, _ = metered.vmd.segments(off)
        assert ended["to_ms"] <= seen_ms and ended["estimated"] > 0, (ended, seen_ms)
        _, ended, stopped, _, begun = metered.vmd.segments(autostarted)
        assert ended["to_ms"] <= seen_ms and stopped["from_ms"] == ended["to_ms"], (ended, seen_ms)
        assert begun["boot_id"] == boot_id and begun["from_ms"] >= seen_ms, (begun, seen_ms)
        metered.vmd.do("Instance.Stop", instance="autostarted", force=True)
        assert metered.used(autostarted, "disk_write_bytes") == 170


def do_once_it_is_seen(vmd: Vmd, verb: str, **more: Any) -> None:
    """Until the instance is seen as it is a late event may show it as it was, and the verb is refused."""

    def is_done() -> bool:
        try:
            vmd.do(f"Instance.{verb}", **more)
        except VarlinkError as error:
            assert error.name == "io.vmctl.IllegalState", error
            return False
        return True

    wait_until(is_done, f"{verb} to be taken")


def test_events_that_come_late_and_twice_bill_nothing_twice() -> None:
    with Metered() as metered:
        metered.rules = [{"method": "Event", "twice": True, "delay_ms": 40}]
        metered.write()
        metered.tell("echo", {"disk_write_bytes": 500})
        instance = metered.vmd.create(name="echo")["id"]
        for verb, more in (("Pause", {}), ("Resume", {}), ("Stop", {"force": True}), ("Start", {}), ("Restart", {"force": True})):
            do_once_it_is_seen(metered.vmd, verb, instance="echo", **more)
        do_once_it_is_seen(metered.vmd, "Stop", instance="echo", force=True)
        begun = time.monotonic()
        # The last of the late ones has come by then.
        wait_until(lambda: time.monotonic() > begun + 0.2, "the echoes")
        wait_until(lambda: metered.vmd.get("echo")["state"] == "stopped", "the instance to be at rest")
        metered.vmd.do("Instance.Destroy", instance="echo")
        segments = metered.vmd.segments(instance)
        assert all(ended["to_ms"] >= ended["from_ms"] for ended in segments if ended["kind"] == "closed")
        oracle.check_at_rest(metered.vmd)
        # Three processes, each of which had written as much when it was read.
        assert metered.used(instance, "disk_write_bytes") <= 1500


def test_a_database_that_was_put_back_says_so_and_bills_nothing_twice() -> None:
    with Metered() as metered:
        conf = metered.vmd.dir / "vmd.conf"
        anchor = metered.vmd.dir / "anchor" / "ledger"
        metered.vmd.kill(signal.SIGTERM)
        conf.write_text(conf.read_text().replace("anchor=\n", f"anchor={anchor}\n"))
        metered.vmd.start()
        metered.tell("back", {"disk_write_bytes": 100})
        instance = metered.vmd.create(name="back")["id"]
        metered.tick()
        metered.vmd.kill(signal.SIGTERM)
        older = shutil.copytree(metered.vmd.dir / "state", metered.vmd.dir / "older")
        metered.vmd.start()
        metered.tell("back", {"disk_write_bytes": 900})
        metered.tick()
        # An entry of the books has the anchor tell where the ledger stands.
        metered.vmd.call("Ledger.Note", follows=0, topic="assignment", note='{"card": "c", "from_ms": 0, "discount_ppm": 0}')
        head = metered.vmd.call("Ledger.GetHead")["note"]
        wait_until(lambda: anchor.exists() and int(anchor.read_text().split()[-3]) >= head, "the anchor")
        metered.vmd.kill(signal.SIGTERM)
        shutil.rmtree(metered.vmd.dir / "state")
        older.rename(metered.vmd.dir / "state")
        metered.vmd.start()
        assert metered.vmd.call("Ledger.GetHead")["forked"] > 0
        (fork,) = [row for row in metered.vmd.ledger() if row["kind"] == "forked"]
        assert int(fork["note"].split()[0]) >= head, fork
        metered.vmd.do("Instance.Stop", instance="back", force=True)
        assert metered.used(instance, "disk_write_bytes") == 900
        oracle.check_ledger(metered.vmd)


def test_a_guest_that_was_started_while_vmd_was_down_is_billed_from_then() -> None:
    with Metered() as metered:
        instance = metered.vmd.create(name="woken")["id"]
        metered.vmd.do("Instance.Stop", instance="woken", force=True)
        metered.vmd.kill()
        started = boot_ms() + 2 * CLOCK_TICK_MS
        wait_until(lambda: boot_ms() > started + CLOCK_TICK_MS, "the time to be over")
        metered.put_behind_its_back(instance, state="running", epoch=epoch(started))
        metered.vmd.start()
        wait_until(lambda: metered.vmd.get("woken")["state"] == "running", "it to be seen running")
        begun = metered.vmd.segments(instance)[-1]
        assert begun["state"] == "running"
        assert 0 < begun["boot_ms"] - started // CLOCK_TICK_MS * CLOCK_TICK_MS <= CLOCK_TICK_MS


tap.main(globals())
