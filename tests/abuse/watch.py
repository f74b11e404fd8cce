# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a vmd is before abuse, and has to be after it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

from lib import oracle
from lib.daemon import Vmd
from lib.tap import wait_until


def look_into_database(vmd: Vmd) -> dict[str, Any]:
    """The schema, and how many rows each table has, of a copy."""
    with tempfile.TemporaryDirectory() as folder:
        for path in (vmd.dir / "state").glob("vmd.db*"):
            shutil.copy(path, folder)
        database = sqlite3.connect(Path(folder, "vmd.db"))
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        assert len(tables) > 5, tables
        seen: dict[str, Any] = {name: database.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables}
        seen["schema"] = sorted(text for (text,) in database.execute("SELECT sql FROM sqlite_schema") if text)
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        database.close()
        return seen


def count_descriptors(vmd: Vmd) -> int:
    assert vmd.process is not None
    return len(os.listdir(f"/proc/{vmd.process.pid}/fd"))


def count_descriptors_at_rest(vmd: Vmd) -> int:
    """Without those of connections that were closed a moment ago: by its second answer vmd has seen them go."""
    with vmd.connect() as own:
        own.call("io.vmctl.Ping")
        own.call("io.vmctl.Ping")
        return count_descriptors(vmd) - 1


def resident_mib(vmd: Vmd) -> int:
    return vmd.call("GetInfo")["resident_bytes"] // (1024 * 1024)


def is_sanitized(vmd: Vmd) -> bool:
    """Its memory is then no measure."""
    assert vmd.process is not None
    return "asan" in Path(f"/proc/{vmd.process.pid}/maps").read_text(encoding="ascii")


class Watch:
    """Looks at a vmd once its guests have come up."""

    def __init__(self, vmd: Vmd) -> None:
        self.vmd = vmd
        for row in vmd.list_all():
            vmd.call("Instance.Wait", instance=row["id"], until="ready")
        self.process = vmd.process
        self.states = self.look()
        self.database = look_into_database(vmd)
        self.descriptors = count_descriptors_at_rest(vmd)

    def look(self) -> list[tuple[str, str]]:
        return [(row["id"], row["state"]) for row in self.vmd.list_all()]

    def check_alive(self) -> None:
        """The same process, at rest, and nothing is left open in it."""
        assert self.vmd.process is self.process and self.process is not None and self.process.poll() is None
        wait_until(lambda: count_descriptors(self.vmd) <= self.descriptors, "the descriptors to be closed")
        oracle.check_at_rest(self.vmd)

    def check(self, but: tuple[str, ...] = ()) -> None:
        """And nothing has changed, in the database but in these tables."""
        self.check_alive()
        assert self.look() == self.states
        after = look_into_database(self.vmd)
        changed = {key: after[key] for key in after if after[key] != self.database.get(key) and key not in but}
        assert changed == {} and after.keys() == self.database.keys(), changed
