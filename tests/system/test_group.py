#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Groups: scale-out and scale-in over a fake host, by hand and against failures, races and kills."""

import json
import threading
import time
from collections import Counter
from typing import Any

from lib import cli, oracle, tap
from lib.daemon import Vmd
from lib.tap import expect, wait_until
from lib.varlink import VarlinkError

HASTY = {"failures": 3, "backoff_seconds": 1, "backoff_max_seconds": 2, "proof_seconds": 1, "dead_seconds": 1}
ROOMY = {"instances": 600, "vcpus": 4000}


def run_with(script: dict[str, Any] | None = None, **settings: dict[str, Any]) -> Vmd:
    return Vmd(script=script, group={**HASTY, **settings.pop("group", {})}, quota=ROOMY, **settings)


def create(vmd: Vmd, name: str = "web", **parameters: Any) -> dict[str, Any]:
    return vmd.do("Group.Create", group=name, **{"max": 20, **parameters})


def show(vmd: Vmd, name: str = "web") -> dict[str, Any]:
    return vmd.call("Group.Get", group=name)


def names(vmd: Vmd) -> list[str]:
    return sorted(row["name"] for row in vmd.list_all())


def end(vmd: Vmd, method: str, **parameters: Any) -> dict[str, Any]:
    """The ended operation of a change of a group, however it ended."""
    return vmd.wait(vmd.call(method, **parameters)["operation"])


def wait_steady(vmd: Vmd, count: int, name: str = "web") -> None:
    def is_steady() -> bool:
        group = show(vmd, name)["group"]
        return group["state"] == "steady" and group["up"] == count

    wait_until(is_steady, f"{name} to be steady with {count}", 90)


# By hand


def test_a_group_is_made_scaled_and_removed() -> None:
    with run_with() as vmd:
        vmd.import_template()
        create(vmd, min=1, count=3, vcpus=2, labels={"tier": "web"})
        assert names(vmd) == ["web-1", "web-2", "web-3"]
        first = vmd.get("web-1")
        assert first["group"] == "web" and first["vcpus"] == 2 and first["labels"] == {"tier": "web"}
        vmd.do("Group.Scale", group="web", count=5)
        assert show(vmd)["group"]["up"] == 5
        vmd.do("Group.Scale", group="web", count=2)
        assert names(vmd) == ["web-1", "web-2"]
        assert [row["name"] for row in show(vmd)["members"]] == ["web-1", "web-2"]
        vmd.do("Group.Remove", group="web")
        assert names(vmd) == [] and vmd.call("Group.List")["groups"] == []
        oracle.check_at_rest(vmd)


def test_bounds_are_held() -> None:
    with run_with() as vmd:
        vmd.import_template()
        error = expect("io.vmctl.InvalidParameter", vmd.call, "Group.Create", group="web", max=2, min=3)
        assert error["path"] == "parameters.min"
        error = expect("io.vmctl.InvalidParameter", vmd.call, "Group.Create", group="web", max=2, count=3)
        assert error["path"] == "parameters.count"
        error = expect("io.vmctl.InvalidParameter", vmd.call, "Group.Create", group="w" * 28, max=2)
        assert error["path"] == "parameters.group"
        create(vmd, min=1, max=4)
        for count in (0, 5):
            error = expect("io.vmctl.InvalidParameter", vmd.call, "Group.Scale", group="web", count=count)
            assert error["path"] == "parameters.count"
        expect("io.vmctl.AlreadyExists", vmd.call, "Group.Create", group="web", max=2)
        expect("io.vmctl.NotFound", vmd.call, "Group.Scale", group="nope", count=1)
        assert names(vmd) == ["web-1"]


def test_a_group_may_have_nobody() -> None:
    with run_with() as vmd:
        vmd.import_template()
        create(vmd, count=0)
        assert show(vmd)["group"]["state"] == "steady"
        vmd.do("Group.Scale", group="web", count=2)
        vmd.do("Group.Scale", group="web", count=0)
        assert names(vmd) == []


def test_over_quota_nothing_changes() -> None:
    with Vmd(quota={"instances": 4}, group=HASTY) as vmd:
        vmd.import_template()
        expect("io.vmctl.QuotaExceeded", vmd.call, "Group.Create", group="big", max=9, count=5)
        assert vmd.call("Group.List")["groups"] == [] and names(vmd) == []
        create(vmd, count=2)
        error = expect("io.vmctl.QuotaExceeded", vmd.call, "Group.Scale", group="web", count=5)
        assert (error["used"], error["asked"], error["limit"]) == (2, 3, 4)
        assert show(vmd)["group"]["wanted"] == 2 and len(names(vmd)) == 2


