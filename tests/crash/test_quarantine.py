#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""An operation that kills vmd each time it is taken up is given up at the fourth start; everything else goes on."""

import signal
from typing import Any

from sweep import SCENARIOS, Bench, Scenario, oracle, tap, told

CRASHES = 3
# Each step of a workflow, forward and back, may be finished between two of them.
CRASHES_MOST = CRASHES + 2 * 6
# A place of the first step of each workflow: nothing is finished there between two crashes.
FIRST = {
    "create": "instance_create.template.before",
    "start": "instance_start.define.before",
    "stop": "instance_stop.shutdown.after",
    "restart": "instance_restart.shutdown.before",
    "pause": "instance_pause.pause.after",
    "resume": "instance_resume.resume.before",
    "resize": "instance_resize.sample.after",
    "destroy": "instance_destroy.sample.before",
    "import": "template_import.import.after",
    "remove": "template_remove.remove.before",
}
# Places further on, which may be reached with a step finished and on disk: then the count begins again.
LATER = {
    "create": "instance_create.start.after",
    "create-undone": "instance_create.disk.undo-before",
    "restart": "instance_restart.start.before",
}
NAMED = {scenario.name: scenario for scenario in SCENARIOS}
AT_REST = ("running", "paused", "stopped", "error")

bench = Bench()


def crash_until_it_ends(scenario: Scenario, point: str) -> tuple[int, dict[str, Any]]:
    """Starts vmd with a place that kills it until the operation ends all the same: how often it died, and the operation."""
    for crashes in range(CRASHES_MOST):
        if bench.start(f"{point}=kill"):
            operation = bench.ask(scenario)
            if operation is not None:
                return crashes, operation
    raise AssertionError(f"{point}: it was never given up")


def check_given_up(operation: dict[str, Any]) -> None:
    assert operation["state"] == "failed", operation
    assert operation["failure"]["error"] == "io.vmctl.Quarantined", operation
    ended = [event for event in bench.vmd.events() if event["subject"] == operation["id"]][-1]
    assert (ended["kind"], ended["detail"]) == ("operation_ended", operation["failure"]["message"]), ended


def check_goes_on() -> None:
    """What the operation left is at rest and can be cleaned up, and others are served."""
    assert all(row["state"] in AT_REST and "operation" not in row for row in bench.vmd.list_all()), bench.vmd.list_all()
    # The place would kill others too, and the host's faults stay.
    bench.stop()
    bench.vmd.write_script({})
    assert bench.start()
    bench.vmd.create(name="another")
    bench.clean_up()
    oracle.check_at_rest(bench.vmd)
    bench.stop()


def test_the_fourth_start_gives_up_what_crashed_three() -> None:
    for name, point in FIRST.items():
        with told(NAMED[name], point):
            bench.restore(NAMED[name])
            crashes, operation = crash_until_it_ends(NAMED[name], point)
            assert crashes == CRASHES, crashes
            check_given_up(operation)
            check_goes_on()


def test_a_step_that_is_finished_begins_the_count_again_and_the_next_is_given_up() -> None:
    for name, point in LATER.items():
        with told(NAMED[name], point):
            bench.restore(NAMED[name])
            crashes, operation = crash_until_it_ends(NAMED[name], point)
            assert crashes >= CRASHES, crashes
            check_given_up(operation)
            check_goes_on()


def test_an_instance_that_a_host_never_saw_is_in_error_and_can_be_destroyed() -> None:
    bench.restore(NAMED["create"])
    _, operation = crash_until_it_ends(NAMED["create"], FIRST["create"])
    instance = bench.vmd.get("new")
    assert (instance["state"], instance["reason"]) == ("error", operation["failure"]["message"]), instance
    bench.vmd.do("Instance.Destroy", instance="new")
    oracle.check_at_rest(bench.vmd)
    bench.stop()


def test_those_that_stood_beside_it_are_not_given_up() -> None:
    bench.restore(NAMED["start"])
    bench.vmd.write_script({"rules": [{"method": "CreateDisk", "delay_ms": 200}]})
    assert bench.start(f"{FIRST['start']}=kill")
    beside = bench.vmd.call("Instance.Create", name="beside", count=4)["instances"]
    assert bench.ask(NAMED["start"]) is None
    crashes, operation = crash_until_it_ends(NAMED["start"], FIRST["start"])
    assert crashes == CRASHES - 1, crashes
    check_given_up(operation)
    ended = [bench.vmd.wait(row["operation"]) for row in beside]
    assert [row["state"] for row in ended] == ["succeeded"] * 4, ended
    check_goes_on()


def test_only_crashes_in_a_row_count() -> None:
    bench.restore(NAMED["start"])
    bench.vmd.write_script({"rules": [{"method": "Define", "delay_ms": 60000}]})
    assert bench.start()
    accepted = bench.vmd.call("Instance.Start", instance="off")
    term, kill = signal.SIGTERM, signal.SIGKILL
    for end in (term, term, term, term, kill, kill, term, kill, kill):
        assert bench.vmd.call("Operation.Get", operation=accepted["operation"])["operation"]["state"] == "running"
        bench.vmd.kill(end)
        assert bench.start()
    bench.vmd.kill(term)
    bench.vmd.write_script({})
    assert bench.start()
    operation = bench.vmd.wait(accepted["operation"])
    assert operation["state"] == "succeeded", operation
    oracle.check_at_rest(bench.vmd)
    bench.stop()


def test_what_only_waits_for_others_is_no_suspect_and_holds_up_none() -> None:
    bench.restore(NAMED["start"])
    bench.vmd.write_script({"rules": [{"method": "CreateDisk", "delay_ms": 60000}]})
    assert bench.start()
    # Enough of them that one stands before what it waits for, in whatever order suspects are.
    accepted = [bench.vmd.call("Group.Create", group=f"new-{number}", max=1, count=1) for number in range(8)]
    bench.vmd.kill()
    assert bench.start()
    bench.vmd.kill()
    bench.vmd.write_script({})
    assert bench.start()
    ended = [bench.vmd.wait(reply["operation"])["state"] for reply in accepted]
    assert ended == ["succeeded"] * len(accepted), ended
    oracle.check_at_rest(bench.vmd)
    bench.stop()


def test_a_suspect_that_waits_can_be_cancelled() -> None:
    bench.restore(NAMED["start"])
    bench.vmd.write_script({"rules": [{"method": "CreateDisk", "delay_ms": 60000}]})
    assert bench.start()
    accepted = bench.vmd.call("Instance.Create", name="wait", count=3)["instances"]
    for _ in range(2):
        bench.vmd.kill()
        assert bench.start()
    for row in accepted:
        bench.vmd.call("Operation.Cancel", operation=row["operation"])
    # What was answered is on disk when what came after it is.
    bench.vmd.do("Instance.Pause", instance="on")
    bench.vmd.kill()
    bench.vmd.write_script({})
    assert bench.start()
    ended = sorted(bench.vmd.wait(row["operation"])["state"] for row in accepted)
    # The one whose turn it was had crashed three times, unless it was cancelled before its turn came again.
    assert ended[:2] == ["cancelled", "cancelled"] and ended[2] in ("cancelled", "failed"), ended
    bench.clean_up()
    oracle.check_at_rest(bench.vmd)
    bench.stop()


with bench:
    tap.main(globals())
