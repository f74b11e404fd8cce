#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bills: rate cards, reports, months that are closed, and corrections."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

from lib import cli, focus, tap
from lib.daemon import GIB, MIB, Vmd, program
from lib.fakeclock import FakeClock
from lib.tap import wait_until
from lib.uids import child_as
from lib.varlink import Connection, VarlinkError

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "data" / "rates.example.json"
MANUAL = ROOT / "docs" / "metering.md"

# A uid that nobody has.
STRANGER = 12345

shared = Vmd(meter=True)


def vmctl(vmd: Vmd, *words: str, text: str | None = None) -> str:
    return cli.run(vmd.socket, *words, text=text).stdout


def refused(vmd: Vmd, *words: str, text: str = "") -> str:
    """What vmctl says when it is refused."""
    environment = cli.environment(vmd.socket)
    command = [program("VMCTL"), *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, input=text, timeout=100, check=False)
    assert done.returncode != 0, done.stdout
    return done.stderr


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def report(vmd: Vmd, *words: str) -> list[dict[str, str]]:
    return rows_of(vmctl(vmd, "usage", "report", "-o", "csv", *words))


def run_one(vmd: Vmd, name: str) -> dict[str, Any]:
    """An instance that ran for two seconds and is gone."""
    instance = vmd.create(name=name, vcpus=2, memory_bytes=512 * MIB, disk_bytes=4 * GIB)
    wait_until(lambda: seconds_since(vmd, instance["id"]) >= 2, "two seconds of usage")
    vmd.do("Instance.Destroy", instance=name)
    return instance


def seconds_since(vmd: Vmd, instance: str) -> float:
    opened = [row for row in vmd.ledger() if row["kind"] == "opened" and row["resource"] == instance]
    return time.clock_gettime(time.CLOCK_BOOTTIME) - opened[0]["boot_ms"] / 1000


def set_example(vmd: Vmd) -> None:
    vmctl(vmd, "rate", "set", str(EXAMPLE))
    vmctl(vmd, "rate", "assign", "standard")


def test_usage_without_a_price_is_refused_by_name() -> None:
    run_one(shared, "unpriced")
    said = refused(shared, "usage", "report")
    assert "Usage without a price: " in said and "no rate card is assigned then" in said, said


def test_a_card_is_checked_before_it_is_noted() -> None:
    before = len(shared.ledger())
    card = json.loads(EXAMPLE.read_text())
    for change, why in (
        ({"currency": "EUX"}, "EUX is no currency"),
        ({"from": "tomorrow"}, "is not a time"),
        ({"lines": card["lines"] + [dict(card["lines"][0], sku="other")]}, "overlaps another line"),
        ({"lines": [dict(card["lines"][0], meter="vcpu")]}, "there is no meter vcpu"),
        ({"lines": [dict(card["lines"][0], price="-1")]}, "is below zero"),
        ({"lines": [dict(card["lines"][0], price=1)]}, "is not a string"),
        ({"taxes": "19"}, "taxes"),
    ):
        said = refused(shared, "rate", "set", "-", text=json.dumps({**card, **change}))
        assert why in said, said
    assert len(shared.ledger()) == before


def test_a_bill_adds_up_by_hand() -> None:
    set_example(shared)
    rows = report(shared)
    usage = [row for row in rows if row["charge"] == "usage"]
    assert usage
    for row in usage:
        assert Decimal(row["quantity"]) * Decimal(row["unit_price"]) == Decimal(row["cost"]), row
    whole = json.loads(vmctl(shared, "usage", "report", "-o", "json"))
    (tenant,) = whole["tenants"]
    assert sum(Decimal(row["cost"]) for row in usage) == Decimal(tenant["subtotal"])
    assert sum(Decimal(row["cost"]) for row in rows) == Decimal(tenant["total"])
    assert whole["ratecards"][0]["card"] == "standard"
    table = vmctl(shared, "usage", "report")
    assert "unpriced" in table and "vcpu.alloc" in table and "Total" in table, table


def test_a_dry_run_tells_the_price_of_an_hour() -> None:
    set_example(shared)
    size = ("--cpus", "2", "--mem", "512M", "--disk", "4G")
    quoted = json.loads(vmctl(shared, "create", "--dry-run", *size, "-o", "json"))["plan"]["price"]
    prices = {line["meter"]: Decimal(line["price"]) for line in json.loads(EXAMPLE.read_text())["lines"] if "price" in line}
    expected = 2 * prices["vcpu.alloc"] + prices["memory.alloc"] / 2 + 4 * prices["disk.alloc"]
    expected += prices.get("instance.time", 0) + prices.get("ip.alloc", 0)
    assert Decimal(quoted["hour"]) == expected and quoted["currency"] == "EUR", quoted
    assert sum(Decimal(line["cost"]) for line in quoted["lines"]) == expected
    table = vmctl(shared, "create", "--dry-run", *size)
    assert "PER-HOUR" in table and quoted["hour"] in table, table
    assert json.loads(vmctl(shared, "rate", "quote", *size, "-o", "json")) == quoted


