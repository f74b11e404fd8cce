# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many tenants at once, over a fake host whose steps take time."""

from __future__ import annotations

import statistics
import time

from calls import create_many, new_vmd
from figure import Row, format_ms, format_rate
from lib.daemon import Vmd
from lib.varlink import Connection

STEP_MS = 20
BULK = 1000
TENANTS = 10
ROUNDS = 5
AT_ONCE = 500
HOSTS = 8
MANY = 10000


def new_slow_vmd(hosts: int = 1) -> Vmd:
    """Each of a create's four steps takes its host so long."""
    steps = ("CreateDisk", "CreateSeed", "Define", "Start")
    slow = {"rules": [{"method": step, "times": -1, "delay_ms": STEP_MS} for step in steps]}
    vmd = new_vmd(hosts={f"host{number}": {} for number in range(hosts)})
    for host in vmd.host_names:
        vmd.write_script(slow, host)
    return vmd


def ask(connection: Connection, tenant: str, prefix: str, count: int) -> None:
    """Sends the calls; their answers are read by the caller."""
    for first in range(0, count, AT_ONCE):
        parameters = {"tenant": tenant, "name": f"{prefix}-{first}", "count": min(AT_ONCE, count - first)}
        connection.send("io.vmctl.Instance.Create", parameters)


def wait_for_all(vmd: Vmd, tenant: str) -> None:
    with vmd.connect() as connection:
        while any(
            connection.call("io.vmctl.Operation.List", tenant=tenant, state=state, limit=1)["operations"]
            for state in ("queued", "running")
        ):
            time.sleep(0.02)


def time_create(vmd: Vmd, tenant: str, name: str) -> float:
    begun = time.monotonic()
    accepted = vmd.call("Instance.Create", tenant=tenant, name=name)["instances"][0]
    assert vmd.wait(accepted["operation"])["state"] == "succeeded"
    return (time.monotonic() - begun) * 1000


def measure_lone() -> Row:
    """One create of a tenant, by itself and while another's thousand are made."""
    with new_slow_vmd() as vmd:
        vmd.import_template()
        for tenant in ("bulk", "lone"):
            vmd.call("Tenant.Create", tenant=tenant)
        quiet = statistics.median(time_create(vmd, "lone", f"quiet{number}") for number in range(ROUNDS))
        with vmd.connect(600) as connection:
            ask(connection, "bulk", "b", BULK)
            for _ in range(0, BULK, AT_ONCE):
                connection.receive()
            busy = statistics.median(time_create(vmd, "lone", f"busy{number}") for number in range(ROUNDS))
            left = len(vmd.call("Operation.List", tenant="bulk", state="queued", limit=500)["operations"])
            assert left > 0, "the thousand were made before the lone ones were"
        wait_for_all(vmd, "bulk")
    what = f"a lone tenant's create while another's {BULK:,} are made; by itself (steps of {STEP_MS} ms)"
    return Row(what, format_ms(busy), format_ms(quiet), busy / quiet, 2)


def measure_all() -> Row:
    with new_slow_vmd() as vmd:
        vmd.import_template()
        names = [f"tenant{number}" for number in range(TENANTS)]
        for name in names:
            vmd.call("Tenant.Create", tenant=name)
        connections = [vmd.connect(600) for _ in names]
        begun = time.monotonic()
        for connection, name in zip(connections, names):
            ask(connection, name, "x", BULK // TENANTS)
        for connection in connections:
            connection.receive()
            connection.close()
        for name in names:
            wait_for_all(vmd, name)
        took = (time.monotonic() - begun) * 1000
        running = [row for row in vmd.list_all() if row["state"] == "running"]
        assert len(running) == BULK, len(running)
    what = f"{BULK:,} creates by {TENANTS} tenants, all running (steps of {STEP_MS} ms)"
    return Row(what, format_ms(took), "", took, 10000, unit=" ms")


def measure_admission(there: int) -> Row:
    """Creates one by one, pipelined on several connections, held to a quota that lets half of them pass beside so many
    that the tenant has."""
    with new_slow_vmd(HOSTS) as vmd:
        vmd.import_template()
        vmd.call("Tenant.Create", tenant="held")
        create_many(vmd, there, tenant="held")
        vmd.call("Quota.Set", tenant="held", instances=there + BULK // 2)
        connections = [vmd.connect(600) for _ in range(TENANTS)]
        begun = time.monotonic()
        for number in range(BULK):
            connections[number % TENANTS].send("io.vmctl.Instance.Create", {"tenant": "held"})
        replies = [connections[number % TENANTS].receive_raw() for number in range(BULK)]
        took = time.monotonic() - begun
        for connection in connections:
            connection.close()
        admitted = sum("error" not in reply for reply in replies)
        assert admitted == BULK // 2, admitted
        wait_for_all(vmd, "held")
    rate = BULK / took
    what = f"creates held to a quota, half of them admitted; {HOSTS} hosts, {there:,} instances of the tenant's before"
    return Row(what, format_rate(rate), "", rate, 2000, True, " a second")


def measure() -> list[Row]:
    return [measure_lone(), measure_all(), measure_admission(0), measure_admission(MANY)]
