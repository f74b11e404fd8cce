#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a real guest used, by the ledger and by what was done: real libvirt, real QEMU, the template "tiny".  Runs within
tests/system/private-libvirt, which has libvirt's hook too."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from lib import oracle, tap
from lib.daemon import GIB, MIB, Vmd
from lib.tap import wait_until

GATEWAY = "192.168.150.1"
SENT = 8 * MIB
FETCHED = 4 * MIB
WRITTEN = 24 * MIB
# Of what is sent: frames, and what a TCP connection says besides.
NETWORK_OVERHEAD = 0.08
CPU_TOLERANCE = 0.02
# What a guest does by itself meanwhile.
NOISE = 256 * 1024
# Operations one after another, beside the readings of all domains.
READS = 40
# How far apart two looks at the clock can be, by the hook's and by ours.
CLOCK_SLACK_MS = 20

shared = Vmd(fake=False, import_dir=os.environ.get("VMCTL_IMAGES", ""), metering={"anchor": "", "tick_seconds": 2})
# What the threads of the processors of all QEMUs of the guest had, by the kernel's account.
threads_ns = {"total": 0}


def virsh(*arguments: str) -> str:
    return subprocess.run(["virsh", "-q", *arguments], capture_output=True, text=True, check=True, timeout=110).stdout


def guest_id() -> str:
    return shared.get("real")["id"]


def wait_ready() -> None:
    shared.call("Instance.Wait", instance="real", until="ready", timeout_ms=110000)


def ask_agent(command: str, **arguments: Any) -> Any:
    request = {"execute": command, "arguments": arguments}
    return json.loads(virsh("qemu-agent-command", guest_id(), json.dumps(request)))["return"]


def run_in_guest(script: str) -> str:
    """Runs a shell script in the guest to its end; what it printed."""
    pid = ask_agent("guest-exec", path="/bin/sh", arg=["-c", script], **{"capture-output": True})["pid"]
    status = wait_until(lambda: is_over(pid), f"{script} in the guest", 100)
    assert status["exitcode"] == 0, status
    return base64.b64decode(status.get("out-data", "")).decode()


def is_over(pid: int) -> dict[str, Any] | None:
    status = ask_agent("guest-exec-status", pid=pid)
    return status if status["exited"] else None


def qemu_pid() -> int:
    return int(Path(f"/run/libvirt/qemu/vmctl-{guest_id()}.pid").read_text())


def read_threads() -> int:
    """Nanoseconds that the threads of the processors of the QEMU that runs now had."""
    total = 0
    for task in Path(f"/proc/{qemu_pid()}/task").iterdir():
        if (task / "comm").read_text().startswith("CPU "):
            total += int((task / "schedstat").read_text().split()[0])
    return total


def rows() -> list[dict[str, Any]]:
    ledger = shared.ledger()
    own = {row["seq"] for row in ledger if row["kind"] == "opened" and row["resource"] == guest_id()}
    return [row for row in ledger if row.get("segment") in own]


def read_used() -> dict[str, int]:
    """Reads the counters now and books them: a resize does, here of the disk by the least there is."""
    shared.do("Instance.Resize", instance="real", disk_bytes=shared.get("real")["disk_bytes"] + MIB)
    used: dict[str, int] = {}
    for row in rows():
        if row["kind"] == "used":
            used[row["counter"]] = used.get(row["counter"], 0) + row["quantity"]
    return used


def end_process() -> None:
    """The QEMU that runs now is about to end: what it used is in the ledger, and counted by us."""
    read_used()
    threads_ns["total"] += read_threads()


def wait_for_state(state: str) -> None:
    wait_until(lambda: shared.get("real")["state"] == state, f"the instance to be seen {state}")


def serve(take: Any) -> tuple[int, threading.Thread]:
    """Takes one connection from the guest; the port, and who waits for it."""
    server = socket.create_server((GATEWAY, 0))
    server.settimeout(100)

    def run() -> None:
        connection, _ = server.accept()
        with connection, server:
            take(connection)

    thread = threading.Thread(target=run)
    thread.start()
    return server.getsockname()[1], thread


