#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""vmd-meter against a controller that is made up here.

The program is named by the environment variable VMD_METER.
"""
from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from collections import Counter
from datetime import datetime, timedelta, timezone
from fractions import Fraction
from pathlib import Path
from typing import Any, Callable

from lib import ledger
from lib.varlink import Connection, VarlinkError

ROOT = Path(__file__).resolve().parents[2]
METER = os.environ.get("VMD_METER", "")
GIB = 1 << 30
DEADLINE_S = 120.0
# As vmd, whose replies are bounded.
PAGE_BYTES = 100000
START = datetime(2026, 10, 1, tzinfo=timezone.utc)
WINDOW = {"from": "2026-10-01T00:00:00Z", "to": "2026-11-01T00:00:00Z"}
Row = dict[str, Any]


def at(hours: float) -> datetime:
    return START + timedelta(milliseconds=round(hours * 3600000))


def milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    """Polls until condition is true; fails at the deadline."""
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"not in time: {what}")


class FakeController:
    """As much of vmd as vmd-meter sees of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[Row] = []
        self.hashes: list[bytes] = []
        self.service_id = "0f0e0d0c-0b0a-4908-8706-050403020100"
        self.now = at(0)
        self.principals = {os.getuid(): ("default", "admin")}
        self.hidden: set[int] = set()
        self.ignores_after = False
        self.is_stuck = False
        self.questions = 0
        # How often each connection asked where the ledger stands, also if it was not told.
        self.heads: Counter[socket.socket] = Counter()
        self.changed = threading.Condition()
        self.listener: socket.socket | None = None
        self.connections: set[socket.socket] = set()
        self.threads: list[threading.Thread] = []

    def start(self) -> None:
        self.path.unlink(missing_ok=True)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(str(self.path))
        self.path.chmod(0o666)
        self.listener.listen(16)
        self.spawn(self.accept, self.listener)

    def stop(self) -> None:
        """Goes away at once, as after kill -9."""
        listener, self.listener = self.listener, None
        if listener is not None:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self.changed:
            for connection in self.connections:
                connection.shutdown(socket.SHUT_RDWR)
            self.changed.notify_all()
        for thread in self.threads:
            thread.join(DEADLINE_S)
        self.threads.clear()

    def spawn(self, function: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=function, args=arguments, daemon=True)
        self.threads.append(thread)
        thread.start()

    def add(self, *rows: Row) -> None:
        with self.changed:
            for row in rows:
                self.rows.append(row)
                before = self.hashes[-1] if self.hashes else ledger.chain_begin(self.service_id)
                self.hashes.append(ledger.chain_next(before, ledger.pack(row)))
            self.changed.notify_all()

    def put_back(self, count: int) -> None:
        """A copy from when there were so many rows."""
        del self.rows[count:], self.hashes[count:]

    def accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with self.changed:
                self.connections.add(connection)
            self.spawn(self.serve, connection)

    def serve(self, connection: socket.socket) -> None:
        buffer = b""
        try:
            while data := connection.recv(65536):
                buffer += data
                while b"\0" in buffer:
                    message, buffer = buffer.split(b"\0", 1)
                    self.answer(connection, json.loads(message))
        except OSError:
            pass
        finally:
            with self.changed:
                self.connections.discard(connection)
            connection.close()

    def answer(self, connection: socket.socket, call: dict[str, Any]) -> None:
        parameters = call.get("parameters", {})
        method = call["method"]
        if method == "io.vmctl.Ledger.GetHead":
            self.heads[connection] += 1
        if self.is_stuck:
            return
        if method == "io.vmctl.Ledger.GetHead":
            self.reply(connection, self.head())
        elif method == "io.vmctl.WhoAmI":
            self.questions += 1
            uid = parameters["uid"]
            tenant, role = self.principals.get(uid, (f"u{uid}", "tenant_admin"))
            self.reply(connection, {"uid": uid, "tenant": tenant, "role": role, "rights": []})
        elif method == "io.vmctl.Ledger.Note":
            self.add(noted(len(self.rows) + 1, 8, parameters["topic"]) | {"note": parameters["note"]})
            self.reply(connection, {"seq": len(self.rows)})
        elif method == "io.vmctl.Ledger.Read" and parameters.get("follow"):
            self.follow(connection, parameters)
        elif method == "io.vmctl.Ledger.Read":
            self.reply(connection, self.read(parameters["after"], parameters["limit"]))

    def head(self) -> dict[str, Any]:
        notes = [row["seq"] for row in self.rows if row["kind"] == "noted"]
        return {"service_id": self.service_id, "seq": len(self.rows), "note": max(notes, default=0),
                "hash": (self.hashes or [ledger.chain_begin(self.service_id)])[-1].hex(),
                "at_ms": self.rows[-1]["at_ms"] if self.rows else 0, **self.find_fork()}

    def find_fork(self) -> dict[str, Any]:
        told = [row["seq"] for row in self.rows if row["kind"] == "forked"]
        accepted = [row["seq"] for row in self.rows if row.get("topic") == "recovered"]
        return {"forked": told[-1]} if max(told, default=0) > max(accepted, default=0) else {}

    def find(self, after: int) -> list[Row]:
        return [row for row in self.rows
                if row["seq"] > after and row["seq"] not in self.hidden]

    def read(self, after: int, limit: int) -> dict[str, Any]:
        with self.changed:
            rows: list[Row] = []
            packed = b""
            for row in self.find(after)[:limit]:
                if len(packed) > PAGE_BYTES:
                    break
                rows.append(row)
                packed += ledger.pack(row)
            page: dict[str, Any] = {
                "rows": [], "packed": base64.b64encode(packed).decode(),
                "next": rows[-1]["seq"] if rows else after, "now_ms": milliseconds(self.now)}
            if rows:
                page["hash"] = self.hashes[rows[-1]["seq"] - 1].hex()
            return page

    def follow(self, connection: socket.socket, parameters: dict[str, Any]) -> None:
        after = 0 if self.ignores_after else parameters["after"]
        while self.listener is not None:
            with self.changed:
                self.changed.wait_for(lambda: self.listener is None or self.find(after),
                                      DEADLINE_S)
            page = self.read(after, min(parameters["limit"], 100))
            after = page["next"]
            self.reply(connection, page, continues=True)

    @staticmethod
    def reply(connection: socket.socket, parameters: dict[str, Any],
              continues: bool = False) -> None:
        message: dict[str, Any] = {"parameters": parameters}
        if continues:
            message["continues"] = True
        connection.sendall(json.dumps(message).encode() + b"\0")