def test_every_grouping_has_the_same_sum() -> None:
    sums = set()
    for groups in ("tenant", "instance", "meter", "day", "tenant,instance,meter,day", "tenant,label:shop", "day,meter"):
        sums.add(sum(Decimal(row["cost"]) for row in report(shared, "--group-by", groups)))
    assert len(sums) == 1, sums


def test_the_same_row_gives_the_same_bytes_anywhere() -> None:
    seq = str(shared.ledger()[-1]["seq"])
    for form in ("table", "csv", "json"):
        words = [program("VMCTL"), "usage", "report", "-o", form, "--as-of", seq]
        shown = set()
        for locale, zone in (("C", "UTC"), ("de_DE.UTF-8", "America/New_York"), ("C.UTF-8", "Asia/Kathmandu")):
            environment = {**os.environ, "VMCTL_SOCKET": shared.socket, "LC_ALL": locale, "TZ": zone}
            shown.add(subprocess.run(words, env=environment, capture_output=True, check=True, timeout=60).stdout)
        assert len(shown) == 1, form


def test_the_same_card_again_is_the_same_version() -> None:
    before = len(shared.ledger())
    set_example(shared)
    assert len(shared.ledger()) == before
    shown = vmctl(shared, "rate", "show", "standard")
    assert vmctl(shared, "rate", "set", "-", text=shown)
    assert len(shared.ledger()) == before
    assert "standard" in vmctl(shared, "rate", "list")


def test_an_entry_that_does_not_fit_is_passed_over_and_told() -> None:
    """An admin may note what he likes by vmd itself."""
    card = json.loads(EXAMPLE.read_text())
    month = datetime.now(timezone.utc).strftime("%Y-%m")
    misfits: list[tuple[str, dict[str, Any], str]] = [
        ("assignment", {"card": "absent", "from_ms": 0, "discount_ppm": 0}, 'There is no rate card "absent"'),
        ("assignment", {"card": "standard", "from_ms": 0, "discount_ppm": -(10**18)}, "is not between 0 and a million"),
        ("assignment", {"card": "standard", "from_ms": 2**62, "discount_ppm": 0}, "is after the year 9999"),
        ("card", {**card, "version": 7}, "the next version of standard is 2"),
        ("card", {**card, "version": 2, "lines": [dict(card["lines"][0], meter="gas")]}, "there is no meter gas"),
        ("sealed", {"period": month, "invoices": 0, "hash": ""}, "has not that many invoices"),
        ("closed", {"period": "2099-01", "from_ms": 4070908800000, "to_ms": 4073587200000}, "which had not ended"),
    ]
    with Vmd(meter=True) as vmd:
        vmd.import_template()
        set_example(vmd)
        vmd.create(name="web")
        for topic, note, _ in misfits:
            head = vmd.call("Ledger.GetHead")["note"]
            vmd.call("Ledger.Note", follows=head, topic=topic, note=json.dumps(note))
        wait_until(lambda: report(vmd), "usage to be billed")
        for _ in range(2):
            told = cli.run(vmd.socket, "usage", "verify").stderr
            for row, (_, _, why) in zip([row for row in vmd.ledger() if row["kind"] == "noted"][2:], misfits):
                (said,) = [words for words in told.splitlines() if f"row {row['seq']} " in words]
                assert "is passed over" in said and why in said, said
            os.kill(vmd.children("vmd-meter")[0], signal.SIGKILL)
            wait_until(vmd.meter_answers, "vmd-meter to answer")
        card["lines"][0]["price"] = "0.5"
        card["from"] = f"{month_after(month)}-01T00:00:00Z"
        vmctl(vmd, "rate", "set", "-", text=json.dumps(card))
        vmctl(vmd, "rate", "assign", "standard", "--tenant", "default", "--backdate")
        assert report(vmd)


def test_a_preview_changes_nothing() -> None:
    before = len(shared.ledger())
    card = json.loads(EXAMPLE.read_text())
    for line in card["lines"]:
        if "price" in line:
            line["price"] = str(Decimal(line["price"]) * 2)
    doubled = rows_of(vmctl(shared, "usage", "preview", "-", "-o", "csv", text=json.dumps(card)))
    single = report(shared)

    def cost(rows: list[dict[str, str]]) -> Decimal:
        return sum(Decimal(row["cost"]) for row in rows if row["charge"] == "usage")

    assert cost(doubled) == 2 * cost(single) != 0
    assert len(shared.ledger()) == before


def test_what_cannot_be_reported_is_refused() -> None:
    for words, why in (
        (("--period", "2026-13"), "is not a month"),
        (("--period", "2999-01"), "has not begun"),
        (("--tenant", "nobody"), 'There is no tenant "nobody"'),
        (("--group-by", "host"), "none of tenant"),
        (("--from", "2026-10-01T12:00:00Z"), "is not midnight"),
        (("--from", "2026-10-03", "--to", "2026-10-02"), "from is before to"),
        (("--as-of", "999999"), "999999"),
    ):
        said = refused(shared, "usage", "report", *words)
        assert why in said, said


