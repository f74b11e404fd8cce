#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Budgets: what vmd does with what it is told, and what vmd-meter tells it."""

from __future__ import annotations

import json
import os
import signal
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from lib import cli, oracle, tap
from lib.daemon import Vmd
from lib.tap import expect, wait_until

EXAMPLE = Path(__file__).resolve().parents[2] / "data" / "rates.example.json"

# Nobody tells this one anything but the tests.
shared = Vmd()


def now() -> datetime:
    return datetime.now(timezone.utc) - timedelta(milliseconds=100)


def show_time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03}Z"


def tell(vmd: Vmd, tenant: str, spent: str, at: datetime | None = None, **more: Any) -> None:
    vmd.call("Budget.Tell", tenant=tenant, as_of=show_time(at or now()), spent=spent, **{"currency": "EUR", **more})


def give(vmd: Vmd, tenant: str, policy: str, amount: str = "100") -> None:
    vmd.call("Tenant.Create", tenant=tenant)
    vmd.call("Budget.Set", tenant=tenant, amount=amount, currency="EUR", policy=policy)


def budget_of(vmd: Vmd, tenant: str) -> dict[str, Any]:
    return vmd.call("Budget.Get", tenant=tenant)["budget"]


def news_of(vmd: Vmd, tenant: str) -> list[tuple[str, str]]:
    events = [event for event in vmd.events() if event.get("tenant") == tenant]
    return [(event["kind"], event["detail"]) for event in events if event["kind"] in ("budget_near", "budget_spent")]


def create(vmd: Vmd, tenant: str, name: str) -> str:
    accepted = vmd.call("Instance.Create", tenant=tenant, name=name)["instances"][0]
    assert vmd.wait(accepted["operation"])["state"] == "succeeded"
    return accepted["instance"]


def test_each_event_comes_once_a_month() -> None:
    give(shared, "told", "tell")
    last_month = now().replace(day=1) - timedelta(days=1)
    for spent in ("79.99", "80", "90", "100", "120", "70", "120"):
        tell(shared, "told", spent, last_month)
    before = last_month.strftime("%Y-%m")
    expected = [("budget_near", f"80 of 100 EUR in {before}"), ("budget_spent", f"100 of 100 EUR in {before}")]
    assert news_of(shared, "told") == expected
    create(shared, "told", "goes-on")
    at = now()
    tell(shared, "told", "3", at)
    assert budget_of(shared, "told")["state"] == "within"
    tell(shared, "told", "101")
    assert [kind for kind, _ in news_of(shared, "told")[2:]] == ["budget_near", "budget_spent"]
    expect("io.vmctl.Conflict", tell, shared, "told", "1", at - timedelta(seconds=1))
    expect("io.vmctl.InvalidParameter", tell, shared, "told", "1", at + timedelta(days=1))
    assert budget_of(shared, "told")["spent"] == "101"
    shared.do("Instance.Destroy", instance="goes-on", tenant="told")


def test_refuse_takes_nothing_new_until_there_is_more() -> None:
    give(shared, "refused", "refuse")
    create(shared, "refused", "on")
    create(shared, "refused", "off")
    tell(shared, "refused", "99.99")
    shared.do("Instance.Stop", instance="off", tenant="refused")
    tell(shared, "refused", "100.01")
    for method, more in (
        ("Instance.Create", {}),
        ("Instance.Start", {"instance": "off"}),
        ("Instance.Resize", {"instance": "on", "vcpus": 4}),
    ):
        error = expect("io.vmctl.BudgetExceeded", shared.call, method, tenant="refused", **more)
        told = {key: error[key] for key in ("tenant", "spent", "budget", "currency", "period")}
        period = now().strftime("%Y-%m")
        wanted = {"tenant": "refused", "spent": "100.01", "budget": "100", "currency": "EUR", "period": period}
        assert told == wanted
        assert all(text in error["message"] for text in ("100.01", "100 EUR", period)), error["message"]
    (runs,) = [row for row in shared.list_all() if row["name"] == "on"]
    assert runs["state"] == "running"
    shared.call("Budget.Set", tenant="refused", amount="200")
    shared.do("Instance.Start", instance="off", tenant="refused")
    shared.call("Budget.Set", tenant="refused", amount="50")
    expect("io.vmctl.BudgetExceeded", shared.call, "Instance.Create", tenant="refused")
    shared.call("Budget.Remove", tenant="refused")
    create(shared, "refused", "free")
    for name in ("on", "off", "free"):
        shared.do("Instance.Destroy", instance=name, tenant="refused")


def test_stop_stops_what_runs_and_starts_nothing_by_itself() -> None:
    give(shared, "stopped", "stop")
    instance = create(shared, "stopped", "web")
    tell(shared, "stopped", "100")
    wait_until(lambda: shared.get(instance)["state"] == "stopped", "the instance to be stopped")
    expect("io.vmctl.BudgetExceeded", shared.call, "Instance.Start", instance=instance)
    shared.call("Budget.Set", tenant="stopped", amount="1000")
    assert shared.get(instance)["state"] == "stopped"
    shared.do("Instance.Start", instance=instance)
    shared.do("Instance.Destroy", instance=instance)


