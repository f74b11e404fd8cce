#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The wire as a stranger meets it."""

import json

from lib import tap
from lib.daemon import Vmd
from lib.tap import expect
from lib.varlink import VarlinkError

INTERFACES = ["org.varlink.service", "io.vmctl"] + [
    f"io.vmctl.{name}" for name in ("Instance", "Template", "Host", "Operation", "Event", "Ledger")
]

shared = Vmd()


def test_a_plain_client_reads_the_interfaces_and_makes_a_call() -> None:
    with shared.connect() as connection:
        assert connection.call("org.varlink.service.GetInfo")["interfaces"] == INTERFACES
        for name in INTERFACES:
            text = connection.call("org.varlink.service.GetInterfaceDescription", interface=name)["description"]
            assert f"interface {name}\n" in text
        assert connection.call("io.vmctl.WhoAmI") == {"uid": 0, "tenant": "default", "role": "admin"}


def test_the_private_interface_is_not_there() -> None:
    with shared.connect() as connection:
        expect("org.varlink.service.InterfaceNotFound", connection.call, "io.vmctl.host.Ping")
        expect(
            "org.varlink.service.InterfaceNotFound",
            connection.call,
            "org.varlink.service.GetInterfaceDescription",
            interface="io.vmctl.host",
        )


def test_bad_requests_are_answered_and_the_connection_goes_on() -> None:
    cases = [
        (b'{"method":', "io.vmctl.InvalidParameter", "message"),
        (b"[]", "io.vmctl.InvalidParameter", "message"),
        (b'{"method":"io.vmctl.Ping","method":"io.vmctl.Ping"}', "io.vmctl.InvalidParameter", "message"),
        (b'{"method":1}', "io.vmctl.InvalidParameter", "method"),
        (b"{}", "io.vmctl.InvalidParameter", "method"),
        (b'{"method":"io.vmctl.Ping","extra":1}', "io.vmctl.InvalidParameter", "extra"),
        (b'{"method":"io.vmctl.Ping","parameters":{"x":1}}', "io.vmctl.InvalidParameter", "parameters.x"),
        (b'{"method":"io.vmctl.Ping","parameters":[]}', "io.vmctl.InvalidParameter", "parameters"),
        (b'{"method":"io.vmctl.Ping","upgrade":true}', "io.vmctl.InvalidParameter", "upgrade"),
        (b'{"method":"io.vmctl.Pong"}', "org.varlink.service.MethodNotFound", None),
        (b'{"method":"io.nothing.Ping"}', "org.varlink.service.InterfaceNotFound", None),
        (b'{"method":"Ping"}', "org.varlink.service.InterfaceNotFound", None),
    ]
    with shared.connect() as connection:
        for request, name, path in cases:
            connection.send_raw(request + b"\0")
            reply = connection.receive_raw()
            assert reply.get("error") == name, (request, reply)
            assert path is None or reply["parameters"]["path"] == path, (request, reply)
        connection.call("io.vmctl.Ping")


def test_a_wrong_value_is_named_by_its_path() -> None:
    cases = [
        ({"memory_bytes": 5}, "parameters.memory_bytes", "5 is below 16777216"),
        ({"memory_bytes": "1G"}, "parameters.memory_bytes", "is not a whole number"),
        ({"vcpus": 257}, "parameters.vcpus", "257 is above 256"),
        ({"vcpus": 0}, "parameters.vcpus", "0 is below 1"),
        ({"name": "Web"}, "parameters.name", "is not a name"),
        ({"name": "../etc"}, "parameters.name", "is not a name"),
        ({"count": 501}, "parameters.count", "501 is above 500"),
        ({"ssh_keys": [1]}, "parameters.ssh_keys[0]", "is not a string"),
        ({"labels": {"a": 1}}, 'parameters.labels["a"]', "is not a string"),
        ({"request_id": "a b"}, "parameters.request_id", "is not a request id"),
        ({"user_data": "x" * 32769}, "parameters.user_data", "is longer than 32768"),
        ({"what": 1}, "parameters.what", "is not a field"),
    ]
    with shared.connect() as connection:
        before = connection.call("io.vmctl.Instance.List")
        for parameters, path, reason in cases:
            error = expect("io.vmctl.InvalidParameter", connection.call, "io.vmctl.Instance.Create", **parameters)
            assert error["path"] == path and reason in error["reason"], (parameters, error)
        assert connection.call("io.vmctl.Instance.List") == before


