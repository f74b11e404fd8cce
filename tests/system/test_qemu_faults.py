#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What real guests and a real libvirt do wrong.  Runs within tests/system/private-libvirt."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Iterator

from lib import oracle, tap
from lib.daemon import GIB, MIB, Vmd
from lib.tap import wait_until
from lib.varlink import Connection

STILL_SECONDS = int(os.environ.get("STILL_SECONDS", "5"))
SCRATCH = Path(os.environ["PRIVATE_LIBVIRT_DIR"])
SOCKET = Path("/run/libvirt/libvirt-sock")
IMAGES = os.environ.get("VMCTL_IMAGES", "")
PANIC = "#!/bin/sh\n(sleep 1; echo 1 >/proc/sys/kernel/sysrq; echo c >/proc/sysrq-trigger) &\n"
# By then the kernel wrote some of it back by itself, and not yet all.
GROWN = "#!/bin/sh\n(while pidof resize2fs; do usleep 100000; done; sleep 7; echo has grown) &\n"
POWER_OFF = "#!/bin/sh\n(sleep 1; poweroff -f) &\n"

shared = Vmd(fake=False, import_dir=IMAGES)


def libvirtd() -> int:
    return int((SCRATCH / "libvirtd.pid").read_text())


def start_libvirtd() -> None:
    with (SCRATCH / "log" / "libvirtd.log").open("ab") as log:
        subprocess.Popen(["libvirtd", "--pid-file", str(SCRATCH / "libvirtd.pid")], stderr=log)


def kill_worker() -> None:
    for worker in shared.children("vmd-host"):
        os.kill(worker, signal.SIGKILL)


def wait_for(state: str, seconds: float = 60) -> None:
    wait_until(lambda: shared.host()["state"] == state, f"the host to be {state}", seconds)


def wait_for_reason(word: str) -> None:
    wait_until(lambda: word in (shared.host().get("reason") or ""), "the reason to be told", 60)


@contextlib.contextmanager
def socket_replaced(by: Path | None) -> Iterator[None]:
    """libvirt's socket is another, or none; afterwards the host is back."""
    aside = SOCKET.rename(SOCKET.with_name("aside"))
    try:
        if by is not None:
            SOCKET.symlink_to(by)
        kill_worker()
        yield
    finally:
        aside.replace(SOCKET)
        wait_for("connected")


def states() -> dict[str, str]:
    return {row["name"]: row["state"] for row in shared.list_all()}


@contextlib.contextmanager
def guest(name: str, **parameters: object) -> Iterator[dict]:
    instance = shared.create(name=name, **parameters)
    try:
        yield instance
    finally:
        wait_for("connected")
        shared.do("Instance.Destroy", instance=name)


def qemu_pid(instance: str) -> int:
    return int(Path(f"/run/libvirt/qemu/vmctl-{instance}.pid").read_text())


def test_libvirtd_that_is_killed_and_started_again_costs_no_guest() -> None:
    with guest("stays") as instance:
        pid = qemu_pid(instance["id"])
        os.kill(libvirtd(), signal.SIGKILL)
        wait_for("unreachable")
        assert states() == {"stays": "running"}
        late = shared.wait(shared.call("Instance.Stop", instance="stays", timeout_ms=1500)["operation"])
        assert (late["state"], late["failure"]["error"]) == ("failed", "io.vmctl.HostUnreachable"), late
        assert states() == {"stays": "running"}
        goes_on = shared.call("Instance.Pause", instance="stays")["operation"]
        start_libvirtd()
        wait_for("connected")
        assert shared.wait(goes_on)["state"] == "succeeded"
        assert states() == {"stays": "paused"} and qemu_pid(instance["id"]) == pid
    oracle.check_audit(shared)


def test_nothing_is_called_stopped_while_libvirtd_stands_still() -> None:
    with guest("calm"):
        os.kill(libvirtd(), signal.SIGSTOP)
        try:
            wait_for("unreachable")
            until = time.monotonic() + STILL_SECONDS
            with Connection(shared.socket) as connection:
                while time.monotonic() < until:
                    (row,) = connection.call("io.vmctl.Instance.List")["instances"]
                    assert (row["name"], row["state"]) == ("calm", "running") and row["seen_at"], row
        finally:
            os.kill(libvirtd(), signal.SIGCONT)
        wait_for("connected")
        assert states() == {"calm": "running"}


