#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A kill at every call by which "vmd-meter export" changes a folder: each file is the old one or the new one, whole, and who
repeats it gets the same bytes."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "system"))

from lib import cli, tap  # noqa: E402
from lib.daemon import program  # noqa: E402
from lib.fakeclock import FakeClock  # noqa: E402
from lib.tap import wait_until  # noqa: E402
from syscalls import inject  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
DAY = "2026-10-12"
# What changes a folder, or asks for what is to be in it.
CALLS = ("write", "fsync", "fdatasync", "rename", "renameat", "renameat2", "unlink", "unlinkat", "mkdir", "mkdirat", "ftruncate",
         "fallocate", "sendto")  # fmt: skip
KILLED = -9
OLD = b"of an earlier time"

Files = dict[str, bytes]


def export(clock: FakeClock, into: Path, *prefix: str) -> int:
    socket = Path(clock.vmd.socket).with_name("meter.sock")
    command = [*prefix, program("VMD_METER"), "export", "--socket", str(socket), "--into", str(into), "--day", DAY]
    return subprocess.run(command, capture_output=True, timeout=100, check=False).returncode


def read(into: Path) -> Files:
    folder = into / DAY
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


def begin(into: Path, begun: Files) -> None:
    """A folder as an export left it that was not finished."""
    (into / DAY).mkdir()
    for name, data in begun.items():
        (into / DAY / name).write_bytes(data)


def count_calls(clock: FakeClock) -> Counter[str]:
    with tempfile.TemporaryDirectory() as name, tempfile.NamedTemporaryFile() as log:
        assert export(clock, Path(name), "strace", "-f", "-qq", "-o", log.name, "-e", "trace=" + ",".join(CALLS)) == 0
        return Counter(re.findall(r"^\d+ +(\w+)\(", Path(log.name).read_text(errors="replace"), re.MULTILINE))


def check_kill(clock: FakeClock, call: str, nth: int, begun: Files | None, whole: Files) -> int:
    with tempfile.TemporaryDirectory() as name:
        into = Path(name)
        if begun is not None:
            begin(into, begun)
        code = export(clock, into, *inject(call, "signal=SIGKILL", str(nth)))
        left = read(into)
        for file, data in left.items():
            # What begins with a point is nobody's yet.
            assert file.startswith(".") or data in (whole.get(file), (begun or {}).get(file)), (call, nth, file, data)
        if "SHA256SUMS" in left:
            assert {file: data for file, data in left.items() if not file.startswith(".")} == whole, (call, nth, left)
        assert export(clock, into) == 0
        assert read(into) == whole, (call, nth)
        return code


def sweep(begun: Files | None) -> None:
    kills = [check_kill(clock, call, nth, begun, whole) for call, count in counts.items() for nth in range(1, count + 1)]
    print(f"# {len(kills)} kills at {dict(counts)}")
    assert kills.count(KILLED) > len(kills) // 2, kills


def test_a_kill_at_any_call_leaves_no_file_in_part() -> None:
    sweep(None)


def test_a_kill_at_any_call_leaves_an_old_file_or_the_new_one() -> None:
    sweep({file: OLD for file in whole if file.endswith(".csv")})


def test_a_kill_at_any_call_leaves_what_is_complete_as_it_is() -> None:
    sweep(whole)


def start() -> Files:
    """A day that is over, and what its export has."""
    clock.vmd.import_template()
    for words in (("rate", "set", str(ROOT / "data" / "rates.example.json")), ("rate", "assign", "standard")):
        cli.run(clock.vmd.socket, *words)
    clock.vmd.create(name="web")
    clock.set("@2026-10-13 08:00:00")
    wait_until(lambda: any(row["kind"] == "clock" for row in clock.vmd.ledger()), "the next day")
    clock.vmd.do("Instance.Destroy", instance="web")
    with tempfile.TemporaryDirectory() as name:
        assert export(clock, Path(name)) == 0
        return read(Path(name))


with FakeClock(meter=True, jump=f"@{DAY} 08:00:00") as clock:
    whole = start()
    counts = count_calls(clock)
    tap.main(globals())
