#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every verb of an instance, on a fake host."""

import time

from lib import oracle, tap
from lib.daemon import GIB, MIB, Vmd
from lib.tap import expect, wait_until

shared = Vmd()


def test_create_without_more_makes_a_running_one_that_gets_ready() -> None:
    instance = shared.create()
    assert instance["state"] == "running" and instance["name"].startswith("tiny-")
    ready = shared.call("Instance.Wait", instance=instance["id"], until="ready", timeout_ms=10000)["instance"]
    assert ready["ready"] and ready["agent"] and len(ready["addresses"]) == 1
    shared.do("Instance.Destroy", instance=instance["id"])


def test_create_tells_the_time_of_each_phase() -> None:
    accepted = shared.call("Instance.Create", name="phases")["instances"][0]
    operation = shared.wait(accepted["operation"])
    assert [phase["name"] for phase in operation["phases"]] == ["template", "disk", "seed", "define", "start"]
    shared.do("Instance.Destroy", instance="phases")


def test_count_makes_all_of_them_side_by_side() -> None:
    accepted = shared.call("Instance.Create", name="many", count=20)["instances"]
    assert [row["name"] for row in accepted] == [f"many-{number}" for number in range(1, 21)]
    assert all(shared.wait(row["operation"])["state"] == "succeeded" for row in accepted)
    for row in accepted:
        shared.do("Instance.Destroy", instance=row["instance"])


def test_a_taken_name_is_refused_and_nothing_is_made() -> None:
    shared.create(name="taken")
    shared.call("Instance.Wait", instance="taken", until="ready")
    before = shared.list_all()
    expect("io.vmctl.AlreadyExists", shared.call, "Instance.Create", name="taken")
    assert shared.list_all() == before
    shared.do("Instance.Destroy", instance="taken")


def test_a_dry_run_plans_and_changes_nothing() -> None:
    before = shared.call("GetInfo")["seq"]
    plan = shared.call("Instance.Create", vcpus=2, memory_bytes=GIB, dry_run=True)["plan"]
    assert plan["host"] == "local" and plan["refusals"] == [] and plan["size"]["vcpus"] == 2
    used = {row["resource"]: row["after"] - row["used"] for row in plan["quota"] if row["after"] != row["used"]}
    sizes = {"instances": 1, "vcpus": 2, "memory_bytes": GIB, "disk_bytes": GIB}
    assert used == {**sizes, "addresses": 1, "operations": 1}
    assert shared.call("GetInfo")["seq"] == before and shared.list_all() == []


def test_a_dry_run_tells_every_hindrance() -> None:
    plan = shared.call("Instance.Create", vcpus=256, count=500, dry_run=True)["plan"]
    assert "host" not in plan and any("quota" in reason for reason in plan["refusals"]), plan


def test_stop_start_restart_pause_and_resume() -> None:
    shared.create(name="power")
    steps = [
        ("Stop", "stopped", 1),
        ("Start", "running", 2),
        ("Pause", "paused", 2),
        ("Resume", "running", 2),
        ("Restart", "running", 3),
        ("Stop", "stopped", 3),
    ]
    for verb, state, generation in steps:
        shared.do(f"Instance.{verb}", instance="power")
        instance = shared.get("power")
        assert (instance["state"], instance["generation"]) == (state, generation), (verb, instance)
    shared.do("Instance.Destroy", instance="power")


def test_a_look_that_comes_late_does_not_stop_what_runs_again() -> None:
    instance = shared.create(name="again")["id"]
    shared.call("Instance.Wait", instance="again", until="ready")
    # After each operation the domain is looked at.
    shared.change_script({"rules": [{"method": "Inspect", "after": 1, "times": 1, "delay_ms": 200, "late": True}]})
    shared.do("Instance.Stop", instance="again", force=True)
    shared.do("Instance.Start", instance="again")
    begun = time.monotonic()
    # What was looked at while it was off has come by then.
    wait_until(lambda: time.monotonic() > begun + 0.5, "the look")
    shared.change_script({})
    assert shared.get("again")["state"] == "running"
    causes = [row["cause"] for row in shared.segments(instance)]
    assert not any(cause.startswith("seen-") for cause in causes), causes
    shared.do("Instance.Destroy", instance="again")


def test_a_verb_that_the_state_does_not_allow_is_refused() -> None:
    shared.create(name="strict")
    for verb in ("Start", "Resume"):
        assert expect("io.vmctl.IllegalState", shared.call, f"Instance.{verb}", instance="strict")["state"] == "running"
    shared.do("Instance.Stop", instance="strict")
    for verb in ("Stop", "Restart", "Pause", "Resume"):
        expect("io.vmctl.IllegalState", shared.call, f"Instance.{verb}", instance="strict")
    shared.do("Instance.Destroy", instance="strict")


