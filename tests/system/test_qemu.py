#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every verb on a real guest: real libvirt, real QEMU, the template "tiny".  Runs within tests/system/private-libvirt."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

from lib import oracle, tap
from lib.daemon import GIB, MIB, Vmd, program
from lib.tap import wait_until
from lib.varlink import Connection

POOL = Path("/var/lib/libvirt/vmd-pool")
REPORT = "#!/bin/sh\nwhile :; do echo seen $(nproc) $(sed -n 's/MemTotal: *//p' /proc/meminfo | tr -d ' kB') $(cat /sys/block/vda/size); usleep 500000; done &\n"

shared = Vmd(fake=False, meter=True, import_dir=os.environ.get("VMCTL_IMAGES", ""))


def virsh(*arguments: str) -> str:
    return subprocess.run(["virsh", "-q", *arguments], capture_output=True, text=True, check=True, timeout=60).stdout


def vmctl(*arguments: str, status: int = 0) -> str:
    """What vmctl prints; its exit status has to be as told."""
    run = subprocess.run(
        [program("VMCTL"), "--socket", shared.socket, *arguments],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
        timeout=110,
    )
    assert run.returncode == status, (arguments, run)
    return run.stdout


def libvirtd() -> int:
    return int((Path(os.environ["PRIVATE_LIBVIRT_DIR"]) / "libvirtd.pid").read_text())


def ready(name: str) -> dict:
    return shared.call("Instance.Wait", instance=name, until="ready", timeout_ms=90000)["instance"]


def own_files() -> list[str]:
    """What lies in the pool besides the template."""
    return sorted(name for name in os.listdir(POOL) if not name.startswith("t-"))


def test_a_guest_boots_with_its_name_its_address_and_its_script() -> None:
    shared.create(name="web", user_data=REPORT)
    instance = ready("web")
    assert instance["state"] == "running" and instance["addresses"][0].startswith("192.168.150.")
    wait_until(lambda: "tiny: ready web 192.168.150." in shared.console("web"), "the guest's own word")
    wait_until(lambda: "seen 1 " in shared.console("web"), "the script's output")


def test_the_guest_sees_three_cpus_and_more_memory_after_a_live_resize() -> None:
    before = int(shared.console("web").split("seen 1 ")[-1].split()[0])
    operation = shared.do("Instance.Resize", instance="web", vcpus=3, memory_bytes=512 * MIB, disk_bytes=2 * GIB)
    told = operation["resize"]
    assert (told["vcpus"], told["memory"], told["disk"]) == ("live", "live", "live"), told
    assert told["guest_vcpus"] == 3 and told["guest_memory_bytes"] == 512 * MIB, told
    wait_until(lambda: "seen 3 " in shared.console("web"), "the guest to see three CPUs")
    wait_until(
        lambda: int(shared.console("web").split("seen 3 ")[-1].split()[0]) > before + 200000, "the guest to see more memory"
    )


def test_the_guest_sees_the_larger_disk() -> None:
    wait_until(lambda: f" {2 * GIB // 512}\n" in shared.console("web").replace("\r", ""), "the guest to see 2 GiB of disk")


def test_a_resize_that_a_running_guest_cannot_follow_waits_for_its_next_start() -> None:
    told = shared.do("Instance.Resize", instance="web", vcpus=2, memory_bytes=384 * MIB)["resize"]
    assert (told["vcpus"], told["memory"]) == ("next_start", "next_start"), told
    assert "CPU(s):         3" in virsh("dominfo", shared.get("web")["id"])
    shared.do("Instance.Restart", instance="web")
    seen = json.loads(virsh("qemu-agent-command", ready("web")["id"], '{"execute": "guest-get-vcpus"}'))["return"]
    assert len(seen) == 2, seen
    shared.do("Instance.Resize", instance="web", vcpus=3, memory_bytes=512 * MIB)


def test_what_runs_is_what_is_shown() -> None:
    instance = shared.get("web")
    assert (instance["vcpus"], instance["memory_bytes"], instance["disk_bytes"]) == (3, 512 * MIB, 2 * GIB)
    info = virsh("dominfo", instance["id"])
    assert "CPU(s):         3" in info and "Max memory:     524288 KiB" in info, info


def test_pause_and_resume() -> None:
    shared.do("Instance.Pause", instance="web")
    assert virsh("domstate", shared.get("web")["id"]).strip() == "paused"
    shared.do("Instance.Resume", instance="web")
    assert virsh("domstate", shared.get("web")["id"]).strip() == "running"