def test_groups_are_held_to_a_quota_of_their_own() -> None:
    with Vmd(quota={"groups": 1}, group=HASTY) as vmd:
        vmd.import_template()
        create(vmd, count=1)
        error = expect("io.vmctl.QuotaExceeded", vmd.call, "Group.Create", group="more", max=1)
        assert [error[key] for key in ("resource", "used", "asked", "limit")] == ["groups", 1, 1, 1]
        used = {row["resource"]: row["used"] for row in vmd.call("Quota.Get")["quota"]}
        assert (used["groups"], used["instances"]) == (1, 1)
        vmd.do("Group.Remove", group="web")
        create(vmd, "more")


def test_a_change_and_its_members_are_held_to_the_operations_together() -> None:
    with Vmd(quota={"operations": 3}, group=HASTY) as vmd:
        vmd.import_template()
        error = expect("io.vmctl.QuotaExceeded", vmd.call, "Group.Create", group="web", max=9, count=3)
        assert [error[key] for key in ("resource", "used", "asked", "limit")] == ["operations", 0, 4, 3]
        create(vmd, count=2)
        vmd.do("Group.Scale", group="web", count=0)


def test_members_are_spread_over_hosts_or_a_label_of_theirs() -> None:
    racks = {"a": "one", "b": "one", "c": "two"}
    with run_with(hosts={name: {"labels": f"rack={rack}"} for name, rack in racks.items()}) as vmd:
        vmd.import_template()
        create(vmd, "wide", count=3, spread="host")
        assert sorted(row["host"] for row in show(vmd, "wide")["members"]) == ["a", "b", "c"]
        create(vmd, "racked", count=4, spread="rack", labels={"tier": "db"})
        assert Counter(racks[row["host"]] for row in show(vmd, "racked")["members"]) == {"one": 2, "two": 2}
        assert vmd.get("racked-1")["labels"] == {"tier": "db", "group": "racked"}
        create(vmd, "bound", count=2, host_labels={"rack": "two"})
        assert {row["host"] for row in show(vmd, "bound")["members"]} == {"c"}
        expect("io.vmctl.NoCapacity", vmd.call, "Group.Create", group="nowhere", max=1, count=1, pool="other")


def test_a_group_of_a_disabled_tenant_stands_still_and_can_be_removed() -> None:
    with run_with() as vmd:
        vmd.import_template()
        create(vmd, count=2)
        vmd.call("Tenant.Set", tenant="default", when_disabled="keep")
        vmd.call("Tenant.Disable", tenant="default")
        expect("io.vmctl.IllegalState", vmd.call, "Group.Scale", group="web", count=3)
        vmd.do("Instance.Destroy", instance="web-2")
        wait_until(lambda: show(vmd)["group"]["state"] == "held_up", "the group to stand still")
        assert "disabled" in show(vmd)["group"]["reason"] and names(vmd) == ["web-1"]
        vmd.call("Tenant.Enable", tenant="default")
        wait_steady(vmd, 2)
        vmd.call("Tenant.Disable", tenant="default")
        vmd.do("Group.Remove", group="web")
        assert names(vmd) == []


def test_the_rule_says_who_goes() -> None:
    with run_with() as vmd:
        vmd.import_template()
        for rule, left in (("newest", ["a-1"]), ("oldest", ["a-3"]), ("name", ["a-1"])):
            create(vmd, "a", victims=rule, count=1)
            for count in (2, 3):
                vmd.do("Group.Scale", group="a", count=count)
            vmd.do("Group.Scale", group="a", count=1)
            assert names(vmd) == left, rule
            vmd.do("Group.Remove", group="a")


def test_a_name_that_is_taken_is_passed_over() -> None:
    with run_with() as vmd:
        vmd.import_template()
        vmd.create(name="web-2")
        create(vmd, count=2)
        assert [row["name"] for row in show(vmd)["members"]] == ["web-1", "web-3"]
        vmd.do("Group.Remove", group="web")
        assert names(vmd) == ["web-2"]


