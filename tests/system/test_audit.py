#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""vmctl audit finds what does not agree, and gc removes only what is provably ours."""

import hashlib
import json
import signal
import shutil
import sqlite3
import subprocess
from typing import Any

from lib import cli, tap
from lib.daemon import Vmd

STRANGER = "11111111-2222-4333-8444-555555555555"


def findings(vmd: Vmd) -> list[tuple[str, str, str]]:
    rows = vmd.call("Audit.Run")["findings"]
    return [(row["kind"], row.get("object", ""), row.get("name", row.get("id", ""))) for row in rows]


def put_behind_its_back(vmd: Vmd, **entry: Any) -> None:
    """An object on the fake host that its vmd did not make; vmd has to be down."""
    domain = {"generation": 1, "state": "stopped", "vcpus": 1, "memory_bytes": 1 << 28, "agent": False, "addresses": []}
    with vmd.journal.open("a") as journal:
        journal.write(json.dumps({**domain, **entry}) + "\n")


def row_sum(key: str, body: str) -> str:
    return hashlib.sha256(f"{key}\0{body}".encode()).hexdigest()[:32]


def edit(vmd: Vmd, *statements: str) -> None:
    """Changes the database of a vmd that is down, past its triggers."""
    with sqlite3.connect(vmd.dir / "state" / "vmd.db") as database:
        database.create_function("row_sum", 2, row_sum)
        for trigger in ("ledger_no_update", "ledger_no_delete", "segment_once"):
            database.execute(f"DROP TRIGGER {trigger}")
        for statement in statements:
            assert database.execute(statement).rowcount == 1, statement
        for table in ("instance", "template"):
            database.execute(f"UPDATE {table} SET sum = row_sum(key, body)")
    database.close()


def stop(vmd: Vmd) -> None:
    assert vmd.kill(signal.SIGTERM) == 0


def test_nothing_differs_after_ordinary_work() -> None:
    with Vmd() as vmd:
        vmd.import_template()
        for name in ("on", "off", "gone"):
            vmd.create(name=name)
        vmd.do("Instance.Stop", instance="off")
        vmd.do("Instance.Destroy", instance="gone")
        reply = vmd.call("Audit.Run")
        assert reply["findings"] == [], reply
        counts = reply["audited"]
        assert (counts["instances"], counts["templates"], counts["objects"]) == (2, 1, 7), counts
        assert counts["ledger_rows"] == len(vmd.ledger()) and counts["events"] <= len(vmd.events())
        assert "0 findings" in cli.run(vmd.socket, "audit").stderr


def test_what_is_under_way_is_not_a_difference() -> None:
    with Vmd(script={"rules": [{"method": "Start", "delay_ms": 300}]}) as vmd:
        vmd.import_template()
        accepted = vmd.call("Instance.Create", name="many", count=20)["instances"]
        while any(vmd.get(row["instance"])["state"] == "starting" for row in accepted):
            assert findings(vmd) == []


def test_a_domain_that_is_gone_is_missing_with_its_files() -> None:
    with Vmd() as vmd:
        vmd.import_template()
        lost = vmd.create(name="lost")
        vmd.do("Instance.Stop", instance="lost")
        stop(vmd)
        put_behind_its_back(vmd, id=lost["id"], tenant="default", name="lost", state="absent")
        vmd.start()
        tap.wait_until(lambda: vmd.get("lost")["state"] == "error", "the loss to be seen")
        # An instance in error is told of as such; nothing more is expected of it.
        assert findings(vmd) == []


def test_an_object_that_nobody_owns_is_found_and_left_without_proof() -> None:
    with Vmd() as vmd:
        vmd.import_template()
        stop(vmd)
        put_behind_its_back(vmd, id=STRANGER, tenant="default", name="stranger")
        vmd.start()
        assert sorted(findings(vmd)) == [("unowned", kind, STRANGER) for kind in ("disk", "domain", "seed")]
        failed = cli.run(vmd.socket, "audit", status=1)
        assert STRANGER in failed.stdout and "3 findings" in failed.stderr
        collected = vmd.call("Audit.Collect")["collected"]
        assert len(collected) == 3 and not any(row["removed"] for row in collected), collected
        assert vmd.domains() == {STRANGER: "stopped"}


def test_what_was_ours_and_came_back_is_collected() -> None:
    with Vmd() as vmd:
        vmd.import_template()
        back = vmd.create(name="back")
        vmd.do("Instance.Destroy", instance="back")
        stop(vmd)
        put_behind_its_back(vmd, id=back["id"], tenant="default", name="back")
        vmd.start()
        dry = vmd.call("Audit.Collect", dry_run=True)["collected"]
        assert len(dry) == 3 and not any(row["removed"] or "reason" in row for row in dry), dry
        assert vmd.domains() == {back["id"]: "stopped"}
        assert all(row["removed"] for row in vmd.call("Audit.Collect")["collected"])
        assert vmd.domains() == {} and findings(vmd) == []


def test_an_empty_database_removes_nothing() -> None:
    with Vmd() as vmd:
        vmd.import_template()
        vmd.create(name="precious")
        before = vmd.domains()
        stop(vmd)
        shutil.rmtree(vmd.dir / "state")
        vmd.start()
        assert ("unowned", "domain", next(iter(before))) in findings(vmd)
        assert not any(row["removed"] for row in vmd.call("Audit.Collect")["collected"])
        assert vmd.domains() == before


def test_every_damage_of_the_record_is_named() -> None:
    damages = {
        "DELETE FROM event WHERE seq = 3": "events",
        "DELETE FROM ledger WHERE seq = (SELECT min(seq) FROM ledger)": "ledger",
        "UPDATE ledger SET hash = randomblob(32) WHERE seq = 2": "ledger",
        "UPDATE ledger SET body = (SELECT body FROM ledger WHERE seq = 2) WHERE seq = 1": "ledger",
        "UPDATE ledger SET body = substr(body, 1, length(body) - 1) WHERE seq = 3": "ledger",
        "UPDATE instance SET body = json_set(body, '$.view.operation', 'none')": "stuck",
        "UPDATE instance SET body = json_set(body, '$.view.vcpus', 9, '$.view.state', 'stopped')": "ledger",
        "UPDATE template SET body = json_set(body, '$.view.state', 'importing')": "stuck",
    }
    with Vmd() as vmd:
        vmd.import_template()
        vmd.create(name="one")
        vmd.do("Instance.Stop", instance="one")
        stop(vmd)
        kept = (vmd.dir / "state" / "vmd.db").read_bytes()
        for statement, kind in damages.items():
            (vmd.dir / "state" / "vmd.db").write_bytes(kept)
            edit(vmd, statement)
            vmd.start()
            found = {row[0] for row in findings(vmd)}
            assert found == {kind}, (statement, found)
            stop(vmd)


def test_a_host_that_does_not_answer_leaves_a_part_unchecked() -> None:
    with Vmd() as vmd:
        vmd.import_template()
        vmd.create(name="one")
        vmd.write_script({"rules": [{"method": "Probe", "error": "HostUnreachable"}]})
        for worker in vmd.children("vmd-fakehost"):
            subprocess.run(["kill", "-9", str(worker)], check=True)
        tap.wait_until(lambda: vmd.host()["state"] == "unreachable", "the host to be gone")
        assert [row[0] for row in findings(vmd)] == ["unchecked"]


tap.main(globals())
