#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Events: numbered without a hole, readable from any number on, followed as they come."""

import threading

from lib import oracle, tap
from lib.daemon import Vmd
from lib.tap import wait_until

shared = Vmd()


def test_they_are_numbered_without_a_hole() -> None:
    shared.create(name="counted")
    oracle.check_events(shared.events())


def test_they_can_be_read_from_any_number_on() -> None:
    everything = shared.events()
    for after in (0, 1, len(everything) // 2, len(everything)):
        # What comes later may have come meanwhile.
        assert shared.events(after)[: len(everything) - after] == everything[after:]


def test_a_page_tells_where_to_read_on() -> None:
    seen, after = [], 0
    while True:
        page = shared.call("Event.Read", after=after, limit=3)
        if not page["events"]:
            break
        seen += page["events"]
        after = page["next"]
    # What comes later may have come meanwhile.
    assert seen == shared.events()[: len(seen)]


def test_a_follower_is_told_as_things_happen() -> None:
    start = shared.call("GetInfo")["seq"]
    with shared.connect(20) as reader:
        reader.send("io.vmctl.Event.Read", {"after": start, "follow": True}, more=True)
        shared.create(name="followed")
        kinds: list[str] = []
        while "operation_ended" not in kinds:
            reply, more = reader.receive()
            assert more
            kinds += [event["kind"] for event in reply["events"] if event["name"] == "followed"]
    assert kinds[:2] == ["operation_started", "instance_state"]


def test_a_follower_that_leaves_does_no_harm() -> None:
    for _ in range(20):
        with shared.connect() as reader:
            reader.send("io.vmctl.Event.Read", {"after": 0, "follow": True}, more=True)
            reader.receive()
    shared.create(name="afterwards")


def test_without_more_there_is_one_reply() -> None:
    assert shared.call("Event.Read", after=0, follow=True, limit=1)["events"][0]["seq"] == 1


def test_a_follower_misses_nothing_and_sees_nothing_twice_while_much_happens() -> None:
    start = shared.call("GetInfo")["seq"]
    seen: list[int] = []

    def follow() -> None:
        with shared.connect() as reader:
            for page in reader.stream("io.vmctl.Event.Read", after=start, follow=True):
                seen.extend(event["seq"] for event in page["events"])
                if any(event["name"] == "last" and event.get("state") == "destroyed" for event in page["events"]):
                    return

    followers = [threading.Thread(target=follow) for _ in range(1)]
    for follower in followers:
        follower.start()
    accepted = shared.call("Instance.Create", name="burst", count=40)["instances"]
    for row in accepted:
        shared.wait(row["operation"])
        shared.call("Instance.Destroy", instance=row["instance"])
    shared.create(name="last")
    shared.do("Instance.Destroy", instance="last")
    for follower in followers:
        follower.join(30)
    assert seen == list(range(start + 1, start + 1 + len(seen))) and len(seen) > 40 * 4, len(seen)


def test_a_follower_reads_on_over_a_kill() -> None:
    shared.create(name="before")
    with shared.connect() as reader:
        last = [event["seq"] for page in reader.stream("io.vmctl.Event.Read", after=0) for event in page["events"]][-1]
    shared.call("Instance.Destroy", instance="before")
    shared.kill()
    shared.start()
    wait_until(lambda: not shared.exists("before"), "the destroy to go on")
    rest = [event["seq"] for event in shared.events(last)]
    assert rest and rest == list(range(last + 1, last + 1 + len(rest)))
    oracle.check_events(shared.events())


def test_a_start_past_the_end_waits_for_what_is_new() -> None:
    assert shared.events(2**53 - 1) == []
    assert shared.call("Event.Read", after=2**53 - 1)["events"] == []


def test_what_concerns_an_instance_tells_its_name_and_tenant() -> None:
    instance = shared.create(name="told")
    mine = [event for event in shared.events() if event["subject"] == instance["id"]]
    assert [event["state"] for event in mine if event["kind"] == "instance_state"] == ["starting", "running"]
    assert all(event["name"] == "told" and event["tenant"] == "default" for event in mine)
    shared.do("Instance.Destroy", instance="told")


with shared:
    shared.import_template()
    tap.main(globals())
