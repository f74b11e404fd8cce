#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who may see and do what, and how much."""

import json
import os
import threading

from lib import tap
from lib.daemon import GIB, Vmd
from lib.tap import expect
from lib.varlink import Connection, VarlinkError

ALICE, BOB, NOBODY = 12345, 12346, 65534

shared = Vmd(quota={"instances": 5, "vcpus": 20, "memory": "8G", "disk": "20G"})


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


def call_as(uid: int, *calls: tuple[str, dict]) -> list[dict]:
    """Makes calls on one connection as another uid, in a child that is nothing else."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setgroups([])
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
    assert reply["reply"] == {"uid": ALICE, "tenant": f"u{ALICE}", "role": "tenant_admin"}


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


def test_nobody_is_refused() -> None:
    (refusal,) = call_as(NOBODY)
    assert refusal["error"] == "io.vmctl.PermissionDenied"


def test_two_tenants_may_use_the_same_name() -> None:
    first, second = create_as(ALICE, "web"), create_as(BOB, "web")
    assert first != second
    for instance in (first, second):
        shared.do("Instance.Destroy", instance=instance)


def test_parallel_creates_meet_the_quota_exactly() -> None:
    results: list[str] = []

    def attempt(number: int) -> None:
        try:
            with Connection(shared.socket) as connection:
                connection.call("io.vmctl.Instance.Create", name=f"race-{number}")
            results.append("admitted")
        except VarlinkError as error:
            results.append(error.name)

    threads = [threading.Thread(target=attempt, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results.count("admitted") == 5 and results.count("io.vmctl.QuotaExceeded") == 45, results
    for row in shared.list_all():
        shared.wait(row["operation"]) if "operation" in row else None
        shared.do("Instance.Destroy", instance=row["id"])


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


if os.getuid() != 0:
    print("1..0 # SKIP taking another uid needs root")
else:
    with shared:
        shared.import_template()
        tap.main(globals())