def test_a_month_that_runs_cannot_be_closed() -> None:
    month = datetime.now(timezone.utc).strftime("%Y-%m")
    assert "has not ended" in refused(shared, "usage", "close", month)
    assert "is not a month" in refused(shared, "usage", "close", "soon")


def month_after(month: str) -> str:
    first = datetime.strptime(month, "%Y-%m")
    return (first + timedelta(days=32)).strftime("%Y-%m")


def test_a_closed_month_stays_and_is_corrected_in_the_next() -> None:
    with FakeClock(meter=True) as clock:
        vmd = clock.vmd
        vmd.import_template()
        set_example(vmd)
        instance = run_one(vmd, "billed")
        month = datetime.now(timezone.utc).strftime("%Y-%m")
        following = month_after(month)
        vmctl(vmd, "tenant", "create", "left")
        vmctl(vmd, "create", "gone", "--tenant", "left")
        vmctl(vmd, "destroy", "gone", "--tenant", "left", "--yes")
        assert f"used in {month} is not billed" in refused(vmd, "tenant", "remove", "left")
        wrong = correction(month, instance["id"], f"{month}-01", "1")
        assert "is not closed" in refused(vmd, *wrong)
        clock.set("+3196800")
        run_one(vmd, "later")
        vmctl(vmd, "usage", "close", month)
        closed = vmctl(vmd, "usage", "report", "--period", month, "-o", "csv")
        rows = rows_of(closed)
        assert {row["invoice"] for row in rows} == {f"INV-{month}-{name}" for name in ("default", "left")}
        notes = [row for row in vmd.ledger() if row["kind"] == "noted"]
        assert [row["topic"] for row in notes[-3:]] == ["invoice", "invoice", "sealed"]
        seq = vmd.ledger()[-1]["seq"]
        # What is of the ledger as a whole is of it up to the row that closed the month.
        whole = json.loads(vmctl(vmd, "usage", "report", "--period", month, "-o", "ledger").splitlines()[0])
        assert whole["seq"] == [row["seq"] for row in notes if row["topic"] == "closed"][-1], whole
        vmctl(vmd, "usage", "close", month)
        vmctl(vmd, "tenant", "remove", "left")
        assert not [row for row in vmd.ledger() if row["seq"] > seq and row["kind"] == "noted"]

        (vcpu,) = [row for row in rows if row["sku_price"] == "vm.vcpu" and row["tenant"] == "default"]
        right = correction(month, instance["id"], vcpu["from"][:10], "1")
        vmctl(vmd, *right)
        vmctl(vmd, *right)
        assert vmctl(vmd, "usage", "report", "--period", month, "-o", "csv") == closed
        lines = report(vmd, "--period", following)
        back, put = [row for row in lines if row["charge"] == "correction"]
        assert Decimal(back["cost"]) == -Decimal(vcpu["cost"])
        assert Decimal(put["quantity"]) == 1 and Decimal(put["cost"]) == Decimal("0.01")
        assert back["from"] == vcpu["from"]
        day = vcpu["from"][:10]
        # A line may come to 10^12, here at 0.01 each.
        for more in (10**14 + 1, 10**30):
            assert "costs more than can be billed" in refused(vmd, *correction(month, instance["id"], day, str(more)))
        vmctl(vmd, *correction(month, instance["id"], day, str(10**14)))
        costs = [Decimal(row["cost"]) for row in report(vmd, "--period", following) if row["charge"] == "correction"]
        assert Decimal(vcpu["cost"]) + sum(costs) == 10**12, costs

        card = json.loads(EXAMPLE.read_text())
        card["from"] = f"{month}-01T00:00:00Z"
        said = refused(vmd, "rate", "set", "-", "--backdate", text=json.dumps(card))
        assert "in a period that is closed" in said, said


def correction(month: str, instance: str, day: str, quantity: str) -> list[str]:
    words = ["usage", "correct", "--tenant", "default", "--period", month, "--resource", instance]
    return words + ["--sku-price", "vm.vcpu", "--day", day, "--quantity", quantity, "--why", "counted wrongly"]


def ask_as(uid: int, calls: list[tuple[str, dict[str, Any]]]) -> list[Any]:
    """What another uid is answered, by vmd-meter about bills: a reply, or the name of an error."""

    def ask(method: str, parameters: dict[str, Any]) -> Any:
        path = shared.meter_socket if method.startswith("Billing.") else shared.socket
        try:
            with Connection(path) as connection:
                return connection.call(f"io.vmctl.{method}", **parameters)
        except VarlinkError as error:
            return error.name.removeprefix("io.vmctl.")

    def work(there: socket.socket) -> None:
        there.sendall(json.dumps([ask(*call) for call in calls]).encode() + b"\n")

    with child_as(uid, work) as here, here.makefile() as lines:
        answers: list[Any] = json.loads(lines.readline())
    return answers