def test_a_template_of_a_group_cannot_be_removed() -> None:
    with run_with() as vmd:
        vmd.import_template()
        create(vmd, count=0)
        expect("io.vmctl.Conflict", vmd.call, "Template.Remove", template="tiny")
        vmd.do("Group.Remove", group="web")
        vmd.do("Template.Remove", template="tiny")


def test_the_same_request_scales_once() -> None:
    with run_with() as vmd:
        vmd.import_template()
        first = vmd.call("Group.Create", group="web", max=5, count=2, request_id="r1")
        assert vmd.call("Group.Create", group="web", max=5, count=2, request_id="r1") == first
        vmd.wait(first["operation"])
        scale = vmd.call("Group.Scale", group="web", count=3, request_id="r2")
        vmd.wait(scale["operation"])
        vmd.do("Group.Scale", group="web", count=1)
        assert vmd.call("Group.Scale", group="web", count=3, request_id="r2") == scale
        expect("io.vmctl.RequestMismatch", vmd.call, "Group.Scale", group="web", count=4, request_id="r2")
        wait_steady(vmd, 1)


# Members


def test_one_that_is_destroyed_by_hand_is_replaced() -> None:
    with run_with() as vmd:
        vmd.import_template()
        create(vmd, count=3, max=4)
        before = vmd.get("web-2")["id"]
        vmd.do("Instance.Destroy", instance="web-2")
        wait_steady(vmd, 3)
        assert before not in [row["id"] for row in vmd.list_all()] and len(names(vmd)) == 3


def test_one_that_is_stopped_by_hand_is_left_alone() -> None:
    with run_with() as vmd:
        vmd.import_template()
        create(vmd, count=2)
        before = vmd.get("web-1")["id"]
        vmd.do("Instance.Stop", instance="web-1", force=True)
        group = show(vmd)["group"]
        assert group["aside"] == 1 and group["up"] == 1 and group["state"] == "steady"
        vmd.do("Instance.Start", instance="web-1")
        assert vmd.get("web-1")["id"] == before and len(names(vmd)) == 2
        oracle.check_at_rest(vmd)


def test_decisions_are_events_with_their_figures() -> None:
    with run_with() as vmd:
        vmd.import_template()
        create(vmd, count=2)
        vmd.do("Group.Scale", group="web", count=1)
        told = [event["detail"] for event in vmd.events() if event["kind"] == "group_decision"]
        assert told == [
            "2 wanted, 0 up of 0: makes 2, removes 0 (0 too many, 0 dead, 0 sick, 0 outdated)",
            "1 wanted, 2 up of 2: makes 0, removes 1 (1 too many, 0 dead, 0 sick, 0 outdated)",
        ], told


# Failures


def test_a_template_that_never_boots_stops_the_group() -> None:
    with run_with({"rules": [{"method": "Start", "times": -1, "error": "HostFailed", "message": "no boot"}]}) as vmd:
        vmd.import_template()
        operation = end(vmd, "Group.Create", group="web", max=4, count=4)
        assert operation["state"] == "failed", operation
        assert operation["failure"]["error"] == "io.vmctl.HeldUp" and "no boot" in operation["failure"]["message"]
        wait_until(lambda: show(vmd)["group"]["failures"] >= 5, "the breaker to have tried again")
        group = show(vmd)["group"]
        assert group["members"] <= 4 and group["wanted"] == 4 and "no boot" in group["failure"]
        made = [event for event in vmd.events() if event["kind"] == "operation_started" and event["name"] != "web"]
        assert len(made) < 20, len(made)
        vmd.do("Group.Remove", group="web")
        oracle.check_at_rest(vmd)


def test_the_group_says_what_holds_it_up_and_goes_on_by_itself() -> None:
    rules = [{"method": "Start", "times": -1, "error": "HostFailed", "message": "no boot"}]
    with run_with({"rules": rules}) as vmd:
        vmd.import_template()
        vmd.call("Group.Create", group="web", max=4, count=4)
        shown = wait_until(
            lambda: (group := show(vmd)["group"])["state"] == "held_up" and group, "the group to be held up"
        )
        assert "failures in a row, the last: web-" in shown["reason"] and shown["open_until"] in shown["reason"]
        vmd.change_script({})
        wait_steady(vmd, 4)
        assert show(vmd)["group"]["failures"] == 0
        oracle.check_at_rest(vmd)


