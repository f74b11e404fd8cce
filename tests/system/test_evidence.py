#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What bills rest on can be checked: by vmd-meter itself, and by who has an export of the ledger and tools/verify-ledger."""

from __future__ import annotations

import argparse
import base64
import importlib.machinery
import importlib.util
import io
import json
import os
import random
import sqlite3
import subprocess
import sys
import unittest
from pathlib import Path
from typing import Any

import test_meter
from lib import cli, ledger, openmetrics
from lib.varlink import Connection, VarlinkError
from test_meter import FakeController, Row, at, closed, milliseconds, noted, opened, wait_for

TOOL = Path(__file__).parents[2] / "tools" / "verify-ledger"
BILLING = "io.vmctl.Billing."


def load_tool() -> Any:
    loader = importlib.machinery.SourceFileLoader("verify_ledger", str(TOOL))
    spec = importlib.util.spec_from_loader("verify_ledger", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.dont_write_bytecode = True
    loader.exec_module(module)
    return module


tool = load_tool()


def used(seq: int, segment: int, begin: float, end: float, quantity: int, **changes: Any) -> Row:
    row: Row = {"seq": seq, "kind": "used", "at_ms": milliseconds(at(end)), "segment": segment,
                "from_ms": milliseconds(at(begin)), "to_ms": milliseconds(at(end)), "counter": "cpu_time", "quantity": quantity}
    return row | changes


def gap(seq: int, segment: int, begin: float, end: float) -> Row:
    return {"seq": seq, "kind": "gap", "at_ms": milliseconds(at(end)), "segment": segment, "from_ms": milliseconds(at(begin)),
            "to_ms": milliseconds(at(end)), "cause": "unreachable"}


def clock(seq: int, hours: float) -> Row:
    return {"seq": seq, "kind": "clock", "at_ms": milliseconds(at(hours)), "from_ms": milliseconds(at(hours)),
            "to_ms": milliseconds(at(hours + 1)), "cause": "stepped"}


def story() -> list[Row]:
    """Two tenants, of which one is ours, and rows of every kind."""
    return [
        opened(1, 1, 0, labels={"a": "1", "b": "2"}), opened(2, 2, 0, tenant="other", name="theirs"), noted(3, 0, "card"),
        used(4, 1, 0, 1, 1000, estimated=5), used(5, 2, 0, 1, 2000), gap(6, 1, 1, 1.5),
        used(7, 1, 1, 23, 7000, device="52:54:00:00:00:01", counter="net_rx_bytes"),
        noted(8, 23, "closed"), used(9, 1, 23, 25, 3001), used(10, 2, 2, 26, 99), clock(11, 26), closed(12, 1, 27),
        noted(13, 27, "invoice") | {"tenant": "other", "note": '{"theirs": 1}'}, opened(14, 1, 28, vcpus=4), closed(15, 2, 29),
    ]  # fmt: skip


class EvidenceTest(test_meter.MeterTest):
    """With what that has to start a meter; its own tests are not run again."""

    def begin(self, rows: list[Row] | None = None) -> None:
        self.controller.add(*(rows if rows is not None else story()))
        self.controller.now = at(30)
        self.start_meter()
        wait_for(lambda: self.call("io.vmctl.GetInfo")["seq"] == len(self.controller.rows), "the ledger is read")

    def stream(self, method: str, **parameters: Any) -> list[dict[str, Any]]:
        with Connection(self.socket) as connection:
            connection.send(BILLING + method, parameters, more=True)
            replies = []
            while True:
                reply, continues = connection.receive()
                replies.append(reply)
                if not continues:
                    return replies

    def verify(self) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The last reply, and all faults."""
        replies = self.stream("Verify")
        return replies[-1], [fault for reply in replies for fault in reply["faults"]]

    def export(self, **parameters: Any) -> str:
        replies = self.stream("ExportLedger", **parameters)
        head = {name: value for name, value in replies[0].items() if name != "rows"}
        rows = [row for reply in replies for row in reply["rows"]]
        return "".join(json.dumps(line) + "\n" for line in [head, *rows])

    # vmd-meter checks itself

    def test_all_that_is_held_is_right(self) -> None:
        self.begin()
        last, faults = self.verify()
        self.assertEqual(faults, [])
        self.assertEqual((last["checked"], last["rows"], last["same"]), (15, 15, True))
        self.assertEqual(last["hash"], self.controller.hashes[-1].hex())

    def test_empty_ledger_is_right(self) -> None:
        self.begin([])
        last, faults = self.verify()
        self.assertEqual((last["checked"], faults), (0, []))

    def test_what_vmd_has_is_not_known_while_it_is_away(self) -> None:
        self.begin()
        self.usage()
        self.controller.stop()
        last, faults = self.verify()
        self.assertEqual(faults, [])
        self.assertNotIn("same", last)

    def tamper(self, *statements: str) -> list[dict[str, Any]]:
        """What is found after meter.db was changed behind the meter's back."""
        self.begin()
        self.usage()
        self.kill_meter()
        database = sqlite3.connect(self.folder / "state" / "meter.db")
        for statement in statements:
            database.execute(statement)
        database.commit()
        database.close()
        self.start_meter()
        wait_for(lambda: self.call("io.vmctl.GetInfo")["seq"] == 15, "it follows")
        return self.verify()[1]

    def test_row_that_was_changed_is_found(self) -> None:
        row = ledger.pack(used(5, 2, 0, 1, 2001))
        faults = self.tamper(f"UPDATE ledger SET body = x'{row.hex()}' WHERE seq = 5")
        self.assertTrue(any(fault["row"] == 15 and "hash" in fault["text"] for fault in faults), faults)
        self.assertTrue(any("2026-10-01" in fault["text"] for fault in faults), faults)

    def test_row_that_cannot_be_read_is_found(self) -> None:
        faults = self.tamper("UPDATE ledger SET body = x'ff' WHERE seq = 9")
        self.assertEqual(faults[0]["row"], 9)

    def test_row_that_is_missing_is_found(self) -> None:
        faults = self.tamper("DELETE FROM ledger WHERE seq = 9")
        self.assertEqual((faults[0]["row"], faults[0]["text"]), (10, "follows row 8"))

    def test_rows_that_were_swapped_are_found(self) -> None:
        faults = self.tamper("UPDATE ledger SET seq = -4 WHERE seq = 4", "UPDATE ledger SET seq = 4 WHERE seq = 5",
                             "UPDATE ledger SET seq = 5 WHERE seq = -4")
        self.assertEqual(faults[0]["row"], 5)

    def test_sums_that_were_changed_are_found(self) -> None:
        for table, when in (("usage_day", "2026-10-02"), ("usage_month", "2026-10"), ("usage_total", "all time")):
            with self.subTest(table):
                where = " WHERE day = (SELECT max(day) FROM usage_day)" if table == "usage_day" else ""
                faults = self.tamper(f"UPDATE {table} SET quantity = quantity + 1{where}")
                self.assertEqual([fault["row"] for fault in faults], [0])
                self.assertIn(f"sums of {when} ", faults[0]["text"])
                self.tearDown()
                self.setUp()

    def test_sum_that_is_missing_is_found(self) -> None:
        faults = self.tamper("DELETE FROM usage_day WHERE day = (SELECT min(day) FROM usage_day) AND quantity = 2000")
        self.assertEqual(len(faults), 1)
        self.assertIn("2026-10-01", faults[0]["text"])

    def test_facts_that_were_changed_are_found(self) -> None:
        faults = self.tamper(
            "DROP TRIGGER segment_once", "DROP TRIGGER segment_kept", "UPDATE segment SET vcpus = 1 WHERE seq = 14",
            "UPDATE segment SET to_ms = to_ms - 1 WHERE end_seq = 15", "DELETE FROM gap WHERE seq = 6",
            "UPDATE gap_sum SET lost_ms = 1", "UPDATE mark SET topic = 'x' WHERE seq = 13",
            "UPDATE usage_total SET last_day = last_day - 1 WHERE first_seq = 4",
        )  # fmt: skip
        self.assertEqual(
            {(fault["row"], fault["text"]) for fault in faults},
            {
                (14, "has another vcpus in table segment of meter.db"),
                (15, "has another to_ms in table segment of meter.db"),
                (6, "is missing from table gap of meter.db"),
                (0, "Table gap_sum of meter.db has not what the rows say of unreachable"),
                (13, "has another topic in table mark of meter.db"),
                (1, "opens what has another last_day in table usage_total of meter.db"),
            },
        )
        self.assertIn("table segment of meter.db", cli.run(str(self.controller.path), "usage", "verify", status=1).stdout)

    def test_tenant_may_verify_and_sees_no_resource(self) -> None:
        self.controller.principals = {os.getuid(): ("default", "viewer")}
        faults = self.tamper(f"UPDATE ledger SET body = x'{ledger.pack(closed(15, 1, 29)).hex()}' WHERE seq = 15")
        self.assertTrue(faults)
        self.assertFalse(any("resource" in fault for fault in faults))

    def test_where_the_ledger_was_put_back_is_told_and_is_no_fault(self) -> None:
        fork = {"seq": 2, "kind": "forked", "at_ms": milliseconds(at(1)), "cause": "older", "note": f"7 {'ab' * 32}"}
        self.begin([opened(1, 1, 0), fork, noted(3, 2, "recovered") | {"note": '{"branch": "3f2a91c0", "lost": 7}'}])
        last, faults = self.verify()
        texts = [f"goes on from an older copy: row 7 {'ab' * 32} is lost", "accepts that the ledger goes on from an older copy"]
        self.assertEqual(faults, [])
        self.assertEqual([(found["row"], found["text"]) for found in last["breaks"]], list(zip((2, 3), texts)))
        shown = cli.run(str(self.controller.path), "usage", "verify")
        self.assertIn("3 rows, all right", shown.stdout)
        checked = subprocess.run([TOOL], input=self.export(), capture_output=True, text=True, check=True)
        for number, text in zip((2, 3), texts):
            self.assertIn(f"vmctl usage verify: row {number} {text}\n", shown.stderr)
            self.assertIn(f"verify-ledger: row {number} {text}\n", checked.stderr)

    # What lies behind a figure

    def explain(self, number: int = 1, **parameters: Any) -> list[dict[str, Any]]:
        replies = self.stream("Explain", **{**test_meter.WINDOW, "resource": test_meter.instance_id(number), **parameters})
        return [fact for reply in replies for fact in reply["facts"]]

    def test_facts_are_those_of_the_rows(self) -> None:
        self.begin()
        facts = self.explain()
        self.assertEqual([(fact["kind"], fact["row"]) for fact in facts],
                         [("segment", 1), ("segment", 14), ("gap", 6), ("used", 4), ("used", 7), ("used", 9)])
        segment, last, gap_, cpu, net, _ = facts
        self.assertEqual((segment["from"], segment["to"]), ("2026-10-01T00:00:00.000Z", "2026-10-02T03:00:00.000Z"))
        self.assertEqual((segment["end_row"], segment["state"], segment["vcpus"], segment["host"]), (12, "running", 2, "local"))
        self.assertEqual((last["to"], last["vcpus"]), ("2026-10-02T06:00:00.000Z", 4))
        self.assertNotIn("end_row", last)
        self.assertEqual((gap_["cause"], gap_["filled"]), ("unreachable", 7))
        self.assertEqual((cpu["counter"], cpu["quantity"], cpu["estimated"]), ("cpu_time", 1000, 5))
        self.assertEqual((net["device"], net["quantity"]), ("52:54:00:00:00:01", 7000))

    def test_facts_are_of_the_days_that_are_asked_for(self) -> None:
        self.begin()
        day = {"from": "2026-10-02T00:00:00Z", "to": "2026-10-03T00:00:00Z"}
        self.assertEqual([fact["row"] for fact in self.explain(**day)], [1, 14, 9])
        self.assertEqual([fact["row"] for fact in self.explain(2, **day)], [2, 10])

    def test_facts_as_of_a_row_know_nothing_later(self) -> None:
        self.begin()
        facts = self.explain(as_of=6)
        self.assertEqual([fact["row"] for fact in facts], [1, 6, 4])
        self.assertNotIn("end_row", facts[0])
        self.assertNotIn("filled", facts[1])

    def test_many_facts_come_in_batches(self) -> None:
        self.begin([opened(1, 1, 0)] + [used(seq, 1, seq / 100, (seq + 1) / 100, seq) for seq in range(2, 2600)])
        self.assertEqual([fact["row"] for fact in self.explain()], list(range(1, 2600)))

    def test_tenant_has_its_own_explained_and_sees_no_host(self) -> None:
        self.controller.principals = {os.getuid(): ("default", "viewer")}
        self.begin()
        self.assertFalse(any("host" in fact for fact in self.explain()))
        for resource in (test_meter.instance_id(2), test_meter.instance_id(7)):
            with self.assertRaises(VarlinkError) as refused:
                self.stream("Explain", resource=resource)
            self.assertEqual(refused.exception.name, "io.vmctl.NotFound")
        with self.assertRaises(VarlinkError) as refused:
            self.explain(kind="volume")
        self.assertEqual(refused.exception.name, "io.vmctl.NotFound")

    # Others check an export

    def check(self, text: str, head: str | None = None, service: str | None = None) -> None:
        tool.check(io.StringIO(text), argparse.Namespace(head=head, service=service, rows=False))

    def fault(self, text: str, head: str | None = None, service: str | None = None) -> str:
        with self.assertRaises(tool.Fault) as caught:
            self.check(text, head, service)
        return str(caught.exception)

    def head(self) -> str:
        return f"{len(self.controller.rows)}:{self.controller.hashes[-1].hex()}"

    def test_export_is_right(self) -> None:
        self.begin()
        text = self.export()
        self.check(text, self.head(), self.controller.service_id)
        path = self.folder / "ledger.jsonl"
        path.write_text(text)
        shown = subprocess.run([TOOL, "--rows", "--head", self.head(), path], capture_output=True, text=True, check=True)
        self.assertEqual([json.loads(line) for line in shown.stdout.splitlines()], self.controller.rows)
        self.assertIn("15 rows, all right", shown.stderr)

    def test_export_as_of_a_row_ends_there(self) -> None:
        self.begin()
        text = self.export(as_of=7)
        self.assertEqual(len(text.splitlines()), 8)
        self.check(text, f"7:{self.controller.hashes[6].hex()}")

    def test_long_export_comes_in_batches(self) -> None:
        self.begin([opened(1, 1, 0)] + [used(seq, 1, seq / 100, (seq + 1) / 100, seq) for seq in range(2, 2600)])
        self.assertEqual(len(self.stream("ExportLedger")), 3)
        self.check(self.export(), self.head())

    def test_tenant_gets_its_own_rows_and_the_chain(self) -> None:
        self.controller.principals = {os.getuid(): ("default", "viewer")}
        self.begin()
        text = self.export()
        whole = [line["seq"] for line in map(json.loads, text.splitlines()[1:]) if "row" in line]
        self.assertEqual(whole, [1, 4, 6, 7, 9, 11, 12, 14])
        self.check(text, self.head())
        hidden = b"".join(base64.b64decode(line.get("row", "")) for line in map(json.loads, text.splitlines()[1:]))
        for secret in (b"other", b"theirs", b"invoice", b"card"):
            self.assertNotIn(secret, hidden)
        with self.assertRaises(VarlinkError) as refused:
            self.stream("ExportLedger", tenant="other")
        self.assertEqual(refused.exception.name, "io.vmctl.NotFound")

    def test_any_bit_that_was_flipped_is_found_where_it_is(self) -> None:
        self.begin()
        lines = self.export().splitlines(keepends=True)
        for number in range(1, len(lines)):
            line = json.loads(lines[number])
            packed = base64.b64decode(line["row"])
            for bit in range(len(packed) * 8):
                changed = bytearray(packed)
                changed[bit // 8] ^= 1 << bit % 8
                line["row"] = base64.b64encode(changed).decode()
                text = "".join([*lines[:number], json.dumps(line) + "\n", *lines[number + 1 :]])
                self.assertIn(f"Row {number} ", self.fault(text))

    def test_file_of_which_any_letter_was_changed_is_refused(self) -> None:
        self.begin()
        text = self.export()
        chance = random.Random(1)
        for place in chance.sample(range(text.index('"hash"'), len(text)), 300):
            letter = chance.choice([other for other in "0123456789abcdefXYZ+/" if other != text[place]])
            changed = text[:place] + letter + text[place + 1 :]
            # The name of a member that nobody reads, and the tenant's, prove nothing.
            if [json.loads(line) if line.startswith("{") else line for line in text.splitlines()] != self.parse(changed):
                self.fault(changed, self.head())

    @staticmethod
    def parse(text: str) -> Any:
        try:
            return [json.loads(line) for line in text.splitlines()]
        except ValueError:
            return None

    def test_rows_cut_swapped_or_put_in_are_found_where_they_are(self) -> None:
        self.begin()
        lines = self.export().splitlines(keepends=True)
        for number in range(1, len(lines) - 1):
            cut = "".join(lines[:number] + lines[number + 1 :])
            self.assertIn(f"Row {number} ", self.fault(cut))
            swapped = "".join([*lines[:number], lines[number + 1], lines[number], *lines[number + 2 :]])
            self.assertIn(f"Row {number} ", self.fault(swapped))
            twice = "".join([*lines[:number], lines[number], *lines[number:]])
            self.assertIn(f"Row {number + 1} ", self.fault(twice))
        self.assertIn("Row 14 is the last", self.fault("".join(lines[:-1])))

    def test_ledger_of_another_machine_is_refused(self) -> None:
        self.begin()
        text = self.export()
        other = FakeController(self.folder / "none")
        other.service_id = "11111111-0b0a-4908-8706-050403020100"
        other.add(*story())
        self.assertIn("is that of", self.fault(text, service=other.service_id))
        self.assertIn("Row 1 ", self.fault(text.replace(self.controller.service_id, other.service_id)))
        self.assertIn("Row 15 ", self.fault(text, head=f"15:{other.hashes[-1].hex()}"))

    def test_ledger_that_was_made_up_is_refused_by_its_head(self) -> None:
        self.begin()
        forged = FakeController(self.folder / "none")
        rows = story()
        rows[3]["quantity"] = 900
        forged.add(*rows)
        lines = [json.loads(line) for line in self.export().splitlines()]
        for line, row, hash_ in zip(lines[1:], rows, forged.hashes):
            line |= {"row": base64.b64encode(ledger.pack(row)).decode(), "hash": hash_.hex()}
        lines[0]["hash"] = forged.hashes[-1].hex()
        text = "".join(json.dumps(line) + "\n" for line in lines)
        self.check(text)
        self.assertIn("Row 15 ", self.fault(text, self.head()))

    def test_books_that_do_not_hold_together_are_refused(self) -> None:
        wrong = {
            "while another is open": [opened(1, 1, 0), opened(2, 1, 1)],
            "that is not open": [opened(1, 1, 0), closed(2, 1, 1), closed(3, 1, 2)],
            "before it began": [opened(1, 1, 5), closed(2, 1, 5) | {"to_ms": 7}],
            "overlaps": [opened(1, 1, 0), closed(2, 1, 5), opened(3, 1, 6) | {"from_ms": milliseconds(at(4))}],
            "not its own": [opened(1, 1, 0) | {"segment": 2}],
            "does not lie in its segment": [opened(1, 1, 2), used(2, 1, 1, 3, 5)],
            "quantity that cannot be": [opened(1, 1, 0), used(2, 1, 1, 2, 5, estimated=6)],
            "was booked before": [opened(1, 1, 0), used(2, 1, 1, 3, 5), used(3, 1, 2, 4, 5)],
            "there is not": [used(1, 1, 0, 1, 5)],
            "lies before": [noted(1, 5, "card"), noted(2, 4, "card")],
            "says that it is row": [noted(2, 5, "card")],
        }
        for what, rows in wrong.items():
            made = FakeController(self.folder / "none")
            made.add(*rows)
            lines = [{"service_id": made.service_id, "seq": len(rows), "hash": made.hashes[-1].hex()}]
            lines += [{"seq": number, "row": base64.b64encode(ledger.pack(row)).decode(), "hash": hash_.hex()}
                      for number, (row, hash_) in enumerate(zip(rows, made.hashes), start=1)]
            self.assertIn(what, self.fault("".join(json.dumps(line) + "\n" for line in lines)))

    # Reports that are of the ledger alone

    def begin_priced(self) -> None:
        standard = {"card": "standard", "from_ms": milliseconds(at(0)), "discount_ppm": 0}
        self.begin([
            test_meter.card_noted(1, 0), noted(2, 0, "assignment") | {"note": json.dumps(standard)},
            opened(3, 1, 0), opened(4, 2, 0, tenant="other", name="theirs"), used(5, 3, 0, 1, 5 * 10**9),
            used(6, 3, 0, 1, 7000, device="52:54:00:00:00:01", counter="net_rx_bytes"), gap(7, 3, 1, 1.5),
            used(8, 4, 0, 2, 9 * 10**9), closed(9, 3, 3), used(10, 4, 2, 3, 10**9), opened(11, 1, 4), used(12, 11, 4, 5, 2 * 10**9),
            clock(13, 20),
        ])  # fmt: skip

    def report(self, form: str, **parameters: Any) -> str:
        return "".join(reply["text"] for reply in self.stream("Report", format=form, **parameters))

    def refused_report(self, **parameters: Any) -> str:
        with self.assertRaises(VarlinkError) as refused:
            self.report(**parameters)
        return str(refused.exception.parameters.get("path", refused.exception.name))

    def cpu(self, instance: int, **parameters: Any) -> Any:
        families = openmetrics.parse(self.report("openmetrics", **parameters))
        return openmetrics.value(families, "vmctl_instance_cpu_seconds_total", instance_id=test_meter.instance_id(instance))

    def test_report_as_ledger_is_the_export(self) -> None:
        self.begin_priced()
        self.assertEqual(self.report("ledger").encode(), self.vmctl("ledger", "export").encode())
        self.check(self.report("ledger"), self.head())
        self.check(self.report("ledger", as_of=4), f"4:{self.controller.hashes[3].hex()}")
        self.assertEqual(self.report("ledger", tenant="other").encode(), self.vmctl("ledger", "export", "--tenant", "other").encode())

    def test_report_as_openmetrics_has_totals_that_no_restart_makes_smaller(self) -> None:
        self.begin_priced()
        self.assertEqual([self.cpu(1, as_of=row) for row in (5, 9, 12)], [5, 5, 7])
        self.assertEqual(self.cpu(2), 10)
        text = self.report("openmetrics")
        self.assertTrue(text.endswith("\n# EOF\n"))
        families = openmetrics.parse(text)
        self.assertEqual(openmetrics.value(families, "vmctl_metering_gap_seconds_total", cause="unreachable"), 1800)
        self.assertEqual(openmetrics.value(families, "vmctl_metering_ledger_seq"), 13)
        # What is of the moment, and not of the ledger, is on the page alone.
        for name in ("vmctl_metering_connected", "vmctl_host_up", "vmctl_tenant_quota_used"):
            self.assertNotIn(name, text)

    def test_tenant_has_metrics_of_its_own_and_sees_no_host(self) -> None:
        self.controller.principals = {os.getuid(): ("default", "viewer")}
        self.begin_priced()
        text = self.report("openmetrics")
        self.assertNotIn("other", text)
        self.assertNotIn("host=", text)
        self.assertEqual(self.cpu(1), 7)
        self.assertEqual(self.refused_report(form="openmetrics", tenant="other"), "io.vmctl.NotFound")
        self.check(self.report("ledger"), self.head())
        self.assertNotIn("theirs", self.report("ledger"))

    def test_what_is_of_the_whole_ledger_is_of_no_days(self) -> None:
        self.begin_priced()
        for form in ("openmetrics", "ledger"):
            self.assertEqual(self.refused_report(form=form, group_by="day"), "parameters.group_by")
            self.assertEqual(self.refused_report(form=form, **{"from": "2026-10-01T00:00:00Z"}), "parameters.from")
            self.assertEqual(self.refused_report(form=form, focus_version="1.2"), "parameters.focus_version")
            self.assertEqual(self.refused_report(form=form, as_of=99), "parameters.as_of")
        self.assertEqual(self.refused_report(form="csv", focus_float_safe=True), "parameters.focus_float_safe")

    def test_report_as_ledger_keeps_memory_flat(self) -> None:
        self.controller.add(opened(1, 1, 0), *(used(seq, 1, seq / 10**4, (seq + 1) / 10**4, seq) for seq in range(2, 60000)))
        self.controller.now = at(30)
        self.start_meter(ASAN_OPTIONS="quarantine_size_mb=1:thread_local_quarantine_size_kb=64")
        self.wait_for_seq(59999)
        before = self.call("io.vmctl.GetInfo")["resident_bytes"]
        with Connection(self.socket) as connection:
            size = sum(len(reply["text"]) for reply in connection.stream(BILLING + "Report", format="ledger"))
        self.assertGreater(size, 7 << 20)
        self.assertLess(self.call("io.vmctl.GetInfo")["resident_bytes"] - before, 4 << 20)

    def test_report_has_the_same_bytes_in_any_locale_and_zone(self) -> None:
        self.begin_priced()
        forms = ("table", "csv", "json", "focus", "focus_metadata", "openmetrics", "ledger")
        shown = {form: self.report(form, as_of=13) for form in forms}
        for locale, zone in (("de_DE.UTF-8", "America/New_York"), ("C.UTF-8", "Asia/Kathmandu")):
            self.kill_meter()
            self.start_meter(LC_ALL=locale, TZ=zone)
            wait_for(lambda: self.call("io.vmctl.GetInfo")["seq"] == 13, "it follows")
            self.assertEqual({form: self.report(form, as_of=13) for form in forms}, shown)

    # vmctl checks an export too, and says the same

    def verdicts(self, data: bytes) -> tuple[str, str]:
        """What is wrong with a file: by tools/verify-ledger, and by vmctl, which need not have a service."""
        path = self.folder / "export"
        path.write_bytes(data)
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            try:
                tool.check(file, argparse.Namespace(head=None, service=None, rows=False))
                python = ""
            except tool.Fault as fault:
                python = str(fault)
        command = [os.environ["VMCTL"], "usage", "verify", "--file", path, "-o", "json"]
        done = subprocess.run(command, env=cli.environment("/nowhere"), capture_output=True, text=True, timeout=60, check=False)
        faults = json.loads(done.stdout)["faults"]
        self.assertEqual((done.returncode, len(faults)), (1, 1) if faults else (0, 0), done)
        ours = "".join(f"Row {fault['row']} {fault['text']}" if fault["row"] else fault["text"] for fault in faults)
        return python, ours

    def test_vmctl_checks_an_export_without_a_service(self) -> None:
        self.begin()
        text = self.export()
        path = self.folder / "export"
        path.write_text(text)
        self.controller.stop()
        self.kill_meter()
        right = self.vmctl("usage", "verify", "--file", str(path), "--head", self.head())
        self.assertEqual(right, f"15 rows, all right; the last has the hash {self.controller.hashes[-1].hex()}\n")
        self.assertEqual(cli.run("/nowhere", "usage", "verify", "--file", "-", text=text).stdout, right)
        self.assertIn("is not there, or has not the hash", self.vmctl("usage", "verify", "--file", str(path), "--head", f"15:{'ab' * 32}", status=1))
        self.assertIn("follows row 3", self.vmctl("usage", "verify", "--file", str(self.cut(text, 4)), status=1))

    def cut(self, text: str, row: int) -> Path:
        lines = text.splitlines(keepends=True)
        path = self.folder / "cut"
        path.write_text("".join(lines[:row] + lines[row + 1 :]))
        return path

    def test_vmctl_and_the_tool_say_the_same_of_rows_cut_swapped_and_put_in(self) -> None:
        self.begin()
        lines = self.export().splitlines(keepends=True)
        damaged = [lines[:-1], lines[:1], [], lines + lines[-1:]]
        for number in range(len(lines) - 1):
            damaged.append(lines[:number] + lines[number + 1 :])
            damaged.append([*lines[:number], lines[number + 1], lines[number], *lines[number + 2 :]])
            damaged.append([*lines[:number], lines[number], *lines[number:]])
        for some in damaged:
            python, ours = self.verdicts("".join(some).encode())
            self.assertEqual(ours, python)
            self.assertTrue(ours)

    def test_vmctl_and_the_tool_find_a_flipped_bit_in_the_same_row(self) -> None:
        self.begin()
        data = self.export().encode()
        chance = random.Random(4)
        for bit in chance.sample(range(len(data) * 8), 400):
            changed = bytearray(data)
            changed[bit // 8] ^= 1 << bit % 8
            python, ours = self.verdicts(bytes(changed))
            # What is wrong with a row that cannot be read is told in more words by one of them.
            self.assertEqual(ours.split()[:2], python.split()[:2], (bit, ours, python))

    def test_vmctl_and_the_tool_say_the_same_of_what_a_tenant_gets(self) -> None:
        self.controller.principals = {os.getuid(): ("default", "viewer")}
        self.begin()
        text = self.export()
        self.assertEqual(self.verdicts(text.encode()), ("", ""))
        leaf = next(line for line in text.splitlines() if '"leaf"' in line)
        place = text.index(leaf) + leaf.index('"leaf"') + 9
        python, ours = self.verdicts((text[:place] + ("0" if text[place] != "0" else "1") + text[place + 1 :]).encode())
        self.assertEqual(ours, python)
        self.assertIn("has not the hash", ours)

    # vmctl

    def vmctl(self, *words: str, status: int = 0) -> str:
        return cli.run(str(self.controller.path), *words, status=status).stdout

    def test_vmctl_exports_verifies_and_explains(self) -> None:
        self.begin()
        self.check(self.vmctl("ledger", "export"), self.head())
        self.check(self.vmctl("ledger", "export", "--as-of", "3"), f"3:{self.controller.hashes[2].hex()}")
        self.assertIn(f"15 rows, all right; the last has the hash {self.controller.hashes[-1].hex()}", self.vmctl("usage", "verify"))
        shown = self.vmctl("usage", "explain", test_meter.instance_id(1), "--from", "2026-10", "--to", "2026-11", "-o", "csv")
        self.assertEqual([line.split(",")[0] for line in shown.splitlines()[1:]], ["1", "14", "6", "4", "7", "9"])

    def test_vmctl_tells_of_faults(self) -> None:
        self.tamper("UPDATE usage_total SET quantity = quantity + 1")
        self.assertIn("sums of all time", self.vmctl("usage", "verify", status=1))


def load_tests(loader: unittest.TestLoader, *_: object) -> unittest.TestSuite:
    """Only what is said here: the class has the tests of its mother too."""
    own = [name for name in loader.getTestCaseNames(EvidenceTest) if name in EvidenceTest.__dict__]
    return unittest.TestSuite(EvidenceTest(name) for name in own)


if __name__ == "__main__":
    unittest.main(verbosity=2)
