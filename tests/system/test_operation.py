#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Operations: repeats, cancels, deadlines, failures that are taken back."""

import contextlib
import json
import sqlite3

from lib import oracle, tap
from lib.daemon import Vmd
from lib.tap import expect, wait_until


def run_with(script: dict) -> Vmd:
    return Vmd(script=script)


def test_the_same_request_has_one_effect() -> None:
    with run_with({}) as vmd:
        vmd.import_template()
        first = vmd.call("Instance.Create", name="once", request_id="r1")
        assert vmd.call("Instance.Create", name="once", request_id="r1") == first
        vmd.wait(first["instances"][0]["operation"])
        assert vmd.call("Instance.Create", name="once", request_id="r1") == first
        stop = vmd.call("Instance.Stop", instance="once", request_id="r2")
        assert vmd.call("Instance.Stop", instance="once", request_id="r2") == stop
        assert len(vmd.list_all()) == 1


def test_a_request_id_with_another_request_is_refused() -> None:
    with run_with({}) as vmd:
        vmd.import_template()
        vmd.create(name="one", request_id="r1")
        error = expect("io.vmctl.RequestMismatch", vmd.call, "Instance.Create", name="two", request_id="r1")
        assert error["request_id"] == "r1"
        expect("io.vmctl.RequestMismatch", vmd.call, "Instance.Stop", instance="one", request_id="r1")
        assert len(vmd.list_all()) == 1


def test_a_request_id_is_remembered_over_a_kill() -> None:
    with run_with({}) as vmd:
        vmd.import_template()
        first = vmd.call("Instance.Create", name="once", request_id="r1")
        vmd.kill()
        vmd.start()
        assert vmd.call("Instance.Create", name="once", request_id="r1") == first
        assert vmd.wait(first["instances"][0]["operation"])["state"] == "succeeded"
        oracle.check_at_rest(vmd)


def test_a_stop_by_force_of_what_is_being_created_finds_it_gone() -> None:
    rules = [{"method": "CreateDisk", "delay_ms": 500}]
    with run_with({"rules": rules}) as vmd:
        vmd.import_template()
        create = vmd.call("Instance.Create", name="brief")["instances"][0]["operation"]
        stop = vmd.wait(vmd.call("Instance.Stop", instance="brief", force=True)["operation"])
        assert vmd.wait(create)["state"] == "cancelled"
        assert stop["state"] == "failed" and stop["failure"]["error"] == "io.vmctl.NotFound"
        oracle.check_at_rest(vmd)


def test_a_look_that_comes_back_late_finds_its_stop_ended() -> None:
    slow = [
        {"method": "Event", "delay_ms": 50},
        {"method": "Inspect", "delay_ms": 300, "times": 1},
        {"method": "CreateDisk", "delay_ms": 500},
    ]
    with run_with({}) as vmd:
        vmd.import_template()
        vmd.create(name="late")
        vmd.change_script({"rules": slow})
        vmd.do("Instance.Stop", instance="late")
        vmd.do("Instance.Destroy", instance="late")
        vmd.create(name="next")
        oracle.check_at_rest(vmd)


def test_a_destroy_may_come_before_its_create_is_on_disk() -> None:
    with run_with({}) as vmd, vmd.connect() as one, vmd.connect() as other:
        vmd.import_template()
        for number in range(20):
            name = f"hasty-{number}"
            one.send("io.vmctl.Instance.Create", {"name": name})
            other.send("io.vmctl.Instance.Destroy", {"instance": name})
            create = one.receive()[0]["instances"][0]["operation"]
            destroy = other.receive()[0]["operation"]
            assert vmd.wait(create)["state"] == "cancelled"
            assert vmd.wait(destroy)["state"] == "succeeded"
        oracle.check_at_rest(vmd)


