#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Members of tenants, their roles, and tokens: who may call what, of whose."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

from lib import cli, oracle, tap
from lib.daemon import Vmd, program
from lib.tap import expect, wait_until
from lib.varlink import Connection, VarlinkError

FIRST_UID = 23000
ROLES = ["billing", "viewer", "operator", "tenant_admin"]
UIDS = {role: FIRST_UID + number for number, role in enumerate(ROLES)}
STRANGER, SEVERAL, GROUP = FIRST_UID + 10, FIRST_UID + 11, 23999
RATES = Path(__file__).resolve().parents[2] / "data" / "rates.example.json"
ABSENT = "00000000-0000-4000-8000-000000000000"
# What the schema writes, in the words of the wire.
NEEDS = {"billing": 0, "viewer": 1, "operator": 2, "tenant-admin": 3, "admin": 4}

shared = Vmd(meter=True, quota={"instances": 50})


def answer(path: str, calls: list[tuple[str, dict[str, Any]]], secret: str = "") -> list[dict[str, Any]]:
    """What is answered to these calls on one connection, with a token or as the uid."""
    answers: list[dict[str, Any]] = []
    with Connection(path) as connection:
        if secret:
            connection.call("io.vmctl.Session.Authenticate", secret=secret)
        for method, parameters in calls:
            try:
                answers.append({"reply": connection.call(f"io.vmctl.{method}", **parameters)})
            except VarlinkError as error:
                answers.append({"error": error.name.rpartition(".")[2], "parameters": error.parameters})
    return answers