def instance_id(number: int) -> str:
    return f"{number:08d}-1111-4111-8111-111111111111"


def opened(seq: int, instance: int, hours: float, **changes: Any) -> Row:
    row: Row = {
        "seq": seq, "kind": "opened", "at_ms": milliseconds(at(hours)), "segment": seq,
        "from_ms": milliseconds(at(hours)), "cause": "test", "resource_kind": "instance",
        "resource": instance_id(instance), "tenant": "default", "name": f"vm-{instance}",
        "host": "local", "state": "running", "vcpus": 2, "memory_bytes": GIB,
        "disk_bytes": 4 * GIB, "generation": 1,
    }
    return row | changes


def closed(seq: int, segment: int, hours: float) -> Row:
    return {"seq": seq, "kind": "closed", "at_ms": milliseconds(at(hours)),
            "segment": segment, "to_ms": milliseconds(at(hours)), "cause": "test"}


def noted(seq: int, hours: float, topic: str) -> Row:
    return {"seq": seq, "kind": "noted", "at_ms": milliseconds(at(hours)), "topic": topic, "note": "{}"}


def card_noted(seq: int, hours: float) -> Row:
    rates = json.loads((ROOT / "data" / "rates.example.json").read_text())
    return noted(seq, hours, "card") | {"note": json.dumps({**rates, "version": 1})}


def many_rows(count: int) -> list[Row]:
    """count instances that ran for 100 hours each, started one after the other."""
    starts = [opened(number + 1, number, number * 0.0001) for number in range(count)]
    ends = [closed(count + number + 1, number + 1, 100 + number * 0.0001)
            for number in range(count)]
    return starts + ends


