# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs a module's test_ functions and reports in TAP: `tap.main(globals())` at the end of a test file."""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any, Callable

ROOT = Path(__file__).parent.parent.parent.parent
TIMEOUT_SECONDS = int(os.environ.get("TIMEOUT_SECONDS", "1100"))


class TooSlow(Exception):
    """A test of its own kind: nobody who waits for a service takes it for an end of that."""


class Skipped(Exception):
    """Raised by a test that cannot run here, with the reason."""


def wait_until(condition: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    """Calls condition until it is true; fails with what was waited for."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(0.01)


def expect(error: str, function: Callable[..., Any], *arguments: Any, **named: Any) -> dict[str, Any]:
    """Calls function, which has to fail with this varlink error; returns the error's parameters."""
    from .varlink import VarlinkError

    try:
        result = function(*arguments, **named)
    except VarlinkError as failure:
        assert failure.name == error, f"expected {error}, got {failure}"
        return failure.parameters
    raise AssertionError(f"expected {error}, got {result}")


def on_alarm(*_: object) -> None:
    raise TooSlow(f"the test took more than {TIMEOUT_SECONDS} s")


def run(name: str, function: Callable[[], None]) -> tuple[str, str]:
    """The TAP line of one test, and its diagnostics."""
    signal.signal(signal.SIGALRM, on_alarm)
    signal.alarm(TIMEOUT_SECONDS)
    try:
        function()
    except Skipped as reason:
        return f"ok %d - {name} # SKIP {reason}", ""
    except BaseException:  # noqa: B036, a test may fail in any way
        return f"not ok %d - {name}", traceback.format_exc()
    finally:
        signal.alarm(0)
    return f"ok %d - {name}", ""


def main(module: dict[str, Any]) -> None:
    wanted = sys.argv[1:]
    tests = {
        key.removeprefix("test_").replace("_", "-"): value
        for key, value in module.items()
        if key.startswith("test_") and callable(value)
    }
    chosen = {name: test for name, test in tests.items() if not wanted or name in wanted}
    print(f"1..{len(chosen)}", flush=True)
    failures = 0
    for number, (name, test) in enumerate(chosen.items(), start=1):
        line, trace = run(name, test)
        failures += line.startswith("not")
        print(line % number, flush=True)
        for text in trace.splitlines():
            print(f"# {text}", flush=True)
    sys.exit(1 if failures else 0)