def test_a_queued_change_that_is_cancelled_leaves_the_one_under_way() -> None:
    with run_with({"rules": [{"method": "Start", "delay_ms": 500}]}) as vmd:
        vmd.import_template()
        vmd.create(name="busy")
        vmd.do("Instance.Stop", instance="busy")
        start = vmd.call("Instance.Start", instance="busy")["operation"]
        for parameters in ({"method": "Instance.Stop", "force": True}, {"method": "Instance.Destroy"}):
            queued = vmd.call(instance="busy", **parameters)["operation"]
            vmd.call("Operation.Cancel", operation=queued)
            assert vmd.wait(queued)["state"] == "cancelled"
            instance = vmd.get("busy")
            assert (instance["state"], instance["operation"]) == ("starting", start)
        assert vmd.wait(start)["state"] == "succeeded"
        oracle.check_at_rest(vmd)


def test_a_stop_by_force_after_a_start_that_failed_stops_nothing() -> None:
    failing = {"rules": [{"method": "Start", "after": 1, "delay_ms": 500, "error": "HostFailed"}]}
    with run_with(failing) as vmd:
        vmd.import_template()
        vmd.create(name="off")
        vmd.do("Instance.Stop", instance="off")
        rows = len(vmd.segments())
        start = vmd.call("Instance.Start", instance="off")["operation"]
        vmd.do("Instance.Stop", instance="off", force=True)
        assert vmd.wait(start)["state"] == "failed"
        assert len(vmd.segments()) == rows
        assert "leads nowhere" not in vmd.log.read_text()


def test_a_restart_that_fails_is_not_billed_as_running() -> None:
    failing = {"rules": [{"method": "Start", "after": 1, "error": "HostFailed"}]}
    with run_with(failing) as vmd:
        vmd.import_template()
        vmd.create(name="down")
        assert vmd.wait(vmd.call("Instance.Restart", instance="down", force=True)["operation"])["state"] == "failed"
        assert [row["state"] for row in vmd.segments() if row["kind"] == "opened"] == ["running", "stopped"]


def test_a_destroy_is_not_followed_by_a_stop() -> None:
    rules = [{"method": "Remove", "delay_ms": 500}]
    with run_with({"rules": rules}) as vmd:
        vmd.import_template()
        vmd.create(name="leaving")
        destroy = vmd.call("Instance.Destroy", instance="leaving")["operation"]
        error = expect("io.vmctl.Conflict", vmd.call, "Instance.Stop", instance="leaving", force=True)
        assert error["operation"] == destroy
        assert vmd.wait(destroy)["state"] == "succeeded"


def test_a_create_that_fails_is_taken_back() -> None:
    rules = [{"method": "Start", "error": "HostFailed", "message": "no more QEMU", "times": 1}]
    with run_with({"rules": rules}) as vmd:
        vmd.import_template()
        accepted = vmd.call("Instance.Create", name="gone")["instances"][0]
        operation = vmd.wait(accepted["operation"])
        assert operation["state"] == "failed" and operation["failure"]["error"] == "io.vmctl.HostFailed"
        assert "no more QEMU" in operation["failure"]["message"]
        assert not vmd.exists("gone")
        oracle.check_at_rest(vmd)


def test_a_create_whose_cleanup_fails_is_shown_and_can_be_destroyed() -> None:
    rules = [
        {"method": "Start", "error": "HostFailed", "times": 1},
        {"method": "Remove", "error": "HostFailed", "message": "disk is held", "times": 1},
    ]
    with run_with({"rules": rules}) as vmd:
        vmd.import_template()
        accepted = vmd.call("Instance.Create", name="stuck")["instances"][0]
        assert vmd.wait(accepted["operation"])["state"] == "failed"
        assert vmd.get("stuck")["state"] == "error"
        vmd.do("Instance.Destroy", instance="stuck")
        oracle.check_at_rest(vmd)


def test_an_unreachable_host_is_tried_again() -> None:
    rules = [{"method": "Define", "error": "HostUnreachable", "times": 3}]
    with run_with({"rules": rules}) as vmd:
        vmd.import_template()
        assert vmd.create(name="patient")["state"] == "running"


def test_a_cancelled_create_leaves_nothing() -> None:
    rules = [{"method": "CreateSeed", "delay_ms": 500}]
    with run_with({"rules": rules}) as vmd:
        vmd.import_template()
        accepted = vmd.call("Instance.Create", name="never")["instances"][0]
        vmd.call("Operation.Cancel", operation=accepted["operation"])
        operation = vmd.wait(accepted["operation"])
        assert operation["state"] == "cancelled", operation
        assert not vmd.exists("never")
        oracle.check_at_rest(vmd)
        expect("io.vmctl.IllegalState", vmd.call, "Operation.Cancel", operation=accepted["operation"])


