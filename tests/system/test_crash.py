#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""kill -9 of vmd and of its worker, at any moment: nothing is lost, nothing is left over, nothing is done twice."""

import os
import random
import signal
import subprocess
import time

from lib import oracle, tap
from lib.daemon import MIB, Vmd, program
from lib.tap import expect, wait_until
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


def test_a_fake_host_that_was_killed_as_it_wrote_goes_on() -> None:
    with Vmd() as vmd:
        vmd.import_template()
        vmd.create(name="before")
        vmd.kill(signal.SIGTERM)
        with vmd.journal.open("a") as journal:
            journal.write('{"id": "cut')
        vmd.start()
        vmd.create(name="after")
        assert len(vmd.domains()) == 2
        oracle.check_audit(vmd)


def test_kill_while_it_recovers() -> None:
    """Two kills in a row: a third would give up what was at work in all three."""
    dice = random.Random(SEED + 1)
    with Vmd(script={"rules": [{"method": "CreateSeed", "delay_ms": 5}]}) as vmd:
        vmd.import_template()
        for number in range(3):
            vmd.call("Instance.Create", name=f"twice{number}", count=5)
            for _ in range(2):
                vmd.kill()
                vmd.start(wait_for_host=False)
                time.sleep(dice.random() * 0.1)
            wait_until(lambda: vmd.host()["state"] == "connected", "the host")
            settle(vmd)
        oracle.check_at_rest(vmd)
        assert len(vmd.list_all()) == 15


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


def test_domains_that_never_answer_hold_up_nobody_else() -> None:
    hung = 5
    with Vmd(script={"rules": [{"method": "Pause", "hang": True, "times": hung}]}) as vmd:
        vmd.import_template()
        for number in range(hung):
            vmd.create(name=f"hung-{number}")
        operations = [vmd.call("Instance.Pause", instance=f"hung-{number}")["operation"] for number in range(hung)]
        for _ in range(3):
            vmd.create(name="other")
            vmd.do("Instance.Stop", instance="other", force=True)
            vmd.do("Instance.Start", instance="other")
            vmd.do("Instance.Destroy", instance="other")
            assert len(vmd.list_all()) == hung and vmd.host()["state"] == "connected"
        states = {vmd.call("Operation.Get", operation=key)["operation"]["state"] for key in operations}
        assert states == {"running"}, states
        vmd.kill()


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


VERBS = ("Start", "Stop", "Restart", "Pause", "Resume", "Resize", "Destroy")
REFUSALS = ("io.vmctl.Conflict", "io.vmctl.NotFound", "io.vmctl.IllegalState", "io.vmctl.HostUnreachable",
            "io.vmctl.NoCapacity")


def disturb(vmd: Vmd, dice: random.Random) -> None:
    """One change of one instance, whatever comes of it."""
    rows = vmd.list_all()
    verb = dice.choice(VERBS)
    if not rows or (verb == "Destroy" and len(rows) < 4):
        vmd.call("Instance.Create")
    elif verb == "Resize":
        vmd.call("Instance.Resize", instance=dice.choice(rows)["id"], vcpus=dice.randint(1, 4))
    else:
        vmd.call(f"Instance.{verb}", instance=dice.choice(rows)["id"])


def test_kill_of_both_during_every_verb() -> None:
    dice = random.Random(SEED + 3)
    with Vmd(script={"rules": [{"method": "*", "delay_ms": 2}]}) as vmd:
        vmd.import_template()
        vmd.call("Instance.Create", name="all", count=6)
        for _ in range(ROUNDS):
            for _ in range(15):
                try:
                    disturb(vmd, dice)
                except VarlinkError as error:
                    assert error.name in REFUSALS, error
            if dice.random() < 0.5:
                for worker in vmd.children("vmd-fakehost"):
                    os.kill(worker, signal.SIGKILL)
            time.sleep(dice.random() * 0.03)
            vmd.kill()
            vmd.start()
        settle(vmd)
        oracle.check_at_rest(vmd)


def test_kill_during_the_import_of_a_template() -> None:
    with Vmd(script={"rules": [{"method": "ImportTemplate", "delay_ms": 100}]}) as vmd:
        operation = vmd.call("Template.Import", source="tiny")["operation"]
        vmd.kill()
        vmd.start()
        assert vmd.wait(operation)["state"] == "succeeded"
        (template,) = vmd.call("Template.List")["templates"]
        assert template["state"] == "ready"
        assert vmd.create(name="from-it")["state"] == "running"


def test_sigterm_while_much_is_under_way_ends_it_and_all_goes_on() -> None:
    with Vmd(script={"rules": [{"method": "Start", "delay_ms": 100}]}) as vmd:
        vmd.import_template()
        accepted = vmd.call("Instance.Create", name="many", count=20)["instances"]
        begun = time.monotonic()
        assert vmd.kill(signal.SIGTERM) == 0
        assert time.monotonic() - begun < 10
        vmd.start()
        assert all(vmd.wait(row["operation"])["state"] == "succeeded" for row in accepted)
        oracle.check_at_rest(vmd)


def test_a_second_vmd_on_the_same_state_ends_and_the_first_goes_on() -> None:
    with Vmd() as vmd:
        vmd.import_template()
        vmd.create(name="one")
        second = subprocess.run(
            [program("VMD"), "--config", vmd.dir / "vmd.conf"], stderr=subprocess.PIPE, timeout=20, check=False
        )
        assert second.returncode not in (0, -signal.SIGABRT, -signal.SIGSEGV) and second.stderr, second
        vmd.create(name="two")
        oracle.check_at_rest(vmd)


def damage(path: str, kind: str) -> None:
    size = os.path.getsize(path)
    with open(path, "r+b") as file:
        if kind == "cut":
            file.truncate(size // 2)
        elif kind == "other":
            file.truncate(0)
            file.write(b"This is no database.\n" * 1000)
        else:
            file.seek(0)
            file.write(b"\0" * 100)


def test_a_damaged_state_is_refused_and_nothing_is_destroyed() -> None:
    for kind in ("cut", "other", "header"):
        with Vmd() as vmd:
            vmd.import_template()
            vmd.create(name="precious")
            vmd.kill(signal.SIGTERM)
            before = vmd.domains()
            (database,) = [path for path in (vmd.dir / "state").iterdir() if path.suffix == ".db"]
            damage(str(database), kind)
            ended = subprocess.run(
                [program("VMD"), "--config", vmd.dir / "vmd.conf"], stderr=subprocess.PIPE, timeout=20, check=False
            )
            assert ended.returncode > 0 and ended.stderr, (kind, ended)
            assert vmd.domains() == before and list(before.values()) == ["running"], kind


def test_domains_that_are_not_ours_are_never_touched() -> None:
    with Vmd() as vmd:
        vmd.import_template()
        instance = vmd.create(name="mine")
        vmd.kill(signal.SIGTERM)
        stranger = "11111111-2222-4333-8444-555555555555"
        with vmd.journal.open("a") as journal:
            journal.write(
                f'{{"id":"{stranger}","tenant":"default","name":"mine","generation":1,"state":"running",'
                '"vcpus":1,"memory_bytes":268435456,"agent":false,"addresses":[]}\n'
            )
        vmd.start()
        assert [row["id"] for row in vmd.list_all()] == [instance["id"]]
        expect("io.vmctl.NotFound", vmd.call, "Instance.Destroy", instance=stranger)
        vmd.do("Instance.Destroy", instance="mine")
        assert vmd.domains() == {stranger: "running"}


tap.main(globals())