def test_a_live_resize_cuts_the_ledger() -> None:
    instance = shared.create(name="grow", vcpus=1, memory_bytes=256 * MIB)["id"]
    operation = shared.do("Instance.Resize", instance="grow", vcpus=3, memory_bytes=512 * MIB)
    assert operation["resize"]["vcpus"] == "live" and operation["resize"]["guest_vcpus"] == 3
    rows = shared.segments(instance)
    assert [(row["kind"], row["vcpus"], row["cause"]) for row in rows] == [
        ("opened", 1, "created"),
        ("closed", 1, "resized"),
        ("opened", 3, "resized"),
    ]
    assert rows[1]["ms"] == rows[2]["ms"]
    shared.do("Instance.Destroy", instance="grow")


def test_what_the_guest_does_not_let_go_of_waits_for_the_next_start() -> None:
    shared.create(name="shrink", vcpus=4)
    operation = shared.do("Instance.Resize", instance="shrink", vcpus=2)
    assert operation["resize"]["vcpus"] == "next_start" and "note" in operation["resize"]
    instance = shared.get("shrink")
    assert instance["vcpus"] == 4 and instance["next"]["vcpus"] == 2
    shared.do("Instance.Restart", instance="shrink")
    instance = shared.get("shrink")
    assert instance["vcpus"] == 2 and "next" not in instance
    shared.do("Instance.Destroy", instance="shrink")


def test_a_disk_only_grows() -> None:
    shared.create(name="disk", disk_bytes=2 * GIB)
    error = expect("io.vmctl.InvalidParameter", shared.call, "Instance.Resize", instance="disk", disk_bytes=GIB)
    assert error["path"] == "parameters.disk_bytes"
    shared.do("Instance.Resize", instance="disk", disk_bytes=3 * GIB)
    assert shared.get("disk")["disk_bytes"] == 3 * GIB
    shared.do("Instance.Destroy", instance="disk")


def used_disk(vmd: Vmd) -> int:
    (row,) = (row for row in vmd.call("Quota.Get")["quota"] if row["resource"] == "disk_bytes")
    return row["used"]


def grow_in_vain(vmd: Vmd, name: str, more: list[dict]) -> None:
    """A resize that fails once the disk has 3 GiB."""
    vmd.change_script({"rules": [{"method": "Resized", "error": "HostFailed"}, *more]})
    operation = vmd.wait(vmd.call("Instance.Resize", instance=name, disk_bytes=3 * GIB)["operation"])
    assert operation["state"] == "failed", operation


def test_a_disk_that_grew_in_a_resize_that_failed_is_held_and_charged() -> None:
    for state in ("running", "stopped"):
        instance = shared.create(name=state, disk_bytes=2 * GIB)["id"]
        if state == "stopped":
            shared.do("Instance.Stop", instance=state)
        grow_in_vain(shared, state, [])
        wait_until(lambda: shared.get(state)["disk_bytes"] == 3 * GIB, "the disk to be seen")
        assert used_disk(shared) == 3 * GIB
        last = shared.segments(instance, "volume")[-1]
        assert (last["kind"], last["disk_bytes"], last["cause"]) == ("opened", 3 * GIB, "seen-resized"), last
        shared.change_script({})
        oracle.check_audit(shared)
        shared.do("Instance.Destroy", instance=state)


def test_a_resize_that_did_nothing_is_not_charged() -> None:
    shared.create(name="same", disk_bytes=2 * GIB)
    shared.change_script({"rules": [{"method": "Resize", "error": "HostFailed"}]})
    operation = shared.wait(shared.call("Instance.Resize", instance="same", disk_bytes=3 * GIB)["operation"])
    assert operation["state"] == "failed", operation
    wait_until(lambda: used_disk(shared) == 2 * GIB, "the disk to be looked at")
    assert shared.get("same")["disk_bytes"] == 2 * GIB
    shared.change_script({})
    shared.do("Instance.Destroy", instance="same")


