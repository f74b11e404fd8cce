#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The wire as a stranger meets it."""

import json
import os
import time
from typing import Any

from lib import tap
from lib.daemon import Vmd
from lib.served import ABSENT, Field, read_methods
from lib.tap import expect
from lib.varlink import VarlinkError

INTERFACES = ["org.varlink.service", "io.vmctl"] + [
    f"io.vmctl.{name}"
    for name in (
        "Instance", "Template", "Host", "Operation", "Event", "Session", "Tenant", "Quota", "Budget", "Ledger", "Audit"
    )  # fmt: skip
]

class Shared(Vmd):
    """One vmd for all tests of this file."""

    def call_any(self, method: str, **parameters: Any) -> dict[str, Any]:
        with self.connect() as connection:
            return connection.call(method, **parameters)

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid


INTERFACES.insert(INTERFACES.index("io.vmctl.Instance") + 1, "io.vmctl.Group")
shared = Shared()


def test_a_plain_client_reads_the_interfaces_and_makes_a_call() -> None:
    with shared.connect() as connection:
        assert connection.call("org.varlink.service.GetInfo")["interfaces"] == INTERFACES
        for name in INTERFACES:
            text = connection.call("org.varlink.service.GetInterfaceDescription", interface=name)["description"]
            assert f"interface {name}\n" in text
        assert connection.call("io.vmctl.WhoAmI") == {
            "uid": 0,
            "tenant": "default",
            "role": "admin",
            "rights": [],
        }


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


def test_a_half_closed_client_gets_its_reply() -> None:
    import socket

    with shared.connect() as connection:
        connection.send("io.vmctl.WhoAmI")
        connection.socket.shutdown(socket.SHUT_WR)
        assert connection.receive()[0]["tenant"] == "default"


# What is served tells its own bounds; a call is made at each of them.


def served_fields() -> list[Field]:
    """Every parameter of every method, with the notes of its comment."""
    return [field for method in read_methods(shared.socket) for field in method.fields]


def complaint(field: Field, literal: str) -> str | None:
    """What is said against one value, written as JSON, of a field; None if it is taken."""
    (method,) = (method for method in read_methods(shared.socket) if method.name == field.method)
    parameters = method.absent()
    parameters.pop(field.name, None)
    text = json.dumps({"method": field.method, "parameters": parameters})
    comma = ", " if parameters else ""
    with shared.connect() as connection:
        connection.send_raw(f"{text[:-2]}{comma}{json.dumps(field.name)}: {literal}}}}}".encode() + b"\0")
        connection.socket.settimeout(10)
        reply = connection.receive_raw()
    if reply.get("error") != "io.vmctl.InvalidParameter":
        return None
    path = reply["parameters"]["path"]
    assert path.startswith(f"parameters.{field.name}") or path == "message", (field, literal, reply)
    return reply["parameters"]["reason"]


def test_every_number_is_held_to_its_bounds() -> None:
    numbers = [field for field in served_fields() if field.kind == "int"]
    assert len(numbers) > 20
    for field in numbers:
        least, most = int(field.notes["min"]), int(field.notes["max"])
        for value in (least - 1, least - 2**32, -(2**63)):
            if value >= -(2**63):
                assert complaint(field, str(value)) == f"{value} is below {least}", (field, value)
        for value in (most + 1, most + 2**32, 2**63 - 1):
            assert complaint(field, str(value)) == f"{value} is above {most}", (field, value)
        for value in (least, least + 1, most - 1, most):
            reason = complaint(field, str(value))
            assert reason not in (f"{value} is below {least}", f"{value} is above {most}"), (field, value)
        for literal in ("1e3", "1.0", '"1"', "true", "01", "0x10", "9223372036854775808", "NaN", "[]", "{}", "+1"):
            assert complaint(field, literal) is not None, (field, literal)


def test_every_text_is_held_to_its_length_and_form() -> None:
    for field in served_fields():
        if field.kind != "string" or field.list_of:
            continue
        if "max-length" in field.notes:
            most = int(field.notes["max-length"])
            assert "is longer" not in (complaint(field, json.dumps("a" * most)) or ""), field
            assert f"is longer than {most}" in (complaint(field, json.dumps("a" * (most + 1))) or ""), field
        for literal in ("1", "true", "[]", "{}", '"\\u0000"', '"\\ud800"'):
            assert complaint(field, literal) is not None, (field, literal)
        bad = {
            "name": ("", "A", "-a", "a-", "a.b", "a/b", "a b", "a\n", "1a", "a" * 33, "\u00e4"),
            "uuid": ("", "x", ABSENT["operation"].replace("4", "G"), ABSENT["operation"] + "0", "{" + ABSENT["operation"][2:] + "}"),
            "request-id": ("", " ", "a b", "a\n", "a" * 65, "\u00e4"),
        }
        for text in bad.get(field.notes.get("format", ""), ()):
            assert complaint(field, json.dumps(text)) is not None, (field, text)