def test_a_destroy_takes_back_a_create_that_is_under_way() -> None:
    rules = [{"method": "CreateDisk", "delay_ms": 300}]
    with run_with({"rules": rules}) as vmd:
        vmd.import_template()
        accepted = vmd.call("Instance.Create", name="brief")["instances"][0]
        destroy = vmd.call("Instance.Destroy", instance="brief")["operation"]
        assert vmd.wait(accepted["operation"])["state"] == "cancelled"
        assert vmd.wait(destroy)["state"] == "succeeded"
        assert not vmd.exists("brief")
        oracle.check_at_rest(vmd)


def test_a_destroy_that_comes_with_the_create_takes_it_back() -> None:
    with run_with({}) as vmd:
        vmd.import_template()
        for number in range(50):
            with vmd.connect() as first, vmd.connect() as second:
                first.send("io.vmctl.Instance.Create", {"name": f"brief-{number}"})
                second.send("io.vmctl.Instance.Destroy", {"instance": f"brief-{number}"})
                first.receive()
                vmd.wait(second.receive()[0]["operation"])
        assert vmd.list_all() == []
        oracle.check_at_rest(vmd)


def test_a_second_change_meanwhile_is_a_conflict() -> None:
    with run_with({"rules": [{"method": "Pause", "delay_ms": 300}]}) as vmd:
        vmd.import_template()
        vmd.create(name="busy")
        first = vmd.call("Instance.Pause", instance="busy")["operation"]
        error = expect("io.vmctl.Conflict", vmd.call, "Instance.Stop", instance="busy")
        assert error["operation"] == first
        vmd.wait(first)


def test_a_worker_that_hangs_is_killed_and_the_instance_comes_to_rest() -> None:
    rules = [{"method": "Ping", "hang": True, "times": 1}]
    with run_with({"rules": rules}) as vmd:
        vmd.import_template()
        first = vmd.children("vmd-fakehost")
        wait_until(lambda: vmd.children("vmd-fakehost") not in ([], first), "another worker", 40)
        wait_until(lambda: vmd.host()["state"] == "connected", "the host to be back", 40)
        assert vmd.create(name="after")["state"] == "running"


def test_a_cancel_that_was_answered_is_kept_over_a_kill() -> None:
    with run_with({"rules": [{"method": "CreateDisk", "times": -1, "hang": True}]}) as vmd:
        vmd.import_template()
        for _ in range(8):
            operation = vmd.call("Instance.Create", name="n")["instances"][0]["operation"]
            with vmd.connect() as connection:
                connection.call("io.vmctl.Operation.Cancel", operation=operation)
                vmd.kill()
            vmd.start()
            assert vmd.wait(operation, 10000)["state"] == "cancelled"
        oracle.check_at_rest(vmd)


def test_a_template_whose_removal_failed_is_broken_and_can_be_removed_again() -> None:
    with Vmd(script={"rules": [{"method": "RemoveTemplate", "error": "HostFailed", "times": 1}]}) as vmd:
        vmd.import_template()
        assert vmd.wait(vmd.call("Template.Remove", template="tiny")["operation"])["state"] == "failed"
        (broken,) = vmd.call("Template.List")["templates"]
        assert broken["state"] == "broken"
        expect("io.vmctl.NotFound", vmd.call, "Instance.Create", template="tiny:1")
        oracle.check_audit(vmd)
        vmd.do("Template.Remove", template="tiny:1")
        assert vmd.call("Template.List")["templates"] == []


def occupy(vmd: Vmd) -> None:
    """The only turn is taken by a create that does not go on, so that what comes next is queued."""
    vmd.import_template("tiny")
    vmd.import_template("other")
    hanging = [{"method": method, "times": -1, "hang": True} for method in ("CreateDisk", "RemoveTemplate")]
    vmd.change_script({"rules": hanging})
    busy = vmd.call("Instance.Create", name="busy", template="tiny")["instances"][0]["operation"]
    wait_until(lambda: vmd.call("Operation.Get", operation=busy)["operation"].get("step") == "disk", "its turn")