def test_a_disk_of_which_its_host_does_not_tell_is_held_until_it_does() -> None:
    with Vmd() as vmd:
        vmd.import_template()
        vmd.create(name="grown", disk_bytes=2 * GIB)
        grow_in_vain(vmd, "grown", [{"method": "Inspect", "error": "HostUnreachable"}])
        assert vmd.get("grown")["disk_bytes"] == 2 * GIB and used_disk(vmd) == 3 * GIB
        vmd.kill()
        vmd.start()
        assert used_disk(vmd) == 3 * GIB
        vmd.kill()
        vmd.write_script({})
        vmd.start()
        wait_until(lambda: vmd.get("grown")["disk_bytes"] == 3 * GIB, "the disk to be seen")
        assert used_disk(vmd) == 3 * GIB
        oracle.check_audit(vmd)


def test_wait_fails_at_once_for_what_will_not_come() -> None:
    shared.create(name="hopeless")
    shared.do("Instance.Stop", instance="hopeless")
    expect("io.vmctl.IllegalState", shared.call, "Instance.Wait", instance="hopeless", until="ready")
    expect("io.vmctl.Deadline", shared.call, "Instance.Wait", instance="hopeless", until="destroyed", timeout_ms=50)
    shared.do("Instance.Destroy", instance="hopeless")


def test_wait_for_destroyed_returns_when_it_is_gone() -> None:
    shared.create(name="going")
    with shared.connect() as waiter:
        waiter.send("io.vmctl.Instance.Wait", {"instance": "going", "until": "destroyed"})
        shared.do("Instance.Destroy", instance="going")
        assert waiter.receive()[0]["instance"]["state"] == "destroyed"
    assert not shared.exists("going")


def test_list_pages_and_filters_on_the_server() -> None:
    for row in shared.call("Instance.Create", name="page", count=7, labels={"role": "web"})["instances"]:
        shared.wait(row["operation"])
    shared.create(name="other")
    first = shared.call("Instance.List", limit=3, prefix="page")
    assert [row["name"] for row in first["instances"]] == ["page-1", "page-2", "page-3"]
    names, page = [], first
    while "next" in page:
        page = shared.call("Instance.List", limit=3, prefix="page", after=page["next"])
        names += [row["name"] for row in page["instances"]]
    assert names == ["page-4", "page-5", "page-6", "page-7"]
    assert len(shared.call("Instance.List", labels={"role": "web"})["instances"]) == 7
    assert shared.call("Instance.List", labels={"role": "db"})["instances"] == []
    assert shared.call("Instance.List", state="stopped")["instances"] == []
    for row in shared.list_all():
        shared.do("Instance.Destroy", instance=row["id"])


def test_destroy_works_from_every_state_at_rest() -> None:
    for verbs in ((), ("Pause",), ("Stop",), ("Stop", "Start")):
        shared.create(name="doomed")
        for verb in verbs:
            shared.do(f"Instance.{verb}", instance="doomed")
        shared.do("Instance.Destroy", instance="doomed")
        assert not shared.exists("doomed")
    assert shared.domains() == {}


def test_a_destroyed_name_can_be_used_again_and_is_another_instance() -> None:
    first = shared.create(name="again")
    shared.do("Instance.Destroy", instance="again")
    second = shared.create(name="again")
    assert first["id"] != second["id"] and first["mac"] != second["mac"]
    expect("io.vmctl.NotFound", shared.call, "Instance.Get", instance=first["id"])
    shared.do("Instance.Destroy", instance="again")


def test_stop_and_restart_with_force_cut_the_power() -> None:
    shared.create(name="cut")
    shared.do("Instance.Restart", instance="cut", force=True)
    assert shared.get("cut")["generation"] == 2
    shared.do("Instance.Stop", instance="cut", force=True)
    assert shared.get("cut")["state"] == "stopped"
    shared.do("Instance.Destroy", instance="cut")


def test_a_stopped_instance_is_resized_at_once() -> None:
    shared.create(name="cold", vcpus=4, memory_bytes=GIB)
    shared.do("Instance.Stop", instance="cold")
    shared.do("Instance.Resize", instance="cold", vcpus=1, memory_bytes=256 * MIB)
    instance = shared.get("cold")
    assert (instance["vcpus"], instance["memory_bytes"]) == (1, 256 * MIB) and "next" not in instance
    shared.do("Instance.Start", instance="cold")
    assert shared.get("cold")["vcpus"] == 1
    shared.do("Instance.Destroy", instance="cold")


def test_a_resize_to_the_same_size_changes_nothing() -> None:
    shared.create(name="same", vcpus=2)
    operation = shared.do("Instance.Resize", instance="same", vcpus=2)
    assert {operation["resize"][what] for what in ("vcpus", "memory", "disk")} == {"unchanged"}
    shared.do("Instance.Destroy", instance="same")


