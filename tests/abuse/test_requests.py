#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bad requests in bulk: every one gets a typed error that says where it is wrong, and none of them changes anything.

BAD_REQUESTS and NAMES say how many, SEED which.
"""

import json
import os
import random
import sys
from collections import Counter
from pathlib import Path
from typing import Any, Iterator

sys.path.insert(0, str(Path(__file__).parent.parent / "system"))

import bad_requests  # noqa: E402
from bad_requests import Bad  # noqa: E402
from lib import tap  # noqa: E402
from lib.daemon import Vmd  # noqa: E402
from lib.served import read_methods  # noqa: E402
from payloads import NAME, make_name  # noqa: E402
from watch import Watch  # noqa: E402

SEED = int(os.environ.get("SEED", "20261125"))
BAD_REQUESTS = int(os.environ.get("BAD_REQUESTS", "2000"))
NAMES = int(os.environ.get("NAMES", "1000"))
# Less than what waits unread in a socket, so that nobody waits for the other.
BATCH_BYTES = 100_000

# Nothing could be made even by mistake.
shared = Vmd(quota={"instances": 0})


def ask(messages: Iterator[tuple[Any, bytes]]) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Sends messages without waiting for each answer; yields what each was for, with its answer."""
    with shared.connect() as connection:
        waiting: list[Any] = []
        batch = b""
        for what, text in messages:
            assert len(text) < 65536 and b"\0" not in text, text[:200]
            waiting.append(what)
            batch += text + b"\0"
            if len(batch) > BATCH_BYTES:
                connection.send_raw(batch)
                yield from ((what, connection.receive_raw()) for what in waiting)
                waiting, batch = [], b""
        connection.send_raw(batch)
        yield from ((what, connection.receive_raw()) for what in waiting)


def check_answer(bad: Bad, reply: dict[str, Any]) -> str:
    """The error of a bad request, after a look at whether it is the right one."""
    name = reply.get("error")
    told = (bad.text, bad.kind, bad.path, reply)
    if name is None:
        assert bad.path is None and "parameters" in reply, told
        return "good"
    parameters = reply["parameters"]
    short = name.rpartition(".")[2]
    if bad.kind == "no such method":
        assert short in ("MethodNotFound", "InterfaceNotFound"), told
    elif bad.path == "message":
        assert short in ("InvalidParameter", "TooLarge"), told
        assert parameters.get("path", "message") == "message", told
    elif bad.path is not None:
        assert short == "InvalidParameter" and parameters["path"].startswith(bad.path), told
        assert parameters["reason"] and parameters["message"], told
    elif bad.kind == "text":
        assert short == "InvalidParameter" or name in bad.method.fails, told
    assert short != "Internal", told
    return short


def test_every_bad_request_is_told_what_is_wrong_and_changes_nothing() -> None:
    dice = random.Random(SEED)
    methods = read_methods(shared.socket)
    watch = Watch(shared)
    made = (bad_requests.make(dice, methods) for _ in range(BAD_REQUESTS))
    seen: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    touched = set()
    for bad, reply in ask((bad, bad.text) for bad in made):
        seen[check_answer(bad, reply)] += 1
        kinds[bad.kind] += 1
        touched.add(bad.method.name)
    assert sum(seen.values()) == BAD_REQUESTS and len(touched) == len(methods), seen
    # No quota is on tenants: one whose text turned out good was made, and an event tells of it.
    watch.check(but=("tenant", "event"))
    print(f"# {BAD_REQUESTS} bad requests, {len(touched)} methods, seed {SEED}: {dict(seen.most_common())}")
    print(f"# of these kinds: {dict(kinds.most_common())}")


def test_a_name_is_taken_exactly_if_it_is_one() -> None:
    dice = random.Random(SEED)
    names = [make_name(dice) for _ in range(NAMES)]
    asked = ({"method": "io.vmctl.Instance.Create", "parameters": {"name": name, "dry_run": True}} for name in names)
    good = 0
    for name, reply in ask(zip(names, (json.dumps(call).encode() for call in asked))):
        taken = reply.get("error") is None
        assert taken or reply["parameters"]["path"] in ("parameters.name", "message"), (name, reply)
        assert taken == bool(NAME.fullmatch(name)), (name, reply)
        good += taken
    assert 0 < good < NAMES
    print(f"# {NAMES} names, {good} of them good, seed {SEED}")


with shared:
    shared.import_template()
    tap.main(globals())
