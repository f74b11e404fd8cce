#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""vmd under a service manager: what it tells, and what it is handed."""

import contextlib
import os
import signal
import socket
from typing import Iterator

from lib import oracle, tap
from lib.daemon import Vmd, program
from lib.manager import Activated, Manager
from lib.tap import wait_until

WATCHDOG_MS = 600


def test_it_tells_that_it_is_ready_and_that_it_ends() -> None:
    with Manager() as manager, Vmd(environment=manager.environment()) as vmd:
        assert manager.hear(5) == "READY=1"
        assert vmd.kill(signal.SIGTERM) == 0
        assert manager.hear(5) == "STOPPING=1"
        assert manager.hear(0) is None


def test_it_says_that_it_is_alive_as_often_as_it_was_asked_to() -> None:
    with Manager() as manager, Vmd(environment=manager.environment(WATCHDOG_MS)):
        manager.wait_for("READY=1")
        for _ in range(5):
            assert manager.wait_for("WATCHDOG=1") < WATCHDOG_MS / 1000


def test_a_stopped_process_says_nothing() -> None:
    with Manager() as manager, Vmd(environment=manager.environment(WATCHDOG_MS)) as vmd:
        manager.wait_for("WATCHDOG=1")
        assert vmd.process is not None
        os.kill(vmd.process.pid, signal.SIGSTOP)
        while manager.hear(0) is not None:
            pass
        assert manager.hear(WATCHDOG_MS * 2 / 1000) is None
        os.kill(vmd.process.pid, signal.SIGCONT)
        manager.wait_for("WATCHDOG=1")


def test_a_watchdog_that_is_meant_for_another_process_is_left_alone() -> None:
    with Manager() as manager, Vmd(environment={**manager.environment(WATCHDOG_MS), "WATCHDOG_PID": "1"}):
        manager.wait_for("READY=1")
        assert manager.hear(WATCHDOG_MS * 2 / 1000) is None


@contextlib.contextmanager
def worker_apart() -> Iterator[tuple[Vmd, Activated]]:
    """A vmd whose worker is started by the manager."""
    vmd = Vmd()
    path = vmd.dir / "hosts" / "local.sock"
    arguments = ("--script", str(vmd.script), "--domains-file", str(vmd.journal))
    text = (vmd.dir / "vmd.conf").read_text()
    (vmd.dir / "vmd.conf").write_text(text.replace(f"worker={program('VMD_FAKEHOST')}\n", f"worker=unix:{path}\n"))
    with Activated(path, program("VMD_FAKEHOST"), *arguments) as worker, vmd:
        yield vmd, worker


def test_a_worker_that_the_manager_starts_does_all_that_a_child_does() -> None:
    with worker_apart() as (vmd, worker):
        assert vmd.children("vmd-fakehost") == []
        vmd.import_template()
        vmd.create(name="apart")
        vmd.do("Instance.Stop", instance="apart")
        oracle.check_at_rest(vmd)
        assert len(worker.processes) == 1


def test_a_worker_apart_that_dies_is_started_again() -> None:
    with worker_apart() as (vmd, worker):
        vmd.import_template()
        vmd.create(name="stays")
        worker.current.kill()
        wait_until(lambda: vmd.host()["state"] == "unreachable", "the host to be unreachable")
        assert vmd.get("stays")["state"] == "running"
        vmd.wait_for_host()
        assert len(worker.processes) == 2
        oracle.check_at_rest(vmd)


def test_a_worker_apart_ends_with_vmd_and_serves_the_next() -> None:
    with worker_apart() as (vmd, worker):
        vmd.import_template()
        first = worker.current
        vmd.kill()
        assert first.wait(5) == 0
        vmd.start()
        vmd.create(name="again")
        oracle.check_at_rest(vmd)


def test_a_worker_apart_that_hangs_in_a_call_is_ended_and_replaced() -> None:
    with worker_apart() as (vmd, worker):
        vmd.import_template()
        hangs = {"rules": [{"method": "Ping", "hang": True, "times": 1}]}
        vmd.write_script(hangs)
        first = worker.current
        first.send_signal(signal.SIGHUP)
        assert first.wait(30) == 0
        vmd.write_script({})
        vmd.wait_for_host()
        vmd.create(name="after")
        oracle.check_at_rest(vmd)


def test_a_stranger_at_the_workers_socket_brings_nothing_and_passes() -> None:
    with worker_apart() as (vmd, worker):
        vmd.import_template()
        begun = len(worker.processes)
        worker.current.kill()
        with socket.socket(socket.AF_UNIX) as stranger:
            stranger.connect(str(worker.path))
            stranger.sendall(b"{}\0")
            stranger.shutdown(socket.SHUT_WR)
            vmd.wait_for_host()
        wait_until(lambda: vmd.host()["state"] == "connected" and len(worker.processes) > begun, "a worker")
        vmd.create(name="after")
        oracle.check_at_rest(vmd)


if __name__ == "__main__":
    tap.main(globals())
