#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many at once: for the last of a quota, and for one instance.

RACES says how often for the quota, RACE_SECONDS how long for that of a hundred, CALLS how many for the instance, SEED which.
"""

import os
import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "system"))

from lib import oracle, tap  # noqa: E402
from lib.daemon import Vmd  # noqa: E402
from lib.varlink import Connection  # noqa: E402

SEED = int(os.environ.get("SEED", "20261125"))
RACES = int(os.environ.get("RACES", "5"))
SECONDS = int(os.environ.get("RACE_SECONDS", "15"))
CALLS = int(os.environ.get("CALLS", "3000"))
QUOTA = 10
RACERS = 200
CLIENTS = 50
VERBS = ("Create", "Create", "Start", "Stop", "Pause", "Resume", "Restart", "Resize", "Destroy")
REFUSALS = {"AlreadyExists", "NotFound", "Conflict", "IllegalState"}
# From each state, what may be seen next where hosts do what they are told.
LEGAL = {
    "": {"starting", "destroyed"},
    "starting": {"running", "stopped", "destroying", "destroyed"},
    "running": {"paused", "stopping", "destroying"},
    "paused": {"running", "stopping", "destroying"},
    "stopping": {"stopped", "starting", "running", "paused", "destroying"},
    "stopped": {"starting", "destroying"},
    "destroying": {"destroyed"},
    "destroyed": set(),
}

shared = Vmd(quota={"instances": QUOTA})


def race(connections: list[Connection], calls: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Sends one call on each connection before it reads the first answer."""
    for connection, (method, parameters) in zip(connections, calls):
        connection.send(f"io.vmctl.Instance.{method}", parameters)
    return [connection.receive_raw() for connection, _ in zip(connections, calls)]


def short_name(reply: dict[str, Any]) -> str:
    return reply.get("error", "done").rpartition(".")[2]


def use_of_quota() -> dict[str, int]:
    plan = shared.call("Instance.Create", dry_run=True)["plan"]
    return {row["resource"]: row["used"] for row in plan["quota"]}


def test_a_thousand_parallel_creates_against_a_hundred() -> None:
    """As often as a minute allows: through one tenant's quota, from fifty connections at once."""
    connections = [shared.connect(300) for _ in range(CLIENTS)]
    shared.call("Tenant.Create", tenant="hundred")
    shared.call("Quota.Set", tenant="hundred", instances=100)
    until = time.monotonic() + SECONDS
    rounds = 0
    while rounds == 0 or time.monotonic() < until:
        for number in range(1000):
            connections[number % CLIENTS].send("io.vmctl.Instance.Create", {"tenant": "hundred"})
        seen = Counter(short_name(connections[number % CLIENTS].receive_raw()) for number in range(1000))
        assert seen == {"done": 100, "QuotaExceeded": 900}, seen
        rows = {row["resource"]: row["used"] for row in shared.call("Quota.Get", tenant="hundred")["quota"]}
        assert rows["instances"] == rows["addresses"] == 100, rows
        operations = [
            shared.call("Instance.Destroy", instance=row["id"])["operation"]
            for row in shared.list_all()
            if row["tenant"] == "hundred"
        ]
        assert len(operations) == 100
        for operation in operations:
            shared.wait(operation)
        rounds += 1
    print(f"# {rounds} rounds of 1,000 creates for 100: 100 each")


def test_parallel_creates_meet_the_quota_exactly() -> None:
    connections = [shared.connect() for _ in range(RACERS)]
    for number in range(RACES):
        calls = [("Create", {"name": f"r{number}-{racer}"}) for racer in range(RACERS)]
        seen = Counter(map(short_name, race(connections, calls)))
        assert seen == {"done": QUOTA, "QuotaExceeded": RACERS - QUOTA}, seen
        assert use_of_quota()["instances"] == QUOTA
        rows = shared.list_all()
        assert len(rows) == QUOTA
        for row in rows:
            shared.do("Instance.Destroy", instance=row["id"])
        assert set(use_of_quota().values()) == {0}
    print(f"# {RACES} rounds of {RACERS} creates for {QUOTA}: {QUOTA} each")


def under_way() -> list[dict[str, Any]]:
    return [row for state in ("queued", "running") for row in shared.call("Operation.List", state=state)["operations"]]


def check_states(events: list[dict[str, Any]]) -> int:
    """Every instance goes from one state only to one that may follow; the number of such steps."""
    last: dict[str, str] = {}
    steps = 0
    for event in events:
        if event["kind"] == "instance_state":
            before = last.get(event["subject"], "")
            assert event["state"] in LEGAL[before], (before, event)
            last[event["subject"]] = event["state"]
            steps += 1
    return steps


def check_one_at_a_time(events: list[dict[str, Any]]) -> None:
    """No operation is taken beside another, but destroys, which end what is under way."""
    under_way: dict[str, str] = {}
    for event in events:
        if event["kind"] == "operation_started":
            under_way[event["subject"]] = event["detail"]
            others = [kind for kind in under_way.values() if kind != "instance_destroy"]
            assert len(others) <= 1, (under_way, event)
        elif event["kind"] == "operation_ended":
            del under_way[event["subject"]]


def test_many_clients_of_one_instance_leave_it_in_a_legal_state_at_all_times() -> None:
    dice = random.Random(SEED)
    connections = [shared.connect() for _ in range(CLIENTS)]
    after = shared.call("GetInfo")["seq"]
    seen: Counter[str] = Counter()
    while sum(seen.values()) < CALLS:
        calls = []
        for _ in range(dice.choice((1, 2, 5, CLIENTS))):
            verb = dice.choice(VERBS)
            more = {"vcpus": dice.randint(1, 4)} if verb in ("Create", "Resize") else {}
            calls.append((verb, {"name" if verb == "Create" else "instance": "one", **more}))
        answers = race(connections, calls)
        seen.update(map(short_name, answers))
    tap.wait_until(lambda: not under_way(), "the operations to end")
    for row in shared.list_all():
        shared.do("Instance.Destroy", instance=row["id"])
    events = shared.events(after)
    steps = check_states(events)
    check_one_at_a_time(events)
    oracle.check_at_rest(shared)
    calls_made = sum(seen.values())
    print(f"# {calls_made} calls of {CLIENTS} clients on one instance, {steps} steps of state, seed {SEED}: {dict(seen)}")


with shared:
    shared.import_template()
    tap.main(globals())