def test_a_tenant_reads_its_own_bill_and_sets_nothing() -> None:
    card = json.loads(EXAMPLE.read_text())
    month = datetime.now(timezone.utc).strftime("%Y-%m")
    correction_of = {"period": month, "resource": "11111111-1111-4111-8111-111111111111", "sku_price": "vm.vcpu"}
    (made,) = ask_as(STRANGER, [("Instance.Create", {"name": "hers"})])
    shared.wait(made["instances"][0]["operation"])
    opened = [row for row in shared.ledger() if row["kind"] == "opened"][-1]
    wait_until(lambda: seconds_since(shared, opened["resource"]) >= 1, "a second of usage")
    answers = ask_as(
        STRANGER,
        [
            ("Billing.Report", {}),
            ("Billing.Report", {"tenant": "default"}),
            ("Billing.Report", {"tenant": "nobody"}),
            ("Billing.Report", {"instead": card}),
            ("Billing.SetCard", {"card": card}),
            ("Billing.ListCards", {}),
            ("Billing.GetCard", {"card": "standard"}),
            ("Billing.Assign", {"card": "standard"}),
            ("Billing.ClosePeriod", {"period": month}),
            ("Billing.Correct", {"tenant": "default", "day": f"{month}-01T00:00:00Z", "why": "", "quantity": "1", **correction_of}),
            ("Billing.ListPeriods", {}),
        ],
    )
    own, *others, periods = answers
    assert "hers" in own["text"] and "unpriced" not in own["text"], own["text"]
    assert others == ["NotFound"] * 2 + ["PermissionDenied"] * 7, others
    assert periods["periods"][-1]["state"] == "open"
    ask_as(STRANGER, [("Instance.Destroy", {"instance": "hers"})])


def notes_of(vmd: Vmd) -> list[dict[str, Any]]:
    return [row for row in vmd.ledger() if row["kind"] == "noted"]


def close_and_be_killed(vmd: Vmd, month: str, notes: int) -> None:
    """Begins to close, and kills vmd-meter when so many notes are there."""
    closing = cli.start(vmd.socket, "usage", "close", month)
    wait_until(lambda: len(notes_of(vmd)) >= notes, f"{notes} notes")
    os.kill(vmd.children("vmd-meter")[0], signal.SIGKILL)
    closing.communicate(timeout=100)
    wait_until(vmd.meter_answers, "another vmd-meter")


def test_a_closing_that_is_killed_goes_on_and_comes_to_the_same() -> None:
    tenants = ["blue", "green", "red"]
    with FakeClock(meter=True, jump="@2026-10-12 08:00:00", metering={"grace_hours": 24}) as clock:
        vmd = clock.vmd
        vmd.import_template()
        set_example(vmd)
        for tenant in tenants:
            vmctl(vmd, "tenant", "create", tenant)
            vmd.wait(vmd.call("Instance.Create", name="web", tenant=tenant)["instances"][0]["operation"])
        last = [row for row in vmd.ledger() if row["kind"] == "opened"][-1]["resource"]
        wait_until(lambda: seconds_since(vmd, last) >= 1, "a second of usage")
        clock.set("@2026-11-01 12:00:00")
        wait_until(lambda: any(row["kind"] == "clock" for row in vmd.ledger()), "November")
        said = refused(vmd, "usage", "close", "2026-10")
        assert "for 24 hours after its end, until 2026-11-02T00:00:00.000Z" in said, said
        steps = len([row for row in vmd.ledger() if row["kind"] == "clock"])
        clock.set("@2026-11-02 06:00:00")
        wait_until(lambda: len([row for row in vmd.ledger() if row["kind"] == "clock"]) > steps, "the end of the grace")
        begun = len(notes_of(vmd))
        for count in range(1, 4):
            close_and_be_killed(vmd, "2026-10", begun + count)
        vmctl(vmd, "usage", "close", "2026-10")
        topics = [row["topic"] for row in notes_of(vmd)[begun:]]
        assert topics == ["closed", "invoice", "invoice", "invoice", "sealed"], topics
        invoices = [json.loads(row["note"]) for row in notes_of(vmd) if row["topic"] == "invoice"]
        assert [invoice["tenant"] for invoice in invoices] == tenants
        for invoice in invoices:
            words = ("--tenant", invoice["tenant"], "--period", "2026-10", "-g", "tenant,instance,meter,day", "-o", "csv")
            command = [program("VMCTL"), "usage", "report", *words]
            shown = subprocess.run(command, env=cli.environment(vmd.socket), capture_output=True, check=True, timeout=60).stdout
            _, lines = shown.split(b"\r\n", 1)
            assert hashlib.sha256(lines).hexdigest() == invoice["hash"]