def test_what_is_stopped_of_a_group_is_not_replaced() -> None:
    with Vmd(group={"dead_seconds": 1}) as vmd:
        vmd.import_template()
        give(vmd, "shop", "stop")
        vmd.do("Group.Create", group="web", tenant="shop", count=2, max=5)
        before = {row["id"] for row in vmd.list_all()}
        tell(vmd, "shop", "100")
        expect("io.vmctl.BudgetExceeded", vmd.call, "Group.Scale", group="web", tenant="shop", count=3)
        wait_until(lambda: {row["state"] for row in vmd.list_all()} == {"stopped"}, "its members to be stopped")
        group = vmd.call("Group.Get", group="web", tenant="shop")["group"]
        assert "budget" in group["reason"] and {row["id"] for row in vmd.list_all()} == before
        vmd.do("Group.Remove", group="web", tenant="shop")
        assert vmd.list_all() == []


def test_what_was_told_last_holds_over_a_start_and_says_how_old_it_is() -> None:
    give(shared, "held", "refuse")
    at = now() - timedelta(hours=3)
    tell(shared, "held", "100", at)
    before = budget_of(shared, "held")
    shared.kill()
    shared.start()
    assert budget_of(shared, "held") == before and before["as_of"] == show_time(at)
    expect("io.vmctl.BudgetExceeded", shared.call, "Instance.Create", tenant="held")
    table = cli.run(shared.socket, "budget", "show", "held").stdout
    assert "spent" in table and "3h" in table, table
    assert len(news_of(shared, "held")) == 2


def test_another_currency_is_trouble_and_changes_nothing() -> None:
    give(shared, "mixed", "refuse")
    tell(shared, "mixed", "100", currency="USD")
    assert "in EUR, and what is spent in USD" in budget_of(shared, "mixed")["trouble"]
    create(shared, "mixed", "free")
    shared.do("Instance.Destroy", instance="free", tenant="mixed")
    tell(shared, "mixed", "100")
    assert "trouble" not in budget_of(shared, "mixed")
    shared.call("Budget.Tell", tenant="mixed", as_of=show_time(now()), trouble="no price")
    assert (budget_of(shared, "mixed")["trouble"], budget_of(shared, "mixed")["state"]) == ("no price", "spent")


def test_a_budget_that_makes_no_sense_is_refused() -> None:
    shared.call("Tenant.Create", tenant="senseless")
    for asked in (
        {"amount": "5"},
        {"currency": "EUR"},
        {"amount": "-5", "currency": "EUR"},
        {"amount": "5", "currency": "eur"},
        {"amount": "5", "currency": "E"},
    ):
        expect("io.vmctl.InvalidParameter", shared.call, "Budget.Set", tenant="senseless", **asked)
    assert expect("io.vmctl.NotFound", shared.call, "Budget.Get", tenant="senseless")["kind"] == "budget"
    assert expect("io.vmctl.NotFound", tell, shared, "senseless", "5")["kind"] == "budget"
    expect("io.vmctl.NotFound", shared.call, "Budget.Set", tenant="nobody", amount="5", currency="EUR")


def test_the_meter_tells_what_is_spent_and_a_meter_that_is_away_changes_nothing() -> None:
    with Vmd(meter=True) as vmd:
        vmd.import_template()
        card = json.loads(EXAMPLE.read_text())
        for line in card["lines"]:
            if "price" in line:
                line["price"] = "100000"
        give(vmd, "shop", "refuse", amount="0.05")
        create(vmd, "shop", "web")
        wait_until(lambda: "price" in budget_of(vmd, "shop").get("trouble", ""), "usage without a price to be told")
        cli.run(vmd.socket, "rate", "set", "-", "--backdate", text=json.dumps(card))
        cli.run(vmd.socket, "rate", "assign", card["card"])
        wait_until(lambda: budget_of(vmd, "shop")["state"] == "spent", "the budget to be spent")
        assert "trouble" not in budget_of(vmd, "shop")
        assert [kind for kind, _ in news_of(vmd, "shop")] == ["budget_near", "budget_spent"]
        expect("io.vmctl.BudgetExceeded", vmd.call, "Instance.Create", tenant="shop")
        (meter,) = vmd.children("vmd-meter")
        os.kill(meter, signal.SIGSTOP)
        held = budget_of(vmd, "shop")
        expect("io.vmctl.BudgetExceeded", vmd.call, "Instance.Create", tenant="shop")
        assert budget_of(vmd, "shop") == held
        os.kill(meter, signal.SIGCONT)
        wait_until(lambda: budget_of(vmd, "shop")["as_of"] > held["as_of"], "the meter to go on telling")
        assert len(news_of(vmd, "shop")) == 2
        vmd.call("Budget.Set", tenant="shop", amount="1000000000")
        vmd.do("Instance.Destroy", instance="web", tenant="shop")


def test_everything_is_at_rest_in_the_end() -> None:
    oracle.check_at_rest(shared)


with shared:
    shared.import_template()
    tap.main(globals())