def send_from_guest() -> None:
    received = []

    def drain(connection: socket.socket) -> None:
        while sum(received) < SENT:
            received.append(len(connection.recv(1 << 20)))
            assert received[-1], "the guest sent less"

    port, thread = serve(drain)
    run_in_guest(f"dd if=/dev/zero bs=64k count={SENT // 65536} 2>/dev/null | nc {GATEWAY} {port} >/dev/null")
    thread.join(100)
    assert sum(received) == SENT


def send_to_guest() -> None:
    port, thread = serve(lambda connection: connection.sendall(bytes(FETCHED)))
    fetched = run_in_guest(f"nc {GATEWAY} {port} </dev/null | wc -c")
    thread.join(100)
    assert int(fetched) == FETCHED


def read_guests_own_count() -> int:
    """Bytes written to the disk since the guest booted, as it counts them."""
    return 512 * int(run_in_guest("awk '$3 == \"vda\" { print $10 }' /proc/diskstats"))


def read_qemus_own_count() -> int:
    """Bytes written to the disk since the process began, as libvirt tells them."""
    values = [line.split()[1:] for line in virsh("domblkstat", guest_id(), "vda").splitlines() if line]
    return int(dict(values)["wr_bytes"])


def write_to_disk() -> None:
    run_in_guest(f"dd if=/dev/zero of=/probe bs=1M count={WRITTEN // MIB} conv=fsync 2>&1 && sync && rm /probe")


def grown(before: dict[str, int], after: dict[str, int], counter: str) -> int:
    return after.get(counter, 0) - before.get(counter, 0)


def check_between(what: str, value: int, least: int, overhead: float) -> None:
    most = least * (1 + overhead) + NOISE
    assert least <= value <= most, f"{what}: {value} is not between {least} and {most}"


def test_bytes_written_are_billed_as_written() -> None:
    own = read_guests_own_count()
    before = read_used()
    write_to_disk()
    written = grown(before, read_used(), "disk_write_bytes")
    own = read_guests_own_count() - own
    # Its file system writes by itself, too.
    assert WRITTEN <= written <= own, (written, own)


def test_what_an_operation_reads_is_all_that_there_is() -> None:
    """libvirt tells nothing of the disks of a domain that something else is done with."""
    run_in_guest("(while [ ! -e /enough ]; do dd if=/dev/zero of=/busy bs=64k count=100 conv=fsync; done) >/dev/null 2>&1 &")
    for number in range(READS):
        written = read_qemus_own_count()
        booked = read_used()["disk_write_bytes"]
        assert booked >= written, (number, booked, written)
    run_in_guest("touch /enough")


def test_bytes_sent_are_billed_each_way() -> None:
    before = read_used()
    send_from_guest()
    send_to_guest()
    after = read_used()
    # What one side sends the other acknowledges.
    check_between("sent", grown(before, after, "net_tx_bytes"), SENT, NETWORK_OVERHEAD)
    check_between("received", grown(before, after, "net_rx_bytes"), FETCHED, NETWORK_OVERHEAD)


def test_processor_time_is_that_of_the_processors() -> None:
    before, threads = read_used(), read_threads()
    run_in_guest("i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done")
    after = read_used()
    burnt, truth = grown(before, after, "cpu_time"), read_threads() - threads
    assert abs(burnt - truth) <= CPU_TOLERANCE * truth + 50 * 10**6, (burnt, truth)


def test_a_device_is_named_by_what_it_is() -> None:
    instance = shared.get("real")
    devices = {row["device"] for row in rows() if row["kind"] == "used" and row["counter"] == "net_tx_bytes"}
    assert devices == {instance["mac"]}, devices
    disks = {row["device"] for row in rows() if row["kind"] == "used" and row["counter"] == "disk_write_bytes"}
    assert disks == {instance["id"][:20]}, disks


def test_a_resize_splits_what_is_used_and_loses_nothing() -> None:
    before = read_used()
    send_from_guest()
    shared.do("Instance.Resize", instance="real", vcpus=2)
    send_from_guest()
    check_between("sent", grown(before, read_used(), "net_tx_bytes"), 2 * SENT, NETWORK_OVERHEAD)


