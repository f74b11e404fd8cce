#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Several hosts: what is made where, and what goes on while one of them is gone."""

import configparser
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from lib import cli, oracle, tap, uids
from lib.daemon import GIB, Vmd, program
from lib.tap import expect, wait_until
from lib.varlink import VarlinkError

NAMES = ("a", "b", "c")
GONE = {"rules": [{"method": "Probe", "error": "HostUnreachable", "message": "gone"}]}
STRANGER = "11111111-2222-4333-8444-555555555555"


def three_hosts(**settings: Any) -> Vmd:
    return Vmd(hosts={name: {} for name in NAMES}, **settings)


def lose(vmd: Vmd, host: str) -> None:
    """The host's libvirt goes, and its worker with it."""
    vmd.write_script(GONE, host)
    os.kill(vmd.worker_of(host), signal.SIGKILL)
    wait_until(lambda: vmd.host(host)["state"] == "unreachable", f"host {host} to be gone")


def bring_back(vmd: Vmd, host: str, script: dict[str, Any] | None = None) -> None:
    """Another worker, and a host that is as it says."""
    vmd.write_script(script or {}, host)
    old = vmd.worker_of(host)
    os.kill(old, signal.SIGKILL)
    wait_until(
        lambda: old not in vmd.children("vmd-fakehost") and vmd.host(host)["state"] == "connected", f"host {host} to be back"
    )


def spread(vmd: Vmd) -> Counter[str]:
    return Counter(row["host"] for row in vmd.list_all())


def place_all(vmd: Vmd) -> dict[str, dict[str, Any]]:
    """An instance on each host, by the host's name."""
    vmd.import_template()
    accepted = vmd.call("Instance.Create", name="web", count=len(vmd.host_names))["instances"]
    for row in accepted:
        assert vmd.wait(row["operation"])["state"] == "succeeded"
    placed = {vmd.get(row["instance"])["host"]: vmd.get(row["instance"]) for row in accepted}
    assert sorted(placed) == sorted(vmd.host_names), placed
    return placed


def test_instances_are_spread_and_each_host_has_its_own() -> None:
    with three_hosts() as vmd:
        vmd.import_template()
        for row in vmd.call("Instance.Create", name="web", count=9)["instances"]:
            vmd.wait(row["operation"])
        assert spread(vmd) == {"a": 3, "b": 3, "c": 3}
        for name in NAMES:
            assert set(vmd.domains(name)) == {row["id"] for row in vmd.list_all() if row["host"] == name}
            assert vmd.host(name)["instances"] == 3
        oracle.check_at_rest(vmd)
        assert {row["host"] for row in vmd.segments()} == set(NAMES)


def test_a_template_is_brought_to_a_host_once_and_goes_from_all() -> None:
    slow = {"rules": [{"method": "ImportTemplate", "delay_ms": 300, "times": 1}, {"method": "ImportTemplate", "error": "HostFailed"}]}
    with three_hosts() as vmd:
        for name in ("b", "c"):
            vmd.change_script(slow, name)
        vmd.import_template()
        template = vmd.call("Template.Get", template="tiny")["template"]
        assert template["hosts"] == ["a"]
        operations = [vmd.wait(row["operation"]) for row in vmd.call("Instance.Create", name="web", count=12)["instances"]]
        assert {row["state"] for row in operations} == {"succeeded"}, operations
        assert {phase["name"] for row in operations for phase in row["phases"]} >= {"template", "disk"}
        assert sorted(vmd.call("Template.Get", template="tiny")["template"]["hosts"]) == list(NAMES)
        assert all(vmd.templates(name) == {template["id"]} for name in NAMES)
        for row in vmd.list_all():
            vmd.do("Instance.Destroy", instance=row["id"])
        vmd.do("Template.Remove", template="tiny")
        assert all(vmd.templates(name) == set() for name in NAMES)
        oracle.check_at_rest(vmd)