def test_a_socket_that_is_gone_is_waited_for() -> None:
    with guest("kept"), socket_replaced(None):
        wait_for_reason("connect socket")
        assert states() == {"kept": "running"} and shared.host()["state"] == "unreachable"


def test_a_libvirt_that_only_shows_is_told_and_nothing_is_lost() -> None:
    with guest("shown"), socket_replaced(SOCKET.with_name("libvirt-sock-ro")):
        wait_for_reason("read only")
        assert states() == {"shown": "running"} and shared.host()["state"] == "unreachable"
    oracle.check_audit(shared)


def test_a_guest_that_panics_is_seen_crashed() -> None:
    with guest("panics", user_data=PANIC) as instance:
        wait_until(lambda: states()["panics"] == "stopped", "the panic", 90)
        assert shared.get("panics")["reason"] == "the guest crashed"
        refusal = tap.expect("io.vmctl.IllegalState", shared.call, "Instance.Pause", instance="panics")
        assert "is stopped (the guest crashed)" in refusal["message"], refusal
        last = shared.segments(instance["id"])[-1]
        assert last["state"] == "stopped" and last["cause"] == "crashed", last
        shared.do("Instance.Start", instance="panics")


def test_a_guest_that_powers_off_is_not_started_again() -> None:
    with guest("leaves", user_data=POWER_OFF):
        wait_until(lambda: states()["leaves"] == "stopped", "the guest to power off", 90)
        kill_worker()
        wait_for("connected")
        assert states() == {"leaves": "stopped"}


def test_a_guest_whose_power_is_cut_after_it_grew_its_file_system_boots_again() -> None:
    with guest("cut", disk_bytes=GIB, user_data=GROWN):
        wait_until(lambda: "has grown" in shared.console("cut"), "the guest to grow its file system", 90)
        shared.do("Instance.Stop", instance="cut", force=True)
        shared.do("Instance.Start", instance="cut")
        shared.call("Instance.Wait", instance="cut", until="ready", timeout_ms=90000)


def test_a_lost_database_is_rebuilt_from_libvirts_metadata() -> None:
    first = shared.create(name="runs", labels={"tier": "web"}, disk_bytes=1024 * MIB)
    shared.create(name="rests")
    shared.do("Instance.Stop", instance="rests", force=True)
    shared.do("Instance.Resize", instance="runs", disk_bytes=1200 * MIB)
    before, pid = {row["name"]: row for row in shared.list_all()}, qemu_pid(first["id"])
    shared.kill()
    shutil.rmtree(shared.dir / "state")
    said = shared.rebuild()
    assert said.returncode == 0 and "2 instances were taken up" in said.stdout, said
    shared.start()
    for name, row in before.items():
        now = shared.get(name)
        for key in ("id", "tenant", "template", "vcpus", "memory_bytes", "disk_bytes", "mac", "labels", "state"):
            assert now[key] == row[key], (name, key, now[key], row[key])
    assert qemu_pid(first["id"]) == pid
    oracle.check_audit(shared)
    shared.do("Instance.Start", instance="rests")
    for name in before:
        shared.do("Instance.Destroy", instance=name)
    oracle.check_audit(shared)


def virsh(domain: str, command: str, *arguments: str, timeout: float = 60) -> str:
    done = subprocess.run(
        ["virsh", "-q", command, domain, *arguments], capture_output=True, text=True, check=True, timeout=timeout
    )
    return done.stdout


def is_busy(domain: str) -> bool:
    """Whether libvirt lets nothing else be done with the domain."""
    try:
        virsh(domain, "dommemstat", timeout=0.5)
    except subprocess.TimeoutExpired:
        return True
    return False