def test_some_failures_are_made_good() -> None:
    rules = [{"method": "Start", "after": 1, "times": 2, "error": "HostFailed", "message": "no"}]
    with run_with({"rules": rules}) as vmd:
        vmd.import_template()
        create(vmd, count=4)
        assert len(names(vmd)) == 4
        oracle.check_at_rest(vmd)


def test_one_whose_restart_fails_is_replaced() -> None:
    with run_with() as vmd:
        vmd.import_template()
        create(vmd, count=2, max=3)
        before = {row["id"] for row in vmd.list_all()}
        vmd.change_script({"rules": [{"method": "Start", "times": 1, "error": "HostFailed", "message": "no"}]})
        assert end(vmd, "Instance.Restart", instance="web-1", force=True)["state"] == "failed"
        wait_until(lambda: {row["id"] for row in vmd.list_all()} != before, "another member", 30)
        wait_steady(vmd, 2)
        oracle.check_at_rest(vmd)


def test_a_removal_goes_on_until_its_members_can_be_removed() -> None:
    rule = {"method": "Remove", "times": 3, "error": "HostFailed", "message": "busy"}
    with run_with({"rules": [rule]}) as vmd:
        vmd.import_template()
        create(vmd, count=1)
        removal = vmd.call("Group.Remove", group="web")["operation"]
        assert vmd.wait(removal, 30000)["state"] == "succeeded"
        destroys = [
            event
            for event in vmd.events()
            if event["kind"] == "operation_ended" and event["name"] == "web-1" and event["state"] == "failed"
        ]
        assert len(destroys) == 3 and names(vmd) == [], destroys
        oracle.check_at_rest(vmd)


# Health


SICK = {"rules": [{"method": "Sick", "times": -1}]}
QUICK = {"health": "tcp:80", "health_interval_ms": 100, "health_grace_ms": 0}


def test_a_probe_that_is_none_is_refused() -> None:
    with run_with() as vmd:
        vmd.import_template()
        error = expect("io.vmctl.InvalidParameter", vmd.call, "Group.Create", group="web", max=2, health="tcp:0")
        assert error["path"] == "parameters.health"


def test_a_member_is_up_once_it_answers() -> None:
    with run_with({"rules": [{"method": "Sick", "times": 4}]}) as vmd:
        vmd.import_template()
        create(vmd, count=1, **{**QUICK, "health_grace_ms": 60000})
        shown = show(vmd)
        assert shown["members"][0]["phase"] == "up" and shown["group"]["failures"] == 0


def test_a_sick_member_is_replaced() -> None:
    with run_with({"rules": [{"method": "Sick", "after": 1, "times": 3}]}) as vmd:
        vmd.import_template()
        create(vmd, count=1, **QUICK)
        before = {event["subject"] for event in vmd.events() if event["kind"] == "instance_state"}
        wait_until(lambda: [row["id"] for row in vmd.list_all() if row["id"] not in before], "another member", 90)
        wait_steady(vmd, 1)
        assert "1 sick" in str([event.get("detail") for event in vmd.events() if event["kind"] == "group_decision"])
        vmd.do("Group.Remove", group="web")
        oracle.check_at_rest(vmd)


def test_one_that_is_never_well_does_not_take_others_with_it() -> None:
    with run_with(SICK) as vmd:
        vmd.import_template()
        operation = end(vmd, "Group.Create", group="web", max=3, count=3, **QUICK)
        assert operation["failure"]["error"] == "io.vmctl.HeldUp", operation
        wait_until(lambda: show(vmd)["group"]["failures"] >= 4, "the breaker to have tried again", 90)
        assert show(vmd)["group"]["members"] <= 3
        made = [event for event in vmd.events() if event["kind"] == "operation_started" and event["name"] != "web"]
        assert len(made) < 30, len(made)
        vmd.change_script({})
        wait_steady(vmd, 3)


def test_health_is_asked_anew_after_a_kill() -> None:
    with run_with() as vmd:
        vmd.import_template()
        create(vmd, count=3, **QUICK)
        before = {row["id"] for row in vmd.list_all()}
        vmd.kill()
        vmd.start()
        wait_steady(vmd, 3)
        assert {row["id"] for row in vmd.list_all()} == before


