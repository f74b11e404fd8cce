#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who may see and do what, and how much."""

import array
import contextlib
import grp
import json
import os
import re
import socket
import time

from lib import oracle, tap
from lib.daemon import GIB, Vmd
from lib.served import read_methods
from lib.tap import expect, wait_until
from lib.uids import child_as
from lib.varlink import Connection, VarlinkError

ALICE, BOB, NOBODY = 12345, 12346, 65534

# A group that is there wherever there is root; members are made by setgroups().
READERS = grp.getgrnam("games").gr_gid

shared = Vmd(daemon={"reader_group": "games"}, quota={"instances": 5, "vcpus": 20, "memory": "8G", "disk": "20G"})


def answer(calls: tuple[tuple[str, dict], ...]) -> list[dict]:
    """What vmd answers to these calls on one connection; to none, what it says by itself."""
    answers = []
    with Connection(shared.socket) as connection:
        if not calls:
            return [connection.receive_raw()]
        for method, parameters in calls:
            try:
                answers.append({"reply": connection.call(method, **parameters)})
            except VarlinkError as error:
                answers.append({"error": error.name, "parameters": error.parameters})
    return answers


def call_as(uid: int, *calls: tuple[str, dict], groups: tuple[int, ...] = ()) -> list[dict]:
    """Makes calls on one connection as another uid, in a child that is nothing else."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setgroups(groups)
            os.setgid(uid)
            os.setuid(uid)
            os.write(writer, json.dumps(answer(calls)).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    assert status == 0, f"the calls as uid {uid} failed"
    return json.loads(text)


def create_as(uid: int, name: str) -> str:
    (reply,) = call_as(uid, ("io.vmctl.Instance.Create", {"name": name}))
    accepted = reply["reply"]["instances"][0]
    assert shared.wait(accepted["operation"])["state"] == "succeeded"
    return accepted["instance"]


def test_a_uid_is_its_own_tenant() -> None:
    (reply,) = call_as(ALICE, ("io.vmctl.WhoAmI", {}))
    assert reply["reply"] == {"uid": ALICE, "tenant": f"u{ALICE}", "role": "tenant_admin", "rights": []}


def test_another_tenants_instance_is_the_same_bytes_as_an_absent_one() -> None:
    hidden = create_as(ALICE, "hidden")
    absent = "00000000-0000-4000-8000-000000000000"
    methods = ["Get", "Start", "Stop", "Restart", "Pause", "Resume", "Destroy", "Log"]
    calls = [(f"io.vmctl.Instance.{method}", {}) for method in methods]
    calls += [("io.vmctl.Instance.Resize", {"vcpus": 2}), ("io.vmctl.Instance.Wait", {"until": "ready"})]
    for method, more in calls:
        answers = call_as(BOB, (method, {"instance": hidden, **more}), (method, {"instance": absent, **more}))
        texts = [json.dumps(answer).replace(hidden, "X").replace(absent, "X") for answer in answers]
        assert texts[0] == texts[1] and answers[0]["error"] == "io.vmctl.NotFound", (method, answers)
    (by_name,) = call_as(BOB, ("io.vmctl.Instance.Get", {"instance": "hidden"}))
    assert by_name["error"] == "io.vmctl.NotFound"
    assert shared.get(hidden)["state"] == "running"
    shared.do("Instance.Destroy", instance=hidden)


def test_lists_events_and_operations_show_only_ones_own() -> None:
    create_as(ALICE, "mine")
    answers = call_as(
        BOB,
        ("io.vmctl.Instance.List", {}),
        ("io.vmctl.Operation.List", {}),
        ("io.vmctl.Event.Read", {"after": 0, "limit": 500}),
        ("io.vmctl.Instance.List", {"tenant": f"u{ALICE}"}),
        ("io.vmctl.Instance.List", {"tenant": "nobody"}),
    )
    assert answers[0]["reply"]["instances"] == []
    assert answers[1]["reply"]["operations"] == []
    assert answers[2]["reply"]["events"] == []
    assert answers[3]["error"] == answers[4]["error"] == "io.vmctl.NotFound"
    (own,) = call_as(ALICE, ("io.vmctl.Instance.List", {}))
    assert [row["name"] for row in own["reply"]["instances"]] == ["mine"]
    assert [row["name"] for row in shared.call("Instance.List", tenant=f"u{ALICE}")["instances"]] == ["mine"]
    shared.do("Instance.Destroy", instance="mine", tenant=f"u{ALICE}")


def test_a_template_tells_of_ones_own_instances() -> None:
    create_as(ALICE, "mine")
    calls = (("io.vmctl.Template.List", {}), ("io.vmctl.Template.Get", {"template": "tiny"}))
    for uid, groups, count in ((ALICE, (), 1), (BOB, (), 0), (BOB, (READERS,), 1), (0, (), 1)):
        listed, got = call_as(uid, *calls, groups=groups)
        (row,) = [row for row in listed["reply"]["templates"] if row["name"] == "tiny"]
        assert row["instances"] == got["reply"]["template"]["instances"] == count, (uid, groups, row, got)
    shared.do("Instance.Destroy", instance="mine", tenant=f"u{ALICE}")


def test_where_a_template_is_only_an_admin_is_told() -> None:
    calls = (("io.vmctl.Template.List", {}), ("io.vmctl.Template.Get", {"template": "tiny"}))
    for uid, groups, hosts in ((BOB, (), None), (BOB, (READERS,), ["local"]), (0, (), ["local"])):
        listed, got = call_as(uid, *calls, groups=groups)
        rows = [row for row in listed["reply"]["templates"] if row["name"] == "tiny"] + [got["reply"]["template"]]
        assert [row.get("hosts") for row in rows] == [hosts, hosts], (uid, groups, rows)


def test_what_needs_an_admin_is_denied_to_others() -> None:
    calls = [
        ("io.vmctl.Host.List", {}),
        ("io.vmctl.Template.Import", {"source": "tiny"}),
        ("io.vmctl.Template.Remove", {"template": "tiny"}),
        ("io.vmctl.Ledger.Read", {"after": 0}),
        ("io.vmctl.WhoAmI", {"uid": 0}),
    ]
    for answer in call_as(BOB, *calls):
        assert answer["error"] == "io.vmctl.PermissionDenied" and answer["parameters"]["needs"] == "admin"


def test_a_reader_sees_all_and_changes_nothing() -> None:
    hidden = create_as(ALICE, "seen")
    reads = (
        ("io.vmctl.Instance.Get", {"instance": hidden}),
        ("io.vmctl.Ledger.Read", {"after": 0}),
        ("io.vmctl.WhoAmI", {"uid": ALICE}),
        ("io.vmctl.Host.List", {}),
    )
    changes = (
        ("io.vmctl.Instance.Destroy", {"instance": hidden}),
        ("io.vmctl.Instance.Create", {"name": "own"}),
        ("io.vmctl.Template.Import", {"source": "tiny"}),
    )
    for answer in call_as(BOB, *reads, groups=(READERS,)):
        assert "reply" in answer, answer
    for answer in call_as(BOB, *changes, groups=(READERS,)):
        assert answer["error"] == "io.vmctl.PermissionDenied", answer
    assert call_as(BOB, reads[0], groups=(READERS + 1,))[0]["error"] == "io.vmctl.NotFound"
    (admin,) = call_as(0, ("io.vmctl.Instance.Get", {"instance": hidden}), groups=(READERS,))
    assert admin["reply"]["instance"]["state"] == "running"
    shared.do("Instance.Destroy", instance=hidden)


def test_nobody_is_refused() -> None:
    (refusal,) = call_as(NOBODY)
    assert refusal["error"] == "io.vmctl.PermissionDenied"


def test_two_tenants_may_use_the_same_name() -> None:
    first, second = create_as(ALICE, "web"), create_as(BOB, "web")
    assert first != second
    for instance in (first, second):
        shared.do("Instance.Destroy", instance=instance)


def test_a_refusal_tells_used_asked_and_limit() -> None:
    error = expect("io.vmctl.QuotaExceeded", shared.call, "Instance.Create", vcpus=21)
    assert {key: error[key] for key in ("resource", "used", "asked", "limit")} == {
        "resource": "vcpus",
        "used": 0,
        "asked": 21,
        "limit": 20,
    }


def test_a_resize_is_held_to_the_quota() -> None:
    shared.create(name="big", vcpus=20)
    error = expect("io.vmctl.QuotaExceeded", shared.call, "Instance.Resize", instance="big", vcpus=21)
    assert error["asked"] == 1 and error["used"] == 20
    expect("io.vmctl.QuotaExceeded", shared.call, "Instance.Resize", instance="big", disk_bytes=21 * GIB)
    shared.do("Instance.Destroy", instance="big")


# Every method that is served, and what a tenant gets of it: "own" asks for a thing of one's own, "absent" for one that
# nobody has.  The others need nothing, or an admin.
ON_INSTANCES = {
    "Instance.Get": {},
    "Instance.Start": {},
    "Instance.Stop": {},
    "Instance.Restart": {},
    "Instance.Pause": {},
    "Instance.Resume": {},
    "Instance.Resize": {"vcpus": 2},
    "Instance.Destroy": {},
    "Instance.Log": {},
    "Instance.Wait": {"until": "ready", "timeout_ms": 0},
}
ON_GROUPS = {
    "Group.Get": {},
    "Group.Scale": {"count": 1},
    "Group.Update": {"template": "tiny"},
    "Group.Autoscale": {"cpu": "50"},
    "Group.Metric": {"value": "1"},
    "Group.Plan": {},
    "Group.Remove": {},
}
ON_OPERATIONS = {"Operation.Get": {}, "Operation.Cancel": {}, "Operation.Wait": {"timeout_ms": 0}}
FOR_ADMINS = {
    "Host.List": {},
    "Host.Get": {"host": "local"},
    "Host.ListForeign": {"host": "local"},
    "Host.Drain": {"host": "local"},
    "Host.Undrain": {"host": "local"},
    "Host.Set": {"host": "local", "labels": {}},
    "Template.Import": {"source": "tiny"},
    "Template.Remove": {"template": "tiny"},
    "Ledger.GetHead": {},
    "Ledger.Read": {"after": 0},
    "Ledger.Note": {"topic": "recovered", "note": "{}", "follows": 0},
    "Audit.Run": {},
    "Audit.Collect": {},
    "Tenant.Create": {"tenant": "made"},
    "Tenant.Set": {"tenant": "made"},
    "Tenant.Disable": {"tenant": "made"},
    "Tenant.Enable": {"tenant": "made"},
    "Tenant.Remove": {"tenant": "made"},
    "Quota.Set": {"tenant": "made"},
    "Budget.Set": {"tenant": "made"},
    "Budget.Remove": {"tenant": "made"},
    "Budget.Tell": {"tenant": "made", "as_of": "2026-11-01T00:00:00Z"},
}
FOR_ALL = {
    "GetInfo": {},
    "Ping": {},
    "WhoAmI": {},
    "Instance.List": {},
    "Operation.List": {},
    "Group.List": {},
    "Template.List": {},
    "Template.Get": {"template": "tiny"},
    "Event.Read": {"after": 0},
    "Tenant.Get": {},
    "Quota.Get": {},
    "Budget.Get": {},
    "Budget.List": {},
    "Tenant.List": {},
    "Tenant.ListMembers": {},
    "Tenant.ListTokens": {},
}
# Those that change who acts for a tenant.
FOR_OWNERS = {
    "Session.Authenticate": {"secret": "x"},
    "Tenant.AddMember": {"kind": "uid", "id": 4242, "role": "viewer"},
    "Tenant.RemoveMember": {"kind": "uid", "id": 4242},
    "Tenant.CreateToken": {"name": "script", "role": "viewer", "request_id": "token"},
    "Tenant.RevokeToken": {"token": "script"},
}
# Those that can name a tenant: another one is as absent as one that is not.
WITH_TENANT = {
    **{method: {"instance": "x", **more} for method, more in ON_INSTANCES.items()},
    **{method: {"group": "x", **more} for method, more in ON_GROUPS.items() if method != "Group.Remove"},
    "Group.Create": {"group": "y", "max": 0},
    "Group.Remove": {"group": "y"},
    "Group.List": {},
    "Instance.Create": {"dry_run": True},
    "Instance.List": {},
    "Operation.List": {},
    "Event.Read": {"after": 0},
    "Tenant.Get": {},
    "Quota.Get": {},
    "Budget.Get": {},
    "WhoAmI": {},
    **{method: more for method, more in FOR_OWNERS.items() if method.startswith("Tenant.")},
    "Tenant.ListMembers": {},
    "Tenant.ListTokens": {},
}
ABSENT = "00000000-0000-4000-8000-000000000000"


def blank(answer: dict, *words: str) -> str:
    """An answer as text, with what was asked for taken out."""
    text = json.dumps(answer)
    for word in words:
        text = text.replace(word, "X")
    return text


def test_the_table_of_rights_has_every_method() -> None:
    served = set()
    with shared.connect() as connection:
        for interface in connection.call("org.varlink.service.GetInfo")["interfaces"]:
            text = connection.call("org.varlink.service.GetInterfaceDescription", interface=interface)["description"]
            if interface.startswith("io.vmctl"):
                prefix = interface.removeprefix("io.vmctl").removeprefix(".")
                served |= {f"{prefix}.{name}".lstrip(".") for name in re.findall(r"^method (\w+)", text, re.MULTILINE)}
    table = {*ON_INSTANCES, *ON_GROUPS, *ON_OPERATIONS, *FOR_ADMINS, *FOR_ALL, *FOR_OWNERS, "Instance.Create", "Group.Create"}
    assert served == table, served ^ table


def test_every_method_that_all_may_call_answers_a_tenant() -> None:
    shared.call("Tenant.Create", tenant=f"u{BOB}")
    shared.call("Budget.Set", tenant=f"u{BOB}", amount="1000", currency="EUR")
    answers = call_as(BOB, *((f"io.vmctl.{method}", more) for method, more in FOR_ALL.items()))
    for method, answer in zip(FOR_ALL, answers):
        assert "reply" in answer, (method, answer)


def test_every_method_for_admins_is_denied_to_a_tenant_before_its_parameters_are_read() -> None:
    answers = call_as(BOB, *((f"io.vmctl.{method}", {"nonsense": 1}) for method in FOR_ADMINS))
    for method, answer in zip(FOR_ADMINS, answers):
        assert answer["error"] == "io.vmctl.PermissionDenied", (method, answer)


def test_another_tenants_operation_is_the_same_bytes_as_an_absent_one() -> None:
    create_as(ALICE, "busy")
    (rows,) = call_as(ALICE, ("io.vmctl.Operation.List", {}))
    hidden = rows["reply"]["operations"][0]["id"]
    for method, more in ON_OPERATIONS.items():
        for who, sees in ((BOB, False), (ALICE, True)):
            others, absent = call_as(
                who,
                (f"io.vmctl.{method}", {"operation": hidden, **more}),
                (f"io.vmctl.{method}", {"operation": ABSENT, **more}),
            )
            assert absent["error"] == "io.vmctl.NotFound", (method, absent)
            assert (blank(others, hidden) == blank(absent, ABSENT)) != sees, (method, who, others, absent)
    shared.do("Instance.Destroy", instance="busy", tenant=f"u{ALICE}")


def test_another_tenants_group_is_the_same_bytes_as_an_absent_one() -> None:
    (made,) = call_as(ALICE, ("io.vmctl.Group.Create", {"group": "hidden", "max": 2}))
    assert shared.wait(made["reply"]["operation"])["state"] == "succeeded"
    hidden = shared.call("Group.Get", group="hidden", tenant=f"u{ALICE}")["group"]["id"]
    for method, more in ON_GROUPS.items():
        for who, sees in ((BOB, False), (ALICE, True)):
            others, absent = call_as(
                who,
                (f"io.vmctl.{method}", {"group": hidden, **more}),
                (f"io.vmctl.{method}", {"group": ABSENT, **more}),
            )
            assert absent["error"] == "io.vmctl.NotFound", (method, absent)
            assert (blank(others, hidden) == blank(absent, ABSENT)) != sees, (method, who, others, absent)
    (listed,) = call_as(BOB, ("io.vmctl.Group.List", {}))
    assert listed["reply"] == {"groups": []}, listed
    wait_until(lambda: shared.call("Group.List", tenant=f"u{ALICE}")["groups"] == [], "the group to be gone")


def test_another_tenant_is_the_same_bytes_as_an_absent_one() -> None:
    create_as(ALICE, "x")
    for method, more in WITH_TENANT.items():
        others, absent, own = call_as(
            BOB,
            (f"io.vmctl.{method}", {**more, "tenant": f"u{ALICE}"}),
            (f"io.vmctl.{method}", {**more, "tenant": "u99999"}),
            (f"io.vmctl.{method}", {**more, "tenant": f"u{BOB}"}),
        )
        assert blank(others, f"u{ALICE}") == blank(absent, "u99999"), (method, others, absent)
        assert "error" in others, (method, others)
        assert "reply" in own or own["parameters"].get("kind") in ("instance", "group"), (method, own)
    assert shared.call("Instance.Get", instance="x", tenant=f"u{ALICE}")["instance"]["state"] == "running"
    shared.do("Instance.Destroy", instance="x", tenant=f"u{ALICE}")


def events_of(tenant: str) -> list[tuple[str, int]]:
    kinds = [event for event in shared.events() if event.get("tenant") == tenant]
    return [(event["kind"], event["uid"]) for event in kinds if event["kind"].startswith("tenant_")]


def test_a_tenant_is_made_set_and_shown() -> None:
    made = {"tenant": "shop", "display_name": "The shop", "labels": {"team": "web"}, "when_disabled": "keep"}
    first = shared.call("Tenant.Create", **made)["tenant"]
    assert (first["state"], first["instances"], first["labels"]) == ("enabled", 0, {"team": "web"})
    assert shared.call("Tenant.Create", **made)["tenant"] == first
    expect("io.vmctl.AlreadyExists", shared.call, "Tenant.Create", tenant="shop")
    set_to = shared.call("Tenant.Set", tenant="shop", labels={"team": "ops"}, when_disabled="stop")["tenant"]
    assert (set_to["display_name"], set_to["labels"], set_to["when_disabled"]) == ("The shop", {"team": "ops"}, "stop")
    assert shared.call("Tenant.Get", tenant="shop")["tenant"] == set_to
    assert "shop" in [row["name"] for row in shared.call("Tenant.List")["tenants"]]
    assert events_of("shop") == [("tenant_created", 0), ("tenant_set", 0)]


def test_what_is_no_tenant_is_not_changed() -> None:
    for method in ("Set", "Disable", "Enable", "Remove"):
        more = {"display_name": "x"} if method == "Set" else {}
        expect("io.vmctl.NotFound", shared.call, f"Tenant.{method}", tenant="nobody", **more)
    expect("io.vmctl.InvalidParameter", shared.call, "Tenant.Create", tenant="No Name")
    before = shared.call("GetInfo")["seq"]
    shared.call("Tenant.Set", tenant="default")
    shared.call("Quota.Set", tenant="default")
    assert shared.call("GetInfo")["seq"] == before


def test_tenants_are_listed_in_pages() -> None:
    names, page = [], {"next": None}
    while "next" in page:
        page = shared.call("Tenant.List", after=page["next"], limit=1)
        names += [row["name"] for row in page["tenants"]]
    assert names == sorted(names) and names == [row["name"] for row in shared.call("Tenant.List")["tenants"]]


def test_a_disabled_tenant_changes_nothing_and_is_stopped() -> None:
    own = f"u{ALICE}"
    runs = create_as(ALICE, "runs")
    shown = shared.call("Tenant.Disable", tenant=own, reason="not paid")["tenant"]
    assert (shown["state"], shown["reason"]) == ("disabled", "not paid")
    wait_until(lambda: shared.get(runs)["state"] == "stopped", "the instance to be stopped")
    changes = (
        ("io.vmctl.Instance.Create", {}),
        ("io.vmctl.Instance.Start", {"instance": runs}),
        ("io.vmctl.Instance.Destroy", {"instance": runs}),
        ("io.vmctl.Instance.Resize", {"instance": runs, "vcpus": 2}),
        ("io.vmctl.Group.Create", {"group": "late", "max": 1}),
        ("io.vmctl.Tenant.AddMember", {"kind": "uid", "id": BOB, "role": "viewer"}),
        ("io.vmctl.Tenant.RemoveMember", {"kind": "uid", "id": BOB}),
        ("io.vmctl.Tenant.CreateToken", {"name": "late", "role": "viewer"}),
        ("io.vmctl.Tenant.RevokeToken", {"token": "late"}),
    )
    says = {method.name: method.fails for method in read_methods(shared.socket)}
    for (method, _), answer in zip(changes, call_as(ALICE, *changes)):
        assert answer["error"] == "io.vmctl.IllegalState" and answer["parameters"]["state"] == "disabled", answer
        assert "not paid" in answer["parameters"]["message"]
        assert answer["error"] in says[method], method
    (seen,) = call_as(ALICE, ("io.vmctl.Instance.Get", {"instance": runs}))
    assert seen["reply"]["instance"]["state"] == "stopped"
    expect("io.vmctl.IllegalState", shared.call, "Instance.Start", instance=runs)
    assert shared.call("Tenant.Enable", tenant=own)["tenant"]["state"] == "enabled"
    (started,) = call_as(ALICE, ("io.vmctl.Instance.Start", {"instance": runs}))
    assert shared.wait(started["reply"]["operation"])["state"] == "succeeded"
    shared.call("Tenant.Set", tenant=own, when_disabled="keep")
    shared.call("Tenant.Disable", tenant=own)
    shared.do("Instance.Stop", instance=runs)
    shared.do("Instance.Destroy", instance=runs)
    shared.call("Tenant.Enable", tenant=own)


def test_the_policy_keeps_what_runs() -> None:
    shared.call("Tenant.Create", tenant="kept", when_disabled="keep")
    accepted = shared.call("Instance.Create", name="on", tenant="kept")["instances"][0]
    shared.wait(accepted["operation"])
    shared.call("Tenant.Disable", tenant="kept")
    before = len(shared.call("Operation.List", tenant="kept")["operations"])
    shared.call("Tenant.Disable", tenant="kept", reason="again")
    assert len(shared.call("Operation.List", tenant="kept")["operations"]) == before
    assert shared.get(accepted["instance"])["state"] == "running"
    shared.do("Instance.Destroy", instance=accepted["instance"])


def test_a_tenant_that_owns_something_is_not_removed_and_its_name_is_never_anothers() -> None:
    shared.call("Tenant.Create", tenant="gone")
    accepted = shared.call("Instance.Create", name="last", tenant="gone")["instances"][0]
    assert expect("io.vmctl.IllegalState", shared.call, "Tenant.Remove", tenant="gone")["state"] == "in_use"
    shared.wait(accepted["operation"])
    shared.do("Instance.Destroy", instance="last", tenant="gone")
    shared.do("Group.Create", group="empty", max=1, tenant="gone")
    assert "1 groups" in expect("io.vmctl.IllegalState", shared.call, "Tenant.Remove", tenant="gone")["message"]
    shared.do("Group.Remove", group="empty", tenant="gone")
    assert shared.call("Tenant.Remove", tenant="gone", unbilled=True)["tenant"]["state"] == "removed"
    assert shared.call("Tenant.Remove", tenant="gone")["tenant"]["state"] == "removed"
    expect("io.vmctl.AlreadyExists", shared.call, "Tenant.Create", tenant="gone")
    expect("io.vmctl.NotFound", shared.call, "Instance.Create", tenant="gone")
    expect("io.vmctl.NotFound", shared.call, "Tenant.Get", tenant="gone")
    assert events_of("gone") == [("tenant_created", 0), ("tenant_removed", 0)]


def seal(month: str, **more: object) -> None:
    note = json.dumps({"period": month, "invoices": 0, "hash": "0" * 64, **more})
    head = shared.call("Ledger.GetHead")
    shared.call("Ledger.Note", topic="sealed", note=note, follows=head["note"])


def test_an_entry_that_the_books_could_not_read_is_refused() -> None:
    head = shared.call("Ledger.GetHead")["note"]
    for topic, note, wrong in (("test", "{}", "topic"), ("sealed", "", "note"), ("sealed", "{}", "note"),
                               ("card", '{"card": "c"}', "note"), ("recovered", '{"lost": "nine"}', "note")):
        error = expect("io.vmctl.InvalidParameter", shared.call, "Ledger.Note", topic=topic, note=note, follows=head)
        assert error["path"] == f"parameters.{wrong}", (topic, note, error)
    assert shared.call("Ledger.GetHead")["note"] == head


def test_a_tenant_that_is_still_to_be_billed_is_not_removed() -> None:
    shared.call("Tenant.Create", tenant="owes")
    accepted = shared.call("Instance.Create", name="last", tenant="owes")["instances"][0]
    shared.wait(accepted["operation"])
    shared.do("Instance.Destroy", instance="last", tenant="owes")
    month = time.strftime("%Y-%m", time.gmtime())
    assert shared.call("Tenant.Get", tenant="owes")["tenant"]["unbilled"] == month
    for other in ("2026-01", "z", "9999-13", month + "x"):
        seal(other)
    error = expect("io.vmctl.IllegalState", shared.call, "Tenant.Remove", tenant="owes")
    assert error["state"] == "unbilled" and month in error["message"], error
    shared.kill()
    shared.start()
    expect("io.vmctl.IllegalState", shared.call, "Tenant.Remove", tenant="owes")
    seal(month)
    assert "unbilled" not in shared.call("Tenant.Remove", tenant="owes")["tenant"]


def test_a_tenant_with_usage_that_had_no_price_is_not_removed_before_its_next_bill() -> None:
    for tenant in ("late", "kept-late"):
        shared.call("Tenant.Create", tenant=tenant)
    accepted = shared.call("Instance.Create", name="last", tenant="late")["instances"][0]
    shared.wait(accepted["operation"])
    shared.do("Instance.Destroy", instance="last", tenant="late")
    year = int(time.strftime("%Y", time.gmtime())) + 1
    seal(f"{year}-01", unpriced=["late", "kept-late", "who-is-not-there"])
    shared.kill()
    shared.start()
    for tenant in ("late", "kept-late"):
        error = expect("io.vmctl.IllegalState", shared.call, "Tenant.Remove", tenant=tenant)
        assert error["state"] == "unbilled" and f"{year}-01" in error["message"], error
    seal(f"{year}-02", unpriced=["late"])
    assert "unbilled" not in shared.call("Tenant.Remove", tenant="kept-late")["tenant"]
    error = expect("io.vmctl.IllegalState", shared.call, "Tenant.Remove", tenant="late")
    assert f"{year}-02" in error["message"], error
    seal(f"{year}-03")
    assert shared.call("Tenant.Remove", tenant="late")["tenant"]["state"] == "removed"


def test_a_tenant_may_do_everything_to_its_own() -> None:
    (created,) = call_as(ALICE, ("io.vmctl.Instance.Create", {"name": "own"}))
    shared.wait(created["reply"]["instances"][0]["operation"])
    for verb, more in (
        ("Get", {}),
        ("Wait", {"until": "ready"}),
        ("Pause", {}),
        ("Resume", {}),
        ("Resize", {"vcpus": 2}),
        ("Restart", {}),
        ("Stop", {}),
        ("Start", {}),
        ("Log", {}),
        ("Destroy", {}),
    ):
        (answer,) = call_as(ALICE, (f"io.vmctl.Instance.{verb}", {"instance": "own", **more}))
        assert "reply" in answer, (verb, answer)
        if "operation" in answer["reply"]:
            assert shared.wait(answer["reply"]["operation"])["state"] == "succeeded", verb


def test_a_request_id_is_the_tenants_own() -> None:
    for who in (ALICE, BOB):
        (answer,) = call_as(who, ("io.vmctl.Instance.Create", {"name": "same", "request_id": "r-same"}))
        assert shared.wait(answer["reply"]["instances"][0]["operation"])["tenant"] == f"u{who}"
        shared.do("Instance.Destroy", instance="same", tenant=f"u{who}")


def lend_connection(there: socket.socket) -> None:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(shared.socket)
    number = array.array("i", [connection.fileno()])
    there.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, number.tobytes())])


def test_a_connection_acts_as_who_opened_it() -> None:
    with child_as(BOB, lend_connection) as child:
        _, ancillary, _, _ = child.recvmsg(1, socket.CMSG_SPACE(4))
        with shared.connect() as connection:
            connection.socket.close()
            connection.socket = socket.socket(fileno=array.array("i", ancillary[0][2])[0])
            connection.socket.settimeout(20)
            assert connection.call("io.vmctl.WhoAmI")["uid"] == BOB
            expect("io.vmctl.PermissionDenied", connection.call, "io.vmctl.Host.List")


def take_all_connections(there: socket.socket) -> None:
    """Half a message in each, so that vmd holds something; tells what the one too many is answered."""
    held = [socket.socket(socket.AF_UNIX) for _ in range(257)]
    for one in held:
        one.connect(shared.socket)
    for one in held[:256]:
        one.sendall(b'{"method":')
    held[256].settimeout(10)
    there.send(held[256].recv(4096) or b"closed")
    there.recv(1)


def test_one_uid_cannot_take_all_connections() -> None:
    with child_as(BOB, take_all_connections) as child:
        refusal = child.recv(4096)
        assert b"io.vmctl.Busy" in refusal, refusal
        (other,) = call_as(ALICE, ("io.vmctl.Ping", {}))
        assert other == {"reply": {}}
        shared.call("Ping")
    tap.wait_until(lambda: call_as(BOB, ("io.vmctl.Ping", {})) == [{"reply": {}}], "the connections to be free again")


def rows_of(tenant: str) -> dict[str, tuple[int, int, bool]]:
    rows = shared.call("Quota.Get", tenant=tenant)["quota"]
    return {row["resource"]: (row["used"], row["limit"], row["own"]) for row in rows}


def test_a_quota_is_set_shown_and_held() -> None:
    shared.call("Tenant.Create", tenant="held")
    shared.call("Quota.Set", tenant="held", instances=1, vcpus=3, addresses=7)
    assert rows_of("held")["vcpus"] == (0, 3, True) and rows_of("held")["disk_bytes"] == (0, 20 * GIB, False)
    accepted = shared.call("Instance.Create", tenant="held", name="one", vcpus=2)["instances"][0]
    shared.wait(accepted["operation"])
    assert [rows_of("held")[name][0] for name in ("instances", "vcpus", "addresses", "operations")] == [1, 2, 1, 0]
    error = expect("io.vmctl.QuotaExceeded", shared.call, "Instance.Create", tenant="held")
    assert [error[key] for key in ("resource", "used", "asked", "limit")] == ["instances", 1, 1, 1]
    error = expect("io.vmctl.QuotaExceeded", shared.call, "Instance.Resize", instance=accepted["instance"], vcpus=4)
    assert [error[key] for key in ("resource", "used", "asked", "limit")] == ["vcpus", 2, 2, 3]
    shared.call("Quota.Set", tenant="held", reset=True, operations=0)
    assert rows_of("held")["vcpus"][1:] == (20, False) and rows_of("held")["operations"][1:] == (0, True)
    error = expect("io.vmctl.QuotaExceeded", shared.call, "Instance.Resize", instance=accepted["instance"], vcpus=4)
    assert error["resource"] == "operations"
    shared.do("Instance.Destroy", instance=accepted["instance"])
    expect("io.vmctl.NotFound", shared.call, "Quota.Set", tenant="nobody", vcpus=1)
    details = [event["detail"] for event in shared.events() if event["kind"] == "quota_set"]
    assert details[0] == "instances=1 vcpus=3 addresses=7", details


def test_requests_in_a_second_are_held_to_the_quota_and_those_of_admins_are_not() -> None:
    own = f"u{BOB}"
    shared.call("Tenant.Create", tenant=own)
    shared.call("Quota.Set", tenant=own, requests=5)
    answers = call_as(BOB, *[("io.vmctl.Ping", {})] * 200)
    refused = [answer["parameters"] for answer in answers if "error" in answer]
    assert refused and {error["resource"] for error in refused} == {"requests"}, answers
    assert refused[0]["used"] >= refused[0]["limit"] == 5, refused[0]
    assert all(shared.call("Ping") == {} for _ in range(20))
    shared.call("Quota.Set", tenant=own, reset=True)


def test_a_quota_is_free_again_when_things_are_gone() -> None:
    for number in range(12):
        create_as(ALICE, f"n{number}")
        shared.do("Instance.Destroy", instance=f"n{number}", tenant=f"u{ALICE}")
    (plan,) = call_as(ALICE, ("io.vmctl.Instance.Create", {"dry_run": True}))
    assert {row["used"] for row in plan["reply"]["plan"]["quota"]} == {0}


def test_a_create_that_fails_gives_its_quota_back() -> None:
    shared.write_script({"rules": [{"method": "Start", "error": "HostFailed"}]})
    shared.kill()
    shared.start()
    for number in range(6):
        accepted = shared.call("Instance.Create", name=f"n{number}", vcpus=20)["instances"][0]
        assert shared.wait(accepted["operation"])["state"] == "failed"
    shared.write_script({})
    shared.kill()
    shared.start()
    shared.create(name="fits", vcpus=20)
    shared.do("Instance.Destroy", instance="fits")


def test_everything_is_at_rest_in_the_end() -> None:
    oracle.check_at_rest(shared)


if os.getuid() != 0:
    print("1..0 # SKIP taking another uid needs root")
else:
    with shared:
        shared.import_template()
        tap.main(globals())