def spend_in_two_currencies(clock: FakeClock) -> None:
    """A tenant pays in EUR in October, of which something is corrected later, and in USD from November on."""
    vmd = clock.vmd
    vmd.import_template()
    set_example(vmd)
    vmctl(vmd, "tenant", "create", "shop")
    for month, name in ((10, "euro"), (11, "dollar")):
        vmd.wait(vmd.call("Instance.Create", name=name, tenant="shop")["instances"][0]["operation"])
        instance = vmd.call("Instance.Get", instance=name, tenant="shop")["instance"]["id"]
        wait_until(lambda instance=instance: seconds_since(vmd, instance) >= 2, "two seconds of usage")
        vmd.do("Instance.Destroy", instance=name, tenant="shop")
        if month == 10:
            card = {**json.loads(EXAMPLE.read_text()), "card": "dollars", "currency": "USD", "from": "2026-11-01T00:00:00Z"}
            vmctl(vmd, "rate", "set", "-", text=json.dumps(card))
            vmctl(vmd, "rate", "assign", "dollars", "--tenant", "shop", "--from", "2026-11-01T00:00:00Z")
            clock.set("@2026-11-02 06:00:00")
            wait_until(lambda: any(row["kind"] == "clock" for row in vmd.ledger()), "November")
            vmctl(vmd, "usage", "close", "2026-10")
            words = correction("2026-10", instance, "2026-10-12", "7.77777")
            vmctl(vmd, *["shop" if word == "default" else word for word in words])
    steps = len([row for row in vmd.ledger() if row["kind"] == "clock"])
    clock.set("@2026-12-02 06:00:00")
    wait_until(lambda: len([row for row in vmd.ledger() if row["kind"] == "clock"]) > steps, "December")


def sum_by_invoice(rows: list[dict[str, str]], invoice: str, currency: str, cost: str) -> dict[tuple[str, str], Decimal]:
    sums: dict[tuple[str, str], Decimal] = {}
    for row in rows:
        key = row[invoice], row[currency]
        sums[key] = sums.get(key, Decimal(0)) + Decimal(row[cost])
    return sums


def test_a_month_in_which_two_currencies_are_paid_has_an_invoice_in_each() -> None:
    with FakeClock(meter=True, jump="@2026-10-12 08:00:00", metering={"grace_hours": 0}) as clock:
        vmd = clock.vmd
        spend_in_two_currencies(clock)
        begun = len(notes_of(vmd))
        for count in range(1, 4):
            close_and_be_killed(vmd, "2026-11", begun + count)
        vmctl(vmd, "usage", "close", "2026-11")
        topics = [row["topic"] for row in notes_of(vmd)[begun:]]
        assert topics == ["closed", "invoice", "invoice", "sealed"], topics
        notes = [json.loads(row["note"]) for row in notes_of(vmd)[begun:] if row["topic"] == "invoice"]
        billed = {(note["invoice"], note["currency"]): Decimal(note["total"]) for note in notes}
        assert list(billed) == [("INV-2026-11-shop", "USD"), ("INV-2026-11-shop-EUR", "EUR")], billed
        assert billed["INV-2026-11-shop-EUR", "EUR"] == Decimal("0.08"), billed
        assert sum_by_invoice(report(vmd, "--period", "2026-11"), "invoice", "currency", "cost") == billed
        told = json.loads(print_report(vmd, "--period", "2026-11", "-o", "json"))["tenants"]
        assert {(part["invoice"], part["currency"]): Decimal(part["total"]) for part in told} == billed, told
        for part in told:
            assert sum(Decimal(line["cost"]) for line in part["lines"]) == Decimal(part["total"]), part
            assert Decimal(part["subtotal"]) + Decimal(part["rounding"]) == Decimal(part["total"]), part
        for note in notes:
            words = ("--period", "2026-11", "-g", "tenant,instance,meter,day", "-o", "csv")
            lines = [line for line in print_report(vmd, *words).splitlines(keepends=True) if line.endswith(f",{note['invoice']}\r\n".encode())]
            assert hashlib.sha256(b"".join(lines)).hexdigest() == note["hash"], lines
        table = print_report(vmd, "--period", "2026-11").decode()
        assert "shop, invoice INV-2026-11-shop, in USD" in table and "shop, invoice INV-2026-11-shop-EUR, in EUR" in table, table
        check_focus(vmd, "2026-11")
        for version in focus.VERSIONS:
            rows = rows_of(print_report(vmd, "--period", "2026-11", "-o", "focus", "--focus-version", version).decode())
            assert sum_by_invoice(rows, "InvoiceId", "BillingCurrency", "BilledCost") == billed
        # The days of one have its number, whatever is not in them.
        days = report(vmd, "--from", "2026-11-20T00:00:00Z", "--to", "2026-11-21T00:00:00Z")
        assert {(row["invoice"], row["currency"]) for row in days} == {("INV-2026-11-shop-EUR", "EUR")}, days


def close_october(vmd: Vmd) -> str:
    """The number of the invoice."""
    vmctl(vmd, "usage", "close", "2026-10")
    (invoice,) = {row["invoice"] for row in report(vmd, "--period", "2026-10")}
    return invoice