def test_a_guest_that_answers_slowly_delays_no_query() -> None:
    with run_with({"rules": [{"method": "CheckHealth", "after": 2, "times": -1, "delay_ms": 20000}]}) as vmd:
        vmd.import_template()
        create(vmd, count=2, **QUICK)
        # Both are asked again all the while.
        until = time.monotonic() + 20 * QUICK["health_interval_ms"] / 1000
        while time.monotonic() < until:
            with vmd.connect(5) as connection:
                assert connection.call("io.vmctl.Host.ListForeign", host="local")["domains"] == []


# Rolling updates


def import_two(vmd: Vmd) -> None:
    vmd.import_template("tiny")
    vmd.import_template("other")


def templates(vmd: Vmd) -> list[str]:
    return sorted(row["template"] for row in vmd.list_all())


def test_an_update_replaces_all_in_batches() -> None:
    with run_with() as vmd:
        import_two(vmd)
        create(vmd, template="tiny", count=5, max=6)
        vmd.do("Group.Update", group="web", template="other", batch=2, max_unavailable=1)
        assert templates(vmd) == ["other:1"] * 5
        group = show(vmd)["group"]
        assert group["template"] == "other:1" and group["previous_template"] == "tiny:1" and not group["rolling"]
        vmd.do("Group.Update", group="web", rollback=True, batch=3, max_unavailable=3)
        assert templates(vmd) == ["tiny:1"] * 5
        oracle.check_at_rest(vmd)


def test_an_update_keeps_all_but_one_up() -> None:
    with run_with({"rules": [{"method": "Start", "times": -1, "delay_ms": 30}]}) as vmd:
        import_two(vmd)
        create(vmd, template="tiny", count=4, max=4)
        least = 4
        operation = vmd.call("Group.Update", group="web", template="other")["operation"]
        while vmd.call("Operation.Get", operation=operation)["operation"]["state"] in ("queued", "running"):
            group = show(vmd)["group"]
            least = min(least, group["up"])
            assert group["members"] <= 4
        assert least == 3 and templates(vmd) == ["other:1"] * 4


def test_an_update_halts_at_a_batch_that_is_not_well() -> None:
    with run_with() as vmd:
        import_two(vmd)
        create(vmd, template="tiny", count=4, max=4, **QUICK)
        vmd.change_script({"rules": [{"method": "Start", "times": -1, "error": "HostFailed", "message": "no boot"}]})
        operation = end(vmd, "Group.Update", group="web", template="other")
        assert operation["state"] == "failed" and "no boot" in operation["failure"]["message"], operation
        group = show(vmd)["group"]
        assert group["halted"] and group["state"] == "held_up" and "halted" in group["reason"]
        assert templates(vmd) == ["tiny:1"] * 3
        vmd.change_script({})
        vmd.do("Group.Update", group="web", rollback=True)
        assert templates(vmd) == ["tiny:1"] * 4 and not show(vmd)["group"]["halted"]
        oracle.check_at_rest(vmd)


def test_what_halted_can_go_on() -> None:
    with run_with() as vmd:
        import_two(vmd)
        create(vmd, template="tiny", count=2)
        vmd.change_script({"rules": [{"method": "Start", "times": -1, "error": "HostFailed", "message": "no boot"}]})
        assert end(vmd, "Group.Update", group="web", template="other")["state"] == "failed"
        vmd.change_script({})
        vmd.do("Group.Update", group="web")
        assert templates(vmd) == ["other:1"] * 2
        error = expect("io.vmctl.InvalidParameter", vmd.call, "Group.Update", group="web")
        assert error["path"] == "parameters.template"


def test_one_that_is_removed_during_an_update_is_gone_for_good() -> None:
    with run_with() as vmd:
        import_two(vmd)
        for _ in range(2):
            create(vmd, template="tiny", count=2, max=3)
            update = vmd.call("Group.Update", group="web", template="other")["operation"]
            vmd.do("Group.Remove", group="web")
            assert vmd.wait(update)["state"] == "cancelled"
        vmd.kill()
        vmd.start()
        assert vmd.call("Group.List")["groups"] == []
        oracle.check_at_rest(vmd)


def test_an_update_that_ended_is_not_under_way_after_a_kill() -> None:
    with run_with() as vmd:
        import_two(vmd)
        create(vmd, template="tiny", count=1)
        vmd.do("Group.Update", group="web", template="other")
        vmd.kill()
        vmd.start()
        assert "operation" not in show(vmd)["group"], show(vmd)["group"]