def test_a_message_over_the_limit_is_refused_and_the_connection_closed() -> None:
    with shared.connect() as connection:
        connection.send_raw(b" " * 65536 + b"\0")
        reply = connection.receive_raw()
        assert reply["error"] == "io.vmctl.TooLarge" and reply["parameters"]["limit"] == 65536, reply
        try:
            connection.receive_raw()
            raise AssertionError("the connection is still open")
        except (EOFError, ConnectionResetError):
            pass


def test_a_hundred_thousand_brackets_do_no_harm() -> None:
    with shared.connect() as connection:
        connection.send_raw(b"[" * 60000 + b"\0")
        assert connection.receive_raw()["error"] == "io.vmctl.InvalidParameter"
    with shared.connect() as connection:
        connection.send_raw(b'{"method":' + b"[" * 60000 + b"\0")
        assert connection.receive_raw()["error"] == "io.vmctl.TooLarge"
        connection.call("io.vmctl.Ping")


def test_pipelined_calls_are_answered_in_order() -> None:
    with shared.connect() as connection:
        for number in range(1000):
            connection.send("io.vmctl.WhoAmI" if number % 2 else "io.vmctl.Ping")
        for number in range(1000):
            reply, _ = connection.receive()
            assert ("uid" in reply) == bool(number % 2)


def test_a_client_that_vanishes_at_any_byte_leaves_nothing_behind() -> None:
    request = json.dumps({"method": "io.vmctl.Instance.Create", "parameters": {"name": "ghost"}}).encode()
    for length in range(len(request) + 1):
        with shared.connect() as connection:
            connection.send_raw(request[:length])
    assert not shared.exists("ghost")
    tap.wait_until(lambda: shared.call("Operation.List")["operations"] is not None, "vmd to go on")


def test_a_client_that_leaves_before_the_answer_still_gets_what_it_asked_for_once() -> None:
    with shared.connect() as connection:
        connection.send("io.vmctl.Instance.Create", {"name": "left", "request_id": "left-1"})
    accepted = shared.call("Instance.Create", name="left", request_id="left-1")["instances"]
    assert len(accepted) == 1
    assert shared.wait(accepted[0]["operation"])["state"] == "succeeded"
    assert [row["name"] for row in shared.list_all()] == ["left"]


def test_a_half_closed_client_gets_its_reply() -> None:
    import socket

    with shared.connect() as connection:
        connection.send("io.vmctl.WhoAmI")
        connection.socket.shutdown(socket.SHUT_WR)
        assert connection.receive()[0]["tenant"] == "default"


def test_an_unknown_template_is_not_found() -> None:
    error = expect("io.vmctl.NotFound", shared.call, "Instance.Create", template="nothing")
    assert error["kind"] == "template" and error["name"] == "nothing"


def test_a_size_below_the_templates_smallest_is_refused() -> None:
    error = expect("io.vmctl.InvalidParameter", shared.call, "Instance.Create", memory_bytes=64 * 1024 * 1024)
    assert error["path"] == "parameters.memory_bytes", error


def test_every_error_has_a_message() -> None:
    try:
        shared.call("Instance.Get", instance="nobody")
        raise AssertionError("it was found")
    except VarlinkError as error:
        assert error.parameters["message"] == 'There is no instance "nobody"'


with shared:
    shared.import_template()
    tap.main(globals())