def test_stop_asks_the_guest_and_start_boots_it_again() -> None:
    operation = shared.do("Instance.Stop", instance="web")
    assert [phase["name"] for phase in operation["phases"]] == ["shutdown", "sample", "power-off"]
    instance = shared.get("web")
    assert instance["state"] == "stopped" and virsh("domstate", instance["id"]).strip() == "shut off"
    shared.do("Instance.Resize", instance="web", vcpus=1, memory_bytes=256 * MIB)
    shared.do("Instance.Start", instance="web")
    assert ready("web")["vcpus"] == 1


def test_restart_gives_a_new_generation() -> None:
    before = shared.get("web")["generation"]
    shared.do("Instance.Restart", instance="web")
    assert ready("web")["generation"] == before + 1


def test_a_guest_that_powers_off_by_itself_is_seen_and_no_longer_charged() -> None:
    instance = shared.get("web")
    virsh("shutdown", instance["id"], "--mode", "acpi")
    wait_until(lambda: shared.get("web")["state"] == "stopped", "the instance to be seen stopped", 60)
    assert shared.segments(instance["id"])[-1]["state"] == "stopped"
    shared.do("Instance.Start", instance="web")
    ready("web")


def test_stop_by_force_cuts_the_power() -> None:
    shared.do("Instance.Stop", instance="web", force=True)
    assert shared.get("web")["state"] == "stopped"


def test_destroy_leaves_nothing() -> None:
    instance = shared.get("web")
    shared.do("Instance.Destroy", instance="web")
    assert instance["id"] not in virsh("list", "--all", "--uuid")
    assert own_files() == []
    assert list(Path("/var/log/libvirt/qemu").glob("*.console*")) == []


def test_the_command_line_from_create_to_destroy() -> None:
    created = vmctl("create", "cli", "--cpus", "2", "--mem", "1G")
    assert "cli" in created and "192.168.150." in created
    listed = json.loads(vmctl("list", "-o", "json"))["instances"]
    assert [row["name"] for row in listed] == ["cli"] and listed[0]["memory_bytes"] == GIB
    assert "running" in vmctl("list") and "cli" in vmctl("show", "cli")
    assert "cli: running" in vmctl("wait", "cli", "--for", "running")
    vmctl("resize", "cli", "--cpus", "3", "--mem", "1152M")
    assert shared.get("cli")["vcpus"] == 3
    assert "tiny: ready cli" in vmctl("log", "cli")
    assert "cli" in vmctl("usage")
    vmctl("destroy", "cli", status=2)
    vmctl("destroy", "cli", "--yes")
    assert "cli: destroyed" in vmctl("wait", "cli", "--for", "destroyed")
    vmctl("show", "cli", status=3)
    pages = [json.loads(line)["events"] for line in vmctl("events", "-o", "json").splitlines()]
    told = [row for row in sum(pages, []) if row["kind"] == "instance_state" and row["name"] == "cli"]
    assert [row["state"] for row in told] == ["starting", "running", "destroying", "destroyed"], told


def test_a_kill_of_vmd_during_create_ends_with_it_running_or_gone() -> None:
    for number, pause in enumerate((0.0, 0.03, 0.1, 0.3)):
        accepted = shared.call("Instance.Create", name=f"kill-{number}", request_id=f"k{number}")["instances"][0]
        time.sleep(pause)
        shared.kill()
        shared.start()
        assert shared.call("Instance.Create", name=f"kill-{number}", request_id=f"k{number}")["instances"] == [accepted]
        assert shared.wait(accepted["operation"])["state"] == "succeeded"
    ids = {row["id"] for row in shared.list_all()}
    assert len(ids) == 4 and set(virsh("list", "--uuid").split()) == ids
    assert own_files() == sorted([f"d-{key}.qcow2" for key in ids] + [f"s-{key}.iso" for key in ids])
    assert {key for _, key in oracle.check_ledger(shared)} == ids
    for key in ids:
        shared.do("Instance.Destroy", instance=key)
    assert own_files() == []


def test_a_kill_of_the_worker_is_survived() -> None:
    shared.create(name="stays")
    for worker in shared.children("vmd-host"):
        os.kill(worker, signal.SIGKILL)
    assert shared.get("stays")["state"] == "running"
    wait_until(lambda: shared.host()["state"] == "connected", "the host to be back", 60)
    shared.do("Instance.Pause", instance="stays")
    shared.do("Instance.Destroy", instance="stays")


