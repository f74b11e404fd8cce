#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Agents that hold their channel open and say nothing, or lie: they keep nobody waiting but their own guest.

Runs within tests/system/private-libvirt.
"""

import os
import re
import signal
import time
from typing import Callable

from lib import tap
from lib.daemon import MIB, Vmd
from lib.tap import wait_until

GUESTS = 6
LOOK_MS = 5000
# The agent holds its channel before it is stopped.
STOP_AGENT = """#!/bin/sh
until ls -l /proc/$(pidof qemu-ga)/fd | grep -q vport; do usleep 100000; done
kill -STOP $(pidof qemu-ga)
echo agent holds
"""
# Answers what libvirt asks to see whether it is there, of CPUs always the same and slowly, and nothing else.
LYING_AGENT = r"""#!/bin/sh
echo '#!/bin/sh' >/tmp/liar
cat >>/tmp/liar <<'END'
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


def wait_for_agent(name: str) -> None:
    wait_until(lambda: re.search(r"^agent holds", shared.console(name), re.MULTILINE), f"{name}'s script", 120)


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


def slowest_look(until: Callable[[], bool]) -> int:
    """By how long, in ms, vmd at most waited to be told of another guest's domain until then."""
    slowest = 0
    while not until():
        phases = shared.do("Instance.Stop", instance="calm", force=True)["phases"]
        slowest = max(slowest, *(phase["duration_ms"] for phase in phases if phase["name"] == "sample"))
        shared.do("Instance.Start", instance="calm")
    return slowest


def create(name: str, script: str) -> list[str]:
    """Guests with this agent."""
    shared.call("Instance.Create", name=name, count=GUESTS, user_data=script)
    names = [f"{name}-{number}" for number in range(1, GUESTS + 1)]
    for each in names:
        wait_for_agent(each)
    return names


def test_silent_agents_do_not_keep_others_waiting() -> None:
    shared.create(name="calm")
    names = create("silent", STOP_AGENT)
    pid = connect_anew()
    over = time.monotonic() + 15
    slowest = slowest_look(lambda: time.monotonic() > over)
    print(f"# beside {GUESTS} silent agents the slowest look took {slowest} ms")
    assert slowest < LOOK_MS and worker() == pid, slowest
    for name in names:
        shared.do("Instance.Destroy", instance=name)


def test_resizes_wait_for_agents_that_lie_only_for_a_while_and_others_do_not() -> None:
    names = create("liar", LYING_AGENT)
    pid = worker()
    begun = time.monotonic()
    operations = [
        shared.call("Instance.Resize", instance=name, vcpus=2, memory_bytes=384 * MIB)["operation"] for name in names
    ]
    slowest = slowest_look(
        lambda: all(shared.call("Operation.Get", operation=each)["operation"].get("ended_at") for each in operations)
    )
    took = time.monotonic() - begun
    print(f"# {GUESTS} resizes took {took:.1f} s, and the slowest look beside them {slowest} ms")
    assert slowest < LOOK_MS and took < 60 and worker() == pid, (slowest, took)
    for each in operations:
        told = shared.wait(each)["resize"]
        assert (told["vcpus"], told["memory"]) == ("live", "live") and "agent" in told["note"], told
    for name in names[1:]:
        shared.do("Instance.Destroy", instance=name)


def test_a_stop_reaches_a_guest_whose_agent_swallows_it() -> None:
    pid = worker()
    begun = time.monotonic()
    shared.do("Instance.Stop", instance="liar-1")
    took = time.monotonic() - begun
    print(f"# the stop took {took:.1f} s")
    assert took < 25 and worker() == pid, took
    for name in ("liar-1", "calm"):
        shared.do("Instance.Destroy", instance=name)


with shared:
    shared.import_template()
    tap.main(globals())
