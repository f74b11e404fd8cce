# SPDX-License-Identifier: LGPL-2.1-or-later
"""The Python client: what it calls, repeats, refuses and raises.  PYTHONPATH has the package as it was built."""

from __future__ import annotations

import ast
import contextlib
import inspect
import io
import json
import os
import socket
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, Callable, Iterator

sys.path.insert(0, str(Path(__file__).parent))
from lib import tap  # noqa: E402
from lib.daemon import GIB, Vmd  # noqa: E402
from lib.tap import wait_until  # noqa: E402

import vmctl  # noqa: E402
from vmctl import Client, Lost, Unreachable, VarlinkError, api  # noqa: E402

README = Path(__file__).parents[2] / "clients" / "python" / "README.md"


class Service:
    """A service of one answer a connection: answer(message) gives what is sent back, None closes."""

    def __init__(self, answer: Callable[[dict[str, Any]], bytes | None]) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.path = str(Path(self.folder.name) / "vmd.sock")
        self.seen: list[dict[str, Any]] = []
        self.answer = answer
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(self.path)
        self.socket.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as stream:
                while message := read_message(stream):
                    self.seen.append(json.loads(message))
                    answer = self.answer(self.seen[-1])
                    if answer is None or not self.send(connection, answer):
                        break

    def send(self, connection: socket.socket, answer: bytes) -> bool:
        try:
            connection.sendall(answer)
        except OSError:
            return False
        return True

    def __enter__(self) -> Service:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()
        self.folder.cleanup()


def read_message(stream: Any) -> bytes:
    message = b""
    while (byte := stream.read(1)) not in (b"", b"\0"):
        message += byte
    return message


def reply(**parameters: Any) -> bytes:
    return json.dumps({"parameters": parameters}).encode() + b"\0"


def methods() -> Iterator[tuple[str, Any]]:
    with Client("/nowhere") as client:
        for name, interface in vars(client).items():
            if type(interface).__module__ == "vmctl.api":
                for method in inspect.getmembers(interface, inspect.ismethod):
                    if not method[0].startswith("_"):
                        yield f"{name}.{method[0]}", method[1]


def test_instances_are_made_listed_and_destroyed() -> None:
    with Vmd() as vmd, Client(vmd.socket) as client:
        vmd.import_template()
        made = client.instance.create(name="web", count=3, vcpus=2, memory_bytes=GIB)["instances"]
        for one in made:
            assert client.operation.wait(operation=one["operation"])["operation"]["state"] == "succeeded"
        assert [i["name"] for i in client.instance.list_all(limit=1)] == ["web-1", "web-2", "web-3"]
        assert client.instance.get(instance="web-2")["instance"]["vcpus"] == 2
        for one in made:
            client.operation.wait(operation=client.instance.destroy(instance=one["instance"])["operation"])
        assert not list(client.instance.list_all())


def test_the_example_of_its_readme_runs() -> None:
    code = README.read_text().split("```python\n")[1].split("```")[0]
    with Vmd() as vmd:
        vmd.import_template()
        os.environ["VMCTL_SOCKET"] = vmd.socket
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed):
                exec(compile(code, str(README), "exec"), {})
        finally:
            del os.environ["VMCTL_SOCKET"]
        lines = [line.split()[:2] for line in printed.getvalue().splitlines()]
        assert lines == [[f"web-{number}", "running"] for number in (1, 2, 3)], lines


def test_an_error_of_the_service_is_an_exception_with_its_parameters() -> None:
    with Vmd() as vmd, Client(vmd.socket) as client:
        try:
            client.instance.get(instance="nobody")
        except vmctl.NotFound as error:
            assert error.parameters["name"] == "nobody" and "nobody" in str(error)
        else:
            raise AssertionError("it was found")
        assert client.ping() == {}