@contextlib.contextmanager
def kept_busy(domain: str) -> Iterator[None]:
    """libvirt waits 5 s for a guest that stands still to let go of its network, unless something ends that."""
    virsh(domain, "suspend")
    kind, mac = (virsh(domain, "domiflist").split()[field] for field in (1, 4))
    command = ["virsh", "-q", "detach-interface", domain, kind, "--mac", mac, "--live"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as late:
        wait_until(lambda: is_busy(domain), "the domain to be busy", 10)
        yield
        late.wait(60)


def test_a_guest_outlives_what_libvirt_learns_late_of_its_last_run() -> None:
    """The power is cut while the domain is busy, and then what libvirt has to do for another keeps it from noticing."""
    with guest("cut") as cut, guest("other") as other:
        began = time.monotonic()
        with kept_busy(cut["id"]):
            stop = shared.call("Instance.Stop", instance="cut", force=True)["operation"]
            wait_until(lambda: time.monotonic() > began + 3, "that to take longer for the other")
            with kept_busy(other["id"]):
                os.kill(qemu_pid(other["id"]), signal.SIGKILL)
                assert shared.wait(stop)["state"] == "succeeded"
                assert states()["cut"] == "stopped"
                start = shared.call("Instance.Start", instance="cut")["operation"]
        wait_until(lambda: states()["other"] == "stopped", "the end of the other to be noticed")
        assert shared.wait(start)["state"] == "succeeded"
        # Whoever comes next is told of it after all that libvirt has noticed before.
        shared.do("Instance.Pause", instance="cut")
        shared.do("Instance.Resume", instance="cut")
        assert states()["cut"] == "running" and virsh(cut["id"], "domstate").strip() == "running"
    oracle.check_audit(shared)


def test_a_start_that_fails_says_why_and_the_next_one_succeeds() -> None:
    with guest("lacks") as instance:
        shared.do("Instance.Stop", instance="lacks", force=True)
        disk = Path(f"/var/lib/libvirt/vmd-pool/d-{instance['id']}.qcow2")
        aside = disk.rename(disk.with_name("aside"))
        failed = shared.wait(shared.call("Instance.Start", instance="lacks")["operation"])
        aside.rename(disk)
        assert failed["state"] == "failed" and str(disk) in failed["failure"]["message"], failed
        assert states() == {"lacks": "stopped"}
        shared.do("Instance.Start", instance="lacks")


class SmallPool:
    """A pool on a disk of its own."""

    def __init__(self, size: int) -> None:
        self.path = SCRATCH / "var/lib/libvirt" / "small-pool"
        self.filler = self.path / "filler"
        self.path.mkdir(mode=0o711)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=711", "tmpfs", str(self.path)], check=True)

    def __enter__(self) -> SmallPool:
        return self

    def __exit__(self, *_: object) -> None:
        for command in ("pool-destroy", "pool-undefine"):
            subprocess.run(["virsh", "-q", command, "small"], capture_output=True, check=False)
        subprocess.run(["umount", str(self.path)], check=True)
        self.path.rmdir()

    def fill(self) -> None:
        with self.filler.open("wb", buffering=0) as filler:
            try:
                while filler.write(bytes(65536)) == 65536:
                    pass
                filler.write(bytes(512))
            except OSError:
                pass


def test_a_full_pool_refuses_cleanly_and_pauses_the_guest_that_writes() -> None:
    with SmallPool(512 * MIB) as pool, Vmd(
        fake=False, import_dir=IMAGES, host={"pool": "small", "pool_path": pool.path, "disk_percent": 100000}
    ) as vmd:
        vmd.import_template()
        script = "#!/bin/sh\nwhile :; do dd if=/dev/urandom of=/root/junk bs=1M count=64; sync; done &\n"
        vmd.create(name="writes", user_data=script)
        before = sorted(os.listdir(pool.path))
        pool.fill()
        wait_until(lambda: vmd.get("writes")["state"] == "paused", "the guest to be paused", 120)
        assert vmd.get("writes")["reason"] == "a disk failed or is full"
        accepted = vmd.call("Instance.Create", name="unlucky")["instances"][0]
        ended = vmd.wait(accepted["operation"])
        assert ended["state"] == "failed" and ended["failure"]["error"] == "io.vmctl.HostFailed", ended
        assert not vmd.exists("unlucky")
        assert sorted(name for name in os.listdir(pool.path) if name != "filler") == before
        pool.filler.unlink()
        vmd.do("Instance.Resume", instance="writes")
        assert vmd.get("writes")["state"] == "running"
        vmd.do("Instance.Destroy", instance="writes")
        vmd.do("Template.Remove", template="tiny")
        assert os.listdir(pool.path) == []
        oracle.check_audit(vmd)


with shared:
    shared.import_template()
    tap.main(globals())
