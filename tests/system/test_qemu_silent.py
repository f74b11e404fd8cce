#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Agents that hold their channel open and say nothing, or lie: they keep nobody waiting but their own guest.

Runs within tests/system/private-libvirt.
"""

import base64
import os
import re
import signal
import time

from lib import tap
from lib.daemon import MIB, Vmd
from lib.tap import wait_until

SILENT = 6
# The agent holds its channel before it is stopped.
STOP_AGENT = """#!/bin/sh
until ls -l /proc/$(pidof qemu-ga)/fd | grep -q vport; do usleep 100000; done
kill -STOP $(pidof qemu-ga)
echo agent holds
"""
# Answers what libvirt asks to see whether it is there, of CPUs always the same and slowly, and nothing else.
LYING_AGENT = r"""#!/bin/sh
cat >/tmp/liar <<'END'
#!/bin/sh
exec <>/dev/virtio-ports/org.qemu.guest_agent.0 >&0
touch /tmp/lies
while read -r line; do
    case $line in
    *guest-sync*) id=${line##*:}; printf '{"return":%s}\n' "${id%%\}*}" ;;
    *guest-get-vcpus*) sleep 4; echo '{"return":[{"logical-id":0,"online":true,"can-offline":false}]}' ;;
    esac
done
END
chmod 0755 /tmp/liar
mv /tmp/liar /usr/sbin/qemu-ga
kill $(pidof qemu-ga)
until [ -e /tmp/lies ]; do usleep 100000; done
echo agent holds
"""

shared = Vmd(fake=False, import_dir=os.environ.get("VMCTL_IMAGES", ""))


def console(name: str) -> str:
    log = shared.call("Instance.Log", instance=name, offset=0, max_bytes=65536)
    return base64.b64decode(log["data"]).decode(errors="replace")


def wait_for_agent(name: str) -> None:
    wait_until(lambda: re.search(r"^agent holds", console(name), re.MULTILINE), f"{name}'s script", 120)


def worker() -> int:
    (pid,) = shared.children("vmd-host")
    return pid


def connect_anew() -> int:
    """Another worker, that knows nothing of any guest yet."""
    before = worker()
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: shared.children("vmd-host") not in ([], [before]), "another worker")
    shared.wait_for_host()
    return worker()


def test_silent_agents_do_not_keep_others_waiting() -> None:
    shared.create(name="calm")
    shared.call("Instance.Create", name="silent", count=SILENT, user_data=STOP_AGENT)
    names = [f"silent-{number}" for number in range(1, SILENT + 1)]
    for name in names:
        wait_for_agent(name)
    pid = connect_anew()
    slowest = 0
    until = time.monotonic() + 15
    while time.monotonic() < until:
        phases = shared.do("Instance.Stop", instance="calm", force=True)["phases"]
        # It only looks at the domain.
        slowest = max(slowest, *(phase["duration_ms"] for phase in phases if phase["name"] == "sample"))
        shared.do("Instance.Start", instance="calm")
    print(f"# beside {SILENT} silent agents the slowest look took {slowest} ms")
    assert slowest < 2000 and worker() == pid, slowest
    for name in ["calm", *names]:
        shared.do("Instance.Destroy", instance=name)


def test_a_resize_waits_for_an_agent_that_lies_only_for_a_while() -> None:
    shared.create(name="liar", user_data=LYING_AGENT)
    wait_for_agent("liar")
    pid = worker()
    begun = time.monotonic()
    told = shared.do("Instance.Resize", instance="liar", vcpus=3, memory_bytes=384 * MIB)["resize"]
    took = time.monotonic() - begun
    print(f"# the resize took {took:.1f} s: {told}")
    assert took < 40 and worker() == pid, took
    assert (told["vcpus"], told["memory"]) == ("live", "live") and "agent" in told["note"], told


def test_a_stop_reaches_a_guest_whose_agent_swallows_it() -> None:
    pid = worker()
    begun = time.monotonic()
    shared.do("Instance.Stop", instance="liar")
    took = time.monotonic() - begun
    print(f"# the stop took {took:.1f} s")
    assert took < 25 and worker() == pid, took
    shared.do("Instance.Destroy", instance="liar")


with shared:
    shared.import_template()
    tap.main(globals())
