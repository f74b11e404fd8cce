#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""vmd under a service manager: what it tells, and what it is handed."""

import os
import signal

from lib import tap
from lib.daemon import Vmd
from lib.manager import Manager

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


if __name__ == "__main__":
    tap.main(globals())
