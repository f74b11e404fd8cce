# SPDX-License-Identifier: LGPL-2.1-or-later
"""What has to hold after whatever happened."""

from __future__ import annotations

from typing import Any

from .daemon import Vmd
from .tap import wait_until


def check_ledger(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Segments open and close in turn, in order of time, without overlap; returns what is open by instance."""
    still_open: dict[str, dict[str, Any]] = {}
    last_at = ""
    last_seq = 0
    for row in rows:
        assert row["seq"] > last_seq, row
        assert row["at"] >= last_at, row
        last_seq, last_at = row["seq"], row["at"]
        if row["kind"] == "opened":
            assert row["instance"] not in still_open, f"opened twice: {row}"
            assert row["segment"] == row["seq"], row
            still_open[row["instance"]] = row
        else:
            begun = still_open.pop(row["instance"], None)
            assert begun is not None and begun["seq"] == row["segment"], f"closed without being open: {row}"
    return still_open


def check_events(events: list[dict[str, Any]]) -> None:
    """Numbered without a hole."""
    numbers = [event["seq"] for event in events]
    assert numbers == list(range(1, len(numbers) + 1)), "there is a hole in the events"


def check_audit(vmd: Vmd) -> None:
    """vmd's own audit, which also knows the host's files and the database's, finds nothing."""
    wait_until(lambda: vmd.host()["state"] == "connected", "the host to be connected")
    findings = vmd.call("Audit.Run")["findings"]
    assert findings == [], findings


def check_at_rest(vmd: Vmd) -> None:
    """Nothing is under way: instances, domains and ledger tell the same, by our own account and by vmd's."""
    states = {"running": "running", "paused": "paused", "stopped": "stopped"}
    instances = {row["id"]: row for row in vmd.list_all()}
    for row in instances.values():
        assert row["state"] in states and "operation" not in row, row
    shown, held = {key: states[row["state"]] for key, row in instances.items()}, vmd.domains()
    assert shown == held, (shown, held)
    still_open = check_ledger(vmd.ledger())
    assert set(still_open) == set(instances)
    for key, row in still_open.items():
        assert row["state"] == instances[key]["state"], (row, instances[key])
        for size in ("vcpus", "memory_bytes", "disk_bytes"):
            assert row[size] == instances[key][size], (row, instances[key])
    check_events(vmd.events())
    check_audit(vmd)