def test_list_answers_while_libvirtd_stands_still() -> None:
    shared.create(name="calm")
    os.kill(libvirtd(), signal.SIGSTOP)
    try:
        slowest = 0.0
        until = time.monotonic() + 20
        with Connection(shared.socket) as connection:
            while time.monotonic() < until:
                begun = time.monotonic()
                rows = connection.call("io.vmctl.Instance.List")["instances"]
                slowest = max(slowest, time.monotonic() - begun)
                assert [(row["name"], row["state"]) for row in rows] == [("calm", "running")]
                time.sleep(0.05)
        assert slowest < 0.5, f"a list took {slowest} s"
        wait_until(lambda: shared.host()["state"] == "unreachable", "libvirt's silence to be seen")
    finally:
        os.kill(libvirtd(), signal.SIGCONT)
    wait_until(lambda: shared.host()["state"] == "connected", "the host to be back", 60)
    shared.do("Instance.Destroy", instance="calm")


def test_a_killed_qemu_is_seen() -> None:
    instance = shared.create(name="shot")
    pid = int(Path(f"/run/libvirt/qemu/vmctl-{instance['id']}.pid").read_text())
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: shared.get("shot")["state"] == "stopped", "the instance to be seen stopped", 40)
    assert shared.get("shot")["reason"] == "the guest crashed"
    shared.do("Instance.Destroy", instance="shot")


def test_a_strangers_domain_is_shown_and_never_touched() -> None:
    xml = Path(os.environ["PRIVATE_LIBVIRT_DIR"]) / "stranger.xml"
    xml.write_text("<domain type='qemu'><name>stranger</name><memory>65536</memory><os><type>hvm</type></os></domain>")
    virsh("define", str(xml))
    worker = shared.children("vmd-host")[0]
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: shared.children("vmd-host") not in ([], [worker]), "another worker")
    wait_until(lambda: shared.host()["state"] == "connected" and shared.host()["foreign"] == 1, "the count", 60)
    assert "stranger" in virsh("list", "--all", "--name")
    assert [row for row in shared.list_all() if row["name"] == "stranger"] == []
    assert vmctl("host", "foreign", "local").splitlines()[1].split()[:3] == ["stranger", "shut", "off"]
    virsh("undefine", "stranger")


def test_the_audit_sees_what_happened_to_the_pool_and_gc_mends_only_what_was_ours() -> None:
    oracle.check_audit(shared)
    kept, gone = shared.create(name="kept"), shared.create(name="gone")
    shared.do("Instance.Destroy", instance="gone")
    shared.do("Instance.Stop", instance="kept", force=True)
    oracle.check_audit(shared)
    seed = POOL / f"s-{kept['id']}.iso"
    aside = seed.rename(POOL.parent / "aside.iso")
    came_back = POOL / f"d-{gone['id']}.qcow2"
    strangers = POOL / "d-11111111-2222-4333-8444-555555555555.qcow2"
    for path in (came_back, strangers):
        path.write_bytes(b"")
    found = {(row["kind"], row["object"], row["id"]) for row in shared.call("Audit.Run")["findings"]}
    assert found == {
        ("missing", "seed", kept["id"]),
        ("unowned", "disk", gone["id"]),
        ("unowned", "disk", strangers.name[2:38]),
    }, found
    assert gone["id"] in vmctl("gc", "--dry-run") and came_back.exists()
    vmctl("gc")
    assert not came_back.exists() and strangers.exists()
    strangers.unlink()
    aside.rename(seed)
    oracle.check_audit(shared)
    shared.do("Instance.Destroy", instance="kept")


def test_a_template_in_use_is_not_removed_and_an_unused_one_leaves_nothing() -> None:
    shared.create(name="user")
    tap.expect("io.vmctl.Conflict", shared.call, "Template.Remove", template="tiny")
    shared.do("Instance.Destroy", instance="user")
    shared.do("Template.Remove", template="tiny")
    assert os.listdir(POOL) == []
    shared.import_template()


def test_usage_tells_what_ran() -> None:
    with Connection(shared.meter_socket) as meter:
        wait_until(
            lambda: meter.call("io.vmctl.Billing.Usage")["ledger_seq"] == shared.ledger()[-1]["seq"], "the meter"
        )
        lines = meter.call("io.vmctl.Billing.Usage")["lines"]
    web = [(line["vcpus"], line["memory_bytes"] // MIB) for line in lines if line["name"] == "web"]
    assert web[:2] == [(1, 256), (3, 512)], web
    oracle.check_ledger(shared)
    oracle.check_events(shared.events())
    oracle.check_audit(shared)


with shared:
    shared.import_template()
    tap.main(globals())
