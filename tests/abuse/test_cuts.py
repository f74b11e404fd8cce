#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A request of every method, cut at every byte, and the client gone in three ways: it was never asked."""

import select
import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "system"))

from bad_requests import envelope  # noqa: E402
from lib import tap  # noqa: E402
from lib.daemon import Vmd  # noqa: E402
from lib.served import ABSENT, Method, read_methods  # noqa: E402
from lib.varlink import Connection  # noqa: E402
from watch import Watch  # noqa: E402

shared = Vmd()


def effective(method: Method) -> bytes:
    """A call that would do something if it came whole."""
    there = {"instance": "victim", "template": "tiny", "host": "local", "source": "ghost"}
    parameters = {field.name: (ABSENT | there)[field.name] for field in method.fields if field.is_needed}
    if method.name.endswith("Instance.Create"):
        parameters["name"] = "ghost"
    return envelope(method, parameters) + b"\0"


def close(part: bytes) -> None:
    with shared.connect() as connection:
        connection.send_raw(part)


def half_close(part: bytes) -> None:
    with shared.connect() as connection:
        connection.send_raw(part)
        connection.socket.shutdown(socket.SHUT_WR)
        assert connection.socket.recv(1) == b"", part


def reset(part: bytes) -> None:
    """A socket that is closed with something unread resets its peer."""
    with shared.connect() as connection:
        connection.send("io.vmctl.Ping")
        connection.send_raw(part)
        assert select.select([connection.socket], [], [], 20)[0]


ENDINGS = (close, half_close, reset)


def test_a_request_that_is_cut_anywhere_was_never_made() -> None:
    requests = [effective(method) for method in read_methods(shared.socket)]
    cuts = [(text, length, end) for text in requests for length in range(len(text)) for end in ENDINGS]
    watch = Watch(shared)
    for text, length, end in cuts:
        end(text[:length])
    watch.check()
    print(f"# {len(cuts)} cuts of requests of {len(requests)} methods")


def test_a_request_that_came_whole_is_done_once_however_its_client_went() -> None:
    for number, end in enumerate(ENDINGS[::2]):
        request = {"name": f"left-{number}", "request_id": f"left-{number}"}
        (method,) = (method for method in read_methods(shared.socket) if method.name.endswith("Instance.Create"))
        end(envelope(method, request) + b"\0")
        accepted = shared.call("Instance.Create", **request)["instances"]
        assert shared.wait(accepted[0]["operation"])["state"] == "succeeded"
        assert sum(row["name"] == request["name"] for row in shared.list_all()) == 1


def test_replies_are_not_left_behind_by_clients_that_do_not_wait_for_them() -> None:
    watch = Watch(shared)
    for _ in range(200):
        with Connection(shared.socket) as connection:
            connection.send_raw(b'{"method":"io.vmctl.GetInfo"}\0' * 50)
    watch.check()


with shared:
    shared.import_template()
    shared.create(name="victim")
    tap.main(globals())
