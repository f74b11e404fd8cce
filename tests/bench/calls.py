# SPDX-License-Identifier: LGPL-2.1-or-later
"""Calls, commands, bursts and memory: vmd over a fake host, and libvirt's own programs beside it."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import threading
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Iterator

from figure import Row, format_ms, format_rate, take_turns, time_command
from lib.daemon import MIB, Vmd, program
from lib.tap import wait_until

SYSTEM = "qemu:///system"
TEST = "test+unix:///default"
# The counters of all are read so often before memory is looked at.
TICK_SECONDS = 5
TICKS = 3
ROOMY = {"instances": 100000, "vcpus": 1000000, "memory": "1000T", "disk": "90000T"}


def new_vmd(**more: object) -> Vmd:
    return Vmd(quota=ROOMY, keep_domains=False, **more)  # type: ignore[arg-type]


def message(method: str, **parameters: object) -> str:
    return json.dumps({"method": "io.vmctl." + method, "parameters": parameters})


def wire_calls(vmd: Vmd, call: str, count: int, depth: int) -> dict[str, float]:
    output = subprocess.run(
        [program("WIRE_CALLS"), vmd.socket, call, str(count), str(depth)],
        capture_output=True, text=True, check=True, timeout=120,
    ).stdout  # fmt: skip
    return json.loads(output)


def libvirt_version_calls() -> float:
    run = [program("LIBVIRT_CALLS"), "version", SYSTEM, "5000"]
    return float(subprocess.run(run, capture_output=True, text=True, check=True, timeout=120).stdout)


def create_many(vmd: Vmd, count: int, **more: object) -> None:
    """So many running instances, in batches as large as one call takes."""
    with vmd.connect(120) as connection:
        for begin in range(0, count, 500):
            reply = connection.call(
                "io.vmctl.Instance.Create",
                name=f"n{begin}",
                count=min(500, count - begin),
                memory_bytes=128 * MIB,
                **more,
            )
            for accepted in reply["instances"]:
                connection.call("io.vmctl.Operation.Wait", operation=accepted["operation"], timeout_ms=60000)


def resident_mib(vmd: Vmd) -> float:
    assert vmd.process is not None
    status = Path(f"/proc/{vmd.process.pid}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def pid_of_libvirtd() -> int:
    return int((Path(os.environ["PRIVATE_LIBVIRT_DIR"]) / "libvirtd.pid").read_text(encoding="ascii"))


@contextlib.contextmanager
def on_one_processor(*pids: int) -> Iterator[None]:
    """Both ends of a call on one processor: what a call costs, without the waking of an idle processor."""
    everywhere = os.sched_getaffinity(0)
    threads = [int(thread) for pid in pids for thread in os.listdir(f"/proc/{pid}/task")] + [0]
    try:
        for thread in threads:
            os.sched_setaffinity(thread, {min(everywhere)})
        yield
    finally:
        for thread in threads:
            os.sched_setaffinity(thread, everywhere)


def measure_calls() -> list[Row]:
    """Calls one after another on one connection, and pipelined."""
    with new_vmd() as vmd:
        assert vmd.process is not None
        vmd.import_template()
        vmd.create(name="web")
        ping = message("Ping")
        get = message("Instance.Get", instance="web")
        sides = (
            lambda: wire_calls(vmd, ping, 20000, 1)["per_second"],
            lambda: wire_calls(vmd, get, 20000, 1)["per_second"],
            libvirt_version_calls,
        )
        with on_one_processor(vmd.process.pid, pid_of_libvirtd()):
            pings, gets, versions = take_turns(7, *sides)
        woken_pings, woken_gets, woken_versions = take_turns(5, *sides)
        many_pings, many_gets = take_turns(
            5,
            lambda: wire_calls(vmd, ping, 200000, 200)["per_second"],
            lambda: wire_calls(vmd, get, 100000, 200)["per_second"],
        )
    rate = format_rate
    other = "virConnectGetLibVersion"
    return [
        Row(f"Ping, one after another; {other}", rate(pings), rate(versions), pings / versions, 4, True),
        Row(f"Get, one after another; {other}", rate(gets), rate(versions), gets / versions, 2, True),
        Row(f"Ping, client and service on two processors; {other}", rate(woken_pings), rate(woken_versions),
            woken_pings / woken_versions, None, True),
        Row(f"Get, client and service on two processors; {other}", rate(woken_gets), rate(woken_versions),
            woken_gets / woken_versions, None, True),
        Row("Ping, pipelined", rate(many_pings), "", many_pings, 50000, True, " a second"),
        Row("Get, pipelined", rate(many_gets), "", many_gets, 30000, True, " a second"),
    ]  # fmt: skip


def create_at_once(vmd: Vmd, name: str, count: int) -> float:
    """Milliseconds from the first of so many calls to the last of so many running instances."""
    with vmd.connect(120) as connection:
        begun = time.monotonic()
        for number in range(count):
            connection.send("io.vmctl.Instance.Create", {"name": f"{name}-{number}"})
        operations = [connection.receive()[0]["instances"][0]["operation"] for _ in range(count)]
        for operation in operations:
            connection.call("io.vmctl.Operation.Wait", operation=operation, timeout_ms=60000)
        return (time.monotonic() - begun) * 1000


def time_accepted(vmd: Vmd, count: int) -> float:
    """Median milliseconds until a create is answered, which is when it is durable."""
    taken = []
    with vmd.connect() as connection:
        for number in range(count):
            begun = time.monotonic()
            reply = connection.call("io.vmctl.Instance.Create", name=f"one-{number}")
            taken.append((time.monotonic() - begun) * 1000)
            operation = reply["instances"][0]["operation"]
            connection.call("io.vmctl.Operation.Wait", operation=operation, timeout_ms=60000)
    return statistics.median(taken)


def read_through_bursts(vmd: Vmd) -> tuple[float, float]:
    """Medians of the bursts' milliseconds, and the p99 of reads that ran all the while."""
    reads: list[float] = []
    bursts: list[float] = []
    get = message("Instance.Get", instance="one-0")
    reader = threading.Thread(target=lambda: reads.append(wire_calls(vmd, get, 20000, 1)["p99_us"] / 1000))
    reader.start()
    while reader.is_alive() or len(bursts) < 3:
        bursts.append(create_at_once(vmd, f"burst-{len(bursts)}", 100))
    reader.join()
    return statistics.median(bursts), reads[0]