def change_database(vmd: Vmd, sql: str) -> list[tuple[str, ...]]:
    vmd.kill()
    with contextlib.closing(sqlite3.connect(vmd.dir / "state" / "vmd.db")) as database, database:
        return database.execute(sql).fetchall()


def test_a_template_whose_removal_is_queued_is_not_ready_after_a_kill() -> None:
    with Vmd(daemon={"operations_side_by_side": 1}) as vmd:
        occupy(vmd)
        vmd.call("Template.Remove", template="other")
        ((body,),) = change_database(vmd, "SELECT body FROM template WHERE a = 'other'")
        assert json.loads(body)["view"]["state"] == "removing", body
        vmd.write_script({})
        vmd.start()
        wait_until(lambda: len(vmd.call("Template.List")["templates"]) == 1, "the template to go")
        wait_until(lambda: vmd.get("busy")["state"] == "running", "the create to go on")
        oracle.check_at_rest(vmd)


def test_a_create_whose_template_is_gone_fails() -> None:
    with Vmd(daemon={"operations_side_by_side": 1}) as vmd:
        occupy(vmd)
        late = vmd.call("Instance.Create", name="late", template="other")["instances"][0]["operation"]
        change_database(vmd, "DELETE FROM template WHERE a = 'other'")
        vmd.write_script({})
        vmd.start()
        operation = vmd.wait(late)
        assert operation["failure"]["error"] == "io.vmctl.NotFound", operation
        assert not vmd.exists("late")


def test_an_import_that_cannot_be_taken_back_leaves_a_broken_template() -> None:
    rules = [{"method": name, "error": "HostFailed", "times": 1} for name in ("ImportTemplate", "RemoveTemplate")]
    with Vmd(script={"rules": rules}) as vmd:
        assert vmd.wait(vmd.call("Template.Import", source="tiny")["operation"])["state"] == "failed"
        (broken,) = vmd.call("Template.List")["templates"]
        assert broken["state"] == "broken"
        vmd.do("Template.Remove", template=broken["id"])
        vmd.import_template()
        oracle.check_audit(vmd)


def test_a_second_import_that_cannot_be_taken_back_is_broken_beside_the_first() -> None:
    rules = [{"method": name, "error": "HostFailed", "times": 2} for name in ("ImportTemplate", "RemoveTemplate")]
    with Vmd(script={"rules": rules}) as vmd:
        for _ in range(2):
            assert vmd.wait(vmd.call("Template.Import", source="tiny")["operation"])["state"] == "failed"
        rows = vmd.call("Template.List")["templates"]
        assert [row["state"] for row in rows] == ["broken", "broken"], rows
        for row in rows:
            vmd.do("Template.Remove", template=row["id"])
        vmd.import_template()
        oracle.check_audit(vmd)


def test_operations_are_listed_newest_first_and_kept_in_bounds() -> None:
    with Vmd(daemon={"operations_kept": 10}) as vmd:
        vmd.import_template()
        for number in range(8):
            vmd.create(name=f"n{number}")
            vmd.do("Instance.Destroy", instance=f"n{number}")
        rows = vmd.call("Operation.List", limit=500)["operations"]
        assert len(rows) == 10 and rows[0]["kind"] == "instance_destroy"
        page = vmd.call("Operation.List", limit=4)
        rest = vmd.call("Operation.List", after=page["next"], limit=500)
        assert [row["id"] for row in page["operations"] + rest["operations"]] == [row["id"] for row in rows]


def test_one_that_does_not_end_keeps_no_others() -> None:
    with Vmd(script={"rules": [{"method": "Remove", "times": 1, "hang": True}]}, daemon={"operations_kept": 10}) as vmd:
        vmd.import_template()
        vmd.create(name="away")
        away = vmd.call("Instance.Destroy", instance="away")["operation"]
        for number in range(8):
            vmd.create(name=f"n{number}")
            last = vmd.do("Instance.Destroy", instance=f"n{number}")
        rows = vmd.call("Operation.List", limit=500)["operations"]
        assert [row["id"] for row in (rows[0], rows[-1])] == [last["id"], away] and len(rows) == 11, rows


tap.main(globals())