def test_a_template_that_cannot_be_brought_says_so_and_leaves_nothing() -> None:
    refuses = {"rules": [{"method": "ImportTemplate", "error": "InvalidParameter", "message": "another image"}]}
    with three_hosts() as vmd:
        vmd.change_script(refuses, "b")
        vmd.import_template()
        ended = [vmd.wait(row["operation"]) for row in vmd.call("Instance.Create", name="web", count=3)["instances"]]
        assert Counter(row["state"] for row in ended) == {"succeeded": 2, "failed": 1}
        failure = next(row["failure"] for row in ended if row["state"] == "failed")
        assert failure["message"].startswith("Bringing template tiny:1 to host b: "), failure
        assert spread(vmd) == {"a": 1, "c": 1} and vmd.domains("b") == {}
        assert sorted(vmd.call("Template.Get", template="tiny")["template"]["hosts"]) == ["a", "c"]
        oracle.check_at_rest(vmd)
        # It is tried again, and removed from where it may be in part.
        vmd.change_script({}, "b")
        assert vmd.create(name="again")["host"] == "b"
        oracle.check_at_rest(vmd)


def test_a_host_that_is_lost_holds_up_none_of_the_others() -> None:
    with three_hosts() as vmd:
        placed = place_all(vmd)
        lose(vmd, "b")
        # What was on it stays what it was, and is told as old.
        assert vmd.get(placed["b"]["id"])["state"] == "running"
        reason = vmd.host("b")["reason"]
        assert "gone" in reason or "worker" in reason, reason
        for name in ("a", "c"):
            vmd.do("Instance.Restart", instance=placed[name]["id"], force=True)
        made = [vmd.create(name=f"more-{number}") for number in range(4)]
        assert {row["host"] for row in made} == {"a", "c"}
        stopping = vmd.call("Instance.Stop", instance=placed["b"]["id"], force=True)["operation"]
        vmd.do("Instance.Destroy", instance="more-0")
        assert vmd.call("Operation.Get", operation=stopping)["operation"]["state"] == "running"
        bring_back(vmd, "b")
        assert vmd.wait(stopping)["state"] == "succeeded"
        oracle.check_at_rest(vmd)


def test_when_all_are_lost_each_says_why() -> None:
    with three_hosts() as vmd:
        vmd.import_template()
        for name in NAMES:
            lose(vmd, name)
        refusals = expect("io.vmctl.NoCapacity", vmd.call, "Instance.Create", name="none")["refusals"]
        assert [row["host"] for row in refusals] == list(NAMES)
        assert {row["reason"] for row in refusals} == {"it cannot be reached"}


SLOW = {"rules": [{"method": "Probe", "delay_ms": 1000}]}


def test_what_is_asked_before_any_host_has_answered_waits_for_one() -> None:
    with Vmd() as vmd:
        vmd.import_template()
        vmd.do("Group.Create", group="web", max=4, count=0)
        vmd.create(name="old", vcpus=1)
        vmd.kill()
        vmd.write_script(SLOW)
        vmd.start(wait_for_host=False)
        plan = vmd.call("Instance.Create", dry_run=True)["plan"]
        assert plan["host"] == "local", plan
        vmd.kill()
        vmd.start(wait_for_host=False)
        vmd.do("Group.Scale", group="web", count=2)
        vmd.kill()
        vmd.start(wait_for_host=False)
        vmd.do("Instance.Resize", instance="old", vcpus=2)
        assert vmd.host()["state"] == "connected"
        oracle.check_at_rest(vmd)


def test_what_no_host_has_room_for_is_refused_when_the_last_has_answered() -> None:
    with Vmd(hosts={"a": {}, "b": {}}) as vmd:
        vmd.import_template()
        vmd.kill()
        vmd.write_script({"memory_bytes": GIB}, "a")
        vmd.write_script({"memory_bytes": GIB, **SLOW}, "b")
        vmd.start(wait_for_host=False)
        error = expect("io.vmctl.NoCapacity", vmd.call, "Instance.Create", memory_bytes=64 * GIB)
        assert {row["host"] for row in error["refusals"]} == {"a", "b"}
        assert not any("starting" in row["reason"] for row in error["refusals"]), error


