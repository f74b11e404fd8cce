#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""kill -9 of vmd and of its worker, at any moment: nothing is lost, nothing is left over, nothing is done twice."""

import os
import random
import signal
import time

from lib import oracle, tap
from lib.daemon import MIB, Vmd
from lib.tap import wait_until
from lib.varlink import VarlinkError

SEED = int(os.environ.get("SEED", "20261124"))
ROUNDS = int(os.environ.get("ROUNDS", "12"))


def settle(vmd: Vmd) -> None:
    """Waits until no operation is under way."""
    wait_until(
        lambda: not any(
            vmd.call("Operation.List", state=state)["operations"] for state in ("queued", "running")
        ),
        "all operations to end",
        60,
    )


def test_kill_during_creates_and_destroys() -> None:
    dice = random.Random(SEED)
    with Vmd(script={"rules": [{"method": "Start", "delay_ms": 3}]}) as vmd:
        vmd.import_template()
        for number in range(ROUNDS):
            try:
                vmd.call("Instance.Create", name=f"r{number}", count=5, request_id=f"c{number}")
                for row in vmd.list_all():
                    if dice.random() < 0.3:
                        vmd.call("Instance.Destroy", instance=row["id"])
                    elif dice.random() < 0.3 and row["state"] == "running":
                        vmd.call("Instance.Resize", instance=row["id"], memory_bytes=512 * MIB)
            except VarlinkError as error:
                assert error.name in ("io.vmctl.Conflict", "io.vmctl.NotFound", "io.vmctl.IllegalState"), error
            time.sleep(dice.random() * 0.05)
            vmd.kill()
            vmd.start()
        settle(vmd)
        oracle.check_at_rest(vmd)


def test_kill_while_it_recovers() -> None:
    dice = random.Random(SEED + 1)
    with Vmd(script={"rules": [{"method": "CreateSeed", "delay_ms": 5}]}) as vmd:
        vmd.import_template()
        vmd.call("Instance.Create", name="twice", count=10)
        for _ in range(6):
            vmd.kill()
            vmd.start(wait_for_host=False)
            time.sleep(dice.random() * 0.1)
        wait_until(lambda: vmd.host()["state"] == "connected", "the host")
        settle(vmd)
        oracle.check_at_rest(vmd)
        assert len(vmd.list_all()) == 10


def test_a_dead_worker_is_started_again_and_reads_go_on() -> None:
    with Vmd() as vmd:
        vmd.import_template()
        vmd.create(name="stays")
        worker = vmd.children("vmd-fakehost")[0]
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: vmd.host()["state"] == "unreachable", "the host to be unreachable")
        assert vmd.get("stays")["state"] == "running"
        wait_until(lambda: vmd.host()["state"] == "connected", "the host to be back")
        assert vmd.children("vmd-fakehost") != [worker]
        oracle.check_at_rest(vmd)


def test_operations_survive_the_death_of_the_worker() -> None:
    dice = random.Random(SEED + 2)
    with Vmd(script={"rules": [{"method": "Define", "delay_ms": 20}]}) as vmd:
        vmd.import_template()
        accepted = vmd.call("Instance.Create", name="tough", count=20)["instances"]
        for _ in range(3):
            time.sleep(dice.random() * 0.1)
            for worker in vmd.children("vmd-fakehost"):
                os.kill(worker, signal.SIGKILL)
        assert all(vmd.wait(row["operation"])["state"] == "succeeded" for row in accepted)
        oracle.check_at_rest(vmd)


def test_sigterm_ends_it_cleanly() -> None:
    vmd = Vmd()
    with vmd:
        vmd.import_template()
        vmd.create(name="keeps-running")
        assert vmd.kill(signal.SIGTERM) == 0
        assert list(vmd.domains().values()) == ["running"]
        vmd.start()
        oracle.check_at_rest(vmd)


def test_a_guest_that_powers_off_by_itself_is_seen() -> None:
    with Vmd() as vmd:
        vmd.import_template()
        instance = vmd.create(name="tired")
        vmd.call("Instance.Wait", instance="tired", until="ready")
        # Behind vmd's back: the host's own record says that it is off when its worker comes again.
        with vmd.journal.open("a") as journal:
            journal.write(
                f'{{"id":"{instance["id"]}","tenant":"default","name":"tired","generation":1,"state":"stopped",'
                '"reason":"the guest powered off","vcpus":1,"memory_bytes":268435456,"agent":false,"addresses":[]}\n'
            )
        os.kill(vmd.children("vmd-fakehost")[0], signal.SIGKILL)
        wait_until(lambda: vmd.get("tired")["state"] == "stopped", "the instance to be seen stopped")
        assert vmd.get("tired")["reason"] == "the guest powered off"
        oracle.check_at_rest(vmd)


tap.main(globals())