def measure_burst() -> list[Row]:
    """Creates: how soon they are durable, a hundred at once, and what reads take meanwhile."""
    with new_vmd() as vmd:
        vmd.import_template()
        accepted = time_accepted(vmd, 40)
        burst, read = read_through_bursts(vmd)
    return [
        Row("create accepted, durable (median)", format_ms(accepted), "", accepted, 20, unit=" ms"),
        Row("100 creates at once, all running", format_ms(burst), "", burst, 2000, unit=" ms"),
        Row("Get while 100 creates run (p99)", format_ms(read), "", read, 5, unit=" ms"),
    ]


def print_test_domain(number: int) -> str:
    domain = ET.Element("domain", type="test")
    ET.SubElement(domain, "name").text = f"bench-{number}"
    ET.SubElement(domain, "memory").text = "65536"
    ET.SubElement(domain, "vcpu").text = "1"
    ET.SubElement(ET.SubElement(domain, "os"), "type").text = "hvm"
    return ET.tostring(domain, encoding="unicode") + "\n"


class HeldDomains:
    """Domains of libvirt's test driver behind the libvirtd of the environment; they end with their connection."""

    def __init__(self, count: int) -> None:
        self.process = subprocess.Popen(
            [program("LIBVIRT_CALLS"), "hold", TEST], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write("".join(print_test_domain(number) for number in range(count)) + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "holding\n"

    def __enter__(self) -> HeldDomains:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate(timeout=60)


def measure_commands() -> list[Row]:
    """Whole processes."""
    with new_vmd() as vmd, HeldDomains(1000):
        vmd.import_template()
        create_many(vmd, 1000)
        vmctl = [program("VMCTL"), "--socket", vmd.socket]
        ours, virsh = take_turns(
            9,
            lambda: time_command(*vmctl, "list"),
            lambda: time_command("virsh", "-c", TEST, "list", "--all"),
        )
        version, virsh_version = take_turns(
            21,
            lambda: time_command(*vmctl, "version"),
            lambda: time_command("virsh", "-c", SYSTEM, "version"),
        )
    return [
        Row("vmctl list of 1,000; virsh list --all of 1,000", format_ms(ours), format_ms(virsh), ours / virsh, 0.1),
        Row("vmctl version; virsh version", format_ms(version), format_ms(virsh_version), version / virsh_version, 0.25),
    ]


def measure_memory() -> list[Row]:
    """Resident memory, with what is known of the counters too, and the start with 10,000 instances."""
    with Vmd(quota=ROOMY, metering={"anchor": "", "tick_seconds": TICK_SECONDS}) as vmd:
        vmd.import_template()
        idle = resident_mib(vmd)
        create_many(vmd, 10000)
        wait_until(lambda: not vmd.call("Operation.List", state="running")["operations"], "the creates to end")
        time.sleep(TICKS * TICK_SECONDS)
        full = resident_mib(vmd)
        vmd.kill()
        begun = time.monotonic()
        vmd.start(wait_for_host=False)
        start = (time.monotonic() - begun) * 1000
        assert len(vmd.list_all()) == 10000
        wait_until(lambda: vmd.host()["state"] == "connected", "the host to be back", 60)
        time.sleep(TICKS * TICK_SECONDS)
        again = resident_mib(vmd)
    return [
        Row("vmd resident, idle", f"{idle:.1f} MiB", "", idle, 12, unit=" MiB"),
        Row("vmd resident, 10,000 instances just made", f"{full:.1f} MiB", "", full, 40, unit=" MiB"),
        Row("vmd resident, 10,000 instances after a restart", f"{again:.1f} MiB", "", again, 40, unit=" MiB"),
        Row("start with 10,000 instances to the first answer", format_ms(start), "", start, 1000, unit=" ms"),
    ]