def test_a_host_that_never_answers_is_not_waited_for_without_end() -> None:
    with Vmd() as vmd:
        vmd.import_template()
        vmd.kill()
        vmd.write_script({"rules": [{"method": "Probe", "delay_ms": 60000}]})
        vmd.start(wait_for_host=False)
        begun = time.monotonic()
        error = expect("io.vmctl.NoCapacity", vmd.call, "Instance.Create")
        assert time.monotonic() - begun > 5 and vmd.host()["state"] == "starting", error
        # Who asks later is told at once.
        begun = time.monotonic()
        expect("io.vmctl.NoCapacity", vmd.call, "Instance.Create")
        assert time.monotonic() - begun < 5


def test_a_host_that_dies_amid_creates_fails_or_finishes_only_its_own() -> None:
    with three_hosts() as vmd:
        place_all(vmd)
        accepted = vmd.call("Instance.Create", name="many", count=30)["instances"]
        os.kill(vmd.worker_of("c"), signal.SIGKILL)
        states = Counter(vmd.wait(row["operation"])["state"] for row in accepted)
        assert states == {"succeeded": 30}, states
        oracle.check_at_rest(vmd)


def test_what_is_under_way_on_all_hosts_goes_on_after_a_crash() -> None:
    slow = {"rules": [{"method": "Define", "delay_ms": 200}]}
    with three_hosts() as vmd:
        for name in NAMES:
            vmd.change_script(slow, name)
        vmd.import_template()
        accepted = vmd.call("Instance.Create", name="web", count=9)["instances"]
        vmd.kill()
        vmd.start()
        assert {vmd.wait(row["operation"])["state"] for row in accepted} == {"succeeded"}
        assert spread(vmd) == {"a": 3, "b": 3, "c": 3}
        oracle.check_at_rest(vmd)


def put_behind_its_back(vmd: Vmd, host: str, **entry: Any) -> None:
    """An object on a fake host; vmd has to be down."""
    domain = {"generation": 1, "state": "stopped", "vcpus": 1, "memory_bytes": 1 << 28, "agent": False, "addresses": []}
    with vmd.journal_of(host).open("a") as journal:
        journal.write(json.dumps({**domain, "tenant": "default", **entry}) + "\n")


def test_an_audit_looks_at_every_host_and_names_it() -> None:
    with three_hosts() as vmd:
        placed = place_all(vmd)
        for row in placed.values():
            vmd.do("Instance.Stop", instance=row["id"], force=True)
        oracle.check_at_rest(vmd)
        assert vmd.call("Audit.Run")["audited"]["objects"] == 3 * 4
        assert vmd.kill(signal.SIGTERM) == 0
        put_behind_its_back(vmd, "c", id=STRANGER, name="stranger")
        put_behind_its_back(vmd, "b", id=placed["a"]["id"], name="twin")
        vmd.start()
        found = vmd.call("Audit.Run")["findings"]
        assert {(row["kind"], row["host"], row["id"]) for row in found} == {
            ("unowned", "c", STRANGER),
            ("unowned", "b", placed["a"]["id"]),
        }, found
        shown = cli.run(vmd.socket, "audit", status=1).stdout
        assert "its instance is on host a" in shown
        # What may be a disk in use is never collected, whatever the events say.
        assert not any(row["removed"] for row in vmd.call("Audit.Collect")["collected"])
        assert vmd.domains("b")[placed["a"]["id"]] == "stopped"
        assert vmd.get(placed["a"]["id"])["host"] == "a"


def test_what_was_ours_is_collected_from_its_host() -> None:
    with three_hosts() as vmd:
        placed = place_all(vmd)
        vmd.do("Instance.Destroy", instance=placed["c"]["id"])
        assert vmd.kill(signal.SIGTERM) == 0
        put_behind_its_back(vmd, "c", id=placed["c"]["id"], name="back")
        vmd.start()
        rows = vmd.call("Audit.Collect")["collected"]
        assert {(row["host"], row["removed"]) for row in rows} == {("c", True)}, rows
        oracle.check_at_rest(vmd)


def test_an_audit_of_a_lost_host_tells_what_it_could_not_see() -> None:
    with three_hosts() as vmd:
        place_all(vmd)
        lose(vmd, "b")
        found = vmd.call("Audit.Run")["findings"]
        assert [row["kind"] for row in found] == ["unchecked"] and "host b" in found[0]["detail"], found