def test_a_ledger_that_was_put_back_is_billed_once_that_is_accepted_and_no_invoice_is_sent_twice() -> None:
    with FakeClock(meter=True, jump="@2026-10-12 08:00:00", metering={"grace_hours": 0}) as clock:
        vmd = clock.vmd
        vmd.import_template()
        set_example(vmd)
        run_one(vmd, "web")
        clock.set("@2026-11-02 06:00:00")
        run_one(vmd, "later")
        said = refused(vmd, "usage", "recover", "--accept-fork", "--why", "a whim")
        assert "there is no fork" in said and "hint" not in said, said
        vmd.kill(signal.SIGTERM)
        state = vmd.dir / "state"
        older = shutil.copytree(state, vmd.dir / "older")
        clock.start()
        first = close_october(vmd)
        assert first == "INV-2026-10-default"
        lost = vmd.ledger()[-1]["seq"]
        exported = vmctl(vmd, "ledger", "export")
        vmd.kill(signal.SIGTERM)
        for file in state.glob("vmd.db*"):
            file.unlink()
        for file in older.glob("vmd.db*"):
            shutil.copy(file, state)
        clock.start()
        wait_until(lambda: "vmctl usage recover" in refused(vmd, "usage", "report"), "the fork to be known")
        assert "is not the one that was read" in refused(vmd, "usage", "recover", "--why", "a disk")
        said = cli.run(vmd.socket, "usage", "recover", "--accept-fork", "--why", "a disk")
        # Who did not see the answer asks again.
        shown = json.loads(vmctl(vmd, "usage", "recover", "--accept-fork", "--why", "a disk", "-o", "json"))
        assert shown["lost"] == lost, shown
        kept = Path(shown["lost_file"])
        assert f"kept on the machine of vmd-meter, in {kept}" in said.stderr and str(kept) in said.stdout, said
        assert kept.read_text() == exported
        head = f"{lost}:{shown['lost_hash']}"
        checked = cli.run(vmd.socket, "usage", "verify", "--file", str(kept), "--head", head)
        assert "all right" in checked.stdout, checked
        subprocess.run([ROOT / "tools" / "verify-ledger", "--head", head, kept], capture_output=True, check=True)
        again = close_october(vmd)
        assert again == f"INV-2026-10.{shown['branch']}-default", again
        foot = json.loads(print_report(vmd, "--period", "2026-10", "-o", "json"))["recoveries"]
        assert foot == [{"seq": shown["seq"], "lost": lost, "lost_hash": shown["lost_hash"]}], foot
        assert f"Recovered: row {shown['seq']} accepts" in print_report(vmd, "--period", "2026-10").decode()
        checked = cli.run(vmd.socket, "usage", "verify")
        assert "all right" in checked.stdout and f"row {shown['seq']} accepts" in checked.stderr, checked


def print_report(vmd: Vmd, *words: str) -> bytes:
    """As it is, with its ends of lines."""
    command = [program("VMCTL"), "usage", "report", *words]
    return subprocess.run(command, env=cli.environment(vmd.socket), capture_output=True, check=True, timeout=60).stdout


def check_focus(vmd: Vmd, month: str) -> None:
    costs = sum(Decimal(row["cost"]) for row in report(vmd, "--period", month))
    for version in focus.VERSIONS:
        words = ("--period", month, "--focus-version", version)
        data = print_report(vmd, *words, "-o", "focus")
        broken = focus.check(version, data)
        assert broken == [], (version, broken, data)
        assert sum(Decimal(row["BilledCost"]) for row in rows_of(data.decode())) == costs
        described = print_report(vmd, *words, "-o", "focus_metadata").decode()
        assert focus.check_metadata(version, described, data) == [], described


def test_a_focus_dataset_keeps_the_rules_and_names_the_operator() -> None:
    set_example(shared)
    run_one(shared, "focused")
    data = print_report(shared, "-o", "focus")
    assert data == print_report(shared, "-o", "focus", "--focus-version", "1.2")
    broken = focus.check("1.2", data)
    assert broken == [], (broken, data)
    lines = rows_of(data.decode())
    assert {line["ProviderName"] for line in lines} == {"vmctl"}
    assert {"vcpu.alloc", "disk.alloc"} <= {line["x_MeterId"] for line in lines}
    assert "the format is not focus" in refused(shared, "usage", "report", "--focus-version", "1.3")
    assert "by day" in refused(shared, "usage", "report", "-o", "focus", "-g", "tenant")


def is_float_safe(line: dict[str, str]) -> bool:
    pairs = (("ListUnitPrice", "ListCost"), ("ContractedUnitPrice", "ContractedCost"))
    quantity = line["PricingQuantity"]
    return quantity == "" or all(float(line[price]) * float(quantity) == float(line[cost]) for price, cost in pairs)


def test_a_focus_dataset_may_be_checked_in_binary_fractions() -> None:
    set_example(shared)
    run_one(shared, "split")
    seq = str(shared.ledger()[-1]["seq"])
    exact = rows_of(print_report(shared, "-o", "focus", "--as-of", seq).decode())
    data = print_report(shared, "-o", "focus", "--as-of", seq, "--focus-float-safe")
    safe = rows_of(data.decode())
    # Two lines in the place of one look as if it had been counted twice.
    assert set(focus.check("1.2", data)) <= {"counts_nothing_twice"}
    assert all(is_float_safe(line) for line in safe), safe
    for column in ("BilledCost", "ListCost"):
        assert sum(Decimal(line[column]) for line in safe) == sum(Decimal(line[column]) for line in exact)


def check_days(vmd: Vmd) -> None:
    """The days of a month have the lines of the month, but for the one rounding."""
    words = ("-o", "focus", "--focus-version", "1.4")
    whole = print_report(vmd, *words, "--period", "2026-10").splitlines()
    parts = [print_report(vmd, *words, "--from", begin, "--to", end).splitlines()
             for begin, end in (("2026-10", "2026-10-13"), ("2026-10-13", "2026-11"))]
    assert {*parts[0], *parts[1]} == {line for line in whole if b"Adjustment" not in line}