def call_as(uid: int, *calls: tuple[str, dict[str, Any]], gid: int = 0, meter: bool = False) -> list[dict[str, Any]]:
    """The same as another uid, in a child that is nothing else."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setgroups([gid] if gid else [])
            os.setgid(uid)
            os.setuid(uid)
            os.write(writer, json.dumps(answer(shared.meter_socket if meter else shared.socket, list(calls))).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    assert status == 0, f"the calls as uid {uid} failed"
    return json.loads(text)


def with_token(secret: str, *calls: tuple[str, dict[str, Any]], meter: bool = False) -> list[dict[str, Any]]:
    return answer(shared.meter_socket if meter else shared.socket, list(calls), secret)


def read_schema(meter: bool) -> dict[str, tuple[str, str, set[str]]]:
    """Every method that vmd, or vmd-meter, serves: what role it needs, its effect, and its parameters."""
    methods: dict[str, tuple[str, str, set[str]]] = {}
    with Connection(shared.meter_socket if meter else shared.socket) as connection:
        for interface in connection.call("org.varlink.service.GetInfo")["interfaces"]:
            if not interface.startswith("io.vmctl"):
                continue
            text = connection.call("org.varlink.service.GetInterfaceDescription", interface=interface)["description"]
            prefix = interface.removeprefix("io.vmctl").removeprefix(".")
            for notes, name, call in re.findall(r"((?:^#.*\n)+)^method (\w+)\(([^)]*(?:\([^)]*\)[^)]*)*?)\) ->", text, re.MULTILINE):
                role = re.findall(r"@role ([\w-]+)", notes)[-1]
                effect = re.findall(r"@effect (\w+)", notes)[-1]
                methods[f"{prefix}.{name}".lstrip(".")] = (role, effect, set(re.findall(r"^  (\w+):", call, re.MULTILINE)))
    return methods


def create(tenant: str, name: str) -> str:
    accepted = shared.call("Instance.Create", tenant=tenant, name=name)["instances"][0]
    assert shared.wait(accepted["operation"])["state"] == "succeeded"
    return accepted["instance"]


def create_group(tenant: str) -> str:
    """The id of a group of nobody."""
    shared.do("Group.Create", tenant=tenant, group="matrix", max=1)
    return shared.call("Group.Get", tenant=tenant, group="matrix")["group"]["id"]


def parameters_of(method: str, fields: set[str], thing: dict[str, str]) -> dict[str, Any]:
    """What the method wants, about these things, so that nothing is wrong with it but who asks."""
    wanted: dict[str, Any] = {
        "Instance.Create": {"dry_run": True},
        "Instance.Resize": {"vcpus": 2},
        "Instance.Wait": {"until": "ready", "timeout_ms": 0},
        "Operation.Wait": {"timeout_ms": 0},
        "Group.Create": {"group": "made", "max": 1},
        "Group.Scale": {"count": 1},
        "Group.Metric": {"value": "1"},
        "Event.Read": {"after": 0},
        "Tenant.AddMember": {"kind": "uid", "id": 4242, "role": "viewer"},
        "Tenant.RemoveMember": {"kind": "uid", "id": 4242},
        "Tenant.CreateToken": {"name": "script", "role": "viewer", "request_id": "script"},
        "Tenant.RevokeToken": {"token": "script"},
        "Template.Get": {"template": "tiny"},
        "Billing.Assign": {"card": "standard"},
        "Billing.Quote": {"vcpus": 1, "memory_bytes": 1, "disk_bytes": 1},
        "Billing.Correct": {"period": "2026-10", "resource": ABSENT, "sku_price": "vm.vcpu", "day": "2026-10-01T00:00:00Z", "why": ""},
    }.get(method, {})
    return {**{key: value for key, value in thing.items() if key in fields}, **wanted}


def blank(reply: dict[str, Any], *things: dict[str, str]) -> str:
    text = json.dumps(reply, sort_keys=True)
    for thing in things:
        for word in thing.values():
            text = text.replace(word, "X")
    return text


def check_every_method(meter: bool, least: int) -> None:
    """The matrix is made from the schema: a method that is new is in it."""
    methods = read_schema(meter)
    own_id, other_id = create("shop", "matrix"), create("other", "hidden")
    operations = {tenant: shared.call("Operation.List", tenant=tenant)["operations"][0]["id"] for tenant in ("shop", "other")}
    groups = {tenant: create_group(tenant) for tenant in ("shop", "other")}
    own = {"instance": own_id, "operation": operations["shop"], "group": groups["shop"], "tenant": "shop"}
    other = {"instance": other_id, "operation": operations["other"], "group": groups["other"], "tenant": "other"}
    absent = {"instance": ABSENT, "operation": ABSENT, "group": ABSENT, "tenant": "nobody"}
    about = set(own)
    asked = [method for method, (_, _, fields) in methods.items() if fields & about]
    assert len(asked) >= least, asked
    for role, uid in UIDS.items():
        calls = [(method, parameters_of(method, methods[method][2], things)) for method in asked for things in (other, absent)]
        replies = call_as(uid, *calls, meter=meter)
        for number, method in enumerate(asked):
            others, nobodys = replies[2 * number : 2 * number + 2]
            assert others.get("error") in ("NotFound", "PermissionDenied"), (method, role, others)
            assert blank(others, other) == blank(nobodys, absent), (method, role, others, nobodys)
    # Of what is shop's, each may what the schema says; what would change it is only asked for by those who may not.
    for role, uid in UIDS.items():
        rank = NEEDS[role.replace("_", "-")]
        mine = [method for method in asked if methods[method][1] == "read" or rank < NEEDS[methods[method][0]]]
        replies = call_as(uid, *((method, parameters_of(method, methods[method][2], own)) for method in mine), meter=meter)
        for method, reply in zip(mine, replies):
            may = rank >= NEEDS[methods[method][0]]
            assert (reply.get("error") != "PermissionDenied") == may, (method, role, reply)
    for tenant, instance in (("shop", own_id), ("other", other_id)):
        shared.do("Instance.Destroy", instance=instance, tenant=tenant)
        shared.do("Group.Remove", group=groups[tenant], tenant=tenant)


def test_every_method_of_every_role_on_ones_own_anothers_and_what_is_absent() -> None:
    check_every_method(meter=False, least=30)


def test_every_method_of_the_meter_of_every_role_on_ones_own_anothers_and_what_is_absent() -> None:
    check_every_method(meter=True, least=4)


def test_who_is_a_member_of_one_acts_for_it_and_who_is_of_several_has_to_choose() -> None:
    (who,) = call_as(UIDS["operator"], ("WhoAmI", {}))
    assert (who["reply"]["tenant"], who["reply"]["role"]) == ("shop", "operator")
    for tenant in ("shop", "other"):
        shared.call("Tenant.AddMember", tenant=tenant, kind="uid", id=SEVERAL, role="viewer")
    who, undecided, chosen, foreign = call_as(
        SEVERAL,
        ("WhoAmI", {}),
        ("Instance.List", {}),
        ("Instance.List", {"tenant": "other"}),
        ("Instance.List", {"tenant": "third"}),
    )
    assert who["reply"]["tenant"] == "" and [row["tenant"] for row in who["reply"]["rights"]] == ["other", "shop"]
    assert undecided["error"] == "InvalidParameter" and "other, shop" in undecided["parameters"]["message"]
    assert chosen["reply"]["instances"] == [] and foreign["error"] == "NotFound"


def test_all_users_of_a_group_are_what_the_group_is() -> None:
    shared.call("Tenant.AddMember", tenant="shop", kind="gid", id=GROUP, role="viewer")
    assert call_as(STRANGER, ("Tenant.Get", {"tenant": "shop"}), gid=GROUP)[0]["reply"]["tenant"]["name"] == "shop"
    assert call_as(STRANGER, ("Tenant.Get", {"tenant": "shop"}))[0]["error"] == "NotFound"
    (change,) = call_as(STRANGER, ("Instance.Create", {"tenant": "shop"}), gid=GROUP)
    assert change["error"] == "PermissionDenied" and change["parameters"]["needs"] == "operator"
    shared.call("Tenant.RemoveMember", tenant="shop", kind="gid", id=GROUP)
    assert call_as(STRANGER, ("Tenant.Get", {"tenant": "shop"}), gid=GROUP)[0]["error"] == "NotFound"


def test_what_a_member_does_is_the_tenants_and_says_who_did_it() -> None:
    (made,) = call_as(UIDS["operator"], ("Instance.Create", {"name": "theirs"}))
    operation = shared.wait(made["reply"]["instances"][0]["operation"])
    assert (operation["tenant"], operation["uid"]) == ("shop", UIDS["operator"])
    events = [event for event in shared.events() if event["subject"] == operation["id"]]
    assert [event["uid"] for event in events] == [UIDS["operator"]] * 2
    (seen,) = call_as(UIDS["viewer"], ("Instance.Get", {"instance": "theirs"}))
    assert seen["reply"]["instance"]["tenant"] == "shop"
    (denied,) = call_as(UIDS["viewer"], ("Operation.Cancel", {"operation": operation["id"]}))
    assert denied["error"] == "PermissionDenied"
    shared.do("Instance.Destroy", instance="theirs", tenant="shop")


def test_a_stream_ends_with_the_right_to_read_it() -> None:
    shared.call("Tenant.AddMember", tenant="shop", kind="uid", id=STRANGER, role="viewer")
    token = shared.call("Tenant.CreateToken", tenant="shop", name="watcher", role="viewer")
    with shared.connect() as connection:
        connection.call("io.vmctl.Session.Authenticate", secret=token["secret"])
        connection.send("io.vmctl.Event.Read", {"follow": True}, more=True)
        shared.call("Tenant.RevokeToken", tenant="shop", token="watcher")
        expect("io.vmctl.PermissionDenied", lambda: [connection.receive() for _ in range(5)])
    shared.call("Tenant.RemoveMember", tenant="shop", kind="uid", id=STRANGER)


# Tokens


def test_a_token_does_what_its_role_allows_in_its_tenant() -> None:
    made = shared.call("Tenant.CreateToken", tenant="shop", name="deploy", role="operator", expires_in_ms=3600000)
    assert made["token"]["tenant"] == "shop" and made["token"]["uid"] == 0
    created, listed, host, member, other, token, who = with_token(
        made["secret"],
        ("Instance.Create", {"name": "by-token"}),
        ("Instance.List", {}),
        ("Host.List", {}),
        ("Tenant.AddMember", {"kind": "uid", "id": 1, "role": "viewer"}),
        ("Instance.List", {"tenant": "other"}),
        ("Tenant.CreateToken", {"name": "more", "role": "viewer"}),
        ("WhoAmI", {}),
    )
    assert {row["tenant"] for row in listed["reply"]["instances"]} == {"shop"}
    assert host["error"] == member["error"] == token["error"] == "PermissionDenied" and other["error"] == "NotFound"
    assert who["reply"]["token"] == made["token"]["id"] and who["reply"]["role"] == "operator"
    operation = shared.wait(created["reply"]["instances"][0]["operation"])
    assert (operation["tenant"], operation["token"]) == ("shop", made["token"]["id"])
    shared.do("Instance.Destroy", instance="by-token", tenant="shop")


def test_what_a_group_does_is_done_in_the_name_of_the_token_that_made_it() -> None:
    made = shared.call("Tenant.CreateToken", tenant="shop", name="scaler", role="operator")
    begun, *_ = with_token(
        made["secret"],
        ("Group.Create", {"group": "scaled", "max": 2, "count": 1}),
        ("Group.Scale", {"group": "scaled", "count": 2}),
    )
    shared.wait(begun["reply"]["operation"])
    wait_until(lambda: shared.call("Group.Get", tenant="shop", group="scaled")["group"]["up"] == 2, "two to be up")
    done = [row for row in shared.call("Operation.List", tenant="shop")["operations"] if row["target_name"].startswith("scaled")]
    assert {row["kind"] for row in done} == {"group_create", "group_scale", "instance_create"}
    assert {row["token"] for row in done} == {made["token"]["id"]}
    shared.do("Group.Remove", tenant="shop", group="scaled")


def test_a_token_makes_no_tokens() -> None:
    made = shared.call("Tenant.CreateToken", tenant="shop", name="strong", role="tenant_admin")
    member, token = with_token(
        made["secret"],
        ("Tenant.AddMember", {"kind": "uid", "id": STRANGER, "role": "viewer"}),
        ("Tenant.CreateToken", {"name": "more", "role": "viewer"}),
    )
    assert "reply" in member and token["error"] == "PermissionDenied"
    shared.call("Tenant.RemoveMember", tenant="shop", kind="uid", id=STRANGER)


def test_a_revoked_token_is_good_for_nothing_from_the_next_call_on() -> None:
    made = shared.call("Tenant.CreateToken", tenant="shop", name="brief", role="viewer")
    for path in (shared.socket, shared.meter_socket):
        with Connection(path) as connection:
            connection.call("io.vmctl.Session.Authenticate", secret=made["secret"])
            connection.call("io.vmctl.WhoAmI")
    with Connection(shared.socket) as connection, Connection(shared.meter_socket) as meter:
        for one in (connection, meter):
            one.call("io.vmctl.Session.Authenticate", secret=made["secret"])
        shared.call("Tenant.RevokeToken", tenant="shop", token="brief")
        expect("io.vmctl.PermissionDenied", connection.call, "io.vmctl.Ping")
        expect("io.vmctl.PermissionDenied", meter.call, "io.vmctl.Billing.Usage")
    for secret in (made["secret"], made["secret"][:-1], "", "vmctl_", "x" * 128, f"vmctl_{made['token']['id']}_{'0' * 64}"):
        with shared.connect() as connection:
            expect("io.vmctl.PermissionDenied", connection.call, "io.vmctl.Session.Authenticate", secret=secret)
    expect("io.vmctl.NotFound", shared.call, "Tenant.RevokeToken", tenant="shop", token="brief")


def test_a_token_expires() -> None:
    made = shared.call("Tenant.CreateToken", tenant="shop", name="short", role="viewer", expires_in_ms=1000)

    def has_expired() -> bool:
        return {row["name"]: row["expired"] for row in shared.call("Tenant.ListTokens", tenant="shop")["tokens"]}["short"]

    wait_until(has_expired, "the token to expire")
    with shared.connect() as connection:
        expect("io.vmctl.PermissionDenied", connection.call, "io.vmctl.Session.Authenticate", secret=made["secret"])


def test_the_same_request_makes_one_token_and_the_newest_secret_counts() -> None:
    first = shared.call("Tenant.CreateToken", tenant="shop", name="once", role="viewer", request_id="r")
    second = shared.call("Tenant.CreateToken", tenant="shop", name="once", role="viewer", request_id="r")
    assert first["token"]["id"] == second["token"]["id"] and first["secret"] != second["secret"]
    with shared.connect() as connection:
        expect("io.vmctl.PermissionDenied", connection.call, "io.vmctl.Session.Authenticate", secret=first["secret"])
    assert with_token(second["secret"], ("Ping", {})) == [{"reply": {}}]
    expect("io.vmctl.AlreadyExists", shared.call, "Tenant.CreateToken", tenant="shop", name="once", role="viewer")


def test_a_request_id_of_one_token_tells_another_nothing() -> None:
    secrets = [
        shared.call("Tenant.CreateToken", tenant=tenant, name="ids", role="operator")["secret"]
        for tenant in ("shop", "other")
    ]
    replies = [with_token(secret, ("Instance.Create", {"name": "same", "request_id": "one"}))[0] for secret in secrets]
    ids = [reply["reply"]["instances"][0]["instance"] for reply in replies]
    assert ids[0] != ids[1]
    for tenant in ("shop", "other"):
        wait_until(lambda: shared.call("Instance.Get", instance="same", tenant=tenant)["instance"]["state"] == "running", "it")
        shared.do("Instance.Destroy", instance="same", tenant=tenant)


def test_tokens_and_members_outlive_vmd_and_no_secret_is_kept() -> None:
    made = shared.call("Tenant.CreateToken", tenant="shop", name="lasting", role="viewer")
    shared.kill()
    shared.start()
    assert with_token(made["secret"], ("WhoAmI", {}))[0]["reply"]["tenant"] == "shop"
    assert call_as(UIDS["viewer"], ("WhoAmI", {}))[0]["reply"]["tenant"] == "shop"
    secret = made["secret"].rpartition("_")[2].encode()
    for path in [shared.log, *(shared.dir / "state").rglob("*")]:
        assert not path.is_file() or secret not in path.read_bytes(), path
    assert secret.decode() not in json.dumps(shared.events())


def test_vmctl_acts_with_the_token_and_the_tenant_of_the_environment() -> None:
    secret = cli.run(shared.socket, "token", "create", "ci", "--tenant", "shop", "--role", "operator", "-q").stdout.strip()
    environment = {**cli.environment(shared.socket), "VMCTL_TOKEN": secret}

    def run(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program("VMCTL"), *words], env={**environment, **more}, capture_output=True, text=True, timeout=100, check=False
        )

    assert json.loads(run("whoami", "-o", "json").stdout)["tenant"] == "shop"
    assert run("usage").returncode == 0
    assert "There is no tenant" in run("list", VMCTL_TENANT="other").stderr
    cli.run(shared.socket, "token", "revoke", "ci", "--tenant", "shop")
    refused = run("list")
    assert refused.returncode != 0 and secret not in refused.stderr + refused.stdout
    environment.pop("VMCTL_TOKEN")
    assert "shop" in run("tenant", "show", VMCTL_TENANT="shop").stdout
    added = run("tenant", "member", "add", "shop", "--uid", "24000", "--role", "viewer", "-o", "json")
    assert 24000 in [row["id"] for row in json.loads(added.stdout)["members"]], added.stderr
    assert run("member", "remove", "shop", "--uid", "24000").returncode == 0


def test_the_meter_knows_members() -> None:
    usage, foreign = call_as(
        UIDS["billing"], ("Billing.Usage", {"tenant": "shop"}), ("Billing.Usage", {"tenant": "other"}), meter=True
    )
    assert "reply" in usage and foreign["error"] == "NotFound", (usage, foreign)


def test_who_is_of_several_sees_the_bill_of_the_one_that_is_named() -> None:
    instance = create("third", "billed")
    cli.run(shared.socket, "rate", "set", str(RATES))
    cli.run(shared.socket, "rate", "assign", "standard")
    for method in ("Billing.Usage", "Billing.Report"):
        undecided, chosen, foreign = call_as(SEVERAL, (method, {}), (method, {"tenant": "other"}), (method, {"tenant": "third"}), meter=True)
        assert undecided["error"] == "InvalidParameter" and "other, shop" in undecided["parameters"]["message"], undecided
        assert "reply" in chosen and "third" not in json.dumps(chosen), chosen
        assert foreign["error"] == "NotFound", foreign
    shared.do("Instance.Destroy", instance=instance, tenant="third")


def test_the_meter_tells_what_one_is_in_the_tenant_that_is_named() -> None:
    chosen, foreign = call_as(SEVERAL, ("WhoAmI", {"tenant": "other"}), ("WhoAmI", {"tenant": "third"}), meter=True)
    assert (chosen["reply"]["tenant"], chosen["reply"]["role"]) == ("other", "viewer"), chosen
    assert foreign["error"] == "NotFound", foreign


def test_who_sees_bills_sets_no_prices() -> None:
    answers = call_as(UIDS["billing"], ("Billing.ListPeriods", {}), ("Billing.ListCards", {}), ("Billing.ClosePeriod", {"period": "2026-10"}), meter=True)
    assert [found.get("error") for found in answers] == [None, "PermissionDenied", "PermissionDenied"], answers


def test_everything_is_at_rest_in_the_end() -> None:
    oracle.check_at_rest(shared)


if os.getuid() != 0:
    print("1..0 # SKIP taking another uid needs root")
else:
    with shared:
        shared.import_template()
        for tenant in ("shop", "other", "third"):
            shared.call("Tenant.Create", tenant=tenant)
        for role, uid in UIDS.items():
            shared.call("Tenant.AddMember", tenant="shop", kind="uid", id=uid, role=role)
        tap.main(globals())
