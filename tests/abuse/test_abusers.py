#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Good clients beside bad ones of other uids: none of theirs is refused, and nothing is left of the bad ones.

ABUSERS says how many connections the bad ones hold, ROUNDS how often the 20 good ones ask.
"""

import contextlib
import json
import os
import select
import socket
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "system"))

from abusers import Abuser, as_child, come_and_go, dribble, read_nothing, write_halves, write_long_lines  # noqa: E402
from lib import tap  # noqa: E402
from lib.daemon import Vmd  # noqa: E402
from lib.uids import child_as  # noqa: E402
from lib.varlink import Connection, VarlinkError  # noqa: E402
from watch import Watch, count_descriptors, is_sanitized, resident_mib  # noqa: E402

ABUSERS = int(os.environ.get("ABUSERS", "200"))
ROUNDS = int(os.environ.get("ROUNDS", "200"))
GOOD_CLIENTS = 20
GOOD, FIRST_BAD = 12345, 13000
# What a uid may hold.
PER_UID = 256
# The last of their uids asks for more than it may have.
HOLDERS: tuple[Abuser, ...] = (write_halves, read_nothing, dribble)
MOVERS: tuple[Abuser, ...] = (write_long_lines, come_and_go)

shared = Vmd()


def ask_in_rounds(there: socket.socket) -> None:
    """Twenty clients, each of which asks in each round; tells how long answers took, and what was refused."""
    refused, took = [], []
    clients = [Connection(shared.socket) for _ in range(GOOD_CLIENTS)]
    for number in range(ROUNDS):
        begun = time.monotonic()
        for client in clients:
            client.send("io.vmctl.Instance.List")
        waiting = {client.socket.fileno(): client for client in clients}
        while waiting:
            for ready in select.select(list(waiting), [], [], 60)[0]:
                try:
                    waiting.pop(ready).receive()
                except (VarlinkError, OSError, EOFError) as error:
                    refused.append(str(error))
                took.append(time.monotonic() - begun)
        # One of them comes anew, as a command does.
        clients[number % GOOD_CLIENTS].close()
        clients[number % GOOD_CLIENTS] = Connection(shared.socket)
    took.sort()
    there.send(json.dumps({"refused": refused[:5], "n": len(took), "p99_ms": took[len(took) * 99 // 100] * 1000}).encode())


def measure() -> dict[str, Any]:
    with child_as(GOOD, ask_in_rounds) as child:
        child.settimeout(100)
        seen = json.loads(child.recv(65536))
    assert seen["refused"] == [] and seen["n"] == GOOD_CLIENTS * ROUNDS, seen
    return seen


def change(there: socket.socket) -> None:
    """A good client's whole errand."""
    with Connection(shared.socket) as connection:
        for method, parameters in (("Create", {"name": "good"}), ("Destroy", {"instance": "good"})):
            reply = connection.call(f"io.vmctl.Instance.{method}", **parameters)
            operation = reply["instances"][0]["operation"] if method == "Create" else reply["operation"]
            ended = connection.call("io.vmctl.Operation.Wait", operation=operation, timeout_ms=60000)["operation"]
            assert ended["state"] == "succeeded", ended
    there.send(b"done")


@contextlib.contextmanager
def crowd_of_abusers(size: int):
    """All kinds at once, none of a uid with more than its share but one of each kind that holds."""
    with contextlib.ExitStack() as stack:
        uids = iter(range(FIRST_BAD, FIRST_BAD + 1000))
        for abuser in HOLDERS:
            rest = size // len(HOLDERS)
            while rest > 0:
                child = stack.enter_context(child_as(next(uids), as_child(abuser, shared.socket, min(rest, PER_UID))))
                assert child.recv(1) == b"+"
                rest -= PER_UID
        for abuser in MOVERS:
            child = stack.enter_context(child_as(next(uids), as_child(abuser, shared.socket, size)))
            assert child.recv(1) == b"+"
        yield


def test_good_clients_go_on_beside_bad_ones() -> None:
    watch = Watch(shared)
    before = resident_mib(shared)
    quiet = measure()
    with crowd_of_abusers(ABUSERS):
        beside = measure()
        with child_as(GOOD, change) as child:
            assert child.recv(16) == b"done"
        most = resident_mib(shared)
        held = count_descriptors(shared) - watch.descriptors
    watch.check_alive()
    after = resident_mib(shared)
    print(
        f"# {GOOD_CLIENTS} good clients beside {ABUSERS} bad connections, {held} held: p99 of {beside['n']} List "
        f"{beside['p99_ms']:.1f} ms, quiet {quiet['p99_ms']:.1f} ms; vmd has {before} MiB, {most} MiB, {after} MiB after"
    )
    assert is_sanitized(shared) or (most < 256 and after < before + 64), (before, most, after)


def take_all(there: socket.socket) -> None:
    """Everything one uid can have: connections with half a message, and what is said to one more."""
    held = [socket.socket(socket.AF_UNIX) for _ in range(PER_UID + 1)]
    for one in held:
        one.connect(shared.socket)
        with contextlib.suppress(BrokenPipeError):
            one.send(b"{")
    held[-1].settimeout(20)
    there.send(held[-1].recv(4096))
    there.recv(1)


def test_tenants_that_take_all_they_can_lock_out_nobody() -> None:
    watch = Watch(shared)
    with contextlib.ExitStack() as stack:
        for number in range(ABUSERS // 100):
            child = stack.enter_context(child_as(FIRST_BAD + number, take_all))
            assert b"io.vmctl.Busy" in child.recv(4096)
        assert count_descriptors(shared) - watch.descriptors == PER_UID * (ABUSERS // 100)
        measure()
    watch.check()


if os.getuid() != 0:
    print("1..0 # SKIP taking other uids needs root")
else:
    with shared:
        shared.import_template()
        shared.create(name="first")
        tap.main(globals())
