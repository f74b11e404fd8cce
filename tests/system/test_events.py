#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Events: numbered without a hole, readable from any number on, followed as they come."""

from lib import oracle, tap
from lib.daemon import Vmd

shared = Vmd()


def test_they_are_numbered_without_a_hole() -> None:
    shared.create(name="counted")
    oracle.check_events(shared.events())


def test_they_can_be_read_from_any_number_on() -> None:
    everything = shared.events()
    for after in (0, 1, len(everything) // 2, len(everything)):
        assert [event["seq"] for event in shared.events(after)] == [e["seq"] for e in everything[after:]]


def test_a_page_tells_where_to_read_on() -> None:
    seen, after = [], 0
    while True:
        page = shared.call("Event.Read", after=after, limit=3)
        if not page["events"]:
            break
        seen += page["events"]
        after = page["next"]
    assert seen == shared.events()


def test_a_follower_is_told_as_things_happen() -> None:
    start = shared.call("GetInfo")["seq"]
    with shared.connect(20) as reader:
        reader.send("io.vmctl.Event.Read", {"after": start, "follow": True}, more=True)
        shared.create(name="followed")
        kinds: list[str] = []
        while "operation_ended" not in kinds:
            reply, more = reader.receive()
            assert more
            kinds += [event["kind"] for event in reply["events"]]
    assert kinds[:2] == ["operation_started", "instance_state"]


def test_a_follower_that_leaves_does_no_harm() -> None:
    for _ in range(20):
        with shared.connect() as reader:
            reader.send("io.vmctl.Event.Read", {"after": 0, "follow": True}, more=True)
            reader.receive()
    shared.create(name="afterwards")


def test_without_more_there_is_one_reply() -> None:
    assert shared.call("Event.Read", after=0, follow=True, limit=1)["events"][0]["seq"] == 1


with shared:
    shared.import_template()
    tap.main(globals())