def test_a_lost_database_is_rebuilt_from_all_hosts() -> None:
    with three_hosts() as vmd:
        before = {row["name"]: (row["host"], row["id"]) for row in place_all(vmd).values()}
        vmd.kill()
        shutil.rmtree(vmd.dir / "state")
        command = [program("VMD"), "--config", str(vmd.dir / "vmd.conf"), "--rebuild"]
        said = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
        assert said.returncode == 0 and said.stdout == "3 instances were taken up, 0 were left\n", said
        vmd.start()
        assert {row["name"]: (row["host"], row["id"]) for row in vmd.list_all()} == before
        assert sorted(vmd.call("Template.Get", template="tiny")["template"]["hosts"]) == list(NAMES)
        oracle.check_at_rest(vmd)


def test_a_host_that_is_taken_away_is_missed_and_may_come_back_under_another_name() -> None:
    with three_hosts() as vmd:
        placed = place_all(vmd)
        assert vmd.kill(signal.SIGTERM) == 0
        group = vmd.groups.pop("host b")
        vmd.write_config()
        vmd.start()
        assert [row["name"] for row in vmd.hosts()] == ["a", "c"]
        found = vmd.call("Audit.Run")["findings"]
        assert [(row["kind"], row["id"]) for row in found] == [("unchecked", placed["b"]["id"])], found
        expect("io.vmctl.HostUnreachable", vmd.call, "Instance.Log", instance=placed["b"]["id"])
        assert vmd.kill(signal.SIGTERM) == 0
        vmd.groups["host d"] = group
        vmd.write_config()
        vmd.start()
        wait_until(lambda: vmd.get(placed["b"]["id"])["host"] == "d", "the instance to be seen there")
        assert [row["cause"] for row in vmd.ledger() if row.get("cause") == "seen-moved"]
        vmd.do("Instance.Stop", instance=placed["b"]["id"], force=True)
        oracle.check_ledger(vmd)
        assert vmd.call("Audit.Run")["findings"] == []


def test_what_is_left_to_a_host_is_not_given_away() -> None:
    script = {"vcpus": 4, "memory_bytes": 8 * GIB, "disk_bytes": 100 * GIB}
    hosts = {
        "a": {"reserve_vcpus": 1, "cpu_percent": 200, "reserve_memory": "2G", "reserve_disk": "60G"},
        "b": {"memory_percent": 50, "labels": "rack=r1 zone=north", "placement_pool": "burst"},
    }
    with Vmd(hosts=hosts) as vmd:
        for name in hosts:
            bring_back(vmd, name, script)
        a, b = vmd.hosts()
        assert [a[f"capacity_{what}"] for what in ("vcpus", "memory_bytes", "disk_bytes")] == [6, 6 * GIB, 40 * GIB], a
        assert [b[f"capacity_{what}"] for what in ("vcpus", "memory_bytes", "disk_bytes")] == [32, 4 * GIB, 100 * GIB], b
        assert (a["pool"], a["labels"]) == ("private", {}) and (b["pool"], b["labels"]) == ("burst", {"rack": "r1", "zone": "north"})
        vmd.import_template()
        made = [vmd.create(name=f"big-{number}", memory_bytes=3 * GIB) for number in range(3)]
        assert Counter(row["host"] for row in made) == {"a": 2, "b": 1}
        refusals = expect("io.vmctl.NoCapacity", vmd.call, "Instance.Create", memory_bytes=3 * GIB)["refusals"]
        assert [row["reason"] for row in refusals] == [
            f"memory_bytes: {3 * GIB} asked, 0 left",
            f"memory_bytes: {3 * GIB} asked, {GIB} left",
        ]
        shown = cli.run(vmd.socket, "host", "show", "b").stdout
        assert "burst" in shown and "rack=r1" in shown, shown
        listed = cli.run(vmd.socket, "host", "list").stdout
        assert listed.splitlines()[0].split()[:3] == ["NAME", "STATE", "POOL"], listed