def test_a_reboot_of_the_guest_changes_nothing() -> None:
    before = read_used()
    opened = len(shared.segments(guest_id()))
    boots = shared.call("Instance.Log", instance="real")["next"]
    virsh("reset", guest_id())
    wait_until(lambda: "tiny: ready" in shared.console("real", boots), "the guest to be up again", 110)
    wait_until(lambda: ask_again(), "its agent", 60)
    send_from_guest()
    assert len(shared.segments(guest_id())) == opened
    # It has its address again from the network.
    check_between("sent", grown(before, read_used(), "net_tx_bytes"), SENT, NETWORK_OVERHEAD)


def ask_again() -> bool:
    try:
        return ask_agent("guest-ping") == {}
    except subprocess.CalledProcessError:
        return False


def last_segments(count: int) -> list[dict[str, Any]]:
    return shared.segments(guest_id())[-count:]


def test_a_save_and_a_restore_behind_our_back_begin_another_run() -> None:
    end_process()
    before, opened = read_used(), len(shared.segments(guest_id()))
    virsh("managedsave", guest_id())
    wait_for_state("stopped")
    virsh("start", guest_id())
    wait_for_state("running")
    wait_until(lambda: ask_again(), "its agent", 60)
    # libvirt pauses a guest to save it, and has it paused before it goes on.
    states = [row["state"] for row in shared.segments(guest_id())[opened:] if row["kind"] == "opened"]
    assert [state for state in dict.fromkeys(states) if state != "paused"] == ["stopped", "running"], states
    assert states.count("stopped") == 1 and states[-1] == "running", states
    send_from_guest()
    check_between("sent", grown(before, read_used(), "net_tx_bytes"), SENT, NETWORK_OVERHEAD)


def test_a_killed_qemu_ends_its_run_and_takes_at_most_one_interval_with_it() -> None:
    end_process()
    before = read_used()
    os.kill(qemu_pid(), signal.SIGKILL)
    wait_for_state("stopped")
    shared.do("Instance.Start", instance="real")
    wait_ready()
    send_from_guest()
    check_between("sent", grown(before, read_used(), "net_tx_bytes"), SENT, NETWORK_OVERHEAD)


def test_what_happens_while_vmd_is_down_is_billed_to_the_moment() -> None:
    end_process()
    before = read_used()
    instance = guest_id()
    shared.kill()
    destroyed_ms = time.time() * 1000
    virsh("destroy", instance)
    gone_ms = time.time() * 1000
    virsh("start", instance)
    begun_ms = time.time() * 1000
    shared.start()
    wait_for_state("running")
    ended, stopped, _, begun = last_segments(4)
    assert destroyed_ms - CLOCK_SLACK_MS <= ended["to_ms"] <= gone_ms + CLOCK_SLACK_MS, (destroyed_ms, ended, gone_ms)
    assert gone_ms - CLOCK_SLACK_MS <= begun["from_ms"] <= begun_ms + CLOCK_SLACK_MS, (gone_ms, begun, begun_ms)
    assert stopped["from_ms"] == ended["to_ms"] and not ended.get("estimated"), ended
    wait_ready()
    send_from_guest()
    check_between("sent", grown(before, read_used(), "net_tx_bytes"), SENT, NETWORK_OVERHEAD)


def test_what_was_written_down_is_cleared_away() -> None:
    spool = Path(os.environ["PRIVATE_LIBVIRT_DIR"]) / "runs" / "runs"
    wait_until(lambda: not spool.exists() or spool.stat().st_size == 0, "the hook's file to be taken", 90)


def test_all_processor_time_is_that_of_all_the_processes() -> None:
    end_process()
    shared.do("Instance.Stop", instance="real", force=True)
    billed = sum(row["quantity"] for row in rows() if row["kind"] == "used" and row["counter"] == "cpu_time")
    truth = threads_ns["total"]
    assert abs(billed - truth) <= CPU_TOLERANCE * truth, (billed, truth)


def test_every_moment_is_read_or_a_gap() -> None:
    shared.do("Instance.Destroy", instance="real")
    oracle.check_ledger(shared)
    oracle.check_audit(shared)


with shared:
    shared.import_template()
    shared.create(name="real", disk_bytes=GIB)
    wait_ready()
    tap.main(globals())