def export(vmd: Vmd, into: Path, *words: str, clock: FakeClock | None = None) -> str:
    """What is said, nothing if it went well; by its own clock or by this one."""
    command = [program("VMD_METER"), "export", "--socket", str(Path(vmd.socket).with_name("meter.sock")), "--into", str(into), *words]
    environment = {"LC_ALL": "C", **(clock.environment if clock is not None else {})}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode == 0) == (done.stderr == ""), done
    return done.stderr


def read_files(folder: Path) -> dict[str, bytes]:
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=folder, check=True, timeout=60)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_is_exported_again_has_the_same_bytes() -> None:
    with FakeClock(meter=True, jump="@2026-10-12 08:00:00") as clock, tempfile.TemporaryDirectory() as name:
        vmd, into = clock.vmd, Path(name)
        vmd.import_template()
        set_example(vmd)
        vmctl(vmd, "create", "web")
        last = vmd.ledger()[-1]["resource"]
        wait_until(lambda: seconds_since(vmd, last) >= 1, "a second of usage")
        day = ("--day", "2026-10-12")
        assert "all of 2026-10-12 is known when there is a later one" in export(vmd, into, *day)
        clock.set("@2026-11-04 00:00:00")
        wait_until(lambda: any(row["kind"] == "clock" for row in vmd.ledger()), "November")
        assert export(vmd, into, *day) == ""
        files = read_files(into / "2026-10-12")
        assert focus.check("1.2", files["focus.csv"]) == [], files["focus.csv"]
        assert focus.check_metadata("1.2", files["focus-metadata.json"].decode(), files["focus.csv"]) == []
        assert json.loads(files["report.json"])["ledger_head"] == json.loads(files["ledger.json"])
        assert {row["from"][:10] for row in rows_of(files["usage.csv"].decode())} == {"2026-10-12"}
        assert "2026-10 is not closed" in export(vmd, into, "--month", "2026-10")
        vmctl(vmd, "usage", "close", "2026-10")
        assert export(vmd, into, "--month", "2026-10", "--focus-version", "1.4") == ""
        month = read_files(into / "2026-10")
        assert focus.check("1.4", month["focus.csv"]) == [], month["focus.csv"]
        assert {row["invoice"] for row in rows_of(month["usage.csv"].decode())} == {"INV-2026-10-default"}
        vmctl(vmd, "destroy", "--yes", "web")
        assert export(vmd, into, *day) == "" and read_files(into / "2026-10-12") == files
        assert export(vmd, into, "--month", "2026-10", "--focus-version", "1.4") == "" and read_files(into / "2026-10") == month
        assert "would not be what it was" in export(vmd, into, *day, "--focus-version", "1.3")
        assert read_files(into / "2026-10-12") == files


def test_the_nightly_export_makes_up_for_what_was_missed() -> None:
    with FakeClock(meter=True, jump="@2026-10-30 08:00:00") as clock, tempfile.TemporaryDirectory() as name:
        vmd, into = clock.vmd, Path(name)
        vmd.import_template()
        set_example(vmd)
        vmctl(vmd, "create", "web")
        begun = {"@2026-10-31 01:00:00": {"2026-10-30"}, "@2026-11-03 01:00:00": {"2026-10-31", "2026-11-01", "2026-11-02"}}
        there: set[str] = set()
        for number, (jump, made) in enumerate(begun.items(), start=1):
            clock.set(jump)
            wait_until(lambda: sum(1 for row in vmd.ledger() if row["kind"] == "clock") == number, "the next night")  # noqa: B023
            assert export(vmd, into, clock=clock) == ""
            there |= made
            assert {path.name for path in into.iterdir()} == there
            assert all(read_files(folder) for folder in into.iterdir())
        clock.set("@2026-11-04 00:00:00")
        vmctl(vmd, "usage", "close", "2026-10")
        assert export(vmd, into, clock=clock) == "" and read_files(into / "2026-10")
        (into / "2026-11-02" / "ledger.json").write_text("")
        assert "does not say as of which row" in export(vmd, into, "--day", "2026-11-02")


def test_the_nightly_export_makes_up_for_a_pause_of_any_length() -> None:
    with FakeClock(meter=True, jump="@2026-10-30 08:00:00") as clock, tempfile.TemporaryDirectory() as name:
        vmd, into = clock.vmd, Path(name)
        vmd.import_template()
        set_example(vmd)
        vmctl(vmd, "create", "web")
        for number, jump in enumerate(("@2026-10-31 01:00:00", "@2027-01-10 01:00:00"), start=1):
            clock.set(jump)
            wait_until(lambda: sum(1 for row in vmd.ledger() if row["kind"] == "clock") == number, "the next night")  # noqa: B023
            assert export(vmd, into, clock=clock) == ""
            # What is no day, or not complete, is passed over.
            (into / "2026-11-32").mkdir(exist_ok=True)
            (into / "2026-12-24").mkdir(exist_ok=True)
        days = [date(2026, 10, 30) + timedelta(days=number) for number in range(72)]
        assert days[-1] == date(2027, 1, 9)
        assert all(read_files(into / day.isoformat()) for day in days)