def test_what_an_operation_holds_is_shown_as_reserved() -> None:
    with three_hosts() as vmd:
        for name in NAMES:
            bring_back(vmd, name, {"rules": [{"method": "Start", "delay_ms": 2000, "times": 1}]})
        vmd.import_template()
        accepted = vmd.call("Instance.Create", name="one", vcpus=2)["instances"][0]
        host = vmd.host(vmd.get(accepted["instance"])["host"])
        assert (host["used_vcpus"], host["reserved_vcpus"]) == (2, 2), host
        vmd.wait(accepted["operation"])
        host = vmd.host(host["name"])
        assert (host["used_vcpus"], host["reserved_vcpus"]) == (2, 0), host


def names_on(vmd: Vmd, host: str) -> set[str]:
    return {row["name"] for row in vmd.list_all() if row["host"] == host}


def test_a_drained_host_takes_nothing_new_and_keeps_what_it_has() -> None:
    with three_hosts() as vmd:
        placed = place_all(vmd)
        assert cli.run(vmd.socket, "host", "drain", "a").stdout.count("yes") == 1
        for number in range(4):
            assert vmd.create(name=f"more-{number}")["host"] in ("b", "c")
        vmd.do("Instance.Restart", instance=placed["a"]["id"], force=True)
        assert names_on(vmd, "a") == {placed["a"]["name"]}
        for name in ("b", "c"):
            vmd.call("Host.Drain", host=name)
        refusals = expect("io.vmctl.NoCapacity", vmd.call, "Instance.Create")["refusals"]
        assert {row["reason"] for row in refusals} == {"it is drained"} and len(refusals) == 3
        # It is not forgotten.
        vmd.kill()
        vmd.start()
        assert vmd.host("b")["drained"]
        cli.run(vmd.socket, "host", "undrain", "b")
        assert vmd.create(name="again")["host"] == "b"
        changes = [(row["subject"], row["state"]) for row in vmd.events() if row["kind"] == "host_changed"]
        assert changes == [("a", "drained"), ("b", "drained"), ("c", "drained"), ("b", "undrained")], changes
        oracle.check_at_rest(vmd)


def test_a_host_is_chosen_by_pool_and_labels() -> None:
    hosts = {"a": {"labels": "rack=r1"}, "b": {"labels": "rack=r2"}, "c": {"labels": "rack=r2", "placement_pool": "burst"}}
    with Vmd(hosts=hosts) as vmd:
        vmd.import_template()
        assert vmd.create(pool="burst")["host"] == "c"
        made = vmd.create(name="labelled", pool="private", host_labels={"rack": "r2"})
        assert made["host"] == "b" and made["placement"] == {"pool": "private", "host_labels": {"rack": "r2"}}, made
        failed = cli.run(vmd.socket, "create", "--pool", "burst", "--host-label", "rack=r1", status=1)
        for host, reason in {"a": "it is in the pool private", "b": "it is in the pool private", "c": "its label rack is r2"}.items():
            assert f"host {host}: {reason}" in failed.stderr, failed.stderr
        # Labels are set while it works, over those of the configuration, and stay.
        cli.run(vmd.socket, "host", "set", "c", "--label", "rack=r1", "--label", "disk=fast")
        vmd.kill()
        vmd.start()
        assert vmd.host("c")["labels"] == {"rack": "r1", "disk": "fast"}
        assert vmd.create(pool="burst", host_labels={"rack": "r1", "disk": "fast"})["host"] == "c"
        vmd.call("Host.Set", host="c", labels={"rack": "", "disk": ""})
        assert vmd.host("c")["labels"] == {}
        expect("io.vmctl.NotFound", vmd.call, "Host.Set", host="d", labels={})
        expect("io.vmctl.NotFound", vmd.call, "Host.Drain", host="d")