def test_a_parameter_that_is_needed_is_missed_by_name() -> None:
    for method in read_methods(shared.socket):
        needed = {field.name for field in method.fields if field.is_needed}
        if needed:
            with shared.connect() as connection:
                error = expect("io.vmctl.InvalidParameter", connection.call, method.name)
            assert error["path"].removeprefix("parameters.") in needed, (method, error)


def test_null_is_as_if_it_were_left_out() -> None:
    for field in served_fields():
        if not field.is_needed:
            assert complaint(field, "null") is None, field


def test_hostile_texts_are_refused_and_the_connection_goes_on() -> None:
    call = b'{"method":"io.vmctl.Ping","parameters":%s}'
    hostile = [
        b"\xef\xbb\xbf" + call % b"{}",
        call % b"{}" + b"{}",
        call % b"{}" + b" x",
        call % b'{"a":1,"a":1}',
        call % b'{"a":1,"\\u0061":1}',
        call % b'{"a":"\xff"}',
        call % b'{"a":"\xc0\x80"}',
        call % b'{"a":"\xed\xa0\x80"}',
        call % b'{"a":"\\ud800"}',
        call % b'{"a":"\\udc00\\ud800"}',
        call % b'{"a":"\\u0000"}',
        call % b'{"a":"\x01"}',
        call % b'{"a":"\\x"}',
        call % b'{"a":01}',
        call % b'{"a":-}',
        call % b'{"a":99999999999999999999}',
        call % b'{"a":/**/1}',
        call % b"{'a':1}",
        call % b'{"a":1,}',
        call % (b'{"a":' * 9 + b"1" + b"}" * 9),
        call % (b'{"a":[' + b"1," * 5000 + b"1]}"),
        b'"io.vmctl.Ping"',
        b"null",
        b"",
        b" ",
    ]
    with shared.connect(10) as connection:
        for text in hostile:
            connection.send_raw(text + b"\0")
            reply = connection.receive_raw()
            assert reply.get("error") in ("io.vmctl.InvalidParameter", "io.vmctl.TooLarge"), (text[:80], reply)
            assert connection.call("io.vmctl.Ping") == {}


def test_a_request_is_the_same_however_it_is_cut() -> None:
    request = b'{"method":"io.vmctl.WhoAmI"}\0{"method":"io.vmctl.Ping"}\0'
    for cut in range(1, len(request)):
        with shared.connect(10) as connection:
            connection.send_raw(request[:cut])
            connection.send_raw(request[cut:])
            assert "uid" in connection.receive()[0] and connection.receive()[0] == {}
    with shared.connect(10) as connection:
        for byte in request:
            connection.send_raw(bytes([byte]))
        assert "uid" in connection.receive()[0] and connection.receive()[0] == {}


def test_readers_that_do_not_read_and_writers_that_do_not_end_hold_up_nobody() -> None:
    silent = [shared.connect() for _ in range(40)]
    for number, connection in enumerate(silent):
        connection.socket.setblocking(False)
        data = b'{"method":"io.vmc' if number % 2 else b'{"method":"io.vmctl.GetInfo"}\0' * 20000
        try:
            connection.socket.send(data)
        except BlockingIOError:
            pass
    with shared.connect(10) as connection:
        slowest = 0.0
        for _ in range(200):
            begun = time.monotonic()
            connection.call("io.vmctl.Instance.List")
            slowest = max(slowest, time.monotonic() - begun)
    resident = shared.call("GetInfo")["resident_bytes"]
    for connection in silent:
        connection.close()
    assert slowest < 1, slowest
    sanitized = "asan" in open(f"/proc/{shared.pid}/maps", encoding="ascii").read()
    assert sanitized or resident < 256 * 1024 * 1024, resident


def test_nothing_that_was_opened_stays_open() -> None:
    def count() -> int:
        return len(os.listdir(f"/proc/{shared.pid}/fd"))

    before = count()
    for number in range(200):
        connection = shared.connect()
        connection.send_raw(b'{"method":"io.vmctl.Ping"}\0'[: number % 28])
        connection.close()
    tap.wait_until(lambda: count() <= before, "the descriptors to be closed")


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
