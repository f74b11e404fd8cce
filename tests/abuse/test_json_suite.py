#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""JSONTestSuite's cases: the guard's verdict on each, and the same verdicts over the socket."""

import contextlib
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "system"))

from json_suite import CASES, STRICTER, is_message, is_taken  # noqa: E402
from lib import tap  # noqa: E402
from lib.daemon import Vmd, program  # noqa: E402
from lib.varlink import Connection  # noqa: E402

TAKEN = "taken"
TOO_LARGE = ("io.vmctl.TooLarge",)

shared = Vmd()


def judge(messages: list[bytes]) -> list[str]:
    """What the guard says of each message."""
    text = b"".join(b"%d\n%s" % (len(message), message) for message in messages)
    lines = subprocess.run([program("GUARD_VERDICTS")], input=text, capture_output=True, check=True).stdout
    verdicts = lines.decode().splitlines()
    assert len(verdicts) == len(messages), (len(verdicts), len(messages))
    return verdicts


def as_value(name: str) -> bytes:
    return b'{"v":%s}' % CASES[name]


def test_the_suite_is_whole() -> None:
    kinds = [sum(name.startswith(kind) for name in CASES) for kind in ("y_", "n_", "i_")]
    assert kinds == [95, 188, 35], kinds
    assert all(name in CASES for name in STRICTER)


def test_the_guard_judges_every_case_as_a_value() -> None:
    for name, verdict in zip(CASES, judge([as_value(name) for name in CASES])):
        assert (verdict == TAKEN) == is_taken(name), (name, verdict)
        assert STRICTER.get(name, "") in verdict, (name, verdict)
    print(f"# {len(CASES)} cases of JSONTestSuite, {sum(map(is_taken, CASES))} taken, {len(STRICTER)} y_ refused by rule")


def test_the_guard_judges_every_case_as_a_whole_message() -> None:
    for name, verdict in zip(CASES, judge(list(CASES.values()))):
        assert (verdict == TAKEN) == is_message(name), (name, verdict)


def answers(message: bytes) -> list[tuple[str, ...]]:
    """The errors that are answered to a message; a NUL byte in it makes it several."""
    found = []
    with Connection(shared.socket) as connection:
        # One that is too large is refused before it has come whole.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.send_raw(message + b"\0")
        for _ in range(message.count(b"\0") + 1):
            reply = connection.receive_raw()
            parameters = reply["parameters"]
            found.append((reply["error"], parameters["path"]) if "path" in parameters else (reply["error"],))
    return found


def test_every_case_as_a_parameter_meets_the_same_verdict_over_the_socket() -> None:
    for name in CASES:
        message = b'{"method":"io.vmctl.Ping","parameters":%s}' % as_value(name)
        # What the guard lets through meets the schema, which knows no such field.
        expected = ("io.vmctl.InvalidParameter", "parameters.v" if is_taken(name) else "message")
        for answer in answers(message):
            assert answer == expected or (answer == TOO_LARGE and not is_taken(name)), (name, answer)


with shared:
    tap.main(globals())