def test_instances_that_are_apart_stay_apart() -> None:
    with three_hosts() as vmd:
        vmd.import_template()
        apart = {"labels": {"app": "db"}, "anti_affinity": {"app": "db"}}
        accepted = vmd.call("Instance.Create", name="db", count=3, **apart)["instances"]
        assert len({vmd.get(row["instance"])["host"] for row in accepted}) == 3
        refusals = expect("io.vmctl.NoCapacity", vmd.call, "Instance.Create", **apart)["refusals"]
        assert len(refusals) == 3
        # Who is of the kind that they keep away from keeps away from them, without asking to.
        refusals = expect("io.vmctl.NoCapacity", vmd.call, "Instance.Create", labels={"app": "db"})["refusals"]
        assert {row["reason"] for row in refusals} == {"an instance there is kept apart from it"}
        for row in accepted:
            vmd.wait(row["operation"])
        free = vmd.get("db-2")["host"]
        vmd.do("Instance.Destroy", instance="db-2")
        assert vmd.create(name="db-4", **apart)["host"] == free
        vmd.create(name="other", labels={"app": "web"})
        for bad in ({"anti_affinity_by": "rack"}, {"anti_affinity": {}}, {"anti_affinity_soft": True}):
            expect("io.vmctl.InvalidParameter", vmd.call, "Instance.Create", **bad)


def test_what_is_softly_apart_is_spread_and_never_refused() -> None:
    hosts = {"a": {"labels": "rack=r1"}, "b": {"labels": "rack=r1"}, "c": {"labels": "rack=r2"}}
    soft = {"labels": {"app": "web"}, "anti_affinity": {"app": "web"}, "anti_affinity_by": "rack", "anti_affinity_soft": True}
    with Vmd(hosts=hosts) as vmd:
        vmd.import_template()
        accepted = vmd.call("Instance.Create", name="web", count=8, **soft)["instances"]
        assert spread(vmd) == {"a": 2, "b": 2, "c": 4}
        for row in accepted:
            vmd.wait(row["operation"])
        # A wish keeps nobody else away.
        vmd.create(name="other", labels={"app": "web"})


def test_apart_is_by_rack_where_that_is_asked() -> None:
    hosts = {"a": {"labels": "rack=r1"}, "b": {"labels": "rack=r1"}, "c": {"labels": "rack=r2"}, "d": {}}
    with Vmd(hosts=hosts) as vmd:
        vmd.import_template()
        words = ["--label", "app=db", "--anti-affinity", "app=db", "--anti-affinity-by", "rack", "--wait", "running"]
        cli.run(vmd.socket, "create", "db", "--count", "2", *words)
        racks = {"a": "r1", "b": "r1", "c": "r2"}
        assert {racks[row["host"]] for row in vmd.list_all()} == {"r1", "r2"}
        failed = cli.run(vmd.socket, "create", "more", *words, status=1)
        assert "host d: it has no label rack to be kept apart by" in failed.stderr, failed.stderr
        assert failed.stderr.count("is in rack") + failed.stderr.count("is kept apart from it") == 3, failed.stderr


def test_another_tenants_instances_are_nothing_to_be_apart_from() -> None:
    with Vmd(hosts={"a": {}}) as vmd:
        vmd.import_template()
        apart = {"labels": {"app": "db"}, "anti_affinity": {"app": "db"}}
        vmd.create(name="db", **apart)
        plan = vmd.call("Instance.Create", dry_run=True, **apart)["plan"]
        assert "host" not in plan and [row["host"] for row in plan["host_refusals"]] == ["a"]

        def create(there: socket.socket) -> None:
            with vmd.connect() as connection:
                connection.call("io.vmctl.Instance.Create", name="db", **apart)
            there.send(b"!")

        with uids.child_as(12345, create) as here:
            assert here.recv(1) == b"!"


def test_a_dry_run_says_what_a_run_would_do() -> None:
    with three_hosts() as vmd:
        vmd.import_template()
        for number in range(6):
            asked = {"name": f"web-{number}", "vcpus": 2}
            plan = vmd.call("Instance.Create", dry_run=True, **asked)["plan"]
            assert plan["hosts"] == [plan["host"]] and plan["host_refusals"] == []
            assert vmd.create(**asked)["host"] == plan["host"]
        plan = vmd.call("Instance.Create", name="many", count=6, dry_run=True)["plan"]
        assert Counter(plan["hosts"]) == {"a": 2, "b": 2, "c": 2}, plan
        lose(vmd, "b")
        vmd.call("Host.Drain", host="c")
        shown = cli.run(vmd.socket, "create", "--dry-run", "--pool", "burst", status=1).stdout
        for reason in ("it is in the pool private", "it cannot be reached", "it is drained"):
            assert reason in shown, shown
        assert [row["name"] for row in vmd.list_all()] == [f"web-{number}" for number in range(6)]