def test_a_scale_during_an_update_and_kills_end_in_both() -> None:
    with run_with({"rules": [{"method": "Start", "times": -1, "delay_ms": 30}]}) as vmd:
        import_two(vmd)
        create(vmd, template="tiny", count=4, max=8)
        kill_during(vmd, "Group.Update", {"group": "web", "template": "other"}, 4)
        kill_during(vmd, "Group.Scale", {"group": "web", "count": 6}, 3)
        wait_steady(vmd, 6)
        assert templates(vmd) == ["other:1"] * 6
        oracle.check_at_rest(vmd)


# By itself


EAGER = {"cooldown_out_ms": 0, "cooldown_in_ms": 0}


def decisions(vmd: Vmd) -> list[str]:
    told = [event["detail"] for event in vmd.events() if event["kind"] == "group_decision"]
    return [detail for detail in told if detail.startswith("from ")]


def test_a_pushed_value_moves_the_group_and_says_why() -> None:
    with run_with() as vmd:
        vmd.import_template()
        create(vmd, min=1, max=8, count=2)
        vmd.call("Group.Autoscale", group="web", metric="50", **EAGER)
        vmd.call("Group.Metric", group="web", value="100")
        wait_steady(vmd, 4)
        vmd.call("Group.Metric", group="web", value="12.5")
        wait_steady(vmd, 1)
        assert decisions(vmd) == [
            "from 2 to 4: metric 100, target 50, 2 up, 4 needed",
            "from 4 to 1: metric 12.5, target 50, 4 up, 1 needed",
        ], decisions(vmd)
        oracle.check_at_rest(vmd)


def test_a_step_and_a_rest_are_kept() -> None:
    with run_with() as vmd:
        vmd.import_template()
        create(vmd, max=20, count=2)
        vmd.call("Group.Autoscale", group="web", metric="1", step_out=3)
        vmd.call("Group.Metric", group="web", value="100")
        wait_steady(vmd, 5)
        vmd.call("Group.Metric", group="web", value="100")
        plan = vmd.call("Group.Plan", group="web")
        assert plan["wanted"] == plan["decided"] == 5 and plan["makes"] == 0 and "it cools down" in plan["why"], plan


def test_a_group_goes_to_nobody_and_comes_back() -> None:
    with run_with() as vmd:
        vmd.import_template()
        create(vmd, min=0, max=4, count=2)
        vmd.call("Group.Autoscale", group="web", metric="10", **EAGER)
        vmd.call("Group.Metric", group="web", value="0")
        wait_steady(vmd, 0)
        vmd.call("Group.Metric", group="web", value="7")
        wait_steady(vmd, 1)


def test_a_group_without_room_for_all_can_still_go_to_fewer() -> None:
    with Vmd(quota={"instances": 3}, group=HASTY) as vmd:
        vmd.import_template()
        create(vmd, max=10, count=2)
        vmd.call("Group.Autoscale", group="web", metric="50", step_out=8, **EAGER)
        vmd.call("Group.Metric", group="web", value="1000")
        wait_until(lambda: show(vmd)["group"]["state"] == "held_up" and len(names(vmd)) == 3, "the quota to be full")
        assert show(vmd)["group"]["wanted"] == 10
        vmd.call("Group.Scale", group="web", count=6)
        assert show(vmd)["group"]["wanted"] == 6
        expect("io.vmctl.QuotaExceeded", vmd.call, "Group.Scale", group="web", count=8)
        wait_until(lambda: show(vmd)["group"]["up"] == 3, "three to be up")
        vmd.call("Group.Metric", group="web", value="30")
        wait_steady(vmd, 2)
        assert decisions(vmd)[-1] == "from 6 to 2: metric 30, target 50, 3 up, 2 needed", decisions(vmd)


def test_processors_that_are_busy_move_the_group() -> None:
    # A guest of the fake host is busy for a quarter of its time.
    with run_with(metering={"tick_seconds": 1}) as vmd:
        vmd.import_template()
        create(vmd, min=1, max=4, count=1)
        vmd.call("Group.Autoscale", group="web", cpu="10", **EAGER)
        wait_steady(vmd, 4)
        vmd.call("Group.Autoscale", group="web", cpu="80", **EAGER)
        wait_steady(vmd, 1)
        assert all(": cpu " in told for told in decisions(vmd)), decisions(vmd)


