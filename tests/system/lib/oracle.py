# SPDX-License-Identifier: LGPL-2.1-or-later
"""What has to hold after whatever happened."""

from __future__ import annotations

from typing import Any

from . import ledger
from .daemon import Vmd


def check_ledger(vmd: Vmd) -> dict[tuple[str, str], dict[str, Any]]:
    """The ledger is whole; what is open, by kind and id of its resource."""
    return ledger.check(vmd.ledger(), vmd.call("GetInfo")["service_id"])


def check_events(events: list[dict[str, Any]]) -> None:
    """Numbered without a hole."""
    numbers = [event["seq"] for event in events]
    assert numbers == list(range(1, len(numbers) + 1)), "there is a hole in the events"


def check_audit(vmd: Vmd) -> None:
    """vmd's own audit, which also knows the host's files and the database's, finds nothing."""
    vmd.wait_for_host()
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
    still_open = check_ledger(vmd)
    assert set(still_open) == {(kind, key) for key in instances for kind in ledger.RESOURCES}, still_open
    for key, row in instances.items():
        open_row = still_open["instance", key]
        assert row["state"] == open_row["state"], (row, open_row)
        for size in ("vcpus", "memory_bytes", "disk_bytes"):
            assert row[size] == open_row[size], (row, open_row)
        assert row["disk_bytes"] == still_open["volume", key]["disk_bytes"], row
    check_events(vmd.events())
    check_audit(vmd)
