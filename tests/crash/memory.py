# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes one allocation of vmd fail, by fail-malloc.c."""

from __future__ import annotations

import os
from pathlib import Path

from sweep import Bench, Scenario


def preload(**variables: str) -> tuple[str, ...]:
    """A prefix that lets allocations of vmd, and of none of its children, fail."""
    more = [f"{name}={value}" for name, value in variables.items()]
    return ("env", f"LD_PRELOAD={os.environ['FAIL_MALLOC_SO']}", "FAIL_MALLOC_PROGRAM=vmd", "G_SLICE=always-malloc", *more)


def fail_at(when: str) -> tuple[str, ...]:
    return preload(FAIL_MALLOC=when)


def count_allocations(bench: Bench, scenario: Scenario) -> int:
    """How many allocations vmd makes from its start to its end in this change."""
    path = Path(bench.vmd.dir, "allocations")
    bench.run_under(scenario, *preload(FAIL_MALLOC_COUNT=str(path)))
    return int(path.read_text())