def test_a_resize_below_the_template_or_of_nothing_is_refused() -> None:
    shared.create(name="least")
    for parameters in ({"memory_bytes": 64 * MIB}, {"memory_bytes": GIB + 1}, {}):
        expect("io.vmctl.InvalidParameter", shared.call, "Instance.Resize", instance="least", **parameters)
    assert "operation" not in shared.get("least")
    shared.do("Instance.Destroy", instance="least")


def test_a_template_may_be_named_with_its_version_or_by_id() -> None:
    template = shared.call("Template.Get", template="tiny")["template"]
    for name in ("tiny", f"tiny:{template['version']}", template["id"]):
        assert shared.create(name="from", template=name)["template"] == f"tiny:{template['version']}"
        shared.do("Instance.Destroy", instance="from")
    expect("io.vmctl.NotFound", shared.call, "Instance.Create", template="tiny:0")


def test_a_template_in_use_is_not_removed() -> None:
    shared.import_template("other")
    shared.create(name="user", template="other")
    assert shared.call("Template.Get", template="other")["template"]["instances"] == 1
    expect("io.vmctl.Conflict", shared.call, "Template.Remove", template="other")
    again = shared.wait(shared.call("Template.Import", source="other")["operation"])
    assert again["state"] == "failed" and again["failure"]["error"] == "io.vmctl.AlreadyExists", again
    assert shared.call("Template.Get", template="other")["template"]["state"] == "ready"
    shared.do("Instance.Destroy", instance="user")
    shared.do("Template.Remove", template="other")
    expect("io.vmctl.NotFound", shared.call, "Template.Get", template="other")


def test_a_log_can_be_read() -> None:
    shared.create(name="talks")
    log = shared.call("Instance.Log", instance="talks", offset=0)
    assert log["offset"] == 0 and log["next"] > 0 and log["data"]
    shared.do("Instance.Destroy", instance="talks")


def test_many_waiters_are_all_told() -> None:
    shared.create(name="awaited")
    waiters = [shared.connect() for _ in range(30)]
    for waiter in waiters:
        waiter.send("io.vmctl.Instance.Wait", {"instance": "awaited", "until": "stopped"})
    # Some leave before it is over.
    for waiter in waiters[::3]:
        waiter.close()
    shared.do("Instance.Stop", instance="awaited")
    for waiter in (one for index, one in enumerate(waiters) if index % 3):
        assert waiter.receive()[0]["instance"]["state"] == "stopped"
        waiter.close()
    shared.do("Instance.Destroy", instance="awaited")


def test_what_is_shown_is_what_was_asked_for() -> None:
    instance = shared.create(
        name="shown", vcpus=2, memory_bytes=512 * MIB, disk_bytes=2 * GIB, labels={"b": "2", "a": "1"}
    )
    assert (instance["vcpus"], instance["memory_bytes"], instance["disk_bytes"]) == (2, 512 * MIB, 2 * GIB)
    assert instance["labels"] == {"a": "1", "b": "2"} and instance["host"] == "local"
    assert instance["desired"] == "running" and instance["generation"] == 1
    assert instance["created_at"] <= instance["started_at"] <= instance["changed_at"]
    shared.call("Instance.Wait", instance="shown", until="ready")
    assert shared.get(instance["id"]) | {"seen_at": ""} == shared.get("shown") | {"seen_at": ""}
    shared.do("Instance.Destroy", instance="shown")


def test_keys_that_could_break_a_line_are_refused() -> None:
    for key in ("ssh-ed25519 AAAA\nroot:x", "command=evil ssh-rsa AAAA", "", "ssh-rsa AAAA\x1b[0m"):
        error = expect("io.vmctl.InvalidParameter", shared.call, "Instance.Create", ssh_keys=[key], dry_run=True)
        assert error["path"].startswith("parameters.ssh_keys"), (key, error)


def test_admission_is_all_or_nothing() -> None:
    assert shared.list_all() == []
    error = expect("io.vmctl.QuotaExceeded", shared.call, "Instance.Create", count=50, vcpus=256)
    assert error["resource"] == "vcpus", error
    shared.create(name="some-7")
    expect("io.vmctl.AlreadyExists", shared.call, "Instance.Create", name="some", count=9)
    shared.do("Instance.Destroy", instance="some-7")
    assert shared.list_all() == []
    wait_until(lambda: shared.domains() == {}, "nothing to be left over")


def test_everything_is_at_rest_in_the_end() -> None:
    oracle.check_at_rest(shared)


with shared:
    shared.import_template()
    tap.main(globals())