def test_an_export_that_cannot_be_leaves_nothing() -> None:
    with tempfile.TemporaryDirectory() as name:
        assert "is not a day like" in export(shared, Path(name), "--day", "2026-13-01")
        assert "has not begun" in export(shared, Path(name), "--month", "2037-01")
        assert "--into is needed" in export(shared, Path(name), "--day", "2026-10-12", "--month", "2026-10")
        assert [path for path in Path(name).rglob("*") if path.is_file()] == []


def test_the_month_of_the_manual_is_as_it_says() -> None:
    blocks = re.findall(r"```sh\n(.*?)```", MANUAL.read_text(encoding="utf-8"), re.DOTALL)
    commands = [line for block in blocks for line in block.splitlines()]
    assert len(commands) >= 13
    shown = ""
    with FakeClock(meter=True, jump="@2026-10-12 08:00:00") as clock:
        clock.vmd.import_template()
        environment = cli.environment(clock.vmd.socket)
        environment["PATH"] = f"{Path(program('VMCTL')).parent}:{environment['PATH']}"
        for command in commands:
            if "usage close" in command:
                clock.set("@2026-11-04 00:00:00")
                wait_until(lambda: any(row["kind"] == "clock" for row in clock.vmd.ledger()), "November")
            done = subprocess.run(
                ["bash", "-c", command], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
            )
            assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
            shown += done.stdout + done.stderr
        for month in ("2026-10", "2026-11"):
            check_focus(clock.vmd, month)
        check_days(clock.vmd)
    for words, times in (("(correction)", 1), ("segment", 1), ("rows, all right; the last has the hash", 2)):
        assert shown.count(words) >= times, shown


def test_the_bill_of_the_manual_adds_up() -> None:
    (table,) = re.findall(r"```text\n(.*?)```", MANUAL.read_text(encoding="utf-8"), re.DOTALL)
    lines = [line.split() for line in table.splitlines()[1:]]
    prices = {line["meter"]: line for line in json.loads(EXAMPLE.read_text())["lines"]}
    for _, meter, quantity, _, price, cost in lines[:-1]:
        assert Decimal(quantity) * Decimal(price) == Decimal(cost), meter
        known = prices[meter].get("tiers", {"0": prices[meter].get("price")}).values()
        assert Decimal(price) in map(Decimal, known), meter
    assert sum(Decimal(line[-1]) for line in lines[:-1]) == Decimal(lines[-1][-1])


def test_a_budget_counts_what_is_paid_in_its_currency() -> None:
    """The tenant goes over to another with November, and something of October comes to the bill of it later."""
    with FakeClock(meter=True, jump="@2026-10-12 08:00:00", metering={"grace_hours": 0}) as clock:
        vmd = clock.vmd

        def budget() -> dict[str, Any]:
            return vmd.call("Budget.Get", tenant="shop")["budget"]

        vmd.import_template()
        card = json.loads(EXAMPLE.read_text())
        dollars = {**card, "card": "dollars", "currency": "USD", "from": "2026-11-01T00:00:00Z"}
        for text in (card, dollars):
            cli.run(vmd.socket, "rate", "set", "-", text=json.dumps(text))
        cli.run(vmd.socket, "rate", "assign", card["card"])
        vmd.call("Tenant.Create", tenant="shop")
        vmd.call("Budget.Set", tenant="shop", amount="100", currency="EUR", policy="tell")
        cli.run(vmd.socket, "rate", "assign", "dollars", "--tenant", "shop", "--from", "2026-11-01T00:00:00Z")
        accepted = vmd.call("Instance.Create", tenant="shop", name="web")["instances"][0]
        assert vmd.wait(accepted["operation"])["state"] == "succeeded"
        before = time.monotonic()
        wait_until(lambda: time.monotonic() - before > 0.1, "a tick of usage")
        clock.set("@2026-11-02 06:00:00")
        wait_until(lambda: any(row["kind"] == "clock" for row in vmd.ledger()), "November")
        cli.run(vmd.socket, "usage", "close", "2026-10")
        words = ("--tenant", "shop", "--period", "2026-10", "--resource", accepted["instance"], "--sku-price", "vm.vcpu")
        cli.run(vmd.socket, "usage", "correct", *words, "--day", "2026-10-12", "--quantity", "700", "--why", "more")
        trouble = "the budget is in EUR, and what is spent in USD"
        wait_until(lambda: budget().get("trouble") == trouble, "the other currency to be told")
        vmd.call("Budget.Set", tenant="shop", amount="100", currency="USD")
        wait_until(lambda: budget().get("period") == "2026-11", "what is spent in it to be told")
        assert "trouble" not in budget() and float(budget()["spent"]) < 1, budget()
        vmd.do("Instance.Destroy", instance="web", tenant="shop")


with shared:
    shared.import_template()
    tap.main(globals())