def test_a_schedule_says_how_many() -> None:
    with run_with() as vmd:
        vmd.import_template()
        create(vmd, min=1, max=8, count=1)
        vmd.call("Group.Autoscale", group="web", schedule={"daily": "3"})
        wait_steady(vmd, 3)
        vmd.do("Group.Scale", group="web", count=2)
        assert show(vmd)["group"]["wanted"] == 2
        assert decisions(vmd) == ["from 1 to 3: the schedule says 3"]


def test_what_is_no_rule_is_refused_and_changes_nothing() -> None:
    with run_with() as vmd:
        vmd.import_template()
        create(vmd, count=0)
        for path, parameters in (
            ("parameters.cpu", {}),
            ("parameters.metric", {"cpu": "50", "metric": "50"}),
            ("parameters.target", {"cpu": "101"}),
            ("parameters.target", {"metric": "0"}),
            ("parameters.cpu", {"cpu": "1e2"}),
            ("parameters.schedule", {"schedule": {"25:00": "3"}}),
            ("parameters.schedule", {"schedule": {"08:00": "many"}}),
        ):
            error = expect("io.vmctl.InvalidParameter", vmd.call, "Group.Autoscale", group="web", **parameters)
            assert error["path"] == path, (parameters, error)
        error = expect("io.vmctl.InvalidParameter", vmd.call, "Group.Metric", group="web", value="-1")
        assert error["path"] == "parameters.value"
        assert "scaling" not in show(vmd)["group"]


def test_what_it_was_told_is_kept_over_a_kill() -> None:
    with run_with() as vmd:
        vmd.import_template()
        create(vmd, max=8, count=1)
        vmd.call("Group.Autoscale", group="web", metric="10", **EAGER)
        vmd.kill()
        vmd.start()
        wait_steady(vmd, 1)
        vmd.call("Group.Metric", group="web", value="30")
        wait_steady(vmd, 3)
        vmd.call("Group.Autoscale", group="web", off=True)
        vmd.call("Group.Metric", group="web", value="90")
        assert "does not scale by itself" in vmd.call("Group.Plan", group="web")["why"]


# Races


def test_of_two_scalers_the_later_is_right() -> None:
    with run_with({"rules": [{"method": "Start", "times": -1, "delay_ms": 30}]}) as vmd:
        vmd.import_template()
        create(vmd, count=1)
        ended: list[dict[str, Any]] = []

        def scale(counts: list[int]) -> None:
            ended.extend(end(vmd, "Group.Scale", group="web", count=count) for count in counts)

        scalers = [threading.Thread(target=scale, args=([9, 2, 7, 3],)), threading.Thread(target=scale, args=([1, 12, 4],))]
        for scaler in scalers:
            scaler.start()
        for scaler in scalers:
            scaler.join()
        assert {operation["state"] for operation in ended} <= {"succeeded", "cancelled"}, ended
        wanted = show(vmd)["group"]["wanted"]
        assert wanted in (3, 4)
        wait_steady(vmd, wanted)
        assert len(names(vmd)) == wanted
        oracle.check_at_rest(vmd)


def test_a_removal_during_scale_out_leaves_nothing() -> None:
    with run_with({"rules": [{"method": "Start", "times": -1, "delay_ms": 50}]}) as vmd:
        vmd.import_template()
        create(vmd, count=1)
        scale = vmd.call("Group.Scale", group="web", count=12)["operation"]
        vmd.do("Group.Remove", group="web")
        assert vmd.wait(scale)["state"] == "cancelled"
        assert names(vmd) == [] and vmd.call("Group.List")["groups"] == []
        oracle.check_at_rest(vmd)


def test_members_that_had_not_begun_to_be_made_are_taken_back() -> None:
    with run_with(daemon={"operations_side_by_side": 2}) as vmd:
        vmd.import_template()
        create(vmd, max=40, count=0)
        for count in (40, 0, 40, 3):
            vmd.call("Group.Scale", group="web", count=count)
        wait_steady(vmd, 3)
        assert len(names(vmd)) == 3
        vmd.kill()
        vmd.start()
        # What was seen last may not have been on disk yet.
        wait_steady(vmd, 3)
        assert len(names(vmd)) == 3
        oracle.check_at_rest(vmd)