def test_an_error_that_is_not_known_is_a_varlink_error() -> None:
    with Service(lambda _: b'{"error":"io.later.Error","parameters":{"a":1}}\0') as service, Client(service.path) as client:
        try:
            client.ping()
        except VarlinkError as error:
            assert (error.name, error.parameters) == ("io.later.Error", {"a": 1})
        else:
            raise AssertionError("it is no error")


def test_events_come_as_a_stream() -> None:
    with Vmd() as vmd, Client(vmd.socket) as client:
        vmd.import_template()
        vmd.create(name="web")
        events = [event for batch in client.event.read_stream(after=0) for event in batch["events"]]
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1)) and events


def test_usage_is_asked_of_the_meter() -> None:
    with Vmd(meter=True) as vmd, Client(vmd.socket) as client:
        wait_until(vmd.meter_answers, "the meter")
        assert client.billing.usage(from_="2026-01-01T00:00:00.000Z")["from"] == "2026-01-01T00:00:00.000Z"


def test_a_change_whose_answer_was_lost_is_never_with_the_same_request() -> None:
    answers = [reply(), None, reply(operation="x")]
    with Service(lambda _: answers.pop(0)) as service, Client(service.path) as client:
        client.ping()
        assert client.instance.start(instance="web") == {"operation": "x"}
        asked = [message["parameters"]["request_id"] for message in service.seen[1:]]
        assert len(asked) == 2 and asked[0] == asked[1]


def test_calls_of_their_own_have_requests_of_their_own() -> None:
    with Service(lambda _: reply(operation="x")) as service, Client(service.path) as client:
        client.instance.start(instance="web")
        client.instance.start(instance="web")
        first, second = (message["parameters"]["request_id"] for message in service.seen)
        assert first != second


def test_a_service_that_comes_back_is_used_again() -> None:
    with Vmd() as vmd, Client(vmd.socket) as client:
        client.ping()
        vmd.kill()
        vmd.start()
        assert client.get_info()["program"] == "vmd"


def test_no_service_is_told_at_once() -> None:
    with Client("/nowhere/vmd.sock") as client:
        try:
            client.ping()
        except Unreachable as error:
            assert "/nowhere/vmd.sock" in str(error)
        else:
            raise AssertionError("there is a service")


def test_a_service_that_stays_away_is_given_up() -> None:
    answers = [reply(), None]
    with Service(lambda _: answers.pop(0) if answers else None) as service, Client(service.path, retry=0.5) as client:
        client.ping()
        try:
            client.ping()
        except Lost:
            return
        raise AssertionError("it answered")


def test_a_late_answer_is_not_taken_for_the_next() -> None:
    late = threading.Event()

    def answer(message: dict[str, Any]) -> bytes:
        if message["method"].endswith("GetInfo"):
            late.wait(60)
            return reply(program="late")
        return reply()

    with Service(answer) as service, Client(service.path, timeout=2) as client:
        try:
            client.get_info()
        except TimeoutError:
            pass
        else:
            raise AssertionError("it was in time")
        finally:
            late.set()
        assert client.ping() == {}


def test_what_the_service_waits_for_takes_as_long_as_it_takes() -> None:
    never = threading.Event()

    def answer(message: dict[str, Any]) -> bytes:
        # Longer than the client waits for an answer.
        never.wait(1)
        return reply(operation={"state": "succeeded"})

    with Service(answer) as service, Client(service.path, timeout=0.2) as client:
        assert client.operation.wait(operation="x")["operation"]["state"] == "succeeded"


def test_every_method_says_what_it_does() -> None:
    found = dict(methods())
    assert "instance.create" in found and "billing.usage_stream" in found and "instance.list_all" in found
    assert not [name for name, method in found.items() if not (method.__doc__ or "").strip()]


def test_nothing_beside_the_standard_library_is_used() -> None:
    for file in Path(api.__file__).parent.glob("*.py"):
        tree = ast.parse(file.read_text())
        names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level == 0}
        assert {name.split(".")[0] for name in names} <= set(sys.stdlib_module_names), (file, names)


tap.main(globals())