def test_instances_are_packed_where_that_is_wanted() -> None:
    with three_hosts(placement={"strategy": "pack"}) as vmd:
        for name in NAMES:
            bring_back(vmd, name, {"memory_bytes": 4 * GIB})
        vmd.import_template()
        made = [vmd.create(name=f"web-{number}", memory_bytes=GIB)["host"] for number in range(6)]
        assert made == ["a"] * 4 + ["b"] * 2, made


def test_growth_is_held_to_the_host() -> None:
    with Vmd(hosts={"a": {}}) as vmd:
        bring_back(vmd, "a", {"memory_bytes": 4 * GIB})
        vmd.import_template()
        vmd.create(name="one", memory_bytes=GIB)
        refusals = expect("io.vmctl.NoCapacity", vmd.call, "Instance.Resize", instance="one", memory_bytes=5 * GIB)["refusals"]
        assert refusals == [{"host": "a", "reason": f"memory_bytes: {4 * GIB} asked, {3 * GIB} left"}], refusals
        vmd.do("Instance.Resize", instance="one", memory_bytes=4 * GIB)
        oracle.check_at_rest(vmd)


def test_creates_in_parallel_never_take_more_than_there_is() -> None:
    with Vmd(hosts={"a": {}, "b": {}}, quota={"instances": 1000}) as vmd:
        for name in ("a", "b"):
            bring_back(vmd, name, {"memory_bytes": 4 * GIB})
        vmd.import_template()
        taken = Counter(list(ThreadPoolExecutor(16).map(lambda number: create_or_not(vmd, f"web-{number}"), range(40))))
        assert taken == {True: 8, False: 32}, taken
        assert all(host["used_memory_bytes"] == 4 * GIB for host in vmd.hosts())


def create_or_not(vmd: Vmd, name: str) -> bool:
    try:
        vmd.call("Instance.Create", name=name, memory_bytes=GIB)
    except VarlinkError as error:
        assert error.name == "io.vmctl.NoCapacity", error
        return False
    return True


def read_page() -> tuple[dict[str, dict[str, str]], list[str]]:
    """The hosts of the page's sample of vmd.conf, with what they have in common, and the commands that it shows."""
    text = (tap.ROOT / "docs/hosts.md").read_text(encoding="utf-8")
    sample = configparser.ConfigParser()
    sample.read_string("".join(re.findall(r"^```ini\n(.*?)^```", text, re.MULTILINE | re.DOTALL)))
    common = dict(sample["host"])
    hosts = {
        section.removeprefix("host "): {**common, **{key: value for key, value in sample[section].items() if key != "uri"}}
        for section in sample.sections()
        if section != "host"
    }
    return hosts, "".join(re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)).splitlines()


def test_what_the_page_shows_works() -> None:
    hosts, commands = read_page()
    assert len(hosts) == 3 and len(commands) >= 5
    with Vmd(hosts=hosts) as vmd:
        vmd.import_template()
        for command in commands:
            words = shlex.split(command)
            assert words[0] == "vmctl"
            cli.run(vmd.socket, *words[1:])
        assert vmd.host("north")["labels"] == {"rack": "n2", "disk": "fast"}
        assert vmd.host("cloud")["pool"] == "burst"


def test_two_hosts_of_one_libvirt_are_refused() -> None:
    vmd = Vmd(hosts={"a": {"uri": "fake:///same"}, "b": {"uri": "fake:///same"}})
    command = [program("VMD"), "--config", str(vmd.dir / "vmd.conf")]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    shutil.rmtree(vmd.dir)
    assert said.returncode == 78 and "two hosts would be one" in said.stderr, said


tap.main(globals())