def test_members_in_any_state_stay_below_the_most() -> None:
    with run_with({"rules": [{"method": "Remove", "times": -1, "delay_ms": 100}]}) as vmd:
        vmd.import_template()
        create(vmd, count=4, max=4)
        most = [0]
        done = threading.Event()

        def watch() -> None:
            while not done.is_set():
                most[0] = max(most[0], len(vmd.list_all()))

        watcher = threading.Thread(target=watch)
        watcher.start()
        for count in (1, 4, 2, 4):
            end(vmd, "Group.Scale", group="web", count=count)
        done.set()
        watcher.join()
        assert most[0] == 4
        oracle.check_at_rest(vmd)


# Kills


def kill_during(vmd: Vmd, method: str, parameters: dict[str, Any], seen: int) -> None:
    """Asks for a change, and kills vmd when so many events were told since."""
    before = len(vmd.events())
    vmd.call(method, **parameters)
    wait_until(lambda: len(vmd.events()) >= before + seen, "events")
    vmd.kill()
    vmd.start()


def test_a_kill_during_scale_out_neither_loses_nor_doubles() -> None:
    with run_with({"rules": [{"method": "CreateDisk", "times": -1, "delay_ms": 20}]}) as vmd:
        vmd.import_template()
        create(vmd, count=1)
        for seen, count in ((1, 6), (9, 11), (20, 16)):
            kill_during(vmd, "Group.Scale", {"group": "web", "count": count}, seen)
            wait_steady(vmd, count)
            assert len(names(vmd)) == count
        oracle.check_at_rest(vmd)


def test_a_kill_during_scale_in_and_removal_leaves_no_orphan() -> None:
    with run_with({"rules": [{"method": "Remove", "times": -1, "delay_ms": 20}]}) as vmd:
        vmd.import_template()
        create(vmd, count=9)
        kill_during(vmd, "Group.Scale", {"group": "web", "count": 3}, 4)
        wait_steady(vmd, 3)
        kill_during(vmd, "Group.Remove", {"group": "web"}, 3)
        wait_until(lambda: vmd.call("Group.List")["groups"] == [], "the group to be gone")
        assert names(vmd) == []
        oracle.check_at_rest(vmd)


def test_an_operation_on_a_group_goes_on_after_a_kill() -> None:
    with run_with({"rules": [{"method": "Start", "times": -1, "delay_ms": 300}]}) as vmd:
        vmd.import_template()
        operation = vmd.call("Group.Create", group="web", max=5, count=3)["operation"]
        vmd.kill()
        vmd.start()
        assert vmd.wait(operation)["state"] == "succeeded"
        assert names(vmd) == ["web-1", "web-2", "web-3"]


# The command line


def test_the_commands_say_what_came_of_it() -> None:
    with run_with() as vmd:
        vmd.import_template()

        def vmctl(*words: str, status: int = 0) -> str:
            return cli.run(vmd.socket, *words, status=status).stdout

        assert vmctl("group", "create", "web", "--max", "4", "--count", "2", "--cpus", "1").startswith("web: done (")
        assert vmctl("group", "scale", "web", "3").startswith("web: done (")
        shown = vmctl("group", "show", "web")
        assert "WANTED" in shown and "web-3" in shown and "MEMBER" in shown
        assert len(json.loads(vmctl("group", "show", "web", "-o", "json"))["members"]) == 3
        assert vmctl("group", "list", "-o", "name").split() == ["web"]
        assert vmctl("list", "-o", "csv").count(",web,") >= 3
        assert "whole number" in cli.run(vmd.socket, "group", "scale", "web", "many", status=2).stderr
        assert "wants NAME N" in cli.run(vmd.socket, "group", "scale", "web", status=2).stderr
        assert "--yes" in cli.run(vmd.socket, "group", "remove", "web", status=2).stderr
        assert vmctl("group", "remove", "web", "--yes").startswith("web: done (")


def test_the_decision_for_two_hundred_is_quick() -> None:
    with run_with(keep_domains=False) as vmd, vmd.connect() as connection:
        vmd.import_template()
        create(vmd, count=0, max=300)
        operation = connection.call("io.vmctl.Group.Scale", group="web", count=200)["operation"]
        assert show(vmd)["group"]["members"] == 200
        try:
            assert vmd.wait(operation)["state"] == "succeeded"
        except VarlinkError as error:
            raise AssertionError(show(vmd)["group"]) from error
        vmd.do("Group.Remove", group="web")


tap.main(globals())
