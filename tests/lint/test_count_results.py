# SPDX-License-Identifier: LGPL-2.1-or-later
"""What count-results takes for a failure."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "system"))
from lib import tap  # noqa: E402

COUNT = Path(__file__).parent / "count-results"
CASE = '<testcase name="{name}">{inside}</testcase>'


def count(cases: dict[str, str], result: str, code: int, with_programs: bool = True) -> tuple[int, str]:
    """The exit code and the last line for one program with these cases: name -> what is in it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "plain.junit.xml"
        inside = "".join(CASE.format(name=name, inside=text) for name, text in cases.items())
        file.write_text(f'<testsuites><testsuite name="vmctl.vmctl:unit / it">{inside}</testsuite></testsuites>')
        if with_programs:
            program = {"name": "vmctl:unit / it", "result": result, "returncode": code, "stdout": "", "stderr": ""}
            file.with_name("plain.json").write_text(json.dumps(program) + "\n")
        run = subprocess.run([sys.executable, COUNT, file], capture_output=True, text=True, check=False)
        return run.returncode, run.stdout.splitlines()[-1]


def test_what_passed_and_was_skipped_is_counted() -> None:
    assert count({"1": "", "2": "<skipped/>"}, "OK", 0) == (0, "1 passed, 0 failed, 1 skipped")


def test_a_test_that_failed_is_counted_once() -> None:
    assert count({"1": "", "2": "<failure/>"}, "FAIL", 1) == (1, "1 passed, 1 failed, 0 skipped")


def test_a_program_that_a_signal_ended_has_failed() -> None:
    assert count({"1": ""}, "ERROR", -6) == (1, "1 passed, 1 failed, 0 skipped")


def test_a_program_that_a_sanitizer_blames_has_failed() -> None:
    assert count({"1": ""}, "ERROR", 1) == (1, "1 passed, 1 failed, 0 skipped")


def test_a_program_that_took_too_long_has_failed() -> None:
    assert count({"1": ""}, "TIMEOUT", -15) == (1, "1 passed, 1 failed, 0 skipped")


def test_a_log_that_is_missing_is_a_failure() -> None:
    assert count({"1": ""}, "OK", 0, with_programs=False) == (1, "0 passed, 1 failed, 0 skipped")


def test_nothing_that_ran_is_no_success() -> None:
    assert count({}, "OK", 0) == (1, "0 passed, 0 failed, 0 skipped")


tap.main(globals())