class MeterTest(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="test-meter-"))
        self.folder.chmod(0o711)
        self.controller = FakeController(self.folder / "vmd.sock")
        self.controller.start()
        self.socket = str(self.folder / "meter.sock")
        self.log = open(self.folder / "log", "wb")
        self.process: subprocess.Popen[bytes] | None = None

    def tearDown(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self.controller.stop()
        self.log.close()
        log = (self.folder / "log").read_text()
        shutil.rmtree(self.folder)
        self.assertNotIn("Sanitizer", log)
        self.assertNotIn("runtime error", log)
        self.assertNotIn("critical: ", log)

    def start_meter(self, **environment: str) -> None:
        Path(self.socket).unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [METER, "--controller", self.controller.path, "--socket", self.socket,
             "--state", self.folder / "state"],
            stderr=self.log, env={**os.environ, **environment})
        wait_for(self.is_up, "vmd-meter listens")

    def is_up(self) -> bool:
        assert self.process is not None
        self.assertIsNone(self.process.poll(), "vmd-meter has ended")
        if not Path(self.socket).exists():
            return False
        try:
            with Connection(self.socket) as connection:
                connection.call("io.vmctl.Ping")
        except OSError:
            return False
        return True

    def kill_meter(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        with Connection(self.socket) as connection:
            return connection.call(method, **parameters)

    def usage(self, **parameters: Any) -> dict[str, Any]:
        return self.call("io.vmctl.Billing.Usage", **{**WINDOW, **parameters})

    def refusal(self, **parameters: Any) -> VarlinkError:
        with self.assertRaises(VarlinkError) as caught:
            self.call("io.vmctl.Billing.Usage", **parameters)
        return caught.exception

    def wait_for_seq(self, seq: int) -> None:
        wait_for(lambda: self.call("io.vmctl.GetInfo")["seq"] >= seq, f"row {seq} is read")

    def wait_for_log(self, text: str) -> None:
        wait_for(lambda: text in (self.folder / "log").read_text(), f"it says: {text}")

    # What is answered

    def test_resize_splits_the_line(self) -> None:
        self.controller.add(opened(1, 1, 0), closed(2, 1, 1),
                            opened(3, 1, 1, vcpus=4), closed(4, 3, 3))
        self.start_meter()
        reply = self.usage()
        self.assertEqual([line["vcpu_hours"] for line in reply["lines"]], ["2.0", "8.0"])
        self.assertEqual([line["to"] for line in reply["lines"]],
                         ["2026-10-01T01:00:00.000Z", "2026-10-01T03:00:00.000Z"])
        self.assertEqual(reply["totals"], [{
            "tenant": "default", "instances": 1, "running_hours": "3.0",
            "vcpu_hours": "10.0", "memory_gib_hours": "3.0", "disk_gib_hours": "12.0"}])
        self.assertEqual(reply["ledger_seq"], 4)

    def test_open_segment_counts_up_to_the_controllers_now(self) -> None:
        self.controller.add(opened(1, 1, 0))
        self.start_meter()
        self.controller.now = at(1.5)
        self.assertEqual(self.usage()["totals"][0]["running_hours"], "1.5")
        self.controller.now = at(2)
        self.assertEqual(self.usage()["totals"][0]["running_hours"], "2.0")

    def test_window_is_this_month_if_left_out(self) -> None:
        self.controller.now = datetime(2026, 11, 3, tzinfo=timezone.utc)
        self.controller.add(opened(1, 1, 0))
        self.start_meter()
        reply = self.call("io.vmctl.Billing.Usage")
        self.assertEqual(reply["from"], "2026-11-01T00:00:00.000Z")
        self.assertEqual(reply["to"], "2026-11-03T00:00:00.000Z")
        self.assertEqual(reply["totals"][0]["running_hours"], "48.0")

    def test_what_just_happened_is_counted(self) -> None:
        self.start_meter()
        for number in range(50):
            seq = 2 * number + 1
            self.controller.add(opened(seq, number, number),
                                closed(seq + 1, seq, number + 1))
            self.assertEqual(self.usage()["ledger_seq"], seq + 1)

    def test_same_question_has_the_same_bytes(self) -> None:
        self.controller.add(*many_rows(40))
        self.start_meter()
        answers = set()
        for _ in range(3):
            with Connection(self.socket) as connection:
                connection.send("io.vmctl.Billing.Usage", WINDOW)
                answers.add(json.dumps(connection.receive_raw()))
            self.kill_meter()
            shutil.rmtree(self.folder / "state")
            self.start_meter()
        self.assertEqual(len(answers), 1)

    def test_stream_brings_batches_and_totals_last(self) -> None:
        self.controller.add(*many_rows(1234))
        self.start_meter()
        self.wait_for_seq(self.controller.rows[-1]["seq"])
        with Connection(self.socket) as connection:
            replies = list(connection.stream("io.vmctl.Billing.Usage", **WINDOW))
        lines = [line for reply in replies for line in reply["lines"]]
        self.assertGreater(len(replies), 6)
        self.assertLessEqual(max(len(reply["lines"]) for reply in replies), 200)
        self.assertEqual(len(lines), 1234)
        self.assertTrue(all(not reply["totals"] for reply in replies[:-1]))
        self.assertEqual(sum(Fraction(line["vcpu_hours"]) for line in lines),
                         Fraction(replies[-1]["totals"][0]["vcpu_hours"]))

    def test_answer_of_500_lines_fits_and_501_do_not(self) -> None:
        self.controller.add(*many_rows(500))
        self.start_meter()
        self.wait_for_seq(self.controller.rows[-1]["seq"])
        self.assertEqual(len(self.usage()["lines"]), 500)
        self.kill_meter()
        shutil.rmtree(self.folder / "state")
        self.controller.add(opened(1001, 500, 200), closed(1002, 1001, 201))
        self.start_meter()
        self.wait_for_seq(1002)
        error = self.refusal(**WINDOW)
        self.assertEqual(error.name, "io.vmctl.TooLarge")
        self.assertIn("more", error.parameters["message"])

    def test_many_tenants_get_their_totals_in_pages(self) -> None:
        for number in range(1100):
            self.controller.add(opened(number + 1, number, number * 0.001,
                                       tenant=f"t{number}"))
        self.controller.now = at(10)
        self.start_meter()
        self.wait_for_seq(1100)
        with Connection(self.socket) as connection:
            replies = list(connection.stream("io.vmctl.Billing.Usage", **WINDOW))
        totals = [total["tenant"] for reply in replies for total in reply["totals"]]
        self.assertEqual(totals, sorted(f"t{number}" for number in range(1100)))

    def test_stream_keeps_memory_flat(self) -> None:
        self.controller.add(*many_rows(20000))
        # A sanitizer keeps what was freed; here that would look like growth.
        self.start_meter(ASAN_OPTIONS="quarantine_size_mb=1:thread_local_quarantine_size_kb=64")
        self.wait_for_seq(self.controller.rows[-1]["seq"])
        before = self.call("io.vmctl.GetInfo")["resident_bytes"]
        with Connection(self.socket) as connection:
            count = 0
            for reply in connection.stream("io.vmctl.Billing.Usage", **WINDOW):
                count += len(reply["lines"])
        after = self.call("io.vmctl.GetInfo")["resident_bytes"]
        self.assertEqual(count, 20000)
        self.assertLess(after - before, 8 << 20)

    def test_client_that_goes_in_mid_stream_harms_nobody(self) -> None:
        self.controller.add(*many_rows(20000))
        self.start_meter()
        self.wait_for_seq(self.controller.rows[-1]["seq"])
        for replies in range(5):
            with Connection(self.socket) as connection:
                connection.send("io.vmctl.Billing.Usage", WINDOW, more=True)
                for _ in range(replies):
                    connection.receive()
        self.assertEqual(self.call("io.vmctl.Ping"), {})

    def test_reader_that_does_not_read_harms_nobody(self) -> None:
        self.controller.add(*many_rows(20000))
        self.start_meter()
        self.wait_for_seq(self.controller.rows[-1]["seq"])
        with Connection(self.socket) as slow:
            slow.send("io.vmctl.Billing.Usage", WINDOW, more=True)
            slow.receive()
            self.assertEqual(len(self.usage(to="2026-10-01T00:00:01Z")["lines"]), 3)
            replies = 0
            while slow.receive()[1]:
                replies += 1
            self.assertGreater(replies, 90)

    # What is refused

    def test_bad_window_names_the_parameter(self) -> None:
        self.controller.now = at(744)
        self.start_meter()
        cases = [
            ({"from": "yesterday"}, "parameters.from"),
            ({"to": "2026-10-01"}, "parameters.to"),
            ({**WINDOW, "to": WINDOW["from"]}, "parameters.to"),
            ({**WINDOW, "to": "9999-01-01T00:00:00Z"}, "parameters.to"),
            ({"from": "2999-01-01T00:00:00Z"}, "parameters.from"),
            ({"tenant": "No"}, "parameters.tenant"),
            ({"colour": "red"}, "parameters.colour"),
        ]
        for parameters, path in cases:
            with self.subTest(parameters=parameters):
                error = self.refusal(**parameters)
                self.assertEqual(error.name, "io.vmctl.InvalidParameter")
                self.assertEqual(error.parameters["path"], path)

    # Who sees what

    def test_tenant_sees_its_own_alone(self) -> None:
        self.controller.add(opened(1, 1, 0, tenant="blue"), opened(2, 2, 0, tenant="red"))
        self.controller.principals[os.getuid()] = ("blue", "tenant_admin")
        self.controller.now = at(1)
        self.start_meter()
        for parameters in ({}, {"tenant": "blue"}):
            lines = self.usage(**parameters)["lines"]
            self.assertEqual([line["tenant"] for line in lines], ["blue"])

    def test_other_tenant_looks_absent(self) -> None:
        self.controller.add(opened(1, 1, 0, tenant="blue"), opened(2, 2, 0, tenant="red"))
        self.controller.principals[os.getuid()] = ("blue", "tenant_admin")
        self.start_meter()
        answers = []
        for tenant in ("red", "nix"):
            error = self.refusal(tenant=tenant)
            answers.append(json.dumps([error.name, error.parameters]).replace(tenant, "?"))
        self.assertEqual(answers[0], answers[1])
        self.assertIn("io.vmctl.NotFound", answers[0])

    def test_admin_sees_everybody(self) -> None:
        self.controller.add(opened(1, 1, 0, tenant="blue"), opened(2, 2, 0, tenant="red"))
        self.controller.now = at(1)
        self.start_meter()
        everybody = self.usage()["totals"]
        red = self.usage(tenant="red")["totals"]
        self.assertEqual([total["tenant"] for total in everybody], ["blue", "red"])
        self.assertEqual([total["tenant"] for total in red], ["red"])
        self.assertEqual(self.refusal(tenant="nix").name, "io.vmctl.NotFound")

    def test_own_tenant_without_usage_is_empty(self) -> None:
        self.controller.principals[os.getuid()] = ("blue", "tenant_admin")
        self.start_meter()
        reply = self.usage(tenant="blue")
        self.assertEqual((reply["lines"], reply["totals"]), ([], []))

    def test_who_somebody_is_is_not_asked_again_at_once(self) -> None:
        self.start_meter()
        for _ in range(20):
            self.assertEqual(self.call("io.vmctl.WhoAmI")["role"], "admin")
        self.assertLessEqual(self.controller.questions, 5)

    def test_only_an_admin_asks_for_another_uid(self) -> None:
        self.start_meter()
        self.assertEqual(self.call("io.vmctl.WhoAmI", uid=4711)["tenant"], "u4711")
        self.kill_meter()
        self.controller.principals[os.getuid()] = ("blue", "tenant_admin")
        self.start_meter()
        with self.assertRaises(VarlinkError) as caught:
            self.call("io.vmctl.WhoAmI", uid=4711)
        self.assertEqual(caught.exception.name, "io.vmctl.PermissionDenied")

    def test_service_describes_itself(self) -> None:
        self.start_meter()
        info = self.call("org.varlink.service.GetInfo")
        self.assertEqual(info["interfaces"],
                         ["org.varlink.service", "io.vmctl", "io.vmctl.Session", "io.vmctl.Billing"])
        text = self.call("org.varlink.service.GetInterfaceDescription",
                         interface="io.vmctl.Billing")["description"]
        self.assertIn("method Usage", text)

    # What goes away and comes back

    def test_answers_while_the_controller_is_away(self) -> None:
        self.controller.add(opened(1, 1, 0), closed(2, 1, 1))
        self.start_meter()
        self.wait_for_seq(2)
        self.usage()
        self.controller.stop()
        self.assertEqual(self.usage()["totals"][0]["running_hours"], "1.0")

    def test_answers_while_the_controller_is_stuck(self) -> None:
        self.controller.add(opened(1, 1, 0), closed(2, 1, 1))
        self.start_meter()
        self.wait_for_seq(2)
        self.controller.is_stuck = True
        for _ in range(2):
            self.assertEqual(self.usage()["totals"][0]["running_hours"], "1.0")

    def test_nothing_is_counted_beyond_what_is_known(self) -> None:
        self.controller.now = at(5)
        self.controller.add(opened(1, 1, 0))
        self.start_meter()
        self.assertEqual(self.usage()["totals"][0]["running_hours"], "5.0")
        self.controller.stop()
        self.assertEqual(self.usage()["totals"][0]["running_hours"], "5.0")

    def test_controller_that_comes_back_is_followed(self) -> None:
        self.controller.add(opened(1, 1, 0))
        self.start_meter()
        self.wait_for_seq(1)
        for seq in range(2, 6):
            self.controller.stop()
            self.controller.add(opened(seq, seq, seq))
            self.controller.start()
            self.wait_for_seq(seq)
        self.assertEqual(self.usage()["ledger_seq"], 5)

    def test_unknown_uid_is_refused_while_the_controller_is_away(self) -> None:
        if os.getuid() != 0:
            self.skipTest("needs root, to be another uid")
        self.start_meter()
        self.controller.stop()
        script = ("import os, socket, sys\n"
                  "os.setgroups([]); os.setgid(4711); os.setuid(4711)\n"
                  "s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])\n"
                  "s.sendall(b'{\"method\":\"io.vmctl.Billing.Usage\"}\\0')\n"
                  "print(s.recv(65536).rstrip(b'\\0').decode())\n")
        output = subprocess.run([sys.executable, "-c", script, self.socket], check=True,
                                capture_output=True, timeout=DEADLINE_S, text=True).stdout
        self.assertEqual(json.loads(output)["error"], "io.vmctl.PermissionDenied")

    def test_every_row_counts_once_over_kill_9_of_the_meter(self) -> None:
        rows = many_rows(1500)
        self.controller.add(*rows)
        for stop in (1, 300, 900, 1600, 2500):
            self.start_meter()
            self.wait_for_seq(rows[stop]["seq"])
            self.kill_meter()
        self.start_meter()
        self.wait_for_seq(rows[-1]["seq"])
        with Connection(self.socket) as connection:
            last = list(connection.stream("io.vmctl.Billing.Usage", **WINDOW))[-1]
        self.assertEqual(last["totals"][0]["instances"], 1500)
        self.assertEqual(last["totals"][0]["running_hours"], "150000.0")

    def test_every_row_counts_once_over_kill_9_of_the_controller(self) -> None:
        rows = many_rows(1500)
        self.controller.add(*rows)
        self.start_meter()
        for stop in (1, 300, 900, 1600):
            self.wait_for_seq(rows[stop]["seq"])
            self.controller.stop()
            self.controller.start()
        self.wait_for_seq(rows[-1]["seq"])
        with Connection(self.socket) as connection:
            last = list(connection.stream("io.vmctl.Billing.Usage", **WINDOW))[-1]
        self.assertEqual(last["totals"][0]["running_hours"], "150000.0")

    def test_rows_that_come_twice_count_once(self) -> None:
        self.controller.ignores_after = True
        self.controller.add(opened(1, 1, 0), closed(2, 1, 1))
        self.start_meter()
        self.wait_for_seq(2)
        self.controller.stop()
        self.controller.add(opened(3, 1, 2), closed(4, 3, 3))
        self.controller.start()
        self.wait_for_seq(4)
        self.assertEqual(self.usage()["totals"][0]["running_hours"], "2.0")

    def test_hole_is_asked_for_again(self) -> None:
        self.controller.hidden = {3}
        self.controller.add(opened(1, 1, 0), closed(2, 1, 1), opened(3, 1, 2),
                            closed(4, 3, 3))
        self.start_meter()
        self.wait_for_log("does not follow row 2")
        self.assertEqual(self.call("io.vmctl.GetInfo")["seq"], 0)
        self.controller.hidden = set()
        self.wait_for_seq(4)
        self.assertEqual(self.usage()["totals"][0]["running_hours"], "2.0")

    def test_ledger_of_another_installation_is_not_taken(self) -> None:
        self.controller.add(opened(1, 1, 0), closed(2, 1, 1))
        self.start_meter()
        self.wait_for_seq(2)
        self.kill_meter()
        self.controller.service_id = "ffffffff-0b0a-4908-8706-050403020100"
        self.controller.add(opened(3, 1, 2))
        self.start_meter()
        self.wait_for_log("holds the ledger of")
        self.assertEqual(self.usage()["ledger_seq"], 2)

    # Forks

    def fork(self, *rows: Row, before: Callable[[], None] = lambda: None) -> str:
        """A controller that was put back to its first two rows, and went on with others; what is then said of bills."""
        self.controller.add(opened(1, 1, 0), opened(2, 2, 0), closed(3, 1, 1), card_noted(4, 2))
        self.start_meter()
        self.assertEqual(self.usage()["ledger_seq"], 4)
        before()
        self.controller.stop()
        self.controller.put_back(2)
        self.controller.add(*rows)
        self.controller.start()
        self.wait_for_log("is not the one that was read before")
        refusal = self.refusal()
        self.assertEqual(refusal.name, "io.vmctl.IllegalState")
        self.assertEqual(refusal.parameters["state"], "fork")
        return str(refusal.parameters["message"])

    def test_ledger_that_ends_before_the_cursor_is_a_fork(self) -> None:
        message = self.fork()
        self.assertIn("row 2 ", message)
        self.assertIn(self.controller.hashes[1].hex(), message)

    def test_ledger_with_another_hash_at_the_cursor_is_a_fork(self) -> None:
        message = self.fork(closed(3, 1, 5), closed(4, 2, 5), opened(5, 3, 5))
        self.assertIn("row 4 ", message)
        self.assertIn(self.controller.hashes[3].hex(), message)

    def test_fork_outlives_the_process(self) -> None:
        self.fork()
        self.kill_meter()
        self.controller.stop()
        self.start_meter()
        self.controller.start()
        wait_for(lambda: self.refusal().name != "io.vmctl.HostUnreachable", "the controller is known again")
        self.assertEqual(self.refusal().parameters["state"], "fork")

    def test_fork_that_is_accepted_is_read_anew(self) -> None:
        self.fork(closed(3, 1, 5), closed(4, 2, 6), noted(5, 6, "card"))
        self.controller.add(noted(6, 7, "recovered"))
        self.wait_for_log("The fork was accepted")
        wait_for(lambda: self.call("io.vmctl.GetInfo")["seq"] == 6, "the ledger is read anew")
        self.assertEqual([line["running_hours"] for line in self.usage()["lines"]], ["5.0", "6.0"])

    def test_connection_after_a_fork_asks_once_where_the_ledger_stands(self) -> None:
        self.fork()
        self.controller.stop()
        self.controller.is_stuck = True
        self.controller.heads.clear()
        self.controller.start()
        # It is given up when no answer has come: later than a fork is looked at again.
        wait_for(lambda: set(self.controller.heads) - self.controller.connections, "a connection is given up")
        self.assertEqual(set(self.controller.heads.values()), {1})

    def cards(self) -> list[str]:
        return [card["card"] for card in self.call("io.vmctl.Billing.ListCards")["cards"]]

    def test_rate_card_of_before_a_fork_is_in_no_books_after_it(self) -> None:
        self.fork(closed(3, 1, 5), before=lambda: self.assertEqual(self.cards(), ["standard"]))
        self.controller.add(noted(4, 7, "recovered"))
        self.wait_for_log("The fork was accepted")
        wait_for(lambda: self.call("io.vmctl.GetInfo")["seq"] == 4, "the ledger is read anew")
        self.assertEqual(self.cards(), [])

    # Recovering

    def recover(self, **parameters: Any) -> dict[str, Any]:
        return self.call("io.vmctl.Billing.Recover", **{"accept_fork": True, "why": "The disk broke", **parameters})

    def refused_recovery(self, **parameters: Any) -> tuple[str, str]:
        with self.assertRaises(VarlinkError) as refused:
            self.recover(**parameters)
        error = refused.exception
        return str(error.parameters.get("state", error.name)), str(error.parameters.get("message"))

    def test_lost_rows_are_accepted_and_billing_goes_on(self) -> None:
        self.fork(closed(3, 1, 5), closed(4, 2, 6))
        state, message = self.refused_recovery(accept_fork=False)
        self.assertEqual(state, "fork")
        self.assertIn("up to row 4", message)
        self.assertEqual(len(self.controller.rows), 4)
        done = self.recover()
        self.assertEqual((done["seq"], done["lost"], len(done["branch"])), (5, 4, 8))
        note = json.loads(self.controller.rows[-1]["note"])
        self.assertEqual((note["why"], note["lost"], note["branch"]), ("The disk broke", 4, done["branch"]))
        self.assertEqual([line["running_hours"] for line in self.usage()["lines"]], ["5.0", "6.0"])
        self.assertEqual(self.usage()["ledger_seq"], 5)

    def test_fork_that_the_ledger_tells_of_is_accepted(self) -> None:
        fork = {"seq": 2, "kind": "forked", "at_ms": milliseconds(at(1)), "cause": "older", "note": f"7 {'ab' * 32}"}
        self.controller.add(opened(1, 1, 0), fork)
        self.start_meter()
        wait_for(lambda: self.refusal().name == "io.vmctl.IllegalState", "the fork is known")
        self.assertIn("vmctl usage recover", str(self.refusal().parameters["message"]))
        done = self.recover()
        self.assertEqual((done["seq"], done["lost"], done["lost_hash"]), (3, 7, "ab" * 32))
        # It holds none of those rows.
        self.assertNotIn("lost_file", done)
        self.assertEqual(self.list_kept(), [])
        self.assertEqual(json.loads(self.controller.rows[-1]["note"])["forked"], 2)
        self.assertEqual(self.usage()["ledger_seq"], 3)

    def test_recovery_that_is_repeated_is_the_same(self) -> None:
        self.fork(closed(3, 1, 5))
        first = self.recover()
        self.assertIn("lost_file", first)
        self.assertEqual(self.recover(), first)
        self.assertEqual(self.refused_recovery(why="Something else")[0], "whole")
        self.assertEqual(len(self.controller.rows), 4)

    # Keeping what is lost

    def list_kept(self) -> list[Path]:
        return sorted(path for path in (self.folder / "state").iterdir() if not path.name.startswith("meter.db"))

    def check_kept(self, rows: list[Row], head: str) -> None:
        """What is kept is these rows, and nothing else lies about."""
        (path,) = self.list_kept()
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        seq, found = head.split(":")
        self.assertEqual(path.name, f"lost-{seq}-{found[:16]}.jsonl")
        tool = [ROOT / "tools" / "verify-ledger", "--head", head, "--service", self.controller.service_id, "--rows", path]
        checked = subprocess.run(tool, capture_output=True, text=True, check=False)
        self.assertEqual(checked.returncode, 0, checked.stderr)
        self.assertEqual([json.loads(line) for line in checked.stdout.splitlines()], rows)

    def fork_and_remember(self, *rows: Row) -> tuple[list[Row], str]:
        """The rows that vmd-meter holds after it, and the last of them."""
        held: list[Row] = []
        hashes: list[bytes] = []

        def remember() -> None:
            held.extend(self.controller.rows)
            hashes.extend(self.controller.hashes)

        self.fork(*rows, before=remember)
        return held, f"{len(held)}:{hashes[-1].hex()}"

    def test_lost_rows_are_kept_in_a_file_that_can_be_checked(self) -> None:
        held, head = self.fork_and_remember(closed(3, 1, 5), closed(4, 2, 6))
        done = self.recover()
        self.check_kept(held, head)
        self.assertEqual(done["lost_file"], str(self.list_kept()[0]))
        self.wait_for_log(f"are kept in {done['lost_file']}")

    def test_kept_file_is_what_an_export_was(self) -> None:
        exports: list[str] = []

        def export() -> None:
            with Connection(self.socket) as connection:
                replies = list(connection.stream("io.vmctl.Billing.Report", format="ledger"))
            exports.append("".join(reply["text"] for reply in replies))

        self.fork(closed(3, 1, 5), before=export)
        self.assertEqual(Path(self.recover()["lost_file"]).read_text(), exports[0])

    def fork_of_many(self, count: int) -> tuple[list[Row], str]:
        self.controller.add(*many_rows(count))
        # A sanitizer keeps what was freed; that would look like growth.
        self.start_meter(ASAN_OPTIONS="quarantine_size_mb=1:thread_local_quarantine_size_kb=64")
        self.wait_for_seq(2 * count)
        held, head = list(self.controller.rows), f"{2 * count}:{self.controller.hashes[-1].hex()}"
        self.controller.stop()
        self.controller.put_back(2)
        self.controller.start()
        self.wait_for_log("is not the one that was read before")
        return held, head

    def test_lost_rows_of_many_pages_are_kept(self) -> None:
        held, head = self.fork_of_many(20000)
        before = self.call("io.vmctl.GetInfo")["resident_bytes"]
        self.recover()
        after = self.call("io.vmctl.GetInfo")["resident_bytes"]
        self.check_kept(held, head)
        self.assertLess(after - before, 8 << 20)

    def test_client_that_goes_while_lost_rows_are_kept_does_not_stop_it(self) -> None:
        held, head = self.fork_of_many(3000)
        with Connection(self.socket) as connection:
            connection.send("io.vmctl.Billing.Recover", {"accept_fork": True, "why": "The disk broke"})
            wait_for(self.list_kept, "it is begun")
        wait_for(lambda: self.call("io.vmctl.GetInfo")["seq"] == 3, "the ledger is read anew")
        self.check_kept(held, head)

    def test_nothing_is_accepted_while_lost_rows_cannot_be_kept(self) -> None:
        held, head = self.fork_and_remember(closed(3, 1, 5))
        blocked = self.folder / "state" / f"lost-{head.replace(':', '-')[:18]}.jsonl"
        blocked.mkdir()
        state, message = self.refused_recovery()
        self.assertEqual(state, "io.vmctl.Internal")
        self.assertIn(f"{blocked}, which is to keep the rows that are lost: Is a directory", message)
        self.assertEqual(len(self.controller.rows), 3)
        self.assertEqual(self.refusal().parameters["state"], "fork")
        self.assertEqual(self.list_kept(), [blocked])
        blocked.rmdir()
        self.recover()
        self.check_kept(held, head)
        self.assertEqual(self.usage()["ledger_seq"], 4)

    def test_full_disk_keeps_a_recovery_back(self) -> None:
        state = self.folder / "state"
        state.mkdir(mode=0o700)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4M,mode=700", "tmpfs", state], capture_output=True, check=False)
        if mounted.returncode != 0:
            self.skipTest("a small disk is not to be had here")
        try:
            self.check_full_disk(state / "filler")
        finally:
            subprocess.run(["umount", "-l", state], check=True)

    def check_full_disk(self, filler: Path) -> None:
        held, head = self.fork_and_remember(closed(3, 1, 5))
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        state, message = self.refused_recovery()
        self.assertEqual(state, "io.vmctl.DiskFull")
        self.assertIn("No space left on device", message)
        self.assertEqual(len(self.controller.rows), 3)
        self.assertEqual(self.list_kept(), [filler])
        filler.unlink()
        self.recover()
        self.check_kept(held, head)

    def test_fork_that_was_accepted_meanwhile_is_not_read_anew_before_lost_rows_are_kept(self) -> None:
        held, head = self.fork_and_remember(closed(3, 1, 5), closed(4, 2, 6))
        self.kill_meter()
        self.controller.add(noted(5, 7, "recovered"))
        blocked = self.folder / "state" / f"lost-{head.replace(':', '-')[:18]}.jsonl"
        blocked.mkdir()
        self.start_meter()
        self.wait_for_log("The fork was accepted, but the ledger is not read anew yet")
        self.assertEqual(self.refusal().parameters["state"], "fork")
        self.assertEqual(self.call("io.vmctl.GetInfo")["seq"], 4)
        blocked.rmdir()
        wait_for(lambda: self.call("io.vmctl.GetInfo")["seq"] == 5, "the ledger is read anew")
        self.check_kept(held, head)
        self.assertEqual((self.folder / "log").read_text().count("is not read anew yet"), 1)

    def test_kept_file_of_a_process_that_was_killed_is_written_again(self) -> None:
        held, head = self.fork_and_remember(closed(3, 1, 5))
        name = f"lost-{head.replace(':', '-')[:18]}.jsonl"
        self.kill_meter()
        # Killed in the midst of it, and, once, before all was begun anew.
        (self.folder / "state" / f".new-{name}").write_text("half of " * 1000)
        (self.folder / "state" / name).write_text("the same")
        self.start_meter()
        wait_for(lambda: self.refusal().name != "io.vmctl.HostUnreachable", "the controller is known")
        self.recover()
        self.check_kept(held, head)

    def test_what_is_made_anew_without_a_loss_keeps_nothing(self) -> None:
        self.controller.add(opened(1, 1, 0), opened(2, 2, 0))
        self.start_meter()
        self.wait_for_seq(2)
        self.kill_meter()
        with contextlib.closing(sqlite3.connect(self.folder / "state" / "meter.db")) as database:
            database.execute("PRAGMA user_version = 7")
        self.start_meter()
        self.wait_for_seq(2)
        self.kill_meter()
        for path in (self.folder / "state").glob("meter.db*"):
            path.unlink()
        self.start_meter()
        self.wait_for_seq(2)
        self.assertEqual(self.list_kept(), [])

    def test_rows_that_are_damaged_are_not_given_up(self) -> None:
        self.fork(closed(3, 1, 5))
        self.kill_meter()
        with contextlib.closing(sqlite3.connect(self.folder / "state" / "meter.db")) as database:
            database.execute("DELETE FROM ledger WHERE seq = 3")
            database.commit()
        self.start_meter()
        wait_for(lambda: self.refusal().name != "io.vmctl.HostUnreachable", "the controller is known")
        self.assertIn("move it to a safe place", self.refused_recovery()[1])
        self.assertEqual(len(self.controller.rows), 3)
        self.assertEqual(self.list_kept(), [])

    def test_whole_ledger_has_nothing_to_recover(self) -> None:
        self.controller.add(opened(1, 1, 0))
        self.start_meter()
        self.wait_for_seq(1)
        self.assertEqual(self.refused_recovery()[0], "whole")
        self.assertEqual(len(self.controller.rows), 1)

    def test_fork_that_is_gone_is_not_accepted(self) -> None:
        self.fork()
        rows = [opened(1, 1, 0), opened(2, 2, 0), closed(3, 1, 1), card_noted(4, 2)]
        with self.controller.changed:
            self.controller.put_back(0)
            self.controller.add(*rows)
        self.assertEqual(self.refused_recovery()[0], "whole")
        self.assertEqual(len(self.controller.rows), 4)

    def test_only_an_admin_recovers(self) -> None:
        self.controller.principals = {os.getuid(): ("default", "tenant_admin")}
        self.fork()
        self.assertEqual(self.refused_recovery()[0], "io.vmctl.PermissionDenied")
        self.assertEqual(len(self.controller.rows), 2)

    def test_nothing_is_recovered_while_the_controller_is_away(self) -> None:
        self.fork()
        self.controller.stop()
        wait_for(lambda: self.refused_recovery()[0] == "io.vmctl.HostUnreachable", "it is away")

    def test_ledger_that_is_put_right_is_followed_again(self) -> None:
        rows = [opened(1, 1, 0), opened(2, 2, 0), closed(3, 1, 1), card_noted(4, 2)]
        self.fork()
        self.controller.stop()
        self.controller.put_back(0)
        self.controller.add(*rows, opened(5, 3, 3))
        self.controller.start()
        wait_for(lambda: self.call("io.vmctl.GetInfo")["seq"] == 5, "the ledger is followed")
        self.assertEqual(self.usage()["ledger_seq"], 5)

    def test_ends_with_0_on_sigterm(self) -> None:
        self.controller.add(*many_rows(5000))
        self.start_meter()
        with Connection(self.socket) as connection:
            connection.send("io.vmctl.Billing.Usage", WINDOW, more=True)
            assert self.process is not None
            self.process.send_signal(signal.SIGTERM)
            self.assertEqual(self.process.wait(DEADLINE_S), 0)

    def test_second_meter_on_one_state_ends(self) -> None:
        self.start_meter()
        second = subprocess.run(
            [METER, "--controller", self.controller.path,
             "--socket", self.folder / "other.sock", "--state", self.folder / "state"],
            stderr=subprocess.PIPE, timeout=DEADLINE_S, check=False)
        self.assertEqual(second.returncode, 1)
        self.assertIn(b"database is locked", second.stderr)


if __name__ == "__main__":
    if not METER:
        raise SystemExit("VMD_METER names no program")
    unittest.main(verbosity=2)
